//! The hours in which a rotation may begin, and the moment in them at which it does.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::group::Placing;
use crate::arn::SecretArn;
use crate::limits;
use crate::world::Timestamp;

/// A span of time in which a rotation by schedule may begin. It holds its opening and not its close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first moment of it.
    pub opens: Timestamp,
    /// The first moment after it.
    pub closes: Timestamp,
}

/// Where in a window a secret's rotation is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// Whether that is where the secret's group wants it: false when it would have been too late in the window.
    pub fits: bool,
}

impl Window {
    /// Whether `at` is in it.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.opens <= at && at < self.closes
    }

    /// The latest moment for which a rotation is planned: what is left of the window after it is for finishing.
    #[must_use]
    pub fn last_moment(&self) -> Timestamp {
        (self.closes - limits::WINDOW_MARGIN).max(self.opens)
    }

    /// The latest moment at which a rotation that is behind its plan may still begin.
    #[must_use]
    pub fn last_start(&self) -> Timestamp {
        (self.closes - limits::WINDOW_START_MARGIN).max(self.opens)
    }

    /// AWS's `NextRotationDate`: the last second of it.
    #[must_use]
    pub fn last_second(&self) -> Timestamp {
        self.closes - std::time::Duration::from_secs(1)
    }

    /// When the rotation of a secret begins in this window. It depends on nothing but the window's length and the secret's ARN
    /// (or its group's name, and its place in the group), so whoever asks gets the same answer, every time, and many
    /// secrets with one rule are spread evenly.
    #[must_use]
    pub fn moment(&self, arn: &SecretArn, placing: &Placing) -> Moment {
        let last = self.last_moment();
        let room = last.millis_since(self.opens) / 1_000;
        let Some(group) = &placing.group else {
            return Moment { at: self.opens.plus_seconds(share(("secret", arn.as_str()), room)), fits: true };
        };
        // The group begins early in the window, so that there is room for those that follow.
        let base = share(("group", group), room / limits::GROUP_BASE_PART);
        let wanted = self.opens.plus_seconds(base) + placing.shift();
        Moment { at: wanted.min(last), fits: wanted <= last }
    }
}

/// A whole number below or at `room`, each equally likely, always the same for the same name.
fn share((kind, name): (&str, &str), room: u64) -> u64 {
    let hash = Sha256::new().chain_update(kind).chain_update(":").chain_update(name).finalize();
    let drawn = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let scaled = (u128::from(drawn) * (u128::from(room) + 1)) >> 64;
    u64::try_from(scaled).unwrap_or(room)
}
