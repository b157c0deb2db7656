//! The materials of KMS keys as the store keeps them.

use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;

use crate::derivation::KEY_BYTES;
use crate::keyring::{Kek, KekId, Keyring, OpenError, SealError};
use crate::sealed::{KEK_ID_BYTES, NONCE_BYTES, SealedForm, WRAPPED_KEY_BYTES, append, open};

const FORMAT: u8 = 1;
const NUMBER_BYTES: usize = 4;
const HEADER_BYTES: usize = 1 + KEK_ID_BYTES;
const ENTRY_BYTES: usize = NUMBER_BYTES + NONCE_BYTES + WRAPPED_KEY_BYTES;

/// All materials of one KMS key, sealed: safe to store anywhere, and of no use without the keyring.
///
/// | bytes | what |
/// |---|---|
/// | 1 | format, 1 |
/// | 16 | id of the key-encryption key |
/// | 4 + 12 + 48, once per material | its number (big-endian); nonce; the material under the key-encryption key |
///
/// Each material is bound to the key's ARN and to its number: moved to another key, or exchanged with one of another number, it
/// does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedMaterial(Vec<u8>);

impl SealedMaterial {
    /// Bytes that came from [`SealedMaterial::as_bytes`]. [`Keyring::open_material`] is what judges them.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be stored as they are.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key-encryption key that they are under; none when the bytes are no materials.
    #[must_use]
    pub fn kek_id(&self) -> Option<KekId> {
        let id = self.0.get(1..)?.first_chunk()?;
        (self.0.first() == Some(&FORMAT)).then_some(KekId(*id))
    }

    /// The bytes, to be stored as they are.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl Keyring {
    /// Makes a new random material for a KMS key and adds it, sealed, to those that the key has. All of them are then under the
    /// newest key-encryption key.
    ///
    /// # Errors
    /// When those that it has do not open.
    pub fn add_material(
        &self,
        arn: &str,
        number: u32,
        held: Option<SealedMaterial>,
        rng: &dyn Rng,
    ) -> Result<SealedMaterial, SealError> {
        let kek = self.newest();
        let mut bytes = match held {
            Some(held) => self.with_newest(&kek, arn, held, rng)?.0,
            None => [&[FORMAT][..], kek.id()].concat(),
        };
        let mut material = vec![0; KEY_BYTES];
        rng.fill(&mut material);
        append_material(&mut bytes, &kek, (arn, number), &SecretBytes::new(material), rng)?;
        Ok(SealedMaterial(bytes))
    }

    /// The same materials under the newest key-encryption key.
    ///
    /// # Errors
    /// When they do not open.
    pub fn rewrap_material(
        &self,
        arn: &str,
        held: SealedMaterial,
        rng: &dyn Rng,
    ) -> Result<SealedMaterial, SealError> {
        self.with_newest(&self.newest(), arn, held, rng)
    }

    fn with_newest(
        &self,
        kek: &Kek,
        arn: &str,
        held: SealedMaterial,
        rng: &dyn Rng,
    ) -> Result<SealedMaterial, SealError> {
        if held.kek_id().is_some_and(|id| id.0 == *kek.id()) {
            return Ok(held);
        }
        let mut bytes = [&[FORMAT][..], kek.id()].concat();
        for (number, material) in self.open_material(arn, &held).map_err(|_| SealError::NoMaterial)? {
            append_material(&mut bytes, kek, (arn, number), &material, rng)?;
        }
        Ok(SealedMaterial(bytes))
    }

    /// A KMS key's materials with their numbers.
    ///
    /// # Errors
    /// When they were sealed elsewhere or for another key, or are not as they were sealed.
    pub fn open_material(
        &self,
        arn: &str,
        sealed: &SealedMaterial,
    ) -> Result<Vec<(u32, SecretBytes)>, OpenError> {
        let (header, entries) = sealed.0.split_first_chunk::<HEADER_BYTES>().ok_or(SealedForm)?;
        let ([format], kek_id) = header.split_first_chunk().ok_or(SealedForm)?;
        if *format != FORMAT || entries.is_empty() || !entries.len().is_multiple_of(ENTRY_BYTES) {
            return Err(SealedForm.into());
        }
        let kek_id = kek_id.first_chunk().ok_or(SealedForm)?;
        let kek = self.find(kek_id).ok_or(OpenError::OtherKeyring)?;
        let entry = |bytes: &[u8]| {
            let (number, rest) = bytes.split_first_chunk::<NUMBER_BYTES>()?;
            let (nonce, wrapped) = rest.split_first_chunk::<NONCE_BYTES>()?;
            let number = u32::from_be_bytes(*number);
            Some((number, open(kek.materials(), nonce, &bound(&kek, arn, number), wrapped)?))
        };
        entries.chunks_exact(ENTRY_BYTES).map(|bytes| entry(bytes).ok_or(OpenError::Refused)).collect()
    }
}

fn append_material(
    bytes: &mut Vec<u8>,
    kek: &Kek,
    (arn, number): (&str, u32),
    material: &SecretBytes,
    rng: &dyn Rng,
) -> Result<(), SealError> {
    // Room for the whole at once: what is encrypted in its place must not leave a copy behind.
    let mut entry = Vec::with_capacity(ENTRY_BYTES);
    entry.extend_from_slice(&number.to_be_bytes());
    let bound = bound(kek, arn, number);
    append(&mut entry, kek.materials(), rng, &bound, material.expose()).map_err(|_| SealError::TooLong)?;
    bytes.extend_from_slice(&entry);
    Ok(())
}

fn bound(kek: &Kek, arn: &str, number: u32) -> Vec<u8> {
    let length = (arn.len() as u64).to_be_bytes();
    [&[FORMAT][..], kek.id(), &length, arn.as_bytes(), &number.to_be_bytes()].concat()
}
