//! An account of a test's own on the PostgreSQL that the user names, gone when the test is over.

use std::path::Path;

use pawl_core::value::SecretBytes;
use pawl_runtime::database::TlsRoots;
use pawl_server::world::{SystemRng, uuid};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::CommandError;

const PORT: u16 = 5432;
const DATABASE: &str = "postgres";

/// The account, and the administrator's login that made it.
pub(super) struct Account {
    admin: Client,
    role: String,
    place: String,
    value: SecretBytes,
}

fn failed(text: String) -> CommandError {
    CommandError::Failed(text)
}

impl Account {
    /// Logs in as the URL says, which must be somebody who may make roles, and makes one.
    pub(super) async fn create(url: &str, authorities: Option<&Path>) -> Result<Self, CommandError> {
        // The library's own error would repeat the URL, with its password.
        let config: Config = url.parse().map_err(|_| {
            failed("the database is named as postgres://ADMIN:PASSWORD@HOST:PORT/DATABASE".to_owned())
        })?;
        let Some(Host::Tcp(host)) = config.get_hosts().first() else {
            return Err(failed(
                "the database must be named by host and port: Pawl logs in over TCP".to_owned(),
            ));
        };
        let port = config.get_ports().first().copied().unwrap_or(PORT);
        let place = format!("{host}:{port}");
        let plain = config.get_ssl_mode() == SslMode::Disable;
        let admin = connect(config.clone(), plain, authorities, &place).await?;
        let id: String = uuid(&SystemRng).chars().filter(char::is_ascii_hexdigit).take(12).collect();
        let (role, password) = (format!("pawl_test_{id}"), uuid(&SystemRng));
        // Both are letters, digits and `-` of our own making.
        admin.batch_execute(&format!("CREATE ROLE \"{role}\" LOGIN PASSWORD '{password}'")).await.map_err(
            |error| {
                let why = code(&error);
                failed(format!(
                    "{place} does not let the administrator make a role ({why}); name one who may"
                ))
            },
        )?;
        let value = serde_json::json!({
            "engine": "postgres", "host": host, "port": port, "username": role, "password": password,
            "dbname": config.get_dbname().unwrap_or(DATABASE), "ssl": !plain,
        });
        Ok(Self { admin, role, place, value: SecretBytes::from(value.to_string()) })
    }

    /// The secret's first value.
    pub(super) fn value(&self) -> SecretBytes {
        self.value.duplicate()
    }

    /// Who and where, for people.
    pub(super) fn name(&self) -> String {
        format!("the account {} on {}", self.role, self.place)
    }

    /// Removes it.
    pub(super) async fn remove(self) -> Result<(), CommandError> {
        let role = &self.role;
        let removed = self.admin.batch_execute(&format!("DROP ROLE \"{role}\"")).await;
        removed.map_err(|error| {
            let why = code(&error);
            failed(format!(
                "{} could not be removed ({why}); remove it by: DROP ROLE \"{role}\"",
                self.name()
            ))
        })
    }
}

async fn connect(
    config: Config,
    plain: bool,
    authorities: Option<&Path>,
    place: &str,
) -> Result<Client, CommandError> {
    let told = |error: tokio_postgres::Error| {
        let advice =
            if plain { "" } else { "; a server without TLS is named with ?sslmode=disable at the end" };
        failed(format!("the administrator cannot log in to {place}: {}{advice}", code(&error)))
    };
    if plain {
        let (client, connection) = config.connect(NoTls).await.map_err(told)?;
        tokio::spawn(connection);
        return Ok(client);
    }
    let roots = TlsRoots::load(authorities).map_err(|error| failed(error.to_string()))?;
    let mut config = config;
    config.ssl_mode(SslMode::Require);
    let (client, connection) = config.connect(MakeRustlsConnect::new(roots.client())).await.map_err(told)?;
    tokio::spawn(connection);
    Ok(client)
}

/// Why, without the statement, which holds a password.
fn code(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{}, {}", error.message(), error.code().code()),
        None => error.to_string(),
    }
}
