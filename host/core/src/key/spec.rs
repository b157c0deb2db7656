//! What a key is made of, and what it is for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a key is made of. Asymmetric keys are not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySpec {
    /// AES-256-GCM.
    #[serde(rename = "SYMMETRIC_DEFAULT")]
    SymmetricDefault,
    /// HMAC with SHA-256.
    #[serde(rename = "HMAC_256")]
    Hmac256,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUsage {
    /// Encrypting and decrypting.
    EncryptDecrypt,
    /// Message authentication codes.
    GenerateVerifyMac,
}

impl KeySpec {
    /// The spec that AWS spells so, if it is one that is served.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        [Self::SymmetricDefault, Self::Hmac256].into_iter().find(|spec| spec.as_str() == text)
    }

    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SymmetricDefault => "SYMMETRIC_DEFAULT",
            Self::Hmac256 => "HMAC_256",
        }
    }

    /// What keys of it are for.
    #[must_use]
    pub const fn usage(self) -> KeyUsage {
        match self {
            Self::SymmetricDefault => KeyUsage::EncryptDecrypt,
            Self::Hmac256 => KeyUsage::GenerateVerifyMac,
        }
    }
}

impl KeyUsage {
    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EncryptDecrypt => "ENCRYPT_DECRYPT",
            Self::GenerateVerifyMac => "GENERATE_VERIFY_MAC",
        }
    }
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
