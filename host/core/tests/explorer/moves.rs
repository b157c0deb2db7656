//! What can happen next: each call of the runner and of its capabilities as one move, as the host and the built-in rotators make
//! them, and everything that may come in between.

use std::fmt;

use pawl_core::limits;
use pawl_core::rotation::Step;

use crate::ledger::{Deed, Ending, Facts, Ledger, No, Stand};
use crate::mutants::Mutant;
use crate::value::{NO_VALUE, Value, account_of, by_hand, fresh, is_by_hand, token_of};
use crate::world::{At, Broken, Change, Host, Orphan, QUEUE, World};

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
            next.notes.blame.late = true;
            self.add(Move::OrphanCommits, next);
        }
    }

    pub(crate) fn add(&mut self, what: Move, world: World) {
        self.found.push((what, world.sorted()));
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.setting.mutant == Some(mutant)
    }

    fn facts(&self, world: &World) -> std::rc::Rc<Facts> {
        std::rc::Rc::clone(self.ledger.facts(world.secret))
    }

    /// A host's next call; none when it has nothing to do or has to wait.
    fn host_goes_on(&mut self, world: &World, n: usize) -> Option<World> {
        let (mut next, host, facts) = (*world, world.hosts[n], self.facts(world));
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
                let again = facts.value_of(host.token) != NO_VALUE;
                let account = account_of(facts.current) ^ u8::from(self.setting.alternating);
                let value = fresh(host.token, account, again);
                match self.stores(&mut next, host, Deed::PutPending { token: host.token, value }) {
                    Ok(()) => host.ending(done()),
                    Err(ending) => host.ending(ending),
                }
            }
            At::Ask => {
                let account = account_of(host.candidate());
                let refusals = facts.refusals[usize::from(account)];
                if !owned || !host.mine {
                    host.ending(Ending::Superseded)
                } else if u32::from(refusals) >= limits::FAILED_LOGINS_MAX {
                    self.nobody_logs_in(host, &facts)
                } else {
                    next.leased = true;
                    Host { at: At::Login, owes: refusals > 0, ..host }
                }
            }
            At::Login => self.server_hears(&mut next, host, &facts),
            At::Note { refused } => {
                let account = account_of(host.candidate());
                let deed = Deed::NoteLogin { token: host.token, account, refused };
                match self.stores(&mut next, host, deed) {
                    Ok(()) if refused => {
                        let host = Host { next: host.next + 1, owes: false, ..host };
                        if host.candidate() == NO_VALUE {
                            self.nobody_logs_in(host, &facts)
                        } else {
                            Host { at: At::Ask, ..host }
                        }
                    }
                    Ok(()) => self.logged_in(host),
                    Err(ending) => {
                        next.notes.unnoted[usize::from(account)] += u8::from(refused);
                        host.ending(ending)
                    }
                }
            }
            At::Expose => self.exposure(&mut next, host, &facts, owned),
            At::Fence if self.is(Mutant::SkipFence) => Host { at: At::Statement, ..host },
            At::Fence if !owned || !host.mine => host.ending(Ending::Superseded),
            At::Fence => {
                next.leased = true;
                let late = self.is(Mutant::LateEffect);
                let (at, change) =
                    if late { (At::Commit, Change::Sent) } else { (At::Statement, Change::None) };
                Host { at, change, ..host }
            }
            // It waits for the lock.
            At::Statement if world.is_locked() => return None,
            At::Statement => Host { at: At::LastWord, change: Change::Open, ..host },
            At::LastWord if self.is(Mutant::SkipFence) => self.sent(host),
            At::LastWord if !owned || !host.mine => host.ending(Ending::Superseded),
            At::LastWord => {
                next.leased = true;
                self.sent(host)
            }
            At::Commit if host.change == Change::None => host.ending(Ending::Transient),
            At::Commit => {
                self.database_takes(&mut next, host.token, host.pending);
                self.changed(host)
            }
            At::Promote => self.promotion(&mut next, host),
            At::End(ending) => self.step_ends(&mut next, host, ending, false),
        };
        Some(next)
    }

    /// A deed on the stored secret by a host that has claimed it: refused when its claim is over.
    fn stores(&mut self, world: &mut World, host: Host, deed: Deed) -> Result<(), Ending> {
        if !host.mine {
            return Err(Ending::Superseded);
        }
        match self.ledger.act(world.secret, deed) {
            Ok(secret) => {
                self.judge_change(world, secret);
                world.secret = secret;
                Ok(())
            }
            Err(No::Superseded) => Err(Ending::Superseded),
            Err(No::Refused) => Err(Ending::Permanent),
        }
    }

    /// One version has one value, for ever.
    fn judge_change(&self, world: &mut World, after: u32) {
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
                let again = if probes { pending } else { NO_VALUE };
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
        let Host { mine, token, step, pending, logged_in, .. } = host;
        let at = if self.is(Mutant::ExposeAfter) { At::Fence } else { At::Expose };
        Host { at, mine, token, step, pending, logged_in, ..Host::IDLE }
    }

    /// Looks once more at what is stored, and notes that the database is about to have it.
    fn exposure(&mut self, world: &mut World, host: Host, facts: &Facts, owned: bool) -> Host {
        if !owned {
            return host.ending(Ending::Superseded);
        }
        if self.is(Mutant::ExposeAfter) {
            let exposed = self.stores(world, host, Deed::Expose { token: host.token });
            return host.ending(exposed.err().unwrap_or_else(done));
        }
        let is_stored = [facts.pending, facts.current, facts.previous].contains(&host.pending);
        let alternating = self.setting.alternating;
        if !is_stored || alternating && account_of(facts.current) == account_of(host.pending) {
            return host.ending(Ending::Permanent);
        }
        let in_place = !alternating;
        if in_place && !facts.exposed {
            if let Err(ending) = self.stores(world, host, Deed::Expose { token: host.token }) {
                return host.ending(ending);
            }
        }
        Host { at: At::Fence, ..host }
    }

    const fn sent(&self, host: Host) -> Host {
        Host { at: At::Commit, change: Change::Sent, ..host }
    }

    fn changed(&self, host: Host) -> Host {
        if self.is(Mutant::ExposeAfter) {
            return Host { at: At::Expose, change: Change::None, ..host };
        }
        Host { changed: !self.setting.alternating, ..host }.ending(done())
    }

    /// The database commits a password.
    fn database_takes(&self, world: &mut World, token: u8, value: Value) {
        let (facts, account) = (self.facts(world), usize::from(account_of(value)));
        world.passwords[account] = value;
        let stored = facts.value_of(token);
        if stored != NO_VALUE && stored != value || token_of(value) != token && stored != value {
            world.notes.broken.get_or_insert(Broken::UnstoredPassword);
        }
        if world.notes.changed_by[account] > token {
            world.notes.broken.get_or_insert(Broken::LatePassword);
        }
        world.notes.changed_by[account] = token;
    }

    fn promotion(&mut self, world: &mut World, host: Host) -> Host {
        let before = self.facts(world).current_version;
        match self.stores(world, host, Deed::Promote { token: host.token }) {
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

    /// The end of a step is stored; the next one begins at once, or the claim is given back.
    fn step_ends(&mut self, world: &mut World, host: Host, ending: Ending, again: bool) -> Host {
        let deed = Deed::StepEnded { token: host.token, step: host.step, ending, changed: host.changed };
        if self.stores(world, host, deed).is_err() {
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

    /// Finds what may come in between.
    pub(crate) fn disturbances(&mut self, world: &World) {
        let left = world.left;
        if left.all == 0 {
            return;
        }
        let mut calmer = *world;
        calmer.left.all -= 1;
        if left.crashes > 0 {
            let mut calmer = calmer;
            calmer.left.crashes -= 1;
            self.crashes(&calmer);
        }
        if left.expiries > 0 && world.leased {
            let mut next = calmer;
            next.left.expiries -= 1;
            next.leased = false;
            if !self.is(Mutant::LateEffect) {
                // The database has long taken back what its host is silent about, and a COMMIT has long arrived or never will.
                next.orphan = None;
                next.hosts.iter_mut().for_each(|host| host.change = Change::None);
            }
            self.add(Move::LeaseExpires, next);
        }
        if left.faults > 0 {
            let mut calmer = calmer;
            calmer.left.faults -= 1;
            self.faults(&calmer);
        }
        if left.deeds > 0 {
            let mut calmer = calmer;
            calmer.left.deeds -= 1;
            self.deeds(&calmer);
        }
    }

    fn crashes(&mut self, world: &World) {
        for n in 0..2 {
            let host = world.hosts[n];
            if host.at == At::Idle {
                continue;
            }
            let mut next = *world;
            next.hosts[n] = Host::IDLE;
            // Started again, it gives up the leases that it had.
            next.leased &= !host.mine;
            if host.change == Change::Sent && next.orphan.is_none() {
                next.orphan = Some(Orphan { token: host.token, value: host.pending });
            }
            Self::forget_answer(&mut next, host);
            self.add(Move::Crash(host.at), next);
        }
    }

    fn forget_answer(world: &mut World, host: Host) {
        if let At::Note { refused: true } = host.at {
            world.notes.unnoted[usize::from(account_of(host.candidate()))] += 1;
        }
    }

    fn faults(&mut self, world: &World) {
        for n in 0..2 {
            let host = world.hosts[n];
            let mut next = *world;
            next.hosts[n] = host.ending(Ending::Transient);
            match host.at {
                At::Idle | At::Load => continue,
                At::End(ending) => {
                    next.hosts[n] = self.step_ends(&mut next, host, ending, true);
                    self.add(Move::EndsTwice, next);
                    continue;
                }
                At::Put | At::Note { .. } | At::Expose | At::Promote => {
                    let mut done = *world;
                    if let Some(after) = self.host_goes_on(&done, n) {
                        done = after;
                        done.hosts[n] = host.ending(Ending::Transient);
                        self.add(Move::AnswerLost(host.at), done);
                    }
                }
                At::Commit if host.change == Change::Sent => {
                    let mut done = next;
                    self.database_takes(&mut done, host.token, host.pending);
                    self.add(Move::AnswerLost(host.at), done);
                }
                At::Statement => {
                    let mut rejected = *world;
                    rejected.notes.blame.rejected = true;
                    rejected.hosts[n] = host.ending(Ending::Permanent);
                    self.add(Move::Rejected, rejected);
                }
                At::Login => {
                    let mut outage = *world;
                    outage.notes.blame.outage = true;
                    outage.hosts[n] = host.ending(Ending::Outage);
                    self.add(Move::Outage, outage);
                }
                _ => {}
            }
            Self::forget_answer(&mut next, host);
            self.add(Move::Falters(host.at), next);
        }
    }

    fn deeds(&mut self, world: &World) {
        let facts = self.facts(world);
        let token = world.notes.issued + 1;
        let account = account_of(facts.current);
        let other = account ^ u8::from(self.setting.alternating);
        let at_hand = world.passwords[usize::from(account)];
        let mut deeds = vec![
            Deed::Rotate { token },
            Deed::Schedule { token },
            Deed::Cancel,
            Deed::PutCurrent { token, value: fresh(token, account, false) },
            Deed::PutAsPending { token, value: fresh(token, other, false) },
            Deed::RemovePending,
            Deed::BackToPrevious,
        ];
        if is_by_hand(at_hand) {
            deeds.push(Deed::PutCurrent { token, value: at_hand });
        }
        // That nobody has used it for months is nobody's fault but a person's, once a person has moved AWSCURRENT on.
        let held =
            facts.values.iter().find(|(_, value)| *value == at_hand).map_or(0, |(version, _)| *version);
        if facts.labelled.contains(&held) || world.notes.was_current & (1 << held) == 0 {
            deeds.push(Deed::Age);
        }
        for deed in deeds {
            let Ok(secret) = self.ledger.act(world.secret, deed) else { continue };
            if secret == world.secret {
                continue;
            }
            let mut next = *world;
            self.judge_change(&mut next, secret);
            next.secret = secret;
            self.blame(&mut next, deed, &facts);
            self.add(Move::Person(deed), next);
        }
        if !is_by_hand(at_hand) {
            let mut next = *world;
            next.passwords[usize::from(account)] = by_hand(account);
            (next.notes.blame.by_hand, next.notes.blame.meddled) = (true, true);
            self.add(Move::PasswordByHand, next);
        }
    }

    /// Notes whose doing it is.
    fn blame(&self, world: &mut World, deed: Deed, before: &Facts) {
        let facts = self.facts(world);
        let held = world.passwords[usize::from(account_of(facts.current))];
        let is_changing = world.is_changing();
        let notes = &mut world.notes;
        if facts.values.iter().any(|(version, _)| *version == notes.issued + 1) {
            notes.issued += 1;
        }
        match deed {
            Deed::Cancel => notes.blame.cancelled = true,
            Deed::Rotate { .. } => (notes.refused, notes.unnoted) = ([0; 2], [0; 2]),
            Deed::PutCurrent { .. }
            | Deed::PutAsPending { .. }
            | Deed::RemovePending
            | Deed::BackToPrevious => {
                notes.blame.taken = true;
                // What is on its way may be for the account that AWSCURRENT is on now.
                let on_its_way = before.exposed || is_changing;
                notes.blame.meddled |= held != facts.current || on_its_way;
            }
            _ => {}
        }
    }
}

impl Host {
    /// With another one's claim.
    const fn of(self, other: Self) -> Self {
        Self { mine: other.mine, ..self }
    }
}

const fn done() -> Ending {
    Ending::Done { login: false, privileges: false }
}
