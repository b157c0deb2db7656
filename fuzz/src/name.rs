//! Names of every kind, and the two texts that read themselves: digests and targets.

use std::fmt::Debug;
use std::str::FromStr;

use pawl_core::function::{Digest, Target};
use pawl_core::names::{AccountId, Label, NameError, Region, SecretName, VersionId};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is read as a name is that text, however often it is read and written.
pub fn check_name(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let mut taken = false;
    if let Some(name) = round_trip::<SecretName>(text, SecretName::as_str) {
        assert!(name.as_str().bytes().all(|c| c.is_ascii_graphic() && c != b':' && c != b'*'), "{text}");
        assert!((1..=512).contains(&text.len()), "{text}");
        taken = true;
    }
    if round_trip::<VersionId>(text, VersionId::as_str).is_some() {
        assert!((32..=64).contains(&text.chars().count()), "{text}");
        taken = true;
    }
    if round_trip::<Label>(text, Label::as_str).is_some() {
        assert!((1..=256).contains(&text.chars().count()), "{text}");
        taken = true;
    }
    if let Some(region) = round_trip::<Region>(text, Region::as_str) {
        assert!(!region.as_str().contains([':', '/']), "a region stands in ARNs and scopes");
        taken = true;
    }
    if round_trip::<AccountId>(text, AccountId::as_str).is_some() {
        assert!(text.len() == 12 && text.parse::<u64>().is_ok(), "{text}");
        taken = true;
    }
    // These two take several spellings, and write one.
    if let Ok(digest) = Digest::try_from(text.to_owned()) {
        assert_eq!(Digest::try_from(String::from(digest)), Ok(digest));
        taken = true;
    }
    if let Ok(target) = Target::try_from(text.to_owned()) {
        let written = String::from(target.clone());
        assert_eq!(Target::try_from(written.clone()), Ok(target), "{written}");
        taken = true;
    }
    taken
}

fn round_trip<T>(text: &str, as_str: impl Fn(&T) -> &str) -> Option<T>
where
    T: FromStr<Err = NameError> + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let json = serde_json::to_string(text).expect("text is JSON");
    match text.parse::<T>() {
        Ok(name) => {
            assert_eq!(as_str(&name), text);
            assert_eq!(serde_json::to_string(&name).expect("a name is JSON"), json);
            assert_eq!(
                &serde_json::from_str::<T>(&json).expect("what parses is read from a document too"),
                &name
            );
            Some(name)
        }
        Err(_) => {
            assert!(
                serde_json::from_str::<T>(&json).is_err(),
                "a document must not hold what does not parse"
            );
            None
        }
    }
}
