//! Breadth first through everything that can happen, so that what is found is found by the shortest way.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::hash::{BuildHasherDefault, Hasher};

use crate::judge::{Judge, Violation};
use crate::ledger::Ledger;
use crate::moves::{Move, Moves, Setting};
use crate::world::{Budget, World};

/// The states are the explorer's own: nobody chooses them to collide.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_usize(n.unsigned_abs());
    }
}

/// What an exploration has seen.
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    pub(crate) secrets: usize,
    /// Where the hosts came to rest, by where the rotation stood then.
    pub(crate) rests: BTreeMap<&'static str, usize>,
    /// How many moves the longest way has.
    pub(crate) depth: usize,
    pub(crate) found: Option<(Violation, String)>,
}

struct Search {
    worlds: Vec<World>,
    /// By which move of which state each was first reached.
    ways: Vec<(u32, Option<Move>)>,
    numbers: HashMap<World, u32, BuildHasherDefault<Quick>>,
    /// The hosts' own moves: where those of each state begin, and where they lead.
    begins: Vec<usize>,
    works: Vec<u32>,
    transitions: usize,
}

impl Search {
    fn number(&mut self, world: World, way: (u32, Option<Move>)) -> u32 {
        match self.numbers.entry(world) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let number = u32::try_from(self.worlds.len()).unwrap();
                new.insert(number);
                self.worlds.push(world);
                self.ways.push(way);
                number
            }
        }
    }

    fn way(&self, to: usize) -> Vec<(Move, World)> {
        let (mut way, mut at) = (Vec::new(), to);
        while let (from, Some(what)) = self.ways[at] {
            way.push((what, self.worlds[at]));
            at = from as usize;
        }
        way.reverse();
        way
    }

    fn told(&self, to: usize, ledger: &Ledger) -> String {
        let mut text = String::new();
        for (n, (what, world)) in self.way(to).iter().enumerate() {
            let facts = ledger.facts(world.secret);
            let _ = writeln!(
                text,
                "{:>3}. {what}\n       AWSCURRENT {:#o}, rotation {} {:?}, its value {:#o}, exposed {}; database {:#o} {:#o}; leased {}",
                n + 1,
                facts.current,
                facts.token,
                facts.stand,
                facts.pending,
                facts.exposed,
                world.passwords[0],
                world.passwords[1],
                world.leased,
            );
        }
        text
    }

    fn successors(&self, state: usize) -> &[u32] {
        let end = self.begins.get(state + 1).copied().unwrap_or(self.works.len());
        &self.works[self.begins[state]..end]
    }

    /// A state that the hosts come back to by themselves, if there is one.
    fn circle(&self) -> Option<usize> {
        let mut before = vec![0_u32; self.worlds.len()];
        self.works.iter().for_each(|to| before[*to as usize] += 1);
        let mut free: Vec<usize> = (0..before.len()).filter(|state| before[*state] == 0).collect();
        while let Some(state) = free.pop() {
            for to in self.successors(state) {
                before[*to as usize] -= 1;
                if before[*to as usize] == 0 {
                    free.push(*to as usize);
                }
            }
        }
        before.iter().position(|left| *left > 0)
    }
}

/// Visits every state that can be reached, until something is wrong.
pub(crate) fn explore(setting: Setting, budget: Budget) -> Explored {
    let (mut ledger, secret) = Ledger::new(setting.mutant, setting.alternating);
    let mut judge = Judge::new(setting, budget);
    let mut search = Search {
        worlds: Vec::new(),
        ways: Vec::new(),
        numbers: HashMap::default(),
        begins: Vec::new(),
        works: Vec::new(),
        transitions: 0,
    };
    search.number(World::beginning(secret, setting.alternating, budget), (0, None));
    let (mut at, mut rests, mut found) = (0, BTreeMap::new(), None);
    while let Some(world) = search.worlds.get(at).copied() {
        search.begins.push(search.works.len());
        found = judge.of_state(&world, &ledger);
        if found.is_some() {
            break;
        }
        let mut moves = Moves { setting, ledger: &mut ledger, found: Vec::new() };
        moves.work(&world);
        let works = moves.found.len();
        moves.disturbances(&world);
        let next = moves.found;
        if works == 0 {
            *rests.entry(ledger.facts(world.secret).stand.name()).or_default() += 1;
            found = judge.of_rest(&world, &mut ledger);
            if found.is_some() {
                break;
            }
        }
        search.transitions += next.len();
        for (n, (what, world)) in next.into_iter().enumerate() {
            let number = search.number(world, (u32::try_from(at).unwrap(), Some(what)));
            if n < works {
                search.works.push(number);
            }
            debug_assert_eq!(n < works, what.is_work());
        }
        at += 1;
    }
    if found.is_none()
        && let Some(state) = search.circle()
    {
        (at, found) = (state, Some(Violation::Endless));
    }
    let found = found.map(|violation| (violation, search.told(at, &ledger)));
    let last = search.worlds.len() - 1;
    Explored {
        states: search.worlds.len(),
        transitions: search.transitions,
        secrets: ledger.len(),
        rests,
        depth: search.way(last).len(),
        found,
    }
}
