//! How the host writes a sensitive value into a request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The inside of a JSON string; none for what is not text.
pub(crate) fn json(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(value).ok()?;
    let mut out = Zeroizing::new(Vec::with_capacity(value.len() * 6));
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend([b'\\', u8::try_from(character).unwrap_or(b'"')]),
            control if u32::from(control) < 0x20 => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Some(out)
}

/// Percent-encoded: all but RFC 3986's unreserved characters.
pub(crate) fn percent(value: &[u8]) -> Zeroizing<Vec<u8>> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |number: u8| DIGITS.get(usize::from(number)).copied().unwrap_or(b'0');
    let mut out = Zeroizing::new(Vec::with_capacity(value.len() * 3));
    for byte in value {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            other => out.extend([b'%', digit(other >> 4), digit(other & 15)]),
        }
    }
    out
}

/// Base64 of `user:password`.
pub(crate) fn basic(user: &str, password: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut both = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
    both.extend_from_slice(user.as_bytes());
    both.push(b':');
    both.extend_from_slice(password);
    Zeroizing::new(STANDARD.encode(&*both).into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_is_spelt_as_its_place_wants_it() {
        assert_eq!(*json(b"a\"b\\c\n").unwrap(), br#"a\"b\\c\u000a"#);
        assert_eq!(json(&[0xff]), None);
        assert_eq!(*percent(b"a b&=/\xff~"), b"a%20b%26%3D%2F%FF~");
        assert_eq!(*basic("app", b"pw"), b"YXBwOnB3");
    }

    proptest! {
        #[test]
        fn what_stands_in_json_is_read_back(text in "\\PC{0,40}[\\x00-\\x1f\"\\\\]{0,5}") {
            let quoted = [b"\"", json(text.as_bytes()).unwrap().as_slice(), b"\""].concat();
            prop_assert_eq!(serde_json::from_slice::<String>(&quoted).unwrap(), text);
        }
    }
}
