//! What a secret says about a login.

use std::fmt;

use pawl_core::document::{Document, FieldKind};
use pawl_core::function::Engine;
use pawl_core::value::SecretBytes;

/// PostgreSQL's port.
const POSTGRES_PORT: u16 = 5432;
/// MySQL's and MariaDB's port.
const MYSQL_PORT: u16 = 3306;
/// The database that every PostgreSQL server has.
const POSTGRES_DATABASE: &str = "postgres";

/// What protects a login on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// TLS, with the server's certificate and name verified. Nothing weaker in its place, ever.
    VerifiedTls,
    /// Nothing, because the secret says `"ssl": false`.
    Plain,
}

/// The login that a version of a secret describes.
pub struct Login {
    /// The kind of server.
    pub engine: Engine,
    /// The host's name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The account.
    pub username: String,
    /// Its password.
    pub password: SecretBytes,
    /// The database to open; none where the engine needs none and the secret names none.
    pub database: Option<String>,
    /// What protects it.
    pub protection: Protection,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({:?} `{}` at {}:{})", self.engine, self.username, self.host, self.port)
    }
}

/// Why a secret describes no login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedLogin {
    /// A field that must be there.
    #[error("the secret's field `{0}` is missing, empty or not text")]
    Missing(&'static str),
    /// A field that holds the character that ends a text on the wire.
    #[error("the secret's field `{0}` holds a NUL character")]
    Nul(&'static str),
    /// An engine that Pawl has no driver for.
    #[error(
        "the secret's field `engine` names no engine that Pawl can log in to (postgres, aurora-postgresql, \
         mysql, aurora-mysql, mariadb)"
    )]
    Engine,
    /// A port that is none.
    #[error("the secret's field `port` is not a number from 1 to 65535")]
    Port,
    /// Neither true nor false.
    #[error("the secret's field `ssl` is neither true nor false")]
    Ssl,
    /// A field of the wrong kind.
    #[error("the secret's field `{0}` is not text")]
    NotText(&'static str),
}

impl Login {
    /// Whether it is the same login, at the same place and with the same password.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let Self { engine, host, port, username, password, database, protection } = self;
        (*engine, host, *port, username) == (other.engine, &other.host, other.port, &other.username)
            && (database, *protection) == (&other.database, other.protection)
            && password.same_as(&other.password)
    }

    /// Reads a secret's fields, by the names that AWS's rotation functions have for them.
    ///
    /// # Errors
    /// When a field is missing or makes no sense. Nothing is guessed in its place.
    pub fn parse(document: &Document) -> Result<Self, MalformedLogin> {
        let engine = match document.text("engine").as_deref() {
            Some("postgres" | "aurora-postgresql") => Engine::Postgres,
            Some("mysql" | "aurora-mysql") => Engine::Mysql,
            Some("mariadb") => Engine::Mariadb,
            Some(_) => return Err(MalformedLogin::Engine),
            None => return Err(MalformedLogin::Missing("engine")),
        };
        let host = required(document, "host")?;
        let username = required(document, "username")?;
        let password = document
            .sensitive("password")
            .filter(|password| !password.is_empty())
            .ok_or(MalformedLogin::Missing("password"))?;
        if password.expose().contains(&0) {
            return Err(MalformedLogin::Nul("password"));
        }
        let database = match document.kind("dbname") {
            Some(FieldKind::Nested) => return Err(MalformedLogin::NotText("dbname")),
            _ => document.text("dbname").filter(|name| !name.is_empty()),
        };
        let (port_default, database_default) = match engine {
            Engine::Postgres => (POSTGRES_PORT, Some(POSTGRES_DATABASE.to_owned())),
            Engine::Mysql | Engine::Mariadb => (MYSQL_PORT, None),
        };
        let database = database.or(database_default).map(|name| without_nul("dbname", name)).transpose()?;
        Ok(Self {
            engine,
            host,
            port: port(document, port_default)?,
            username,
            password,
            database,
            protection: protection(document)?,
        })
    }
}

fn required(document: &Document, field: &'static str) -> Result<String, MalformedLogin> {
    let text = document.text(field).filter(|text| !text.is_empty()).ok_or(MalformedLogin::Missing(field))?;
    without_nul(field, text)
}

fn without_nul(field: &'static str, text: String) -> Result<String, MalformedLogin> {
    if text.contains('\0') { Err(MalformedLogin::Nul(field)) } else { Ok(text) }
}

fn port(document: &Document, default: u16) -> Result<u16, MalformedLogin> {
    match document.kind("port") {
        None | Some(FieldKind::Null) => Ok(default),
        Some(FieldKind::Text | FieldKind::Number) => document
            .text("port")
            .filter(|text| text.bytes().all(|c| c.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .filter(|port| *port != 0)
            .ok_or(MalformedLogin::Port),
        Some(FieldKind::Boolean | FieldKind::Nested) => Err(MalformedLogin::Port),
    }
}

fn protection(document: &Document) -> Result<Protection, MalformedLogin> {
    match document.kind("ssl") {
        None | Some(FieldKind::Null) => Ok(Protection::VerifiedTls),
        Some(FieldKind::Boolean | FieldKind::Text) => {
            match document.text("ssl").map(|text| text.to_ascii_lowercase()).as_deref() {
                Some("true") => Ok(Protection::VerifiedTls),
                Some("false") => Ok(Protection::Plain),
                _ => Err(MalformedLogin::Ssl),
            }
        }
        Some(FieldKind::Number | FieldKind::Nested) => Err(MalformedLogin::Ssl),
    }
}

#[cfg(test)]
mod tests {
    use pawl_core::value::SecretValue;

    use super::*;

    /// A complete secret with `more` added or put in place of what it has.
    fn login(more: &serde_json::Value) -> Result<Login, MalformedLogin> {
        let mut json =
            serde_json::json!({"engine": "postgres", "host": "db", "username": "app", "password": "pw"});
        for (field, value) in more.as_object().unwrap() {
            json[field] = value.clone();
        }
        Login::parse(&Document::parse(&SecretValue::text(json.to_string()).unwrap()).unwrap())
    }

    #[test]
    fn defaults_are_the_safe_ones() {
        let it = login(&serde_json::json!({"dbname": null})).unwrap();
        assert_eq!(
            (it.port, it.database.as_deref(), it.protection),
            (5432, Some("postgres"), Protection::VerifiedTls)
        );
        assert_eq!(login(&serde_json::json!({"dbname": ""})).unwrap().database.as_deref(), Some("postgres"));
        for (engine, expected) in
            [("mysql", Engine::Mysql), ("aurora-mysql", Engine::Mysql), ("mariadb", Engine::Mariadb)]
        {
            let it = login(&serde_json::json!({"engine": engine})).unwrap();
            assert_eq!(
                (it.engine, it.port, it.database, it.protection),
                (expected, 3306, None, Protection::VerifiedTls)
            );
            let it = login(&serde_json::json!({"engine": engine, "dbname": "shop"})).unwrap();
            assert_eq!(it.database.as_deref(), Some("shop"));
        }
        assert!(!format!("{it:?}").contains("pw"));
    }

    #[test]
    fn every_spelling_of_a_field_is_read_or_refused() {
        use serde_json::json;
        for port in [json!(6000), json!("6000")] {
            assert_eq!(login(&json!({"port": port})).unwrap().port, 6000);
        }
        for port in [
            json!(0),
            json!(65_536),
            json!(""),
            json!("+1"),
            json!(1.5),
            json!(true),
            json!([1]),
            json!("5e3"),
        ] {
            assert_eq!(login(&json!({"port": port})).unwrap_err(), MalformedLogin::Port, "{port}");
        }
        for ssl in [json!(true), json!("TRUE"), json!("true"), json!(null)] {
            assert_eq!(login(&json!({"ssl": ssl})).unwrap().protection, Protection::VerifiedTls);
        }
        for ssl in [json!(false), json!("False")] {
            assert_eq!(login(&json!({"ssl": ssl})).unwrap().protection, Protection::Plain);
        }
        for ssl in [json!(0), json!(1), json!("no"), json!("0"), json!(""), json!({}), json!("disable")] {
            assert_eq!(login(&json!({"ssl": ssl})).unwrap_err(), MalformedLogin::Ssl, "{ssl}");
        }
        for engine in [json!("MySQL"), json!("Postgres"), json!("oracle"), json!("")] {
            assert_eq!(login(&json!({"engine": engine})).unwrap_err(), MalformedLogin::Engine);
        }
        assert!(login(&json!({"engine": "aurora-postgresql"})).is_ok());
        for field in ["engine", "host", "username", "password"] {
            assert_eq!(login(&json!({field: null})).unwrap_err(), MalformedLogin::Missing(field));
        }
        for field in ["host", "username", "password", "dbname"] {
            assert_eq!(login(&json!({field: "a\0b"})).unwrap_err(), MalformedLogin::Nul(field));
        }
        assert_eq!(login(&json!({"password": 5})).unwrap_err(), MalformedLogin::Missing("password"));
        assert_eq!(login(&json!({"dbname": {}})).unwrap_err(), MalformedLogin::NotText("dbname"));
    }
}
