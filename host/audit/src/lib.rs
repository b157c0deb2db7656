//! The audit log of a host: lines that are chained by their hashes, in segments that are only ever appended to, with checkpoints
//! that the store's key signs.
//!
//! [`AuditLog`] writes: one thread takes what many calls hand in, seals it, and lets the calls go when it is on the disk.
//! [`verify`] reads, needs nothing but the files and a public key, and says which line of which file is not what was written.

mod chain;
mod key;
mod log;
mod note;
mod place;
mod queue;
mod record;
mod syncer;
mod verify;
mod writer;

pub use chain::{Hash, Sealed, ZERO_HASH, split};
pub use key::{AuditKey, BadPublicKey, PublicKey};
pub use log::{AuditLog, InFlight, LogError, Opened, Options, Receipt, State, Unwritable};
pub use note::{Anchor, Note};
pub use place::{Chain, PUBLIC_KEY_FILE, Segment, chains_in, chains_of, read_line, segments};
pub use record::{Filter, Outcome, Shown};
pub use verify::{ChainReport, Finding, Report, verify};
