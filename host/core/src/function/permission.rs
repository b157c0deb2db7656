//! Who else may invoke a function: the policies on it, on its versions and on its aliases.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Function, FunctionArn, Qualifier, RevisionId};
use crate::limits;
use crate::names::AccountId;
use crate::world::Rng;

/// A statement's id: 1 to 100 of `A-Za-z0-9-_` (AWS's AddPermission; a dot as well, as AWS's own services have).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StatementId(String);

impl TryFrom<String> for StatementId {
    type Error = PermissionError;

    fn try_from(text: String) -> Result<Self, PermissionError> {
        let valid = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
        if text.is_empty() || text.len() > limits::STATEMENT_ID_CHARS_MAX || !text.bytes().all(valid) {
            return Err(PermissionError::StatementId);
        }
        Ok(Self(text))
    }
}

impl From<StatementId> for String {
    fn from(id: StatementId) -> Self {
        id.0
    }
}

impl fmt::Display for StatementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A permission, as AddPermission takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Tells it from the others on the same function, version or alias.
    pub sid: StatementId,
    /// What is allowed: `lambda:InvokeFunction`, another action, `lambda:*` or `*`.
    pub action: String,
    /// To whom: a service such as `secretsmanager.amazonaws.com`, an account, an ARN, or `*`.
    pub principal: String,
    /// Only for the sake of a resource whose ARN is like this one (`*` and `?` within its parts).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
    /// Only for the sake of a resource of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_account: Option<AccountId>,
    /// Only with this token, which Alexa has: kept, and allows nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_source_token: Option<String>,
    /// Only to members of this organisation: kept, and allows nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_org_id: Option<String>,
}

/// Somebody who wants to invoke a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// Who: a service, or the ARN of an identity.
    pub principal: &'a str,
    /// For the sake of which resource, when a service asks.
    pub source_arn: Option<&'a str>,
    /// For the sake of which account, when a service asks.
    pub source_account: Option<&'a AccountId>,
}

impl Permission {
    /// Whether it allows this invocation.
    #[must_use]
    pub fn allows(&self, invocation: &Invocation<'_>) -> bool {
        let action = matches!(self.action.as_str(), "lambda:InvokeFunction" | "lambda:*" | "*");
        let source = match &self.source_arn {
            None => true,
            Some(like) => invocation.source_arn.is_some_and(|arn| arn_is_like(like, arn)),
        };
        let account = match &self.source_account {
            None => true,
            Some(account) => invocation.source_account == Some(account),
        };
        action
            && self.is_for(invocation.principal)
            && source
            && account
            && self.event_source_token.is_none()
            && self.principal_org_id.is_none()
    }

    fn is_for(&self, principal: &str) -> bool {
        if self.principal == "*" || self.principal == principal {
            return true;
        }
        // An account stands for all of its identities.
        let account = match self.principal.split(':').collect::<Vec<_>>().as_slice() {
            [account] if is_account(account) => *account,
            ["arn", _, "iam", "", account, "root"] => *account,
            _ => return false,
        };
        let of = principal.split(':').collect::<Vec<_>>();
        matches!(of.as_slice(), ["arn", _, "iam" | "sts", "", owner, ..] if *owner == account)
    }

    /// The statement of a policy that says the same, on `resource`.
    #[must_use]
    pub fn statement(&self, resource: &FunctionArn) -> Value {
        let principal = if self.principal == "*" {
            json!("*")
        } else if is_account(&self.principal) {
            let partition = resource.as_str().split(':').nth(1).unwrap_or("aws");
            json!({"AWS": format!("arn:{partition}:iam::{}:root", self.principal)})
        } else if self.principal.starts_with("arn:") {
            json!({"AWS": self.principal})
        } else {
            json!({"Service": self.principal})
        };
        let mut statement = json!({
            "Sid": self.sid, "Effect": "Allow", "Principal": principal, "Action": self.action,
            "Resource": resource.as_str(),
        });
        let mut equals = serde_json::Map::new();
        if let Some(account) = &self.source_account {
            equals.insert("AWS:SourceAccount".to_owned(), json!(account));
        }
        if let Some(token) = &self.event_source_token {
            equals.insert("lambda:EventSourceToken".to_owned(), json!(token));
        }
        if let Some(organisation) = &self.principal_org_id {
            equals.insert("aws:PrincipalOrgID".to_owned(), json!(organisation));
        }
        let mut condition = serde_json::Map::new();
        if !equals.is_empty() {
            condition.insert("StringEquals".to_owned(), Value::Object(equals));
        }
        if let Some(arn) = &self.source_arn {
            condition.insert("ArnLike".to_owned(), json!({"AWS:SourceArn": arn}));
        }
        if let Some(statement) = statement.as_object_mut().filter(|_| !condition.is_empty()) {
            statement.insert("Condition".to_owned(), Value::Object(condition));
        }
        statement
    }
}

fn is_account(text: &str) -> bool {
    text.parse::<AccountId>().is_ok()
}

/// IAM's ArnLike: each of the six parts for itself, where `*` stands for any characters and `?` for one.
fn arn_is_like(pattern: &str, arn: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if is_like(pattern, part) => {}
            _ => return false,
        }
    }
}

/// Goes back to the last star only: no text makes it slow.
fn is_like(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (wanted, found) = (pattern.clone().next(), text.clone().next());
        match (wanted, found) {
            (None, None) => return true,
            (Some('*'), _) => {
                pattern.next();
                retry = Some((pattern.clone(), text.clone()));
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                pattern.next();
                text.next();
            }
            _ => {
                let Some((after_star, from)) = &mut retry else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_star.clone(), from.clone());
            }
        }
    }
}

/// The permissions on a function, a version or an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// They, in the order in which they were added.
    pub permissions: Vec<Permission>,
    /// Tells this state from every other one.
    pub revision_id: RevisionId,
}

impl Policy {
    /// The policy's text, on `resource`: GetPolicy.
    #[must_use]
    pub fn document(&self, resource: &FunctionArn) -> Value {
        let statements: Vec<_> = self.permissions.iter().map(|of| of.statement(resource)).collect();
        json!({"Version": "2012-10-17", "Id": "default", "Statement": statements})
    }
}

/// Why a permission could not be added or taken away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    /// Not an id. InvalidParameterValueException.
    #[error(
        "a statement's id is 1 to {max} letters, digits, hyphens, underscores and dots",
        max = limits::STATEMENT_ID_CHARS_MAX
    )]
    StatementId,
    /// There is a statement of this id. ResourceConflictException.
    #[error(
        "The statement id ({0}) provided already exists. Please provide a new statement id, or remove the existing statement."
    )]
    Exists(StatementId),
    /// There is none. ResourceNotFoundException.
    #[error("Statement {0} is not found in resource policy.")]
    NotFound(StatementId),
    /// The version or alias does not exist. ResourceNotFoundException.
    #[error("Cannot find the version or alias: {0}")]
    NoSuchQualifier(Qualifier),
    /// AWS has no policy on `$LATEST`. InvalidParameterValueException.
    #[error("We currently do not support adding policies for $LATEST.")]
    Latest,
    /// The policy has changed since the caller saw it. PreconditionFailedException.
    #[error(
        "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the latest RevisionId"
    )]
    StaleRevision,
    /// PolicyLengthExceededException.
    #[error("The final policy size is bigger than the limit ({max}).", max = limits::FUNCTION_POLICY_BYTES_MAX)]
    TooLong,
}

impl Function {
    /// The policy on the function itself (none), or on a version or an alias; none when nobody was ever allowed anything.
    #[must_use]
    pub fn policy(&self, qualifier: Option<&Qualifier>) -> Option<&Policy> {
        self.policies.get(qualifier.unwrap_or(&Qualifier::Latest)).filter(|of| !of.permissions.is_empty())
    }

    /// AddPermission: `expected` is the RevisionId of the policy that the caller has seen, when it says one.
    ///
    /// # Errors
    /// When the id is taken, there is nothing of this qualifier, or the policy is not as the caller has seen it.
    pub fn add_permission(
        &mut self,
        qualifier: Option<&Qualifier>,
        permission: Permission,
        expected: Option<&str>,
        rng: &dyn Rng,
    ) -> Result<(), PermissionError> {
        let place = self.place(qualifier)?;
        let held = self.policies.get(&place);
        if let Some(held) = held
            && held.permissions.iter().any(|of| of.sid == permission.sid)
        {
            return Err(PermissionError::Exists(permission.sid));
        }
        // What has no policy yet has no revision that a caller could have seen.
        if expected.is_some() && !held.is_some_and(|held| held.revision_id.is_expected(expected)) {
            return Err(PermissionError::StaleRevision);
        }
        let mut permissions = held.map(|held| held.permissions.clone()).unwrap_or_default();
        permissions.push(permission);
        let policy = Policy { permissions, revision_id: RevisionId::mint(rng) };
        // The longest that its resource can be is not known here; the name with its qualifier is nearly all of it.
        let resource = FunctionArn::given(format!("{}:{place}", self.name));
        if policy.document(&resource).to_string().len() > limits::FUNCTION_POLICY_BYTES_MAX {
            return Err(PermissionError::TooLong);
        }
        self.policies.insert(place, policy);
        Ok(())
    }

    /// RemovePermission.
    ///
    /// # Errors
    /// When there is no such statement, or the policy is not as the caller has seen it.
    pub fn remove_permission(
        &mut self,
        qualifier: Option<&Qualifier>,
        sid: &StatementId,
        expected: Option<&str>,
        rng: &dyn Rng,
    ) -> Result<(), PermissionError> {
        let place = self.place(qualifier)?;
        let not_found = || PermissionError::NotFound(sid.clone());
        let held = self.policies.get_mut(&place).ok_or_else(not_found)?;
        let at = held.permissions.iter().position(|of| of.sid == *sid).ok_or_else(not_found)?;
        if !held.revision_id.is_expected(expected) {
            return Err(PermissionError::StaleRevision);
        }
        held.permissions.remove(at);
        held.revision_id = RevisionId::mint(rng);
        if held.permissions.is_empty() {
            self.policies.remove(&place);
        }
        Ok(())
    }

    /// Whether a policy allows this invocation, by the qualifier that the invocation names: a permission on an alias is none on
    /// the version behind it, nor one on the function, as on AWS.
    #[must_use]
    pub fn allows_invocation(&self, invocation: &Invocation<'_>, qualifier: Option<&Qualifier>) -> bool {
        self.policy(qualifier).is_some_and(|policy| policy.permissions.iter().any(|of| of.allows(invocation)))
    }

    /// Under which qualifier the policy is kept: the function's own under `$LATEST`, which has none of its own.
    fn place(&self, qualifier: Option<&Qualifier>) -> Result<Qualifier, PermissionError> {
        match qualifier {
            None => Ok(Qualifier::Latest),
            Some(Qualifier::Latest) => Err(PermissionError::Latest),
            Some(qualifier) if self.has(qualifier) => Ok(qualifier.clone()),
            Some(qualifier) => Err(PermissionError::NoSuchQualifier(qualifier.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_arn_is_like_a_pattern_part_by_part() {
        let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db/app-AbCdEf";
        for like in [
            arn,
            "arn:aws:secretsmanager:us-east-1:000000000000:secret:db/*",
            "arn:aws:secretsmanager:*:000000000000:*",
            "arn:*:*:*:*:*app-??????",
        ] {
            assert!(arn_is_like(like, arn), "{like}");
        }
        for unlike in [
            "*",
            "arn:aws:*",
            "",
            "arn:aws:secretsmanager:us-*:secret:db/app-AbCdEf",
            "arn:*:*:*:*:*app-?????",
        ] {
            assert!(!arn_is_like(unlike, arn), "{unlike}");
        }
    }

    #[test]
    fn an_account_stands_for_its_identities() {
        let to = |principal: &str| Permission {
            sid: "s".to_owned().try_into().unwrap(),
            action: "lambda:InvokeFunction".to_owned(),
            principal: principal.to_owned(),
            source_arn: None,
            source_account: None,
            event_source_token: None,
            principal_org_id: None,
        };
        let user = "arn:aws:iam::123456789012:user/app";
        for yes in ["123456789012", "arn:aws:iam::123456789012:root", user, "*"] {
            assert!(to(yes).is_for(user), "{yes}");
        }
        for no in [
            "123456789013",
            "arn:aws:iam::123456789012:user/ap",
            "arn:aws:iam::123456789012:user/*",
            "s3.amazonaws.com",
        ] {
            assert!(!to(no).is_for(user), "{no}");
        }
        let resource = FunctionArn::given("arn:aws-cn:lambda:cn-north-1:123456789012:function:f".to_owned());
        assert_eq!(
            to("123456789012").statement(&resource)["Principal"],
            json!({"AWS": "arn:aws-cn:iam::123456789012:root"})
        );
        assert_eq!(
            to("s3.amazonaws.com").statement(&resource)["Principal"],
            json!({"Service": "s3.amazonaws.com"})
        );
        assert!(to("*").statement(&resource).get("Condition").is_none());
    }

    proptest! {
        #[test]
        fn a_pattern_is_what_a_regular_expression_would_be(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            // By recursion, slow and plain.
            fn plain(pattern: &[u8], text: &[u8]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), None) => plain(rest, text),
                    (Some((b'*', rest)), Some((_, after))) => plain(rest, text) || plain(pattern, after),
                    (Some((wanted, rest)), Some((found, after))) => {
                        (*wanted == b'?' || wanted == found) && plain(rest, after)
                    }
                    _ => false,
                }
            }
            prop_assert_eq!(is_like(&pattern, &text), plain(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
