//! What must hold, in every state and at every rest.

use std::collections::HashMap;

use pawl_core::limits;

use crate::ledger::{Deed, Ledger, SecretNo, Stand};
use crate::moves::{Moves, Setting};
use crate::value::{Value, account_of, is_by_hand};
use crate::world::{At, Broken, Budget, World};

/// Moves of one rotation that nothing disturbs, most.
const REST_WITHIN: usize = 400;

/// What was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Violation {
    /// A rule of a single move.
    Rule(Broken),
    /// No login that the store knows works.
    LockedOut,
    /// No rotation runs, nobody has meddled, and AWSCURRENT does not work.
    CurrentDead,
    /// Alternating users: AWSCURRENT's account was changed under the applications.
    CurrentTouched,
    /// A rotation was given up and nothing was wrong that would not have passed.
    GivenUpForNothing,
    /// The server has refused more logins in a row than a rotation may cause.
    TooManyRefusals,
    /// Nothing goes on, and the rotation has not ended.
    Stuck,
    /// The hosts go on for ever.
    Endless,
    /// The next rotation does not mend what the last one has left.
    NotHealed,
}

/// The judge, who knows everything.
pub(crate) struct Judge {
    setting: Setting,
    budget: Budget,
    healed: HashMap<(SecretNo, [Value; 2]), bool>,
}

impl Judge {
    pub(crate) fn new(setting: Setting, budget: Budget) -> Self {
        Self { setting, budget, healed: HashMap::new() }
    }

    /// What is wrong with a state.
    pub(crate) fn of_state(&self, world: &World, ledger: &Ledger) -> Option<Violation> {
        let (facts, notes) = (ledger.facts(world.secret), &world.notes);
        if let Some(broken) = notes.broken {
            return Some(Violation::Rule(broken));
        }
        let held = world.passwords[usize::from(account_of(facts.current))];
        let (works, blame) = (held == facts.current, &notes.blame);
        if !is_by_hand(held) && !facts.candidates.contains(&held) {
            return Some(Violation::LockedOut);
        }
        if self.setting.alternating && !works && !blame.meddled && !blame.taken {
            return Some(Violation::CurrentTouched);
        }
        let for_nothing = match facts.stand {
            Stand::Running(_) | Stand::Succeeded => false,
            Stand::Cancelled => !blame.cancelled,
            Stand::Abandoned => !blame.taken,
            Stand::Failed => {
                !(blame.rejected || blame.outage || blame.by_hand || blame.meddled || blame.taken)
            }
            Stand::Stranded => {
                // Alternating users: the word is too strong, since the applications' account was never touched.
                let too_strong = self.setting.alternating && blame.outage && works;
                // Each of three and more was cut off between a refusal and the login that would have cleared it. The circuit is
                // there for that, and a person is told.
                let by_chance =
                    too_strong || blame.spent && self.cuts(world) >= limits::FAILED_LOGINS_MAX - 1;
                !(blame.rejected || blame.by_hand || blame.meddled || blame.taken || by_chance)
            }
        };
        if for_nothing {
            return Some(Violation::GivenUpForNothing);
        }
        // Stranded is the one word for "AWSCURRENT may be dead", and Abandoned is a person's own doing.
        let should_work = matches!(facts.stand, Stand::Succeeded | Stand::Failed | Stand::Cancelled);
        if should_work && !works && !blame.meddled {
            return Some(Violation::CurrentDead);
        }
        let too_many = |account: u8| {
            let noted = notes.refused[usize::from(account)].saturating_sub(world.unnoted(account));
            u32::from(noted) > limits::FAILED_LOGINS_MAX
        };
        (too_many(0) || too_many(1)).then_some(Violation::TooManyRefusals)
    }

    /// How often something has cut a host's work off.
    fn cuts(&self, world: &World) -> u32 {
        let (had, left) = (&self.budget, &world.left);
        let cuts = [(had.crashes, left.crashes), (had.expiries, left.expiries), (had.faults, left.faults)];
        cuts.iter().map(|(had, left)| u32::from(had - left)).sum()
    }

    /// What is wrong with a state in which nobody does anything any more.
    pub(crate) fn of_rest(&mut self, world: &World, ledger: &mut Ledger) -> Option<Violation> {
        let facts = ledger.facts(world.secret);
        let at_work = world.hosts.iter().any(|host| host.at != At::Idle);
        if at_work || world.leased || matches!(facts.stand, Stand::Running(_)) {
            return Some(Violation::Stuck);
        }
        let held = world.passwords[usize::from(account_of(facts.current))];
        if is_by_hand(held) && !facts.candidates.contains(&held) {
            return None;
        }
        let key = (world.secret, world.passwords);
        let healed = match self.healed.get(&key) {
            Some(healed) => *healed,
            None => {
                let healed = self.heals(world, ledger);
                self.healed.insert(key, healed);
                healed
            }
        };
        (!healed).then_some(Violation::NotHealed)
    }

    /// Whether a rotation that a person asks for now ends well, and with a login that works. Alternating users: once the person has
    /// taken AWSPENDING away from a version that is of the wrong account by then.
    fn heals(&self, world: &World, ledger: &mut Ledger) -> bool {
        let asked = [ledger.act(world.secret, Deed::Rotate { token: world.notes.issued + 1 }).ok(), {
            let removed =
                ledger.act(world.secret, Deed::RemovePending).ok().filter(|_| self.setting.alternating);
            removed.and_then(|secret| ledger.act(secret, Deed::Rotate { token: world.notes.issued + 1 }).ok())
        }];
        asked.into_iter().flatten().any(|secret| self.ends_well(World { secret, ..*world }, ledger))
    }

    fn ends_well(&self, mut now: World, ledger: &mut Ledger) -> bool {
        for _ in 0..REST_WITHIN {
            let mut moves = Moves { setting: self.setting, ledger, found: Vec::new() };
            moves.work(&now);
            match moves.found.pop() {
                Some((_, next)) => now = next,
                None => break,
            }
        }
        let facts = ledger.facts(now.secret);
        // Two rotations were ended in the middle, one of them by a person: the right one of so many passwords may be out of reach.
        let spent = facts.refusals.iter().any(|count| u32::from(*count) >= limits::FAILED_LOGINS_MAX);
        if spent && now.notes.blame.taken {
            return true;
        }
        facts.stand == Stand::Succeeded
            && now.passwords[usize::from(account_of(facts.current))] == facts.current
    }
}
