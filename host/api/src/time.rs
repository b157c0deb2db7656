//! Moments on the wire.

use std::fmt;

use pawl_core::world::Timestamp;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// A moment as AWS JSON writes it: seconds since the Unix epoch as a number, with the milliseconds as its fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EpochSeconds(pub Timestamp);

impl From<Timestamp> for EpochSeconds {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl fmt::Display for EpochSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for EpochSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.epoch_seconds())
    }
}

impl<'de> Deserialize<'de> for EpochSeconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let millis = (f64::deserialize(deserializer)? * 1000.0).round();
        #[expect(clippy::cast_possible_truncation, reason = "a float outside of i64 becomes its nearest end")]
        let millis = millis as i64;
        Ok(Self(Timestamp::from_millis(millis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_the_fraction_and_survive() {
        for (millis, wire) in [
            (1_785_000_000_123, "1785000000.123"),
            (1_785_000_000_120, "1785000000.12"),
            (1_785_000_000_000, "1785000000.0"),
            (0, "0.0"),
        ] {
            let at = EpochSeconds(Timestamp::from_millis(millis));
            assert_eq!(serde_json::to_string(&at).unwrap(), wire);
            assert_eq!(serde_json::from_str::<EpochSeconds>(wire).unwrap(), at);
        }
        // Whole numbers come from other writers.
        let at: EpochSeconds = serde_json::from_str("1785000000").unwrap();
        assert_eq!(at.0.millis(), 1_785_000_000_000);
    }
}
