//! Which service and operation a request is for.

use crate::error::{ApiError, ErrorCode};
use crate::{iam, kms, lambda, pawl, secrets_manager, sts};

/// The header that names the operation.
pub const X_AMZ_TARGET: &str = "x-amz-target";

/// The operation that a request names: by its `X-Amz-Target`, or by its path (Lambda), or by its form (IAM, STS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// AWS Secrets Manager.
    SecretsManager(secrets_manager::Operation),
    /// Pawl's own.
    Pawl(pawl::Operation),
    /// AWS Lambda.
    Lambda(lambda::Operation),
    /// AWS Identity and Access Management.
    Iam(iam::Operation),
    /// AWS Security Token Service.
    Sts(sts::Operation),
    /// AWS KMS.
    Kms(kms::Operation),
}

impl Target {
    /// Reads the header.
    ///
    /// # Errors
    /// `UnknownOperationException`.
    pub fn from_header(target: &str) -> Result<Self, ApiError> {
        if let Some(operation) = secrets_manager::Operation::from_target(target) {
            return Ok(Self::SecretsManager(operation));
        }
        if let Some(operation) = pawl::Operation::from_target(target) {
            return Ok(Self::Pawl(operation));
        }
        if let Some(operation) = kms::Operation::from_target(target) {
            return Ok(Self::Kms(operation));
        }
        Err(ApiError::new(
            ErrorCode::UnknownOperationException,
            "The header X-Amz-Target names no operation of this server.",
        ))
    }

    /// The service's name in the scope of the request's signature.
    #[must_use]
    pub const fn signing_name(self) -> &'static str {
        match self {
            Self::SecretsManager(_) => secrets_manager::SIGNING_NAME,
            Self::Pawl(_) => pawl::SIGNING_NAME,
            Self::Lambda(_) => lambda::SIGNING_NAME,
            Self::Iam(_) => iam::SIGNING_NAME,
            Self::Sts(_) => sts::SIGNING_NAME,
            Self::Kms(_) => kms::SIGNING_NAME,
        }
    }

    /// The action of a policy that allows it: `secretsmanager:GetSecretValue`.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::SecretsManager(operation) => operation.action(),
            Self::Pawl(operation) => operation.action(),
            Self::Lambda(operation) => operation.action(),
            Self::Iam(operation) => operation.action(),
            Self::Sts(operation) => operation.action(),
            Self::Kms(operation) => operation.action(),
        }
    }

    /// The operation's name: `GetSecretValue`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SecretsManager(operation) => operation.name(),
            Self::Pawl(operation) => operation.name(),
            Self::Lambda(operation) => operation.name(),
            Self::Iam(operation) => operation.name(),
            Self::Sts(operation) => operation.name(),
            Self::Kms(operation) => operation.name(),
        }
    }
}

/// Declares a service's operations: an enum with names, targets and actions, all from one spelling.
macro_rules! operations {
    ($prefix:literal, $service:literal, $($(#[$doc:meta])* $name:ident;)*) => {
        /// The operations that are served.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The operation that an `X-Amz-Target` names.
            #[must_use]
            pub fn from_target(target: &str) -> Option<Self> {
                match target {
                    $(concat!($prefix, ".", stringify!($name)) => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The value of `X-Amz-Target`.
            #[must_use]
            pub const fn target(self) -> &'static str {
                match self { $(Self::$name => concat!($prefix, ".", stringify!($name)),)* }
            }

            /// The operation's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The action of a policy that allows it.
            #[must_use]
            pub const fn action(self) -> &'static str {
                match self { $(Self::$name => concat!($service, ":", stringify!($name)),)* }
            }
        }
    };
}
pub(crate) use operations;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_target_and_no_other_text() {
        for operation in secrets_manager::Operation::ALL {
            let target = Target::from_header(operation.target()).unwrap();
            assert_eq!(target, Target::SecretsManager(*operation));
            assert_eq!(target.action(), format!("secretsmanager:{}", target.name()));
            assert_eq!(target.signing_name(), "secretsmanager");
        }
        for operation in pawl::Operation::ALL {
            let target = Target::from_header(operation.target()).unwrap();
            assert_eq!(target, Target::Pawl(*operation));
            assert_eq!(target.signing_name(), "pawl");
        }
        for operation in kms::Operation::ALL {
            let target = Target::from_header(operation.target()).unwrap();
            assert_eq!(target, Target::Kms(*operation));
            assert_eq!(target.action(), format!("kms:{}", target.name()));
            assert_eq!(target.signing_name(), "kms");
            assert!(operation.target().starts_with("TrentService."));
        }
        for wrong in
            ["", "GetSecretValue", "secretsmanager.", "secretsmanager.getsecretvalue", "pawl.DescribeHost"]
        {
            let refused = Target::from_header(wrong).unwrap_err();
            assert_eq!(refused.code, ErrorCode::UnknownOperationException, "{wrong}");
            assert!(refused.message.contains("names no operation"), "{wrong}");
        }
    }
}
