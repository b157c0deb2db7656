//! Hosts that come and go, each with a clock of its own.

use crate::chance::Chance;
use crate::{DAY, HOUR, MINUTE, SECOND};

/// Spans of time, in order, that do not touch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Vec<(i64, i64)>);

impl Spans {
    fn of(mut spans: Vec<(i64, i64)>) -> Self {
        spans.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (from, to) in spans {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Self(joined)
    }

    /// The span that holds `at`.
    fn at(&self, at: i64) -> Option<(i64, i64)> {
        let index = self.0.partition_point(|(from, _)| *from <= at).checked_sub(1)?;
        Some(self.0[index]).filter(|(_, to)| at < *to)
    }

    fn covered(&self, from: i64, to: i64) -> i64 {
        let first = self.0.partition_point(|(_, end)| *end <= from);
        let inside = self.0[first..].iter().take_while(|(start, _)| *start < to);
        inside.map(|(start, end)| (*end).min(to) - (*start).max(from)).sum()
    }

    fn intersection(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        for &(from, to) in &self.0 {
            let first = other.0.partition_point(|(_, end)| *end <= from);
            let inside = other.0[first..].iter().take_while(|(start, _)| *start < to);
            both.extend(inside.map(|(start, end)| ((*start).max(from), (*end).min(to))));
        }
        Self::of(both)
    }
}

pub(crate) struct Fleet {
    /// When each host does not run.
    down: Vec<Spans>,
    /// When none runs.
    dark: Spans,
    /// How far each host's clock is ahead, in milliseconds.
    pub(crate) ahead: Vec<i64>,
}

impl Fleet {
    pub(crate) fn new(chance: &mut Chance, hosts: usize, start: i64, end: i64) -> Self {
        // A few times a month nothing runs: for minutes, for a night, for days; once in the decade for six weeks.
        let mut outages = vec![(start + 1_000 * DAY, start + 1_042 * DAY)];
        let mut at = start;
        while at < end {
            at += chance.between(HOUR, 20 * DAY);
            outages.push((at, at + chance.scaled(MINUTE, 4 * DAY)));
        }
        let own = |chance: &mut Chance| {
            let mut spans = outages.clone();
            let mut at = start;
            while at < end {
                at += chance.between(HOUR, 6 * DAY);
                spans.push((at, at + chance.scaled(SECOND, 12 * HOUR)));
            }
            Spans::of(spans)
        };
        let down: Vec<_> = (0..hosts).map(|_| own(chance)).collect();
        let dark = down.iter().skip(1).fold(down[0].clone(), |dark, host| dark.intersection(host));
        // All but one agree well, and so they race.
        let ahead =
            (0..hosts).map(|host| if host == 0 { -20 * SECOND } else { chance.between(-500, 500) }).collect();
        Self { down, dark, ahead }
    }

    /// When each host runs, and its clock shows `at` or later, first after `from`: at the end of what it is doing, so within a
    /// second.
    pub(crate) fn seen_by(&self, chance: &mut Chance, from: i64, at: i64) -> Vec<(i64, usize)> {
        let hosts = self.down.iter().zip(&self.ahead).enumerate();
        let mut seen: Vec<_> = hosts
            .map(|(host, (down, ahead))| {
                let look = from.max(at - ahead) + chance.between(0, SECOND);
                (down.at(look).map_or(look, |(_, up)| up), host)
            })
            .collect();
        seen.sort_unstable();
        seen
    }

    /// The first moment, `at` or later, at which a host runs, and which.
    pub(crate) fn first_up(&self, at: i64) -> (i64, usize) {
        let up = |(host, down): (usize, &Spans)| (down.at(at).map_or(at, |(_, up)| up), host);
        self.down.iter().enumerate().map(up).min().unwrap()
    }

    /// Milliseconds of a span in which a host ran.
    pub(crate) fn lit(&self, from: i64, to: i64) -> i64 {
        (to - from).max(0) - self.dark.covered(from, to)
    }

    /// How long before `at` none ran last.
    pub(crate) fn lit_since(&self, at: i64) -> i64 {
        let before = self.dark.0.partition_point(|(_, end)| *end <= at);
        at - before.checked_sub(1).map_or(i64::MIN / 2, |index| self.dark.0[index].1)
    }

    pub(crate) fn dark_spans(&self) -> usize {
        self.dark.0.len()
    }
}
