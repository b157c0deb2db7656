//! One user made like another.

use std::collections::BTreeSet;

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use zeroize::Zeroizing;

use super::credential::Credential;
use super::dialect::Dialect;
use super::refusal::{self, failure};
use super::rights::{Difference, Pair};
use super::spelling::{Identity, Text};
use super::state::{self, User};
use super::statement::{Change, Statement};
use super::terms::Clause;
use super::{Refusal, Talk, hosts};
use crate::database::{LastWord, StatementFailure};

/// Creates or repairs the user `account`, so that it can do exactly what `like` can and from the same hosts, and gives it the
/// password.
pub(in super::super) async fn mirror(
    talk: &dyn Talk,
    like: &str,
    account: &str,
    password: &SecretBytes,
    last_word: LastWord<'_>,
) -> Result<(), StatementFailure> {
    let names = Names::open(talk, like, account).await?;
    let (like, own) = names.read().await?;
    let found = names.compare(&own, &like);
    if !found.in_the_way.is_empty() {
        return Err(StatementFailure::Unfit(found.in_the_way.join("; ")));
    }
    // Before anything changes: what cannot be done to the end is not begun.
    let credentials: Vec<_> = like
        .iter()
        .map(|(host, its)| {
            let of = Identity::new(names.account, host);
            Credential::new(&its.terms.plugins, password, names.dialect).map(|credential| (of, credential))
        })
        .collect::<Result<_, _>>()?;
    for (of, credential) in credentials.iter().filter(|(of, _)| !own.contains_key(&of.host)) {
        let statement = Zeroizing::new(format!("CREATE USER {of} {} ACCOUNT LOCK", credential.text()));
        talk.execute(&statement).await.map_err(|refusal| failure(refusal, "CREATE USER"))?;
    }
    let (like, own) = names.reconcile().await?;
    names.set_passwords(&credentials, (&like, &own), last_word).await
}

/// What `account` can or cannot do otherwise than `like`, in short sentences.
pub(in super::super) async fn differences(
    talk: &dyn Talk,
    like: &str,
    account: &str,
) -> Result<Vec<String>, StatementFailure> {
    let names = Names::open(talk, like, account).await?;
    let (like, own) = names.read().await?;
    let found = names.compare(&own, &like);
    let words = found.differences.into_iter().map(|difference| difference.words);
    Ok(found.in_the_way.into_iter().chain(found.missing).chain(words).chain(found.with_password).collect())
}

/// How two users differ.
#[derive(Default)]
struct Found {
    /// Accounts that could not be put right by a change of them.
    in_the_way: Vec<String>,
    /// Accounts that are not there.
    missing: Vec<String>,
    /// What statements can put right before the password is set.
    differences: Vec<Difference>,
    /// What is put right together with the password.
    with_password: Vec<String>,
}

struct Names<'a> {
    talk: &'a dyn Talk,
    dialect: Dialect,
    known: BTreeSet<String>,
    like: &'a str,
    account: &'a str,
}

impl<'a> Names<'a> {
    async fn open(talk: &'a dyn Talk, like: &'a str, account: &'a str) -> Result<Self, StatementFailure> {
        let unfit = |text: &str| StatementFailure::Unfit(text.to_owned());
        if like == account {
            return Err(unfit("a user cannot be made like itself"));
        }
        for name in [like, account] {
            if name.is_empty() || name.contains('\0') {
                return Err(unfit("an empty user name, or one with a NUL character, cannot be mirrored"));
            }
        }
        let dialect = state::dialect(talk).await?;
        let most = dialect.user_chars_max();
        if account.chars().count() > most {
            return Err(StatementFailure::Unfit(format!(
                "the user name `{account}` is longer than the {most} characters that the server takes"
            )));
        }
        sql_mode(talk, dialect.sql_mode()).await?;
        // Without it, names are not quoted in what the server shows.
        let quoted = talk.execute("SET SESSION sql_quote_show_create = 1").await;
        quoted.map_err(|refusal| failure(refusal, "no more than to be logged in"))?;
        let known = state::known_privileges(talk, dialect).await?;
        Ok(Self { talk, dialect, known, like, account })
    }

    async fn read(&self) -> Result<(User, User), StatementFailure> {
        let like = state::user(self.talk, self.like, self.dialect).await?;
        if like.is_empty() {
            return Err(StatementFailure::Unfit(format!("there is no user `{}`", self.like)));
        }
        let own = state::user(self.talk, self.account, self.dialect).await?;
        Ok((like, own))
    }

    fn compare(&self, own: &User, like: &User) -> Found {
        let mut found = Found::default();
        for (host, its) in like {
            let (like, of) = (Identity::new(self.like, host), Identity::new(self.account, host));
            let Some(has) = own.get(host) else {
                found.missing.push(format!("there is no {of}"));
                continue;
            };
            let pair = Pair { like: &like, of: &of, dialect: self.dialect, known: &self.known };
            found.differences.extend(pair.differences(&has.rights, &its.rights));
            let clauses = has.terms.changes(&its.terms);
            if !clauses.is_empty() {
                let words = format!("{of} has not the conditions of {like}:{}", Clause::listed(&clauses));
                found.differences.push(one(words, &of, Change::Terms(clauses)));
            }
            if has.terms.has_old_password {
                let words = format!("{of} takes an older password besides its own");
                found.differences.push(one(words, &of, Change::DiscardOldPassword));
            }
            if its.terms.locked && !has.terms.locked {
                found.differences.push(one(format!("{of} is not locked, and {like} is"), &of, Change::Lock));
            }
            if has.terms.locked && !its.terms.locked {
                found.with_password.push(format!("{of} is locked, and {like} is not"));
            }
            if has.terms.plugins != its.terms.plugins {
                let (has, its) = (has.terms.plugins.join(" or "), its.terms.plugins.join(" or "));
                found.with_password.push(format!("{of} logs in by {has}, and {like} by {its}"));
            }
        }
        for (host, has) in own.iter().filter(|(host, _)| !like.contains_key(*host)) {
            let of = Identity::new(self.account, host);
            if like.keys().any(|other| hosts::may_shadow(host, other)) {
                found.in_the_way.push(format!(
                    "{of} stands in the way: the user `{}` has no account for that host, and the server could pick it in the place of another; \
                     drop it, or give `{}` one",
                    self.like, self.like
                ));
            } else if !has.terms.locked {
                let words =
                    format!("{of} may log in from a host that the user `{}` has no account for", self.like);
                found.differences.push(one(words, &of, Change::Lock));
            }
        }
        found
    }

    /// Sends statements until both users read the same, but for what goes with the password.
    async fn reconcile(&self) -> Result<(User, User), StatementFailure> {
        for _ in 0..limits::ACCOUNT_ROUNDS_MAX {
            let (like, own) = self.read().await?;
            let found = self.compare(&own, &like);
            if found.differences.is_empty() && found.missing.is_empty() && found.in_the_way.is_empty() {
                return Ok((like, own));
            }
            for statement in found.differences.iter().flat_map(|difference| &difference.cure) {
                self.send(statement).await?;
            }
        }
        let (like, own) = self.read().await?;
        let found = self.compare(&own, &like);
        let words: Vec<_> = found
            .differences
            .into_iter()
            .map(|it| it.words)
            .chain(found.missing)
            .chain(found.in_the_way)
            .collect();
        match words.first() {
            None => Ok((like, own)),
            Some(first) => Err(StatementFailure::Unfit(format!(
                "the server took every statement, and {} differences remain: {first}",
                words.len()
            ))),
        }
    }

    async fn send(&self, statement: &Statement) -> Result<(), StatementFailure> {
        let text = statement.render(self.dialect);
        let oracle = statement.is_of_oracle_mode();
        if oracle {
            sql_mode(self.talk, "ORACLE,NO_AUTO_CREATE_USER").await?;
        }
        let sent = self.talk.execute(&text).await;
        if oracle {
            sql_mode(self.talk, self.dialect.sql_mode()).await?;
        }
        let refusal = match sent {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        match refusal {
            // What is left of it is seen when it is read again.
            Refusal::Code(code) if statement.takes_away() && refusal::is_gone_already(code) => Ok(()),
            Refusal::Code(refusal::NO_SUCH_TABLE) if let Some(statement) = on_absent_table(statement) => {
                let sent = self.talk.execute(&statement.render(self.dialect)).await;
                sent.map_err(|refusal| failure(refusal, &statement.needs(self.dialect)))
            }
            refusal => Err(failure(refusal, &statement.needs(self.dialect))),
        }
    }

    /// Sets the password of every account that is to be used in one statement, and unlocks them. Accounts that stay locked come
    /// first, in one of their own: a statement unlocks all of its accounts or none.
    async fn set_passwords(
        &self,
        credentials: &[(Identity, Credential)],
        (like, own): (&User, &User),
        last_word: LastWord<'_>,
    ) -> Result<(), StatementFailure> {
        let locked = |user: &User, of: &Identity| user.get(&of.host).is_some_and(|it| it.terms.locked);
        let (closed, open): (Vec<_>, Vec<_>) = credentials.iter().partition(|(of, _)| locked(like, of));
        if open.is_empty() {
            return self.talk.finally(&identified(&closed), last_word).await;
        }
        if !closed.is_empty() {
            let sent = self.talk.execute(&identified(&closed)).await;
            sent.map_err(|refusal| failure(refusal, "CREATE USER"))?;
        }
        let mut statement = identified(&open);
        if open.iter().any(|(of, _)| locked(own, of)) {
            statement.push_str(" ACCOUNT UNLOCK");
        }
        self.talk.finally(&statement, last_word).await.map_err(|failure| match failure {
            StatementFailure::Rejected(why) => {
                StatementFailure::Rejected(format!("{why}; other users' passwords need CREATE USER"))
            }
            other => other,
        })
    }
}

/// What gives these accounts their passwords.
fn identified(accounts: &[&(Identity, Credential)]) -> Zeroizing<String> {
    let mut statement = Zeroizing::new(String::new());
    for (of, credential) in accounts {
        let before = if statement.is_empty() { "ALTER USER " } else { ", " };
        statement.push_str(before);
        statement.push_str(&format!("{of} {}", credential.text()));
    }
    statement
}

fn one(words: String, of: &Identity, change: Change) -> Difference {
    Difference { words, cure: vec![Statement { of: of.clone(), change }] }
}

/// A right on a table that is not there can be given together with CREATE only. When both are read again, CREATE is too much, and
/// goes. Rights on columns cannot be given at all.
fn on_absent_table(statement: &Statement) -> Option<Statement> {
    use super::grant::{Privilege, Scope};
    let create = Privilege { name: "CREATE".to_owned(), column: None };
    let Change::Grant(scope, privileges, option) = &statement.change else { return None };
    if !matches!(scope, Scope::Table(..)) || privileges.iter().any(|it| it.column.is_some()) {
        return None;
    }
    let privileges = privileges.iter().cloned().chain([create]).collect();
    Some(Statement { of: statement.of.clone(), change: Change::Grant(scope.clone(), privileges, *option) })
}

async fn sql_mode(talk: &dyn Talk, mode: &str) -> Result<(), StatementFailure> {
    let statement = format!("SET SESSION sql_mode = {}", Text(mode));
    talk.execute(&statement).await.map_err(|refusal| failure(refusal, "no more than to be logged in"))
}

#[cfg(test)]
mod tests;
