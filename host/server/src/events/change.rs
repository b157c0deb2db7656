//! From a change of a secret to what is told of it: what differs says what happened, so no operation can forget to tell.

use std::collections::BTreeSet;

use pawl_core::names::{Label, VersionId};
use pawl_core::rotation::{Rotation, Status};
use pawl_core::secret::Secret;

use super::EventType::{self, *};
use super::News;
use crate::app::Fate;
use crate::history::{is_running, is_same};

/// What happened to a secret that was `before` (none: it was made) and is `after`.
pub(crate) fn of_change(before: Option<&Secret>, after: &Secret, fate: Fate) -> Vec<News> {
    let was = before.and_then(|secret| secret.rotation.as_deref());
    if fate == Fate::Purged {
        let cut_off = was.filter(|rotation| is_running(rotation)).map(|rotation| {
            News::new(RotationAbandoned).of(Some(&rotation.token)).because("the secret was deleted for ever")
        });
        return cut_off.into_iter().chain([News::new(EndSecretVersionDelete)]).collect();
    }
    let mut news = Vec::new();
    match before {
        None => news.push(match &after.replica_of {
            None => News::new(SecretCreated).of(after.labels.current()),
            Some(region) => News::new(SecretCreated).because(format!("a replica of {region}'s")),
        }),
        Some(before) => {
            news.extend(deletion(before, after));
            news.extend(promotion(before, after));
            news.extend(other(before, after));
        }
    }
    rotation(was, after.rotation.as_deref(), &mut news);
    news
}

fn deletion(before: &Secret, after: &Secret) -> Option<News> {
    match (before.purge_at, after.purge_at) {
        (None, Some(at)) => {
            Some(News::new(StartSecretVersionDelete).because(format!("it can be restored until {at}")))
        }
        (Some(_), None) => Some(News::new(CancelSecretVersionDelete)),
        _ => None,
    }
}

fn promotion(before: &Secret, after: &Secret) -> Option<News> {
    let current = after.labels.current().filter(|current| before.labels.current() != Some(current))?;
    Some(News::new(VersionPromoted).of(Some(current)))
}

/// What has no event of its own, by the names of what differs.
fn other(before: &Secret, after: &Secret) -> Option<News> {
    let own_labels = |secret: &Secret| -> BTreeSet<(VersionId, Label)> {
        let all = secret.versions.keys();
        let labels = all.flat_map(|id| secret.labels.of(id).into_iter().map(|label| (id.clone(), label)));
        let moved_by_aws = [Label::current(), Label::pending(), Label::previous()];
        labels.filter(|(_, label)| !moved_by_aws.contains(label)).collect()
    };
    let of_rotation = |id: &VersionId| after.rotation.as_ref().is_some_and(|rotation| rotation.token == *id);
    let has_value = |secret: &Secret, id: &VersionId| {
        secret.versions.get(id).is_some_and(|version| version.content.is_some())
    };
    let added = after.versions.keys().find(|id| {
        has_value(after, id)
            && !has_value(before, id)
            && !of_rotation(id)
            && after.labels.current() != Some(id)
    });
    let differs = [
        ("description", before.description != after.description),
        ("KMS key", before.kms_key_id != after.kms_key_id),
        ("type", before.kind != after.kind),
        ("policy", before.policy != after.policy),
        ("tags", before.tags != after.tags),
        ("replicas", before.replicas != after.replicas || before.replica_of != after.replica_of),
        ("rotation", before.rotation_config != after.rotation_config),
        ("staging labels", own_labels(before) != own_labels(after)),
        ("a version beside the current one", added.is_some()),
    ];
    let differs: Vec<&str> =
        differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
    (!differs.is_empty()).then(|| News::new(SecretChanged).of(added).because(differs.join(", ")))
}

fn rotation(before: Option<&Rotation>, after: Option<&Rotation>, news: &mut Vec<News>) {
    if let Some(before) =
        before.filter(|before| is_running(before) && !after.is_some_and(|after| is_same(before, after)))
    {
        let why = "another rotation has taken its place";
        let kind = if before.check { TestRotationFailed } else { RotationSuperseded };
        news.push(News::new(kind).of(Some(&before.token)).because(why));
    }
    let Some(after) = after else { return };
    let before = before.filter(|before| is_same(before, after));
    let was_running = before.is_some_and(is_running);
    if !was_running && (before.is_none() || is_running(after)) {
        let kind = if after.check { TestRotationStarted } else { RotationStarted };
        news.push(News::new(kind).of(Some(&after.token)).because(format!("by {}", after.function)));
    }
    let told = |kind: EventType| News::new(kind).of(Some(&after.token));
    if after.circuit_is_open() && !before.is_some_and(Rotation::circuit_is_open) {
        let why = "a server has refused as many logins as may be tried; see to the account before it is rotated again";
        news.push(failure(told(RotationCircuitOpened), after, false).because(why));
    }
    // It goes on trying by itself, and applications may be without a login: somebody must hear of it.
    if after.exposed && after.is_stuck() && !before.is_some_and(Rotation::is_stuck) {
        news.push(failure(told(RotationStranded), after, true));
    }
    if is_running(after) {
        let failed_more = before.is_none_or(|before| before.failed_tries < after.failed_tries);
        // Each doubling: the first failure is told at once, and one that lasts not every time.
        if failed_more && after.failed_tries.is_power_of_two() {
            news.push(failure(
                told(if after.check { TestRotationFailed } else { RotationFailed }),
                after,
                true,
            ));
        }
    } else if before.is_none_or(|before| before.status != after.status) {
        news.push(ending(told, after));
    }
}

fn ending(told: impl Fn(EventType) -> News, rotation: &Rotation) -> News {
    let check = rotation.check;
    match rotation.status {
        Status::Succeeded => told(if check { TestRotationSucceeded } else { RotationSucceeded }),
        Status::Failed { .. } | Status::Running { .. } => {
            failure(told(if check { TestRotationFailed } else { RotationFailed }), rotation, false)
        }
        Status::Stranded { .. } => failure(told(RotationStranded), rotation, false),
        Status::Cancelled => told(RotationCancelled),
        Status::Abandoned => told(RotationAbandoned).because("the secret was changed meanwhile"),
    }
}

fn failure(news: News, rotation: &Rotation, retried: bool) -> News {
    let mut news = News { retried: Some(retried), ..news };
    if let Some(failure) = &rotation.failure {
        news.step = Some(failure.step.name());
        news.reason = Some(failure.reason.clone());
    }
    news
}
