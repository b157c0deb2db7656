//! Where the store is: `postgres://user:password@host1:5432,host2:5432/database?sslmode=verify-full`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::passfile::{self, Login};
use crate::error::StoreError;

const PORT: u16 = 5432;
const APPLICATION: &str = "pawl";

/// The servers of a database, of which one takes writes at a time, and how to log in to them. Does not show the password.
///
/// The form is PostgreSQL's own, with these options: `sslmode` (`disable`, `require`, `verify-ca`, `verify-full`; the last when
/// nothing is said), `sslrootcert` (trusted beside the system's CAs), `sslcert` and `sslkey`, `passfile` (for a URL without a
/// password: lines of `host:port:database:user:password`, read when the store is opened), `application_name`,
/// `connect_timeout` in seconds, and `target_session_attrs`, which may only say what is done anyway. A host that begins with a
/// slash (`%2Fvar%2Frun%2Fpostgresql`) is a directory with a socket, where TLS is not needed.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    hosts: Vec<Host>,
    user: String,
    password: Option<Password>,
    database: String,
    tls: Tls,
    root_cert: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
    passfile: Option<PathBuf>,
    application: String,
    connect_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    name: String,
    port: u16,
}

#[derive(Clone)]
struct Password(Arc<SecretBytes>);

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0.same_as(&other.0)
    }
}

impl Eq for Password {}

/// How the way to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Disable,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Why a text is no [`DatabaseUrl`]. Shows no part of it that could be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// It is the URL of something else.
    #[error("the database URL must begin with postgres:// or postgresql://")]
    Scheme,
    /// There is no host, or too many.
    #[error(
        "the database URL needs from 1 to {} hosts: postgres://user:password@host1:5432,host2:5432/database",
        limits::STORE_PG_HOSTS_MAX
    )]
    Hosts,
    /// A port is no number from 1 to 65535.
    #[error("a port in the database URL is no number from 1 to 65535")]
    Port,
    /// There is no user.
    #[error("the database URL names no user: postgres://user:password@host:5432/database")]
    User,
    /// There is no database.
    #[error("the database URL names no database: postgres://user:password@host:5432/database")]
    Database,
    /// A part is not text.
    #[error(
        "a part of the database URL is no UTF-8, or has a % that no two hexadecimal digits follow: write % itself as %25"
    )]
    Encoding,
    /// An option is unknown.
    #[error(
        "the database URL has the unknown option {0}: known are sslmode, sslrootcert, sslcert, sslkey, passfile, \
         application_name, connect_timeout and target_session_attrs"
    )]
    UnknownOption(String),
    /// An option stands there twice.
    #[error("the database URL has the option {0} twice")]
    Twice(&'static str),
    /// An option has a value that it cannot have.
    #[error("the database URL's {option} must be {allowed}")]
    Value {
        /// Which.
        option: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
}

impl DatabaseUrl {
    /// The driver's options for each server, in the URL's order.
    ///
    /// # Errors
    /// When the file with the password cannot be read.
    pub(super) fn servers(&self) -> Result<Vec<PgConnectOptions>, StoreError> {
        let file = match (&self.password, &self.passfile) {
            (None, Some(file)) => Some(passfile::read(file)?),
            _ => None,
        };
        Ok(self.hosts.iter().map(|host| self.server(host, file.as_ref())).collect())
    }

    fn server(&self, host: &Host, file: Option<&SecretBytes>) -> PgConnectOptions {
        let is_socket = host.name.starts_with('/');
        let tls = match self.tls {
            _ if is_socket => PgSslMode::Disable,
            Tls::Disable => PgSslMode::Disable,
            Tls::Require => PgSslMode::Require,
            Tls::VerifyCa => PgSslMode::VerifyCa,
            Tls::VerifyFull => PgSslMode::VerifyFull,
        };
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&host.name)
            .port(host.port)
            .username(&self.user)
            .database(&self.database)
            .application_name(&self.application)
            .ssl_mode(tls)
            // Poolers refuse it, and there are no fractions here.
            .extra_float_digits(None)
            .statement_cache_capacity(limits::STORE_STATEMENTS_MAX)
            // Statements are nobody's business but ours.
            .disable_statement_logging();
        let login = Login { host: &host.name, port: host.port, database: &self.database, user: &self.user };
        let found = file.and_then(|file| passfile::find(file, &login));
        let password = self.password.as_ref().map(|password| &*password.0).or(found.as_ref());
        if let Some(Ok(password)) = password.map(|password| str::from_utf8(password.expose())) {
            options = options.password(password);
        }
        if let Some(file) = &self.root_cert {
            options = options.ssl_root_cert(file);
        }
        if let (Some(cert), Some(key)) = (&self.client_cert, &self.client_key) {
            options = options.ssl_client_cert(cert).ssl_client_key(key);
        }
        options
    }

    /// Time for one connection.
    pub(super) const fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or(DatabaseUrlError::Scheme)?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        // A password may have an @ or a / that somebody forgot to write as %40 or %2F. The last @ ends it.
        let (login, place) = rest.rsplit_once('@').ok_or(DatabaseUrlError::User)?;
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(SecretBytes::from(decoded(password)?))),
            None => (login, None),
        };
        let (hosts, database) = place.split_once('/').ok_or(DatabaseUrlError::Database)?;
        let mut url = Self {
            hosts: hosts.split(',').map(str::parse).collect::<Result<_, _>>()?,
            user: some(decoded(user)?).ok_or(DatabaseUrlError::User)?,
            password: password.map(|password| Password(Arc::new(password))),
            database: some(decoded(database)?).ok_or(DatabaseUrlError::Database)?,
            tls: Tls::VerifyFull,
            root_cert: None,
            client_cert: None,
            client_key: None,
            passfile: None,
            application: APPLICATION.to_owned(),
            connect_timeout: limits::STORE_PG_CONNECT_TIMEOUT,
        };
        if url.hosts.len() > limits::STORE_PG_HOSTS_MAX {
            return Err(DatabaseUrlError::Hosts);
        }
        url.read(options)?;
        Ok(url)
    }
}

impl DatabaseUrl {
    fn read(&mut self, options: &str) -> Result<(), DatabaseUrlError> {
        let mut seen: Vec<&'static str> = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let name = self.take(name, decoded(value)?)?;
            if seen.contains(&name) {
                return Err(DatabaseUrlError::Twice(name));
            }
            seen.push(name);
        }
        if self.client_cert.is_some() != self.client_key.is_some() {
            return Err(DatabaseUrlError::Value { option: "sslcert", allowed: "given together with sslkey" });
        }
        // As libpq does: who names a CA wants it to be looked at.
        if self.tls == Tls::Require && self.root_cert.is_some() {
            self.tls = Tls::VerifyCa;
        }
        Ok(())
    }

    /// Takes one option over and answers its name.
    fn take(&mut self, name: &str, value: String) -> Result<&'static str, DatabaseUrlError> {
        let wrong = |option, allowed| Err(DatabaseUrlError::Value { option, allowed });
        let file = |option, value| match some(value) {
            Some(file) => Ok(PathBuf::from(file)),
            None => Err(DatabaseUrlError::Value { option, allowed: "a file's path" }),
        };
        Ok(match name {
            "sslmode" => {
                self.tls = match value.as_str() {
                    "disable" => Tls::Disable,
                    "require" => Tls::Require,
                    "verify-ca" => Tls::VerifyCa,
                    "verify-full" => Tls::VerifyFull,
                    // allow and prefer protect from nobody who can change what is sent.
                    _ => return wrong("sslmode", "verify-full, verify-ca, require or disable"),
                };
                "sslmode"
            }
            "sslrootcert" => {
                // The word by which libpq means the system's CAs, which are trusted anyway.
                self.root_cert =
                    Some(file("sslrootcert", value)?).filter(|file| file.as_os_str() != "system");
                "sslrootcert"
            }
            "sslcert" => {
                self.client_cert = Some(file("sslcert", value)?);
                "sslcert"
            }
            "sslkey" => {
                self.client_key = Some(file("sslkey", value)?);
                "sslkey"
            }
            "passfile" => {
                self.passfile = Some(file("passfile", value)?);
                "passfile"
            }
            "application_name" => {
                self.application = value;
                "application_name"
            }
            "connect_timeout" => {
                match value.parse().map(Duration::from_secs) {
                    Ok(limit)
                        if (Duration::from_secs(1)..=limits::STORE_PG_ACQUIRE_TIMEOUT).contains(&limit) =>
                    {
                        self.connect_timeout = limit;
                    }
                    _ => return wrong("connect_timeout", "from 1 to 5 seconds"),
                }
                "connect_timeout"
            }
            "target_session_attrs" => {
                if !matches!(value.as_str(), "read-write" | "primary" | "any") {
                    return wrong("target_session_attrs", "read-write, which is what it always is");
                }
                "target_session_attrs"
            }
            unknown => return Err(DatabaseUrlError::UnknownOption(shown(unknown))),
        })
    }
}

/// The name of an unknown option: not more of it than a name could be, for it may be part of a password.
fn shown(name: &str) -> String {
    let is_name = !name.is_empty()
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_name { format!("`{name}`") } else { "that is no name (write ? in a password as %3F)".to_owned() }
}

impl FromStr for Host {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // An IPv6 address has colons of its own, and brackets.
        let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, "")) => (name, None),
            Some((name, rest)) => (name, Some(rest.strip_prefix(':').ok_or(DatabaseUrlError::Hosts)?)),
            None => text.rsplit_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
        };
        let port = match port {
            None => PORT,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(DatabaseUrlError::Port)?,
        };
        Ok(Self { name: some(decoded(name)?).ok_or(DatabaseUrlError::Hosts)?, port })
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The text with each %XX decoded.
fn decoded(text: &str) -> Result<String, DatabaseUrlError> {
    let is_code =
        |rest: &str| matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(is_code) {
        return Err(DatabaseUrlError::Encoding);
    }
    let text = percent_decode_str(text).decode_utf8().map_err(|_| DatabaseUrlError::Encoding)?;
    // The protocol ends texts with it.
    if text.contains('\0') { Err(DatabaseUrlError::Encoding) } else { Ok(text.into_owned()) }
}

impl fmt::Display for DatabaseUrl {
    /// The servers and the database: enough to tell stores apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", self.user)?;
        for (number, host) in self.hosts.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            if host.name.contains(':') {
                write!(f, "{comma}[{}]:{}", host.name, host.port)?;
            } else {
                write!(f, "{comma}{}:{}", host.name, host.port)?;
            }
        }
        write!(f, "/{}", self.database)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self}, {:?})", self.tls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseUrl, DatabaseUrlError> {
        text.parse()
    }

    #[test]
    fn a_url_names_servers_login_and_database() {
        let url = parse(
            "postgresql://us%40er:p%3Aw%25@one,two:6543,[::1]:7/my%2Fdb?application_name=x&connect_timeout=3",
        )
        .unwrap();
        let hosts: Vec<_> = url.hosts.iter().map(|host| (host.name.as_str(), host.port)).collect();
        assert_eq!(hosts, [("one", 5432), ("two", 6543), ("::1", 7)]);
        assert_eq!((url.user.as_str(), url.database.as_str()), ("us@er", "my/db"));
        assert_eq!(url.password.as_ref().unwrap().0.expose(), b"p:w%");
        assert_eq!((url.application.as_str(), url.connect_timeout), ("x", Duration::from_secs(3)));
        assert_eq!(url.to_string(), "postgres://us@er@one:5432,two:6543,[::1]:7/my/db");
        let server = url.servers().unwrap().remove(1);
        assert_eq!((server.get_host(), server.get_port(), server.get_username()), ("two", 6543, "us@er"));
    }

    #[test]
    fn tls_is_verified_unless_the_url_says_otherwise() {
        for (options, expected) in [
            ("", Tls::VerifyFull),
            ("?sslmode=require", Tls::Require),
            ("?sslmode=require&sslrootcert=/ca.pem", Tls::VerifyCa),
            ("?sslrootcert=/ca.pem", Tls::VerifyFull),
            ("?sslmode=verify-ca", Tls::VerifyCa),
            ("?sslmode=disable", Tls::Disable),
        ] {
            assert_eq!(parse(&format!("postgres://u@h/d{options}")).unwrap().tls, expected, "{options}");
        }
        let socket = parse("postgres://u@%2Frun%2Fpg/d").unwrap().servers().unwrap().remove(0);
        assert!(matches!(socket.get_ssl_mode(), PgSslMode::Disable), "a socket has no need of it");
    }

    #[test]
    fn what_is_wrong_is_named_and_no_password_with_it() {
        let unknown = |name: &str| DatabaseUrlError::UnknownOption(name.to_owned());
        for (text, expected) in [
            ("mysql://u@h/d", DatabaseUrlError::Scheme),
            ("postgres://h/d", DatabaseUrlError::User),
            ("postgres://:p@h/d", DatabaseUrlError::User),
            ("postgres://u:canary@/d", DatabaseUrlError::Hosts),
            ("postgres://u:canary@a,,b/d", DatabaseUrlError::Hosts),
            ("postgres://u:canary@h:0/d", DatabaseUrlError::Port),
            ("postgres://u:canary@h:x/d", DatabaseUrlError::Port),
            ("postgres://u:canary@h", DatabaseUrlError::Database),
            ("postgres://u:canary@h/", DatabaseUrlError::Database),
            ("postgres://u:canary%zz@h/d", DatabaseUrlError::Encoding),
            ("postgres://u:canary%ff@h/d", DatabaseUrlError::Encoding),
            ("postgres://u:canary%00@h/d", DatabaseUrlError::Encoding),
            ("postgres://u:canary@h/d?sslcompression=1", unknown("`sslcompression`")),
            ("postgres://u@h/d?sslmode=require&sslmode=disable", DatabaseUrlError::Twice("sslmode")),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        for options in [
            "sslmode=prefer",
            "sslmode=",
            "connect_timeout=0",
            "connect_timeout=9",
            "sslcert=/c",
            "sslkey=",
            "target_session_attrs=standby",
        ] {
            let error = parse(&format!("postgres://u@h/d?{options}")).unwrap_err();
            assert!(matches!(error, DatabaseUrlError::Value { .. }), "{options}: {error}");
        }
        let error = parse("postgres://u:pass?Canary9=1@h/d").unwrap_err();
        assert!(!error.to_string().contains("anary"), "{error}");
    }

    #[test]
    fn nobody_is_shown_the_password() {
        let url = parse("postgres://u:canary@h/d").unwrap();
        assert!(!format!("{url} {url:?} {url:#?}").contains("canary"));
    }
}
