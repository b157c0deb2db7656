//! Replicas in other regions; those in other accounts are refused, for this host has one account.

use std::collections::{BTreeMap, BTreeSet};

use pawl_api::error::ErrorCode;
use pawl_api::secrets_manager::refusal;
use pawl_api::secrets_manager::shapes::{
    AssociateCrossAccountReplicaRequest, DisassociateCrossAccountReplicaRequest,
    RemoveRegionsFromReplicationRequest, ReplicaRegion, ReplicateSecretToRegionsRequest, ReplicationResponse,
    ReplicationStatus, StopReplicationToReplicaRequest, StopReplicationToReplicaResponse,
};
use pawl_core::arn::SecretId;
use pawl_core::limits;
use pawl_core::names::Region;
use pawl_core::replica::{Replica, ReplicaStatus};
use pawl_core::secret::Secret;

use super::Answer;
use crate::app::{Action, Ask, Wanted};
use crate::error::{AppError, invalid_replica_region, refuse};
use crate::host::Host;
use crate::identity::Caller;

/// `secretsmanager.ReplicateSecretToRegions`
pub(super) async fn replicate_secret_to_regions(
    host: &Host,
    caller: &Caller,
    input: ReplicateSecretToRegionsRequest,
) -> Answer<ReplicateSecretToRegionsRequest> {
    let wanted = wanted(caller, Some(input.add_replica_regions))?;
    let overwrite = input.force_overwrite_replica_secret.unwrap_or(false);
    let ask = ask(&wanted, input.force_overwrite_replica_secret);
    let held = host.app.replicate(caller, ask, &input.secret_id, (&wanted, overwrite)).await?;
    answer(host, &held.secret).await
}

/// What policies are asked about a replication.
pub(super) fn ask(wanted: &[Wanted], overwrite: Option<bool>) -> Ask<'static> {
    Ask::from(Action::ReplicateSecretToRegions)
        .with_each("secretsmanager:AddReplicaRegions", wanted.iter().map(|wanted| &wanted.region))
        .with("secretsmanager:ForceOverwriteReplicaSecret", overwrite)
}

/// `secretsmanager.RemoveRegionsFromReplication`
pub(super) async fn remove_regions_from_replication(
    host: &Host,
    caller: &Caller,
    input: RemoveRegionsFromReplicationRequest,
) -> Answer<RemoveRegionsFromReplicationRequest> {
    let regions = input.remove_replica_regions.into_iter().map(|region| Ok(Region::try_from(region)?));
    let regions = regions.collect::<Result<BTreeSet<_>, AppError>>()?;
    let held = host.app.remove_replicas(caller, &input.secret_id, &regions).await?;
    answer(host, &held.secret).await
}

/// `secretsmanager.StopReplicationToReplica`
pub(super) async fn stop_replication_to_replica(
    host: &Host,
    caller: &Caller,
    input: StopReplicationToReplicaRequest,
) -> Answer<StopReplicationToReplicaRequest> {
    let held = host.app.stop_replication(caller, &input.secret_id).await?;
    Ok(StopReplicationToReplicaResponse { arn: held.secret.arn.to_string() })
}

/// `secretsmanager.AssociateCrossAccountReplica`
pub(super) async fn associate_cross_account_replica(
    host: &Host,
    caller: &Caller,
    input: AssociateCrossAccountReplicaRequest,
) -> Answer<AssociateCrossAccountReplicaRequest> {
    let ask = Action::AssociateCrossAccountReplica;
    refuse_cross_account(host, caller, ask, &input.secret_id, &input.cross_account_replica_arn).await
}

/// `secretsmanager.DisassociateCrossAccountReplica`
pub(super) async fn disassociate_cross_account_replica(
    host: &Host,
    caller: &Caller,
    input: DisassociateCrossAccountReplicaRequest,
) -> Answer<DisassociateCrossAccountReplicaRequest> {
    let ask = Action::DisassociateCrossAccountReplica;
    refuse_cross_account(host, caller, ask, &input.secret_id, &input.cross_account_replica_arn).await
}

async fn refuse_cross_account<T>(
    host: &Host,
    caller: &Caller,
    action: Action,
    secret_id: &str,
    replica: &str,
) -> Result<T, AppError> {
    let whole = SecretId::parse(replica).is_ok_and(|id| id.arn.is_some());
    if !whole {
        return Err(refuse(
            ErrorCode::InvalidParameterException,
            "CrossAccountReplicaARN must be the ARN of a secret.",
        ));
    }
    host.app.read(caller, action, secret_id).await?.secret.must_live()?;
    Err(AppError::Api(refusal::cross_account()))
}

/// The regions that a request names, each once.
pub(super) fn wanted(caller: &Caller, regions: Option<Vec<ReplicaRegion>>) -> Result<Vec<Wanted>, AppError> {
    let mut wanted = BTreeMap::new();
    for ReplicaRegion { region, kms_key_id } in regions.unwrap_or_default() {
        let region = Region::try_from(region.unwrap_or_default()).map_err(|_| invalid_replica_region())?;
        // AWS replicates within a partition only.
        if region == caller.region || region.partition() != caller.region.partition() {
            return Err(invalid_replica_region());
        }
        wanted.insert(region, kms_key_id.filter(|key| !key.is_empty()));
    }
    if wanted.len() > limits::REPLICA_REGIONS_MAX {
        return Err(AppError::Api(refusal::too_many_regions(limits::REPLICA_REGIONS_MAX)));
    }
    Ok(wanted.into_iter().map(|(region, kms_key_id)| Wanted { region, kms_key_id }).collect())
}

async fn answer(host: &Host, secret: &Secret) -> Result<ReplicationResponse, AppError> {
    let replication_status = status(host, secret).await?.unwrap_or_default();
    Ok(ReplicationResponse { arn: secret.arn.to_string(), replication_status })
}

/// How a primary's replicas are; none when it has none.
pub(super) async fn status(host: &Host, secret: &Secret) -> Result<Option<Vec<ReplicationStatus>>, AppError> {
    let mut all = Vec::new();
    for Replica { region, kms_key_id, status } in &secret.replicas {
        let (status, message) = match status {
            ReplicaStatus::InSync => ("InSync", "Replication succeeded".to_owned()),
            ReplicaStatus::NameTaken => (
                "Failed",
                format!("Replication failed: Secret name {} already exists in region {region}.", secret.name),
            ),
        };
        all.push(ReplicationStatus {
            region: Some(region.to_string()),
            kms_key_id: Some(kms_key_id.clone().unwrap_or_else(|| DEFAULT_KEY.to_owned())),
            status: Some(status.to_owned()),
            status_message: Some(message),
            last_accessed_date: host.app.replica_accessed(secret, region).await?.map(Into::into),
        });
    }
    Ok(Some(all).filter(|all| !all.is_empty()))
}

/// What AWS names the key of replicas that name none.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";
