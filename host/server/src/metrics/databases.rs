//! Logins to the databases whose passwords are rotated.

use std::sync::Arc;

use pawl_core::function::Engine;
use pawl_runtime::database::{Driver, Login, LoginFailure, Session, Work};
use pawl_runtime::dial::Destination;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// How many logins ended how.
#[derive(Clone, Default)]
pub(super) struct Logins(Family<[(&'static str, &'static str); 2], Counter>);

impl Logins {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let logins = Self::default();
        registry.register("pawl_database_logins", "Logins to databases by their outcome", logins.0.clone());
        logins
    }

    fn ended(&self, engine: Engine, outcome: &'static str) {
        let engine = match engine {
            Engine::Postgres => "postgres",
            Engine::Mysql => "mysql",
            Engine::Mariadb => "mariadb",
        };
        self.0.get_or_create(&[("engine", engine), ("outcome", outcome)]).inc();
    }
}

/// A driver whose logins are counted.
pub(crate) struct MeteredDriver {
    driver: Arc<dyn Driver>,
    logins: Logins,
}

impl MeteredDriver {
    pub(super) fn new(driver: Arc<dyn Driver>, logins: Logins) -> Self {
        Self { driver, logins }
    }
}

impl Driver for MeteredDriver {
    fn engine(&self) -> Engine {
        self.driver.engine()
    }

    fn waits_for_clients(&self) -> bool {
        self.driver.waits_for_clients()
    }

    fn login<'a>(
        &'a self,
        to: &'a Destination,
        login: &'a Login,
    ) -> Work<'a, Box<dyn Session>, LoginFailure> {
        Box::pin(async move {
            let done = self.driver.login(to, login).await;
            let outcome = match &done {
                Ok(_) => "ok",
                Err(LoginFailure::Refused(_)) => "refused",
                Err(LoginFailure::Unreachable(_)) => "unreachable",
                Err(LoginFailure::Untrusted(_)) => "untrusted",
                Err(LoginFailure::NotGranted(_)) => "not-granted",
                Err(LoginFailure::Rejected(_)) => "rejected",
            };
            self.logins.ended(self.engine(), outcome);
            done
        })
    }
}
