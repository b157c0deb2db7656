//! What happened to secrets: events, stored in one transaction with the change that they tell of, and never a value.
//!
//! An event is a line of JSON in the store, numbered there. Callers read on from a number ([`stream`]); a receiver is told of
//! each in its turn ([`webhook`]); the oldest are forgotten ([`retention`]).

mod change;
mod retention;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod webhook;

use pawl_core::names::VersionId;
use pawl_core::secret::Secret;
use pawl_core::world::{Rng, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use self::change::of_change;
pub(crate) use self::retention::forget_old;
pub(crate) use self::stream::{EventStream, list_events, watch_others};

macro_rules! types {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// What happened: AWS CloudTrail's name for it, where it has one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum EventType {
            $($(#[$doc])* $name,)*
        }

        impl EventType {
            /// The name of it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

types! {
    /// A secret was made.
    SecretCreated;
    /// Something about a secret was changed that has no event of its own.
    SecretChanged;
    /// AWSCURRENT has moved.
    VersionPromoted;
    /// A secret was scheduled for deletion.
    StartSecretVersionDelete;
    /// Its deletion was taken back.
    CancelSecretVersionDelete;
    /// It is gone, with all its versions.
    EndSecretVersionDelete;
    /// A rotation has begun, or begun again.
    RotationStarted;
    /// AWSCURRENT is the new version, and the database has its password.
    RotationSucceeded;
    /// A try has failed; whether another one follows by itself is said.
    RotationFailed;
    /// Given up after the database took the new password: AWSCURRENT may no longer open anything.
    RotationStranded;
    /// Ended by a person's new current version, or with its secret.
    RotationAbandoned;
    /// Ended by CancelRotateSecret.
    RotationCancelled;
    /// Another rotation has taken its place.
    RotationSuperseded;
    /// A server has refused so many logins that another one could lock the account: nothing is tried any more.
    RotationCircuitOpened;
    /// A trial of the configuration has begun.
    TestRotationStarted;
    /// It went well.
    TestRotationSucceeded;
    /// It did not.
    TestRotationFailed;
    /// The stored password is not the one that the server has.
    DriftFound;
    /// And now it is.
    DriftHealed;
}

/// Something that happened, before it is said of which secret and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    kind: EventType,
    token: Option<VersionId>,
    reason: Option<String>,
    step: Option<&'static str>,
    retried: Option<bool>,
}

impl News {
    pub(crate) const fn new(kind: EventType) -> Self {
        Self { kind, token: None, reason: None, step: None, retried: None }
    }

    /// Of this version.
    pub(crate) fn of(mut self, token: Option<&VersionId>) -> Self {
        self.token = token.cloned();
        self
    }

    /// For this reason, or with this to be said.
    pub(crate) fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Of a failure after which the host tries again by itself.
    pub(crate) const fn retried(mut self) -> Self {
        self.retried = Some(true);
        self
    }

    /// The event, as it is stored.
    pub(crate) fn record(self, secret: &Secret, now: Timestamp, rng: &dyn Rng) -> EventRecord {
        EventRecord {
            id: crate::world::uuid(rng),
            kind: self.kind.name().to_owned(),
            at: now,
            arn: secret.arn.to_string(),
            name: secret.name.to_string(),
            region: secret.region.to_string(),
            token: self.token.map(Into::into),
            step: self.step.map(str::to_owned),
            reason: self.reason,
            retried: self.retried,
        }
    }
}

/// An event as it is stored. What a newer program has written can be read as well, so its texts are texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventRecord {
    /// Tells it from every other event, those of a store that was restored since included.
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) at: Timestamp,
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) region: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retried: Option<bool>,
}
