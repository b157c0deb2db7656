//! Finds what is due and has it done. A tick takes no input and costs what is due, not what is stored: the store has the
//! moments in an index, and what is to be done about one secret is [`Secret::take_turn`]'s to say.
//!
//! [`Secret::take_turn`]: pawl_core::secret::Secret::take_turn

use std::collections::BTreeMap;
use std::sync::Arc;

use pawl_core::arn::SecretId;
use pawl_core::limits;
use pawl_core::secret::{CatchUp, Turn};
use pawl_core::world::Timestamp;
use pawl_store::Due;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::runner;
use crate::app::{Action, Fate};
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops;

/// Runs until `stopping` turns true, and then lets the steps that are under way end (a while).
pub(crate) async fn run(host: Arc<Host>, mut stopping: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    let mut schedules = Schedules::default();
    loop {
        match tick(&host, &mut schedules, &mut running).await {
            // There may be more that is due than one look takes.
            Ok(true) if !*stopping.borrow() => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "the scheduler could not look for due work; it tries again");
            }
        }
        tokio::select! {
            () = host.app.nudge().notified() => {}
            () = tokio::time::sleep(limits::SCHEDULER_TICK) => {}
            Some(ended) = running.join_next(), if !running.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a rotation's task broke; its lease ends and it is resumed");
                }
            }
            _ = stopping.wait_for(|stop| *stop) => break,
        }
    }
    // What is cut off here is resumed at the recorded step by the next start.
    let ending = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(limits::SHUTDOWN_GRACE, ending).await.is_err() {
        tracing::warn!("rotations were still running; they are resumed at the next start");
    }
}

/// Whether there may be more to do at once.
async fn tick(
    host: &Arc<Host>,
    schedules: &mut Schedules,
    running: &mut JoinSet<()>,
) -> Result<bool, AppError> {
    while running.try_join_next().is_some() {}
    if host.audit.check().is_err() {
        // Nothing begins that could not be recorded. What is under way goes on to its end: nobody must be locked out.
        return Ok(false);
    }
    if let Some(time) = host.app.queue().time().await? {
        host.clock.agree_with(time);
    }
    // What somebody waits for comes first.
    claim(host, running).await?;
    let Looked { did, more } = schedules.tick(host).await?;
    let (store, now) = (host.app.queue(), host.app.clock().now());
    for Due { region, name, .. } in store.due_purges(now, limits::CLAIM_MAX).await? {
        let caller = Caller::scheduler(region, crate::world::uuid(&**host.app.rng()));
        let id = SecretId { name, place: None, arn: None };
        let purged = host.app.change_at(&caller, Action::PurgeSecret, &id, None, |draft| {
            let due = draft.secret.purge_at.is_some_and(|at| at <= draft.now);
            Ok(((), if due { Fate::Purged } else { Fate::Kept }))
        });
        if let Err(error) = purged.await.map(drop).or_else(unless_done) {
            tracing::error!(secret.id = %id.name, %error, "a deleted secret could not be purged; it is tried again");
        }
    }
    if did {
        claim(host, running).await?;
    }
    Ok(more)
}

/// Takes what is due, as far as there is room for it.
async fn claim(host: &Arc<Host>, running: &mut JoinSet<()>) -> Result<(), AppError> {
    let room = limits::ROTATIONS_AT_ONCE_MAX.saturating_sub(running.len());
    let Some(room) = u32::try_from(room).ok().filter(|room| *room > 0) else { return Ok(()) };
    let (now, wall) = (host.app.clock().now(), host.app.clock().wall());
    for claim in host.app.queue().claim_rotations(now, wall, &host.owner, limits::LEASE, room).await? {
        let (beside, host) = (host.clone(), host.clone());
        running.spawn(async move { Box::pin(beside.runtime.beside(runner::run(host, claim))).await });
    }
    Ok(())
}

/// What came of a look at the schedules.
struct Looked {
    /// Whether anything was begun or moved.
    did: bool,
    /// Whether there may be more to do at once.
    more: bool,
}

/// What is remembered of the schedules from one look to the next. Nothing of it has to survive: it only spreads the work.
#[derive(Debug, Default)]
struct Schedules {
    catch_up: CatchUp,
    /// Secrets that could not be changed, by ARN, and when they are tried again. They stay the first in the store's index, and
    /// must not hide what comes after them.
    troubled: BTreeMap<String, Timestamp>,
}

impl Schedules {
    /// Begins what is due.
    async fn tick(&mut self, host: &Arc<Host>) -> Result<Looked, AppError> {
        let (now, wall) = (host.app.clock().now(), host.app.clock().wall());
        // A clock that was moved back must not keep anything waiting.
        self.troubled.retain(|_, until| *until > wall && *until <= wall + limits::SCHEDULER_TROUBLED_WAIT);
        let troubled = u32::try_from(self.troubled.len()).unwrap_or(u32::MAX);
        let look = limits::CLAIM_MAX.saturating_add(troubled);
        let due = host.app.queue().due_schedules(now, look).await?;
        let is_full = due.len() >= usize::try_from(look).unwrap_or(usize::MAX);
        let mut did = false;
        for Due { arn, region, name } in due {
            if self.troubled.contains_key(arn.as_str()) {
                continue;
            }
            let caller = Caller::scheduler(region, crate::world::uuid(&**host.app.rng()));
            let free = self.catch_up.turn(now);
            match ops::start_scheduled(host, &caller, name.as_str(), free).await {
                Ok(turn) => did |= self.note(name.as_str(), turn, free),
                Err(AppError::NoSuchSecret | AppError::LostRace) => {} // Another host did it first, or its owner thought otherwise.
                Err(error) => {
                    tracing::error!(secret.id = %name, %error, "a scheduled rotation could not begin; it is tried again");
                    if self.troubled.len() < limits::SCHEDULER_TROUBLED_MAX {
                        let until = wall + limits::SCHEDULER_TROUBLED_WAIT;
                        self.troubled.insert(arn.as_str().to_owned(), until);
                    }
                }
            }
        }
        Ok(Looked { did, more: is_full && did })
    }

    /// Whether something was done.
    fn note(&mut self, name: &str, turn: Turn, free: Timestamp) -> bool {
        match turn {
            Turn::NotDue => return false,
            Turn::Begin { caught_up } => {
                if caught_up {
                    self.catch_up.take(free);
                    tracing::info!(secret.id = name, "a rotation that no host began in time begins now");
                }
            }
            Turn::Moved { missed, to, until, caught_up } => {
                if caught_up {
                    self.catch_up.take(free);
                }
                if missed != to {
                    tracing::warn!(
                        secret.id = name, missed.opened = %missed.opens, missed.closed = %missed.closes, rotates.at = %until,
                        "a rotation window was missed: no host ran in it; the rotation has a new moment"
                    );
                }
            }
        }
        true
    }
}

/// Another host may have done it first, or its owner thought otherwise.
fn unless_done(error: AppError) -> Result<(), AppError> {
    match error {
        AppError::NoSuchSecret | AppError::LostRace => Ok(()),
        error => Err(error),
    }
}
