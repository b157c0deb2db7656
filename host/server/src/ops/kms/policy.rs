//! Policies on keys.

use std::collections::BTreeMap;

use pawl_api::kms::refusal;
use pawl_api::kms::shapes::{
    Empty, GetKeyPolicyRequest, GetKeyPolicyResponse, ListKeyPoliciesRequest, ListKeyPoliciesResponse,
    PutKeyPolicyRequest,
};
use pawl_core::limits;
use pawl_iam::policy::{AccessRequest, PolicyDocument, Principal, Verdict};

use crate::app::ConditionKey;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;
use crate::ops::Answer;

/// The one policy that a key has.
const DEFAULT: &str = "default";

/// Refuses a text that is no key's policy, and one after which its author could not change it, unless that is wanted.
/// What it names is answered by unique ids.
pub(super) fn check(
    host: &Host,
    caller: &Caller,
    text: &str,
    bypass_lockout: bool,
) -> Result<BTreeMap<String, String>, AppError> {
    if text.chars().count() > limits::KEY_POLICY_CHARS_MAX {
        return Err(AppError::Api(refusal::policy_too_long(limits::KEY_POLICY_CHARS_MAX)));
    }
    let policy =
        PolicyDocument::parse_key(text).map_err(|why| AppError::Api(refusal::malformed_policy(why)))?;
    let root = Principal::root(host.app.account());
    let principal = caller.identity.as_ref().map_or(&root, |identity| &identity.principal);
    let context = caller.identity.as_ref().map_or_else(|| root.context(), |identity| identity.context());
    let request = AccessRequest { principal, action: "kms:PutKeyPolicy", resource: "*", context: &context };
    let locked_out = !matches!(policy.decide(&request), Verdict::Allowed { .. });
    if locked_out && !bypass_lockout {
        return Err(AppError::Api(refusal::lockout()));
    }
    Ok(host.directory.snapshot().bind(host.app.account(), &policy))
}

/// `TrentService.GetKeyPolicy`
pub(super) async fn get_key_policy(
    host: &Host,
    caller: &Caller,
    input: GetKeyPolicyRequest,
) -> Answer<GetKeyPolicyRequest> {
    let held = host.app.read_key(caller, "kms:GetKeyPolicy", &input.key_id).await?;
    if input.policy_name.is_some_and(|name| name != DEFAULT) {
        return Err(AppError::Api(refusal::no_such_policy()));
    }
    let snapshot = host.directory.snapshot();
    let policy = snapshot.shown_policy(host.app.account(), &held.key.policy, &held.key.principals);
    Ok(GetKeyPolicyResponse { policy, policy_name: DEFAULT.to_owned() })
}

/// `TrentService.PutKeyPolicy`
pub(super) async fn put_key_policy(
    host: &Host,
    caller: &Caller,
    input: PutKeyPolicyRequest,
) -> Answer<PutKeyPolicyRequest> {
    if input.policy_name.is_some_and(|name| name != DEFAULT) {
        return Err(AppError::Api(refusal::policy_name()));
    }
    let bypass = input.bypass_policy_lockout_safety_check.unwrap_or(false);
    let text = input.policy;
    let asked: [ConditionKey; 1] = [("kms:BypassPolicyLockoutSafetyCheck".into(), bypass.to_string())];
    host.app
        .change_key_asked(caller, "kms:PutKeyPolicy", &input.key_id, &asked, |draft| {
            draft.key.must_stay()?;
            draft.key.principals = check(host, caller, &text, bypass)?;
            draft.key.policy.clone_from(&text);
            Ok(())
        })
        .await?;
    Ok(Empty {})
}

/// `TrentService.ListKeyPolicies`
pub(super) async fn list_key_policies(
    host: &Host,
    caller: &Caller,
    input: ListKeyPoliciesRequest,
) -> Answer<ListKeyPoliciesRequest> {
    let _held = host.app.read_key(caller, "kms:ListKeyPolicies", &input.key_id).await?;
    // There is one page, so no list has given a marker.
    if input.marker.is_some() {
        return Err(AppError::Api(refusal::invalid_marker()));
    }
    Ok(ListKeyPoliciesResponse { policy_names: vec![DEFAULT.to_owned()], truncated: false })
}
