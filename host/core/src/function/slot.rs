//! Where in a request a sensitive value may stand, and where in an answer a new one is found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Header fields that are the host's own, or with which a request could be another one than the one that was granted.
const RESERVED_HEADERS: &[&str] = &[
    "host",
    "connection",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "http2-settings",
    "accept-encoding",
    // A part of an answer, cut where the guest says, would hide what is looked for.
    "range",
    "if-range",
    // Another method or path than the granted one.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "forwarded",
];
/// And those that begin so.
const RESERVED_HEADER_STARTS: &[&str] = &["proxy-", "x-forwarded-", "sec-"];

/// Whether a request may have a header field of this name: lower case, and none of the host's own.
#[must_use]
pub fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        // Servers that turn one into the other must not be told what is reserved.
        && {
            let name = name.replace('_', "-");
            !RESERVED_HEADERS.contains(&name.as_str())
                && !RESERVED_HEADER_STARTS.iter().any(|start| name.starts_with(start))
        }
}

/// A place in a request where a sensitive value may stand: `header:NAME`, or `body`. Never a URL: those are in every log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Slot {
    /// The value of this header field.
    Header(String),
    /// The body.
    Body,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Body => f.write_str("body"),
        }
    }
}

impl From<Slot> for String {
    fn from(slot: Slot) -> Self {
        slot.to_string()
    }
}

impl TryFrom<String> for Slot {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_prefix("header:") {
            Some(name) if is_header_name(name) => Ok(Self::Header(name.to_owned())),
            None if text == "body" => Ok(Self::Body),
            _ => Err(format!(
                "`{}` is no place for a sensitive value: `header:NAME` (in lower case, and none of the host's own), or `body`",
                text.escape_default()
            )),
        }
    }
}

/// A place in an answer where a key stands that the server has made: `header:NAME`, or `json:` and a pointer (RFC 6901) to a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// The value of this header field.
    Header(String),
    /// What this pointer leads to in a body of JSON.
    Json(String),
}

/// Header fields of an answer that no server makes a key for, and whose text anybody can foresee.
const FORESEEN_HEADERS: &[&str] =
    &["date", "server", "content-type", "content-length", "location", "set-cookie"];

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
        }
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let found = match text.split_once(':') {
            Some(("header", name)) if is_header_name(name) && !FORESEEN_HEADERS.contains(&name) => {
                Some(Self::Header(name.to_owned()))
            }
            Some(("json", pointer)) if is_pointer(pointer) => Some(Self::Json(pointer.to_owned())),
            _ => None,
        };
        found.ok_or_else(|| {
            format!(
                "`{}` is no place of a key in an answer: `json:/POINTER` (RFC 6901), or `header:NAME` in lower case",
                text.escape_default()
            )
        })
    }
}

/// A pointer to a part of a document: not to the whole of it, and without a control character.
fn is_pointer(text: &str) -> bool {
    let mut rest = text.split('~');
    text.starts_with('/')
        && text.len() <= 256
        && !text.chars().any(char::is_control)
        && rest.next().is_some()
        && rest.all(|escaped| escaped.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_a_key_has_one_spelling() {
        for fine in ["json:/key", "json:/data/0/secret~1key", "header:x-api-key"] {
            assert_eq!(Place::try_from(fine.to_owned()).unwrap().to_string(), fine);
        }
        for bad in [
            "",
            "body",
            "json:",
            "json:key",
            "json:/a~2",
            "json:/a~",
            "json:/a\u{7}",
            "header:Date",
            "header:date",
            "header:",
        ] {
            assert!(Place::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
