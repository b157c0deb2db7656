//! Ids and secrets of AWS's forms.

use crate::value::SecretBytes;
use crate::world::Rng;

/// What an id is of, which its beginning tells ("IAM identifiers", AWS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// A user.
    User,
    /// A group.
    Group,
    /// A role.
    Role,
    /// A managed policy.
    Policy,
}

/// Characters of an id after its beginning.
const ID_CHARS: usize = 17;
/// Characters of an access key's id after its beginning.
const KEY_CHARS: usize = 16;
/// Characters of a secret access key.
const SECRET_CHARS: usize = 40;
/// What ids are made of.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// What secret access keys are made of.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn draw(rng: &dyn Rng, alphabet: &[u8], chars: usize) -> String {
    let size = u32::try_from(alphabet.len()).unwrap_or(1);
    (0..chars).filter_map(|_| alphabet.get(rng.below(size) as usize).map(|&c| char::from(c))).collect()
}

/// An id that nothing else ever has.
#[must_use]
pub fn mint_id(kind: IdKind, rng: &dyn Rng) -> String {
    let beginning = match kind {
        IdKind::User => "AIDA",
        IdKind::Group => "AGPA",
        IdKind::Role => "AROA",
        IdKind::Policy => "ANPA",
    };
    beginning.to_owned() + &draw(rng, BASE32, ID_CHARS)
}

/// An access key's id: of a user's key, or of one that lasts a while.
#[must_use]
pub fn mint_key_id(temporary: bool, rng: &dyn Rng) -> String {
    let beginning = if temporary { "ASIA" } else { "AKIA" };
    beginning.to_owned() + &draw(rng, BASE32, KEY_CHARS)
}

/// A secret access key: 240 bits.
#[must_use]
pub fn mint_secret(rng: &dyn Rng) -> SecretBytes {
    draw(rng, BASE64, SECRET_CHARS).into()
}
