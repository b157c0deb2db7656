//! The host itself: how it is, and its development clock.

use std::sync::Arc;
use std::time::Duration;

use pawl_api::error::ErrorCode;
use pawl_api::pawl::{
    AdvanceClockRequest, AdvanceClockResponse, CertificateView, ClockView, DescribeHostRequest,
    DescribeHostResponse, FunctionView, KeyringView, LeaseView, RotationStatesView, StoreView,
};
use pawl_core::function::FunctionArn;
use pawl_core::limits;
use pawl_core::world::Timestamp;
use pawl_store::RotationState;

use super::Answer;
use crate::error::{AppError, refuse};
use crate::host::Host;
use crate::identity::Caller;

/// `Pawl.DescribeHost`
pub(super) async fn describe_host(
    host: &Host,
    caller: &Caller,
    _input: DescribeHostRequest,
) -> Answer<DescribeHostRequest> {
    host.app.administer(caller)?;
    let (now, wall) = (host.app.clock().now(), host.app.clock().wall());
    let kind = if host.dev_clock.is_some() { "Development" } else { "System" };
    let functions = host.app.functions().all().map(|function| FunctionView {
        function_arn: FunctionArn::new(&caller.region, host.app.account(), &function.name).to_string(),
        digest: function.digest().to_string(),
        engines: function.grants.engines.iter().map(|engine| format!("{engine:?}").to_lowercase()).collect(),
    });
    Ok(DescribeHostResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        account: host.app.account().to_string(),
        region: host.region.to_string(),
        now: now.into(),
        clock: ClockView {
            kind: kind.to_owned(),
            wall: wall.into(),
            advanced_seconds: now.millis_since(wall) / 1_000,
        },
        store: store_view(host, wall).await?,
        keyring: keyring_view(host).await,
        functions: functions.collect(),
        host_id: Some(host.owner.clone()),
        certificate: certificate_view(host, wall).await,
    })
}

async fn certificate_view(host: &Host, wall: Timestamp) -> Option<CertificateView> {
    let door = Arc::clone(host.tls.get()?);
    // Its files may be on a network.
    let (certificate, wrong) = tokio::task::spawn_blocking(move || door.standing(wall)).await.ok()?;
    Some(CertificateView {
        subject: certificate.subject,
        begins_at: certificate.begins_at.into(),
        ends_at: certificate.ends_at.into(),
        problem: wrong.map(|wrong| wrong.to_string()),
    })
}

async fn keyring_view(host: &Host) -> KeyringView {
    match host.keeper.standing().await {
        Ok(standing) => {
            let slot = standing.unlocked.record.slots().last();
            KeyringView {
                kind: slot.map_or_else(|| "unknown".to_owned(), |slot| slot.provider.clone()),
                key_id: slot.map(|slot| slot.root.to_string()),
            }
        }
        Err(_) => KeyringView { kind: "unknown".to_owned(), key_id: None },
    }
}

async fn store_view(host: &Host, wall: Timestamp) -> Result<StoreView, AppError> {
    let store = host.app.queue();
    let health = store.check().await?;
    let time = store.time().await?;
    let now = time.unwrap_or(wall);
    let leases = store.leases(limits::LEASES_SHOWN_MAX).await?.into_iter().map(|lease| LeaseView {
        secret_arn: lease.arn.to_string(),
        host: lease.owner,
        epoch: lease.epoch,
        milliseconds_left: lease.until.millis().saturating_sub(now.millis()),
    });
    let states = store.rotation_states().await?;
    let named = async |state| -> Result<Vec<String>, AppError> {
        let secrets = store.secrets_in(state, limits::SECRETS_SHOWN_MAX).await?;
        Ok(secrets.into_iter().map(|due| due.arn.to_string()).collect())
    };
    let rotations = RotationStatesView {
        running: states.running,
        waiting: states.waiting,
        failed: states.failed,
        stranded: states.stranded,
        waiting_secrets: named(RotationState::Waiting).await?,
        failed_secrets: named(RotationState::Failed).await?,
        stranded_secrets: named(RotationState::Stranded).await?,
    };
    let mut problems = health.problems;
    problems.extend(host.app.damaged());
    problems.extend(host.keeper.problem().map(|problem| format!("the keys: {problem}")));
    let epoch = host.epoch.verdict();
    problems.extend(epoch.remedy(host.epoch.witness_file()).map(|remedy| format!("{epoch}; {remedy}")));
    Ok(StoreView {
        kind: if store.is_shared() { "PostgreSQL" } else { "SQLite" }.to_owned(),
        location: Some(host.store_place.clone()),
        schema: u32::try_from(health.schema).ok(),
        secrets: Some(health.secrets),
        versions: Some(health.versions),
        bytes: Some(health.bytes),
        durability: Some(health.journal),
        problems: Some(problems),
        clock_ahead_milliseconds: time.map(|time| time.millis().saturating_sub(wall.millis())),
        leases: Some(leases.collect()),
        rotations: Some(rotations),
    })
}

/// `Pawl.AdvanceClock`
pub(super) async fn advance_clock(
    host: &Host,
    caller: &Caller,
    input: AdvanceClockRequest,
) -> Answer<AdvanceClockRequest> {
    host.app.administer(caller)?;
    let clock = host.dev_clock.as_ref().ok_or_else(|| {
        refuse(
            ErrorCode::InvalidRequestException,
            "This host runs on the machine's clock. Start it with `pawl serve --dev-clock` to have one that can be moved.",
        )
    })?;
    clock.advance(Duration::from_secs(input.seconds)).map_err(|error| {
        tracing::error!(%error, "the development clock's file could not be written");
        refuse(ErrorCode::InternalServiceError, "The development clock's offset could not be written down.")
    })?;
    host.app.nudge().notify_one();
    Ok(AdvanceClockResponse { now: host.app.clock().now().into() })
}
