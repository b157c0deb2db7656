//! Records as they are looked for.

use serde_json::Value;

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Ok,
    /// The caller may not, or is not who it says.
    Denied,
    /// It was refused for another reason, or failed.
    Error,
}

/// Which records are wanted; what is not said does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A secret's name or ARN, or any other resource's ARN.
    pub secret: Option<String>,
    /// An ARN, the last part of one, the name of a user or role, or an access key's id.
    pub principal: Option<String>,
    /// The name of an event.
    pub event: Option<String>,
    /// Not before this moment, as `2026-11-23T20:00:00Z`.
    pub from: Option<String>,
    /// Before this moment.
    pub to: Option<String>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// The request's id.
    pub request_id: Option<String>,
}

/// A record, read.
#[derive(Clone, Debug)]
pub struct Shown(Value);

/// Error codes that say that somebody may not, or is not known.
const DENIALS: &[&str] = &[
    "AccessDenied",
    "Unauthorized",
    "UnrecognizedClient",
    "InvalidClientTokenId",
    "ExpiredToken",
    "MissingAuthenticationToken",
    "IncompleteSignature",
    "InvalidSignature",
    "SignatureDoesNotMatch",
    "RequestExpired",
    "NotAuthorized",
];

impl Shown {
    /// Reads a line; none when it is none of a call or a service's deed.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(line).ok()?;
        value.get("eventName").is_some().then_some(Self(value))
    }

    /// A field by its path, as `/userIdentity/arn`; empty when it is not there.
    #[must_use]
    pub fn text(&self, path: &str) -> &str {
        self.0.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// The whole record.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.0
    }

    /// What came of it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.text("/errorCode") {
            "" => Outcome::Ok,
            code if DENIALS.iter().any(|denial| code.starts_with(denial)) => Outcome::Denied,
            _ => Outcome::Error,
        }
    }

    /// Who called.
    #[must_use]
    pub fn principal(&self) -> &str {
        let paths = ["/userIdentity/arn", "/userIdentity/accessKeyId", "/userIdentity/invokedBy"];
        paths.iter().map(|path| self.text(path)).find(|text| !text.is_empty()).unwrap_or("-")
    }

    /// The ARNs of what it was about.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        let listed = self.0.get("resources").and_then(Value::as_array);
        listed.into_iter().flatten().filter_map(|each| each.get("ARN")?.as_str())
    }

    /// What it was about, for people: the first resource, else what the request named.
    #[must_use]
    pub fn about(&self) -> &str {
        let named = ["secretId", "name", "keyId", "functionName", "userName", "roleName", "roleArn"];
        let asked = || named.iter().map(|name| self.text(&format!("/requestParameters/{name}")));
        self.resources().next().or_else(|| asked().find(|text| !text.is_empty())).unwrap_or("-")
    }

    /// Whether it is wanted.
    #[must_use]
    pub fn is_in(&self, filter: &Filter) -> bool {
        let is = |wanted: &Option<String>, holds: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(holds);
        let time = self.text("/eventTime");
        is(&filter.request_id, &|id| self.text("/requestID") == id)
            && is(&filter.event, &|name| self.is_event(name))
            && is(&filter.from, &|from| time >= from)
            && is(&filter.to, &|to| time < to)
            && is(&filter.principal, &|name| self.is_by(name))
            && is(&filter.secret, &|name| self.is_about(name))
            && filter.outcome.is_none_or(|outcome| outcome == self.outcome())
    }

    fn is_event(&self, wanted: &str) -> bool {
        let name = self.text("/eventName");
        let plain = name.trim_end_matches("v2").trim_end_matches(|c: char| c.is_ascii_digit());
        name.eq_ignore_ascii_case(wanted) || plain.eq_ignore_ascii_case(wanted)
    }

    fn is_by(&self, wanted: &str) -> bool {
        let issuer = "/userIdentity/sessionContext/sessionIssuer";
        let names = ["arn", "accessKeyId", "principalId", "userName", "invokedBy"];
        let own = names.iter().map(|name| self.text(&format!("/userIdentity/{name}")));
        let role = ["arn", "userName"].map(|name| self.text(&format!("{issuer}/{name}")));
        let is = |name: &str| {
            name == wanted || name.strip_suffix(wanted).is_some_and(|rest| rest.ends_with(['/', ':']))
        };
        own.chain(role).any(|name| !name.is_empty() && is(name))
    }

    fn is_about(&self, wanted: &str) -> bool {
        let asked = ["secretId", "name", "arn", "keyId", "functionName"];
        let asked = asked.iter().map(|name| self.text(&format!("/requestParameters/{name}")));
        self.resources().chain(asked).any(|found| {
            // The name in a secret's ARN has six random characters after it.
            let name = found.split_once(":secret:").and_then(|(_, name)| {
                name.split_at_checked(name.len().checked_sub(7)?).map(|(name, _)| name)
            });
            !found.is_empty() && (found == wanted || name == Some(wanted))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_what_they_say() {
        let line = br#"{"eventTime":"2026-11-23T20:00:05Z","eventName":"GetSecretValue","requestID":"r1",
            "userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::0:assumed-role/app/s1","accessKeyId":"ASIA1",
            "sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::0:role/app","userName":"app"}}},
            "requestParameters":{"secretId":"db/one"},"errorCode":"AccessDenied",
            "resources":[{"ARN":"arn:aws:secretsmanager:us-east-1:0:secret:db/one-AbCdEf"}]}"#;
        let shown = Shown::read(line).unwrap();
        let wanted = |filter: Filter| shown.is_in(&filter);
        let some = |text: &str| Some(text.to_owned());
        assert!(wanted(Filter::default()));
        for name in ["db/one", "arn:aws:secretsmanager:us-east-1:0:secret:db/one-AbCdEf"] {
            assert!(wanted(Filter { secret: some(name), ..Filter::default() }), "{name}");
        }
        assert!(!wanted(Filter { secret: some("db/on"), ..Filter::default() }));
        for name in ["app", "s1", "ASIA1", "arn:aws:iam::0:role/app", "role/app"] {
            assert!(wanted(Filter { principal: some(name), ..Filter::default() }), "{name}");
        }
        assert!(!wanted(Filter { principal: some("pp"), ..Filter::default() }));
        assert!(wanted(Filter { outcome: Some(Outcome::Denied), ..Filter::default() }));
        assert!(!wanted(Filter { outcome: Some(Outcome::Error), ..Filter::default() }));
        assert!(wanted(Filter { from: some("2026-11-23"), to: some("2026-11-24"), ..Filter::default() }));
        assert!(!wanted(Filter { to: some("2026-11-23T20:00:05Z"), ..Filter::default() }));
        assert!(wanted(Filter { event: some("getsecretvalue"), ..Filter::default() }));
        assert!(Shown::read(br#"{"pawlAudit":"checkpoint"}"#).is_none());
    }
}
