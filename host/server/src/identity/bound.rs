//! Users and roles as policies of resources name them: by ARN, and kept by the unique id of whoever had that ARN then. Somebody
//! else who is made under the name later is nobody to them, as on AWS.

use std::collections::BTreeMap;

use pawl_core::identity::{Role, arn};
use pawl_core::names::AccountId;
use pawl_iam::policy::PolicyDocument;
use serde_json::Value;

use super::snapshot::Snapshot;

/// The policy of a role on who may assume it; none when it cannot be read.
pub(crate) fn trust_of(role: &Role) -> Option<PolicyDocument> {
    Some(PolicyDocument::parse_trust(&role.trust).ok()?.bound(&role.principals))
}

impl Snapshot {
    /// The ids of the users and roles that a policy names, by their ARNs. Who is not there yet has none, and is whoever has the ARN.
    #[must_use]
    pub fn bind(&self, account: &AccountId, policy: &PolicyDocument) -> BTreeMap<String, String> {
        let named = policy.principals();
        named.filter_map(|arn| Some((arn.to_owned(), self.id_of(account, arn)?.to_owned()))).collect()
    }

    /// The id of the user or role of this ARN.
    fn id_of(&self, account: &AccountId, of: &str) -> Option<&str> {
        let name = of.rsplit('/').next()?;
        let user = self.users.get(name).map(|user| &user.value);
        let user = user.filter(|user| arn(account, "user", &user.path, &user.name) == of);
        let role = self.roles.get(name).map(|role| &role.value);
        let role = role.filter(|role| arn(account, "role", &role.path, &role.name) == of);
        user.map(|user| user.id.as_str()).or_else(|| role.map(|role| role.id.as_str()))
    }

    /// The ARN of the user or role of this id.
    fn arn_of(&self, account: &AccountId, id: &str) -> Option<String> {
        let user = self.users.values().map(|user| &user.value).find(|user| user.id == id);
        let role = || self.roles.values().map(|role| &role.value).find(|role| role.id == id);
        let user = user.map(|user| arn(account, "user", &user.path, &user.name));
        user.or_else(|| role().map(|role| arn(account, "role", &role.path, &role.name)))
    }

    /// A policy as it is shown: exactly as it was given, as long as all whom it names are who they were. Else with the ARN that
    /// somebody has now, or the id of whoever is gone.
    #[must_use]
    pub fn shown_policy(&self, account: &AccountId, text: &str, bound: &BTreeMap<String, String>) -> String {
        let now: BTreeMap<&str, String> = bound
            .iter()
            .filter(|(arn, id)| self.id_of(account, arn) != Some(id))
            .map(|(arn, id)| (arn.as_str(), self.arn_of(account, id).unwrap_or_else(|| id.clone())))
            .collect();
        if now.is_empty() {
            return text.to_owned();
        }
        let Ok(mut document) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
        for statement in items(document.get_mut("Statement")) {
            for member in ["Principal", "NotPrincipal"] {
                for name in items(statement.get_mut(member).and_then(|named| named.get_mut("AWS"))) {
                    if let Some(other) = name.as_str().and_then(|arn| now.get(arn)) {
                        *name = Value::String(other.clone());
                    }
                }
            }
        }
        document.to_string()
    }
}

/// What is a list, or stands alone.
fn items(value: Option<&mut Value>) -> &mut [Value] {
    match value {
        Some(Value::Array(items)) => items,
        Some(alone) => std::slice::from_mut(alone),
        None => &mut [],
    }
}
