//! PostgreSQL, and what speaks its protocol.

mod free;
mod guard;
mod roles;
mod statement;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pawl_core::function::Engine;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Connection, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::guard::{Guarded, Stopped};
use super::tls::distrust;
use super::{
    Driver, LastWord, Login, LoginFailure, Protection, Session, StatementFailure, TextRow, TlsRoots, Work,
};
use crate::dial::Destination;

/// What `pg_stat_activity` shows of a rotation.
const APPLICATION_NAME: &str = "pawl";

/// SQLSTATE of a setting that the server does not have.
const UNDEFINED_OBJECT: &str = "42704";

/// SQLSTATE of a change where nothing can be changed.
const READ_ONLY: &str = "25006";

/// SQLSTATE of what a standby cannot begin.
const NOT_WHILE_RECOVERING: &str = "0A000";

/// Logs in to PostgreSQL servers: over verified TLS unless the secret says `"ssl": false`, and never in clear.
#[derive(Debug)]
pub struct PostgresDriver {
    roots: TlsRoots,
}

impl PostgresDriver {
    /// A driver that trusts servers by these roots.
    #[must_use]
    pub const fn new(roots: TlsRoots) -> Self {
        Self { roots }
    }

    async fn connected(&self, to: &Destination, login: &Login) -> Result<Client, LoginFailure> {
        let stream = to.connect().await?;
        let mut config = Config::new();
        config
            .user(login.username.as_str())
            .password(login.password.expose())
            .application_name(APPLICATION_NAME);
        if let Some(database) = &login.database {
            config.dbname(database);
        }
        match login.protection {
            Protection::Plain => {
                config.ssl_mode(SslMode::Disable);
                let connected = config.connect_raw(Guarded::plain(stream), NoTls).await;
                let (client, connection) = connected.map_err(|error| failure(&error, to, login, true))?;
                keep(connection);
                Ok(client)
            }
            Protection::VerifiedTls => {
                config.ssl_mode(SslMode::Require);
                let offered = Arc::new(AtomicBool::new(false));
                let tls = self.tls(to, Arc::clone(&offered))?;
                let connected = config.connect_raw(stream, tls).await;
                let (client, connection) =
                    connected.map_err(|error| failure(&error, to, login, offered.load(Ordering::Relaxed)))?;
                keep(connection);
                Ok(client)
            }
        }
    }

    fn tls(
        &self,
        to: &Destination,
        offered: Arc<AtomicBool>,
    ) -> Result<
        GuardedTls<impl TlsConnect<TcpStream, Stream: Send, Error = io::Error, Future: Send> + use<>>,
        LoginFailure,
    > {
        let mut maker = MakeRustlsConnect::new(self.roots.client());
        let connect = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut maker, to.host()).map_err(|_| {
            LoginFailure::Untrusted(format!("`{}` is no name that a certificate can hold", to.host()))
        })?;
        Ok(GuardedTls { connect, offered })
    }
}

impl Driver for PostgresDriver {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn waits_for_clients(&self) -> bool {
        true
    }

    fn login<'a>(
        &'a self,
        to: &'a Destination,
        login: &'a Login,
    ) -> Work<'a, Box<dyn Session>, LoginFailure> {
        Box::pin(async move {
            match timeout(limits::LOGIN_TIMEOUT, Box::pin(self.connected(to, login))).await {
                Ok(client) => Ok(Box::new(PostgresSession { client: client? }) as Box<dyn Session>),
                Err(_) => {
                    Err(LoginFailure::Unreachable(format!("the database at {to} did not answer in time")))
                }
            }
        })
    }
}

/// Runs a connection until its session is dropped, or at the latest until no step can be using it any more: a server that
/// does not end its side cannot keep it.
fn keep<S, T>(connection: Connection<S, T>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Its errors come to the session's calls as well, as a connection that is closed.
    drop(tokio::spawn(timeout(limits::STEP_WALL, connection)));
}

/// TLS, and inside of it the guard.
struct GuardedTls<T> {
    connect: T,
    /// Whether the server was ready for TLS at all.
    offered: Arc<AtomicBool>,
}

impl<S, T> TlsConnect<S> for GuardedTls<T>
where
    T: TlsConnect<S, Stream: Send, Error = io::Error, Future: Send + 'static>,
{
    type Stream = Guarded<T::Stream>;
    type Error = HandshakeFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, HandshakeFailure>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        self.offered.store(true, Ordering::Relaxed);
        let handshake = self.connect.connect(stream);
        Box::pin(async move { handshake.await.map(Guarded::encrypted).map_err(HandshakeFailure) })
    }
}

/// A TLS handshake that did not end well.
#[derive(Debug, thiserror::Error)]
#[error("TLS handshake failed")]
struct HandshakeFailure(io::Error);

/// What a failed login means. `answered` is whether the server took part in TLS where it was asked to.
fn failure(error: &tokio_postgres::Error, to: &Destination, login: &Login, answered: bool) -> LoginFailure {
    let untrusted =
        |why: &str| LoginFailure::Untrusted(format!("the database at {to} is not trusted: {why}"));
    if let Some(code) = error.code() {
        return refusal(code.code(), to, login);
    }
    let Some(source) = std::error::Error::source(error) else {
        return if error.is_closed() { unreachable(to) } else { untrusted(&Stopped::Protocol.to_string()) };
    };
    if let Some(HandshakeFailure(error)) = source.downcast_ref() {
        return distrust(error).map_or_else(|| unreachable(to), untrusted);
    }
    let Some(io) = source.downcast_ref::<io::Error>() else {
        return untrusted(if answered {
            "it did not carry the login through, or offers no method that Pawl uses"
        } else {
            "it offers no TLS, and the secret does not say `\"ssl\": false`"
        });
    };
    if let Some(stopped) = io.get_ref().and_then(|inner| inner.downcast_ref::<Stopped>()) {
        return untrusted(&stopped.to_string());
    }
    if let Some(why) = distrust(io) {
        return untrusted(why);
    }
    match io.kind() {
        // The library's own: a message that makes no sense, or a server that does not know the password that it verifies.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
            untrusted("it did not carry the login through as a server does that knows the user")
        }
        _ => unreachable(to),
    }
}

fn unreachable(to: &Destination) -> LoginFailure {
    LoginFailure::Unreachable(format!("the database at {to} closed the connection during the login"))
}

/// What a server's error code at login means.
fn refusal(code: &str, to: &Destination, login: &Login) -> LoginFailure {
    let code = code_only(code);
    let user = &login.username;
    if matches!(code, "28P01" | "28000") {
        return LoginFailure::Refused(format!(
            "the database at {to} refused the login of user `{user}` (SQLSTATE {code})"
        ));
    }
    if gone(code) || code.starts_with("53") {
        return LoginFailure::Unreachable(format!(
            "the database at {to} takes no logins now (SQLSTATE {code})"
        ));
    }
    LoginFailure::Rejected(format!(
        "the server at {to} gave user `{user}` no session in the database `{}` (SQLSTATE {code})",
        login.database.as_deref().unwrap_or_default()
    ))
}

/// Whether a code says that the server or the connection is gone, or not there yet.
fn gone(code: &str) -> bool {
    code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05")
}

/// Whether a code says that the same statement may go through later: locks, deadlocks, time limits, a server without room, and
/// another session that changes the same role at the same time ("tuple concurrently updated", which has no code of its own).
fn passes(code: &str) -> bool {
    code.starts_with("40") || code.starts_with("53") || matches!(code, "55P03" | "57014" | "XX000")
}

/// A hostile server could say anything in the place of its code.
fn code_only(code: &str) -> &str {
    let valid = code.len() == 5 && code.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if valid { code } else { "XX000" }
}

struct PostgresSession {
    client: Client,
}

impl PostgresSession {
    async fn execute(&self, statement: &str) -> Result<(), StatementFailure> {
        in_time(self.client.batch_execute(statement)).await
    }

    /// The first column of the first row.
    async fn ask(&self, question: &str) -> Result<Option<String>, StatementFailure> {
        let answered = in_time(self.client.simple_query(question)).await?;
        Ok(answered.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().map(str::to_owned),
            _ => None,
        }))
    }
}

fn read_only() -> StatementFailure {
    StatementFailure::Rejected(format!(
        "SQLSTATE {READ_ONLY}: the server is read-only, as a replica is; the secret's `host` must be the primary's"
    ))
}

/// What became of a statement.
async fn in_time<T>(
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StatementFailure> {
    let lost = |why: &str| StatementFailure::Lost(format!("the connection to the database {why}"));
    match timeout(limits::STATEMENT_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(match error.code().map(|code| code_only(code.code())) {
            Some(code) if gone(code) => lost(&format!("ended (SQLSTATE {code})")),
            Some(READ_ONLY) => read_only(),
            Some(code) if passes(code) => {
                lost(&format!("did not let the statement through now (SQLSTATE {code})"))
            }
            Some(code) => StatementFailure::Rejected(format!("SQLSTATE {code}")),
            None => lost("broke"),
        }),
        Err(_) => Err(lost("did not answer in time")),
    }
}

impl PostgresSession {
    /// Begins a transaction that the server ends when this host falls silent in it.
    async fn open_transaction(&self) -> Result<(), StatementFailure> {
        let patience = limits::LAST_WORD_VALID.as_millis();
        // A role that is set to read only may still change its password.
        let begin = "BEGIN READ WRITE";
        let limited = format!("{begin}; SET LOCAL idle_in_transaction_session_timeout = {patience}");
        match self.execute(&limited).await {
            // Servers of the family that do not know the setting (before PostgreSQL 9.6).
            Err(StatementFailure::Rejected(code)) if code.ends_with(UNDEFINED_OBJECT) => {
                self.execute("ROLLBACK").await?;
                self.execute(begin).await
            }
            Err(StatementFailure::Rejected(code)) if code.ends_with(NOT_WHILE_RECOVERING) => {
                let _ended = self.execute("ROLLBACK").await;
                Err(read_only())
            }
            begun => begun,
        }
    }

    /// Commits what is done, if the last word is yes.
    async fn close_transaction(&self, last_word: LastWord<'_>) -> Result<(), StatementFailure> {
        if last_word.await {
            // A time limit that ends a wait for a standby makes a server answer that all is well.
            return self.execute("SET LOCAL statement_timeout = 0; COMMIT").await;
        }
        // What is not committed when the session ends is taken back by the server.
        let _ended = self.execute("ROLLBACK").await;
        Err(StatementFailure::TakenBack)
    }
}

impl Session for PostgresSession {
    fn ping(&self) -> Work<'_, (), StatementFailure> {
        Box::pin(self.execute("SELECT 1"))
    }

    fn set_password<'a>(
        &'a self,
        account: &'a str,
        password: &'a SecretBytes,
        last_word: LastWord<'a>,
    ) -> Work<'a, (), StatementFailure> {
        Box::pin(async move {
            let statement = statement::set_password(account, password)
                .map_err(|unfit| StatementFailure::Unfit(unfit.to_string()))?;
            self.open_transaction().await?;
            if let Err(failure) = self.execute(&statement).await {
                // The session may be used again; one that is gone has nothing to take back.
                let _ended = self.execute("ROLLBACK").await;
                return Err(failure);
            }
            self.close_transaction(last_word).await
        })
    }

    fn mirror_account<'a>(
        &'a self,
        like: &'a str,
        account: &'a str,
        password: &'a SecretBytes,
        last_word: LastWord<'a>,
    ) -> Work<'a, (), StatementFailure> {
        Box::pin(roles::mirror(self, like, account, password, last_word))
    }

    fn execute<'a>(
        &'a self,
        statement: &'a str,
        parameters: &'a [Option<String>],
    ) -> Work<'a, u64, StatementFailure> {
        Box::pin(free::execute(&self.client, statement, parameters))
    }

    fn query<'a>(
        &'a self,
        statement: &'a str,
        parameters: &'a [Option<String>],
    ) -> Work<'a, Vec<TextRow>, StatementFailure> {
        Box::pin(free::query(&self.client, statement, parameters))
    }

    fn differences<'a>(&'a self, like: &'a str, account: &'a str) -> Work<'a, Vec<String>, StatementFailure> {
        Box::pin(roles::differences(self, like, account))
    }
}
