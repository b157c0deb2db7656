//! ListSecrets' and BatchGetSecretValue's filters, by AWS's documented and recorded rules (its guide "Find secrets", and the
//! reference of ListSecrets).

use crate::secret::{Secret, Tag};

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKey {
    /// Every attribute, by words.
    All,
    /// The description, by words.
    Description,
    /// The name, from its beginning.
    Name,
    /// The service that manages the secret: none does here.
    OwningService,
    /// The region of the primary secret, where there are replicas.
    PrimaryRegion,
    /// The key of any tag, from its beginning.
    TagKey,
    /// The value of any tag, from its beginning.
    TagValue,
}

impl FilterKey {
    /// The key of this spelling.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "description" => Self::Description,
            "name" => Self::Name,
            "owning-service" => Self::OwningService,
            "primary-region" => Self::PrimaryRegion,
            "tag-key" => Self::TagKey,
            "tag-value" => Self::TagValue,
            _ => return None,
        })
    }
}

/// One value to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sought {
    /// Preceded by `!`: what does not have it is found.
    negated: bool,
    text: String,
    /// The value's words in lower case, for the keys that go by words.
    words: Vec<String>,
}

/// One filter: any of its values will do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Filter {
    key: FilterKey,
    values: Vec<Sought>,
}

/// Filters, all of which a secret must pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(Vec<Filter>);

impl Filters {
    /// Reads keys with their values.
    pub fn parse<V: AsRef<str>>(filters: impl IntoIterator<Item = (FilterKey, Vec<V>)>) -> Self {
        let sought = |key: FilterKey, value: &str| {
            let (negated, text) = value.strip_prefix('!').map_or((false, value), |rest| (true, rest));
            let words = match key {
                FilterKey::All => words(text),
                FilterKey::Description => text.split_whitespace().map(str::to_lowercase).collect(),
                _ => Vec::new(),
            };
            Sought { negated, text: text.to_owned(), words }
        };
        let filters = filters.into_iter().map(|(key, values)| Filter {
            key,
            values: values.iter().map(|value| sought(key, value.as_ref())).collect(),
        });
        Self(filters.collect())
    }

    /// Whether everything passes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `secret` passes all of them.
    #[must_use]
    pub fn matches(&self, secret: &Secret) -> bool {
        self.0.iter().all(|filter| {
            let has = |sought: &Sought| filter.key.finds(secret, sought);
            filter.values.iter().any(|sought| has(sought) != sought.negated)
        })
    }
}

impl FilterKey {
    fn finds(self, secret: &Secret, sought: &Sought) -> bool {
        let tags = secret.tags.as_deref().unwrap_or_default();
        let description = secret.description.as_deref().unwrap_or_default();
        let any_tag = |part: fn(&Tag) -> &str| tags.iter().any(|tag| part(tag).starts_with(&sought.text));
        match self {
            Self::Name => secret.name.as_str().starts_with(&sought.text),
            Self::TagKey => any_tag(|tag| &tag.key),
            Self::TagValue => any_tag(|tag| &tag.value),
            Self::PrimaryRegion => {
                secret.primary_region().is_some_and(|region| region.as_str().starts_with(&sought.text))
            }
            Self::OwningService => false,
            Self::Description => {
                let held: Vec<String> = description.split_whitespace().map(str::to_lowercase).collect();
                every_word_begins(&sought.words, &held)
            }
            Self::All => {
                let mut held = words(secret.name.as_str());
                held.extend(words(description));
                for tag in tags {
                    held.extend(words(&tag.key));
                    held.extend(words(&tag.value));
                }
                !sought.words.is_empty() && every_word_begins(&sought.words, &held)
            }
        }
    }
}

fn every_word_begins(sought: &[String], held: &[String]) -> bool {
    sought.iter().all(|sought| held.iter().any(|word| word.starts_with(sought)))
}

/// The characters at which the words of `all` end.
const SEPARATORS: &[char] = &['/', '_', '+', '=', '.', '@', '-'];

/// The words of `all`, in lower case: split at blanks, at one kind of separator, and at the humps of camel case. Recorded from
/// AWS: what mixes two kinds of separator is one word.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for token in text.split_whitespace() {
        let mut kinds = token.chars().filter(|c| SEPARATORS.contains(c));
        let first = kinds.next();
        if kinds.any(|c| Some(c) != first) {
            words.push(token.to_lowercase());
            continue;
        }
        for part in token.split(|c| Some(c) == first).filter(|part| !part.is_empty()) {
            humps(part, &mut words);
        }
    }
    words
}

/// A hump begins with an upper-case letter after a lower-case one. In a run of upper-case letters before a lower-case one, the
/// last two belong to the next hump: `COMPANYThings` is `COMPAN`, `YThings` (recorded from AWS).
fn humps(part: &str, words: &mut Vec<String>) {
    let chars: Vec<char> = part.chars().collect();
    let is = |at: usize, test: fn(&char) -> bool| chars.get(at).is_some_and(test);
    let upper: fn(&char) -> bool = |c| c.is_uppercase();
    let lower: fn(&char) -> bool = |c| c.is_lowercase();
    let mut word = String::new();
    for (at, c) in chars.iter().enumerate() {
        let after_lower = at > 0 && is(at, upper) && is(at - 1, lower);
        let run_ends = at > 0 && is(at - 1, upper) && is(at, upper) && is(at + 1, upper) && is(at + 2, lower);
        if (after_lower || run_ends) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        word.extend(c.to_lowercase());
    }
    if !word.is_empty() {
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::SecretArn;
    use crate::world::{Rng, Timestamp};

    struct Zeros;
    impl Rng for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn secret(name: &str, description: &str) -> Secret {
        let (region, name) = ("us-east-1".parse().unwrap(), name.parse().unwrap());
        let arn = SecretArn::mint(&region, &"000000000000".parse().unwrap(), &name, &Zeros);
        let mut secret = Secret::new(arn, region, name, Timestamp::from_millis(0));
        secret.description = Some(description.to_owned());
        secret.tags = Some(vec![Tag { key: "Team".to_owned(), value: "Payments".to_owned() }]);
        secret
    }

    fn found(secret: &Secret, key: &str, values: &[&str]) -> bool {
        Filters::parse([(FilterKey::from_name(key).unwrap(), values.to_vec())]).matches(secret)
    }

    #[test]
    fn filters_follow_awss_rules() {
        let one = secret("/prod/dbMain", "an secret for Testing");
        assert!(found(&one, "name", &["/"]) && found(&one, "name", &["/prod"]));
        assert!(!found(&one, "name", &["prod"]) && !found(&one, "name", &["/Prod"]));
        assert!(found(&one, "name", &["!prod"]) && !found(&one, "name", &["!/prod"]));
        assert!(found(&one, "name", &["x", "/p"]));
        assert!(found(&one, "description", &["a secret"]) && !found(&one, "description", &["asecret"]));
        assert!(found(&one, "tag-key", &["Te"]) && !found(&one, "tag-key", &["te"]));
        assert!(found(&one, "tag-value", &["Pay"]));
        assert!(found(&one, "all", &["main"]) && found(&one, "all", &["TEST prod"]));
        assert!(!found(&one, "all", &["/"]) && !found(&one, "all", &["rod"]));
        assert!(!found(&one, "owning-service", &["x"]) && found(&one, "owning-service", &["!x"]));
        assert!(!found(&one, "primary-region", &["us"]));
    }

    #[test]
    fn all_goes_by_words() {
        let split = |text: &str| words(text).join(" ");
        assert_eq!(split("MySecretName"), "my secret name");
        assert_eq!(split("COMPANYThings"), "compan ythings");
        assert_eq!(split("HTTP"), "http");
        assert_eq!(split("a/b/c d"), "a b c d");
        assert_eq!(split("a/b-c"), "a/b-c");
        assert_eq!(split("/"), "");
        assert_eq!(split("éÉa"), "é éa");
    }
}
