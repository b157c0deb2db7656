//! Looks for what is secret in what a rotator has said.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use pawl_core::document::{Document, is_text_field};
use pawl_core::names::VersionId;
use pawl_core::value::{SecretBytes, SecretValue};

/// Shorter values are in too many words by chance.
const BYTES_MIN: usize = 8;

/// Sensitive values, and texts that anybody may read.
#[derive(Default)]
pub(super) struct Leaks {
    values: Vec<(String, SecretBytes)>,
    texts: Vec<String>,
}

impl Leaks {
    /// Keeps the sensitive fields of a version; of what is no JSON object, all of it.
    pub(super) fn keep(&mut self, version: Option<(VersionId, SecretValue)>) {
        let Some((_, value)) = version else { return };
        let Ok(document) = Document::parse(&value) else {
            self.values.push(("the value".to_owned(), value.bytes().duplicate()));
            return;
        };
        for field in document.names().filter(|field| !is_text_field(field)) {
            if let Some(value) = document.sensitive(field).filter(|value| value.len() >= BYTES_MIN) {
                self.values.push((field.to_owned(), value));
            }
        }
    }

    /// Keeps what was said.
    pub(super) fn hear<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        self.texts.extend(texts.into_iter().map(str::to_owned));
    }

    /// The field whose value stands in a text, as it is or encoded, if there is one.
    pub(super) fn found(&self) -> Option<&str> {
        let said = |needle: &str| self.texts.iter().any(|text| text.contains(needle));
        let leaked = |value: &SecretBytes| {
            let bytes = value.expose();
            // The last character of base64 depends on what follows.
            let stem = |text: String| text.chars().take(bytes.len() / 3 * 4).collect::<String>();
            said(&String::from_utf8_lossy(bytes))
                || said(&hex::encode(bytes))
                || said(&stem(STANDARD_NO_PAD.encode(bytes)))
                || said(&stem(URL_SAFE_NO_PAD.encode(bytes)))
        };
        self.values.iter().find(|(_, value)| leaked(value)).map(|(field, _)| field.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaks() -> Leaks {
        let mut leaks = Leaks::default();
        let value = r#"{"username":"shop-application","password":"correct horse","pin":"1234"}"#;
        let id = "00000000-0000-0000-0000-000000000001".parse().unwrap();
        leaks.keep(Some((id, SecretValue::text(value.to_owned()).unwrap())));
        leaks
    }

    #[test]
    fn a_value_is_found_as_it_is_and_encoded() {
        for said in [
            "the password is correct horse!",
            "636f727265637420686f727365",
            "Basic Y29ycmVjdCBob3JzZQ==",
            "x Y29ycmVjdCBob3JzZTo1 y",
        ] {
            let mut leaks = leaks();
            leaks.hear(["nothing", said]);
            assert_eq!(leaks.found(), Some("password"), "{said}");
        }
    }

    #[test]
    fn what_anybody_may_know_is_no_leak() {
        let mut leaks = leaks();
        leaks.hear(["changed the password of shop-application", "1234"]);
        assert_eq!(leaks.found(), None);
    }
}
