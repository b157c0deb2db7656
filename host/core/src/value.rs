//! The one type in which a secret lives.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::limits;

/// A secret's bytes: wiped when dropped, printed as `[redacted]`, without `Display`, `Serialize` or `Clone` by accident.
///
/// [`SecretBytes::expose`] is the one way in; every use of it can be found by that name.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes over. The vector must not have been copied elsewhere.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes themselves. Whoever calls this must not let them reach a log, an error, a trace or a file.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A second copy, which is wiped as the first is.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// Equality in a time that tells nothing but the lengths.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl From<String> for SecretBytes {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Whether a value was given as text or as bytes; AWS gives it back as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// `SecretString`.
    Text,
    /// `SecretBinary`.
    Binary,
}

/// The value of one version: 1 to 65,536 bytes, text or binary.
#[derive(Debug)]
pub struct SecretValue {
    kind: ValueKind,
    bytes: SecretBytes,
}

/// Why bytes are no value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ValueError {
    /// There must be at least one byte.
    #[error("a secret value must have at least 1 byte")]
    Empty,
    /// More than AWS allows.
    #[error("a secret value must have at most {max} bytes", max = limits::VALUE_BYTES_MAX)]
    TooLong,
    /// Text that is not UTF-8.
    #[error("a secret string must be UTF-8")]
    NotText,
}

impl SecretValue {
    /// A text value.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn text(text: String) -> Result<Self, ValueError> {
        Self::new(ValueKind::Text, SecretBytes::from(text))
    }

    /// A binary value.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn binary(bytes: Vec<u8>) -> Result<Self, ValueError> {
        Self::new(ValueKind::Binary, SecretBytes::new(bytes))
    }

    /// A value of the given kind.
    ///
    /// # Errors
    /// When it is empty, too long, or not UTF-8 although it is to be text.
    pub fn new(kind: ValueKind, bytes: SecretBytes) -> Result<Self, ValueError> {
        if bytes.is_empty() {
            return Err(ValueError::Empty);
        }
        if bytes.len() > limits::VALUE_BYTES_MAX {
            return Err(ValueError::TooLong);
        }
        if kind == ValueKind::Text && std::str::from_utf8(bytes.expose()).is_err() {
            return Err(ValueError::NotText);
        }
        Ok(Self { kind, bytes })
    }

    /// A second copy, which is wiped as the first is.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self { kind: self.kind, bytes: self.bytes.duplicate() }
    }

    /// Text or binary.
    #[must_use]
    pub const fn kind(&self) -> ValueKind {
        self.kind
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &SecretBytes {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_printing_shows_a_value() {
        let value = SecretValue::text("canary-value".to_owned()).unwrap();
        let printed = format!("{value:?} {value:#?}");
        assert!(!printed.contains("canary"), "{printed}");
        assert!(printed.contains("[redacted]"), "{printed}");
    }

    #[test]
    fn a_value_has_one_to_65536_bytes_and_text_is_utf8() {
        assert_eq!(SecretValue::text(String::new()).unwrap_err(), ValueError::Empty);
        assert!(SecretValue::binary(vec![0; limits::VALUE_BYTES_MAX]).is_ok());
        assert_eq!(
            SecretValue::binary(vec![0; limits::VALUE_BYTES_MAX + 1]).unwrap_err(),
            ValueError::TooLong
        );
        let bytes = SecretBytes::new(vec![0xff]);
        assert_eq!(SecretValue::new(ValueKind::Text, bytes).unwrap_err(), ValueError::NotText);
    }
}
