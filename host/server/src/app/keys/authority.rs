//! Who may do what with a key: the one place where that is decided.
//!
//! The root identity may do everything, and Pawl's own work what that work is. Anybody else is judged by the key's own policy together
//! with his, as AWS does: a key lets in only whom its policy names, and the one that it has when nothing is said leaves the matter to
//! the account's policies.

use std::borrow::Cow;

use pawl_api::kms::refusal;
use pawl_core::arn::SecretArn;
use pawl_core::key::{AliasName, EncryptionContext, KeyManager};
use pawl_core::names::Region;

use super::HeldKey;
use crate::app::App;
use crate::cache::Held;
use crate::error::AppError;
use crate::identity::{Caller, Standing};
use crate::policy::{VIA_SERVICE, permit};

/// What may be done with a service's own key: look at it.
const LOOKS: [&str; 8] = [
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:ListKeys",
];

/// A condition key, and its value.
pub type ConditionKey = (Cow<'static, str>, String);
/// Several.
type Keys = Vec<ConditionKey>;

/// The condition keys of an encryption context.
pub(super) fn context_keys(context: Option<&EncryptionContext>) -> Keys {
    let mut keys = Keys::new();
    for (name, value) in context.into_iter().flat_map(EncryptionContext::pairs) {
        keys.push((format!("kms:EncryptionContext:{name}").into(), value.to_owned()));
        keys.push(("kms:EncryptionContextKeys".into(), name.to_owned()));
    }
    keys
}

impl App {
    /// Whether the caller may do `action` with a key, by itself.
    pub(super) fn may_use_key(
        &self,
        caller: &Caller,
        action: &'static str,
        held: &HeldKey,
    ) -> Result<(), AppError> {
        self.may_use_key_for(caller, action, held, Keys::new())
    }

    /// Whether the caller may open, with a key, a value of a secret.
    pub(super) fn may_open_with(
        &self,
        caller: &Caller,
        (secret, version): (&Held, &str),
        held: &HeldKey,
    ) -> Result<(), AppError> {
        let arn = secret.seal_arn().to_string();
        let mut keys = via_secrets_manager(&caller.region);
        keys.extend(context_keys(Some(&EncryptionContext::of_secret(&arn, version))));
        self.may_use_key_for(caller, "kms:Decrypt", held, keys)
    }

    /// Whether the caller may have a secret's values sealed with a key; of one that is only being made there is no ARN.
    pub(super) fn may_seal_with(
        &self,
        caller: &Caller,
        secret: Option<&SecretArn>,
        held: &HeldKey,
    ) -> Result<(), AppError> {
        let mut keys = via_secrets_manager(&caller.region);
        if let Some(arn) = secret {
            keys.push(("kms:EncryptionContext:SecretARN".into(), arn.to_string()));
            keys.push(("kms:EncryptionContextKeys".into(), "SecretARN".to_owned()));
        }
        self.may_use_key_for(caller, "kms:GenerateDataKey", held, keys)
    }

    /// Whether the caller may do `action` with a key, when the request says this.
    pub(super) fn may_use_key_for(
        &self,
        caller: &Caller,
        action: &'static str,
        held: &HeldKey,
        mut keys: Keys,
    ) -> Result<(), AppError> {
        let key = &held.key;
        if key.manager == KeyManager::Aws && !LOOKS.contains(&action) {
            return Err(AppError::Api(refusal::service_key(&caller.principal, action, &key.arn)));
        }
        match caller.standing {
            Standing::Root => Ok(()),
            // They open and seal the values of secrets, for which they were let in already.
            Standing::Scheduler | Standing::Rotation => match action {
                "kms:Decrypt" | "kms:GenerateDataKey" => Ok(()),
                _ => Err(AppError::Api(refusal::service_key(&caller.principal, action, &key.arn))),
            },
            Standing::Principal => {
                let arn = key.arn.as_str();
                let policy = held.policy.as_ref().ok_or_else(|| {
                    // It was stored by a program that read it otherwise.
                    AppError::NotAllowed(format!("The policy of the key {arn} cannot be read; replace it."))
                })?;
                keys.push(("kms:CallerAccount".into(), self.account().to_string()));
                keys.push(("kms:KeyOrigin".into(), "AWS_KMS".to_owned()));
                keys.push(("kms:KeySpec".into(), key.spec.to_string()));
                keys.push(("kms:KeyUsage".into(), key.spec.usage().to_string()));
                keys.push(("kms:MultiRegion".into(), "false".to_owned()));
                for alias in &held.aliases {
                    keys.push(("kms:ResourceAliases".into(), alias.to_string()));
                }
                for tag in &key.tags {
                    keys.push((format!("aws:ResourceTag/{}", tag.key).into(), tag.value.clone()));
                }
                permit(self, caller, (action, arn), &keys, None, Some(policy)).map_err(AppError::NotAllowed)
            }
        }
    }

    /// Whether the caller may do what concerns no key that is there: make one, list them, make random bytes.
    ///
    /// # Errors
    /// When it may not.
    pub fn may_with_keys(&self, caller: &Caller, action: &'static str) -> Result<(), AppError> {
        self.may_with_keys_given(caller, action, &[])
    }

    /// [`App::may_with_keys`] for a request that says something which policies may look at.
    ///
    /// # Errors
    /// When it may not.
    pub fn may_with_keys_given(
        &self,
        caller: &Caller,
        action: &'static str,
        keys: &[ConditionKey],
    ) -> Result<(), AppError> {
        match caller.standing {
            Standing::Root => Ok(()),
            Standing::Scheduler | Standing::Rotation => {
                Err(AppError::Api(refusal::service_key(&caller.principal, action, "*")))
            }
            Standing::Principal => {
                permit(self, caller, (action, "*"), keys, None, None).map_err(AppError::NotAllowed)
            }
        }
    }

    /// Whether the caller may do `action` with an alias, whose ARN that is.
    pub(super) fn may_use_alias(
        &self,
        caller: &Caller,
        action: &'static str,
        (region, alias): (&Region, &AliasName),
    ) -> Result<(), AppError> {
        let arn = alias.arn(region, self.account());
        match caller.standing {
            Standing::Root => Ok(()),
            Standing::Scheduler | Standing::Rotation => {
                Err(AppError::Api(refusal::service_key(&caller.principal, action, arn)))
            }
            Standing::Principal => {
                permit(self, caller, (action, &arn), &[], None, None).map_err(AppError::NotAllowed)
            }
        }
    }
}

/// What is known of a call that Secrets Manager makes for its caller.
fn via_secrets_manager(region: &Region) -> Keys {
    const SERVICE: &str = "secretsmanager.amazonaws.com";
    let called = ["aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast"];
    let mut keys: Keys = called.into_iter().map(|key| (key.into(), SERVICE.to_owned())).collect();
    keys.push((VIA_SERVICE.into(), "true".to_owned()));
    keys.push(("kms:ViaService".into(), format!("secretsmanager.{region}.amazonaws.com")));
    keys
}
