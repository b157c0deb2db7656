//! What goes wrong in a run, and when: drawn from the run's seed.

use std::time::Duration;

use super::board::{ANSWERS, Act, Board, DEEDS, FILES};
use super::draw::Draw;
use super::engine::End;
use super::wire::{Count, Stage, Then, Wire};

/// A kind of fault; a row of the table for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// `kill -9` of the host at one of its system calls.
    Host,
    /// `kill -9` of its worker processes at one of the host's system calls.
    Worker,
    /// The database dies, and comes back.
    Database,
    /// A connection to the database is cut.
    Connection,
    /// The disk under the store is full for a while.
    Disk,
    /// Two hosts on one store whose clocks are hours apart; one of them is killed and comes back.
    Clocks,
    /// The same, and it does not come back (or stands still) until the other has taken its lease and ended the rotation.
    Takeover,
    /// Two of the others, the second while the first is being recovered from.
    Two,
}

impl Fault {
    pub(crate) const ALL: [Self; 8] = [
        Self::Host,
        Self::Worker,
        Self::Database,
        Self::Connection,
        Self::Disk,
        Self::Clocks,
        Self::Takeover,
        Self::Two,
    ];

    /// What it is called on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Worker => "worker",
            Self::Database => "database",
            Self::Connection => "connection",
            Self::Disk => "disk",
            Self::Clocks => "clocks",
            Self::Takeover => "takeover",
            Self::Two => "two",
        }
    }

    /// What it is called in the table.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Host => "host killed",
            Self::Worker => "worker killed",
            Self::Database => "database killed, restarted",
            Self::Connection => "connection cut",
            Self::Disk => "disk full",
            Self::Clocks => "two hosts, clocks apart, one killed",
            Self::Takeover => "the same, the other host takes over",
            Self::Two => "two faults",
        }
    }

    /// Its share of a hundred quick runs; a takeover waits for a lease to end and is drawn apart.
    const fn share(self) -> u64 {
        match self {
            Self::Host => 34,
            Self::Connection => 18,
            Self::Two => 14,
            Self::Worker | Self::Database => 10,
            Self::Disk | Self::Clocks => 7,
            Self::Takeover => 0,
        }
    }

    /// One of the quick ones.
    pub(crate) fn quick(draw: &mut Draw) -> Self {
        let mut at = draw.below(100);
        for fault in Self::ALL {
            if at < fault.share() {
                return fault;
            }
            at -= fault.share();
        }
        Self::Host
    }

    /// Whether it needs two hosts.
    pub(crate) const fn is_shared(self) -> bool {
        matches!(self, Self::Clocks | Self::Takeover)
    }
}

/// How many moments an undisturbed rotation has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    /// System calls of the host by which it does something.
    pub(crate) deeds: u64,
    /// Those that write to files.
    pub(crate) files: u64,
    /// Events on the wire to the database.
    pub(crate) events: u64,
    /// Statements that change a password, or commit that.
    pub(crate) changes: u64,
}

impl Moments {
    /// The same, so that a call more or less does not move what a seed means.
    pub(crate) const fn rounded(self) -> Self {
        Self { deeds: self.deeds.next_multiple_of(16), files: self.files.next_multiple_of(16), ..self }
    }
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    KillHost {
        mask: u64,
        nth: u64,
        after: bool,
    },
    /// The host stands still at the call, and whoever strikes stops the whole of it there.
    HaltHost {
        mask: u64,
        nth: u64,
        after: bool,
    },
    KillWorkers {
        nth: u64,
        after: bool,
    },
    KillDatabase {
        count: Count,
        nth: u64,
        end: End,
        down: Duration,
    },
    Cut {
        count: Count,
        nth: u64,
    },
    FillDisk {
        nth: u64,
        full: Duration,
    },
}

impl Strike {
    /// A strike of this kind, at a moment of a rotation that has so many.
    fn draw(draw: &mut Draw, fault: Fault, of: &Moments) -> Self {
        let after = draw.percent(50);
        match fault {
            Fault::Host | Fault::Clocks | Fault::Takeover | Fault::Two => {
                // Once in a while at the answer to the request itself, whose client does not know then what it did.
                let (mask, last) = if draw.percent(3) { (ANSWERS, 1) } else { (DEEDS, of.deeds) };
                Self::KillHost { mask, nth: draw.ordinal(last), after }
            }
            Fault::Worker => Self::KillWorkers { nth: draw.ordinal(of.deeds), after },
            Fault::Database => {
                let (count, nth) = event(draw, of);
                let end = if draw.percent(75) { End::Killed } else { End::AtOnce };
                Self::KillDatabase { count, nth, end, down: Duration::from_millis(draw.below(300)) }
            }
            Fault::Connection => {
                let (count, nth) = event(draw, of);
                Self::Cut { count, nth }
            }
            Fault::Disk => {
                let full = Duration::from_millis(5 + draw.below(600));
                Self::FillDisk { nth: draw.ordinal(of.files), full }
            }
        }
    }

    /// The same moment, survived.
    const fn without_death(self) -> Self {
        match self {
            Self::KillHost { mask, nth, after } => Self::HaltHost { mask, nth, after },
            other => other,
        }
    }

    /// Sets the trap.
    pub(crate) fn arm(&self, board: &Board, wire: &Wire) {
        let kill = |after: bool| if after { Act::KillAfter } else { Act::KillBefore };
        let stop = |after: bool| if after { Act::StopAfter } else { Act::StopBefore };
        match *self {
            Self::KillHost { mask, nth, after } => board.arm(mask, nth, kill(after)),
            Self::HaltHost { mask, nth, after } => board.arm(mask, nth, stop(after)),
            Self::KillWorkers { nth, after } => board.arm(DEEDS, nth, stop(after)),
            Self::KillDatabase { count, nth, .. } => wire.arm(count, nth, Then::Stop),
            Self::Cut { count, nth } => wire.arm(count, nth, Then::Cut),
            Self::FillDisk { nth, .. } => board.arm(FILES, nth, Act::DiskFull),
        }
    }

    /// Whether the moment has come.
    pub(crate) fn is_due(&self, board: &Board, wire: &Wire) -> bool {
        match self {
            Self::KillHost { .. }
            | Self::HaltHost { .. }
            | Self::KillWorkers { .. }
            | Self::FillDisk { .. } => board.fired(),
            Self::KillDatabase { .. } | Self::Cut { .. } => wire.fired(),
        }
    }
}

/// An event on the wire: two thirds around the change of the password, the others anywhere.
fn event(draw: &mut Draw, of: &Moments) -> (Count, u64) {
    if draw.percent(67) {
        let stage = draw.pick(&[Stage::Asked, Stage::Answered, Stage::Told]);
        (Count::Changes(stage), draw.ordinal(of.changes))
    } else {
        (Count::All, draw.ordinal(of.events))
    }
}

/// What happens to the host that is not to come back at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It is dead.
    Dead,
    /// It stands still with all that it was about to do, and goes on when it is too late.
    Still,
}

/// All that a seed says about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) strikes: Vec<Strike>,
    /// By how much the clocks of the two hosts are off, in seconds.
    pub(crate) clocks: [i64; 2],
    pub(crate) absence: Absence,
    /// Whether an undisturbed rotation comes before: the alternate account is there then, and there is a previous version.
    pub(crate) settled: bool,
}

impl Plan {
    /// Whether an undisturbed rotation comes before: the moments of the one that follows depend on it.
    pub(crate) const fn is_settled(seed: u64) -> bool {
        Draw::new(seed.rotate_left(32)).percent(40)
    }

    pub(crate) fn draw(seed: u64, fault: Fault, of: &Moments) -> Self {
        let mut draw = Draw::new(seed);
        let draw = &mut draw;
        let kinds = match fault {
            Fault::Two => {
                let kinds = [Fault::Host, Fault::Worker, Fault::Database, Fault::Connection, Fault::Disk];
                // What is recovered from most is a dead host.
                vec![if draw.percent(50) { Fault::Host } else { draw.pick(&kinds) }, draw.pick(&kinds)]
            }
            single => vec![single],
        };
        let mut strikes: Vec<Strike> = kinds.into_iter().map(|kind| Strike::draw(draw, kind, of)).collect();
        let hours = |draw: &mut Draw| (i64::try_from(draw.below(53)).unwrap() - 26) * 3600;
        let clocks = if fault.is_shared() { [hours(draw), hours(draw)] } else { [0, 0] };
        let absence = if draw.percent(50) { Absence::Dead } else { Absence::Still };
        if fault == Fault::Takeover && absence == Absence::Still {
            strikes = strikes.into_iter().map(Strike::without_death).collect();
        }
        Self { strikes, clocks, absence, settled: Self::is_settled(seed) }
    }
}
