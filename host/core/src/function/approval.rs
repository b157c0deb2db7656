//! What an operator allows a function to ask for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{FunctionName, Grants, SecretPattern, Target};
use crate::names::Region;
use crate::world::Timestamp;

/// The grants up to which the code of a function may go, whether or not the function exists yet. They are of the name and not of
/// one code: a new version that asks for the same or for less needs no new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Where.
    pub region: Region,
    /// Whose.
    pub name: FunctionName,
    /// Up to what.
    pub grants: Grants,
    /// When it was given.
    pub approved_at: Timestamp,
    /// Who gave it: the ARN of an identity.
    pub approved_by: String,
}

impl Grants {
    /// What these grants ask for beyond `approved`, each in words; nothing when they stay within.
    #[must_use]
    pub fn beyond(&self, approved: &Self) -> Vec<String> {
        // Taken apart, so that a grant which is added and not compared here does not compile.
        let Self { engines, own_target, targets, secrets, pending_fields, http, tcp, reveal, statements } =
            self;
        let mut beyond = Vec::new();
        for engine in engines.difference(&approved.engines) {
            beyond.push(format!("engines: log in to {} servers", word(engine)));
        }
        flag(
            &mut beyond,
            *own_target,
            approved.own_target,
            "own-target: reach the host and port that the secret names",
        );
        for target in uncovered(targets, &approved.targets, within_target) {
            beyond.push(format!("targets: reach {}", String::from(target.clone())));
        }
        for pattern in uncovered(secrets, &approved.secrets, within_pattern) {
            beyond.push(format!("secrets: log in with the secrets {}", String::from(pattern.clone())));
        }
        for field in pending_fields.difference(&approved.pending_fields) {
            beyond.push(format!("pending-fields: change the field {field} of the secret"));
        }
        for request in uncovered(http, &approved.http, |asked, approved| approved.contains(asked)) {
            beyond.push(format!("http: {}", request.words()));
        }
        for server in uncovered(tcp, &approved.tcp, |asked, approved| approved.contains(asked)) {
            beyond.push(format!("tcp: {}", server.words()));
        }
        flag(&mut beyond, *reveal, approved.reveal, REVEAL);
        flag(&mut beyond, *statements, approved.statements, STATEMENTS);
        beyond
    }

    /// What either of the two grants.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        // Taken apart, so that a grant which is added and not joined here does not compile.
        let Self { engines, own_target, targets, secrets, pending_fields, http, tcp, reveal, statements } =
            more;
        self.engines.extend(engines);
        self.own_target |= own_target;
        self.targets.extend(targets);
        self.secrets.extend(secrets);
        self.pending_fields.extend(pending_fields);
        self.http.extend(http);
        self.tcp.extend(tcp);
        self.reveal |= reveal;
        self.statements |= statements;
        self
    }
}

const REVEAL: &str = "reveal: READ THE PASSWORD. Whoever wrote this code can then read every sensitive value of each secret that it \
                      rotates, old and new, and send it wherever its other grants reach. Nothing else that Pawl does keeps it from that";
const STATEMENTS: &str = "statements: run any statement in its database sessions, with all the rights of the accounts that it logs in \
                          as. With a master's session (`secrets`) that is whatever the master may: read and change all data, make \
                          accounts, run programs on the server where the database lets it";

fn flag(beyond: &mut Vec<String>, asked: bool, approved: bool, words: &str) {
    if asked && !approved {
        beyond.push(words.to_owned());
    }
}

/// The word by which a manifest names it.
fn word(named: &impl Serialize) -> String {
    match serde_json::to_value(named) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// What is asked and within nothing that is approved.
fn uncovered<'a, T: Ord>(
    asked: &'a BTreeSet<T>,
    approved: &'a BTreeSet<T>,
    within: impl Fn(&T, &T) -> bool + 'a,
) -> impl Iterator<Item = &'a T> {
    asked.iter().filter(move |asked| !approved.iter().any(|approved| within(asked, approved)))
}

/// Whether `asked` reaches no place that `approved` does not.
pub(super) fn within_target(asked: &Target, approved: &Target) -> bool {
    let (asked, approved) = (String::from(asked.clone()), String::from(approved.clone()));
    let (Some((host, port)), Some((to_host, to_port))) = (asked.rsplit_once(':'), approved.rsplit_once(':'))
    else {
        return false;
    };
    let hosts = match to_host.strip_prefix('*') {
        // `*.domain` covers what ends in `.domain`, other patterns of that kind among it.
        Some(domain) => {
            let host = host.strip_prefix('*').unwrap_or(host);
            host.strip_suffix(domain).is_some_and(|sub| !sub.is_empty() || asked.starts_with('*'))
        }
        None => host == to_host,
    };
    hosts && (to_port == "*" || port == to_port)
}

/// Whether `asked` covers no secret that `approved` does not. A star that is asked for is taken for a character, which nothing but
/// a star that is approved covers: so this never says yes wrongly, and may say no of two patterns that only a person sees to
/// be of the same secrets.
fn within_pattern(asked: &SecretPattern, approved: &SecretPattern) -> bool {
    let text = String::from(asked.clone());
    approved.covers(&text, &text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grants(toml: &serde_json::Value) -> Grants {
        serde_json::from_value(toml.clone()).unwrap()
    }

    #[test]
    fn what_is_asked_beyond_the_approval_is_told_in_words() {
        let asked = grants(&serde_json::json!({
            "engines": ["postgres", "mysql"], "own-target": true, "targets": ["db.internal:5432", "evil.example:443"],
            "secrets": ["db/master-1", "other"], "pending-fields": ["password", "token"],
            "http": [
                {"origin": "https://a.example", "methods": ["GET"], "paths": ["/v1/me"], "sensitive": ["header:authorization"]},
                {"origin": "http://a.example", "methods": ["PUT"], "paths": ["/v1/key"], "sensitive": ["body"], "answers": true},
            ],
            "tcp": [
                {"targets": ["cache.internal:6379"]},
                {"targets": ["queue.internal:5671"], "tls": "none", "sensitive": true, "accepts": ["+OK\r\n"], "refuses": ["-NO"]},
            ],
        }));
        let approved = grants(&serde_json::json!({
            "engines": ["postgres"], "targets": ["*.internal:*"], "secrets": ["db/master-*"],
            "http": [{"origin": "https://a.example", "methods": ["GET", "PUT"], "paths": ["/v1/*"], "sensitive": ["header:authorization"]}],
            "tcp": [{"targets": ["*.internal:6379", "*.internal:5671"], "sensitive": true}],
        }));
        assert_eq!(
            asked.beyond(&approved),
            [
                "engines: log in to mysql servers",
                "own-target: reach the host and port that the secret names",
                "targets: reach evil.example:443",
                "secrets: log in with the secrets other",
                "pending-fields: change the field token of the secret",
                "http: PUT http://a.example (WITHOUT TLS) at /v1/key, with sensitive values in body, and read the answers",
                "tcp: say anything to queue.internal:5671 (WITHOUT TLS), SENSITIVE VALUES among it; a new value works when the answer begins \
                 with \"+OK\\r\\n\", and is refused with \"-NO\"",
            ]
        );
        let both = approved.clone().and(asked.clone());
        assert!(asked.beyond(&both).is_empty() && approved.beyond(&both).is_empty());
        assert_eq!(both.beyond(&approved), asked.beyond(&approved));
        assert!(approved.beyond(&approved).is_empty() && asked.beyond(&asked).is_empty());
        assert!(Grants::default().beyond(&Grants::default()).is_empty());
    }

    #[test]
    fn a_target_is_within_what_covers_all_of_it() {
        let within = |asked: &str, approved: &str| {
            within_target(&asked.to_owned().try_into().unwrap(), &approved.to_owned().try_into().unwrap())
        };
        for (asked, approved) in [
            ("db:1", "db:1"),
            ("db:1", "db:*"),
            ("a.internal:1", "*.internal:1"),
            ("*.internal:1", "*.internal:*"),
            ("*.a.internal:1", "*.internal:1"),
            ("[::1]:1", "[::1]:*"),
        ] {
            assert!(within(asked, approved), "{asked} {approved}");
        }
        for (asked, approved) in [
            ("db:*", "db:1"),
            ("db:2", "db:1"),
            ("internal:1", "*.internal:1"),
            ("evilinternal:1", "*.internal:1"),
            ("*.internal:1", "*.a.internal:1"),
            ("*.internal:1", "a.internal:1"),
            ("*.evilinternal:1", "*.internal:1"),
        ] {
            assert!(!within(asked, approved), "{asked} {approved}");
        }
    }

    proptest! {
        #[test]
        fn what_is_within_an_approved_pattern_covers_nothing_else(
            asked in "[ab*]{1,6}", approved in "[ab*]{1,6}", name in "[ab]{0,8}",
        ) {
            let (Ok(asked), Ok(approved)) = (SecretPattern::try_from(asked), SecretPattern::try_from(approved)) else {
                return Ok(());
            };
            if within_pattern(&asked, &approved) && asked.covers(&name, &name) {
                prop_assert!(approved.covers(&name, &name));
            }
        }

        #[test]
        fn what_is_within_an_approved_target_reaches_nowhere_else(
            asked in "(\\*\\.)?[ab](\\.[ab]){0,2}:(\\*|[12])", approved in "(\\*\\.)?[ab](\\.[ab]){0,2}:(\\*|[12])",
            host in "[ab](\\.[ab]){0,4}", port in 1_u16..3,
        ) {
            let (asked, approved) = (Target::try_from(asked).unwrap(), Target::try_from(approved).unwrap());
            if within_target(&asked, &approved) && asked.covers(&host, port) {
                prop_assert!(approved.covers(&host, port));
            }
            prop_assert!(within_target(&asked, &asked));
        }
    }
}
