//! What a form says, and what of it the service's model refuses.

use std::collections::HashSet;

use pawl_core::limits;

use super::rule::Rule;
use crate::error::{ApiError, ErrorCode};

/// The fields of a request's form, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body. A field has one value, and a list no gaps: nobody may read of a request what another reader of it does not, and
    /// no policy that is to limit a session may get lost.
    ///
    /// # Errors
    /// `ValidationError` for more fields than any request needs, for a field that is there twice, and for a list with a gap.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let fields = form_urlencoded::parse(body).into_owned();
        let fields: Vec<_> = fields.take(limits::FORM_FIELDS_MAX + 1).collect();
        if fields.len() > limits::FORM_FIELDS_MAX {
            let message = format!("A request has at most {} parameters.", limits::FORM_FIELDS_MAX);
            return Err(ApiError::new(ErrorCode::ValidationError, message));
        }
        let mut seen = HashSet::with_capacity(fields.len());
        if !fields.iter().all(|(name, _)| seen.insert(name.as_str())) {
            return Err(ApiError::new(
                ErrorCode::ValidationError,
                "A parameter of the request is there twice.",
            ));
        }
        let places: HashSet<(&str, &str)> = fields.iter().filter_map(|(name, _)| place(name)).collect();
        let follows = |(list, number): &(&str, &str)| match number.parse::<usize>() {
            Ok(1) => *number == "1",
            Ok(n) if n > 1 && n.to_string() == *number => {
                places.contains(&(*list, (n - 1).to_string().as_str()))
            }
            _ => false,
        };
        if !places.iter().all(follows) {
            let message = "The members of a list must be numbered from 1 on, without a gap.";
            return Err(ApiError::new(ErrorCode::ValidationError, message));
        }
        Ok(Self(fields))
    }

    /// All fields, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The field of this name, as it came.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    /// A text that may be left out.
    ///
    /// # Errors
    /// `ValidationError` when the rule refuses it.
    pub fn text(&self, name: &str, rule: &Rule) -> Result<Option<&str>, ApiError> {
        self.get(name).map(|value| rule.admit(name, value)).transpose()
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// `ValidationError` when it is not, or the rule refuses it.
    pub fn required(&self, name: &str, rule: &Rule) -> Result<&str, ApiError> {
        self.text(name, rule)?.ok_or_else(|| missing(name))
    }

    /// A number that may be left out.
    ///
    /// # Errors
    /// `ValidationError` when it is none, or outside of these bounds.
    pub fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let wrong = |what: String| violated(&format!("'{text}'"), name, &what);
        let number: i64 = text.parse().map_err(|_| wrong("Member must be a number".to_owned()))?;
        if number < i64::from(least) {
            return Err(wrong(format!("Member must have value greater than or equal to {least}")));
        }
        match u32::try_from(number) {
            Ok(number) if number <= most => Ok(Some(number)),
            _ => Err(wrong(format!("Member must have value less than or equal to {most}"))),
        }
    }

    /// A yes or no that may be left out.
    ///
    /// # Errors
    /// `ValidationError` when it is neither.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(violated(&format!("'{other}'"), name, "Member must be true or false")),
        }
    }

    /// One of these texts, or nothing.
    ///
    /// # Errors
    /// `ValidationError` when it is another.
    pub fn choice<'a>(&self, name: &str, of: &[&'a str]) -> Result<Option<&'a str>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let found = of.iter().find(|choice| **choice == text).copied();
        let wrong = || {
            let what = format!("Member must satisfy enum value set: [{}]", of.join(", "));
            violated(&format!("'{text}'"), name, &what)
        };
        found.map(Some).ok_or_else(wrong)
    }

    /// The members of a list, `NAME.member.1` and so on, in their order.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        (1..=self.0.len()).map_while(|number| self.get(&format!("{name}.member.{number}"))).collect()
    }

    /// The members of a list of pairs: `NAME.member.1.Key` and `NAME.member.1.Value`; a value that is left out is empty.
    #[must_use]
    pub fn pairs(&self, name: &str, first: &str, second: &str) -> Vec<(&str, &str)> {
        (1..=self.0.len())
            .map_while(|number| {
                let one = self.get(&format!("{name}.member.{number}.{first}"))?;
                Some((one, self.get(&format!("{name}.member.{number}.{second}")).unwrap_or_default()))
            })
            .collect()
    }
}

/// The list of which a field is a member, and the member's number as it is written.
fn place(name: &str) -> Option<(&str, &str)> {
    let (list, rest) = name.split_once(".member.")?;
    Some((list, rest.split('.').next().unwrap_or_default()))
}

fn missing(name: &str) -> ApiError {
    violated("null", name, "Member must not be null")
}

/// AWS's words for a member that its model refuses.
pub(super) fn violated(value: &str, name: &str, what: &str) -> ApiError {
    let mut chars = name.chars();
    let name: String = chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect();
    let message = format!(
        "1 validation error detected: Value {value} at '{name}' failed to satisfy constraint: {what}"
    );
    ApiError::new(ErrorCode::ValidationError, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::rule;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn fields_and_lists_are_read_as_sdks_write_them() {
        let form = form(
            "Action=CreateUser&UserName=a%2Bb+c&Tags.member.1.Key=k&Tags.member.1.Value=v%C3%A9&Tags.member.2.Key=l\
             &PolicyArns.member.1.arn=x&TagKeys.member.1=one&TagKeys.member.2=two&Empty=",
        );
        assert_eq!(form.get("Action"), Some("CreateUser"));
        assert_eq!(form.get("UserName"), Some("a+b c"));
        assert_eq!(form.pairs("Tags", "Key", "Value"), [("k", "vé"), ("l", "")]);
        assert_eq!(form.list("TagKeys"), ["one", "two"]);
        assert_eq!(form.list("Empty"), [""; 0]);
        let many: String = (0..=limits::FORM_FIELDS_MAX).map(|number| format!("a{number}=b&")).collect();
        assert!(Form::parse(many.as_bytes()).unwrap_err().message.starts_with("A request has at most"));
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_no_form() {
        for (text, why) in [
            ("UserName=boss&UserName=decoy", "twice"),
            ("UserName=boss&User%4eame=decoy", "twice"),
            ("Tags.member.1.Key=a&Tags.member.1.Key=b", "twice"),
            ("PolicyArns.member.2.arn=x", "gap"),
            ("PolicyArns.member.0.arn=x", "gap"),
            ("PolicyArns.member.01.arn=x", "gap"),
            ("PolicyArns.member.+1.arn=x", "gap"),
            ("PolicyArns.member.arn=x", "gap"),
            ("TagKeys.member.1=a&TagKeys.member.3=b", "gap"),
        ] {
            let error = Form::parse(text.as_bytes()).unwrap_err();
            assert!(
                error.code == ErrorCode::ValidationError && error.message.contains(why),
                "{text}: {error}"
            );
        }
        for text in [
            "",
            "a=1&A=2",
            "TagKeys.member.2=b&TagKeys.member.1=a",
            "Tags.member.1.Value=v&Tags.member.1.Key=k",
        ] {
            assert!(Form::parse(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_the_model_refuses_is_refused_in_its_words() {
        let form = form("UserName=a%20b&MaxItems=0&More=1001&Status=On&Flag=maybe&Long=aaaaa");
        let said = |error: ApiError| {
            let before = "1 validation error detected: Value ";
            assert_eq!(error.code, ErrorCode::ValidationError);
            error.message.strip_prefix(before).unwrap().to_owned()
        };
        let fails = "failed to satisfy constraint: Member must";
        assert_eq!(
            said(form.required("UserName", &rule::USER_NAME).unwrap_err()),
            format!("'a b' at 'userName' {fails} satisfy regular expression pattern: [\\w+=,.@-]+")
        );
        assert_eq!(
            said(form.required("RoleName", &rule::ROLE_NAME).unwrap_err()),
            format!("null at 'roleName' {fails} not be null")
        );
        assert_eq!(
            said(form.number("MaxItems", 1, 1000).unwrap_err()),
            format!("'0' at 'maxItems' {fails} have value greater than or equal to 1")
        );
        assert_eq!(
            said(form.number("More", 1, 1000).unwrap_err()),
            format!("'1001' at 'more' {fails} have value less than or equal to 1000")
        );
        assert_eq!(
            said(form.choice("Status", &["Active", "Inactive"]).unwrap_err()),
            format!("'On' at 'status' {fails} satisfy enum value set: [Active, Inactive]")
        );
        assert!(form.flag("Flag").is_err() && form.flag("Other").unwrap().is_none());
        let short = Rule { most: 4, ..rule::USER_NAME };
        assert_eq!(
            said(form.text("Long", &short).unwrap_err()),
            format!("'aaaaa' at 'long' {fails} have length less than or equal to 4")
        );
    }
}
