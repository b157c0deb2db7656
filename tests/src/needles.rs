//! Texts that are to be nowhere, looked for in every form in which they could hide.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The bytes by which a form is found first.
const PREFIX: usize = 8;
/// What is passed over at once.
const ZEROS: [u8; 4096] = [0; 4096];
/// Bits of the sieve for each form: of what is none, one place in so many is looked up in vain.
const BITS: usize = 64;

/// The forms in which a text could hide: itself, inside of JSON, in hexadecimal, as a list of bytes, and in base64 at each of
/// its three alignments.
fn forms(marker: &str) -> Vec<Vec<u8>> {
    let inside = serde_json::to_string(marker).unwrap();
    let mut forms = vec![
        marker.as_bytes().to_vec(),
        inside.trim_matches('"').as_bytes().to_vec(),
        hex::encode(marker).into_bytes(),
        hex::encode_upper(marker).into_bytes(),
        // As a list of numbers, which is how a derived Debug prints bytes.
        marker.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ").into_bytes(),
    ];
    for shift in 0..3_usize {
        let padded = [vec![0; shift], marker.as_bytes().to_vec()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded).into_bytes();
            // The first and last characters share bits with their neighbours.
            forms.push(text.get(4..text.len().saturating_sub(2)).unwrap_or_default().to_vec());
        }
    }
    forms.retain(|form| form.len() >= PREFIX);
    forms
}

/// Whether `needle` is in `haystack`.
#[must_use]
pub fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Every form of every hidden text, found in one pass, however many there are: a sieve lets through what may begin with a form's first
/// eight bytes, and is all that most places of a haystack meet.
pub struct Needles<'a> {
    sieve: Vec<u64>,
    shift: u32,
    by_prefix: HashMap<[u8; PREFIX], Vec<(&'a str, Vec<u8>)>>,
}

impl<'a> Needles<'a> {
    /// The needles of these texts.
    #[must_use]
    pub fn of(hidden: &'a [String]) -> Self {
        let mut by_prefix: HashMap<_, Vec<_>> = HashMap::new();
        for text in hidden {
            for form in forms(text) {
                let prefix: [u8; PREFIX] = *form.first_chunk().expect("a form has so many bytes");
                by_prefix.entry(prefix).or_default().push((text.as_str(), form));
            }
        }
        let bits = (by_prefix.len() * BITS).next_power_of_two().max(1 << 16);
        let mut needles = Self { sieve: vec![0; bits / 64], shift: 64 - bits.trailing_zeros(), by_prefix };
        let places: Vec<_> = needles.by_prefix.keys().map(|prefix| needles.place(*prefix)).collect();
        for (word, bit) in places {
            *needles.sieve.get_mut(word).expect("a place in the sieve") |= bit;
        }
        needles
    }

    /// Where these bytes are in the sieve.
    fn place(&self, prefix: [u8; PREFIX]) -> (usize, u64) {
        // The high bits of a product with an odd number depend on all that is below them.
        let mixed = u64::from_le_bytes(prefix).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift;
        let place = usize::try_from(mixed).expect("a place in the sieve");
        (place / 64, 1 << (place % 64))
    }

    /// The first hidden text in `haystack`, and the form in which it is there.
    #[must_use]
    pub fn first_in(&self, haystack: &[u8]) -> Option<(&str, &[u8])> {
        let mut rest = haystack;
        while let Some(prefix) = rest.first_chunk::<PREFIX>() {
            // Most of a process's memory was never written.
            if *prefix == [0; PREFIX]
                && let Some(after) = rest.strip_prefix(&ZEROS)
            {
                rest = after;
                continue;
            }
            let (word, bit) = self.place(*prefix);
            if self.sieve.get(word).is_some_and(|bits| bits & bit != 0)
                && let Some(candidates) = self.by_prefix.get(prefix)
                && let Some(found) = candidates.iter().find(|(_, form)| rest.starts_with(form))
            {
                return Some((found.0, found.1.as_slice()));
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_text_is_found_in_every_form() {
        let marker = "canary-0123456789";
        let hidden = ["another-0123456789".to_owned(), marker.to_owned()];
        let needles = Needles::of(&hidden);
        let around = format!("{{\"a\":\"x{marker}y\"}}");
        for haystack in [
            around.clone().into_bytes(),
            hex::encode(&around).into_bytes(),
            STANDARD_NO_PAD.encode(&around).into_bytes(),
            STANDARD_NO_PAD.encode(format!("1{around}")).into_bytes(),
            URL_SAFE_NO_PAD.encode(format!("12{around}")).into_bytes(),
            format!("{:?}", around.as_bytes()).into_bytes(),
        ] {
            let found = needles.first_in(&haystack);
            assert_eq!(found.map(|(text, _)| text), Some(marker), "{}", String::from_utf8_lossy(&haystack));
        }
        assert_eq!(needles.first_in(b"canary-012345678 is not the whole"), None);
        let behind = [vec![0; 10_000], marker.as_bytes().to_vec()].concat();
        assert!(needles.first_in(&behind).is_some() && needles.first_in(&vec![0; 10_000]).is_none());
        let many: Vec<_> = (0..2_000).map(|n| format!("canary-{n:010}")).collect();
        let needles = Needles::of(&many);
        let found =
            |n: usize| needles.first_in(format!("x{n:07}canary-{n:010}").as_bytes()).map(|(text, _)| text);
        assert_eq!(
            [found(0), found(1_999), found(2_000)],
            [Some("canary-0000000000"), Some("canary-0000001999"), None]
        );
        assert!(holds(b"abc", b"bc") && !holds(b"abc", b"cb"));
    }
}
