//! What hosts and the database do by themselves: each call of the runner and of its capabilities as one move, as the product's
//! runner, port, capabilities and built-in rotators make them.

use std::fmt;

use pawl_core::limits;
use pawl_core::rotation::Step;

use crate::ledger::{Deed, Ending, Facts, Ledger, No, SecretNo, Stand};
use crate::mutants::Mutant;
use crate::value::{NO_VALUE, Value, account_of, fresh, token_of};
use crate::world::{Ahead, At, Broken, Change, Host, QUEUE, World};

/// A move, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// A host goes on from here.
    Host(At, Step, u8),
    /// What was on its way arrives, after its sender is dead.
    OrphanCommits,
    /// It does not.
    OrphanIsLost,
    Crash(At),
    LeaseExpires,
    Falters(At),
    /// What was asked for is done, and the answer does not come.
    AnswerLost(At),
    Rejected,
    Outage,
    /// The step's end is stored, and stored again.
    EndsTwice,
    Person(Deed),
    PasswordByHand,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(at, step, token) => write!(f, "host: {at:?} ({step} of {token})"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl Move {
    /// Whether it is the hosts' own work, and not a disturbance.
    pub(crate) const fn is_work(&self) -> bool {
        matches!(self, Self::Host(..) | Self::OrphanCommits | Self::OrphanIsLost)
    }
}

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) alternating: bool,
    pub(crate) mutant: Option<Mutant>,
}

/// The moves out of one state.
pub(crate) struct Moves<'a> {
    pub(crate) setting: Setting,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) found: Vec<(Move, World)>,
}

impl Moves<'_> {
    /// Finds what the hosts and the database do by themselves.
    pub(crate) fn work(&mut self, world: &World) {
        for n in 0..2 {
            if n == 1 && world.hosts[0] == world.hosts[1] {
                continue;
            }
            let host = world.hosts[n];
            if let Some(next) = self.host_goes_on(world, n) {
                self.add(Move::Host(host.at, host.step, host.token), next);
            }
        }
        if let Some(orphan) = world.orphan {
            let mut next = World { orphan: None, ..*world };
            self.add(Move::OrphanIsLost, next);
            self.database_takes(&mut next, orphan.token, orphan.value);
            self.add(Move::OrphanCommits, next);
        }
    }

    pub(crate) fn add(&mut self, what: Move, world: World) {
        self.found.push((what, world.sorted()));
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.setting.mutant == Some(mutant)
    }

    pub(crate) fn facts(&self, world: &World) -> std::rc::Rc<Facts> {
        std::rc::Rc::clone(self.ledger.facts(world.secret))
    }

    /// The secret as a host sees it: with the ends of steps that it has not stored yet.
    fn seen_by(&mut self, world: &World, host: Host) -> std::rc::Rc<Facts> {
        let seen = self.with_ahead(world.secret, host);
        std::rc::Rc::clone(self.ledger.facts(seen))
    }

    fn with_ahead(&mut self, secret: SecretNo, host: Host) -> SecretNo {
        let secret = self.with_put(secret, host).unwrap_or(secret);
        host.ahead.into_iter().flatten().fold(secret, |secret, Ahead { step, ending, changed }| {
            let deed = Deed::StepEnded { token: host.token, step, ending, changed };
            self.ledger.act(secret, deed).unwrap_or(secret)
        })
    }

    fn with_put(&mut self, secret: SecretNo, host: Host) -> Result<SecretNo, No> {
        if host.put == NO_VALUE {
            return Ok(secret);
        }
        self.ledger.act(secret, Deed::PutPending { token: host.token, value: host.put })
    }

    /// A host's next call; none when it has nothing to do or has to wait.
    pub(crate) fn host_goes_on(&mut self, world: &World, n: usize) -> Option<World> {
        let (mut next, mut host) = (*world, world.hosts[n]);
        let (facts, token) = (self.seen_by(world, host), host.token);
        let owned = facts.owned && facts.token == host.token;
        next.hosts[n] = match host.at {
            At::Idle => {
                if world.leased || !matches!(facts.stand, Stand::Running(_)) {
                    return None;
                }
                next.hosts[1 - n].mine = false;
                next.leased = true;
                Host { at: At::Load, mine: true, ..Host::IDLE }
            }
            At::Load => match facts.stand {
                Stand::Running(step) => Host { mine: host.mine, ..Host::beginning(facts.token, step) },
                _ => {
                    next.leased &= !host.mine;
                    Host::IDLE
                }
            },
            At::Begin => self.step_begins(host, &facts, owned),
            At::Put => {
                let account = account_of(facts.current) ^ u8::from(self.setting.alternating);
                let before = next.notes.count_made(token);
                let value = fresh(token, account, before);
                if self.is(Mutant::RegenerateOnRetry) {
                    match self.stores(&mut next, &mut host, Deed::PutPending { token, value }) {
                        Ok(()) => host.ending(done()),
                        Err(ending) => host.ending(ending),
                    }
                } else {
                    let host = Host { put: value, ..host };
                    let taken = self.with_put(next.secret, host).err().map(refused);
                    host.ending(taken.unwrap_or_else(done))
                }
            }
            At::Ask => self.asks(&mut next, host, &facts, owned),
            At::Login => self.server_hears(&mut next, host, &facts),
            At::Note { refused } => self.notes(&mut next, host, &facts, refused),
            At::Expose => self.exposure(&mut next, host, &facts, owned),
            // It waits for the lock.
            At::Statement if world.is_locked() && !self.is(Mutant::NoLock) => return None,
            // Before it leaves the host.
            At::Fence if host.put != NO_VALUE && !self.is(Mutant::SendUnstored) => {
                match self.stores(&mut next, &mut host, Deed::Settle) {
                    Ok(()) => host,
                    Err(ending) => host.ending(ending),
                }
            }
            At::Fence | At::Statement | At::LastWord | At::Commit => self.changes(&mut next, host, owned),
            At::Promote => self.promotion(&mut next, host),
            At::End(ending) => self.step_ends(&mut next, host, ending, false),
        };
        Some(next)
    }

    /// Before a login: whether there may be one, and whether the claim is good.
    fn asks(&self, world: &mut World, host: Host, facts: &Facts, owned: bool) -> Host {
        let refusals = facts.refusals[usize::from(account_of(host.candidate()))];
        if !owned || !host.mine {
            return host.ending(Ending::Superseded);
        }
        if u32::from(refusals) >= limits::FAILED_LOGINS_MAX {
            world.notes.blame.spent = true;
            return self.nobody_logs_in(host, facts);
        }
        world.leased = true;
        Host { at: At::Login, owes: refusals > 0, ..host }
    }

    /// After a login.
    fn notes(&mut self, world: &mut World, mut host: Host, facts: &Facts, refused: bool) -> Host {
        let account = account_of(host.candidate());
        let deed = Deed::NoteLogin { token: host.token, account, refused };
        if let Err(ending) = self.stores(world, &mut host, deed) {
            world.notes.unnoted[usize::from(account)] += u8::from(refused);
            return host.ending(ending);
        }
        if !refused {
            return self.logged_in(host);
        }
        let host = Host { next: host.next + 1, owes: false, ..host };
        if host.candidate() == NO_VALUE {
            self.nobody_logs_in(host, facts)
        } else {
            Host { at: At::Ask, ..host }
        }
    }

    /// From the fence before the statement to the answer to COMMIT.
    fn changes(&self, world: &mut World, host: Host, owned: bool) -> Host {
        let asks = matches!(host.at, At::Fence | At::LastWord) && !self.is(Mutant::SkipFence);
        if asks && (!owned || !host.mine) {
            return host.ending(Ending::Superseded);
        }
        world.leased |= asks;
        match host.at {
            At::Fence if self.is(Mutant::LateEffect) => Host { at: At::Commit, change: Change::Sent, ..host },
            At::Fence => Host { at: At::Statement, ..host },
            At::Statement => Host { at: At::LastWord, change: Change::Open, ..host },
            At::LastWord => Host { at: At::Commit, change: Change::Sent, ..host },
            _ if host.change == Change::None => host.ending(Ending::Transient),
            _ => {
                self.database_takes(world, host.token, host.pending);
                self.changed(host)
            }
        }
    }

    /// A deed on the stored secret by a host that has claimed it: refused when its claim is over.
    fn stores(&mut self, world: &mut World, host: &mut Host, deed: Deed) -> Result<(), Ending> {
        if !host.mine {
            return Err(Ending::Superseded);
        }
        let put = self.with_put(world.secret, *host);
        let secret = put.map(|_| self.with_ahead(world.secret, *host));
        match secret.and_then(|secret| self.ledger.act(secret, deed)) {
            Ok(secret) => {
                self.judge_change(world, secret);
                (world.secret, host.put, host.ahead) = (secret, NO_VALUE, [None; 3]);
                Ok(())
            }
            Err(no) => Err(refused(no)),
        }
    }

    /// One version has one value, for ever.
    pub(crate) fn judge_change(&self, world: &mut World, after: u32) {
        let (before, after) = (self.facts(world), self.ledger.facts(after));
        let kept = |(version, value): &(u8, Value)| {
            let now = after.value_of(*version);
            *value == NO_VALUE || now == *value || now == NO_VALUE
        };
        if !before.values.iter().all(kept) {
            world.notes.broken.get_or_insert(Broken::SecondPassword);
        }
        world.notes.was_current |= 1 << after.current_version;
    }

    fn step_begins(&self, host: Host, facts: &Facts, owned: bool) -> Host {
        if !owned {
            return host.ending(Ending::Superseded);
        }
        let (pending, alternating) = (facts.pending, self.setting.alternating);
        let taking_turns = !alternating || account_of(pending) != account_of(facts.current);
        match host.step {
            Step::CreateSecret if pending == NO_VALUE || self.is(Mutant::RegenerateOnRetry) => {
                Host { at: At::Put, ..host }
            }
            Step::CreateSecret => host.ending(done()),
            // The rotators want a pending version, of the account that is to be changed.
            _ if pending == NO_VALUE => host.ending(Ending::Permanent),
            Step::SetSecret | Step::TestSecret if !taking_turns => host.ending(Ending::Permanent),
            Step::SetSecret => {
                let probes = facts.exposed && !alternating;
                // A COMMIT of an earlier try may arrive after the first look: what refuses AWSCURRENT is asked once more.
                let again = if probes && !self.is(Mutant::ProbeOnce) { pending } else { NO_VALUE };
                let known =
                    [facts.current, again, facts.previous].into_iter().chain(facts.others.iter().copied());
                let known = probes.then_some(pending).into_iter().chain(known.filter(|it| *it != NO_VALUE));
                let mut queue = [NO_VALUE; QUEUE];
                queue.iter_mut().zip(known).for_each(|(place, value)| *place = value);
                Host { at: At::Ask, pending, queue, probes, ..host }
            }
            Step::TestSecret if self.is(Mutant::PromoteBeforeTest) && facts.current != pending => {
                Host { at: At::Promote, ..host }
            }
            Step::TestSecret => self.tests(host, pending),
            // The host's own look before a promotion.
            Step::FinishSecret if !facts.proof.login => self.tests(host, pending),
            Step::FinishSecret if alternating && taking_turns && !facts.proof.privileges => {
                host.ending(Ending::Permanent)
            }
            Step::FinishSecret => Host { at: At::Promote, ..host },
        }
    }

    fn tests(&self, host: Host, pending: Value) -> Host {
        let mut queue = [NO_VALUE; QUEUE];
        queue[0] = pending;
        Host { at: At::Ask, pending, queue, ..host }
    }

    fn server_hears(&self, world: &mut World, host: Host, facts: &Facts) -> Host {
        let (value, account) = (host.candidate(), usize::from(account_of(host.candidate())));
        if world.passwords[account] != value {
            world.notes.refused[account] += 1;
            return Host { at: At::Note { refused: true }, ..host };
        }
        (world.notes.refused[account], world.notes.unnoted[account]) = (0, 0);
        let version = facts.values.iter().find(|(_, held)| *held == value).map_or(0, |(version, _)| *version);
        world.notes.seen |= 1 << version;
        if host.owes { Host { at: At::Note { refused: false }, ..host } } else { self.logged_in(host) }
    }

    fn logged_in(&self, host: Host) -> Host {
        let as_pending = host.probes && host.candidate() == host.pending;
        match host.step {
            Step::SetSecret if as_pending => host.ending(done()),
            Step::SetSecret => self.will_change(Host { logged_in: true, ..host }),
            Step::FinishSecret => Host { at: At::Promote, ..Host::beginning(host.token, host.step) }.of(host),
            _ => host.ending(Ending::Done { login: true, privileges: self.setting.alternating }),
        }
    }

    /// Every candidate was refused, or the budget for that is spent.
    fn nobody_logs_in(&self, host: Host, facts: &Facts) -> Host {
        // The master makes an account work whose secret has been rotated before.
        let by_master = self.setting.alternating && host.step == Step::SetSecret;
        if by_master && facts.current_was_rotated {
            self.will_change(host)
        } else {
            host.ending(Ending::Permanent)
        }
    }

    fn will_change(&self, host: Host) -> Host {
        let Host { mine, token, step, pending, logged_in, put, ahead, .. } = host;
        let at = if self.is(Mutant::ExposeAfter) { At::Fence } else { At::Expose };
        Host { at, mine, token, step, pending, logged_in, put, ahead, ..Host::IDLE }
    }

    /// Looks once more at what is stored, and notes that the database is about to have it.
    fn exposure(&mut self, world: &mut World, mut host: Host, facts: &Facts, owned: bool) -> Host {
        if !owned {
            return host.ending(Ending::Superseded);
        }
        let token = host.token;
        if self.is(Mutant::ExposeAfter) {
            let exposed = self.stores(world, &mut host, Deed::Expose { token });
            return host.ending(exposed.err().unwrap_or_else(done));
        }
        let is_stored = [facts.pending, facts.current, facts.previous].contains(&host.pending);
        let alternating = self.setting.alternating;
        if !is_stored || alternating && account_of(facts.current) == account_of(host.pending) {
            return host.ending(Ending::Permanent);
        }
        let in_place = !alternating;
        if in_place
            && !facts.exposed
            && let Err(ending) = self.stores(world, &mut host, Deed::Expose { token })
        {
            return host.ending(ending);
        }
        Host { at: At::Fence, ..host }
    }

    fn changed(&self, host: Host) -> Host {
        if self.is(Mutant::ExposeAfter) {
            return Host { at: At::Expose, change: Change::None, ..host };
        }
        Host { changed: !self.setting.alternating, ..host }.ending(done())
    }

    /// The database commits a password.
    pub(crate) fn database_takes(&self, world: &mut World, token: u8, value: Value) {
        let (facts, account) = (self.facts(world), usize::from(account_of(value)));
        world.passwords[account] = value;
        let stored = facts.value_of(token);
        let dropped = token_of(value) == token && !facts.values.iter().any(|(version, _)| *version == token);
        if stored != value && !dropped {
            world.notes.broken.get_or_insert(Broken::UnstoredPassword);
        }
        if world.notes.changed_by[account] > token {
            world.notes.broken.get_or_insert(Broken::LatePassword);
        }
        world.notes.changed_by[account] = token;
    }

    fn promotion(&mut self, world: &mut World, mut host: Host) -> Host {
        let (before, token) = (self.facts(world).current_version, host.token);
        match self.stores(world, &mut host, Deed::Promote { token }) {
            Ok(()) => {
                let facts = self.facts(world);
                if before != facts.current_version {
                    if world.notes.seen & (1 << host.token) == 0 {
                        world.notes.broken.get_or_insert(Broken::Untested);
                    }
                    let works = world.passwords[usize::from(account_of(facts.current))] == facts.current;
                    world.notes.blame.meddled &= !works;
                }
                if host.step == Step::TestSecret {
                    Host { at: At::Begin, ..host }
                } else {
                    host.ending(done())
                }
            }
            Err(ending) => host.ending(ending),
        }
    }

    /// A password that is made is set, tested and promoted first, and how that went is stored with the next that is to be stored:
    /// the host goes on as if it were.
    fn goes_ahead(&mut self, world: &World, host: Host, ending: Ending) -> Option<Host> {
        let waits = matches!(host.step, Step::CreateSecret | Step::SetSecret | Step::TestSecret);
        if !waits || !matches!(ending, Ending::Done { .. }) {
            return None;
        }
        let mut ahead = host.ahead;
        *ahead.iter_mut().find(|end| end.is_none())? =
            Some(Ahead { step: host.step, ending, changed: host.changed });
        let facts = self.seen_by(world, Host { ahead, ..host });
        match facts.stand {
            Stand::Running(step) if facts.token == host.token && step != host.step => {
                Some(Host { put: host.put, ahead, mine: host.mine, ..Host::beginning(host.token, step) })
            }
            _ => None,
        }
    }

    /// The end of a step is stored; the next one begins at once, or the claim is given back.
    pub(crate) fn step_ends(
        &mut self,
        world: &mut World,
        mut host: Host,
        ending: Ending,
        again: bool,
    ) -> Host {
        if let Some(ahead) = self.goes_ahead(world, host, ending).filter(|_| !again) {
            return ahead;
        }
        let mut deed = Deed::StepEnded { token: host.token, step: host.step, ending, changed: host.changed };
        if self.with_put(world.secret, host).is_err() {
            // Nothing has come of this claim: the recorded step is run again.
            (host.put, host.ahead, deed) = (NO_VALUE, [None; 3], Deed::Settle);
        }
        if self.stores(world, &mut host, deed).is_err() {
            return Host::IDLE;
        }
        let facts = self.facts(world);
        let waits = matches!(ending, Ending::Transient | Ending::Outage);
        match facts.stand {
            Stand::Running(step) if facts.token == host.token && !waits => {
                if again {
                    host
                } else {
                    Host::beginning(host.token, step)
                }
            }
            _ => {
                world.leased = false;
                Host::IDLE
            }
        }
    }
}

impl Host {
    /// With another one's claim.
    const fn of(self, other: Self) -> Self {
        Self { mine: other.mine, put: other.put, ahead: other.ahead, ..self }
    }
}

const fn refused(no: No) -> Ending {
    match no {
        No::Superseded => Ending::Superseded,
        No::Refused => Ending::Permanent,
    }
}

const fn done() -> Ending {
    Ending::Done { login: false, privileges: false }
}
