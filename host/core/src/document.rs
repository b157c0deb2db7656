//! A secret's JSON object, as rotators see it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::value::{SecretBytes, SecretValue, ValueError, ValueKind};

/// The fields that a rotator may read. Every other field is sensitive.
pub const TEXT_FIELDS: &[&str] = &[
    "engine",
    "host",
    "port",
    "username",
    "dbname",
    "ssl",
    "masterarn",
    "dbInstanceIdentifier",
    "dbClusterIdentifier",
];

/// The fields that say where a login goes and what protects it.
pub const TARGET_FIELDS: &[&str] = &["engine", "host", "port", "ssl"];

/// Whether a rotator may read `field`.
#[must_use]
pub fn is_text_field(field: &str) -> bool {
    TEXT_FIELDS.contains(&field)
}

/// Why a value is no document, or a change of it is refused. No text holds anything of a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It was stored as `SecretBinary`.
    #[error("the secret's value is binary, not the text of a JSON object")]
    Binary,
    /// It is something else than one JSON object.
    #[error("the secret's value is not a JSON object")]
    NotAnObject,
    /// Readers would disagree on what such a field is.
    #[error("the secret's JSON object has the field `{0}` twice")]
    TwiceTheField(String),
    /// A string with half of a surrogate pair.
    #[error("the secret's field `{0}` holds an escape that is no character")]
    NoCharacter(String),
    /// The field is not among those that a pending version may change.
    #[error("the field `{0}` is not one that the function may change (its grant `pending-fields`)")]
    NotAllowed(String),
    /// The same field twice in one list of changes.
    #[error("the field `{0}` is changed twice")]
    ChangedTwice(String),
    /// It would become readable.
    #[error("the field `{0}` is readable: a sensitive value cannot be stored in it")]
    NotForSensitive(String),
    /// The rotator would know it.
    #[error("the field `{0}` is sensitive: only a sensitive value can be stored in it")]
    NotForText(String),
    /// A host-made value is UTF-8; this one is not.
    #[error("the new value of the field `{0}` is not text")]
    NotText(String),
    /// The changed object is no value any more.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// Of which kind a field's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// `null`.
    Null,
    /// A string.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An object or a list.
    Nested,
}

/// A field's new value.
#[derive(Debug)]
pub enum NewValue {
    /// For a readable field.
    Text(String),
    /// For a sensitive field.
    Sensitive(SecretBytes),
}

/// A secret's JSON object. It keeps the text as it was stored: what is not changed is given back byte for byte.
pub struct Document {
    text: SecretBytes,
    fields: Vec<Field>,
}

/// A field's name, and where in the text its value stands.
struct Field {
    name: String,
    place: Range<usize>,
}

impl Document {
    /// Reads a value that is the text of a JSON object.
    ///
    /// # Errors
    /// When it is none, or one that could be read in two ways.
    pub fn parse(value: &SecretValue) -> Result<Self, DocumentError> {
        if value.kind() != ValueKind::Text {
            return Err(DocumentError::Binary);
        }
        let text = value.bytes().duplicate();
        let json = std::str::from_utf8(text.expose()).map_err(|_| DocumentError::Binary)?;
        let Fields(found) = serde_json::from_str(json).map_err(|_| DocumentError::NotAnObject)?;
        let start = json.as_ptr().addr();
        let mut names = BTreeSet::new();
        let mut fields = Vec::with_capacity(found.len());
        for (name, raw) in found {
            if !names.insert(name.clone()) {
                return Err(DocumentError::TwiceTheField(name));
            }
            let raw = raw.get();
            if kind(raw) == FieldKind::Text && unescaped(raw).is_none() {
                return Err(DocumentError::NoCharacter(name));
            }
            // INVARIANT: `raw` borrows from `json`, so the difference is its place in it.
            let from = raw.as_ptr().addr().wrapping_sub(start);
            fields.push(Field { name, place: from..from.saturating_add(raw.len()) });
        }
        Ok(Self { text, fields })
    }

    /// The names of the fields, as they follow each other.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name.as_str())
    }

    /// Of which kind `field` is; none when it is absent.
    #[must_use]
    pub fn kind(&self, field: &str) -> Option<FieldKind> {
        self.raw(field).map(kind)
    }

    /// A readable field: a string, or a number or boolean as text. None for every other field and kind.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<String> {
        let raw = if is_text_field(field) { self.raw(field)? } else { return None };
        match kind(raw) {
            FieldKind::Text => unescaped(raw).and_then(|text| String::from_utf8(text.expose().to_vec()).ok()),
            FieldKind::Number | FieldKind::Boolean => Some(raw.to_owned()),
            FieldKind::Null | FieldKind::Nested => None,
        }
    }

    /// Every readable field that [`Document::text`] has a text for, by its name.
    #[must_use]
    pub fn texts(&self) -> BTreeMap<String, String> {
        let text = |name: &str| Some((name.to_owned(), self.text(name)?));
        self.names().filter_map(text).collect()
    }

    /// A sensitive field that is a string. None for readable fields and for every other kind.
    #[must_use]
    pub fn sensitive(&self, field: &str) -> Option<SecretBytes> {
        let raw = if is_text_field(field) { return None } else { self.raw(field)? };
        if kind(raw) == FieldKind::Text { unescaped(raw) } else { None }
    }

    /// This object with `changes`, all of them among the `allowed` fields; absent fields are added at its end.
    ///
    /// # Errors
    /// When a change is not allowed, or would carry a value over the border between readable and sensitive.
    pub fn with(
        &self,
        changes: &[(String, NewValue)],
        allowed: &BTreeSet<String>,
    ) -> Result<SecretValue, DocumentError> {
        let mut seen = BTreeSet::new();
        for (field, value) in changes {
            if !allowed.contains(field) {
                return Err(DocumentError::NotAllowed(field.clone()));
            }
            if !seen.insert(field) {
                return Err(DocumentError::ChangedTwice(field.clone()));
            }
            match (value, is_text_field(field)) {
                (NewValue::Text(_), true) | (NewValue::Sensitive(_), false) => {}
                (NewValue::Sensitive(_), true) => return Err(DocumentError::NotForSensitive(field.clone())),
                (NewValue::Text(_), false) => return Err(DocumentError::NotForText(field.clone())),
            }
        }
        let mut out = Zeroizing::new(Vec::with_capacity(self.length_with(changes)));
        let mut copied = 0;
        for field in &self.fields {
            let Some((_, value)) = changes.iter().find(|(name, _)| *name == field.name) else { continue };
            out.extend_from_slice(self.between(copied, field.place.start));
            escape_value(&field.name, value, &mut out)?;
            copied = field.place.end;
        }
        // What follows the last value, with the added fields before its brace.
        let rest = self.between(copied, self.text.len());
        let brace = rest.iter().rposition(|byte| *byte == b'}').unwrap_or(rest.len());
        let (before, after) = rest.split_at(brace);
        out.extend_from_slice(before);
        let mut empty = self.fields.is_empty();
        for (name, value) in changes.iter().filter(|(name, _)| self.raw(name).is_none()) {
            out.extend_from_slice(if empty { b"" } else { b", " });
            empty = false;
            escape(name, &mut out);
            out.extend_from_slice(b": ");
            escape_value(name, value, &mut out)?;
        }
        out.extend_from_slice(after);
        Ok(SecretValue::new(ValueKind::Text, SecretBytes::new(std::mem::take(&mut *out)))?)
    }

    /// At most how long this object is with `changes`: an escaped byte takes up to six.
    fn length_with(&self, changes: &[(String, NewValue)]) -> usize {
        let length = |value: &NewValue| match value {
            NewValue::Text(text) => text.len(),
            NewValue::Sensitive(bytes) => bytes.len(),
        };
        let added: usize = changes.iter().map(|(name, value)| 6 * (name.len() + length(value)) + 8).sum();
        self.text.len() + added
    }

    fn between(&self, from: usize, to: usize) -> &[u8] {
        self.text.expose().get(from..to).unwrap_or_default()
    }

    fn raw(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        std::str::from_utf8(self.text.expose().get(field.place.clone())?).ok()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("fields", &self.names().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

fn kind(raw: &str) -> FieldKind {
    match raw.bytes().next() {
        Some(b'"') => FieldKind::Text,
        Some(b'{' | b'[') => FieldKind::Nested,
        Some(b't' | b'f') => FieldKind::Boolean,
        Some(b'n') | None => FieldKind::Null,
        Some(_) => FieldKind::Number,
    }
}

/// The fields of an object with their values' texts, borrowed: nothing of a value is copied.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

/// The characters of a JSON string. `serde_json` would leave unwiped copies of a string with escapes.
fn unescaped(raw: &str) -> Option<SecretBytes> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = Zeroizing::new(Vec::with_capacity(inner.len()));
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        let character = match character {
            '\\' => match characters.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => match hex4(&mut characters)? {
                    high @ 0xd800..=0xdbff => {
                        let pair = characters.next() == Some('\\') && characters.next() == Some('u');
                        let low = if pair { hex4(&mut characters)? } else { return None };
                        let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)?
                    }
                    code => char::from_u32(code)?,
                },
                other => other,
            },
            plain => plain,
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(SecretBytes::new(std::mem::take(&mut *out)))
}

fn hex4(characters: &mut std::str::Chars<'_>) -> Option<u32> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + characters.next()?.to_digit(16)?;
    }
    Some(code)
}

fn escape_value(field: &str, value: &NewValue, out: &mut Vec<u8>) -> Result<(), DocumentError> {
    match value {
        NewValue::Text(text) => escape(text, out),
        NewValue::Sensitive(bytes) => {
            let text =
                std::str::from_utf8(bytes.expose()).map_err(|_| DocumentError::NotText(field.to_owned()))?;
            escape(text, out);
        }
    }
    Ok(())
}

/// Appends `text` as a JSON string.
fn escape(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| HEX.get(usize::from(nibble & 15)).copied().unwrap_or(b'0');
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document(json: &str) -> Document {
        Document::parse(&SecretValue::text(json.to_owned()).unwrap()).unwrap()
    }

    fn error(json: &str) -> DocumentError {
        Document::parse(&SecretValue::text(json.to_owned()).unwrap()).unwrap_err()
    }

    fn allowed(fields: &[&str]) -> BTreeSet<String> {
        fields.iter().map(|field| (*field).to_owned()).collect()
    }

    fn sensitive(field: &str, text: &str) -> (String, NewValue) {
        (field.to_owned(), NewValue::Sensitive(SecretBytes::from(text.to_owned())))
    }

    fn text(field: &str, text: &str) -> (String, NewValue) {
        (field.to_owned(), NewValue::Text(text.to_owned()))
    }

    fn changed(json: &str, changes: &[(String, NewValue)], fields: &[&str]) -> String {
        let value = document(json).with(changes, &allowed(fields)).unwrap();
        String::from_utf8(value.bytes().expose().to_vec()).unwrap()
    }

    #[test]
    fn readable_fields_are_text_and_the_others_are_sensitive() {
        let it = document(
            r#"{"engine":"postgres","port":5432,"ssl":true,"dbname":null,"host":["h"],"username":"\u0061\ud83d\ude00\n","password":"p\"w","n":1,"Host":"x"}"#,
        );
        assert_eq!(it.text("engine").as_deref(), Some("postgres"));
        assert_eq!(it.text("port").as_deref(), Some("5432"));
        assert_eq!(it.text("ssl").as_deref(), Some("true"));
        assert_eq!(it.text("username").as_deref(), Some("a😀\n"));
        for none in ["dbname", "host", "password", "n", "Host", "absent"] {
            assert_eq!(it.text(none), None, "{none}");
        }
        assert_eq!(it.sensitive("password").unwrap().expose(), b"p\"w");
        assert_eq!(it.sensitive("Host").unwrap().expose(), b"x");
        for none in ["engine", "username", "n", "absent"] {
            assert!(it.sensitive(none).is_none(), "{none}");
        }
        assert_eq!(it.kind("dbname"), Some(FieldKind::Null));
        assert_eq!(it.kind("host"), Some(FieldKind::Nested));
        assert_eq!(it.kind("absent"), None);
        let printed = format!("{it:?}");
        assert!(printed.contains("password") && !printed.contains("postgres"), "{printed}");
    }

    #[test]
    fn what_is_not_one_json_object_is_refused() {
        for bad in ["[]", "1", "\"x\"", "{\"a\":1", "{\"a\":1}x", "{'a':1}", "{\"a\":01}"] {
            assert_eq!(error(bad), DocumentError::NotAnObject, "{bad}");
        }
        assert_eq!(error(r#"{"a":1,"\u0061":2}"#), DocumentError::TwiceTheField("a".to_owned()));
        assert_eq!(error(r#"{"a":"\ud800"}"#), DocumentError::NoCharacter("a".to_owned()));
        assert_eq!(error(r#"{"a":"\ud800\u0041"}"#), DocumentError::NoCharacter("a".to_owned()));
        let binary = SecretValue::binary(b"{}".to_vec()).unwrap();
        assert_eq!(Document::parse(&binary).unwrap_err(), DocumentError::Binary);
    }

    #[test]
    fn what_is_not_changed_stays_byte_for_byte() {
        let json = "{ \"z\" : 1.0e+02,\n\t\"username\":\"app\", \"deep\":{\"b\":1,\"b\":2}, \"password\":\"\\u0041\", \"big\":123456789012345678901234567890 }\n";
        let new = changed(json, &[sensitive("password", "q\"\u{1}")], &["password"]);
        assert_eq!(new, json.replace("\"\\u0041\"", "\"q\\\"\\u0001\""));
        let both = changed(
            json,
            &[sensitive("password", "q"), text("username", "app_clone")],
            &["password", "username"],
        );
        assert_eq!(both, json.replace("\"\\u0041\"", "\"q\"").replace("\"app\"", "\"app_clone\""));
    }

    #[test]
    fn an_absent_field_is_added_at_the_end() {
        assert_eq!(changed("{}", &[sensitive("password", "q")], &["password"]), r#"{"password": "q"}"#);
        assert_eq!(
            changed(r#"{"host":"}"}"#, &[text("username", "u"), sensitive("k", "v")], &["username", "k"]),
            r#"{"host":"}", "username": "u", "k": "v"}"#
        );
    }

    #[test]
    fn a_change_over_the_border_or_beyond_the_grant_is_refused() {
        let it = document(r#"{"host":"db","username":"u","password":"canary"}"#);
        let refused = |changes: &[(String, NewValue)]| {
            it.with(changes, &allowed(&["username", "password"])).unwrap_err()
        };
        let named = |name: &str| name.to_owned();
        assert_eq!(refused(&[text("host", "evil")]), DocumentError::NotAllowed(named("host")));
        assert_eq!(refused(&[sensitive("username", "x")]), DocumentError::NotForSensitive(named("username")));
        assert_eq!(refused(&[text("password", "known")]), DocumentError::NotForText(named("password")));
        let twice = [sensitive("password", "a"), sensitive("password", "b")];
        assert_eq!(refused(&twice), DocumentError::ChangedTwice(named("password")));
        let bytes = [(named("password"), NewValue::Sensitive(SecretBytes::new(vec![0xff])))];
        assert_eq!(refused(&bytes), DocumentError::NotText(named("password")));
        let long = [sensitive("password", &"x".repeat(70_000))];
        assert_eq!(refused(&long), DocumentError::Value(ValueError::TooLong));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was_stored(password in any::<String>(), username in any::<String>()) {
            let changes = [sensitive("password", &password), text("username", &username)];
            let value = document(r#"{"a":1}"#).with(&changes, &allowed(&["password", "username"])).unwrap();
            let again = Document::parse(&value).unwrap();
            let stored = again.sensitive("password").unwrap();
            prop_assert_eq!(stored.expose(), password.as_bytes());
            prop_assert_eq!(again.text("username"), Some(username));
            let read: serde_json::Value = serde_json::from_slice(value.bytes().expose()).unwrap();
            prop_assert_eq!(read["password"].as_str(), Some(password.as_str()));
        }

        #[test]
        fn no_text_breaks_the_reader(json in "[{}\\[\\]\",:\\\\ua0-9dtrue ]{1,60}") {
            if let Ok(value) = SecretValue::text(json.clone())
                && let Ok(read) = Document::parse(&value)
            {
                let same = read.with(&[], &BTreeSet::new()).unwrap();
                prop_assert_eq!(same.bytes().expose(), json.as_bytes());
            }
        }
    }
}
