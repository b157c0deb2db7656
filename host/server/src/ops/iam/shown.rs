//! Users, groups, roles and policies as they are answered.

use pawl_api::query::{Node, encoded, flag, group, list, maybe, number, text};
use pawl_core::identity::{BuiltIn, Group, ManagedPolicy, Role, User, arn, version_id};
use pawl_core::names::AccountId;
use pawl_core::secret::Tag;
use pawl_core::world::Timestamp;

use crate::identity::Snapshot;

/// A moment in the form of the query protocol.
pub(crate) fn moment(at: Timestamp) -> String {
    at.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Tags; nothing where there is none, unless an operation is about them.
pub(super) fn tags(tags: &[Tag]) -> Option<Node> {
    (!tags.is_empty()).then(|| all_tags(tags))
}

/// Tags as a list, be it empty.
pub(super) fn all_tags(tags: &[Tag]) -> Node {
    list("Tags", tags.iter().map(|tag| [text("Key", &tag.key), text("Value", &tag.value)]))
}

fn boundary(arn: Option<&String>) -> Option<Node> {
    let parts = |arn| [text("PermissionsBoundaryType", "Policy"), text("PermissionsBoundaryArn", arn)];
    arn.map(|arn| group("PermissionsBoundary", parts(arn)))
}

/// A user; a list of users tells neither tags nor boundary.
pub(super) fn user(account: &AccountId, user: &User, whole: bool) -> Vec<Node> {
    let mut nodes = vec![
        text("Path", &user.path),
        text("UserName", &user.name),
        text("UserId", &user.id),
        text("Arn", arn(account, "user", &user.path, &user.name)),
        text("CreateDate", moment(user.created_at)),
    ];
    if whole {
        nodes.extend(boundary(user.boundary.as_ref()));
        nodes.extend(tags(&user.tags));
    }
    nodes
}

/// A group.
pub(super) fn of_group(account: &AccountId, group: &Group) -> Vec<Node> {
    vec![
        text("Path", &group.path),
        text("GroupName", &group.name),
        text("GroupId", &group.id),
        text("Arn", arn(account, "group", &group.path, &group.name)),
        text("CreateDate", moment(group.created_at)),
    ]
}

/// A role; a list of roles tells neither tags nor boundary.
pub(super) fn role((account, snapshot): (&AccountId, &Snapshot), role: &Role, whole: bool) -> Vec<Node> {
    let mut nodes = vec![
        text("Path", &role.path),
        text("RoleName", &role.name),
        text("RoleId", &role.id),
        text("Arn", arn(account, "role", &role.path, &role.name)),
        text("CreateDate", moment(role.created_at)),
        encoded("AssumeRolePolicyDocument", &snapshot.shown_policy(account, &role.trust, &role.principals)),
    ];
    nodes.extend(maybe("Description", role.description.as_ref()));
    nodes.push(text("MaxSessionDuration", role.session_seconds_max));
    if whole {
        nodes.extend(boundary(role.boundary.as_ref()));
        nodes.extend(tags(&role.tags));
    }
    nodes
}

/// How often a policy is used: attached, and as a boundary.
pub(super) type Uses = (usize, usize);

/// A managed policy of the account; a list of policies tells neither tags nor description.
pub(super) fn policy(account: &AccountId, policy: &ManagedPolicy, uses: Uses, whole: bool) -> Vec<Node> {
    let mut nodes = vec![
        text("PolicyName", &policy.name),
        text("PolicyId", &policy.id),
        text("Arn", arn(account, "policy", &policy.path, &policy.name)),
        text("Path", &policy.path),
        text("DefaultVersionId", version_id(policy.default)),
    ];
    nodes.extend(usage(uses, policy.created_at, policy.updated_at));
    if whole {
        nodes.extend(maybe("Description", policy.description.as_ref()));
        nodes.extend(tags(&policy.tags));
    }
    nodes
}

/// A managed policy that is there from the beginning: from a moment when nothing was.
pub(super) fn built_in(policy: &BuiltIn, uses: Uses, whole: bool) -> Vec<Node> {
    let mut nodes = vec![
        text("PolicyName", policy.name),
        text("PolicyId", policy.id),
        text("Arn", policy.arn()),
        text("Path", policy.path),
        text("DefaultVersionId", "v1"),
    ];
    nodes.extend(usage(uses, Timestamp::default(), Timestamp::default()));
    if whole {
        nodes.push(text("Description", policy.description));
    }
    nodes
}

fn usage((attached, boundaries): Uses, made: Timestamp, updated: Timestamp) -> [Node; 5] {
    [
        number("AttachmentCount", attached),
        number("PermissionsBoundaryUsageCount", boundaries),
        flag("IsAttachable", true),
        text("CreateDate", moment(made)),
        text("UpdateDate", moment(updated)),
    ]
}
