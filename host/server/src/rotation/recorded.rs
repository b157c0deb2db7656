//! What the audit log is told of a rotation's steps. It is stored with the end of the step, and so neither lost nor told of a step
//! whose end was not stored.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pawl_core::rotation::{Outcome, Rotation, Step};
use serde_json::{Value, json};

use crate::functions::Resolved;

/// Steps that have ended and whose record is not stored yet.
#[derive(Default)]
pub(super) struct EndedSteps(Mutex<Vec<Value>>);

impl EndedSteps {
    /// A step has ended.
    pub(super) fn note(
        &self,
        function: Option<&Resolved>,
        rotation: &Rotation,
        (step, outcome): (Step, &Outcome),
        took: Duration,
    ) {
        let (ended, reason) = match outcome {
            Outcome::Done => ("Done", None),
            Outcome::Transient(reason) => ("Failed", Some(reason)),
            Outcome::Permanent(reason) => ("GivenUp", Some(reason)),
            Outcome::Superseded => ("Superseded", None),
        };
        let mut told = json!({
            "name": "RotationStep",
            "step": step.name(),
            "outcome": ended,
            "versionId": rotation.token.as_str(),
            "functionArn": rotation.function.to_string(),
            "functionDigest": rotation.digest.to_string(),
            "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
        if let (Some(reason), Some(told)) = (reason, told.as_object_mut()) {
            told.insert("reason".to_owned(), json!(reason));
        }
        if let (Some(function), Some(told)) = (function, told.as_object_mut()) {
            told.insert("functionVersionArn".to_owned(), json!(function.arn.to_string()));
            told.insert("grants".to_owned(), json!(&*function.grants));
        }
        self.steps().push(told);
    }

    pub(super) fn all(&self) -> Vec<Value> {
        self.steps().clone()
    }

    pub(super) fn clear(&self) {
        self.steps().clear();
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
