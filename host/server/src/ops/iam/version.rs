//! Versions of managed policies.

use pawl_api::query::{Node, encoded, flag, group, rule, text};
use pawl_core::identity::{BUILT_IN, ManagedPolicy, PolicyVersion, version_id};
use pawl_core::world::Timestamp;

use super::Answer;
use super::managed::find;
use super::page::page;
use super::request::{Failure, IamRequest, changed};
use super::shown::moment;

fn shown(number: u32, of: &PolicyVersion, in_force: bool, whole: bool) -> Vec<Node> {
    let mut nodes: Vec<Node> = whole.then(|| encoded("Document", &of.text)).into_iter().collect();
    nodes.extend([
        text("VersionId", version_id(number)),
        flag("IsDefaultVersion", in_force),
        text("CreateDate", moment(of.created_at)),
    ]);
    nodes
}

/// A policy that is there from the beginning, as if it were the account's.
fn built_in(arn: &str) -> Option<PolicyVersion> {
    let policy = BUILT_IN.iter().find(|policy| policy.arn() == arn)?;
    Some(PolicyVersion { text: policy.text.to_owned(), created_at: Timestamp::default() })
}

async fn edit<T: Send>(
    request: &IamRequest<'_>,
    edit: impl Fn(&mut ManagedPolicy) -> Result<T, Failure> + Send + Sync,
) -> Result<T, pawl_api::ApiError> {
    let arn = request.policy_arn()?;
    request
        .change(|snapshot| {
            let held = find(request, snapshot, arn)?;
            let mut policy = ManagedPolicy::clone(&held.value);
            let answer = edit(&mut policy)?;
            Ok((vec![changed(held, &policy)?], answer))
        })
        .await
}

/// `CreatePolicyVersion`
pub(super) async fn create(request: &IamRequest<'_>) -> Answer {
    let (document, now) = (request.document()?, request.now());
    let in_force = request.form.flag("SetAsDefault")?.unwrap_or(false);
    let number = edit(request, |policy| Ok(policy.add(document, in_force, now)?)).await?;
    let version = PolicyVersion { text: document.to_owned(), created_at: now };
    Ok(Some(vec![group("PolicyVersion", shown(number, &version, in_force, false))]))
}

/// `GetPolicyVersion`
pub(super) fn get(request: &IamRequest<'_>) -> Answer {
    let arn = request.policy_arn()?;
    let id = request.form.required("VersionId", &rule::VERSION_ID)?;
    let nodes = match built_in(arn).filter(|_| id == "v1") {
        Some(version) => shown(1, &version, true, true),
        None => {
            let snapshot = request.host.directory.snapshot();
            let policy = &find(request, &snapshot, arn)?.value;
            let (number, version) = policy.version(arn, id).map_err(Failure::from)?;
            shown(number, version, number == policy.default, true)
        }
    };
    Ok(Some(vec![group("PolicyVersion", nodes)]))
}

/// `ListPolicyVersions`
pub(super) fn list(request: &IamRequest<'_>) -> Answer {
    let arn = request.policy_arn()?;
    if let Some(version) = built_in(arn) {
        return page(request, "Versions", [("v1".to_owned(), shown(1, &version, true, false))]).map(Some);
    }
    let snapshot = request.host.directory.snapshot();
    let policy = &find(request, &snapshot, arn)?.value;
    // The newest first; five at most, so a page has them all, and their order is that of their places.
    let items = policy.versions.iter().rev().enumerate().map(|(place, (number, version))| {
        (place.to_string(), shown(*number, version, *number == policy.default, false))
    });
    page(request, "Versions", items).map(Some)
}

/// `DeletePolicyVersion`
pub(super) async fn delete(request: &IamRequest<'_>) -> Answer {
    let arn = request.policy_arn()?;
    let id = request.form.required("VersionId", &rule::VERSION_ID)?;
    edit(request, |policy| Ok(policy.delete(arn, id)?)).await?;
    Ok(None)
}

/// `SetDefaultPolicyVersion`
pub(super) async fn set_default(request: &IamRequest<'_>) -> Answer {
    let arn = request.policy_arn()?;
    let id = request.form.required("VersionId", &rule::VERSION_ID)?;
    edit(request, |policy| Ok(policy.put_in_force(arn, id)?)).await?;
    Ok(None)
}
