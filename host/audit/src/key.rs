//! The key that signs checkpoints, and the public key by which anybody verifies them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use pawl_core::value::SecretBytes;

/// Signs checkpoints. Does not print.
pub struct AuditKey(SigningKey);

impl AuditKey {
    /// The key of 32 bytes that were derived for this purpose; none when they are not 32.
    #[must_use]
    pub fn from_seed(seed: &SecretBytes) -> Option<Self> {
        let seed: &[u8; 32] = seed.expose().try_into().ok()?;
        Some(Self(SigningKey::from_bytes(seed)))
    }

    /// What verifies.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        hex::encode(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey([redacted])")
    }
}

/// Verifies checkpoints. Written as PEM, which `openssl pkey -pubin` reads, or as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A text that is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no Ed25519 public key: neither PEM (`-----BEGIN PUBLIC KEY-----`) nor 64 hexadecimal digits")]
pub struct BadPublicKey;

/// What stands before the key's bytes in its DER form (RFC 8410).
const DER: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

impl PublicKey {
    /// As PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        let der = [DER, self.0.as_bytes()].concat();
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
    }

    /// As hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0.as_bytes())
    }

    /// Reads either form.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, BadPublicKey> {
        let text = text.trim();
        let bytes = match text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)) {
            Some(inner) => {
                let inner: String = inner.split_whitespace().collect();
                let der = STANDARD.decode(inner).map_err(|_| BadPublicKey)?;
                der.strip_prefix(DER).ok_or(BadPublicKey)?.to_vec()
            }
            None => hex::decode(text).map_err(|_| BadPublicKey)?,
        };
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| BadPublicKey)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| BadPublicKey)
    }

    /// Whether it has signed this. Strictly: of several forms that one signature could have, only one is taken.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        let mut bytes = [0; 64];
        let lower = signature.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        lower
            && hex::decode_to_slice(signature, &mut bytes).is_ok()
            && self.0.verify_strict(message, &Signature::from_bytes(&bytes)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_is_read_in_both_forms_and_verifies_only_what_was_signed() {
        let key = AuditKey::from_seed(&SecretBytes::new(vec![7; 32])).unwrap();
        let public = key.public();
        assert_eq!(PublicKey::parse(&public.pem()), Ok(public));
        assert_eq!(PublicKey::parse(&public.hex()), Ok(public));
        for wrong in ["", "x", public.hex().get(2..).unwrap(), public.pem().get(..60).unwrap()] {
            assert_eq!(PublicKey::parse(wrong), Err(BadPublicKey), "{wrong}");
        }
        let signature = key.sign(b"this");
        assert!(public.has_signed(b"this", &signature));
        assert!(!public.has_signed(b"that", &signature));
        assert!(!public.has_signed(b"this", &signature.to_uppercase()));
        let other = AuditKey::from_seed(&SecretBytes::new(vec![8; 32])).unwrap().public();
        assert!(!other.has_signed(b"this", &signature));
        assert!(AuditKey::from_seed(&SecretBytes::new(vec![7; 31])).is_none());
    }
}
