//! ListSecrets' filters, by AWS's documented and recorded rules (its guide "Find secrets" and ListSecrets' reference).

use pawl_api::secrets_manager::shapes::Filter;
use pawl_core::secret::Secret;

/// Whether a secret passes all filters; of each, any value will do.
pub(super) fn passes(secret: &Secret, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| {
        let values = filter.values.as_deref().unwrap_or_default();
        values.iter().any(|value| match value.strip_prefix('!') {
            Some(value) => !matches(secret, filter.key.as_deref().unwrap_or("all"), value),
            None => matches(secret, filter.key.as_deref().unwrap_or("all"), value),
        })
    })
}

fn matches(secret: &Secret, key: &str, value: &str) -> bool {
    let tags = secret.tags.as_deref().unwrap_or_default();
    let description = secret.description.as_deref().unwrap_or_default();
    match key {
        "name" => secret.name.as_str().starts_with(value),
        "tag-key" => tags.iter().any(|tag| tag.key.starts_with(value)),
        "tag-value" => tags.iter().any(|tag| tag.value.starts_with(value)),
        "description" => {
            let words: Vec<String> = description.split_whitespace().map(str::to_lowercase).collect();
            every_word_begins(value.split_whitespace().map(str::to_lowercase), &words)
        }
        "all" => {
            let mut words = split(secret.name.as_str());
            words.extend(split(description));
            for tag in tags {
                words.extend(split(&tag.key));
                words.extend(split(&tag.value));
            }
            let sought = split(value);
            !sought.is_empty() && every_word_begins(sought.into_iter(), &words)
        }
        // No secret here is replicated or owned by a service.
        _ => false,
    }
}

fn every_word_begins(mut sought: impl Iterator<Item = String>, words: &[String]) -> bool {
    sought.all(|sought| words.iter().any(|word| word.starts_with(&sought)))
}

/// Words in lower case: split at blanks, at `/_+=.@-`, and before an upper-case letter that follows a lower-case one.
fn split(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in text.chars() {
        let separates = c.is_whitespace() || "/_+=.@-!".contains(c);
        if separates || (after_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        if !separates && let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use pawl_core::arn::SecretArn;
    use pawl_core::secret::Tag;
    use pawl_core::world::Timestamp;

    use super::*;
    use crate::world::SystemRng;

    fn secret(name: &str, description: &str) -> Secret {
        let (region, name) = ("us-east-1".parse().unwrap(), name.parse().unwrap());
        let arn = SecretArn::mint(&region, &"000000000000".parse().unwrap(), &name, &SystemRng);
        let mut secret = Secret::new(arn, region, name, Timestamp::from_millis(0));
        secret.description = Some(description.to_owned());
        secret.tags = Some(vec![Tag { key: "Team".to_owned(), value: "Payments".to_owned() }]);
        secret
    }

    fn found(secret: &Secret, key: &str, values: &[&str]) -> bool {
        let values = values.iter().map(|&v| v.to_owned()).collect();
        passes(secret, &[Filter { key: Some(key.to_owned()), values: Some(values) }])
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
        assert!(!found(&one, "owning-service", &["x"]));
    }
}
