//! What a rotation does to its secret, and who may say so.

use super::{Put, Secret};
use crate::arn::SecretArn;
use crate::function::{Digest, FunctionArn};
use crate::limits;
use crate::names::{Label, VersionId};
use crate::rotation::{Account, Outcome, Rotation, Status, Step, StepRun};
use crate::version::{ContentMark, Version};
use crate::world::{Rng, Timestamp};

/// Why a rotation could not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotateError {
    /// No function was ever named.
    #[error("No Lambda rotation function ARN is associated with this secret.")]
    NoFunction,
    /// The token already names another version.
    #[error(
        "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}."
    )]
    TokenInUse {
        /// The token.
        token: VersionId,
        /// The secret.
        arn: SecretArn,
    },
}

/// What a rotation begins with, from its first step to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The version of the function; none for what the configuration names, which then has one version only.
    pub function: Option<FunctionArn>,
    /// The code.
    pub digest: Digest,
}

impl From<Digest> for Pin {
    fn from(digest: Digest) -> Self {
        Self { function: None, digest }
    }
}

/// What RotateSecret did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotate {
    /// A rotation with this token begins (or goes on, when it is the same).
    Begun(VersionId),
    /// An earlier one was not complete; it is tried again, and the caller is told so.
    EarlierResumed(VersionId),
}

/// Why a running rotation's own deed was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationDeedError {
    /// The secret no longer belongs to this rotation.
    #[error("superseded")]
    Superseded,
    /// Only createSecret stores the pending value.
    #[error("the pending value is stored by createSecret, and this is a later step")]
    NotCreating,
    /// Only setSecret changes a password.
    #[error("a password is changed by setSecret, and this is another step")]
    NotSetting,
    /// Only finishSecret promotes, and only what testSecret has passed.
    #[error("a version is promoted by finishSecret, after testSecret has passed")]
    NotTested,
}

impl Secret {
    /// RotateSecret, and the schedule's rotation: begins one with `token`, or takes up one that is not complete.
    ///
    /// # Errors
    /// When no function is configured or the token names another version.
    pub fn rotate(
        &mut self,
        token: &VersionId,
        by: impl Into<Pin>,
        now: Timestamp,
    ) -> Result<Rotate, RotateError> {
        let Some(config) = &mut self.rotation_config else { return Err(RotateError::NoFunction) };
        config.enabled = true;
        let Pin { function, digest } = by.into();
        let function = function.unwrap_or_else(|| config.function.clone());
        self.touch(now);
        // A trial makes way: what is asked for now proves more.
        self.end_check(now);
        let unfinished = self.labels.pending().filter(|p| self.labels.current() != Some(p)).cloned();
        if let Some(pending) = unfinished {
            match self.rotation.as_mut().filter(|r| r.token == pending && !r.check) {
                Some(rotation) => rotation.retry_now(function, digest, now),
                None => {
                    self.remember_adrift();
                    self.rotation = Some(Box::new(Rotation::begin(pending.clone(), function, digest, now)));
                }
            }
            return Ok(if pending == *token {
                Rotate::Begun(pending)
            } else {
                Rotate::EarlierResumed(pending)
            });
        }
        if self
            .rotation
            .as_ref()
            .is_some_and(|r| r.token == *token && r.status == Status::Succeeded && !r.check)
        {
            return Ok(Rotate::Begun(token.clone()));
        }
        if self.versions.contains_key(token) {
            return Err(RotateError::TokenInUse { token: token.clone(), arn: self.arn.clone() });
        }
        self.versions.insert(token.clone(), Version::new(now, None));
        self.labels.attach(Label::pending(), token);
        self.remember_adrift();
        self.rotation = Some(Box::new(Rotation::begin(token.clone(), function, digest, now)));
        Ok(Rotate::Begun(token.clone()))
    }

    /// The schedule's rotation: as [`Secret::rotate`], but nobody has looked. What servers have refused is not forgotten, or one
    /// window after another could lock an account; none when an account has been refused so often that a person must look.
    ///
    /// # Errors
    /// As [`Secret::rotate`].
    pub fn rotate_by_schedule(
        &mut self,
        token: &VersionId,
        by: impl Into<Pin>,
        now: Timestamp,
    ) -> Result<Option<Rotate>, RotateError> {
        if !self.schedule_may_rotate() {
            return Ok(None);
        }
        let refusals = self.rotation.as_deref().map(|rotation| rotation.refusals.clone());
        let begun = self.rotate(token, by, now)?;
        if let Some((rotation, refusals)) = self.rotation.as_mut().zip(refusals) {
            rotation.refusals = refusals;
        }
        Ok(Some(begun))
    }

    /// RotateSecret with `RotateImmediately` false: tries the configuration with testSecret alone, on a temporary AWSPENDING
    /// version whose content is the current one's. The version to copy from; none when there is nothing to try: the secret has
    /// no value yet, or a rotation that is not complete has AWSPENDING and will try the configuration itself.
    ///
    /// # Errors
    /// When no function is configured or the token names another version.
    pub fn begin_check(
        &mut self,
        token: &VersionId,
        by: impl Into<Pin>,
        now: Timestamp,
    ) -> Result<Option<VersionId>, RotateError> {
        let Some(config) = &self.rotation_config else { return Err(RotateError::NoFunction) };
        let Pin { function, digest } = by.into();
        let function = function.unwrap_or_else(|| config.function.clone());
        if self.rotation.as_ref().is_some_and(|r| r.check && r.token == *token && !r.swept) {
            return Ok(None); // The same request again.
        }
        self.end_check(now);
        if self.versions.contains_key(token) {
            return Err(RotateError::TokenInUse { token: token.clone(), arn: self.arn.clone() });
        }
        let busy = self.labels.pending().is_some_and(|p| self.labels.current() != Some(p));
        let current = self.labels.current().cloned();
        let Some(current) = current.filter(|id| !busy && self.has_value(id)) else { return Ok(None) };
        self.versions.insert(token.clone(), Version::new(now, None));
        self.labels.attach(Label::pending(), token);
        self.remember_adrift();
        self.rotation = Some(Box::new(Rotation::check(token.clone(), function, digest, now)));
        self.touch(now);
        Ok(Some(current))
    }

    /// The temporary version of [`Secret::begin_check`] gets its content.
    pub fn fill_check(&mut self, token: &VersionId, content: &ContentMark) {
        if let Some(version) = self.versions.get_mut(token) {
            version.content = Some(content.clone());
        }
    }

    pub(super) fn has_value(&self, id: &VersionId) -> bool {
        self.versions.get(id).is_some_and(|version| version.content.is_some())
    }

    /// The token of a trial that is under way: its version is nobody else's.
    pub(super) fn trial(&self) -> Option<&VersionId> {
        self.rotation.as_deref().filter(|r| r.check && r.status.running().is_some()).map(|r| &r.token)
    }

    fn end_check(&mut self, now: Timestamp) {
        if let Some(check) = self.rotation.as_mut().filter(|r| r.check) {
            check.cancel(now);
        }
        self.drop_ended_check();
    }

    /// A trial that has ended, however it did, takes its temporary version with it. Once: a version that has its token later is
    /// a caller's.
    pub(super) fn drop_ended_check(&mut self) {
        let ended = |r: &&mut Box<Rotation>| r.check && !r.swept && r.status.running().is_none();
        let Some(check) = self.rotation.as_mut().filter(ended) else { return };
        check.swept = true;
        let token = check.token.clone();
        if self.labels.pending() == Some(&token) {
            self.labels.detach(&Label::pending());
        }
        // A person may have given it another label: then it is theirs.
        if !self.labels.any_on(&token) {
            self.versions.remove(&token);
        }
    }

    /// CancelRotateSecret; the token of the rotation that it ended, if one was running. AWSPENDING stays, as on AWS.
    pub fn cancel_rotation(&mut self, now: Timestamp) -> Option<VersionId> {
        if let Some(config) = &mut self.rotation_config {
            config.enabled = false;
        }
        (self.next_rotation_at, self.next_window) = (None, None);
        self.touch(now);
        let cancelled = self.rotation.as_mut().filter(|r| r.status.running().is_some()).map(|rotation| {
            rotation.cancel(now);
            rotation.token.clone()
        });
        self.drop_ended_check();
        cancelled
    }

    /// The running rotation, if `token` still owns the secret.
    ///
    /// # Errors
    /// [`RotationDeedError::Superseded`] when it does not.
    pub fn owned_by(&self, token: &VersionId) -> Result<&Rotation, RotationDeedError> {
        self.rotation
            .as_deref()
            .filter(|r| r.token == *token && r.status.running().is_some())
            .filter(|_| self.labels.pending() == Some(token) || self.labels.current() == Some(token))
            .ok_or(RotationDeedError::Superseded)
    }

    /// A rotation's createSecret stores its value. The first value stays.
    ///
    /// # Errors
    /// When the rotation does not own the secret or is past that step.
    pub fn put_pending(
        &mut self,
        token: &VersionId,
        content: &ContentMark,
    ) -> Result<Put, RotationDeedError> {
        let creating = self.owned_by(token)?.is_at(Step::CreateSecret);
        let version = self.versions.get_mut(token).ok_or(RotationDeedError::Superseded)?;
        if version.content.is_some() {
            return Ok(Put::AlreadyThere);
        }
        if !creating {
            return Err(RotationDeedError::NotCreating);
        }
        version.content = Some(content.clone());
        Ok(Put::Stored)
    }

    /// A rotation's setSecret is about to give its version's password to a server. Noted first, so that whatever comes in between
    /// knows that the server may have it.
    ///
    /// # Errors
    /// When the rotation does not own the secret, is at another step, or has made no value yet.
    pub fn expose(&mut self, token: &VersionId, now: Timestamp) -> Result<(), RotationDeedError> {
        let setting = self.owned_by(token)?.is_at(Step::SetSecret) && self.has_value(token);
        let rotation = self.rotation.as_mut().filter(|_| setting).ok_or(RotationDeedError::NotSetting)?;
        rotation.expose(now);
        Ok(())
    }

    /// A rotation's login was tried; whether the count of refusals has changed.
    ///
    /// # Errors
    /// When the rotation does not own the secret.
    pub fn note_login(
        &mut self,
        token: &VersionId,
        account: Account,
        refused: bool,
    ) -> Result<(), RotationDeedError> {
        self.owned_by(token)?;
        if let Some(rotation) = &mut self.rotation {
            rotation.note_login(account, refused);
        }
        Ok(())
    }

    /// Writes a line of the host's own into a rotation's history; whether it was there already.
    ///
    /// # Errors
    /// When the rotation does not own the secret.
    pub fn notice(&mut self, token: &VersionId, text: &str) -> Result<bool, RotationDeedError> {
        self.owned_by(token)?;
        Ok(self.rotation.as_mut().is_some_and(|rotation| rotation.notice(text)))
    }

    /// Keeps in mind that a server may have the password of the rotation that is about to be forgotten, or was ended.
    pub(super) fn remember_adrift(&mut self) {
        let Some(rotation) = self.rotation.as_deref().filter(|rotation| rotation.leaves_adrift()) else {
            return;
        };
        let token = rotation.token.clone();
        if self.has_value(&token) && !self.adrift.contains(&token) {
            self.adrift.push(token);
            let surplus = self.adrift.len().saturating_sub(limits::ADRIFT_VERSIONS_MAX);
            self.adrift.drain(..surplus);
        }
    }

    /// Versions besides AWSCURRENT, AWSPREVIOUS and the rotation's own whose password a server may have, the likeliest first: of
    /// rotations that were ended in the middle, then what was current in earlier times (a server that was restored from a backup).
    #[must_use]
    pub fn other_candidates(&self, token: &VersionId) -> Vec<VersionId> {
        let named = [self.labels.current(), self.labels.previous(), Some(token)];
        let is_other = |id: &&VersionId| !named.contains(&Some(*id)) && self.has_value(id);
        let mut others: Vec<VersionId> = self.adrift.iter().rev().filter(is_other).cloned().collect();
        let mut earlier: Vec<_> = self.versions.iter().filter(|(id, _)| is_other(id)).collect();
        earlier.sort_by_key(|(_, version)| std::cmp::Reverse(version.created_at));
        for (id, _) in earlier {
            if !others.contains(id) {
                others.push(id.clone());
            }
        }
        others.truncate(limits::OTHER_CANDIDATES_MAX);
        others
    }

    /// Whether the schedule may begin or try again: not where servers have refused an account so often that a person must look.
    #[must_use]
    pub fn schedule_may_rotate(&self) -> bool {
        let unfinished = self.labels.pending().is_some_and(|pending| self.labels.current() != Some(pending));
        !(unfinished && self.rotation.as_deref().is_some_and(Rotation::circuit_is_open))
    }

    /// A rotation's finishSecret moves AWSCURRENT to its version. Repeating it changes nothing.
    ///
    /// # Errors
    /// When the rotation does not own the secret or has not passed its test.
    pub fn promote(&mut self, token: &VersionId, now: Timestamp) -> Result<(), RotationDeedError> {
        let rotation = self.owned_by(token)?;
        let tested = rotation.is_at(Step::FinishSecret)
            && rotation.steps.iter().any(|s| s.step == Step::TestSecret)
            && self.versions.get(token).is_some_and(|v| v.content.is_some());
        if !tested {
            return Err(RotationDeedError::NotTested);
        }
        if self.labels.current() != Some(token) {
            self.labels.attach(Label::current(), token);
            if let Some(version) = self.versions.get_mut(token) {
                version.rotated = true;
            }
            self.touch(now);
        }
        Ok(())
    }

    /// A rotation's step has ended. `finishSecret` has ended well only when AWSCURRENT is the rotation's version, whatever the
    /// rotator says.
    pub fn step_ended(
        &mut self,
        token: &VersionId,
        (step, outcome): (Step, Outcome),
        run: StepRun,
        now: Timestamp,
        rng: &dyn Rng,
    ) {
        // Cancelled, and asked for again before this answer came: it is the rotation's once more, and the step is run again.
        if outcome == Outcome::Superseded && self.owned_by(token).is_ok_and(|rotation| !rotation.check) {
            return;
        }
        let promoted = self.labels.current() == Some(token);
        let Some(rotation) = self.rotation.as_mut().filter(|rotation| rotation.token == *token) else {
            return;
        };
        let outcome = match outcome {
            Outcome::Done if step == Step::FinishSecret && !promoted => Outcome::Permanent(
                "the rotator's finishSecret ended without promoting the new version".to_owned(),
            ),
            outcome => outcome,
        };
        rotation.step_ended(step, outcome, run, now, rng);
        self.settle_rotation(now);
    }

    /// After a rotation's step has ended: when that was the last, AWSPENDING goes and the next date is set.
    fn settle_rotation(&mut self, now: Timestamp) {
        let Some(rotation) = &self.rotation else { return };
        if rotation.check {
            return self.drop_ended_check();
        }
        if rotation.status != Status::Succeeded {
            // A schedule does not wait for a person: the next window tries the same token again.
            if rotation.status.running().is_none() {
                self.reschedule_after_rotation(now);
            }
            return;
        }
        if self.labels.pending() == Some(&rotation.token) {
            self.labels.detach(&Label::pending());
        }
        self.adrift.clear();
        self.last_rotated_at = Some(now);
        self.touch(now);
        self.reschedule_after_rotation(now);
    }

    /// When this secret's rotation is to be worked on; none when nothing runs.
    #[must_use]
    pub fn rotation_due_at(&self) -> Option<Timestamp> {
        self.rotation.as_deref().and_then(Rotation::due_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::FunctionArn;
    use crate::secret::{PutError, RotationConfig};

    struct Zeros;
    impl Rng for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn id(n: u8) -> VersionId {
        format!("{n:032}").parse().unwrap()
    }

    fn mark(n: u8) -> ContentMark {
        ContentMark(n.to_string())
    }

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn configured() -> Secret {
        let (region, name) = ("us-east-1".parse().unwrap(), "x".parse().unwrap());
        let arn = SecretArn::mint(&region, &"000000000000".parse().unwrap(), &name, &Zeros);
        let mut secret = Secret::new(arn, region, name, NOW);
        secret.put(&id(1), &mark(1), &[], NOW).unwrap();
        let function = FunctionArn::given("f".to_owned());
        secret.rotation_config = Some(Box::new(RotationConfig { enabled: true, function, schedule: None }));
        secret
    }

    fn tried(outcome: Option<Outcome>) -> Secret {
        let mut secret = configured();
        let digest = Digest::from_bytes([0; 32]);
        assert_eq!(secret.begin_check(&id(2), digest, NOW).unwrap(), Some(id(1)));
        secret.fill_check(&id(2), &mark(1));
        if let Some(outcome) = outcome {
            secret.step_ended(&id(2), (Step::TestSecret, outcome), StepRun::begun(NOW), NOW, &Zeros);
        }
        secret
    }

    #[test]
    fn a_trial_leaves_nothing_behind_however_it_ends() {
        for outcome in [Outcome::Done, Outcome::Permanent("no".to_owned()), Outcome::Superseded] {
            let secret = tried(Some(outcome));
            assert_eq!(secret.labels.pending(), None);
            assert_eq!(secret.versions.keys().collect::<Vec<_>>(), [&id(1)]);
            assert_eq!((secret.labels.current(), secret.last_rotated_at), (Some(&id(1)), None));
        }
        let mut cancelled = tried(None);
        assert_eq!(cancelled.cancel_rotation(NOW), Some(id(2)));
        assert_eq!(cancelled.versions.len(), 1);
    }

    #[test]
    fn what_a_caller_puts_under_an_ended_trials_token_is_the_callers() {
        let mut secret = tried(Some(Outcome::Done));
        secret.put(&id(2), &mark(2), &[Label::pending()], NOW).unwrap();
        secret.put(&id(3), &mark(3), &["BLUE".parse().unwrap()], NOW).unwrap();
        secret.update_stage(&"BLUE".parse().unwrap(), Some(&id(3)), None, NOW).unwrap();
        assert_eq!(secret.labels.pending(), Some(&id(2)));
        // And a rotation that takes it up is a whole one.
        let begun = secret.rotate(&id(2), Digest::from_bytes([0; 32]), NOW).unwrap();
        assert_eq!(begun, Rotate::Begun(id(2)));
        assert!(secret.rotation.as_ref().is_some_and(|r| !r.check && r.is_at(Step::CreateSecret)));
    }

    /// A rotation with token 2 that has told a server its password.
    fn exposed() -> Secret {
        let mut secret = configured();
        secret.rotate(&id(2), Digest::from_bytes([0; 32]), NOW).unwrap();
        assert_eq!(secret.expose(&id(2), NOW), Err(RotationDeedError::NotSetting));
        secret.put_pending(&id(2), &mark(2)).unwrap();
        secret.step_ended(&id(2), (Step::CreateSecret, Outcome::Done), StepRun::begun(NOW), NOW, &Zeros);
        secret.expose(&id(2), NOW).unwrap();
        secret
    }

    #[test]
    fn a_password_that_a_server_may_have_is_never_forgotten() {
        // A person puts a new value in the middle.
        let mut put = exposed();
        put.put(&id(3), &mark(3), &[], NOW).unwrap();
        // A person takes AWSPENDING away, and rotates anew (the facts' weakness 3).
        let mut taken = exposed();
        taken.update_stage(&Label::pending(), Some(&id(2)), None, NOW).unwrap();
        for mut secret in [put, taken] {
            assert_eq!(secret.expose(&id(2), NOW), Err(RotationDeedError::Superseded));
            assert_eq!(secret.adrift, [id(2)]);
            secret.rotate(&id(4), Digest::from_bytes([0; 32]), NOW).unwrap();
            assert_eq!(secret.other_candidates(&id(4)).first(), Some(&id(2)));
            let later = NOW + std::time::Duration::from_secs(90 * 86_400);
            for n in 100..=250 {
                let old = Version::new(NOW, Some(mark(n)));
                secret.versions.insert(id(n), old);
            }
            assert!(!secret.drop_deprecated(later).contains(&id(2)));
            // Its end makes them history.
            secret.put_pending(&id(4), &mark(4)).unwrap();
            for step in [Step::CreateSecret, Step::SetSecret, Step::TestSecret, Step::FinishSecret] {
                if step == Step::FinishSecret {
                    secret.promote(&id(4), NOW).unwrap();
                }
                secret.step_ended(&id(4), (step, Outcome::Done), StepRun::begun(NOW), NOW, &Zeros);
            }
            assert!(secret.adrift.is_empty() && secret.versions.get(&id(4)).is_some_and(|v| v.rotated));
        }
    }

    #[test]
    fn after_set_no_password_is_changed_any_more() {
        let mut secret = exposed();
        assert_eq!(secret.expose(&id(2), NOW), Ok(()));
        secret.step_ended(&id(2), (Step::SetSecret, Outcome::Done), StepRun::begun(NOW), NOW, &Zeros);
        assert_eq!(secret.expose(&id(2), NOW), Err(RotationDeedError::NotSetting));
    }

    #[test]
    fn cancelling_after_the_password_was_sent_lets_the_rotation_end() {
        let mut secret = exposed();
        assert_eq!(secret.cancel_rotation(NOW), Some(id(2)));
        assert!(secret.owned_by(&id(2)).is_ok() && secret.rotation_due_at().is_some());
        assert!(secret.rotation_config.as_ref().is_some_and(|config| !config.enabled));
    }

    #[test]
    fn refusals_add_up_from_one_window_to_the_next_until_a_person_asks() {
        let (digest, app) = (Digest::from_bytes([0; 32]), Account::new("app", "db", 1));
        let mut secret = configured();
        secret.rotate(&id(2), digest, NOW).unwrap();
        for window in 1..=limits::FAILED_LOGINS_MAX {
            secret.note_login(&id(2), app.clone(), true).unwrap();
            let step = secret.rotation.as_ref().unwrap().status.running().unwrap();
            let outcome = Outcome::Permanent("refused".to_owned());
            secret.step_ended(&id(2), (step, outcome), StepRun::begun(NOW), NOW, &Zeros);
            let begun = secret.rotate_by_schedule(&id(3), digest, NOW).unwrap();
            assert_eq!(begun.is_some(), window < limits::FAILED_LOGINS_MAX, "window {window}");
            assert_eq!(secret.rotation.as_ref().unwrap().refusals_of(&app), window);
        }
        // A token that is new does not forget either.
        secret.update_stage(&Label::pending(), Some(&id(2)), None, NOW).unwrap();
        secret.rotate_by_schedule(&id(4), digest, NOW).unwrap();
        assert!(secret.rotation.as_ref().is_some_and(|it| it.token == id(4) && it.circuit_is_open()));
        secret.rotate(&id(4), digest, NOW).unwrap();
        assert!(!secret.rotation.as_ref().unwrap().circuit_is_open());
    }

    #[test]
    fn an_answer_from_before_a_cancellation_does_not_end_what_was_asked_for_after_it() {
        let mut secret = configured();
        secret.rotate(&id(2), Digest::from_bytes([0; 32]), NOW).unwrap();
        secret.cancel_rotation(NOW);
        assert_eq!(secret.owned_by(&id(2)), Err(RotationDeedError::Superseded), "and its host is told so");
        secret.rotate(&id(3), Digest::from_bytes([0; 32]), NOW).unwrap();
        secret.step_ended(
            &id(2),
            (Step::CreateSecret, Outcome::Superseded),
            StepRun::begun(NOW),
            NOW,
            &Zeros,
        );
        assert!(secret.owned_by(&id(2)).is_ok() && secret.rotation_due_at().is_some());
    }

    #[test]
    fn the_schedule_leaves_an_account_alone_that_is_about_to_be_locked() {
        let mut secret = exposed();
        for _ in 0..limits::FAILED_LOGINS_MAX {
            assert!(secret.schedule_may_rotate());
            secret.note_login(&id(2), Account::new("app", "db", 1), true).unwrap();
        }
        assert!(!secret.schedule_may_rotate());
        secret.rotate(&id(3), Digest::from_bytes([0; 32]), NOW).unwrap();
        assert!(secret.schedule_may_rotate(), "a person has asked");
    }

    #[test]
    fn a_running_trials_version_is_its_own_and_makes_way_for_a_rotation() {
        let mut secret = tried(None);
        let refused = secret.put(&id(2), &mark(1), &[], NOW);
        assert!(matches!(refused, Err(PutError::TokenInUse { .. })));
        assert_eq!(secret.rotate(&id(2), Digest::from_bytes([0; 32]), NOW).unwrap(), Rotate::Begun(id(2)));
        assert!(secret.rotation.as_ref().is_some_and(|r| !r.check));
        assert!(secret.versions.get(&id(2)).is_some_and(|version| version.content.is_none()));
    }
}
