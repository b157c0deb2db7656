//! Steps that have ended well and are not stored yet.
//!
//! From the moment in which a server has the new password until AWSCURRENT names it, every commit is time in which an
//! application reads a password that opens nothing. So the good ends of setSecret and testSecret are stored together with the
//! promotion, and that of createSecret with the note that the password is about to be sent. A crash in between loses what may be lost: the step is run again, as after a crash just before its end was stored
//! (ADR 15; the explorer in `core` walks it).

use std::sync::{Arc, Mutex, PoisonError};

use pawl_core::names::VersionId;
use pawl_core::rotation::{Outcome, Rotation, Step, StepRun};
use pawl_core::secret::Secret;
use pawl_core::world::{Rng, Timestamp};

/// What a claim's runner and its steps know, and the store does not.
#[derive(Clone, Default)]
pub(super) struct Ahead(Arc<Mutex<Vec<(Step, StepRun)>>>);

impl Ahead {
    /// Whether the end of this step may be stored later.
    pub(super) const fn may_wait(rotation: &Rotation, step: Step, outcome: &Outcome) -> bool {
        !matches!(step, Step::FinishSecret) && matches!(outcome, Outcome::Done) && !rotation.check
    }

    fn ends(&self) -> std::sync::MutexGuard<'_, Vec<(Step, StepRun)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A step has ended well.
    pub(super) fn push(&self, step: Step, run: StepRun) {
        self.ends().push((step, run));
    }

    /// Takes the last one back, to store it at once.
    pub(super) fn pop(&self) {
        let _last = self.ends().pop();
    }

    /// All of it is stored.
    pub(super) fn clear(&self) {
        self.ends().clear();
    }

    /// Whether the store knows all there is to know.
    pub(super) fn is_empty(&self) -> bool {
        self.ends().is_empty()
    }

    /// Makes `secret` what it is with the ends that are not stored. What it has moved past already changes nothing.
    pub(super) fn apply(&self, secret: &mut Secret, token: &VersionId, now: Timestamp, rng: &dyn Rng) {
        for (step, run) in &*self.ends() {
            secret.step_ended(token, (*step, Outcome::Done), run.clone(), now, rng);
        }
    }
}
