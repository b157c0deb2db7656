//! Values that did not open: named in the log when they are met, and remembered for `pawl doctor`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pawl_core::limits;
use pawl_keyring::SealContext;

/// Values of this host's store that did not open since it was started.
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
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let what = format!("version {} of {}", context.version_id, context.arn);
        if known.len() < limits::STORE_PROBLEMS_MAX || known.contains_key(&what) {
            known.insert(what, why.to_string());
        }
    }

    /// What was noted.
    pub(super) fn list(&self) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(what, why)| format!("{what} does not open: {why}")).collect()
    }
}
