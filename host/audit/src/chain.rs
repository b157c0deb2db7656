//! A line and its place in the chain.
//!
//! A line is a JSON object whose last member is `"chain":{"seq":N,"hash":"..."}`. The hash is SHA-256 over the hash of the line
//! before (32 bytes; zeros before the first) and the line's own bytes up to `,"hash":`. No other form of a line is a line: what
//! is hashed is what was written, byte for byte, so there is nothing to canonicalise.

use sha2::{Digest as _, Sha256};

/// A line's hash.
pub type Hash = [u8; 32];

/// What stands before the first line.
pub const ZERO_HASH: Hash = [0; 32];

const CHAIN: &[u8] = b",\"chain\":{\"seq\":";
const HASH: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}}";
const HEX: usize = 64;

/// A line, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// What is hashed.
    pub hashed: &'a [u8],
    /// Its number.
    pub seq: u64,
    /// The hash that it states.
    pub hash: Hash,
}

impl Sealed<'_> {
    /// The hash that it ought to state after `previous`.
    #[must_use]
    pub fn expected(&self, previous: &Hash) -> Hash {
        hash(previous, self.hashed)
    }
}

fn hash(previous: &Hash, hashed: &[u8]) -> Hash {
    Sha256::new().chain_update(previous).chain_update(hashed).finalize().into()
}

/// Appends `record`, a JSON object, as the line of this number after `previous`, with a line feed; the line's hash.
pub(crate) fn append(out: &mut Vec<u8>, record: &[u8], seq: u64, previous: &Hash) -> Hash {
    let from = out.len();
    out.extend_from_slice(record.strip_suffix(b"}").unwrap_or(record));
    out.extend_from_slice(CHAIN);
    out.extend_from_slice(seq.to_string().as_bytes());
    let hash = hash(previous, out.get(from..).unwrap_or_default());
    out.extend_from_slice(HASH);
    let mut text = [0; HEX];
    // It fits: twice 32 characters.
    let _ = hex::encode_to_slice(hash, &mut text);
    out.extend_from_slice(&text);
    out.extend_from_slice(END);
    out.push(b'\n');
    hash
}

/// Takes a line (without its line feed) apart; none when it is no line.
#[must_use]
pub fn split(line: &[u8]) -> Option<Sealed<'_>> {
    let rest = line.strip_suffix(END)?;
    let (rest, text) = rest.split_at_checked(rest.len().checked_sub(HEX)?)?;
    // Only the form that is written: a hash in capitals would be other bytes.
    if !text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut hash = ZERO_HASH;
    hex::decode_to_slice(text, &mut hash).ok()?;
    let hashed = rest.strip_suffix(HASH)?;
    let digits = hashed.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = hashed.split_at_checked(hashed.len() - digits)?;
    if !before.ends_with(CHAIN) || !line.starts_with(b"{") || (digits.len() > 1 && digits.starts_with(b"0")) {
        return None;
    }
    let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Sealed { hashed, seq, hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_as_it_was_made_and_in_no_other_form() {
        let mut out = Vec::new();
        let first = append(&mut out, b"{\"a\":1}", 1, &ZERO_HASH);
        let second = append(&mut out, b"{\"b\":\"x\"}", 2, &first);
        let lines: Vec<&[u8]> = out.split(|byte| *byte == b'\n').collect();
        let parts = split(lines[0]).unwrap();
        assert_eq!((parts.seq, parts.hash, parts.expected(&ZERO_HASH)), (1, first, first));
        let parts = split(lines[1]).unwrap();
        assert_eq!((parts.seq, parts.hash, parts.expected(&first)), (2, second, second));
        assert!(parts.expected(&ZERO_HASH) != second);
        assert!(serde_json::from_slice::<serde_json::Value>(lines[0]).is_ok(), "a line is JSON");
        let text = String::from_utf8(lines[0].to_vec()).unwrap();
        for wrong in [
            text.replace("\"seq\":1", "\"seq\":01"),
            text.replace("\"seq\":1", "\"seq\":"),
            text.replace("\"seq\":1", "\"seq\":-1"),
            text.to_uppercase(),
            format!("{text} "),
            text.replace("{\"a\"", "\"a\""),
            String::new(),
            text.get(10..).unwrap().to_owned(),
        ] {
            assert_eq!(split(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
