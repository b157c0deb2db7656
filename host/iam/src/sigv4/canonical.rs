//! The canonical form of a request, of which the signature is made.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::{ALGORITHM, Head, TERMINATOR};

/// The query parameter that a presigned request's signature cannot cover.
pub(super) const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";

/// Whether dot segments and empty segments of the path are resolved before it is signed. S3 alone does not; only the
/// test vectors ask for it here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PathForm {
    /// Resolved.
    Normal,
    /// As sent.
    #[cfg_attr(not(test), expect(dead_code, reason = "for AWS's unnormalized test vectors"))]
    AsSent,
}

/// The canonical request.
///
/// `signed_headers` is the list as the signature gives it, sorted and separated by semicolons, and each of them is
/// there. `presigned` leaves the signature itself out of the query.
pub(super) fn request(
    head: &Head<'_>,
    signed_headers: &str,
    presigned: bool,
    body_hash: &[u8; 64],
    path_form: PathForm,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(head.method.as_bytes());
    out.push(b'\n');
    path(head.path, path_form, &mut out);
    out.push(b'\n');
    query(head.query, presigned, &mut out);
    out.push(b'\n');
    for name in signed_headers.split(';') {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        let values = head.headers.iter().filter(|(held, _)| *held == name);
        for (index, (_, value)) in values.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            header_value(value, &mut out);
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(body_hash);
    out
}

/// The string of which the signature is the HMAC.
pub(super) fn string_to_sign(
    date: &str,
    day: &str,
    region: &str,
    service: &str,
    canonical: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(192);
    let parts = [ALGORITHM, "\n", date, "\n", day, "/", region, "/", service, "/", TERMINATOR, "\n"];
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(&hash(canonical));
    out
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> [u8; 64] {
    let mut text = [0; 64];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(Sha256::digest(bytes)) {
        *pair = [hex_digit(byte >> 4, b'a'), hex_digit(byte & 15, b'a')];
    }
    text
}

/// A path as the signature sees it, not yet encoded: empty and `.` segments dropped, `..` resolved.
///
/// Two paths with one normal form have one signature. So route requests by this form: else who has seen a signed
/// `/a` can send `/b/../a` under the same signature.
#[must_use]
pub fn normal_path(path: &str) -> Cow<'_, str> {
    let plain = path.starts_with('/') && !path.contains("//") && !path.contains("/.");
    if plain {
        return Cow::Borrowed(path);
    }
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    let directory = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    if out.is_empty() || directory {
        out.push('/');
    }
    Cow::Owned(out)
}

/// Encodes the path once more than it came: `%20` becomes `%2520`, as every service but S3 wants it.
fn path(raw: &str, form: PathForm, out: &mut Vec<u8>) {
    let normal = match form {
        PathForm::Normal => normal_path(raw),
        PathForm::AsSent => Cow::Borrowed(raw),
    };
    for byte in normal.bytes() {
        if byte == b'/' { out.push(byte) } else { encode(byte, out) }
    }
}

fn query(raw: &str, presigned: bool, out: &mut Vec<u8>) {
    if raw.is_empty() {
        return;
    }
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (recode(name), recode(value)))
        .filter(|(name, _)| !(presigned && name == SIGNATURE_PARAMETER.as_bytes()))
        .collect();
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// One escape form for each byte, whichever the client chose.
///
/// A raw plus sign stays one: clients do not agree whether it is a blank, so it must not pass for either escape.
fn recode(raw: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + 8);
    let mut rest = raw.as_bytes();
    while let Some((byte, tail)) = next_byte(rest) {
        if rest.first() == Some(&b'+') {
            out.push(b'+');
        } else {
            encode(byte, &mut out);
        }
        rest = tail;
    }
    out
}

/// A query parameter's text without its escapes.
pub(super) fn decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('%') {
        return Some(Cow::Borrowed(raw));
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((byte, tail)) = next_byte(rest) {
        out.push(byte);
        rest = tail;
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

/// The first byte that the text stands for, and what follows it. A percent sign that begins no escape is itself.
fn next_byte(raw: &[u8]) -> Option<(u8, &[u8])> {
    if let [b'%', high, low, tail @ ..] = raw
        && let (Some(high), Some(low)) = (hex_value(*high), hex_value(*low))
    {
        return Some(((high << 4) | low, tail));
    }
    raw.split_first().map(|(byte, tail)| (*byte, tail))
}

/// Trims, and folds each run of blanks into one.
fn header_value(raw: &[u8], out: &mut Vec<u8>) {
    let mut words = raw.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if let Some(first) = words.next() {
        out.extend_from_slice(first);
    }
    for word in words {
        out.push(b' ');
        out.extend_from_slice(word);
    }
}

fn encode(byte: u8, out: &mut Vec<u8>) {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        out.push(byte);
    } else {
        out.extend_from_slice(&[b'%', hex_digit(byte >> 4, b'A'), hex_digit(byte & 15, b'A')]);
    }
}

/// The digit of a value below 16, with letters from `letters` on.
const fn hex_digit(value: u8, letters: u8) -> u8 {
    if value < 10 { b'0'.wrapping_add(value) } else { letters.wrapping_add(value.wrapping_sub(10)) }
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}
