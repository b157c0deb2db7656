//! What a ciphertext is bound to, in the caller's words.

use std::collections::BTreeMap;

/// An encryption context: names and values that are no secret, and without which what was encrypted with them does not open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// The context of these pairs.
    #[must_use]
    pub const fn new(pairs: BTreeMap<String, String>) -> Self {
        Self(pairs)
    }

    /// Its pairs, by their names.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The context in which AWS Secrets Manager asks for a version's data key.
    #[must_use]
    pub fn of_secret(arn: &str, version_id: &str) -> Self {
        let pairs = [("SecretARN", arn), ("SecretVersionId", version_id)];
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The one form of it in bytes: the pairs in the order of their names, each text behind its length, so that no two contexts
    /// have the same bytes.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let texts = || self.0.iter().flat_map(|(name, value)| [name, value]);
        let mut bytes = Vec::with_capacity(8 + texts().map(|text| 8 + text.len()).sum::<usize>());
        bytes.extend_from_slice(&(self.0.len() as u64).to_be_bytes());
        for text in texts() {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }
}
