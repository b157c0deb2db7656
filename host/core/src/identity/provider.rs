//! Identity providers: issuers of OpenID Connect whose tokens stand for somebody.

use serde::{Deserialize, Serialize};

use super::error::IdentityError;
use crate::limits;
use crate::secret::Tag;
use crate::world::Timestamp;

/// An identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcProvider {
    /// Its URL without `https://`, exactly as it was given: the issuer of its tokens is `https://` and this.
    pub url: String,
    /// The audiences that its tokens may be for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_ids: Vec<String>,
    /// Thumbprints of certificates. They are kept for those who ask for them: whether the provider's server is the right one is
    /// decided by certificate authorities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thumbprints: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// What stands between the account and the URL in a provider's ARN.
const KIND: &str = ":oidc-provider/";

impl OidcProvider {
    /// A new one.
    #[must_use]
    pub fn new(url: &str, now: Timestamp) -> Self {
        Self {
            url: url.to_owned(),
            client_ids: Vec::new(),
            thumbprints: Vec::new(),
            created_at: now,
            tags: Vec::new(),
        }
    }

    /// The URL of an `https://` address that can be a provider's: no user's name, no query, no fragment.
    #[must_use]
    pub fn url_of(address: &str) -> Option<&str> {
        let url = address.strip_prefix("https://")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:[]%+=,".contains(c);
        let host = url.split('/').next().filter(|host| !host.is_empty())?;
        let whole =
            url.chars().all(plain) && !host.starts_with(':') && !url.split('/').any(|part| part == "..");
        (whole && url.len() <= limits::PROVIDER_URL_CHARS_MAX).then_some(url)
    }

    /// The URL of the provider of this ARN.
    #[must_use]
    pub fn url_of_arn(arn: &str) -> Option<&str> {
        arn.split_once(KIND).map(|(_, url)| url)
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self, account: &crate::names::AccountId) -> String {
        format!("arn:aws:iam::{account}{KIND}{}", self.url)
    }

    /// What its tokens name as their issuer.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("https://{}", self.url)
    }

    /// Adds an audience; one that is there already stays.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add_client_id(&mut self, id: &str) -> Result<(), IdentityError> {
        if self.client_ids.iter().any(|held| held == id) {
            return Ok(());
        }
        let most = limits::PROVIDER_CLIENT_IDS_MAX;
        if self.client_ids.len() >= most {
            return Err(IdentityError::Quota { what: "ClientIdsPerOpenIdConnectProvider", most });
        }
        self.client_ids.push(id.to_owned());
        Ok(())
    }

    /// Takes an audience away; one that is not there is no mistake.
    pub fn remove_client_id(&mut self, id: &str) {
        self.client_ids.retain(|held| held != id);
    }

    /// Replaces its thumbprints.
    ///
    /// # Errors
    /// When there are too many.
    pub fn set_thumbprints(&mut self, thumbprints: Vec<String>) -> Result<(), IdentityError> {
        let most = limits::PROVIDER_THUMBPRINTS_MAX;
        if thumbprints.len() > most {
            return Err(IdentityError::Quota { what: "ThumbprintsPerOpenIdConnectProvider", most });
        }
        self.thumbprints = thumbprints;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_an_https_address_and_nothing_more() {
        for (address, url) in [
            ("https://kubernetes.default.svc.cluster.local", Some("kubernetes.default.svc.cluster.local")),
            ("https://oidc.example/id/ABC", Some("oidc.example/id/ABC")),
            ("https://tenant.example/", Some("tenant.example/")),
            ("https://127.0.0.1:8443/x", Some("127.0.0.1:8443/x")),
            ("https://[::1]:8443", Some("[::1]:8443")),
            ("http://oidc.example", None),
            ("https://", None),
            ("https:///x", None),
            ("https://:80", None),
            ("https://u@h", None),
            ("https://h?x=y", None),
            ("https://h#x", None),
            ("https://h/../x", None),
            ("https://h\n", None),
            ("oidc.example", None),
        ] {
            assert_eq!(OidcProvider::url_of(address), url, "{address}");
        }
        assert!(OidcProvider::url_of(&format!("https://h/{}", "x".repeat(300))).is_none());
    }

    #[test]
    fn audiences_come_and_go() {
        let mut provider = OidcProvider::new("h/x", Timestamp::default());
        for id in ["a", "b", "a"] {
            provider.add_client_id(id).unwrap();
        }
        provider.remove_client_id("c");
        assert_eq!(provider.client_ids, ["a", "b"]);
        provider.remove_client_id("a");
        for number in 1..limits::PROVIDER_CLIENT_IDS_MAX {
            provider.add_client_id(&number.to_string()).unwrap();
        }
        assert!(provider.add_client_id("one more").is_err());
        assert!(provider.set_thumbprints(vec![String::new(); 6]).is_err());
        let account = "000000000000".parse().unwrap();
        assert_eq!(OidcProvider::url_of_arn(&provider.arn(&account)), Some("h/x"));
    }
}
