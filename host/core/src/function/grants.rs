//! What a function may reach: nothing that the operator did not name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{HttpGrant, TcpGrant};

/// A kind of database server that the host can log in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL and what speaks its protocol; `engine` is `postgres` or `aurora-postgresql` in a secret.
    Postgres,
    /// MySQL; `engine` is `mysql` or `aurora-mysql` in a secret.
    Mysql,
    /// MariaDB; `engine` is `mariadb` in a secret.
    Mariadb,
}

/// A place on the network that a function may reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target {
    /// A host name, or `*.` and a domain, or an address. Lower case.
    host: String,
    /// A port; none for any.
    port: Option<u16>,
}

impl Target {
    /// Its port; none for any.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether this target covers `host` and `port`.
    #[must_use]
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let host_matches = match self.host.strip_prefix("*.") {
            Some(domain) => host
                .strip_suffix(domain)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|sub| !sub.is_empty()),
            None => self.host == host,
        };
        host_matches && self.port.is_none_or(|p| p == port)
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a target, HOST:PORT or HOST:*");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let domain = host.strip_prefix("*.").unwrap_or(&host);
        if domain.is_empty() || domain.contains('*') {
            return Err(wrong());
        }
        let port = if port == "*" { None } else { Some(port.parse().map_err(|_| wrong())?) };
        Ok(Self { host, port })
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        match target.port {
            Some(port) => format!("{}:{port}", target.host),
            None => format!("{}:*", target.host),
        }
    }
}

/// Secrets that a function may log in with, beside the one that it rotates: a name, or an ARN, with `*` for any characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretPattern(String);

impl SecretPattern {
    /// Whether it covers the secret of this name and ARN.
    #[must_use]
    pub fn covers(&self, name: &str, arn: &str) -> bool {
        wildcard(&self.0, name) || wildcard(&self.0, arn)
    }
}

/// Whether `text` is `pattern`, where each `*` stands for any characters.
fn wildcard(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let tail = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some((_, after)) = text.split_once(piece) else { return false };
        text = after;
    }
    text.ends_with(tail)
}

impl TryFrom<String> for SecretPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.chars().all(|c| c == '*') {
            return Err(format!(
                "`{text}` covers no secret or every one: name the secrets, such as `db/master-*`"
            ));
        }
        Ok(Self(text))
    }
}

impl From<SecretPattern> for String {
    fn from(pattern: SecretPattern) -> Self {
        pattern.0
    }
}

/// What a version of a function may reach. Nothing that is not named here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Grants {
    /// Database engines it may log in to.
    pub engines: BTreeSet<Engine>,
    /// Whether it may reach the host and port that the secret itself names.
    pub own_target: bool,
    /// Other places on the network that it may reach.
    pub targets: BTreeSet<Target>,
    /// Other secrets that it may log in with: the `masterarn` of a secret with alternating users.
    pub secrets: BTreeSet<SecretPattern>,
    /// The fields in which a pending version may differ from its base.
    pub pending_fields: BTreeSet<String>,
    /// Requests that it may have the host make.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub http: BTreeSet<HttpGrant>,
    /// Servers with which it may have the host speak as it likes.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tcp: BTreeSet<TcpGrant>,
    /// Whether it may read the sensitive values of the secret that it rotates.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reveal: bool,
    /// Whether it may run statements of its own in its database sessions.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub statements: bool,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            engines: BTreeSet::new(),
            own_target: false,
            targets: BTreeSet::new(),
            secrets: BTreeSet::new(),
            pending_fields: ["username", "password"].into_iter().map(str::to_owned).collect(),
            http: BTreeSet::new(),
            tcp: BTreeSet::new(),
            reveal: false,
            statements: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_target_covers_what_it_names_and_nothing_else() {
        assert!(target("db.internal:5432").covers("DB.internal", 5432));
        assert!(!target("db.internal:5432").covers("db.internal", 5433));
        assert!(target("db.internal:*").covers("db.internal", 1));
        assert!(target("*.internal:5432").covers("a.b.internal", 5432));
        assert!(!target("*.internal:5432").covers("internal", 5432));
        assert!(!target("*.internal:5432").covers("evilinternal", 5432));
        assert!(target("[::1]:5432").covers("::1", 5432));
        for bad in ["", "db", "*:5432", "a.*.b:1", "db:x", "db:99999"] {
            assert!(Target::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_pattern_covers_a_name_or_an_arn() {
        let pattern = |text: &str| SecretPattern::try_from(text.to_owned()).unwrap();
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db/master-AbCdEf";
        assert!(pattern("db/master").covers("db/master", arn));
        assert!(pattern("db/*").covers("db/master", arn) && pattern("d*m*r").covers("db/master", arn));
        assert!(pattern(arn).covers("x", arn) && !pattern("arn:*:db/other-*").covers("x", arn));
        assert!(pattern("a*a").covers("aa", "") && !pattern("a*a").covers("a", ""));
        assert!(
            !pattern("db/master").covers("db/master2", "") && !pattern("*/admin").covers("db/master", arn)
        );
        for bad in ["", "*", "**"] {
            assert!(SecretPattern::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn grants_deny_by_default_and_refuse_what_they_do_not_know() {
        let none: Grants = serde_json::from_str("{}").unwrap();
        assert!(
            none.engines.is_empty() && !none.own_target && none.targets.is_empty() && none.http.is_empty()
        );
        assert!(!none.reveal && !none.statements && none.tcp.is_empty());
        assert!(serde_json::from_str::<Grants>(r#"{"everything": true}"#).is_err());
    }
}
