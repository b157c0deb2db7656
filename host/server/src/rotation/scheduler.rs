//! Finds what is due and has it done. A tick takes no input and costs what is due, not what is stored.

use std::sync::Arc;

use pawl_core::arn::SecretId;
use pawl_core::limits;
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
    loop {
        if let Err(error) = tick(&host, &mut running).await {
            tracing::error!(%error, "the scheduler could not look for due work; it tries again");
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

async fn tick(host: &Arc<Host>, running: &mut JoinSet<()>) -> Result<(), AppError> {
    while running.try_join_next().is_some() {}
    let store = host.app.queue();
    let (now, wall) = (host.app.clock().now(), host.app.clock().wall());
    for Due { region, name, .. } in store.due_schedules(now, limits::CLAIM_MAX).await? {
        let caller = Caller::scheduler(region, crate::world::uuid(&**host.app.rng()));
        let begun = ops::start_scheduled(host, &caller, name.as_str()).await;
        if let Err(error) = begun.or_else(unless_done) {
            tracing::error!(secret.id = %name, %error, "a scheduled rotation could not begin; it is tried again");
        }
    }
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
    let room = limits::ROTATIONS_AT_ONCE_MAX.saturating_sub(running.len());
    let Some(room) = u32::try_from(room).ok().filter(|room| *room > 0) else { return Ok(()) };
    for claim in store.claim_rotations(now, wall, &host.owner, limits::LEASE, room).await? {
        running.spawn(runner::run(host.clone(), claim));
    }
    Ok(())
}

/// Another host may have done it first, or its owner thought otherwise.
fn unless_done(error: AppError) -> Result<(), AppError> {
    match error {
        AppError::NoSuchSecret | AppError::LostRace => Ok(()),
        error => Err(error),
    }
}
