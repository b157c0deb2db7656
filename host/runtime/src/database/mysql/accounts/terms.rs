//! The conditions of an account's logins: everything about it but its rights and its password.

use std::fmt;

use super::spelling::Text;

/// The conditions of one account.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Terms {
    /// The plugins that may let a login in, in order. More than one only in MariaDB.
    pub(super) plugins: Vec<String>,
    /// What it asks of the connection.
    pub(super) tls: Tls,
    /// What a user may spend.
    pub(super) limits: Limits,
    /// Whether nobody logs in.
    pub(super) locked: bool,
    /// How long a password is good.
    pub(super) expiry: Expiry,
    /// What MySQL 8 has besides.
    pub(super) policy: Policy,
    /// Whether MySQL takes a second, older password.
    pub(super) has_old_password: bool,
}

/// What an account asks of its connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Tls {
    #[default]
    None,
    Any,
    X509,
    Specified {
        cipher: String,
        issuer: String,
        subject: String,
    },
}

/// What a user may spend; 0 is the server's own limit or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Limits {
    pub(super) queries: u32,
    pub(super) updates: u32,
    pub(super) connections: u32,
    /// At once. MariaDB has negative ones.
    pub(super) user_connections: i32,
    /// Seconds (MariaDB).
    pub(super) statement_seconds: f64,
}

/// How long a password is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expiry {
    /// As long as the server's setting says.
    #[default]
    Default,
    Never,
    Days(u32),
}

/// MySQL 8's rules for passwords; none is the server's setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Policy {
    /// Passwords that may not come back.
    pub(super) history: Option<u32>,
    /// Days in which they may not.
    pub(super) reuse_days: Option<u32>,
    /// Whether the old one must be given for a change.
    pub(super) require_current: Option<bool>,
    /// Failed logins until the account is locked for a time; 0 is never.
    pub(super) failed_logins: u32,
    /// Days for which it is locked; -1 is until somebody unlocks it.
    pub(super) lock_days: i32,
}

/// One condition, as ALTER USER has it. In the order in which a statement must have them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Clause {
    Require(Tls),
    Limit(&'static str, f64),
    Expiry(Expiry),
    History(Option<u32>),
    ReuseDays(Option<u32>),
    RequireCurrent(Option<bool>),
    /// Failed logins and days: MySQL wants both at once.
    Lockout(u32, i32),
}

impl Terms {
    /// What must be said to an account of these terms for it to have `like`'s. Locks and plugins are not among it: they go with the
    /// password.
    pub(super) fn changes(&self, like: &Self) -> Vec<Clause> {
        let mut clauses = Vec::new();
        if self.tls != like.tls {
            clauses.push(Clause::Require(like.tls.clone()));
        }
        let limits = self.limits.named().into_iter().zip(like.limits.named());
        clauses
            .extend(limits.filter(|(own, its)| own != its).map(|(_, (word, its))| Clause::Limit(word, its)));
        if self.expiry != like.expiry {
            clauses.push(Clause::Expiry(like.expiry));
        }
        let (own, its) = (self.policy, like.policy);
        if own.history != its.history {
            clauses.push(Clause::History(its.history));
        }
        if own.reuse_days != its.reuse_days {
            clauses.push(Clause::ReuseDays(its.reuse_days));
        }
        if own.require_current != its.require_current {
            clauses.push(Clause::RequireCurrent(its.require_current));
        }
        if (own.failed_logins, own.lock_days) != (its.failed_logins, its.lock_days) {
            clauses.push(Clause::Lockout(its.failed_logins, its.lock_days));
        }
        clauses
    }
}

impl Limits {
    fn named(&self) -> [(&'static str, f64); 5] {
        [
            ("MAX_QUERIES_PER_HOUR", self.queries.into()),
            ("MAX_UPDATES_PER_HOUR", self.updates.into()),
            ("MAX_CONNECTIONS_PER_HOUR", self.connections.into()),
            ("MAX_USER_CONNECTIONS", self.user_connections.into()),
            ("MAX_STATEMENT_TIME", self.statement_seconds),
        ]
    }
}

impl Clause {
    /// All of them, with a space before each.
    pub(super) fn listed(clauses: &[Self]) -> String {
        let mut text = String::new();
        let mut with = " WITH";
        for clause in clauses {
            if matches!(clause, Self::Limit(..)) {
                text.push_str(std::mem::take(&mut with));
            }
            text.push_str(&format!(" {clause}"));
        }
        text
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_default =
            |f: &mut fmt::Formatter<'_>, word: &str, number: Option<u32>, unit: &str| match number {
                None => write!(f, "{word} DEFAULT"),
                Some(number) => write!(f, "{word} {number}{unit}"),
            };
        match self {
            Self::Require(tls) => write!(f, "REQUIRE {tls}"),
            Self::Limit(word, number) => write!(f, "{word} {number}"),
            Self::Expiry(Expiry::Default) => f.write_str("PASSWORD EXPIRE DEFAULT"),
            Self::Expiry(Expiry::Never) => f.write_str("PASSWORD EXPIRE NEVER"),
            Self::Expiry(Expiry::Days(days)) => write!(f, "PASSWORD EXPIRE INTERVAL {days} DAY"),
            Self::History(count) => or_default(f, "PASSWORD HISTORY", *count, ""),
            Self::ReuseDays(days) => or_default(f, "PASSWORD REUSE INTERVAL", *days, " DAY"),
            Self::RequireCurrent(None) => f.write_str("PASSWORD REQUIRE CURRENT DEFAULT"),
            Self::RequireCurrent(Some(true)) => f.write_str("PASSWORD REQUIRE CURRENT"),
            Self::RequireCurrent(Some(false)) => f.write_str("PASSWORD REQUIRE CURRENT OPTIONAL"),
            Self::Lockout(failed, -1) => {
                write!(f, "FAILED_LOGIN_ATTEMPTS {failed} PASSWORD_LOCK_TIME UNBOUNDED")
            }
            Self::Lockout(failed, days) => {
                write!(f, "FAILED_LOGIN_ATTEMPTS {failed} PASSWORD_LOCK_TIME {days}")
            }
        }
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Specified { cipher, issuer, subject } = self else {
            return f.write_str(match self {
                Self::Any => "SSL",
                Self::X509 => "X509",
                _ => "NONE",
            });
        };
        let parts = [("CIPHER", cipher), ("ISSUER", issuer), ("SUBJECT", subject)];
        let parts = parts.iter().filter(|(_, text)| !text.is_empty());
        let parts: Vec<_> = parts.map(|(word, text)| format!("{word} {}", Text(text))).collect();
        f.write_str(&parts.join(" AND "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_said_and_in_the_order_of_the_grammar() {
        let like = Terms {
            tls: Tls::Specified {
                cipher: String::new(),
                issuer: "a'b\\".to_owned(),
                subject: "/CN=x".to_owned(),
            },
            limits: Limits { queries: 5, statement_seconds: 1.5, user_connections: -1, ..Limits::default() },
            expiry: Expiry::Days(30),
            policy: Policy {
                history: Some(3),
                require_current: Some(false),
                failed_logins: 4,
                lock_days: -1,
                reuse_days: None,
            },
            locked: true,
            ..Terms::default()
        };
        assert_eq!(
            Clause::listed(&Terms::default().changes(&like)),
            " REQUIRE ISSUER 'a''b\\\\' AND SUBJECT '/CN=x' WITH MAX_QUERIES_PER_HOUR 5 MAX_USER_CONNECTIONS -1 MAX_STATEMENT_TIME 1.5 \
             PASSWORD EXPIRE INTERVAL 30 DAY PASSWORD HISTORY 3 PASSWORD REQUIRE CURRENT OPTIONAL \
             FAILED_LOGIN_ATTEMPTS 4 PASSWORD_LOCK_TIME UNBOUNDED"
        );
        assert_eq!(
            Clause::listed(&like.changes(&Terms::default())),
            " REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 0 MAX_USER_CONNECTIONS 0 MAX_STATEMENT_TIME 0 PASSWORD EXPIRE DEFAULT \
             PASSWORD HISTORY DEFAULT PASSWORD REQUIRE CURRENT DEFAULT FAILED_LOGIN_ATTEMPTS 0 PASSWORD_LOCK_TIME 0"
        );
        assert!(like.changes(&Terms { locked: false, ..like.clone() }).is_empty());
        assert_eq!(Clause::listed(&[]), "");
    }
}
