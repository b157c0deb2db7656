//! The databases whose passwords are turned.

mod mariadb;
mod postgres;

use pawl_tests::postgres::Login;
use serde_json::Value;

use super::wire::Protocol;

/// How a rotation goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strategy {
    /// The account changes its own password.
    Single,
    /// A master makes, and then keeps, a second account that can do the same; the two take turns.
    Alternating,
}

impl Strategy {
    pub(crate) const ALL: [Self; 2] = [Self::Single, Self::Alternating];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Alternating => "alternating",
        }
    }
}

/// Which server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
    /// The newest PostgreSQL there is, where the machine's own is older.
    NewPostgres,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Postgres, Self::MariaDb, Self::NewPostgres];

    /// What it is called on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
            Self::NewPostgres => "postgres18",
        }
    }

    /// A running server of this kind.
    pub(crate) fn start(self) -> Box<dyn Engine> {
        match self {
            Self::Postgres => Box::new(postgres::Server::start(None)),
            Self::MariaDb => Box::new(mariadb::Server::start()),
            Self::NewPostgres => Box::new(postgres::Server::start(Some(postgres::newest()))),
        }
    }
}

/// How a server is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// `kill -9` of all of its processes.
    Killed,
    /// As it ends itself when it is told that there is no time.
    AtOnce,
}

/// A server, its accounts, and what it keeps of their passwords. What it is asked here goes by no wire that is watched.
pub(crate) trait Engine {
    fn port(&self) -> u16;
    fn protocol(&self) -> Protocol;
    fn version(&mut self) -> String;
    fn stop(&mut self, how: End);
    /// Starts it again, and waits until it takes logins.
    fn resume(&mut self);
    /// Makes an account that owns something, was granted something, and was not granted something else.
    fn furnish(&mut self, account: &str, password: &str);
    /// Tries to log in.
    fn login(&mut self, user: &str, password: &str) -> Login;
    /// What a login can do of what there is to do, thing by thing.
    fn abilities(&mut self, user: &str, password: &str, account: &str) -> String;
    /// What the server keeps of an account's password.
    fn kept(&mut self, user: &str) -> Option<String>;
    /// Gives an account another password behind everybody's back.
    fn change(&mut self, user: &str, password: &str);
    /// What is kept of a password, in a statement that gives it to the server.
    fn in_statement(&self, sql: &str) -> Option<String>;
    fn is_of(&self, kept: &str, password: &str) -> bool;
    /// The secret of an account, with the server at this port.
    fn secret(&self, port: u16, user: &str, password: &str) -> Value;
    /// The secret of the master, who may do everything.
    fn master(&self, port: u16) -> Value;
    fn function(&self, strategy: Strategy) -> &'static str;
}
