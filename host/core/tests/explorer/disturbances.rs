//! What may come in between: processes that die or sleep, answers that are lost, servers that are away, and people.

use crate::ledger::{Deed, Ending, Facts};
use crate::moves::{Move, Moves};
use crate::mutants::Mutant;
use crate::value::{NO_VALUE, account_of, by_hand, fresh, is_by_hand};
use crate::world::{At, Change, Host, Orphan, World};

impl Moves<'_> {
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
            Deed::PutCurrent { token, value: fresh(token, account, 0) },
            Deed::PutAsPending { token, value: fresh(token, other, 0) },
            Deed::RemovePending,
            Deed::BackToPrevious,
        ];
        if facts.pending == NO_VALUE && facts.owned {
            // Under the rotation's own token.
            let value = fresh(facts.token, other, 3);
            deeds.push(Deed::PutAsPending { token: facts.token, value });
        }
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
