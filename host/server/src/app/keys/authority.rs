//! Who may do what with a key: the one place where that is decided.
//!
//! A key's policy is stored and checked, and is not asked yet: callers are the root identity, which may do everything, and Pawl's
//! own work. Callers with policies of their own are to be decided here, by the key's policy together with theirs.

use pawl_api::kms::refusal;
use pawl_core::key::{Key, KeyManager};
use pawl_core::names::Region;

use crate::app::App;
use crate::error::AppError;
use crate::identity::{Caller, Standing};

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

impl App {
    /// Whether the caller may do `action` with a key.
    pub(super) fn may_use_key(
        &self,
        caller: &Caller,
        action: &'static str,
        key: &Key,
    ) -> Result<(), AppError> {
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
        }
    }

    /// Whether the caller may do what concerns no key that is there: make one, list them, make random bytes.
    ///
    /// # Errors
    /// When it may not.
    pub fn may_with_keys(&self, caller: &Caller, action: &'static str) -> Result<(), AppError> {
        match caller.standing {
            Standing::Root => Ok(()),
            Standing::Scheduler | Standing::Rotation => {
                Err(AppError::Api(refusal::service_key(&caller.principal, action, "*")))
            }
        }
    }

    /// Whether the caller may do `action` with an alias, whose ARN that is.
    pub(super) fn may_use_alias(
        &self,
        caller: &Caller,
        action: &'static str,
        (region, alias): (&Region, &pawl_core::key::AliasName),
    ) -> Result<(), AppError> {
        match caller.standing {
            Standing::Root => Ok(()),
            Standing::Scheduler | Standing::Rotation => {
                let arn = alias.arn(region, self.account());
                Err(AppError::Api(refusal::service_key(&caller.principal, action, arn)))
            }
        }
    }
}
