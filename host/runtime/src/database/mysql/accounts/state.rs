//! What a server says about a user: all of its accounts.

use std::collections::{BTreeMap, BTreeSet};

use pawl_core::limits;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::dialect::Dialect;
use super::refusal::failure;
use super::rights::{NotUnderstood, Rights};
use super::spelling::{Bytes, Identity};
use super::terms::{Expiry, Limits, Policy, Terms, Tls};
use super::{Fields, Talk};
use crate::database::StatementFailure;

/// What reading needs, for who is told that it was refused.
const READING: &str = "SELECT ON `mysql`.*";

/// One account.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Account {
    /// The conditions of its logins.
    pub(super) terms: Terms,
    /// What it may do.
    pub(super) rights: Rights,
}

/// A user's accounts, by host.
pub(super) type User = BTreeMap<String, Account>;

/// Which server it is.
pub(super) async fn dialect(talk: &dyn Talk) -> Result<Dialect, StatementFailure> {
    let rows = talk.rows("SELECT VERSION()").await.map_err(|refusal| failure(refusal, READING))?;
    let version = rows.first().and_then(|row| text(row, 0)).and_then(Dialect::parse);
    version.ok_or_else(|| {
        StatementFailure::Unfit(
            "alternating users need MariaDB 10.4.2, MySQL 8.0.17 or MySQL 5.7.8, or a later one of these"
                .to_owned(),
        )
    })
}

/// The privileges that the server knows by name, but for those of MySQL that can be given and taken at any time.
pub(super) async fn known_privileges(
    talk: &dyn Talk,
    dialect: Dialect,
) -> Result<BTreeSet<String>, StatementFailure> {
    let rows = rows(talk, "SHOW PRIVILEGES").await?;
    let names = rows.iter().filter_map(|row| text(row, 0)).map(str::to_ascii_uppercase);
    // They go into statements as they are.
    let is_word = |name: &String| name.chars().all(|c| c.is_ascii_uppercase() || matches!(c, ' ' | '_'));
    Ok(names.filter(|name| is_word(name) && (dialect.is_mariadb() || !name.contains('_'))).collect())
}

/// All accounts of a user; none when there is no such user.
pub(super) async fn user(talk: &dyn Talk, name: &str, dialect: Dialect) -> Result<User, StatementFailure> {
    let by_name = Bytes(name.as_bytes());
    let mut default_roles = BTreeMap::new();
    let statement = if dialect.is_mariadb() {
        format!("SELECT User, Host, Priv FROM mysql.global_priv WHERE User = {by_name}")
    } else if dialect.is_mysql_8() {
        let statement = format!(
            "SELECT Host, Default_role_user, Default_role_host FROM mysql.default_roles WHERE User = {by_name}"
        );
        for row in rows(talk, &statement).await? {
            let (host, user, role_host) = (field(&row, 0)?, field(&row, 1)?, field(&row, 2)?);
            let roles: &mut BTreeSet<_> = default_roles.entry(host.to_owned()).or_default();
            roles.insert(Identity::new(user, role_host));
        }
        format!("SELECT {MYSQL_5}, {MYSQL_8} FROM mysql.user WHERE User = {by_name}")
    } else {
        format!("SELECT {MYSQL_5} FROM mysql.user WHERE User = {by_name}")
    };
    let accounts = rows(talk, &statement).await?;
    let mut proxied = proxied(talk, &by_name).await?;
    let mut user = User::new();
    for row in &accounts {
        // Some comparisons of the server's ignore spaces at the end.
        if field(row, 0)? != name {
            continue;
        }
        let identity = Identity::new(name, field(row, 1)?);
        let terms = if dialect.is_mariadb() { mariadb_terms(field(row, 2)?) } else { mysql_terms(row) };
        let Some(terms) = terms.ok_or_else(|| not_understood(&identity, "its conditions"))? else { continue };
        let grants = rows(talk, &format!("SHOW GRANTS FOR {identity}")).await?;
        let grants = grants.iter().map(|row| text(row, 0).unwrap_or_default());
        let host = &identity.host;
        let (roles, proxied) = (default_roles.remove(host), proxied.remove(host));
        let rights = Rights::collect(
            grants,
            &identity,
            dialect,
            roles.unwrap_or_default(),
            proxied.unwrap_or_default(),
        );
        let rights = rights.map_err(|NotUnderstood(row)| {
            not_understood(&identity, &format!("its rights (row {row} of SHOW GRANTS)"))
        })?;
        user.insert(identity.host, Account { terms, rights });
    }
    Ok(user)
}

async fn rows(talk: &dyn Talk, statement: &str) -> Result<Vec<Fields>, StatementFailure> {
    let rows = talk.rows(statement).await.map_err(|refusal| failure(refusal, READING))?;
    if rows.len() <= limits::ACCOUNT_ROWS_MAX {
        return Ok(rows);
    }
    let text = format!(
        "the user has more than {} accounts, or an account as many rows of rights",
        limits::ACCOUNT_ROWS_MAX
    );
    Err(StatementFailure::Unfit(text))
}

/// Whom each account of a user may act as.
async fn proxied(
    talk: &dyn Talk,
    by_name: &Bytes<'_>,
) -> Result<BTreeMap<String, BTreeMap<Identity, bool>>, StatementFailure> {
    let statement = format!(
        "SELECT Host, Proxied_user, Proxied_host, With_grant FROM mysql.proxies_priv WHERE User = {by_name}"
    );
    let mut proxied: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for row in rows(talk, &statement).await? {
        let whom = Identity::new(field(&row, 1)?, field(&row, 2)?);
        proxied.entry(field(&row, 0)?.to_owned()).or_default().insert(whom, field(&row, 3)? != "0");
    }
    Ok(proxied)
}

fn not_understood(identity: &Identity, what: &str) -> StatementFailure {
    StatementFailure::Unfit(format!(
        "what the server says about {identity} is not understood ({what}), and is not copied in part"
    ))
}

fn text(row: &Fields, index: usize) -> Option<&str> {
    row.get(index).and_then(|field| field.as_ref()).map(|field| field.as_str())
}

fn field(row: &Fields, index: usize) -> Result<&str, StatementFailure> {
    text(row, index)
        .ok_or_else(|| StatementFailure::Unfit("the server's table of accounts is not understood".to_owned()))
}

// MariaDB keeps all of an account in one JSON object.

/// A member that is not here stops the reader: it could be a condition.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct GlobalPriv {
    #[serde(rename = "access")]
    _access: Option<IgnoredAny>,
    #[serde(rename = "version_id")]
    _version_id: Option<IgnoredAny>,
    #[serde(rename = "authentication_string")]
    _authentication_string: Option<IgnoredAny>,
    #[serde(rename = "password_last_changed")]
    _password_last_changed: Option<IgnoredAny>,
    /// It is in SHOW GRANTS too.
    #[serde(rename = "default_role")]
    _default_role: Option<IgnoredAny>,
    plugin: Option<String>,
    auth_or: Vec<Method>,
    ssl_type: i32,
    ssl_cipher: String,
    x509_issuer: String,
    x509_subject: String,
    max_questions: u32,
    max_updates: u32,
    max_connections: u32,
    max_user_connections: i32,
    max_statement_time: f64,
    password_lifetime: Option<i64>,
    account_locked: bool,
    is_role: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Method {
    #[serde(rename = "authentication_string")]
    _authentication_string: Option<IgnoredAny>,
    plugin: Option<String>,
}

/// The plugin of an account for which none is noted.
const NATIVE: &str = "mysql_native_password";

/// The terms in a row of `mysql.global_priv`: none when it is not understood, and none of an account when it is a role.
fn mariadb_terms(json: &str) -> Option<Option<Terms>> {
    let it: GlobalPriv = parse(json)?;
    if it.is_role {
        return Some(None);
    }
    let own = it.plugin.filter(|plugin| !plugin.is_empty()).unwrap_or_else(|| NATIVE.to_owned());
    let plugins: Vec<_> = match it.auth_or.is_empty() {
        true => vec![own],
        // The empty one stands where the account's own comes in their order.
        false => it.auth_or.into_iter().map(|method| method.plugin.unwrap_or_else(|| own.clone())).collect(),
    };
    if !plugins.iter().all(|plugin| is_plugin(plugin)) {
        return None;
    }
    let (cipher, issuer, subject) = (it.ssl_cipher, it.x509_issuer, it.x509_subject);
    Some(Some(Terms {
        plugins,
        tls: match it.ssl_type {
            -1 | 0 => Tls::None,
            1 => Tls::Any,
            2 => Tls::X509,
            3 => Tls::Specified { cipher, issuer, subject },
            _ => return None,
        },
        limits: Limits {
            queries: it.max_questions,
            updates: it.max_updates,
            connections: it.max_connections,
            user_connections: it.max_user_connections,
            statement_seconds: it.max_statement_time,
        },
        locked: it.account_locked,
        expiry: match it.password_lifetime {
            None | Some(-1) => Expiry::Default,
            Some(0) => Expiry::Never,
            Some(days) => Expiry::Days(u32::try_from(days).ok()?),
        },
        ..Terms::default()
    }))
}

// MySQL keeps it in columns.

const MYSQL_5: &str = "User, Host, plugin, ssl_type, CONVERT(ssl_cipher USING utf8mb4), \
    CONVERT(x509_issuer USING utf8mb4), CONVERT(x509_subject USING utf8mb4), max_questions, max_updates, max_connections, \
    max_user_connections, password_lifetime, account_locked";
const MYSQL_8: &str =
    "Password_reuse_history, Password_reuse_time, Password_require_current, User_attributes";

/// A member that is not here stops the reader: it could be a condition. The second and third factor (`multi_factor_authentication`)
/// are such.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Attributes {
    #[serde(rename = "Password_locking")]
    locking: Option<Locking>,
    additional_password: Option<IgnoredAny>,
    /// They are in SHOW GRANTS too.
    #[serde(rename = "Restrictions")]
    _restrictions: Option<IgnoredAny>,
    /// A comment.
    #[serde(rename = "metadata")]
    _metadata: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Locking {
    failed_login_attempts: u32,
    password_lock_time_days: i32,
}

/// The terms in a row of MySQL's `mysql.user`.
fn mysql_terms(row: &Fields) -> Option<Option<Terms>> {
    let number = |index: usize| text(row, index)?.parse::<u32>().ok();
    let optional = |index: usize| match row.get(index) {
        None | Some(None) => Some(None),
        Some(Some(number)) => number.parse::<u32>().ok().map(Some),
    };
    let part = |index| text(row, index).unwrap_or_default().to_owned();
    let (cipher, issuer, subject) = (part(4), part(5), part(6));
    let attributes: Attributes = match text(row, 16) {
        None => Attributes::default(),
        Some(json) => parse(json)?,
    };
    let locking = attributes.locking.unwrap_or_default();
    Some(Some(Terms {
        plugins: vec![text(row, 2).filter(|plugin| is_plugin(plugin))?.to_owned()],
        tls: match text(row, 3)? {
            "" => Tls::None,
            "ANY" => Tls::Any,
            "X509" => Tls::X509,
            "SPECIFIED" => Tls::Specified { cipher, issuer, subject },
            _ => return None,
        },
        limits: Limits {
            queries: number(7)?,
            updates: number(8)?,
            connections: number(9)?,
            user_connections: i32::try_from(number(10)?).ok()?,
            statement_seconds: 0.0,
        },
        expiry: match optional(11)? {
            None => Expiry::Default,
            Some(0) => Expiry::Never,
            Some(days) => Expiry::Days(days),
        },
        locked: boolean(text(row, 12)?)?,
        policy: Policy {
            history: optional(13)?,
            reuse_days: optional(14)?,
            require_current: match text(row, 15) {
                None => None,
                Some(text) => Some(boolean(text)?),
            },
            failed_logins: locking.failed_login_attempts,
            lock_days: locking.password_lock_time_days,
        },
        has_old_password: attributes.additional_password.is_some(),
    }))
}

/// Their names go into statements and messages as they are.
fn is_plugin(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "Y" => Some(true),
        "N" => Some(false),
        _ => None,
    }
}

fn parse<T: DeserializeOwned>(json: &str) -> Option<T> {
    // A list would be read by position.
    json.starts_with('{').then(|| serde_json::from_str(json).ok())?
}

#[cfg(test)]
mod tests;
