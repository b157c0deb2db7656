//! When the schedule begins a secret's rotation, and what becomes of one that was missed. Pure: the scheduler asks and obeys.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{RotationConfig, Secret};
use crate::limits;
use crate::rotation::Status;
use crate::schedule::{Missed, Moment, Placing, Schedule, UnreadableTag, Window};
use crate::world::Timestamp;

/// The window of the next rotation by schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextWindow {
    /// When it may begin.
    #[serde(flatten)]
    pub window: Window,
    /// The request of the rotation, or the change by a person, that it was counted from.
    pub counted_from: Timestamp,
    /// No window of the rule's: a turn to make up for one that was missed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made_up: bool,
}

/// What is to be done about a secret that the store says is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing: somebody else was faster, a rotation runs, or nothing is to be rotated any more.
    NotDue,
    /// A rotation is to begin now. When the next one follows is recorded already.
    Begin {
        /// Whether it took one of the turns of [`CatchUp`].
        caught_up: bool,
    },
    /// No host began it in time. It has a new moment.
    Moved {
        /// The window that was missed; the same as `to` when it is open still.
        missed: Window,
        /// The one in which it is to begin now.
        to: Window,
        /// When.
        until: Timestamp,
        /// Whether it took one of the turns of [`CatchUp`].
        caught_up: bool,
    },
}

/// The turns of rotations that were missed: one after the other, so that a downtime does not end with all of them at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct CatchUp {
    free_at: Timestamp,
}

impl CatchUp {
    /// The next turn that nobody has. A clock that was moved back does not keep anybody waiting.
    #[must_use]
    pub fn turn(&self, now: Timestamp) -> Timestamp {
        if self.free_at > now + limits::CATCH_UP_AHEAD_MAX { now } else { self.free_at.max(now) }
    }

    /// Notes that `turn` is taken.
    pub fn take(&mut self, turn: Timestamp) {
        self.free_at = turn + limits::CATCH_UP_PACE;
    }
}

/// A rotation that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it begins.
    pub at: Timestamp,
    /// The window that it begins in.
    pub window: Window,
    /// Whether that is where the secret's group wants it.
    pub fits: bool,
    /// Whether it makes up for one that was missed.
    pub made_up: bool,
}

/// What a person should know about a secret's rotations to come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanWarning {
    /// It has a schedule that does nothing.
    #[error("rotation is turned off; `pawl rotate` turns it on")]
    Disabled,
    /// Its last rotation has not ended well.
    #[error("the rotation that began last is not complete ({0}); the next one takes it up again")]
    Incomplete(&'static str),
    /// The moment is over.
    #[error("it is due since {0} and has not begun: no scheduler runs, or it is behind")]
    Overdue(Timestamp),
    /// The group's offset times the order leads out of the window.
    #[error(
        "its place in its group is later than the window allows, so it rotates at the window's last moment"
    )]
    GroupDoesNotFit,
    /// A tag that does nothing.
    #[error("{0}")]
    Tag(UnreadableTag),
    /// The clock was wrong when the schedule was last counted.
    #[error(
        "its schedule was counted from {0}, which is in the future: a clock was wrong then; rotate it by hand"
    )]
    CountedFromFuture(Timestamp),
}

impl PlanWarning {
    /// The word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Disabled => "RotationDisabled",
            Self::Incomplete(_) => "RotationIncomplete",
            Self::Overdue(_) => "Overdue",
            Self::GroupDoesNotFit => "GroupDoesNotFit",
            Self::Tag(_) => "UnreadableTag",
            Self::CountedFromFuture(_) => "CountedFromFuture",
        }
    }
}

/// A decision, and what is to be recorded with it.
struct Decision {
    turn: Turn,
    next: Option<(Timestamp, NextWindow)>,
}

impl Secret {
    /// Sets the moment at which the schedule next begins a rotation, counted from `from`: a value that a person stored, a
    /// rotation, a deletion taken back.
    pub fn reschedule(&mut self, from: Timestamp) {
        let next = self.next_from(from, from);
        self.plan(next);
    }

    /// RotateSecret's configuration: function and rules. The same rule again changes no date; another one, or one that was turned
    /// off, counts from now.
    pub fn configure_rotation(&mut self, config: RotationConfig, now: Timestamp) {
        let held = self.rotation_config.as_deref();
        if held == Some(&config) {
            return;
        }
        let is_same_rule =
            held.is_some_and(|held| held.enabled && config.enabled && held.schedule == config.schedule);
        self.rotation_config = Some(Box::new(config));
        if !is_same_rule {
            self.begin_schedule(now);
        }
        self.touch(now);
    }

    /// The schedule is new: nothing counts that was before.
    pub fn begin_schedule(&mut self, now: Timestamp) {
        self.plan(None);
        self.reschedule(now);
    }

    /// A rotation has ended: the next date counts from when it was asked for. One that the schedule began was counted when it
    /// began; one that came to nothing does not put off what is planned.
    pub fn reschedule_after_rotation(&mut self, now: Timestamp) {
        let Some(rotation) = self.rotation.as_deref() else { return };
        let is_ahead = self.next_rotation_at.is_some_and(|at| at > now);
        let is_counted = self.next_window.is_some_and(|next| next.counted_from == rotation.requested_at);
        if is_ahead && (is_counted || rotation.status != Status::Succeeded) {
            return;
        }
        let next = self.next_from(rotation.requested_at.min(now), now);
        self.plan(next);
    }

    /// The tags have changed: the rotation keeps its window and moves to its new place in it.
    pub(super) fn replace_in_window(&mut self) {
        let Some(next) = self.next_window.filter(|next| self.next_rotation_at.is_some() && !next.made_up)
        else {
            return;
        };
        self.next_rotation_at = Some(next.window.moment(&self.arn, &self.placing()).at);
    }

    /// What the tags say about rotations.
    #[must_use]
    pub fn placing(&self) -> Placing {
        Placing::of(self.tags.as_deref().unwrap_or_default())
    }

    /// Does what is to be done at `now` when the store says that this secret's schedule is due, and says what that is; `free` is
    /// [`CatchUp`]'s next turn. Asked again, by this host or another, it has nothing to do.
    pub fn take_turn(&mut self, now: Timestamp, free: Timestamp) -> Turn {
        let Some(at) = self.next_rotation_at.filter(|at| *at <= now) else { return Turn::NotDue };
        let is_busy = self.rotation.as_ref().is_some_and(|rotation| rotation.status.running().is_some());
        if is_busy {
            return Turn::NotDue; // Its end sets the next date.
        }
        let Some(decision) = self.decide(at, now, free) else {
            self.plan(None);
            return Turn::NotDue;
        };
        self.plan(decision.next);
        decision.turn
    }

    /// The rotation of a turn that was taken in the window `of` could not begin, and nothing of it is recorded: there is another
    /// turn at `at`, in that window still, or where its rule lets missed ones be made up for. Else the next window is left to do it.
    pub fn try_turn_again(&mut self, of: Option<NextWindow>, at: Timestamp, now: Timestamp) {
        let Some(schedule) = self.schedule() else { return };
        if self.next_rotation_at.is_some_and(|next| next <= at) {
            return;
        }
        let makes_up = self.placing().missed.unwrap_or(schedule.when_missed()) == Missed::MakeUp;
        let window = Window { opens: now, closes: at + limits::CATCH_UP_WINDOW };
        let made_up = NextWindow { window, counted_from: now, made_up: true };
        let open = of.filter(|of| at <= of.window.last_start() && (makes_up || !of.made_up));
        if let Some(next) = open.or_else(|| makes_up.then_some(made_up)) {
            self.plan(Some((at, next)));
        }
    }

    /// The rotations to come, up to and at `until`, the first of them as it is recorded. None for a secret that no schedule
    /// rotates.
    pub fn planned(&self, until: Timestamp) -> impl Iterator<Item = Planned> {
        let schedule = self.schedule();
        let placing = self.placing();
        let recorded = schedule.zip(self.next_rotation_at).map(|(schedule, at)| {
            let next = self.next_window(schedule, at);
            let wanted = next.window.moment(&self.arn, &placing);
            Planned {
                at,
                window: next.window,
                fits: next.made_up || wanted.fits || at != wanted.at,
                made_up: next.made_up,
            }
        });
        let following = move |planned: &Planned| {
            let window = schedule?.next_window(planned.window.opens, planned.at)?;
            let Moment { at, fits } = window.moment(&self.arn, &placing);
            Some(Planned { at, window, fits, made_up: false })
        };
        std::iter::successors(recorded, following).take_while(move |planned| planned.at <= until)
    }

    /// What a person should know about the rotations to come.
    #[must_use]
    pub fn plan_warnings(&self, now: Timestamp) -> Vec<PlanWarning> {
        let Some(config) = self.rotation_config.as_deref().filter(|config| config.schedule.is_some()) else {
            return Vec::new();
        };
        let mut warnings = Vec::new();
        if !config.enabled {
            warnings.push(PlanWarning::Disabled);
        }
        if let Some(rotation) = self.rotation.as_deref().filter(|rotation| !rotation.check) {
            match rotation.status {
                Status::Running { .. } if rotation.failure.is_none() => {}
                Status::Running { .. } | Status::Failed { .. } | Status::Stranded { .. } => {
                    warnings.push(PlanWarning::Incomplete(rotation.status.name()));
                }
                Status::Succeeded | Status::Cancelled | Status::Abandoned => {}
            }
        }
        let running = self.rotation.as_ref().is_some_and(|rotation| rotation.status.running().is_some());
        if let Some(at) = self.next_rotation_at.filter(|at| !running && *at + limits::ROTATION_LATE < now) {
            warnings.push(PlanWarning::Overdue(at));
        }
        if self.planned(Timestamp::from_millis(i64::MAX)).take(1).any(|planned| !planned.fits) {
            warnings.push(PlanWarning::GroupDoesNotFit);
        }
        let tags = self.tags.as_deref().unwrap_or_default();
        warnings.extend(Placing::unreadable(tags).map(PlanWarning::Tag));
        let counted = self.next_window.map(|next| next.counted_from);
        if let Some(from) = counted.filter(|from| *from > now + limits::PLAN_CLOCK_SKEW) {
            warnings.push(PlanWarning::CountedFromFuture(from));
        }
        warnings
    }

    fn plan(&mut self, next: Option<(Timestamp, NextWindow)>) {
        (self.next_rotation_at, self.next_window) = next.unzip();
    }

    /// The schedule, where it is to do something.
    fn schedule(&self) -> Option<&Schedule> {
        let config = self.rotation_config.as_deref();
        config.filter(|config| config.enabled && self.purge_at.is_none())?.schedule.as_ref()
    }

    /// The window of the recorded moment. Where none was recorded with it the moment was the window's opening.
    fn next_window(&self, schedule: &Schedule, at: Timestamp) -> NextWindow {
        let unknown = || NextWindow { window: schedule.window(at), counted_from: at, made_up: false };
        self.next_window.unwrap_or_else(unknown)
    }

    /// The first rotation after `after` when the last one counts as of `from`. A rotation inside of the window that is
    /// recorded was that window's, wherever in it it was.
    fn next_from(&self, from: Timestamp, after: Timestamp) -> Option<(Timestamp, NextWindow)> {
        let recorded =
            self.next_window.filter(|next| self.next_rotation_at.is_some() && next.window.holds(from));
        let last = recorded.map_or(from, |next| next.window.opens);
        let window = self.schedule()?.next_window(last, after)?;
        let moment = window.moment(&self.arn, &self.placing());
        Some((moment.at, NextWindow { window, counted_from: from, made_up: false }))
    }

    /// None when there is nothing to rotate by.
    fn decide(&self, at: Timestamp, now: Timestamp, free: Timestamp) -> Option<Decision> {
        let schedule = self.schedule()?;
        let placing = self.placing();
        let recorded = self.next_window(schedule, at);
        let due = Due { secret: self, placing: Cow::Borrowed(&placing), now, free, missed: recorded };
        // What an older version recorded is due when its window opens, for all secrets alike.
        let at = match self.next_window {
            Some(_) => at,
            None => recorded.window.moment(&self.arn, &placing).at,
        };
        let makes_up = placing.missed.unwrap_or(schedule.when_missed()) == Missed::MakeUp;
        // A turn to make up is given up when the tags no longer want one.
        if now <= recorded.window.last_start() && (makes_up || !recorded.made_up) {
            return Some(due.in_window(recorded, at));
        }
        let next = schedule.window_after_missed(recorded.window.opens, now)?;
        let regular = NextWindow { window: next, made_up: false, ..recorded };
        let turn = free + placing.shift();
        if !makes_up || next.opens <= turn.max(now) + limits::CATCH_UP_SOON {
            return Some(due.in_window(regular, next.moment(&self.arn, &placing).at));
        }
        let window = Window { opens: free, closes: turn + limits::CATCH_UP_WINDOW };
        Some(due.at_turn(NextWindow { window, made_up: true, ..recorded }, turn))
    }
}

/// A secret whose moment has come, or gone by.
struct Due<'a> {
    secret: &'a Secret,
    placing: Cow<'a, Placing>,
    now: Timestamp,
    free: Timestamp,
    missed: NextWindow,
}

impl Due<'_> {
    /// It is to begin at `at` in a window that is open, or will be.
    fn in_window(&self, next: NextWindow, at: Timestamp) -> Decision {
        if at > self.now {
            return self.moved(next, at, false);
        }
        let late = Duration::from_millis(self.now.millis_since(at));
        if late <= limits::ROTATION_LATE {
            return self.begin(next, false);
        }
        // All that had their moments in a downtime would begin at its end.
        let turn = (self.free + self.placing.shift()).min(next.window.last_moment());
        self.at_turn(next, turn)
    }

    fn at_turn(&self, next: NextWindow, turn: Timestamp) -> Decision {
        if turn > self.now { self.moved(next, turn, true) } else { self.begin(next, true) }
    }

    fn begin(&self, next: NextWindow, caught_up: bool) -> Decision {
        let after =
            self.secret.schedule().and_then(|schedule| schedule.next_window(next.window.opens, self.now));
        let after = after.map(|window| {
            let moment = window.moment(&self.secret.arn, &self.placing);
            (moment.at, NextWindow { window, counted_from: self.now, made_up: false })
        });
        Decision { turn: Turn::Begin { caught_up }, next: after }
    }

    fn moved(&self, next: NextWindow, until: Timestamp, caught_up: bool) -> Decision {
        let turn = Turn::Moved { missed: self.missed.window, to: next.window, until, caught_up };
        Decision { turn, next: Some((until, next)) }
    }
}

#[cfg(test)]
mod tests;
