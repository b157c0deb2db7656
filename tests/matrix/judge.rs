//! What must hold of a run, whatever went wrong in it.

use std::collections::{BTreeMap, BTreeSet};

use pawl_tests::postgres::Login;
use serde_json::{Value, json};

use super::engine::{Engine, Strategy};
use super::host::Caller;
use super::wire::{Event, Stage, What};

/// Refused logins of one account, in a row, that one rotation may cause.
pub(crate) use pawl_core::limits::FAILED_LOGINS_MAX;

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// At some moment no login that the store knows worked, or the current one does not.
    Lockout(String),
    /// More than one password was made.
    SecondPassword(String),
    /// It did not end well by itself.
    Hand(String),
    /// Anything else.
    Other(String),
}

impl Violation {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Lockout(_) => "lockout",
            Self::SecondPassword(_) => "second password",
            Self::Hand(_) => "needed a hand",
            Self::Other(_) => "wrong",
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Lockout(text) | Self::SecondPassword(text) | Self::Hand(text) | Self::Other(text) => text,
        }
    }
}

/// A login of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// What the database was like at a moment at which something had gone wrong, before anybody could mend it.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// When, in words.
    pub(crate) at: String,
    /// Whether the login that was current before the rotation worked.
    pub(crate) old: Login,
    /// What the server kept of the password of each account.
    pub(crate) kept: BTreeMap<String, String>,
}

impl Sample {
    pub(crate) fn take(engine: &mut dyn Engine, at: &str, old: &Credentials, accounts: &[String]) -> Self {
        // In this order: where the host is alive the change may come in between, and must then be seen.
        let old = engine.login(&old.user, &old.password);
        let kept = accounts.iter().filter_map(|user| Some((user.clone(), engine.kept(user)?))).collect();
        Self { at: at.to_owned(), old, kept }
    }
}

/// What a run is held against.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) strategy: Strategy,
    pub(crate) secret: String,
    /// The account that the secret began with.
    pub(crate) account: String,
    pub(crate) token: String,
    /// The versions that were there before the rotation.
    pub(crate) before: BTreeSet<String>,
    /// The login that was current before.
    pub(crate) old: Credentials,
    /// What that login could do.
    pub(crate) abilities: String,
}

/// Judges a run that has ended.
pub(crate) struct Judge<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) engine: &'a mut dyn Engine,
    pub(crate) caller: &'a Caller,
    pub(crate) violations: Vec<Violation>,
}

impl Judge<'_> {
    fn lockout(&mut self, text: impl Into<String>) {
        self.violations.push(Violation::Lockout(text.into()));
    }

    fn wrong(&mut self, text: impl Into<String>) {
        self.violations.push(Violation::Other(text.into()));
    }

    /// The value that a label is on, and the id of its version.
    fn version(&mut self, label: &str) -> Option<(String, Credentials)> {
        let body = json!({"SecretId": self.subject.secret, "VersionStage": label});
        let answer = self.caller.call("GetSecretValue", &body).ok()?;
        let json = answer.json();
        let value: Value = serde_json::from_str(json["SecretString"].as_str()?).ok()?;
        let text = |field: &str| value[field].as_str().map(str::to_owned);
        let credentials = Credentials { user: text("username")?, password: text("password")? };
        Some((json["VersionId"].as_str()?.to_owned(), credentials))
    }

    fn versions(&mut self) -> BTreeSet<String> {
        let body = json!({"SecretId": self.subject.secret, "IncludeDeprecated": true});
        let listed =
            self.caller.call("ListSecretVersionIds", &body).map(|answer| answer.json()).unwrap_or_default();
        let ids = listed["Versions"].as_array().into_iter().flatten();
        ids.filter_map(|version| version["VersionId"].as_str().map(str::to_owned)).collect()
    }

    /// A rotation that has not ended well: who can still log in?
    pub(crate) fn stuck(&mut self, why: String) {
        self.violations.push(Violation::Hand(why));
        let mut tried = Vec::new();
        for label in ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"] {
            if let Some((_, known)) = self.version(label) {
                let login = self.engine.login(&known.user, &known.password);
                if login == Login::Accepted {
                    return;
                }
                tried.push(format!("{label} ({}): {login:?}", known.user));
            }
        }
        self.lockout(format!("no login that the store knows works: {}", tried.join(", ")));
    }

    /// A rotation that has ended well: what it has left behind, and what it did on the way.
    pub(crate) fn ended(&mut self, samples: &[Sample], events: &[Event]) {
        let subject = self.subject;
        let Some((current, new)) = self.version("AWSCURRENT") else {
            return self.lockout("there is no AWSCURRENT");
        };
        if current != subject.token {
            self.violations.push(Violation::Hand(format!("AWSCURRENT is {current}, not {}", subject.token)));
        }
        match self.engine.login(&new.user, &new.password) {
            Login::Accepted => {}
            other => self.lockout(format!("AWSCURRENT does not log in as {}: {other:?}", new.user)),
        }
        match self.version("AWSPREVIOUS") {
            Some((_, previous)) if previous == subject.old => {}
            other => self.wrong(format!("AWSPREVIOUS is not what was current before: {}", other.is_some())),
        }
        let versions = self.versions();
        let made: Vec<&String> = versions.difference(&subject.before).collect();
        if made != [&subject.token] || !subject.before.is_subset(&versions) {
            let text = format!("versions {versions:?} after {:?} and {}", subject.before, subject.token);
            self.violations.push(Violation::SecondPassword(text));
        }
        self.passwords(&new, samples, events);
        self.strategy(&new);
        self.manners(&new, events);
    }

    /// One rotation makes one password, and at each sample the database had the old one or that.
    fn passwords(&mut self, new: &Credentials, samples: &[Sample], events: &[Event]) {
        let mut seen = BTreeMap::new();
        for event in events {
            if let Some((Stage::Asked, sql)) = event.what.statement()
                && let Some(given) = self.engine.in_statement(sql)
            {
                let is_new = self.engine.is_of(&given, &new.password);
                seen.insert(given, is_new);
            }
        }
        if seen.is_empty() {
            self.wrong("the database was given no password");
        }
        if seen.values().any(|is_new| !is_new) {
            let text = "the database was given a password that is not the one in AWSCURRENT";
            self.violations.push(Violation::SecondPassword(text.to_owned()));
        }
        for sample in samples {
            let old = &self.subject.old;
            let kept = sample.kept.get(&old.user);
            let works = match self.subject.strategy {
                // Nobody may touch the account that is in use.
                Strategy::Alternating => sample.old == Login::Accepted,
                Strategy::Single => {
                    let is_new = kept.is_some_and(|kept| {
                        seen.get(kept).copied().unwrap_or_else(|| self.engine.is_of(kept, &new.password))
                    });
                    sample.old == Login::Accepted || is_new
                }
            };
            if !works {
                let text =
                    format!("{}: the old login is {:?}, and the new is not set", sample.at, sample.old);
                self.lockout(text);
            }
        }
    }

    /// What each strategy promises of the other login.
    fn strategy(&mut self, new: &Credentials) {
        let Subject { strategy, old, account, abilities, .. } = self.subject;
        match (strategy, self.engine.login(&old.user, &old.password)) {
            (Strategy::Single, Login::Refused) | (Strategy::Alternating, Login::Accepted) => {}
            (_, login) => self.wrong(format!("the old login of {} is {login:?}", old.user)),
        }
        if *strategy == Strategy::Alternating {
            if old.user == new.user {
                self.wrong(format!("both logins are {}'s", new.user));
            }
            let after = self.engine.abilities(&new.user, &new.password, account);
            if after != *abilities {
                self.wrong(format!("{} can do {after}; {} could do {abilities}", new.user, old.user));
            }
        }
    }

    /// What the database was shown and bothered with.
    fn manners(&mut self, new: &Credentials, events: &[Event]) {
        // What locks an account is refusals in a row.
        let mut refused: BTreeMap<&str, u32> = BTreeMap::new();
        let mut worst = 0;
        for event in events {
            match &event.what {
                What::Refused => {
                    let row = refused.entry(&event.account).or_default();
                    *row += 1;
                    worst = worst.max(*row);
                }
                What::LoggedIn => {
                    refused.remove(event.account.as_str());
                }
                What::Asked(sql)
                    if sql.contains(&new.password) || sql.contains(&self.subject.old.password) =>
                {
                    self.wrong("a statement holds a password");
                }
                _ => {}
            }
        }
        if worst > FAILED_LOGINS_MAX {
            self.wrong(format!("{worst} logins in a row were refused, {FAILED_LOGINS_MAX} are allowed"));
        }
    }
}
