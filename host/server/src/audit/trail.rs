//! What a call has touched on its way: noted where it is known, and written down at the edge.

use std::sync::{Arc, Mutex, PoisonError};

/// The use of a KMS key by another service for the caller.
#[derive(Clone, Debug)]
pub(crate) struct KeyUse {
    /// `Decrypt` or `GenerateDataKey`.
    pub(crate) operation: &'static str,
    /// The key.
    pub(crate) key: String,
    /// The encryption context: the secret and its version.
    pub(crate) secret: String,
    pub(crate) version: String,
    /// Whether the key was not to be used.
    pub(crate) denied: bool,
}

#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) resources: Vec<String>,
    pub(super) keys: Vec<KeyUse>,
}

/// Where a call is noted; nowhere for Pawl's own work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail(Option<Arc<Mutex<Touched>>>);

impl Trail {
    pub(super) fn begin() -> Self {
        Self(Some(Arc::default()))
    }

    /// The call is about this.
    pub(crate) fn about(&self, arn: &str) {
        let Some(touched) = &self.0 else { return };
        let mut touched = touched.lock().unwrap_or_else(PoisonError::into_inner);
        if !touched.resources.iter().any(|noted| noted == arn) {
            touched.resources.push(arn.to_owned());
        }
    }

    /// The call has used a key.
    pub(crate) fn used(&self, key: impl FnOnce() -> KeyUse) {
        if let Some(touched) = &self.0 {
            touched.lock().unwrap_or_else(PoisonError::into_inner).keys.push(key());
        }
    }

    pub(super) fn take(&self) -> Touched {
        let taken = |touched: &Arc<Mutex<Touched>>| {
            std::mem::take(&mut *touched.lock().unwrap_or_else(PoisonError::into_inner))
        };
        self.0.as_ref().map(taken).unwrap_or_default()
    }
}
