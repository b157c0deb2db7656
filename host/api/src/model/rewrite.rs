//! A body in the plain form that serde reads as AWS reads the original.
//!
//! AWS's services take the last of two members with one name, cut the fraction of a number that must be whole, drop a list's
//! nulls, and treat an empty list as none where one is optional. Bodies of SDKs have none of these, so that only the others pay.

use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Kind, List, Structure};

/// The whole number that AWS takes for `number`.
pub(super) fn whole(number: f64) -> Option<i64> {
    // Beyond this, floats and whole numbers part.
    const SAFE: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "within range, and to be truncated")]
    let whole = (number.abs() <= SAFE).then_some(number as i64);
    whole
}

/// Writes the plain form of a body that [`super::walk`] has found to have the right types.
pub(super) fn plain(structure: &'static Structure, body: &[u8]) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    // Longer than the original only where a number's exponent is written out: it does not move, and leaves no copy behind.
    const WRITTEN_OUT: usize = 256;
    let mut out = Zeroizing::new(Vec::with_capacity(body.len().saturating_add(WRITTEN_OUT)));
    let raw: &RawValue = serde_json::from_slice(body)?;
    value(&Kind::Structure(structure), raw, &mut out)?;
    Ok(out)
}

/// Writes one value; whether it says anything.
fn value(kind: &Kind, raw: &RawValue, out: &mut Vec<u8>) -> serde_json::Result<bool> {
    let text = raw.get();
    if text == "null" {
        return Ok(false);
    }
    match kind {
        Kind::Structure(structure) => {
            members(structure, raw, out)?;
            Ok(true)
        }
        Kind::List(list) => {
            let elements: Vec<&RawValue> = serde_json::from_str(text)?;
            out.push(b'[');
            let mut any = false;
            for element in elements {
                let before = out.len();
                if any {
                    out.push(b',');
                }
                if value(&list.element, element, out)? {
                    any = true;
                } else {
                    out.truncate(before);
                }
            }
            out.push(b']');
            Ok(any)
        }
        Kind::Integer(_) => {
            let number: serde_json::Number = serde_json::from_str(text)?;
            match number.as_f64().filter(|_| number.is_f64()).and_then(whole) {
                Some(whole) => out.extend_from_slice(whole.to_string().as_bytes()),
                None => out.extend_from_slice(text.as_bytes()),
            }
            Ok(true)
        }
        _ => {
            out.extend_from_slice(text.as_bytes());
            Ok(true)
        }
    }
}

fn members(structure: &'static Structure, raw: &RawValue, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let given = serde_json::Deserializer::from_str(raw.get()).deserialize_map(Last(structure))?;
    out.push(b'{');
    let mut any = false;
    for (member, raw) in structure.members.iter().zip(given) {
        let Some(raw) = raw else { continue };
        let before = out.len();
        if any {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(member.name.as_bytes());
        out.extend_from_slice(b"\":");
        // An empty list still says something where the model requires one, or wants it longer.
        let says = |list: &List| member.required || list.length.broken_by(0).next().is_some();
        let empty = matches!(member.kind, Kind::List(list) if says(list)) && raw.get() != "null";
        if value(&member.kind, raw, out)? || empty {
            any = true;
        } else {
            out.truncate(before);
        }
    }
    out.push(b'}');
    Ok(())
}

/// The last value of each member, in the table's order.
struct Last(&'static Structure);

impl<'de> Visitor<'de> for Last {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut given = vec![None; self.0.members.len()];
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let raw: &RawValue = map.next_value()?;
            let order = self.0.members.iter().position(|member| member.name == name);
            if let Some(place) = order.and_then(|order| given.get_mut(order)) {
                *place = Some(raw);
            }
        }
        Ok(given)
    }
}
