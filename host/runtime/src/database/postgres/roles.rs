//! Two logins that are one role for an application, for rotations that alternate between them.
//!
//! One of the two *owns*: everything belongs to it, and is granted to it and revoked from it. The other, its alternate, is a member of
//! it and begins each session by running as it (`ALTER ROLE .. SET role`), so it makes no object of its own, and what holds
//! for the owner holds for it without any copying. What a membership does not carry is taken from the owner at each rotation:
//! LOGIN, the attributes, CONNECTION LIMIT, VALID UNTIL, and the settings of all databases. So the owner is the one to change
//! by hand; what is changed on the alternate is put back.
//!
//! What the alternate has of its own (objects and grants from the times of another tool) nobody who runs as the owner can
//! use. It is told and stops the rotation before anything has changed: which of them are to be kept is for a person to say.
//!
//! All of it is one transaction, the password included, and what the catalog says at its end decides whether it is committed.

mod catalog;
mod difference;
mod plan;

use pawl_core::value::SecretBytes;
use serde::de::DeserializeOwned;

use self::catalog::{Found, Own};
use self::difference::cut;
use self::plan::{Pair, Purpose, Refused};
use super::super::{LastWord, StatementFailure};
use super::{PostgresSession, statement};

/// SQLSTATE of what a user may not do.
const DENIED: &str = "42501";

impl From<Refused> for StatementFailure {
    fn from(Refused(why): Refused) -> Self {
        Self::Unfit(why)
    }
}

/// Makes or repairs `account` so that it can do exactly what `like` can, and gives it the password; or changes nothing.
pub(super) async fn mirror(
    session: &PostgresSession,
    like: &str,
    account: &str,
    password: &SecretBytes,
    last_word: LastWord<'_>,
) -> Result<(), StatementFailure> {
    let set_password =
        statement::set_password(account, password).map_err(|unfit| Refused(unfit.to_string()))?;
    session.open_transaction().await?;
    let prepared = async {
        session.execute(&format!("{}; {}", statement::precautions(), catalog::CALM)).await?;
        let pair = found(session, like, account).await?;
        adoptable(session, &pair).await?;
        for step in pair.plan()? {
            session.execute(&step.statement).await.map_err(|failure| told(&pair, &step.purpose, failure))?;
        }
        let set = session.execute(&set_password).await;
        set.map_err(|failure| told(&pair, &Purpose::Password, failure))?;
        match seen(session, like, account).await?.as_slice() {
            [] => Ok(()),
            left => Err(StatementFailure::Unfit(format!(
                "`{account}` would not be able to do exactly what `{like}` can, and nothing was changed: {}",
                left.join("; ")
            ))),
        }
    };
    if let Err(failure) = prepared.await {
        // The session may be used again; one that is gone has nothing to take back.
        let _ended = session.execute("ROLLBACK").await;
        return Err(failure);
    }
    session.close_transaction(last_word).await
}

/// What `account` can or cannot do otherwise than `like`.
pub(super) async fn differences(
    session: &PostgresSession,
    like: &str,
    account: &str,
) -> Result<Vec<String>, StatementFailure> {
    session.execute("BEGIN READ ONLY").await?;
    let differences = async {
        session.execute(&format!("{}; {}", statement::precautions(), catalog::CALM)).await?;
        seen(session, like, account).await
    }
    .await;
    let ended = session.execute("ROLLBACK").await;
    let differences = differences?;
    ended.map(|()| differences)
}

async fn seen(session: &PostgresSession, like: &str, account: &str) -> Result<Vec<String>, StatementFailure> {
    let pair = found(session, like, account).await?;
    Ok(difference::differences(&pair, &own(session, &pair).await?))
}

async fn found(session: &PostgresSession, like: &str, account: &str) -> Result<Pair, StatementFailure> {
    let question = catalog::find(like, account).map_err(Refused::from)?;
    Ok(Pair::of(answer::<Found>(session, &question).await?, like, account)?)
}

async fn own(session: &PostgresSession, pair: &Pair) -> Result<Own, StatementFailure> {
    match &pair.alternate {
        Some(alternate) => answer(session, &catalog::own(alternate.id, pair.owner.id)).await,
        None => Ok(Own::default()),
    }
}

/// Refuses to make a role the alternate that others are members of: the owner's rights would be theirs as well.
async fn adoptable(session: &PostgresSession, pair: &Pair) -> Result<(), StatementFailure> {
    if pair.related() {
        return Ok(());
    }
    let members = own(session, pair).await?.members;
    match members.is_empty() {
        true => Ok(()),
        false => Err(StatementFailure::Unfit(format!(
            "the role `{}` exists, and its members ({}) would get what `{}` may: rename it, or revoke it from them",
            pair.alternate_name,
            members.iter().map(|it| cut(it)).collect::<Vec<_>>().join(", "),
            pair.owner.name
        ))),
    }
}

/// Asks for one JSON text.
async fn answer<T: DeserializeOwned>(
    session: &PostgresSession,
    question: &str,
) -> Result<T, StatementFailure> {
    let strange = || StatementFailure::Rejected("the server's catalog is not as PostgreSQL's".to_owned());
    let text = session.ask(question).await?.ok_or_else(strange)?;
    serde_json::from_str(&text).map_err(|_| strange())
}

/// A denial in words that say what to do.
fn told(pair: &Pair, purpose: &Purpose, failure: StatementFailure) -> StatementFailure {
    match failure {
        StatementFailure::Rejected(code) if code.ends_with(DENIED) => {
            StatementFailure::Unfit(format!("{} ({code})", pair.denied(purpose)))
        }
        other => other,
    }
}
