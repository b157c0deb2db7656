//! Filters of ListSecrets and BatchGetSecretValue.

use pawl_core::arn::SecretArn;
use pawl_core::filter::{FilterKey, Filters};
use pawl_core::secret::{Secret, Tag};
use pawl_core::world::{Rng, Timestamp};

struct Zeros;

impl Rng for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// Lines: a secret's name, description, tag's key, tag's value; then filters, one value to a line: `KEY VALUE` begins a filter,
/// `+VALUE` adds to it. Filters keep the laws of logic, and say of a secret what its texts say.
///
/// Taken is what finds the secret.
pub fn check_filter(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let Some(secret) = secret(line(), line(), line(), line()) else { return false };
    let mut filters: Vec<(FilterKey, Vec<&str>)> = Vec::new();
    for line in lines {
        if let (Some(value), Some((_, values))) = (line.strip_prefix('+'), filters.last_mut()) {
            values.push(value);
        } else if let Some((key, value)) = line.split_once(' ')
            && let Some(key) = FilterKey::from_name(key)
        {
            filters.push((key, vec![value]));
        }
    }

    let found = Filters::parse(filters.clone()).matches(&secret);
    let one_by_one = filters.iter().all(|(key, values)| {
        let any = values.iter().any(|value| finds(&secret, *key, value));
        let together = Filters::parse([(*key, values.clone())]).matches(&secret);
        assert_eq!(any, together, "{key:?}: any of {values:?} will do");
        any
    });
    assert_eq!(found, one_by_one, "all of {filters:?} must pass");
    for (key, values) in &filters {
        values.iter().for_each(|value| check_value(&secret, *key, value));
    }
    check_itself(&secret);
    found && !filters.is_empty()
}

fn secret(name: &str, description: &str, tag_key: &str, tag_value: &str) -> Option<Secret> {
    let (region, account) = ("us-east-1".parse().ok()?, "000000000000".parse().ok()?);
    let name = name.parse().ok()?;
    let arn = SecretArn::mint(&region, &account, &name, &Zeros);
    let mut secret = Secret::new(arn, region, name, Timestamp::from_millis(0));
    secret.description = Some(description.to_owned());
    secret.tags = Some(vec![Tag { key: tag_key.to_owned(), value: tag_value.to_owned() }]);
    Some(secret)
}

fn finds(secret: &Secret, key: FilterKey, value: &str) -> bool {
    Filters::parse([(key, vec![value])]).matches(secret)
}

fn check_value(secret: &Secret, key: FilterKey, value: &str) {
    let found = finds(secret, key, value);
    if let Some(plain) = value.strip_prefix('!') {
        // `!!x` is what does not have `!x`; only one mark is read.
        if !plain.starts_with('!') {
            assert_ne!(found, finds(secret, key, plain), "{key:?} {value:?}: a negation is the opposite");
        }
        return;
    }
    let tag = |part: fn(&Tag) -> &str| secret.tags.iter().flatten().any(|tag| part(tag).starts_with(value));
    match key {
        FilterKey::Name => assert_eq!(found, secret.name.as_str().starts_with(value), "{value:?}"),
        FilterKey::TagKey => assert_eq!(found, tag(|tag| &tag.key), "{value:?}"),
        FilterKey::TagValue => assert_eq!(found, tag(|tag| &tag.value), "{value:?}"),
        FilterKey::OwningService | FilterKey::PrimaryRegion => {
            assert!(!found, "{key:?}: it has neither a service nor replicas");
        }
        // Beyond ASCII the lower case of a letter depends on what comes after it.
        FilterKey::Description if found && value.is_ascii() => {
            let shorter = value.get(..value.len().saturating_sub(1)).unwrap_or_default();
            assert!(finds(secret, key, shorter), "{shorter:?} must find what {value:?} does");
            assert!(finds(secret, key, &value.to_ascii_uppercase()), "{value:?} has no case");
        }
        FilterKey::Description => {}
        FilterKey::All => {
            let has_letters = value.chars().any(char::is_alphanumeric);
            assert!(!found || has_letters || !value.trim().is_empty(), "{value:?}: nothing is sought");
        }
    }
}

/// A secret is found by its own texts.
fn check_itself(secret: &Secret) {
    let name = secret.name.as_str();
    assert!(finds(secret, FilterKey::Name, name) || name.starts_with('!'));
    if name.bytes().any(|c| c.is_ascii_alphanumeric()) && !name.starts_with('!') {
        assert!(finds(secret, FilterKey::All, name), "{name:?} by all of its words");
    }
    let description = secret.description.as_deref().unwrap_or_default();
    if !description.starts_with('!') {
        assert!(finds(secret, FilterKey::Description, description), "{description:?}");
    }
    assert!(Filters::default().matches(secret), "without filters everything is found");
}
