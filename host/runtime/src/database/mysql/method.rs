//! The ways in which a server may ask for a password, and what is answered.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use pawl_core::value::SecretBytes;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

/// Bytes of the question in every method but `client_ed25519`.
const NONCE: usize = 20;
/// Bytes of the question in `client_ed25519`.
const ED25519_NONCE: usize = 32;

/// A way to prove a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// `mysql_native_password`: a proof with SHA-1.
    Native,
    /// `caching_sha2_password`: a proof with SHA-256, and the password itself when the server has not seen it lately.
    CachingSha2,
    /// `client_ed25519`: a signature.
    Ed25519,
    /// `sha256_password`: the password itself.
    Sha256,
    /// `mysql_clear_password`: the password itself, for what the server asks another about (PAM, LDAP).
    Clear,
}

impl Method {
    /// The method of this name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        [Self::Native, Self::CachingSha2, Self::Ed25519, Self::Sha256, Self::Clear]
            .into_iter()
            .find(|method| method.name().as_bytes() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
            Self::Ed25519 => "client_ed25519",
            Self::Sha256 => "sha256_password",
            Self::Clear => "mysql_clear_password",
        }
    }

    /// What proves `password` to a server that asks with `question`; nothing when the method would send the password itself, or
    /// when this is no question of this method.
    pub(super) fn proof(self, password: &SecretBytes, question: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let nonce = question.strip_suffix(&[0]).filter(|nonce| nonce.len() == NONCE).unwrap_or(question);
        let proof = match self {
            Self::Native if nonce.len() == NONCE => native(password, nonce),
            Self::CachingSha2 if nonce.len() == NONCE => caching_sha2(password, nonce),
            Self::Ed25519 => ed25519(password, question.get(..ED25519_NONCE)?),
            Self::Native | Self::CachingSha2 | Self::Sha256 | Self::Clear => return None,
        };
        Some(Zeroizing::new(proof))
    }
}

/// SHA1(password) xor SHA1(nonce + SHA1(SHA1(password))).
fn native(password: &SecretBytes, nonce: &[u8]) -> Vec<u8> {
    let once = Zeroizing::new(<[u8; 20]>::from(Sha1::digest(password.expose())));
    let twice = Sha1::digest(*once);
    let mask = Sha1::new().chain_update(nonce).chain_update(twice).finalize();
    once.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

/// SHA256(password) xor SHA256(SHA256(SHA256(password)) + nonce).
fn caching_sha2(password: &SecretBytes, nonce: &[u8]) -> Vec<u8> {
    let once = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(password.expose())));
    let twice = Sha256::digest(*once);
    let mask = Sha256::new().chain_update(Sha256::digest(twice)).chain_update(nonce).finalize();
    once.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

/// Ed25519 as MariaDB has it: the password stands where RFC 8032 has its seed of 32 bytes.
fn ed25519(password: &SecretBytes, nonce: &[u8]) -> Vec<u8> {
    let key = ed25519_key(password);
    raw_sign::<Sha512>(&key, nonce, &VerifyingKey::from(&key)).to_bytes().to_vec()
}

fn ed25519_key(password: &SecretBytes) -> ExpandedSecretKey {
    let seed = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(password.expose())));
    ExpandedSecretKey::from_bytes(&seed)
}

/// What a server keeps of `password` for `mysql_native_password`.
pub(super) fn native_hash(password: &SecretBytes) -> String {
    let once = Zeroizing::new(<[u8; 20]>::from(Sha1::digest(password.expose())));
    format!("*{}", hex::encode_upper(Sha1::digest(*once)))
}

/// What a server keeps of `password` for `ed25519`: the public key.
pub(super) fn ed25519_hash(password: &SecretBytes) -> String {
    STANDARD_NO_PAD.encode(VerifyingKey::from(&ed25519_key(password)).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretBytes {
        SecretBytes::from(text.to_owned())
    }

    #[test]
    fn hashes_are_those_that_mariadb_makes() {
        // SELECT PASSWORD('password'), and PASSWORD('pw') for an account of ed25519, on MariaDB 10.11.
        assert_eq!(native_hash(&secret("password")), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
        assert_eq!(ed25519_hash(&secret("pw")), "vRq+ROSzhW4MwhdoPvlkL1fHkT0w6ZDDbTpVQwSNQ90");
    }

    #[test]
    fn a_proof_is_checked_as_a_server_checks_it() {
        let (password, nonce) = (secret("canary"), b"01234567890123456789");
        let once = Sha1::digest(b"canary");
        let stored = Sha1::digest(once);
        let proof = Method::Native.proof(&password, nonce).unwrap();
        let mask = Sha1::new().chain_update(nonce).chain_update(stored).finalize();
        let unmasked: Vec<u8> = proof.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(Sha1::digest(unmasked), stored);

        let stored = Sha256::digest(Sha256::digest(Sha256::digest(b"canary")));
        let proof = Method::CachingSha2.proof(&password, b"01234567890123456789\0").unwrap();
        let mask = Sha256::new().chain_update(stored).chain_update(nonce).finalize();
        let unmasked: Vec<u8> = proof.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(Sha256::digest(Sha256::digest(unmasked)), stored);
    }

    #[test]
    fn no_method_proves_anything_to_a_question_that_is_not_its_own() {
        let password = secret("canary");
        for question in [&b""[..], b"short", &[7; 19], &[7; 21], &[7; 31]] {
            for method in [Method::Native, Method::CachingSha2, Method::Ed25519] {
                assert_eq!(method.proof(&password, question), None, "{method:?} {}", question.len());
            }
        }
        for method in [Method::Sha256, Method::Clear] {
            assert_eq!(method.proof(&password, &[7; 20]), None);
        }
        assert_eq!(Method::named(b"mysql_old_password"), None);
    }
}
