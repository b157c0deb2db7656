//! Failed logins that a rotation may spend.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pawl_core::limits;

use crate::database::Login;

/// Counts an account's refused logins in a row, over all steps and tries of one rotation.
///
/// Servers lock an account after some refused logins in a row and forget them when a login succeeds, so the same is counted
/// here. Every try of set-secret begins with a login as the pending version, which is refused when all is well, and goes on to
/// a login that succeeds: however often that is repeated, it spends nothing. Where no version's password is right, three refused
/// logins (pending, current, previous) are all that the account ever sees of this rotation.
#[derive(Debug, Default)]
pub struct LoginBudget(Mutex<HashMap<Account, u32>>);

/// An account on a server.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Account {
    host: String,
    port: u16,
    username: String,
}

impl Account {
    fn of(login: &Login) -> Self {
        Self { host: login.host.to_ascii_lowercase(), port: login.port, username: login.username.clone() }
    }
}

impl LoginBudget {
    /// Whether this account may be tried once more.
    pub(super) fn allows(&self, login: &Login) -> bool {
        self.counted(|counts| {
            counts.get(&Account::of(login)).copied().unwrap_or(0) < limits::FAILED_LOGINS_MAX
        })
    }

    pub(super) fn refused(&self, login: &Login) {
        self.counted(|counts| {
            let count = counts.entry(Account::of(login)).or_default();
            *count = count.saturating_add(1);
        });
    }

    pub(super) fn succeeded(&self, login: &Login) {
        self.counted(|counts| {
            counts.remove(&Account::of(login));
        });
    }

    fn counted<T>(&self, work: impl FnOnce(&mut HashMap<Account, u32>) -> T) -> T {
        // A count is whole at any moment, so one that a panic left behind is as good as any.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
