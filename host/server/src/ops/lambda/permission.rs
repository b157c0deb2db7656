//! Who else may invoke a function.

use pawl_api::lambda::shapes::{AddPermissionRequest, AddPermissionResponse, GetPolicyResponse};
use pawl_core::function::{Permission, PermissionError, Policy, StatementId};
use pawl_core::limits;
use pawl_core::names::AccountId;

use super::{Found, Nothing, Request, document, version_of};
use crate::app::FunctionFate;
use crate::functions::FunctionError;

/// `AddPermission`
pub(super) async fn add_permission(
    request: &Request<'_>,
    input: AddPermissionRequest,
) -> Result<AddPermissionResponse, FunctionError> {
    let named = request.named().await?;
    let expected = input.revision_id.clone().filter(|text| !text.is_empty());
    let permission = permission(input)?;
    let app = &request.host.app;
    app.change_function(request.caller, request.action(), &named.name, None, |function, _| {
        let (qualifier, expected) = (named.qualifier.as_ref(), expected.as_deref());
        function.add_permission(qualifier, permission.clone(), expected, &**app.rng())?;
        Ok(((), FunctionFate::Kept))
    })
    .await?;
    Ok(AddPermissionResponse { statement: permission.statement(&named.qualified_arn(request)).to_string() })
}

/// The permission that a caller means.
fn permission(input: AddPermissionRequest) -> Result<Permission, FunctionError> {
    let missing = |member| FunctionError::malformed(member, "not be null");
    let sid = StatementId::try_from(input.statement_id.ok_or_else(|| missing("statementId"))?)?;
    let action = input.action.ok_or_else(|| missing("action"))?;
    let verb = action.strip_prefix("lambda:");
    let is_action = action == "*"
        || verb.is_some_and(|verb| {
            verb == "*" || (!verb.is_empty() && verb.bytes().all(|byte| byte.is_ascii_alphabetic()))
        });
    if !is_action {
        return Err(FunctionError::malformed(
            "action",
            "be an action of Lambda's, such as lambda:InvokeFunction",
        ));
    }
    let principal = input.principal.ok_or_else(|| missing("principal"))?;
    if !is_principal(&principal) {
        return Err(FunctionError::invalid(
            "The provided principal was invalid. Please check the principal and try again: a service such as \
             secretsmanager.amazonaws.com, an account, the ARN of an identity, or *",
        ));
    }
    let account = |text: String| {
        let wrong = |_| FunctionError::malformed("sourceAccount", "be an account, 12 digits");
        text.parse::<AccountId>().map_err(wrong)
    };
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let source_arn = said(input.source_arn);
    let like_an_arn = |text: &String| text.starts_with("arn:") && text.splitn(6, ':').count() == 6;
    if source_arn.as_ref().is_some_and(|text| !like_an_arn(text)) {
        return Err(FunctionError::malformed(
            "sourceArn",
            "be an ARN, in which * and ? may stand for others",
        ));
    }
    Ok(Permission {
        sid,
        action,
        principal,
        source_arn,
        source_account: said(input.source_account).map(account).transpose()?,
        event_source_token: said(input.event_source_token),
        principal_org_id: said(input.principal_org_id),
    })
}

fn is_principal(text: &str) -> bool {
    let named = |c: u8| c.is_ascii_alphanumeric() || b".-".contains(&c);
    let is_service = || text.contains('.') && text.bytes().all(named);
    let is_arn = || text.starts_with("arn:") && !text.contains(char::is_whitespace);
    text.len() <= limits::FUNCTION_ARN_CHARS_MAX
        && (text == "*" || text.parse::<AccountId>().is_ok() || is_arn() || is_service())
}

/// `RemovePermission`
pub(super) async fn remove_permission(request: &Request<'_>) -> Result<Nothing, FunctionError> {
    let named = request.named().await?;
    let sid = request.parameters().one("StatementId")?.unwrap_or_default().to_owned();
    let sid = StatementId::try_from(sid)?;
    let expected = request.parameters().one("RevisionId")?.filter(|text| !text.is_empty());
    let app = &request.host.app;
    app.change_function(request.caller, request.action(), &named.name, None, |function, _| {
        function.remove_permission(named.qualifier.as_ref(), &sid, expected, &**app.rng())?;
        Ok(((), FunctionFate::Kept))
    })
    .await?;
    Ok(Nothing {})
}

/// `GetPolicy`
pub(super) async fn get_policy(request: &Request<'_>) -> Result<GetPolicyResponse, FunctionError> {
    let named = request.named().await?;
    let arn = named.qualified_arn(request);
    let shown = |policy: &Policy| GetPolicyResponse {
        policy: document(policy, &arn),
        revision_id: policy.revision_id.to_string(),
    };
    match request.find(&named).await? {
        Found::Own(own) => {
            Ok(GetPolicyResponse { policy: own_policy(&arn)?, revision_id: own.digest().to_string() })
        }
        Found::Stored(function) => {
            version_of(&function, &named)?;
            function.policy(named.qualifier.as_ref()).map(shown).ok_or(FunctionError::NoPolicy)
        }
    }
}

/// What the host's own functions have from the start: whoever may rotate a secret may do it with them.
fn own_policy(arn: &pawl_core::function::FunctionArn) -> Result<String, PermissionError> {
    let permission = Permission {
        sid: StatementId::try_from("pawl".to_owned())?,
        action: "lambda:InvokeFunction".to_owned(),
        principal: "secretsmanager.amazonaws.com".to_owned(),
        source_arn: None,
        source_account: None,
        event_source_token: None,
        principal_org_id: None,
    };
    let statement = permission.statement(arn);
    Ok(serde_json::json!({"Version": "2012-10-17", "Id": "default", "Statement": [statement]}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(principal: &str, action: &str) -> AddPermissionRequest {
        AddPermissionRequest {
            statement_id: Some("s".to_owned()),
            action: Some(action.to_owned()),
            principal: Some(principal.to_owned()),
            ..AddPermissionRequest::default()
        }
    }

    #[test]
    fn a_permission_names_an_action_and_somebody() {
        for principal in
            ["secretsmanager.amazonaws.com", "*", "000000000000", "arn:aws:iam::000000000000:user/u"]
        {
            for action in ["lambda:InvokeFunction", "lambda:*", "*"] {
                assert!(permission(asked(principal, action)).is_ok(), "{principal} {action}");
            }
        }
        for principal in ["", "somebody", "a b", "arn:aws:iam::0:user/a b", "1234"] {
            assert!(permission(asked(principal, "*")).is_err(), "{principal}");
        }
        for action in ["", "lambda:", "s3:GetObject", "lambda:Invoke Function", "lambda:Invoke*"] {
            assert!(permission(asked("*", action)).is_err(), "{action}");
        }
        let narrowed = AddPermissionRequest { source_arn: Some("mine".to_owned()), ..asked("*", "*") };
        assert!(permission(narrowed).is_err());
        let narrowed = AddPermissionRequest { source_account: Some("12".to_owned()), ..asked("*", "*") };
        assert!(permission(narrowed).is_err());
    }
}
