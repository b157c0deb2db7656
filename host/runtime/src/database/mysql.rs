//! MySQL and MariaDB, and what speaks their protocol.
//!
//! The protocol is spoken here, since no driver library runs on a connection that somebody else has opened and checked
//! (docs/adr/0012-mysql-on-our-own-connection.md).

mod accounts;
mod answer;
mod connection;
mod free;
mod handshake;
mod method;
mod statement;
mod wire;

use pawl_core::function::Engine;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use tokio::time::timeout;
use zeroize::Zeroizing;

use self::answer::QueryError;
use self::connection::Connection;
use self::statement::{Kept, Unfit};
use super::{Driver, LastWord, Login, LoginFailure, Session, StatementFailure, TextRow, TlsRoots, Work};
use crate::dial::Destination;

/// Since this version of MySQL an account can have two passwords, and can be made to name the old one for a new one.
const MYSQL_TWO_PASSWORDS: (u16, u16, u16) = (8, 0, 14);
/// The right to keep an old password beside a new one.
const MAY_RETAIN: &str = "APPLICATION_PASSWORD_ADMIN";

/// Logs in to MySQL and MariaDB servers: over verified TLS unless the secret says `"ssl": false`, and never in clear.
#[derive(Debug)]
pub struct MysqlDriver {
    engine: Engine,
    roots: TlsRoots,
}

impl MysqlDriver {
    /// A driver for secrets of the engine `mysql`, or `aurora-mysql`, that trusts servers by these roots.
    #[must_use]
    pub const fn mysql(roots: TlsRoots) -> Self {
        Self { engine: Engine::Mysql, roots }
    }

    /// A driver for secrets of the engine `mariadb`.
    #[must_use]
    pub const fn mariadb(roots: TlsRoots) -> Self {
        Self { engine: Engine::Mariadb, roots }
    }

    async fn session(&self, to: &Destination, login: &Login) -> Result<MysqlSession, LoginFailure> {
        let stream = to.connect().await?;
        let channel = Box::pin(handshake::login(stream, to, login, &self.roots)).await?;
        let connection = Connection::new(channel);
        let strange = |error| match error {
            QueryError::Server(error) => error.at_login(to, login),
            QueryError::Lost(why) => LoginFailure::Unreachable(format!(
                "the connection to the database at {to} {why} right after the login"
            )),
        };
        connection.execute(statement::SESSION).await.map_err(strange)?;
        let who = connection.query(statement::WHO).await.map_err(strange)?;
        let mut texts = who.into_iter().flatten();
        let (Some(Some(current)), Some(Some(version))) = (texts.next(), texts.next()) else {
            return Err(strange(QueryError::Lost("gave no sense")));
        };
        // `skip-grant-tables`, an anonymous account, a proxied one: whatever let this login in, it was not the password of this
        // user, and a change of it would be another account's.
        let user = current.rsplit_once('@').map(|(user, _)| user);
        if user != Some(login.username.as_str()) {
            return Err(LoginFailure::Untrusted(format!(
                "the database at {to} has let user `{}` in as another account, so that a login there proves nothing",
                login.username
            )));
        }
        Ok(MysqlSession {
            connection,
            family: Family::of(&version),
            user: login.username.clone(),
            password: login.password.duplicate(),
        })
    }
}

impl Driver for MysqlDriver {
    fn engine(&self) -> Engine {
        self.engine
    }

    fn login<'a>(
        &'a self,
        to: &'a Destination,
        login: &'a Login,
    ) -> Work<'a, Box<dyn Session>, LoginFailure> {
        Box::pin(async move {
            match timeout(limits::LOGIN_TIMEOUT, Box::pin(self.session(to, login))).await {
                Ok(session) => Ok(Box::new(session?) as Box<dyn Session>),
                Err(_) => {
                    Err(LoginFailure::Unreachable(format!("the database at {to} did not answer in time")))
                }
            }
        })
    }
}

/// Which of the two a server is. It is asked, whatever the secret calls it: their statements differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    MariaDb,
    Mysql { two_passwords: bool },
}

impl Family {
    fn of(version: &str) -> Self {
        if version.to_ascii_lowercase().contains("mariadb") {
            return Self::MariaDb;
        }
        let mut numbers = version
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse::<u16>().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        Self::Mysql { two_passwords: (next(), next(), next()) >= MYSQL_TWO_PASSWORDS }
    }
}

/// A login to a server of the family.
struct MysqlSession {
    connection: Connection,
    family: Family,
    /// The account's name, without its host.
    user: String,
    /// The password that it has logged in with.
    password: SecretBytes,
}

impl From<Unfit> for StatementFailure {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit.to_string())
    }
}

impl MysqlSession {
    /// A server that takes no writes now would keep what it has, or part from the server that it follows.
    async fn refuse_read_only(&self) -> Result<(), StatementFailure> {
        let rows = self.connection.query("SELECT @@GLOBAL.read_only, @@GLOBAL.innodb_read_only").await?;
        let writable = |value: &Option<String>| matches!(value.as_deref(), Some("0" | "OFF"));
        if rows.iter().flatten().all(writable) {
            return Ok(());
        }
        Err(StatementFailure::Rejected(
            "the server is read-only, as replicas are: the secret's host must be the server that takes writes".to_owned(),
        ))
    }

    /// What gives the session's own account the password.
    async fn own_statement(&self, password: &SecretBytes) -> Result<Zeroizing<String>, StatementFailure> {
        let text = statement::password_text(password)?;
        match self.family {
            Family::MariaDb => {
                let definition = self.definition().await?;
                let hash = Zeroizing::new(Kept::of(&definition)?.hash(password));
                // Every ALTER USER needs a right that an account seldom has, even for itself.
                Ok(Zeroizing::new(format!("SET PASSWORD = '{}'", hash.as_str())))
            }
            Family::Mysql { two_passwords } => {
                // For its own account a server of MySQL's takes no hash. It leaves the password out of its logs.
                let mut own = Zeroizing::new(String::with_capacity(limits::SERVER_FRAME_BYTES_MAX));
                own.push_str("ALTER USER USER() IDENTIFIED BY ");
                own.push_str(&statement::literal(text));
                if two_passwords && self.must_name_current().await? {
                    own.push_str(" REPLACE ");
                    own.push_str(&statement::literal(statement::password_text(&self.password)?));
                }
                if two_passwords && self.may_retain().await? {
                    own.push_str(" RETAIN CURRENT PASSWORD");
                }
                Ok(own)
            }
        }
    }

    /// The session's own account, as the statement that would make it. No right is needed for that.
    async fn definition(&self) -> Result<Zeroizing<String>, StatementFailure> {
        let rows = self.connection.query("SHOW CREATE USER CURRENT_USER()").await?;
        Ok(Zeroizing::new(rows.into_iter().flatten().flatten().next().unwrap_or_default()))
    }

    /// Whether the account must name its old password for a new one.
    async fn must_name_current(&self) -> Result<bool, StatementFailure> {
        let definition = self.definition().await?;
        let Some((_, rule)) = definition.rsplit_once(" PASSWORD REQUIRE CURRENT") else { return Ok(false) };
        if !rule.starts_with(" DEFAULT") {
            return Ok(!rule.starts_with(" OPTIONAL"));
        }
        let rows = self.connection.query("SELECT @@GLOBAL.password_require_current").await?;
        Ok(rows.iter().flatten().any(|value| matches!(value.as_deref(), Some("1" | "ON"))))
    }

    async fn may_retain(&self) -> Result<bool, StatementFailure> {
        let grants = self.connection.query("SHOW GRANTS").await?;
        let mut rights = grants
            .iter()
            .flatten()
            .flatten()
            .filter_map(|grant| grant.strip_prefix("GRANT ")?.split_once(" ON *.* TO "))
            .flat_map(|(rights, _)| rights.split(','));
        Ok(rights.any(|right| right.trim() == MAY_RETAIN))
    }

    async fn change_own(
        &self,
        password: &SecretBytes,
        last_word: LastWord<'_>,
    ) -> Result<(), StatementFailure> {
        let statement = self.own_statement(password).await?;
        self.refuse_read_only().await?;
        self.finally(&statement, last_word).await
    }

    /// Asks for the last word, and runs a statement that no server of the family could take back. When the word is followed by
    /// silence, the server ends the session; when the statement would have to wait, it refuses it.
    async fn finally(&self, statement: &str, last_word: LastWord<'_>) -> Result<(), StatementFailure> {
        let mariadb = self.family == Family::MariaDb;
        self.connection.execute(&statement::hurried(mariadb)).await?;
        let done = if last_word.await {
            self.connection.execute(statement).await.map_err(StatementFailure::from)
        } else {
            Err(StatementFailure::TakenBack)
        };
        // The session may be used again. One that is gone has nothing to restore, and what was done is done.
        let _restored = self.connection.execute(&statement::unhurried(mariadb)).await;
        done
    }
}

impl Session for MysqlSession {
    fn ping(&self) -> Work<'_, (), StatementFailure> {
        Box::pin(async { Ok(self.connection.ping().await?) })
    }

    fn set_password<'a>(
        &'a self,
        account: &'a str,
        password: &'a SecretBytes,
        last_word: LastWord<'a>,
    ) -> Work<'a, (), StatementFailure> {
        Box::pin(async move {
            if account != self.user {
                return Err(StatementFailure::Unfit(format!(
                    "the session is of user `{}`, and can change the password of no other account",
                    self.user
                )));
            }
            self.change_own(password, last_word).await
        })
    }

    fn mirror_account<'a>(
        &'a self,
        like: &'a str,
        account: &'a str,
        password: &'a SecretBytes,
        last_word: LastWord<'a>,
    ) -> Work<'a, (), StatementFailure> {
        Box::pin(async move {
            self.refuse_read_only().await?;
            accounts::mirror(self, like, account, password, last_word).await
        })
    }

    fn execute<'a>(
        &'a self,
        statement: &'a str,
        parameters: &'a [Option<String>],
    ) -> Work<'a, u64, StatementFailure> {
        Box::pin(free::execute(&self.connection, statement, parameters))
    }

    fn query<'a>(
        &'a self,
        statement: &'a str,
        parameters: &'a [Option<String>],
    ) -> Work<'a, Vec<TextRow>, StatementFailure> {
        Box::pin(free::query(&self.connection, statement, parameters))
    }

    fn differences<'a>(&'a self, like: &'a str, account: &'a str) -> Work<'a, Vec<String>, StatementFailure> {
        Box::pin(accounts::differences(self, like, account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_what_its_version_says() {
        for (version, family) in [
            ("10.11.14-MariaDB-0+deb12u2-log", Family::MariaDb),
            ("5.5.5-10.6.21-MariaDB", Family::MariaDb),
            ("5.7.44-log", Family::Mysql { two_passwords: false }),
            ("8.0.13", Family::Mysql { two_passwords: false }),
            ("8.0.14-rds", Family::Mysql { two_passwords: true }),
            ("8.0.mysql_aurora.3.04.0", Family::Mysql { two_passwords: false }),
            ("8.4.3", Family::Mysql { two_passwords: true }),
            ("9.1.0", Family::Mysql { two_passwords: true }),
            ("", Family::Mysql { two_passwords: false }),
        ] {
            assert_eq!(Family::of(version), family, "{version}");
        }
    }
}
