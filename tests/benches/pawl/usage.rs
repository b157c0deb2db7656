//! Who uses the processor: a server's threads that answer requests, those that serve guests, and the guests' processes.

use std::time::Instant;

/// What `/proc` counts processor time in, of a second (`getconf CLK_TCK` has been 100 on Linux for ever).
const TICKS: f64 = 100.0;
/// The name of the threads that serve guests.
const CREW: &str = "crew";

/// Processor time since a moment, in ticks.
pub(crate) struct Usage {
    at: Instant,
    requests: u64,
    crew: u64,
    children: u64,
}

/// The name, and the fields after it, of a `stat`.
fn stat(path: &str) -> Option<(String, Vec<u64>)> {
    let text = std::fs::read_to_string(path).ok()?;
    let (from, to) = (text.find('(')?, text.rfind(')')?);
    let name = text.get(from + 1..to)?.to_owned();
    let fields = text.get(to + 2..)?.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    Some((name, fields))
}

/// Of the fields after the name: utime and stime, and those of the children that have ended.
fn time(fields: &[u64], with_children: bool) -> u64 {
    fields.get(11..if with_children { 15 } else { 13 }).unwrap_or_default().iter().sum()
}

impl Usage {
    /// What a process and its children have used so far.
    pub(crate) fn of(process: u32) -> Self {
        let (mut requests, mut crew) = (0, 0);
        for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
            let Some((name, fields)) = stat(&task.path().join("stat").to_string_lossy()) else { continue };
            *(if name == CREW { &mut crew } else { &mut requests }) += time(&fields, false);
        }
        let ended = stat(&format!("/proc/{process}/stat"))
            .map_or(0, |(_, fields)| time(&fields, true) - time(&fields, false));
        let live: u64 = pawl_tests::process::children_of(process)
            .into_iter()
            .filter_map(|child| stat(&format!("/proc/{child}/stat")))
            .map(|(_, fields)| time(&fields, true))
            .sum();
        Self { at: Instant::now(), requests, crew, children: ended + live }
    }

    /// Processors in use since an earlier moment: by requests, by the crew, by workers.
    pub(crate) fn since(&self, earlier: &Self) -> [f64; 3] {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64();
        let share = |now: u64, then: u64| now.saturating_sub(then) as f64 / TICKS / seconds;
        [
            share(self.requests, earlier.requests),
            share(self.crew, earlier.crew),
            share(self.children, earlier.children),
        ]
    }
}
