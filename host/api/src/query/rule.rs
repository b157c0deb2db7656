//! What the models of IAM and STS (botocore's `iam/2010-05-08`, `sts/2011-06-15`) let a text be.

use pawl_core::limits;

use super::form::violated;
use crate::error::ApiError;

/// What a text may be: how long, and of which characters.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Characters, at least.
    pub least: usize,
    /// Characters, at most.
    pub most: usize,
    /// Which form; none for any.
    pub allowed: Option<Allowed>,
}

/// A form of texts: the model's pattern, and what decides it.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// As AWS writes it.
    pub pattern: &'static str,
    /// Whether a text has it.
    pub has: fn(&str) -> bool,
}

impl Rule {
    const fn new(least: usize, most: usize, pattern: &'static str, has: fn(&str) -> bool) -> Self {
        Self { least, most, allowed: Some(Allowed { pattern, has }) }
    }

    /// The text, if it is within the rule.
    ///
    /// # Errors
    /// `ValidationError`, naming the member.
    pub fn admit<'a>(&self, name: &str, value: &'a str) -> Result<&'a str, ApiError> {
        let chars = value.chars().count();
        let shown = format!("'{value}'");
        if chars < self.least {
            let what = format!("Member must have length greater than or equal to {}", self.least);
            return Err(violated(&shown, name, &what));
        }
        if chars > self.most {
            let what = format!("Member must have length less than or equal to {}", self.most);
            return Err(violated(&shown, name, &what));
        }
        match self.allowed.filter(|allowed| !(allowed.has)(value)) {
            None => Ok(value),
            Some(allowed) => {
                let what = format!("Member must satisfy regular expression pattern: {}", allowed.pattern);
                Err(violated(&shown, name, &what))
            }
        }
    }
}

/// Whether every character may stand in a name.
fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
}

fn is_path(text: &str) -> bool {
    let inner = |c: char| ('\u{21}'..='\u{7e}').contains(&c);
    text == "/" || text.len() > 2 && text.starts_with('/') && text.ends_with('/') && text.chars().all(inner)
}

fn is_policy_path(text: &str) -> bool {
    let inner = |level: &str| {
        !level.is_empty() && level.chars().all(|c| c.is_ascii_alphanumeric() || ".,+@=_-".contains(c))
    };
    let Some(levels) = text.strip_prefix('/') else { return false };
    levels.is_empty() || levels.strip_suffix('/').is_some_and(|levels| levels.split('/').all(inner))
}

/// A name of a user, role, group or policy.
const NAME: &str = r"[\w+=,.@-]+";

/// A user that is to be.
pub const USER_NAME: Rule = Rule::new(1, 64, NAME, is_name);
/// A user that is there.
pub const EXISTING_USER: Rule = Rule::new(1, 128, NAME, is_name);
/// A role.
pub const ROLE_NAME: Rule = Rule::new(1, 64, NAME, is_name);
/// A group.
pub const GROUP_NAME: Rule = Rule::new(1, 128, NAME, is_name);
/// A policy.
pub const POLICY_NAME: Rule = Rule::new(1, 128, NAME, is_name);
/// A path of users, roles and groups.
pub const PATH: Rule = Rule::new(1, 512, r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)", is_path);
/// A path of policies.
pub const POLICY_PATH: Rule = Rule::new(1, 512, r"((/[A-Za-z0-9\.,\+@=_-]+)*)/", is_policy_path);
/// The beginning of a path.
pub const PATH_PREFIX: Rule = Rule::new(1, 512, r"\u002F[\u0021-\u007F]*", |text| {
    text.starts_with('/') && text.chars().all(|c| ('\u{21}'..='\u{7f}').contains(&c))
});
/// The text of a policy.
pub const POLICY_DOCUMENT: Rule = Rule::new(1, 131_072, r"[\u0009\u000A\u000D\u0020-\u00FF]+", |text| {
    text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'))
});
/// A description of a role.
pub const ROLE_DESCRIPTION: Rule =
    Rule::new(0, 1000, r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*", |text| {
        text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{7e}' | '\u{a1}'..='\u{ff}'))
    });
/// A description of a policy.
pub const POLICY_DESCRIPTION: Rule = Rule { least: 0, most: 1000, allowed: None };
/// An ARN.
pub const ARN: Rule = Rule { least: 20, most: 2048, allowed: None };
/// An access key's id.
pub const ACCESS_KEY_ID: Rule =
    Rule::new(16, 128, r"[\w]+", |text| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
/// The id of a policy's version.
pub const VERSION_ID: Rule = Rule::new(1, 32, r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?", |text| {
    let Some(number) = text.strip_prefix('v') else { return false };
    !number.starts_with('0') && !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit())
});
/// The key of a tag.
pub const TAG_KEY: Rule = Rule::new(1, 128, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", is_tag);
/// The value of a tag.
pub const TAG_VALUE: Rule = Rule::new(0, 256, r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", is_tag);
/// Where a page goes on.
pub const MARKER: Rule = Rule { least: 1, most: 320, allowed: None };
/// The name of a session.
pub const SESSION_NAME: Rule = Rule::new(2, 64, r"[\w+=,.@-]*", is_name);
/// An external id.
pub const EXTERNAL_ID: Rule = Rule::new(2, 1224, r"[\w+=,.@:\/-]*", |text| {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c))
});
/// The text of a session's policy.
pub const SESSION_POLICY: Rule = Rule { most: 2048, ..POLICY_DOCUMENT };

/// The ARN of an identity provider.
pub const PROVIDER_ARN: Rule = ARN;
/// The URL of an identity provider.
pub const PROVIDER_URL: Rule = Rule { least: 1, most: limits::PROVIDER_URL_CHARS_MAX, allowed: None };
/// An audience.
pub const CLIENT_ID: Rule = Rule { least: 1, most: 255, allowed: None };
/// A certificate's SHA-1.
pub const THUMBPRINT: Rule = Rule { least: 40, most: 40, allowed: None };
/// A token of an identity provider.
pub const WEB_IDENTITY_TOKEN: Rule =
    Rule { least: 4, most: limits::WEB_IDENTITY_TOKEN_CHARS_MAX, allowed: None };
/// The host of an identity provider of OAuth 2.0, for which there is none here.
pub const PROVIDER_ID: Rule = Rule { least: 4, most: 2048, allowed: None };

fn is_tag(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_model() {
        for (path, user, policy) in [
            ("/", true, true),
            ("/a/", true, true),
            ("/a/b/", true, true),
            ("//", false, false),
            ("/a//b/", true, false),
            ("/a", false, false),
            ("a/", false, false),
            ("", false, false),
            ("/a b/", false, false),
            ("/a!/", true, false),
        ] {
            assert_eq!(PATH.admit("Path", path).is_ok(), user, "{path}");
            assert_eq!(POLICY_PATH.admit("Path", path).is_ok(), policy, "{path}");
        }
        for (id, is) in [("v1", true), ("v10", true), ("v0", false), ("1", false), ("v", false)] {
            assert_eq!(VERSION_ID.admit("VersionId", id).is_ok(), is, "{id}");
        }
    }
}
