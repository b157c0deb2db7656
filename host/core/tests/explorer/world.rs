//! A state of the world: the stored secret and its lease, two hosts in the middle of something, the database's accounts, what may
//! still go wrong, and what the judge keeps in mind.

use pawl_core::rotation::Step;

use crate::ledger::{Ending, SecretNo};
use crate::value::{NO_VALUE, Value, account_of, initial};

/// Candidates of one login, most: pending twice, current, previous and [`pawl_core::limits::OTHER_CANDIDATES_MAX`].
pub(crate) const QUEUE: usize = 8;

/// Where a host is: before this call of its runner, or of a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum At {
    /// Claims, when there is something to claim.
    Idle,
    /// Loads the rotation that it has claimed.
    Load,
    /// Begins a step: reads what the step needs.
    Begin,
    /// createSecret makes its value.
    Put,
    /// Asks the budget and the fence before a login.
    Ask,
    /// The server hears the login.
    Login,
    /// The answer is noted.
    Note { refused: bool },
    /// The exposure is noted.
    Expose,
    /// The fence before the statement.
    Fence,
    /// The statement, in a transaction.
    Statement,
    /// The fence once more; then COMMIT is sent.
    LastWord,
    /// Waits for the answer to COMMIT.
    Commit,
    /// finishSecret moves AWSCURRENT.
    Promote,
    /// The step's end is stored.
    End(Ending),
}

/// A host's connection that changes a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Change {
    None,
    /// The statement has run.
    Open,
    /// COMMIT is on its way.
    Sent,
}

/// The good end of a step that is stored with whatever is stored next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ahead {
    pub(crate) step: Step,
    pub(crate) ending: Ending,
    pub(crate) changed: bool,
}

/// One process: everything here is lost when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host {
    pub(crate) at: At,
    /// Whether its claim's epoch is the store's still.
    pub(crate) mine: bool,
    pub(crate) token: u8,
    pub(crate) step: Step,
    /// What it tries to log in with, in order.
    pub(crate) queue: [Value; QUEUE],
    pub(crate) next: u8,
    /// Whether the pending version's is among them, which needs no change any more when it works.
    pub(crate) probes: bool,
    /// Whether the account has refused logins on its account, which a good one clears.
    pub(crate) owes: bool,
    /// Whether a version of the secret has logged in.
    pub(crate) logged_in: bool,
    /// The new password, as the step has read it.
    pub(crate) pending: Value,
    pub(crate) change: Change,
    pub(crate) changed: bool,
    /// The value that it has made and not stored yet: it is stored with what is stored next, and before it leaves the host.
    pub(crate) put: Value,
    /// Ends of the steps before the last that are not stored yet.
    pub(crate) ahead: [Option<Ahead>; 3],
}

impl Host {
    pub(crate) const IDLE: Self = Self {
        at: At::Idle,
        mine: false,
        token: 0,
        step: Step::CreateSecret,
        queue: [NO_VALUE; QUEUE],
        next: 0,
        probes: false,
        owes: false,
        logged_in: false,
        pending: NO_VALUE,
        change: Change::None,
        changed: false,
        put: NO_VALUE,
        ahead: [None; 3],
    };

    /// At the beginning of a step, knowing nothing.
    pub(crate) const fn beginning(token: u8, step: Step) -> Self {
        Self { at: At::Begin, mine: true, token, step, ..Self::IDLE }
    }

    /// At the end of its step: what it has read is forgotten.
    pub(crate) const fn ending(self, ending: Ending) -> Self {
        let Self { mine, token, step, changed, put, ahead, .. } = self;
        Self { at: At::End(ending), mine, token, step, changed, put, ahead, ..Self::IDLE }
    }

    pub(crate) fn candidate(&self) -> Value {
        self.queue.get(usize::from(self.next)).copied().unwrap_or(NO_VALUE)
    }
}

/// COMMIT of a process that is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Orphan {
    pub(crate) token: u8,
    pub(crate) value: Value,
}

/// How often each kind of disturbance may still happen, and all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Budget {
    pub(crate) crashes: u8,
    pub(crate) expiries: u8,
    pub(crate) deeds: u8,
    pub(crate) faults: u8,
    pub(crate) all: u8,
}

/// Whose doing it is that a rotation does not end well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Blame {
    /// A person has cancelled.
    pub(crate) cancelled: bool,
    /// A person has taken the secret away from a rotation.
    pub(crate) taken: bool,
    /// A person has moved AWSCURRENT, or what the database has, from one another; until a rotation has mended it.
    pub(crate) meddled: bool,
    /// A person has changed a password at the database.
    pub(crate) by_hand: bool,
    /// The server has rejected a statement.
    pub(crate) rejected: bool,
    /// The database was away for longer than a rotation waits that has changed nothing.
    pub(crate) outage: bool,
    /// Nobody's: a rotation has found its budget of refused logins spent.
    pub(crate) spent: bool,
}

/// A rule that was broken on the way to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Broken {
    /// One rotation has two values.
    SecondPassword,
    /// The database was given a password that is not stored.
    UnstoredPassword,
    /// The database was given the password of a rotation after that of a newer one.
    LatePassword,
    /// AWSCURRENT moved to a version whose login nobody had seen.
    Untested,
}

/// What the judge keeps in mind. No host knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Notes {
    pub(crate) blame: Blame,
    /// Version ids that were given out.
    pub(crate) issued: u8,
    /// How many values were made for each version.
    pub(crate) made: [u8; 10],
    /// Whose rotation changed each account last.
    pub(crate) changed_by: [u8; 2],
    /// A bit for each version whose login was seen. Nobody logs in with a password that was not set.
    pub(crate) seen: u16,
    /// A bit for each version that AWSCURRENT has been on.
    pub(crate) was_current: u16,
    /// Logins that the server has refused in a row, as long as no person has asked for a rotation.
    pub(crate) refused: [u8; 2],
    /// Those of which no host could make a note.
    pub(crate) unnoted: [u8; 2],
    pub(crate) broken: Option<Broken>,
}

impl Notes {
    /// How many values were made for a version before the one that is made now.
    pub(crate) fn count_made(&mut self, token: u8) -> u8 {
        let place = &mut self.made[usize::from(token)];
        let before = *place;
        *place = (before + 1).min(3);
        before
    }
}

/// All of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct World {
    pub(crate) secret: SecretNo,
    /// Whether the lease runs. Its holder is the host whose claim is good.
    pub(crate) leased: bool,
    pub(crate) hosts: [Host; 2],
    /// The password of each account.
    pub(crate) passwords: [Value; 2],
    pub(crate) orphan: Option<Orphan>,
    pub(crate) left: Budget,
    pub(crate) notes: Notes,
}

impl World {
    /// Rotation 3 has been asked for, and nobody has begun.
    pub(crate) fn beginning(secret: SecretNo, alternating: bool, left: Budget) -> Self {
        let passwords = if alternating { [2, 1] } else { [2, 2] }.map(|token| initial(token, alternating));
        let notes = Notes {
            blame: Blame::default(),
            issued: 3,
            made: [0; 10],
            changed_by: [0; 2],
            seen: 0,
            was_current: 0b110,
            refused: [0; 2],
            unnoted: [0; 2],
            broken: None,
        };
        let (hosts, orphan) = ([Host::IDLE; 2], None);
        Self { secret, leased: false, hosts, passwords, orphan, left, notes }
    }

    /// The hosts are alike: which of them does what makes no difference.
    pub(crate) fn sorted(mut self) -> Self {
        if self.hosts[0] > self.hosts[1] {
            self.hosts.swap(0, 1);
        }
        self
    }

    /// Whether a transaction on the account is not over: another one's statement waits.
    pub(crate) fn is_locked(&self) -> bool {
        self.orphan.is_some() || self.hosts.iter().any(|host| host.change != Change::None)
    }

    /// Whether a host has made up its mind to change a password, and has not heard that it is done.
    pub(crate) fn is_changing(&self) -> bool {
        let changing = |host: &Host| matches!(host.at, At::Fence | At::Statement | At::LastWord | At::Commit);
        self.orphan.is_some() || self.hosts.iter().any(changing)
    }

    /// Refused logins of an account of which no note was made, or not yet.
    pub(crate) fn unnoted(&self, account: u8) -> u8 {
        let is_one =
            |host: &&Host| host.at == At::Note { refused: true } && account_of(host.candidate()) == account;
        let coming = self.hosts.iter().filter(is_one).fold(0, |count, _| count + 1);
        self.notes.unnoted[usize::from(account)] + coming
    }
}
