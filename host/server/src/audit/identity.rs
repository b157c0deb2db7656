//! CloudTrail's `userIdentity`.

use pawl_core::names::AccountId;
use pawl_iam::policy::PrincipalKind;

use super::json::Object;
use crate::identity::{Caller, Identity};

/// Who called, as far as that is proved.
pub(super) fn write(
    object: &mut Object<'_>,
    account: &AccountId,
    caller: Option<&Caller>,
    access_key: Option<&str>,
    invoked_by: Option<&str>,
) {
    let account = account.as_str();
    match (caller, caller.and_then(|caller| caller.identity.as_deref())) {
        (Some(_), Some(identity)) => principal(object, account, identity, access_key),
        (Some(caller), None) => {
            object.text("type", "Root");
            object.text("principalId", account);
            object.text("arn", &caller.principal);
            object.text("accountId", account);
            object.maybe("accessKeyId", access_key);
        }
        // Nobody has proved to be anybody: the key is what was claimed.
        (None, _) => {
            object.text("type", "Unknown");
            object.maybe("accessKeyId", access_key);
        }
    }
    object.maybe("invokedBy", invoked_by);
}

fn principal(object: &mut Object<'_>, account: &str, identity: &Identity, access_key: Option<&str>) {
    let (principal, id) = (&identity.principal, identity.id.as_str());
    let is_session = principal.kind() == PrincipalKind::Session;
    object.text("type", if is_session { "AssumedRole" } else { "IAMUser" });
    object.text("principalId", id);
    object.text("arn", principal.name());
    object.text("accountId", account);
    object.maybe("accessKeyId", access_key);
    if !is_session {
        object.text("userName", last_part(principal.name()));
    }
    if !is_session && identity.issued_at.is_none() {
        return;
    }
    object.object("sessionContext", |context| {
        if let Some(role) = principal.role() {
            context.object("sessionIssuer", |issuer| {
                issuer.text("type", "Role");
                issuer.text("principalId", id.split(':').next().unwrap_or_default());
                issuer.text("arn", role);
                issuer.text("accountId", account);
                issuer.text("userName", last_part(role));
            });
        }
        if let Some(provider) = principal.provider() {
            context.object("webIdFederationData", |data| data.text("federatedProvider", provider));
        }
        context.object("attributes", |attributes| {
            if let Some(at) = identity.issued_at {
                attributes.text("creationDate", &super::record::second(at));
            }
            attributes.text("mfaAuthenticated", "false");
        });
        context.maybe("sourceIdentity", identity.source_identity.as_deref());
    });
}

fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
