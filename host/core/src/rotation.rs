//! The rotation state machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The four steps of AWS's rotation function, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Make the new value and store it as AWSPENDING.
    CreateSecret,
    /// Give the database the new password.
    SetSecret,
    /// Log in with it.
    TestSecret,
    /// Move AWSCURRENT.
    FinishSecret,
}

impl Step {
    /// The step after this one.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::CreateSecret => Some(Self::SetSecret),
            Self::SetSecret => Some(Self::TestSecret),
            Self::TestSecret => Some(Self::FinishSecret),
            Self::FinishSecret => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateSecret => "createSecret",
            Self::SetSecret => "setSecret",
            Self::TestSecret => "testSecret",
            Self::FinishSecret => "finishSecret",
        })
    }
}

/// How a step ended. The texts are for people: they name users and targets, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it had to.
    Done,
    /// Worth another try by itself.
    Transient(String),
    /// A person must act.
    Permanent(String),
    /// Another rotation, or a person, has taken over the secret.
    Superseded,
}
