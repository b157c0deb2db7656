//! The audit log.

use std::time::Duration;

/// Bytes of a segment after which the next one begins.
pub const AUDIT_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Records after which a checkpoint is signed, at the latest.
pub const AUDIT_CHECKPOINT_RECORDS: u64 = 4_096;
/// Time after which records are covered by a checkpoint.
pub const AUDIT_CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// How long the records of calls that changed nothing may be with the system and not on the disk.
pub const AUDIT_SYNC_EVERY: Duration = Duration::from_millis(10);
/// How long the disk may take to have them before no call is answered until it does.
pub const AUDIT_SYNC_LAG_MAX: Duration = Duration::from_secs(1);
/// How long the disk may be busy before calls leave writing to the thread that may hang on it.
pub const AUDIT_INLINE_LAG_MAX: Duration = Duration::from_millis(20);
/// How often a call looks whether its record was written, or writes it, before it leaves that to the thread.
pub const AUDIT_INLINE_TURNS: u32 = 3;
/// Bytes that are written again at a time, when the disk may not have taken them.
pub const AUDIT_REWRITE_BYTES: usize = 1024 * 1024;
/// Time between two tries to write again, when writing has failed.
pub const AUDIT_RETRY_EVERY: Duration = Duration::from_millis(250);
/// Bytes that must be free on the disk before writing is tried again, when it has failed.
pub const AUDIT_ROOM_BYTES: u64 = 64 * 1024;
/// Bytes of records that wait for the disk; calls beyond are refused.
pub const AUDIT_WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long one write may take before the host says that it is not ready.
pub const AUDIT_STALLED_AFTER: Duration = Duration::from_secs(5);
/// Bytes of one line that is read back: a request's parameters take 512 KiB at most, and six times that when they are escaped.
pub const AUDIT_LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Days for which segments are kept when nothing is said.
pub const AUDIT_RETENTION_DAYS: u32 = 365;
/// Time between two looks for segments that are older.
pub const AUDIT_RETENTION_EVERY: Duration = Duration::from_secs(3600);
/// Characters of one text of a request that a record repeats.
pub const AUDIT_TEXT_CHARS_MAX: usize = 2_048;
/// Bytes of a request's parameters, or of an answer's elements, that a record holds (CloudTrail: 100 KB).
pub const AUDIT_PARAMETERS_BYTES_MAX: usize = 100 * 1024;
/// Refusals of callers whom nobody knows that are written down in a second; more are counted.
pub const AUDIT_STRANGERS_PER_SECOND: u32 = 50;
/// Refusals of callers whom nobody knows that are written down at once after a quiet time.
pub const AUDIT_STRANGERS_BURST: u32 = 500;
/// Time between two looks at what the store's transactions have left to be recorded.
pub const AUDIT_RELAY_EVERY: Duration = Duration::from_secs(1);
/// Time between two notes of how far that has come.
pub const AUDIT_CURSOR_EVERY: Duration = Duration::from_secs(15);
/// Rows of the store that are looked at together.
pub const AUDIT_RELAY_ROWS: u32 = 1_000;
/// Characters of a User-Agent that a record holds.
pub const AUDIT_AGENT_CHARS_MAX: usize = 512;
/// How long calls that are under way are waited for before it is noted how far the log is.
pub const AUDIT_DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two looks whether they have ended.
pub const AUDIT_DRAIN_LOOK: Duration = Duration::from_millis(20);
/// Time between two looks of `pawl audit tail --follow`.
pub const AUDIT_FOLLOW_LOOK: Duration = Duration::from_millis(250);
