//! Sealing of secret values, and the key under which all of it stands.
//!
//! Three layers. The *root key* is the operator's and is nowhere in the store. It seals the *key-encryption keys*, which
//! the store keeps as a [`KeyRecord`]; opening that is at the same time the proof that the root key is the right one,
//! so a host with another refuses to start before it has written anything. The newest key-encryption key wraps a *data key* of
//! its own for each version, so that no two values share a key. A rotation of the root key brings a new key-encryption key with it,
//! and what the one before it has sealed is sealed anew, while everybody reads and writes.
//!
//! A KMS key ([`UnlockedKey`]) stands under the key-encryption key as well: its materials are kept as [`SealedMaterial`]. What it
//! encrypts says so itself ([`Ciphertext`]), and it wraps the data keys of secrets that name it.
//!
//! Every key lives in memory that is wiped when it is dropped.

mod ciphertext;
mod derivation;
mod fingerprint;
mod kek;
mod key_material;
mod keyed;
mod keyring;
pub mod passphrase;
mod record;
mod root;
pub mod root_file;
mod row_key;
mod sealed;
mod transition;
mod unlocked_key;

pub use ciphertext::{Ciphertext, NoCiphertext};
pub use fingerprint::Fingerprint;
pub use kek::{SealedKek, UnlockError};
pub use key_material::SealedMaterial;
pub use keyring::{KekId, Keyring, OpenError, SealContext, SealError};
pub use record::{Ended, KeyRecord, KeyState, Phase, RootRotation, Slot, StepRefused, UnlockedRecord};
pub use root::{NoRootId, RootId, RootKey};
pub use row_key::RowKey;
pub use sealed::{Sealed, SealedForm};
pub use transition::Transition;
pub use unlocked_key::{Refused, UnlockedKey};

#[cfg(test)]
mod tests;
