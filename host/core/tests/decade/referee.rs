//! Judges every rotation that a schedule begins, from the rule, the hosts' downtimes and what happened before.

use pawl_core::limits;

use crate::fleet::Fleet;
use crate::rule::{Cadence, Rule, Window};
use crate::{DAY, HOUR, MINUTE, SECOND, millis};

/// What the referee knows of one secret.
pub(crate) struct Record {
    pub(crate) rule: Rule,
    /// From where the rule counts, and the moment after which the next window is looked for.
    base: i64,
    after: i64,
    /// Whether no schedule is to rotate it.
    pub(crate) is_off: bool,
    /// A window was missed, and then the turn that was to make up for it.
    is_owed: bool,
    /// When a rotation of it ran, since the base.
    busy: Vec<(i64, i64)>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) in_window: u64,
    pub(crate) behind_plan: u64,
    pub(crate) made_up: u64,
    pub(crate) windows_missed: u64,
    pub(crate) by_hand: u64,
    pub(crate) put: u64,
    pub(crate) changed: u64,
    pub(crate) failed: u64,
    pub(crate) raced: u64,
    pub(crate) leap_days: u64,
    pub(crate) beside_their_group: u64,
}

impl Record {
    pub(crate) fn new(rule: Rule, now: i64) -> Self {
        Self { base: rule.anchor(now), after: now, rule, is_off: false, is_owed: false, busy: Vec::new() }
    }

    /// It counts from `base` now, and looks for windows after `after`.
    pub(crate) fn count_from(&mut self, base: i64, after: i64) {
        (self.base, self.after, self.is_owed) = (self.rule.anchor(base), after, false);
        self.busy.retain(|(_, to)| *to > after);
    }

    /// The turn that was to make up for a window, and opened at `opened`, was missed as well: windows count from it now.
    pub(crate) fn missed_turn(&mut self, opened: i64, now: i64) {
        self.count_from(opened, now - DAY);
        self.is_owed = true;
    }

    pub(crate) fn was_busy(&mut self, from: i64, to: i64) {
        self.busy.push((from, to));
    }

    /// The windows that a rotation is wanted in, the first of them that can be used, and no other.
    fn windows(&self) -> impl Iterator<Item = Window> {
        let rests_for_days = match self.rule.cadence {
            Cadence::Days(days) => days > 1,
            Cadence::Hours(hours) => hours * HOUR > DAY,
            Cadence::Cron { .. } => false,
        };
        let owed = self.rule.same_hours(self.base, self.after).filter(|_| self.is_owed && rests_for_days);
        let first = owed.unwrap_or_else(|| self.rule.next(self.base, self.after));
        std::iter::successors(Some(first), move |(opens, _)| {
            let same_hours = self.rule.same_hours(*opens, *opens).filter(|_| rests_for_days);
            Some(same_hours.unwrap_or_else(|| self.rule.next(self.base, *opens)))
        })
    }

    /// Every window that can no longer be used at `until` was one that could not be used.
    pub(crate) fn none_left_out(&self, until: i64, fleet: &Fleet, counts: &mut Counts) -> Result<(), String> {
        if self.is_off {
            return Ok(());
        }
        for (opens, closes) in self.windows().take_while(|(_, closes)| last_start(*closes) < until) {
            let end = closes - millis(limits::WINDOW_MARGIN) + MINUTE;
            let is_busy = self.busy.iter().any(|(from, to)| *from < closes && *to > opens);
            let lit = fleet.lit(end, last_start(closes) - MINUTE);
            if lit > 2 * MINUTE && !is_busy {
                return Err(format!(
                    "no rotation in the window of {opens} to {closes}, though a host ran for {lit} ms"
                ));
            }
            counts.windows_missed += u64::from(!is_busy);
        }
        Ok(())
    }

    /// A schedule has begun a rotation at `now`, by its host's clock.
    pub(crate) fn begun(
        &mut self,
        (now, moment): (i64, i64),
        turn_opened: Option<i64>,
        fleet: &Fleet,
        counts: &mut Counts,
    ) -> Result<(), String> {
        if self.is_off {
            return Err("rotation is turned off".to_owned());
        }
        let used = self
            .windows()
            .take_while(|(opens, _)| *opens <= now)
            .find(|(_, closes)| now <= last_start(*closes))
            .filter(|_| turn_opened.is_none());
        if let Some((opens, _)) = used {
            self.none_left_out(opens, fleet, counts)?;
            counts.in_window += 1;
            counts.behind_plan += u64::from(now - moment > 5 * MINUTE);
            self.count_from(opens, now);
            return Ok(());
        }
        if !self.rule.makes_up() {
            let next = self.windows().find(|(_, closes)| now < *closes);
            return Err(format!("outside of every window; the next was {next:?}"));
        }
        let first = self.windows().next().filter(|(_, closes)| now > last_start(*closes));
        if first.is_none() && !self.is_owed {
            return Err("made up for a window that was not missed".to_owned());
        }
        self.none_left_out(now, fleet, counts)?;
        let waited = fleet.lit_since(now + 30 * SECOND);
        if waited > 4 * HOUR {
            return Err(format!("made up for only {waited} ms after a host ran again"));
        }
        counts.made_up += 1;
        self.count_from(turn_opened.unwrap_or(now), now);
        Ok(())
    }
}

/// The latest moment at which a rotation may begin in a window that closes then.
fn last_start(closes: i64) -> i64 {
    closes - millis(limits::WINDOW_START_MARGIN)
}
