mod server;

use std::sync::Arc;

use sqlx::{Executor, SqlSafeStr};
use tokio::sync::OnceCell;

use self::server::{Server, shared};
use super::*;
use crate::conformance::Backend;
use crate::conformance_suite;
use crate::error::Outage;

/// A database of its own on a server.
struct Database<'s> {
    server: &'s Server,
    name: OnceCell<String>,
}

impl Database<'static> {
    fn new() -> Self {
        Database { server: shared(), name: OnceCell::new() }
    }
}

impl Database<'_> {
    async fn name(&self) -> &str {
        self.name.get_or_init(|| self.server.database()).await
    }

    async fn url(&self) -> DatabaseUrl {
        self.server.url(self.name().await)
    }

    async fn store(&self, lease_clock: LeaseClock) -> PostgresStore {
        let options = PostgresOptions { lease_clock, ..PostgresOptions::default() };
        PostgresStore::open(&self.url().await, options).await.unwrap()
    }

    async fn raw(&self) -> PgConnection {
        self.server.admin(self.name().await).await.unwrap()
    }
}

impl Backend for Database<'_> {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store(LeaseClock::Caller).await)
    }
}

conformance_suite!(Database::new());

#[tokio::test]
async fn every_statement_prepares() {
    let database = Database::new();
    let store = database.store(LeaseClock::Database).await;
    let mut connection = database.raw().await;
    for &(name, statement) in sql::ALL {
        let prepared = connection.prepare(statement.into_sql_str()).await;
        assert!(prepared.is_ok(), "{name}: {:?}", prepared.err());
    }
    store.close().await;
    assert_eq!(store.meta("a").await, Err(StoreError::Unavailable(Outage::Closed)));
}
