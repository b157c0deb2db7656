//! What a rotation's claim has come to and has not stored yet.
//!
//! A durable commit is a wait for the disk, and from the moment in which a server has the new password until AWSCURRENT names it,
//! a wait is time in which an application reads a password that opens nothing. So the good ends of steps are stored with what is
//! stored next: those of setSecret and testSecret with the promotion (ADR 15), and createSecret's, with the pending value itself,
//! with the note that the password is about to be sent, or before it leaves the host in any other way (ADR 25). A crash in
//! between loses what may be lost: a password that nobody has, and steps that are run again, as after a crash just before their end
//! was stored. The explorer in `core` walks it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pawl_core::names::VersionId;
use pawl_core::rotation::{Outcome, Rotation, Step, StepRun};
use pawl_core::secret::{Put, RotationDeedError, Secret};
use pawl_core::value::SecretValue;
use pawl_core::version::ContentMark;
use pawl_core::world::{Rng, Timestamp};

use crate::app::Draft;
use crate::error::AppError;

/// What a claim's runner and its steps know, and the store does not.
#[derive(Clone, Default)]
pub(super) struct Ahead(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// Whether anything is stored later; a drill's host may die after every call.
    waits: bool,
    pending: Option<Pending>,
    ends: Vec<(Step, StepRun)>,
}

/// The pending version's value, and its mark.
struct Pending {
    value: SecretValue,
    mark: ContentMark,
}

impl Ahead {
    /// Of a claim whose host goes on from step to step.
    pub(super) fn waiting() -> Self {
        Self(Arc::new(Mutex::new(Known { waits: true, ..Known::default() })))
    }

    /// Whether the end of this step may be stored later.
    pub(super) const fn may_wait(rotation: &Rotation, step: Step, outcome: &Outcome) -> bool {
        !matches!(step, Step::FinishSecret) && matches!(outcome, Outcome::Done) && !rotation.check
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is put is stored later.
    pub(super) fn waits(&self) -> bool {
        self.known().waits
    }

    /// The pending version has this value.
    pub(super) fn put(&self, value: SecretValue, mark: ContentMark) {
        self.known().pending = Some(Pending { value, mark });
    }

    /// The pending version's value, while the store does not have it.
    pub(super) fn pending(&self) -> Option<SecretValue> {
        self.known().pending.as_ref().map(|pending| pending.value.duplicate())
    }

    /// A step has ended well.
    pub(super) fn push(&self, step: Step, run: StepRun) {
        self.known().ends.push((step, run));
    }

    /// Takes the last one back, to store it at once.
    pub(super) fn pop(&self) {
        let _last = self.known().ends.pop();
    }

    /// All of it is stored, or came to nothing.
    pub(super) fn clear(&self) {
        let mut known = self.known();
        known.pending = None;
        known.ends.clear();
    }

    /// Whether the store knows all there is to know.
    pub(super) fn is_empty(&self) -> bool {
        let known = self.known();
        known.pending.is_none() && known.ends.is_empty()
    }

    /// Makes `secret` what it is with what is not stored. What it has moved past already changes nothing.
    pub(super) fn show(&self, secret: &mut Secret, token: &VersionId, now: Timestamp, rng: &dyn Rng) {
        let known = self.known();
        if let Some(pending) = &known.pending {
            // Where it is refused, the rotation no longer owns the secret, as its next call finds.
            let _refused = secret.put_pending(token, &pending.mark);
        }
        for (step, run) in &known.ends {
            secret.step_ended(token, (*step, Outcome::Done), run.clone(), now, rng);
        }
    }

    /// Has all of it stored with a change.
    ///
    /// # Errors
    /// When the pending version cannot have its value any more. Then nothing that was built on it may be stored either.
    pub(super) fn store(
        &self,
        draft: &mut Draft<'_>,
        token: &VersionId,
        rng: &dyn Rng,
    ) -> Result<(), AppError> {
        let known = self.known();
        if let Some(Pending { value, mark }) = &known.pending
            && draft.put_pending(token, value)? == Put::AlreadyThere
        {
            let there = draft.secret.versions.get(token).and_then(|version| version.content.as_ref());
            if there != Some(mark) {
                // A person has put another one under the rotation's token. That is the one that counts, and this one nobody has.
                return Err(RotationDeedError::Superseded.into());
            }
        }
        for (step, run) in &known.ends {
            draft.secret.step_ended(token, (*step, Outcome::Done), run.clone(), draft.now, rng);
        }
        Ok(())
    }
}
