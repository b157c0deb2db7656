//! Looks for sensitive values in an answer, in every spelling that a server may have put them into.
//!
//! A value need not come back whole: `limits::HTTP_ECHO_BYTES` of it in a row are enough. The answer is read as it stands and
//! with its escapes undone (percent, JSON, HTML, white space), and each reading is looked through for the value itself, for its
//! base64 in both alphabets and all three alignments, for its hexadecimal, and for either of either. Upper and lower case are one.
//! Pieces are compared by a rolling hash with a secret base, so that how long it takes says nothing of how near a guess was.

use std::collections::{BTreeMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;
use zeroize::Zeroizing;

use crate::capability::spelling;

/// A Mersenne prime: hashes are numbers below it.
const MODULUS: u64 = (1 << 61) - 1;
/// Digits of base64 for so many bytes.
const BASE64: (usize, usize) = (4, 3);
/// Digits of hexadecimal for so many bytes.
const HEX: (usize, usize) = (2, 1);

type Text = Zeroizing<Vec<u8>>;

/// Values to look for.
pub(crate) struct Echo {
    base: u64,
    /// The hashes of all pieces, by their length.
    pieces: BTreeMap<usize, HashSet<u64>>,
}

impl Echo {
    /// Looks for these values. Those that are too short to be told from chance are left out.
    pub(crate) fn of(values: &[SecretBytes], rng: &dyn Rng) -> Self {
        let mut random = [0; 8];
        rng.fill(&mut random);
        let base = u64::from_le_bytes(random) >> 4 | 1 << 20;
        let mut echo = Self { base, pieces: BTreeMap::new() };
        for value in values.iter().filter(|value| value.len() >= limits::HTTP_ECHO_BYTES_MIN) {
            for (spelling, piece) in spellings(value.expose()) {
                echo.take_in(&spelling, piece);
            }
        }
        echo
    }

    fn take_in(&mut self, spelling: &[u8], piece: usize) {
        let spelling = lower(spelling);
        let length = piece.min(spelling.len());
        if length >= limits::HTTP_ECHO_BYTES_MIN {
            let base = self.base;
            self.pieces.entry(length).or_default().extend(hashes(base, &spelling, length));
        }
    }

    /// Whether an answer holds a piece of any of the values.
    pub(crate) fn is_in(&self, answer: &[u8]) -> bool {
        readings(answer).iter().any(|reading| {
            self.pieces.iter().any(|(length, pieces)| {
                hashes(self.base, reading, *length).any(|hash| pieces.contains(&hash))
            })
        })
    }
}

/// The rolling hashes of all pieces of this length.
fn hashes(base: u64, text: &[u8], length: usize) -> impl Iterator<Item = u64> {
    // What the first byte of a piece counts for when the next one is taken in.
    let first = (0..length).fold(1, |power, _| reduced(u128::from(power) * u128::from(base)));
    let mut hash = 0;
    text.iter().enumerate().filter_map(move |(place, byte)| {
        let grown = u128::from(hash) * u128::from(base) + u128::from(*byte) + 1;
        let gone = place.checked_sub(length).and_then(|place| text.get(place));
        let gone = gone.map_or(0, |byte| reduced((u128::from(*byte) + 1) * u128::from(first)));
        hash = reduced(grown + u128::from(MODULUS - gone));
        let whole = place + 1 >= length;
        whole.then_some(hash)
    })
}

/// The rest of a number below 2^122 by the modulus, which its binary form makes cheap.
fn reduced(number: u128) -> u64 {
    let (low, high) = (number & u128::from(MODULUS), number >> 61);
    let sum = u64::try_from(low + high).unwrap_or_default();
    if sum >= MODULUS { sum - MODULUS } else { sum }
}

/// How a value may be spelt, each with how many bytes of it in a row are too many.
fn spellings(value: &[u8]) -> Vec<(Text, usize)> {
    let piece = limits::HTTP_ECHO_BYTES;
    let mut bases: Vec<Text> = vec![Zeroizing::new(value.to_vec())];
    for spelt in [spelling::json(value).unwrap_or_default(), spelling::percent(value)] {
        if !bases.contains(&spelt) {
            bases.push(spelt);
        }
    }
    let mut all = vec![(Zeroizing::new(value.iter().rev().copied().collect()), piece)];
    for base in bases {
        for (once, piece) in encoded(&base, piece) {
            // Upper-case hexadecimal has another base64.
            let upper = Zeroizing::new(once.to_ascii_uppercase());
            all.extend(encoded(&once, piece));
            if once.iter().all(u8::is_ascii_hexdigit) {
                all.extend(encoded(&upper, piece));
            }
            all.push((once, piece));
        }
        all.push((base, piece));
    }
    all
}

fn encoded(text: &[u8], piece: usize) -> Vec<(Text, usize)> {
    let longer = |(digits, bytes): (usize, usize)| (piece * digits).div_ceil(bytes);
    let mut all = vec![(Zeroizing::new(hex::encode(text).into_bytes()), longer(HEX))];
    for before in 0..3 {
        let mut shifted = Zeroizing::new(vec![0; before]);
        shifted.extend_from_slice(text);
        // Digits that hold nothing of what is before or behind the text.
        let (from, to) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
        for alphabet in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let digits = Zeroizing::new(alphabet.encode(&*shifted).into_bytes());
            let inner = digits.get(from..to).unwrap_or_default().to_vec();
            all.push((Zeroizing::new(inner), longer(BASE64)));
        }
    }
    all
}

fn lower(text: &[u8]) -> Text {
    Zeroizing::new(text.to_ascii_lowercase())
}

/// An answer as it stands, and with its escapes undone in every order that nests two of them. Lower case.
fn readings(answer: &[u8]) -> Vec<Text> {
    let undone: [fn(&[u8]) -> Text; 4] =
        [without_percent, without_backslashes, without_entities, without_space];
    let mut all = vec![Zeroizing::new(answer.to_vec())];
    let mut last = 0..1;
    for _ in 0..2 {
        let end = all.len();
        for place in last {
            for undo in undone {
                let Some(reading) = all.get(place) else { continue };
                let reading = undo(reading);
                if !all.contains(&reading) {
                    all.push(reading);
                }
            }
        }
        last = end..all.len();
    }
    all.iter().map(|reading| lower(reading)).collect()
}

fn without_space(text: &[u8]) -> Text {
    Zeroizing::new(text.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != 0).collect())
}

fn digits(text: &[u8], radix: u32) -> Option<u32> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.starts_with('+'))?;
    u32::from_str_radix(text, radix).ok()
}

fn push(out: &mut Text, code: u32) {
    let mut buffer = [0; 4];
    match char::from_u32(code) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes()),
        None => out.push(b'?'),
    }
}

/// Walks over a text and lets `undo` take what it knows: how many bytes, and the character or byte that they stand for.
fn walk(text: &[u8], mut undo: impl FnMut(&[u8], &mut Text) -> Option<usize>) -> Text {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match undo(rest, &mut out) {
            Some(taken) => rest = rest.get(taken.max(1)..).unwrap_or_default(),
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

fn without_percent(text: &[u8]) -> Text {
    walk(text, |rest, out| {
        let code = digits(rest.strip_prefix(b"%")?.get(..2)?, 16)?;
        out.push(u8::try_from(code).ok()?);
        Some(3)
    })
}

/// JSON's escapes, and those that languages have besides.
fn without_backslashes(text: &[u8]) -> Text {
    walk(text, |rest, out| {
        let escape = rest.strip_prefix(b"\\")?;
        let (kind, after) = escape.split_first()?;
        let plain = match kind {
            b'u' => {
                push(out, digits(after.get(..4)?, 16)?);
                return Some(6);
            }
            b'x' => {
                push(out, digits(after.get(..2)?, 16)?);
                return Some(4);
            }
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            other => *other,
        };
        out.push(plain);
        Some(2)
    })
}

fn without_entities(text: &[u8]) -> Text {
    walk(text, |rest, out| {
        let entity = rest.strip_prefix(b"&")?;
        let end = entity.iter().take(10).position(|byte| *byte == b';')?;
        let name = entity.get(..end)?.to_ascii_lowercase();
        let code = match name.as_slice() {
            b"amp" => u32::from(b'&'),
            b"lt" => u32::from(b'<'),
            b"gt" => u32::from(b'>'),
            b"quot" => u32::from(b'"'),
            b"apos" => u32::from(b'\''),
            number => match number.strip_prefix(b"#x") {
                Some(hexadecimal) => digits(hexadecimal, 16)?,
                None => digits(number.strip_prefix(b"#")?, 10)?,
            },
        };
        push(out, code);
        Some(end + 2)
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    struct Fixed;

    impl pawl_core::world::Rng for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x5d);
        }
    }

    const KEY: &str = r#"q7"Xk/v+2\Zm&w8%Tn4<Ry6"#;

    fn echo(values: &[&str]) -> Echo {
        let values: Vec<_> = values.iter().map(|value| SecretBytes::from((*value).to_owned())).collect();
        Echo::of(&values, &Fixed)
    }

    fn all_percent(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02x}")).collect()
    }

    #[test]
    fn a_value_is_found_in_every_spelling() {
        let echo = echo(&["another-value-of-the-secret", KEY]);
        let escaped = serde_json::to_string(KEY).unwrap();
        let folded: String =
            STANDARD.encode(format!("xy{KEY}")).chars().flat_map(|digit| [digit, '\n']).collect();
        for text in [
            KEY.to_owned(),
            format!("before {KEY} behind"),
            escaped.clone(),
            escaped.replace('/', "\\/"),
            serde_json::to_string(&escaped).unwrap(),
            KEY.chars().map(|c| format!("\\u{:04X}", u32::from(c))).collect(),
            KEY.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
            KEY.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"),
            all_percent(KEY),
            all_percent(KEY).replace('%', "%25"),
            all_percent(&escaped),
            KEY.to_uppercase(),
            KEY.chars().rev().collect(),
            hex::encode(KEY),
            hex::encode_upper(KEY),
            hex::encode(STANDARD.encode(KEY)),
            STANDARD.encode(hex::encode_upper(KEY)),
            STANDARD.encode(STANDARD.encode(format!("user:{KEY}"))),
            STANDARD.encode(format!(
                "{{\"authorization\": \"Basic {}\"}}",
                STANDARD.encode(format!("app:{KEY}"))
            )),
            STANDARD.encode(&escaped),
            STANDARD.encode(&*spelling::percent(KEY.as_bytes())),
            folded,
            KEY.chars().flat_map(|c| [c, '\0']).collect(),
        ] {
            assert!(echo.is_in(text.as_bytes()), "{text}");
        }
        for before in 0..6 {
            let text = format!("{}{KEY}behind", "x".repeat(before));
            for spelt in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                assert!(echo.is_in(format!("Basic {spelt}.").as_bytes()), "{before}: {spelt}");
            }
        }
        for other in [
            "",
            "{}",
            "q7",
            KEY.split_at(11).0,
            r#"{"id": 5, "name": "another", "value": "of", "the": "secret"}"#,
        ] {
            assert!(!echo.is_in(other.as_bytes()), "{other}");
        }
        assert!(echo.is_in(&KEY.as_bytes()[..12]) && echo.is_in(&KEY.as_bytes()[KEY.len() - 12..]));
    }

    #[test]
    fn a_short_value_is_looked_for_whole_and_a_shorter_one_not_at_all() {
        assert!(echo(&["eight-ch"]).is_in(b"it is eight-ch!"));
        assert!(!echo(&["eight-ch"]).is_in(b"it is eight-c"));
        assert!(!echo(&["seven-c", ""]).is_in(b"it is seven-c"));
    }

    proptest! {
        #[test]
        fn twelve_bytes_in_a_row_are_found_and_other_text_is_not(
            value in "[ -~]{16,60}", before in "[ -~]{0,20}", behind in "[ -~]{0,20}", from in 0_usize..48, fold in 0_usize..6,
            other in "[a-z ]{0,300}",
        ) {
            let echo = echo(&[&value]);
            let from = from.min(value.len() - 12);
            let piece = value.split_at(from).1.split_at(12).0;
            let text = format!("{before}{piece}{behind}");
            let spelt = match fold {
                0 => text,
                1 => serde_json::to_string(&text).unwrap(),
                2 => all_percent(&text),
                3 => hex::encode(&text),
                4 => STANDARD.encode(format!("{before}{value}{behind}")),
                _ => hex::encode_upper(STANDARD.encode(format!("{before}{value}{behind}"))),
            };
            prop_assert!(echo.is_in(spelt.as_bytes()), "{}", spelt);
            let nowhere = |place: usize| value.chars().nth(place).is_none_or(|c| !other.contains(c.to_ascii_lowercase()));
            prop_assume!(nowhere(0) && nowhere(11));
            let any = value.to_lowercase().as_bytes().windows(12).any(|piece| other.as_bytes().windows(12).any(|it| it == piece));
            prop_assert!(any || !echo.is_in(other.as_bytes()) || value.to_lowercase().chars().rev().collect::<String>().as_bytes()
                .windows(12).any(|piece| other.as_bytes().windows(12).any(|it| it == piece)));
        }
    }
}
