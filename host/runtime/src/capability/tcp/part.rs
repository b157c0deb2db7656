//! What a guest sends, written down: its own bytes, and values that it names.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Answered, refused};
use crate::capability::handles::{Of, Origin, SensitiveHeld};
use crate::capability::{Capabilities, Violation, spelling};
use crate::wire::{Handle, TcpNumber, TcpPart};

/// Bytes as they go out, and the values that are in them.
#[derive(Default)]
pub(super) struct Written {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) values: Vec<Carried>,
}

/// A value that is sent.
pub(super) struct Carried {
    pub(super) value: SecretBytes,
    pub(super) origin: Origin,
    /// Whether its SHA-256 is sent in its place.
    pub(super) is_hashed: bool,
    /// Whose it is, when it is another secret's.
    pub(super) user: Option<String>,
}

impl Written {
    fn put(&mut self, bytes: &[u8]) -> Answered<()> {
        let max = limits::TCP_SEND_BYTES_MAX;
        if self.bytes.len().saturating_add(bytes.len()) > max {
            return Err(refused(&format!("what is sent at once has at most {max} bytes")));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn carry(&mut self, held: &SensitiveHeld, bytes: &[u8], is_hashed: bool) -> Answered<()> {
        self.values.push(Carried {
            value: held.value.duplicate(),
            origin: held.origin,
            is_hashed,
            user: None,
        });
        self.put(bytes)
    }
}

impl Capabilities {
    /// Writes parts down. Nothing is sent.
    pub(super) fn written_parts(&self, parts: &[TcpPart]) -> Result<Answered<Written>, Violation> {
        if parts.len() > limits::TCP_PARTS_MAX {
            let max = limits::TCP_PARTS_MAX;
            return Ok(Err(refused(&format!("what is sent at once has at most {max} parts"))));
        }
        // At its full size, so that no copy of a value is left behind by growth.
        let bytes = Zeroizing::new(Vec::with_capacity(limits::TCP_SEND_BYTES_MAX));
        let mut written = Written { bytes, values: Vec::new() };
        for part in parts {
            if let Err(error) = self.write_part(part, &mut written)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(written))
    }

    fn write_part(&self, part: &TcpPart, written: &mut Written) -> Result<Answered<()>, Violation> {
        let held = |handle: &Handle| self.handles.sensitive(*handle);
        Ok(match part {
            TcpPart::Bytes(bytes) => written.put(bytes),
            TcpPart::Sensitive(value) => {
                let held = held(value)?;
                plain(held.value.expose()).and_then(|plain| written.carry(&held, plain, false))
            }
            TcpPart::Length { of, more, number } => {
                let held: Arc<SensitiveHeld> = held(of)?;
                length(*number, held.value.len(), *more).and_then(|digits| written.put(&digits))
            }
            TcpPart::Json(value) => {
                let held = held(value)?;
                match small(held.value.expose()).map(spelling::json) {
                    Ok(Some(json)) => written.carry(&held, &json, false),
                    Ok(None) => Err(refused("a value that is no text cannot stand in JSON")),
                    Err(error) => Err(error),
                }
            }
            TcpPart::Base64 { before, value } => {
                let held = held(value)?;
                small(before).and_then(|before| {
                    let value = small(held.value.expose())?;
                    let mut both = Zeroizing::new(Vec::with_capacity(before.len() + value.len()));
                    both.extend_from_slice(before);
                    both.extend_from_slice(value);
                    let digits = Zeroizing::new(STANDARD.encode(&*both).into_bytes());
                    written.carry(&held, &digits, false)
                })
            }
            TcpPart::Sha256(value) => {
                let held = held(value)?;
                let digits = Zeroizing::new(sha256(&held.value));
                written.carry(&held, digits.as_bytes(), true)
            }
            TcpPart::Field { of, name, number } => self.write_field((*of, name), *number, written)?,
        })
    }

    /// A field of a version: another secret's too, whose values have no handles.
    fn write_field(
        &self,
        (of, name): (Handle, &str),
        number: Option<TcpNumber>,
        written: &mut Written,
    ) -> Result<Answered<()>, Violation> {
        let version = self.held_version(of)?;
        let Some(value) = version.document.sensitive(name) else {
            return Ok(Err(refused("the version has no such sensitive field")));
        };
        if let Some(number) = number {
            return Ok(length(number, value.len(), 0).and_then(|digits| written.put(&digits)));
        }
        let user = (version.of == Of::Another).then(|| version.document.text("username").unwrap_or_default());
        Ok(plain(value.expose()).and_then(|plain| written.put(plain)).map(|()| {
            let origin = Origin::Stored;
            written.values.push(Carried { value, origin, is_hashed: false, user });
        }))
    }
}

/// SHA-256 of a value, in hexadecimal.
pub(super) fn sha256(value: &SecretBytes) -> String {
    hex::encode(Sha256::digest(value.expose()))
}

/// A value that ends nothing where it stands. Other values can be sent in another spelling.
fn plain(value: &[u8]) -> Answered<&[u8]> {
    if value.iter().any(u8::is_ascii_control) {
        return Err(refused("a sensitive value with a control character is not sent as it is"));
    }
    Ok(value)
}

fn small(value: &[u8]) -> Answered<&[u8]> {
    let max = limits::TCP_SEND_BYTES_MAX;
    if value.len() > max {
        Err(refused(&format!("what is sent at once has at most {max} bytes")))
    } else {
        Ok(value)
    }
}

fn length(number: TcpNumber, length: usize, more: u32) -> Answered<Vec<u8>> {
    let whole = u32::try_from(length).ok().and_then(|length| length.checked_add(more));
    let written = whole.and_then(|whole| {
        Some(match number {
            TcpNumber::Decimal => whole.to_string().into_bytes(),
            TcpNumber::Byte => vec![u8::try_from(whole).ok()?],
            TcpNumber::U16Be => u16::try_from(whole).ok()?.to_be_bytes().to_vec(),
            TcpNumber::U16Le => u16::try_from(whole).ok()?.to_le_bytes().to_vec(),
            TcpNumber::U32Be => whole.to_be_bytes().to_vec(),
            TcpNumber::U32Le => whole.to_le_bytes().to_vec(),
        })
    });
    written.ok_or_else(|| refused("the length is more than such a number can say"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_written_as_a_protocol_has_it_or_not_at_all() {
        assert_eq!(length(TcpNumber::Decimal, 40, 2).unwrap(), b"42");
        assert_eq!(length(TcpNumber::Byte, 255, 0).unwrap(), [255]);
        assert_eq!(length(TcpNumber::U16Be, 256, 1).unwrap(), [1, 1]);
        assert_eq!(length(TcpNumber::U16Le, 256, 2).unwrap(), [2, 1]);
        assert_eq!(length(TcpNumber::U32Be, 1, 0).unwrap(), [0, 0, 0, 1]);
        assert_eq!(length(TcpNumber::U32Le, 1, 0).unwrap(), [1, 0, 0, 0]);
        assert!(length(TcpNumber::Byte, 255, 1).is_err() && length(TcpNumber::U16Be, 65_536, 0).is_err());
        assert!(length(TcpNumber::Decimal, 1, u32::MAX).is_err());
    }
}
