//! What a guest's handles stand for.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pawl_core::document::Document;
use pawl_core::limits;
use pawl_core::value::SecretBytes;

use super::Violation;
use super::tcp::Connected;
use crate::database::Session;
use crate::wire::{DatabaseError, Handle};

/// Something that the guest may name.
pub(super) enum Held {
    Version(Arc<VersionHeld>),
    Sensitive(Arc<SensitiveHeld>),
    Session(Arc<SessionHeld>),
    Connection(Arc<Connected>),
}

/// A version as it was when the guest asked for it.
pub(super) struct VersionHeld {
    pub(super) document: Document,
    pub(super) of: Of,
    pub(super) id: String,
}

/// Whose a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The pending version of the secret under rotation.
    Pending,
    /// Another version of it.
    Own,
    /// Another secret, to log in with and for nothing else.
    Another,
}

/// A value that the guest can use.
pub(super) struct SensitiveHeld {
    pub(super) value: SecretBytes,
    pub(super) origin: Origin,
    /// What it is, for people.
    pub(super) what: String,
}

/// Where a sensitive value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The host made it in this step.
    Generated,
    /// A server made it in this step.
    Captured,
    /// It was read from a version.
    Stored,
}

/// A login that stands, and where.
pub(super) struct SessionHeld {
    pub(super) session: Box<dyn Session>,
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether a statement of the guest's own was run over it: what it is set to is not known any more.
    pub(super) ran_own: AtomicBool,
}

/// The handles of one step. A number is given out once, so a dropped handle never names something else.
#[derive(Default)]
pub(super) struct Handles {
    held: HashMap<Handle, Held>,
    last: Handle,
}

impl Handles {
    pub(super) fn insert(&mut self, held: Held) -> Result<Handle, Violation> {
        if self.held.len() >= limits::GUEST_HANDLES_MAX {
            return Err(Violation(format!("more than {} handles at once", limits::GUEST_HANDLES_MAX)));
        }
        let next = self.last.checked_add(1).ok_or_else(|| Violation("no handles left".to_owned()))?;
        self.last = next;
        self.held.insert(next, held);
        Ok(next)
    }

    pub(super) fn get(&self, handle: Handle) -> Result<&Held, Violation> {
        self.held.get(&handle).ok_or_else(|| unknown(handle))
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Result<(), Violation> {
        self.held.remove(&handle).map(drop).ok_or_else(|| unknown(handle))
    }

    pub(super) fn sensitive(&self, handle: Handle) -> Result<Arc<SensitiveHeld>, Violation> {
        match self.get(handle)? {
            Held::Sensitive(sensitive) => Ok(Arc::clone(sensitive)),
            Held::Version(_) | Held::Session(_) | Held::Connection(_) => {
                Err(wrong_kind(handle, "sensitive value"))
            }
        }
    }

    pub(super) fn session(&self, handle: Handle) -> Result<Arc<SessionHeld>, Violation> {
        match self.get(handle)? {
            Held::Session(session) => Ok(Arc::clone(session)),
            Held::Version(_) | Held::Sensitive(_) | Held::Connection(_) => Err(wrong_kind(handle, "session")),
        }
    }

    pub(super) fn connection(&self, handle: Handle) -> Result<Arc<Connected>, Violation> {
        match self.get(handle)? {
            Held::Connection(connection) => Ok(Arc::clone(connection)),
            Held::Version(_) | Held::Sensitive(_) | Held::Session(_) => Err(wrong_kind(handle, "connection")),
        }
    }

    /// A login over which the host's own statements mean what they should.
    pub(super) fn unspoilt(session: &SessionHeld) -> Result<(), DatabaseError> {
        if session.ran_own.load(Ordering::Relaxed) {
            let text = "statements of the rotator's own were run over this login: log in anew for this";
            return Err(DatabaseError::Refused(text.to_owned()));
        }
        Ok(())
    }

    /// Every sensitive value that is held, those of another secret's login among them.
    pub(super) fn all_values(&self) -> impl Iterator<Item = SecretBytes> {
        self.held.values().flat_map(|held| match held {
            Held::Version(version) => super::values::values(&version.document).collect::<Vec<_>>(),
            Held::Sensitive(sensitive) => vec![sensitive.value.duplicate()],
            Held::Session(_) | Held::Connection(_) => Vec::new(),
        })
    }

    pub(super) fn sessions(&self) -> usize {
        self.held.values().filter(|held| matches!(held, Held::Session(_))).count()
    }

    pub(super) fn connections(&self) -> usize {
        self.held.values().filter(|held| matches!(held, Held::Connection(_))).count()
    }
}

fn unknown(handle: Handle) -> Violation {
    Violation(format!("the handle {handle} names nothing"))
}

pub(super) fn wrong_kind(handle: Handle, wanted: &str) -> Violation {
    Violation(format!("the handle {handle} is no {wanted}"))
}
