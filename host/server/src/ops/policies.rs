//! Policies on secrets.

use pawl_api::error::ErrorCode;
use pawl_api::secrets_manager::shapes::{
    DeleteResourcePolicyRequest, GetResourcePolicyRequest, GetResourcePolicyResponse,
    ListResourcePoliciesRequest, ListResourcePoliciesResponse, PolicyOfSecretResponse,
    PutResourcePolicyRequest, ResourcePolicySummary, ValidateResourcePolicyRequest,
    ValidateResourcePolicyResponse, ValidationErrorsEntry,
};
use pawl_iam::policy::PolicyDocument;

use super::Answer;
use crate::app::{Action, Ask};
use crate::error::{AppError, refuse};
use crate::host::Host;
use crate::identity::Caller;

/// The one policy that a secret can have.
const DEFAULT: &str = "default";

/// `secretsmanager.PutResourcePolicy`
pub(super) async fn put_resource_policy(
    host: &Host,
    caller: &Caller,
    input: PutResourcePolicyRequest,
) -> Answer<PutResourcePolicyRequest> {
    must_be_default(input.policy_name.as_deref())?;
    let block = input.block_public_policy.unwrap_or(false);
    let ask = Ask::from(Action::PutResourcePolicy)
        .with("secretsmanager:BlockPublicPolicy", input.block_public_policy);
    let text = input.resource_policy;
    let (held, ()) = host
        .app
        .change(caller, ask, &input.secret_id, |draft| {
            draft.secret.must_live()?;
            let policy = parse(&text)?;
            if let Some(statement) = policy.public_statement().filter(|_| block) {
                return Err(refuse(
                    ErrorCode::PublicPolicyException,
                    format!(
                        "This resource policy grants broad access to the secret ({statement}), and BlockPublicPolicy \
                         forbids that. Name the principals that may use it, or add a condition that limits them."
                    ),
                ));
            }
            let principals = host.directory.snapshot().bind(host.app.account(), &policy);
            if draft.secret.policy.as_ref() != Some(&text) || draft.secret.principals != principals {
                draft.secret.policy = Some(text.clone());
                draft.secret.principals = principals;
                let now = draft.now;
                draft.secret.touch(now);
            }
            Ok(())
        })
        .await?;
    let (arn, name) = (held.secret.arn.to_string(), held.secret.name.to_string());
    Ok(PolicyOfSecretResponse { arn, name, policy_name: input.policy_name })
}

/// `secretsmanager.GetResourcePolicy`
pub(super) async fn get_resource_policy(
    host: &Host,
    caller: &Caller,
    input: GetResourcePolicyRequest,
) -> Answer<GetResourcePolicyRequest> {
    let held = host.app.read(caller, Action::GetResourcePolicy, &input.secret_id).await?;
    held.secret.must_live()?;
    if let Some(name) = input.policy_name.as_deref().filter(|name| *name != DEFAULT) {
        return Err(refuse(
            ErrorCode::ResourceNotFoundException,
            format!("Secrets Manager can't find the specified resource policy: {name}"),
        ));
    }
    Ok(GetResourcePolicyResponse {
        arn: held.secret.arn.to_string(),
        name: held.secret.name.to_string(),
        resource_policy: held.secret.policy.as_deref().map(|text| {
            let snapshot = host.directory.snapshot();
            snapshot.shown_policy(host.app.account(), text, &held.secret.principals)
        }),
        policy_name: input.policy_name,
    })
}

/// `secretsmanager.DeleteResourcePolicy`
pub(super) async fn delete_resource_policy(
    host: &Host,
    caller: &Caller,
    input: DeleteResourcePolicyRequest,
) -> Answer<DeleteResourcePolicyRequest> {
    must_be_default(input.policy_name.as_deref())?;
    let (held, ()) = host
        .app
        .change(caller, Action::DeleteResourcePolicy, &input.secret_id, |draft| {
            draft.secret.must_live()?;
            draft.secret.principals.clear();
            if draft.secret.policy.take().is_some() {
                let now = draft.now;
                draft.secret.touch(now);
            }
            Ok(())
        })
        .await?;
    let (arn, name) = (held.secret.arn.to_string(), held.secret.name.to_string());
    Ok(PolicyOfSecretResponse { arn, name, policy_name: input.policy_name })
}

/// `secretsmanager.ListResourcePolicies`
pub(super) async fn list_resource_policies(
    host: &Host,
    caller: &Caller,
    input: ListResourcePoliciesRequest,
) -> Answer<ListResourcePoliciesRequest> {
    let held = host.app.read(caller, Action::ListResourcePolicies, &input.secret_id).await?;
    held.secret.must_live()?;
    if input.next_token.is_some() {
        // One page holds all that there can be, so no token was ever given.
        return Err(super::page::wrong());
    }
    let only = held.secret.policy.as_ref();
    let resource_policies = only.map(|_| ResourcePolicySummary { policy_name: Some(DEFAULT.to_owned()) });
    Ok(ListResourcePoliciesResponse {
        resource_policies: resource_policies.into_iter().collect(),
        next_token: None,
    })
}

/// `secretsmanager.ValidateResourcePolicy`
pub(super) async fn validate_resource_policy(
    host: &Host,
    caller: &Caller,
    input: ValidateResourcePolicyRequest,
) -> Answer<ValidateResourcePolicyRequest> {
    let findings = match &input.secret_id {
        Some(id) => {
            let held = host.app.read(caller, Action::ValidateResourcePolicy, id).await?;
            held.secret.must_live()?;
            host.app.policy_findings(caller, &held, &parse(&input.resource_policy)?)
        }
        None => {
            host.app.allow(caller, Action::ValidateResourcePolicy)?;
            parse(&input.resource_policy)?.findings(None)
        }
    };
    let validation_errors: Vec<_> = findings
        .into_iter()
        .filter(|finding| finding.check.fails())
        .map(|finding| ValidationErrorsEntry {
            check_name: Some(finding.check.to_string()),
            error_message: Some(finding.message),
        })
        .collect();
    Ok(ValidateResourcePolicyResponse {
        policy_validation_passed: validation_errors.is_empty(),
        validation_errors,
    })
}

fn parse(text: &str) -> Result<PolicyDocument, AppError> {
    PolicyDocument::parse(text).map_err(|error| {
        refuse(
            ErrorCode::MalformedPolicyDocumentException,
            format!("This resource policy contains a syntax error. {error}"),
        )
    })
}

fn must_be_default(name: Option<&str>) -> Result<(), AppError> {
    match name {
        None | Some(DEFAULT) => Ok(()),
        Some(_) => Err(refuse(
            ErrorCode::InvalidParameterException,
            "The policy of a secret that is put or deleted by hand has the name `default`.",
        )),
    }
}
