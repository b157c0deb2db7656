//! Users, groups and roles as what has policies.

use pawl_core::identity::{Group, Holder, IdentityError, Policies, Role, User};
use pawl_store::EntityChange;

use super::request::{Failure, changed};
use super::{group, role, user};
use crate::identity::Snapshot;

/// The policies of a holder.
pub(super) fn policies<'s>(
    snapshot: &'s Snapshot,
    holder: Holder,
    name: &str,
) -> Result<&'s Policies, Failure> {
    Ok(match holder {
        Holder::User => &user::find(snapshot, name)?.value.policies,
        Holder::Group => &group::find(snapshot, name)?.value.policies,
        Holder::Role => &role::find(snapshot, name)?.value.policies,
    })
}

/// Changes the policies of a holder.
pub(super) fn edit(
    snapshot: &Snapshot,
    holder: Holder,
    name: &str,
    edit: impl FnOnce(&mut Policies) -> Result<(), IdentityError>,
) -> Result<EntityChange, Failure> {
    match holder {
        Holder::User => {
            let held = user::find(snapshot, name)?;
            let mut user = User::clone(&held.value);
            edit(&mut user.policies)?;
            changed(held, &user)
        }
        Holder::Group => {
            let held = group::find(snapshot, name)?;
            let mut group = Group::clone(&held.value);
            edit(&mut group.policies)?;
            changed(held, &group)
        }
        Holder::Role => {
            let held = role::find(snapshot, name)?;
            let mut role = Role::clone(&held.value);
            edit(&mut role.policies)?;
            changed(held, &role)
        }
    }
}

/// Sets or takes away the boundary of a user or a role.
pub(super) fn bound(
    snapshot: &Snapshot,
    holder: Holder,
    name: &str,
    boundary: Option<&str>,
) -> Result<EntityChange, Failure> {
    let boundary = boundary.map(str::to_owned);
    if holder == Holder::Role {
        let held = role::find(snapshot, name)?;
        return changed(held, &Role { boundary, ..Role::clone(&held.value) });
    }
    let held = user::find(snapshot, name)?;
    changed(held, &User { boundary, ..User::clone(&held.value) })
}
