//! The keys of a provider: a JSON Web Key Set (RFC 7517), and which algorithm each is for (RFC 7518, RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pawl_core::limits;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

use super::KeySetError;

/// How a token is signed. There is no `none` here and nothing with a shared secret, so no token can ask for either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// Public keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, where the provider says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct WireSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct WireKey {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys that are for something else are left out, as the RFC has it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        let set: WireSet = serde_json::from_slice(bytes).map_err(|_| KeySetError::Form)?;
        if set.keys.len() > limits::KEY_SET_KEYS_MAX {
            return Err(KeySetError::TooLong);
        }
        let keys: Vec<Key> =
            set.keys.into_iter().filter_map(|key| read(serde_json::from_value(key).ok()?)).collect();
        if keys.is_empty() { Err(KeySetError::NoKey) } else { Ok(Self(keys)) }
    }

    /// Whether there is a key that a token with this header could be signed by.
    pub(super) fn has(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        self.candidates(algorithm, id).next().is_some()
    }

    /// Whether a key of the set has signed a message. A token that names no key is one of the only key that it could be.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let mut candidates = self.candidates(algorithm, id);
        let first = candidates.next();
        if id.is_none() && candidates.next().is_some() {
            return false;
        }
        first.into_iter().chain(candidates).any(|key| key.material.verify(algorithm, message, signature))
    }

    fn candidates(&self, algorithm: Algorithm, id: Option<&str>) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| {
            (id.is_none() || key.id.as_deref() == id)
                && key.algorithm.is_none_or(|only| only == algorithm)
                && key.material.is_for(algorithm)
        })
    }
}

fn bytes(text: Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

/// A key; none when it is not for signatures that are served.
fn read(key: WireKey) -> Option<Key> {
    let signs = key.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
    let verifies = key.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !signs || !verifies {
        return None;
    }
    let algorithm = match key.alg.as_deref() {
        // A key for another algorithm is for no other.
        Some(name) => Some(Algorithm::parse(name)?),
        None => None,
    };
    let material = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", _) => rsa(bytes(key.n)?, bytes(key.e)?)?,
        ("EC", Some("P-256")) => Material::P256(point(&bytes(key.x)?, &bytes(key.y)?, 32)?),
        ("EC", Some("P-384")) => Material::P384(point(&bytes(key.x)?, &bytes(key.y)?, 48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(key.x).filter(|x| x.len() == 32)?),
        _ => return None,
    };
    algorithm.is_none_or(|algorithm| material.is_for(algorithm)).then_some(())?;
    Some(Key { id: key.kid, algorithm, material })
}

fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Option<Material> {
    let strip = |number: Vec<u8>| -> Vec<u8> { number.into_iter().skip_while(|byte| *byte == 0).collect() };
    let (modulus, exponent) = (strip(modulus), strip(exponent));
    let bits = modulus.len().checked_mul(8)?;
    let strong = (limits::RSA_BITS_MIN..=limits::RSA_BITS_MAX).contains(&bits);
    (strong && !exponent.is_empty()).then_some(Material::Rsa { modulus, exponent })
}

/// A point that is not compressed.
fn point(x: &[u8], y: &[u8], size: usize) -> Option<Vec<u8>> {
    (x.len() == size && y.len() == size).then(|| [&[4][..], x, y].concat())
}

impl Material {
    const fn is_for(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512),
            Self::P256(_) => matches!(algorithm, Algorithm::Es256),
            Self::P384(_) => matches!(algorithm, Algorithm::Es384),
            Self::Ed25519(_) => matches!(algorithm, Algorithm::EdDsa),
        }
    }

    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verified = match (self, algorithm) {
            (Self::Rsa { modulus, exponent }, Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512) => {
                let parameters = match algorithm {
                    Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, message, signature)
            }
            (Self::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Self::P384(point), Algorithm::Es384) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            (Self::Ed25519(key), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
            }
            _ => return false,
        };
        verified.is_ok()
    }
}

#[cfg(test)]
mod tests;
