//! Members of a shape that hold a secret: wiped when dropped, redacted when printed.
//!
//! What is received goes from the request's bytes into [`SecretBytes`]; what is sent goes from them into the answer's bytes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_core::value::{SecretBytes, SecretValue, ValueKind};
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::ser::{Error as _, Serialize, Serializer};
use zeroize::Zeroizing;

/// Secret text: JSON text on the wire.
#[derive(Debug)]
pub struct SecretText(SecretBytes);

/// Secret bytes: base64 text on the wire.
#[derive(Debug)]
pub struct SecretBlob(SecretBytes);

macro_rules! holder {
    ($name:ident, $kind:expr) => {
        impl $name {
            /// The bytes themselves.
            #[must_use]
            pub const fn bytes(&self) -> &SecretBytes {
                &self.0
            }

            /// The bytes, taken out.
            #[must_use]
            pub fn into_bytes(self) -> SecretBytes {
                self.0
            }

            /// A copy of `value`, when it is of this kind.
            #[must_use]
            pub fn of(value: &SecretValue) -> Option<Self> {
                (value.kind() == $kind).then(|| Self(value.bytes().duplicate()))
            }
        }

        impl From<SecretBytes> for $name {
            fn from(bytes: SecretBytes) -> Self {
                Self(bytes)
            }
        }
    };
}

holder!(SecretText, ValueKind::Text);
holder!(SecretBlob, ValueKind::Binary);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(SecretBytes::from(text))
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0.expose()) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Err(S::Error::custom("a secret text is not UTF-8")),
        }
    }
}

impl Serialize for SecretBlob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(self.0.expose())))
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = SecretText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText(SecretBytes::new(text.as_bytes().to_vec())))
            }

            fn visit_string<E>(self, text: String) -> Result<SecretText, E> {
                Ok(SecretText::from(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for SecretBlob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = SecretText::deserialize(deserializer)?;
        // The decoder's own error names a byte of the input.
        let bytes = STANDARD
            .decode(encoded.bytes().expose())
            .map_err(|_| D::Error::custom("a member that holds bytes is not base64"))?;
        Ok(Self(SecretBytes::new(bytes)))
    }
}
