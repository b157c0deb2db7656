//! What one version of a function is: its code, and how it is set up.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Digest, Environment, Grants};
use crate::limits;
use crate::world::{Rng, Timestamp};

/// Why a setting of a function is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// A timeout out of bounds.
    #[error("a timeout is 1 to {max} seconds", max = limits::FUNCTION_TIMEOUT_SECONDS_MAX)]
    Timeout,
    /// A memory size out of bounds.
    #[error(
        "a memory size is {min} to {max} MB",
        min = limits::FUNCTION_MEMORY_MB_MIN,
        max = limits::FUNCTION_MEMORY_MB_MAX
    )]
    Memory,
    /// A reserved concurrency out of bounds.
    #[error("a reserved concurrency is 0 to {max}", max = limits::FUNCTION_CONCURRENCY_MAX)]
    Concurrency,
    /// A description that is too long.
    #[error("a description has at most {max} characters", max = limits::FUNCTION_DESCRIPTION_CHARS_MAX)]
    Description,
    /// A variable's name that AWS does not allow.
    #[error(
        "`{0}` is no name of an environment variable: a letter, and then at least one letter, digit or underscore"
    )]
    VariableName(String),
    /// A variable that no program could be given.
    #[error("the environment variable `{0}` holds a NUL")]
    VariableValue(String),
    /// More than AWS allows.
    #[error(
        "Lambda was unable to configure your environment variables because the environment variables you have provided \
         exceeded the 4KB limit."
    )]
    Environment,
}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $min:expr, $max:expr, $error:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u32", into = "u32")]
        pub struct $name(u32);

        impl $name {
            /// The number.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl TryFrom<u32> for $name {
            type Error = SettingError;

            fn try_from(number: u32) -> Result<Self, SettingError> {
                if ($min..=$max).contains(&number) { Ok(Self(number)) } else { Err($error) }
            }
        }

        impl From<$name> for u32 {
            fn from(number: $name) -> Self {
                number.0
            }
        }
    };
}

bounded! {
    /// How long an invocation may take, in seconds. The host's own ceiling holds beside it.
    Timeout, 1, limits::FUNCTION_TIMEOUT_SECONDS_MAX, SettingError::Timeout
}
bounded! {
    /// How much memory an invocation may have, in MB (AWS's: 2 to the 20th bytes). The host's own ceiling holds beside it.
    Memory, limits::FUNCTION_MEMORY_MB_MIN, limits::FUNCTION_MEMORY_MB_MAX, SettingError::Memory
}
bounded! {
    /// How many invocations of a function may run at once; 0 stops it.
    ReservedConcurrency, 0, limits::FUNCTION_CONCURRENCY_MAX, SettingError::Concurrency
}

impl Default for Timeout {
    fn default() -> Self {
        Self(limits::FUNCTION_TIMEOUT_SECONDS_DEFAULT)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self(limits::FUNCTION_MEMORY_MB_MIN)
    }
}

/// The text, if it is a description.
///
/// # Errors
/// When it is too long.
pub fn checked_description(text: String) -> Result<String, SettingError> {
    if text.chars().count() > limits::FUNCTION_DESCRIPTION_CHARS_MAX {
        return Err(SettingError::Description);
    }
    Ok(text)
}

/// The variables, if they are an environment that AWS would take.
///
/// # Errors
/// When a name is none, or all of it is too long.
pub fn checked_environment(variables: Environment) -> Result<Environment, SettingError> {
    let mut bytes = 0_usize;
    for (name, value) in &variables {
        // The model's pattern: [a-zA-Z]([a-zA-Z0-9_])+
        let (first, rest) = name.split_at_checked(1).unwrap_or_default();
        let named = first.bytes().all(|c| c.is_ascii_alphabetic())
            && !rest.is_empty()
            && rest.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
        if !named {
            return Err(SettingError::VariableName(name.clone()));
        }
        if value.contains('\0') {
            return Err(SettingError::VariableValue(name.clone()));
        }
        bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
    }
    if bytes > limits::FUNCTION_ENVIRONMENT_BYTES_MAX {
        return Err(SettingError::Environment);
    }
    Ok(variables)
}

/// Tells one state of a function, an alias or a policy from every other one: AWS's RevisionId, a UUID.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevisionId(String);

impl RevisionId {
    /// A new one.
    #[must_use]
    pub fn mint(rng: &dyn Rng) -> Self {
        let mut bytes = [0_u8; 16];
        rng.fill(&mut bytes);
        let mut number = u128::from_be_bytes(bytes);
        // RFC 9562, version 4.
        number = number & !(0xf_u128 << 76) | 4_u128 << 76;
        number = number & !(0x3_u128 << 62) | 2_u128 << 62;
        let part = |from: u32, digits: u32| number >> from & ((1_u128 << (digits * 4)) - 1);
        Self(format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 8),
            part(80, 4),
            part(64, 4),
            part(48, 4),
            part(0, 12)
        ))
    }

    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is what a caller expects; whoever expects nothing is content.
    pub(super) fn is_expected(&self, expected: Option<&str>) -> bool {
        expected.is_none_or(|text| text == self.0)
    }
}

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A component, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Its digest: where its bytes are found.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u64,
    /// What its manifest asks to reach. It counts as far as the operator approved.
    pub grants: Grants,
    /// The package in which it was uploaded; none when it came as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Package>,
}

/// What a component was uploaded in. It is not kept; those who uploaded it know it by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// SHA-256 of it.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Code {
    /// What was uploaded: AWS's CodeSha256 and CodeSize are of the package, whatever is in it.
    #[must_use]
    pub fn uploaded(&self) -> Package {
        self.package.unwrap_or(Package { digest: self.digest, bytes: self.bytes })
    }
}

/// How a function is set up. What AWS has and Pawl does not use is kept and given back as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The role as which it acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// AWS's Runtime; not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// AWS's Handler; not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler: Option<String>,
    /// How long an invocation may take.
    pub timeout: Timeout,
    /// How much memory it may have.
    pub memory: Memory,
    /// What it finds in its environment.
    #[serde(default, skip_serializing_if = "Environment::is_empty")]
    pub environment: Environment,
}

/// Code and how it is set up, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The code.
    pub code: Code,
    /// How it is set up.
    pub configuration: Configuration,
    /// Tells this state from every other one.
    pub revision_id: RevisionId,
    /// When it came to be.
    pub last_modified: Timestamp,
}

impl Release {
    /// Whether somebody who runs the one could not tell it from the other.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.code.digest == other.code.digest
            && self.code.uploaded() == other.code.uploaded()
            && self.configuration == other.configuration
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Rng for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn settings_are_within_their_bounds() {
        assert!(Timeout::try_from(0).is_err() && Timeout::try_from(901).is_err());
        assert!(Memory::try_from(127).is_err() && Memory::try_from(10_241).is_err());
        assert_eq!((Timeout::try_from(900).unwrap().get(), Memory::default().get()), (900, 128));
        assert!(ReservedConcurrency::try_from(0).is_ok() && ReservedConcurrency::try_from(1_001).is_err());
        assert!(
            checked_description("é".repeat(256)).is_ok() && checked_description("x".repeat(257)).is_err()
        );
        assert!(serde_json::from_str::<Timeout>("901").is_err());
    }

    #[test]
    fn an_environment_is_what_aws_would_take() {
        let of = |name: &str, value: &str| {
            checked_environment(Environment::from([(name.to_owned(), value.to_owned())]))
        };
        assert!(of("PASSWORD_LENGTH", "40").is_ok() && of("Ab", "").is_ok());
        for bad in ["", "A", "1A", "_A", "A-B", "éa", "A=B", "aé"] {
            assert_eq!(of(bad, "x"), Err(SettingError::VariableName(bad.to_owned())), "{bad}");
        }
        assert_eq!(of("AB", "\0"), Err(SettingError::VariableValue("AB".to_owned())));
        assert!(of("AB", &"x".repeat(4_094)).is_ok());
        assert_eq!(of("AB", &"x".repeat(4_095)), Err(SettingError::Environment));
    }

    #[test]
    fn a_revision_id_is_a_uuid() {
        assert_eq!(RevisionId::mint(&Fixed(0xff)).as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(RevisionId::mint(&Fixed(0)).as_str(), "00000000-0000-4000-8000-000000000000");
    }
}
