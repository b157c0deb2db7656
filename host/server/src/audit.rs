//! The audit log of the host: what is recorded of every call, and of what Pawl does by itself (ADR 22).
//!
//! [`Call`] is one call at the edge, from before its signature is verified until its record is on the disk. [`outbox`] is what the
//! store's transactions keep of changes, and [`relay`] brings into the log what is there and not in the log. The log itself, its chain
//! and its verification, is the crate `pawl_audit`.

mod anchor;
mod call;
mod identity;
mod json;
mod outbox;
mod parameters;
mod record;
mod relay;
mod sweep;
mod trail;

pub use self::anchor::{AnchorError, anchors};
pub(crate) use self::anchor::{begin_anchor, note_anchor, stored_anchor};
pub(crate) use self::call::{Answered, Call};
pub(crate) use self::outbox::{Asker, Row, events_of, root_key_deed};
pub(crate) use self::relay::relay;
pub(crate) use self::trail::{KeyUse, Trail};
