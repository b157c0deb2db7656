//! Values that did not open, and secrets that went back: named in the log when they are met, and remembered for `pawl doctor`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pawl_core::arn::SecretArn;
use pawl_core::limits;
use pawl_keyring::SealContext;

/// What of this host's store was not as it should be since it was started: what it is, and what is wrong with it.
#[derive(Default)]
pub(super) struct Damage(Mutex<BTreeMap<String, String>>);

impl Damage {
    /// Notes a value that did not open.
    pub(super) fn note(&self, context: &SealContext<'_>, why: &dyn std::fmt::Display) {
        tracing::error!(
            secret.arn = context.arn,
            version = context.version_id,
            %why,
            "a stored value does not open, and was not given to anybody"
        );
        let what = format!("version {} of {}", context.version_id, context.arn);
        self.remember(what, format!("does not open: {why}"));
    }

    /// Notes a secret that the store has in an older state than this host has seen.
    pub(super) fn note_back(&self, arn: &SecretArn, seen: u64, found: u64) {
        tracing::error!(
            secret.arn = %arn,
            seen,
            found,
            "a secret went back to an earlier revision in the store, and was not given to anybody"
        );
        let why = "went back to an earlier revision in the store: it was put back from an older copy, or the database has lost                    changes; find out why, and restart the hosts to accept it";
        self.remember(arn.to_string(), why.to_owned());
    }

    fn remember(&self, what: String, why: String) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < limits::STORE_PROBLEMS_MAX || known.contains_key(&what) {
            known.insert(what, why);
        }
    }

    /// What was noted.
    pub(super) fn list(&self) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(what, why)| format!("{what} {why}")).collect()
    }
}
