//! The log's own lines: where a segment begins, checkpoints, and what has happened to the log itself.

use pawl_core::world::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chain::Hash;

/// A line of the log about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "pawlAudit", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Note {
    /// The first line of every segment.
    Segment {
        /// The form of the log: 1.
        version: u32,
        /// The host whose log it is.
        host: String,
        /// The segment's number; the first is 1.
        segment: u64,
        /// When it was begun.
        at: String,
        /// The hash of the line before, which is in the segment before.
        previous_hash: String,
        /// The key that signs its checkpoints.
        public_key: String,
        /// Why it was begun.
        because: String,
        /// Bytes of a line at the end of the segment before that was never finished. Nobody was answered because of it.
        #[serde(default, skip_serializing_if = "is_zero")]
        unfinished_bytes: u64,
    },
    /// A signature over everything before.
    Checkpoint {
        /// The host.
        host: String,
        /// The segment.
        segment: u64,
        /// The number of the line before, which is the last that is covered.
        through: u64,
        /// That line's hash.
        head: String,
        /// When it was signed.
        at: String,
        /// Whether nothing comes after it in the segment.
        closed: bool,
        /// The Ed25519 signature over [`Note::signed_text`].
        signature: String,
    },
    /// Segments that were kept for long enough are deleted.
    Retired {
        /// This one and all before it.
        through: u64,
        /// When.
        at: String,
        /// After so many days.
        days: u32,
    },
    /// Writing failed for a while, in which no call was answered but with a failure.
    Resumed {
        /// Since when.
        failed_at: String,
        /// Until when.
        at: String,
        /// Calls that were refused meanwhile, or whose answer was withheld.
        refused: u64,
    },
    /// Calls of nobody knows whom, refused and not written down one by one.
    Suppressed {
        /// How many.
        calls: u64,
        /// Until when.
        at: String,
    },
    /// What was found at a start is less than what the store knows to have been written.
    Missing {
        /// The number up to which there were lines.
        written_through: u64,
        /// The number up to which there are.
        found_through: u64,
        /// When that was found.
        at: String,
    },
    /// The file was changed by somebody else while it was being written.
    Disturbed {
        /// What was found.
        what: String,
        /// When.
        at: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Note {
    /// What a checkpoint's signature is over.
    #[must_use]
    pub fn signed_text(host: &str, segment: u64, through: u64, head: &str, at: &str, closed: bool) -> String {
        format!("pawl audit checkpoint 1\n{host}\n{segment}\n{through}\n{head}\n{at}\n{closed}\n")
    }

    /// Whether a line may be one of these: it begins as they do.
    #[must_use]
    pub fn is_in(line: &[u8]) -> bool {
        line.starts_with(b"{\"pawlAudit\":")
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        // It has only texts and numbers, which can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A moment as the log writes it.
pub(crate) fn moment(at: Timestamp) -> String {
    at.to_string()
}

/// The last line of which something other than the log knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Anchor {
    /// The segment.
    pub segment: u64,
    /// The line's number.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl Anchor {
    pub(crate) fn of(segment: u64, seq: u64, hash: &Hash) -> Self {
        Self { segment, seq, hash: hex::encode(hash) }
    }
}
