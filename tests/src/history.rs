//! Histories: what clients did to one register and what they were told, and whether one copy of it, changed at one moment by each
//! deed, could have told them so (linearizability, by the search of Wing and Gong).
//!
//! The register is the version of a secret that has AWSCURRENT. A deed whose answer never came may have happened at any moment
//! since it was asked for, or not at all.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::{self, Display};
use std::time::Duration;

/// What a client asked for and, of a read, what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Makes this version the current one, whatever is.
    Write(String),
    /// Makes the second version the current one if the first is.
    Move(String, String),
    /// Finds this version to be the current one.
    Read(String),
}

/// A deed and its time, on one clock for all clients.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Who did it and through which host, for the report.
    pub by: String,
    /// When it was asked for.
    pub from: Duration,
    /// When it was acknowledged; none when no answer came.
    pub to: Option<Duration>,
    /// What it was.
    pub deed: Deed,
}

impl Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, from, to, deed } = self;
        let to = to.map_or_else(|| "never".to_owned(), |to| format!("{:.4}", to.as_secs_f64()));
        write!(f, "[{:.4} .. {to}] {by}: {deed:?}", from.as_secs_f64())
    }
}

/// Whether one register, `initial` at first, can have told everybody what they were told.
///
/// # Errors
/// What could not be explained, with what was going on at the time.
pub fn linearizable(initial: &str, operations: &[Operation]) -> Result<(), String> {
    let mut search = Search::over(initial, operations);
    if search.run() { Ok(()) } else { Err(search.report()) }
}

/// The values are numbered, and the operations stand in the order in which they were asked for.
struct Search<'a> {
    initial: usize,
    operations: Vec<(&'a Operation, Numbered)>,
    /// Dead ends: what was done by then, and the register.
    seen: HashSet<(Vec<u64>, usize)>,
    /// The most that was ever done, and the register then.
    best: (Done, usize),
}

#[derive(Clone, Copy)]
enum Numbered {
    Write(usize),
    Move(usize, usize),
    Read(usize),
}

impl Numbered {
    /// The register afterwards; none when it cannot happen now.
    fn on(self, register: usize) -> Option<usize> {
        match self {
            Self::Write(new) => Some(new),
            Self::Move(old, new) => (old == register).then_some(new),
            Self::Read(value) => (value == register).then_some(register),
        }
    }
}

/// Which operations have happened.
#[derive(Clone, Default)]
struct Done {
    bits: Vec<u64>,
    count: usize,
    /// All before this one have.
    first: usize,
}

impl Done {
    fn has(&self, at: usize) -> bool {
        self.bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    fn add(&mut self, at: usize) {
        if let Some(word) = self.bits.get_mut(at / 64) {
            *word |= 1 << (at % 64);
            self.count += 1;
        }
        while self.has(self.first) {
            self.first += 1;
        }
    }
}

impl<'a> Search<'a> {
    fn over(initial: &'a str, operations: &'a [Operation]) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::from([(initial, 0)]);
        let mut number = |value: &'a str| {
            let next = numbers.len();
            *numbers.entry(value).or_insert(next)
        };
        let mut numbered: Vec<(&Operation, Numbered)> = operations
            .iter()
            .map(|operation| {
                let deed = match &operation.deed {
                    Deed::Write(new) => Numbered::Write(number(new)),
                    Deed::Move(old, new) => Numbered::Move(number(old), number(new)),
                    Deed::Read(value) => Numbered::Read(number(value)),
                };
                (operation, deed)
            })
            .collect();
        numbered.sort_by_key(|(operation, _)| operation.from);
        let matters = observed(0, &numbered);
        // What was perhaps done and never seen explains nothing: without it, whoever was told anything is told the same.
        numbered.retain(|(operation, deed)| match deed {
            Numbered::Read(_) => operation.to.is_some(),
            Numbered::Write(new) | Numbered::Move(_, new) => operation.to.is_some() || matters.contains(new),
        });
        let bits = vec![0; numbered.len().div_ceil(64)];
        let none = Done { bits, ..Done::default() };
        Self { initial: 0, operations: numbered, seen: HashSet::new(), best: (none, 0) }
    }

    /// Whether everything that was acknowledged has been placed.
    fn complete(&self, done: &Done) -> bool {
        let mut rest = self.operations.iter().enumerate().skip(done.first);
        rest.all(|(at, (operation, _))| operation.to.is_none() || done.has(at))
    }

    fn run(&mut self) -> bool {
        let (none, _) = self.best.clone();
        let mut stack = vec![(none, self.initial)];
        while let Some((mut done, register)) = stack.pop() {
            self.read_all(&mut done, register);
            if !self.seen.insert((done.bits.clone(), register)) {
                continue;
            }
            if done.count >= self.best.0.count {
                self.best = (done.clone(), register);
            }
            if self.complete(&done) {
                return true;
            }
            // The last that is pushed is tried first: those that had to happen soonest.
            let mut next = self.possible(&done);
            next.sort_by_key(|at| {
                std::cmp::Reverse(self.operations.get(*at).and_then(|(o, _)| o.to).unwrap_or(Duration::MAX))
            });
            for at in next {
                let after = self.operations.get(at).and_then(|(_, deed)| deed.on(register));
                if let Some(after) = after {
                    let mut done = done.clone();
                    done.add(at);
                    stack.push((done, after));
                }
            }
        }
        false
    }

    /// Those of which nothing that is still to happen was acknowledged before they were asked for.
    fn possible(&self, done: &Done) -> Vec<usize> {
        let (mut limit, mut possible) = (Duration::MAX, Vec::new());
        let rest = self.operations.iter().enumerate().skip(done.first);
        for (at, (operation, _)) in rest.filter(|(at, _)| !done.has(*at)) {
            if operation.from > limit {
                break;
            }
            limit = limit.min(operation.to.unwrap_or(Duration::MAX));
            possible.push(at);
        }
        possible
    }

    /// A read that may happen now and finds what is there may as well happen now: it changes nothing for the others.
    fn read_all(&self, done: &mut Done, register: usize) {
        loop {
            let before = done.count;
            for at in self.possible(done) {
                if matches!(self.operations.get(at), Some((_, Numbered::Read(value))) if *value == register) {
                    done.add(at);
                }
            }
            if done.count == before {
                return;
            }
        }
    }

    /// What stood in the way of the attempt that came furthest.
    fn report(&self) -> String {
        let (done, register) = &self.best;
        let value = self.operations.iter().find_map(|(operation, deed)| match (deed, &operation.deed) {
            (Numbered::Write(n) | Numbered::Move(_, n), Deed::Write(new) | Deed::Move(_, new))
                if n == register =>
            {
                Some(new.as_str())
            }
            _ => None,
        });
        let open: Vec<String> = self
            .possible(done)
            .into_iter()
            .filter_map(|at| self.operations.get(at))
            .map(|(operation, _)| format!("  {operation}"))
            .collect();
        format!(
            "no order explains what clients were told: after {} of {} deeds the current version is {}, and none of these can be next:\n{}",
            done.count,
            self.operations.len(),
            value.unwrap_or("the first one"),
            open.join("\n")
        )
    }
}

/// The values that somebody has found, or has moved away from.
fn observed(initial: usize, operations: &[(&Operation, Numbered)]) -> BTreeSet<usize> {
    let found = operations.iter().filter_map(|(_, deed)| match deed {
        Numbered::Read(value) | Numbered::Move(value, _) => Some(*value),
        Numbered::Write(_) => None,
    });
    found.chain([initial]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: u64 = u64::MAX;

    fn operation(from: u64, to: u64, deed: Deed) -> Operation {
        let to = (to != NEVER).then(|| Duration::from_secs(to));
        Operation { by: "somebody".to_owned(), from: Duration::from_secs(from), to, deed }
    }

    fn write(from: u64, to: u64, value: &str) -> Operation {
        operation(from, to, Deed::Write(value.to_owned()))
    }

    fn read(from: u64, to: u64, value: &str) -> Operation {
        operation(from, to, Deed::Read(value.to_owned()))
    }

    fn moved(from: u64, to: u64, old: &str, new: &str) -> Operation {
        operation(from, to, Deed::Move(old.to_owned(), new.to_owned()))
    }

    fn accepted(history: &[Operation]) {
        linearizable("0", history).unwrap();
    }

    fn rejected(history: &[Operation]) -> String {
        linearizable("0", history).unwrap_err()
    }

    #[test]
    fn what_one_register_does_is_accepted() {
        accepted(&[]);
        accepted(&[read(1, 2, "0"), write(3, 4, "1"), read(5, 6, "1")]);
        // While a write is under way, a read may find either; once one has found the new, so do later ones.
        accepted(&[write(1, 10, "1"), read(2, 3, "0"), read(4, 5, "1"), read(6, 7, "1")]);
        // Two writes at once: either may be the last.
        accepted(&[write(1, 10, "1"), write(1, 10, "2"), read(11, 12, "1")]);
        accepted(&[write(1, 10, "1"), write(1, 10, "2"), read(11, 12, "2")]);
        accepted(&[
            write(1, 2, "1"),
            moved(3, 4, "1", "0"),
            read(5, 6, "0"),
            moved(7, 8, "0", "1"),
            read(9, 9, "1"),
        ]);
        // One of two moves happens between the other's cause and effect.
        accepted(&[write(1, 9, "1"), moved(1, 9, "1", "2"), moved(1, 9, "0", "3"), read(10, 11, "2")]);
    }

    #[test]
    fn a_write_without_an_answer_may_have_happened_late_or_never() {
        accepted(&[write(1, NEVER, "1"), read(2, 3, "0"), read(4, 5, "0")]);
        accepted(&[write(1, NEVER, "1"), read(2, 3, "0"), read(4, 5, "1"), read(6, 7, "1")]);
        accepted(&[write(1, NEVER, "1"), write(2, 3, "2"), read(4, 5, "2"), read(6, 7, "1")]);
        accepted(&[moved(1, NEVER, "2", "1"), write(2, 3, "2"), read(4, 5, "2"), read(6, 7, "1")]);
    }

    #[test]
    fn a_stale_read_is_rejected() {
        let why = rejected(&[write(1, 2, "1"), read(3, 4, "0")]);
        assert!(why.contains("current version is 1") && why.contains("Read(\"0\")"), "{why}");
        rejected(&[write(1, 2, "1"), write(3, 4, "2"), read(5, 6, "1")]);
        // Stale on one host, after another host has shown the new one, although the write is still under way.
        rejected(&[write(1, 10, "1"), read(2, 3, "1"), read(4, 5, "0")]);
    }

    #[test]
    fn a_lost_write_is_rejected() {
        rejected(&[write(1, 2, "1"), read(3, 4, "1"), read(5, 6, "0")]);
        rejected(&[write(1, 2, "1"), write(3, 4, "2"), read(5, 6, "2"), read(7, 8, "1")]);
    }

    #[test]
    fn a_value_out_of_nowhere_is_rejected() {
        rejected(&[read(1, 2, "1")]);
        // It was read before anybody had asked for it.
        rejected(&[read(1, 2, "1"), write(3, 4, "1")]);
    }

    #[test]
    fn a_write_that_happens_twice_is_rejected() {
        rejected(&[
            write(1, NEVER, "1"),
            write(2, 3, "2"),
            read(4, 5, "1"),
            write(6, 7, "3"),
            read(8, 9, "1"),
        ]);
        rejected(&[write(1, 20, "1"), write(1, 20, "2"), read(2, 3, "1"), read(4, 5, "2"), read(6, 7, "1")]);
    }

    #[test]
    fn a_move_from_what_was_not_there_is_rejected() {
        rejected(&[write(1, 2, "1"), moved(3, 4, "0", "2")]);
        // Both have moved away from the same.
        rejected(&[moved(1, 9, "0", "1"), moved(1, 9, "0", "2")]);
    }

    #[test]
    fn two_readers_cannot_see_two_orders() {
        rejected(&[
            write(1, 9, "1"),
            write(1, 9, "2"),
            read(10, 20, "1"),
            read(10, 11, "2"),
            read(21, 22, "2"),
        ]);
    }

    /// Every order of every choice of those that were not acknowledged.
    fn by_force(history: &[Operation], placed: &mut Vec<usize>, register: &str) -> bool {
        let rest: Vec<usize> = (0..history.len()).filter(|at| !placed.contains(at)).collect();
        if rest.iter().all(|at| history[*at].to.is_none()) {
            return true;
        }
        rest.iter().any(|&at| {
            let before = |other: &usize| history[*other].to.is_some_and(|to| to < history[at].from);
            if rest.iter().any(before) {
                return false;
            }
            let after = match &history[at].deed {
                Deed::Write(new) => new.as_str(),
                Deed::Move(old, new) if old == register => new,
                Deed::Read(value) if value == register => register,
                _ => return false,
            };
            placed.push(at);
            let found = by_force(history, placed, after);
            placed.pop();
            found
        })
    }

    #[test]
    fn the_search_agrees_with_brute_force() {
        let mut chance = 0x2545_F491_4F6C_DD1D_u64;
        let mut below = |end: u64| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            chance % end
        };
        let mut verdicts = [0; 2];
        for _ in 0..6_000 {
            let history: Vec<Operation> = (0..2 + below(5))
                .map(|number| {
                    let from = below(12);
                    let to = if below(6) == 0 { NEVER } else { from + below(6) };
                    let any = below(4).to_string();
                    match below(5) {
                        0 | 1 => write(from, to, &(number + 1).to_string()),
                        2 => moved(from, to, &any, &(number + 1).to_string()),
                        _ => read(from, if to == NEVER { from } else { to }, &any),
                    }
                })
                .collect();
            let truth = by_force(&history, &mut Vec::new(), "0");
            assert_eq!(linearizable("0", &history).is_ok(), truth, "{history:#?}");
            verdicts[usize::from(truth)] += 1;
        }
        assert!(verdicts.iter().all(|count| *count > 500), "{verdicts:?}");
    }

    #[test]
    fn a_long_history_is_searched_in_its_own_time() {
        // Six clients, each always busy; some of their writes are never answered, and happen all the same.
        let mut history = Vec::new();
        for round in 0..400_u64 {
            let at = round * 10;
            for client in 0..4 {
                let unanswered = (round + client) % 37 == 0;
                let to = if unanswered { NEVER } else { at + 9 };
                history.push(write(at, to, &format!("{round}/{client}")));
            }
            history.push(read(at + 9, at + 12, &format!("{round}/{}", round % 4)));
        }
        accepted(&history);
        history.push(read(5_000, 5_001, "0/1"));
        rejected(&history);
    }
}
