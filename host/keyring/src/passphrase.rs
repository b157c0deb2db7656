//! A root key out of a passphrase: stretched by Argon2id, with parameters that the store keeps beside it.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;
use zeroize::Zeroize as _;

use crate::root::RootKey;

/// How a passphrase is stretched. Its text is that of password hashes, without the hash:
/// `$argon2id$v=19$m=65536,t=3,p=4$SALT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretching {
    kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; limits::ARGON2_SALT_BYTES],
}

/// Why there is no root key of a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StretchError {
    /// What the store says of it is no such text, or asks for more than anybody would.
    #[error(
        "the parameters of the passphrase in the store's key record are damaged, or ask for too much; restore the store from a backup"
    )]
    Parameters,
    /// There was not as much memory.
    #[error("stretching the passphrase takes {0} KiB of memory, which were not to be had")]
    Memory(u32),
    /// The library refused.
    #[error("the passphrase could not be stretched; it must have 1 to {max} bytes", max = limits::PASSPHRASE_BYTES_MAX)]
    Passphrase,
}

impl Stretching {
    /// The parameters of a new passphrase, with a salt of its own.
    #[must_use]
    pub fn new(rng: &dyn Rng) -> Self {
        let mut salt = [0; limits::ARGON2_SALT_BYTES];
        rng.fill(&mut salt);
        Self { kib: limits::ARGON2_KIB, passes: limits::ARGON2_PASSES, lanes: limits::ARGON2_LANES, salt }
    }

    /// The root key of this passphrase.
    ///
    /// # Errors
    /// When the memory is not there, or the passphrase is empty or too long.
    pub fn stretch(&self, passphrase: &SecretBytes) -> Result<RootKey, StretchError> {
        if passphrase.is_empty() || passphrase.len() > limits::PASSPHRASE_BYTES_MAX {
            return Err(StretchError::Passphrase);
        }
        let params = Params::new(self.kib, self.passes, self.lanes, Some(RootKey::BYTES))
            .map_err(|_| StretchError::Parameters)?;
        let count = params.block_count();
        let mut blocks: Vec<Block> = Vec::new();
        blocks.try_reserve_exact(count).map_err(|_| StretchError::Memory(self.kib))?;
        blocks.resize(count, Block::default());
        let mut key = vec![0; RootKey::BYTES];
        let stretched = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(passphrase.expose(), &self.salt, &mut key, &mut blocks);
        blocks.iter_mut().for_each(|block| block.zeroize());
        stretched.map_err(|_| StretchError::Passphrase)?;
        RootKey::from_bytes(SecretBytes::new(key)).ok_or(StretchError::Parameters)
    }
}

impl std::fmt::Display for Stretching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kib, passes, lanes, salt } = self;
        write!(f, "$argon2id$v=19$m={kib},t={passes},p={lanes}${}", STANDARD_NO_PAD.encode(salt))
    }
}

impl std::str::FromStr for Stretching {
    type Err = StretchError;

    fn from_str(text: &str) -> Result<Self, StretchError> {
        let parse = || {
            let rest = text.strip_prefix("$argon2id$v=19$m=")?;
            let (numbers, salt) = rest.split_once('$')?;
            let (kib, rest) = numbers.split_once(",t=")?;
            let (passes, lanes) = rest.split_once(",p=")?;
            let salt = STANDARD_NO_PAD.decode(salt).ok()?.try_into().ok()?;
            Some(Self {
                kib: kib.parse().ok()?,
                passes: passes.parse().ok()?,
                lanes: lanes.parse().ok()?,
                salt,
            })
        };
        let sane = |it: &Self| {
            // Argon2 itself wants eight blocks a lane.
            (1..=limits::ARGON2_LANES_MAX).contains(&it.lanes)
                && (8 * it.lanes..=limits::ARGON2_KIB_MAX).contains(&it.kib)
                && (1..=limits::ARGON2_PASSES_MAX).contains(&it.passes)
        };
        parse().filter(sane).ok_or(StretchError::Parameters)
    }
}
