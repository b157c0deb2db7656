//! A grant of requests to one server.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::{Place, Slot};
use super::{Method, Origin, PathPattern, Url};

/// Requests that a function may make of one server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpGrant {
    /// The server.
    pub origin: Origin,
    /// The methods.
    pub methods: BTreeSet<Method>,
    /// The paths.
    pub paths: BTreeSet<PathPattern>,
    /// Where sensitive values may stand.
    #[serde(default)]
    pub sensitive: BTreeSet<Slot>,
    /// Whether the rotator may read answers, once the host has found no sensitive value in them. Otherwise it gets the status.
    #[serde(default)]
    pub answers: bool,
    /// Where in an answer a key stands that the server has made, for a new version of the secret. Nobody but the host reads it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub capture: BTreeSet<Place>,
}

impl HttpGrant {
    /// Whether it covers a request with sensitive values in these places, of whose answer the rotator reads more than the status.
    #[must_use]
    pub fn covers(&self, method: Method, url: &Url, slots: &BTreeSet<Slot>, answers: bool) -> bool {
        self.origin == *url.origin()
            && self.methods.contains(&method)
            && self.paths.iter().any(|pattern| pattern.covers(url))
            && slots.is_subset(&self.sensitive)
            && (self.answers || !answers)
    }

    /// Whether keys may be taken from these places of its answers.
    #[must_use]
    pub fn captures(&self, places: &[Place]) -> bool {
        places.iter().all(|place| self.capture.contains(place))
    }

    /// Whether it covers all that `other` does.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.origin == other.origin
            && other.methods.is_subset(&self.methods)
            && other.paths.iter().all(|asked| self.paths.iter().any(|granted| granted.contains(asked)))
            && other.sensitive.is_subset(&self.sensitive)
            && (self.answers || !other.answers)
            && other.capture.is_subset(&self.capture)
    }

    /// What it grants, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = format!("{} {}", listed(&self.methods), self.origin);
        words.push_str(if self.origin.is_tls() { "" } else { " (WITHOUT TLS)" });
        words.push_str(&format!(" at {}", listed(&self.paths)));
        if !self.sensitive.is_empty() {
            words.push_str(&format!(", with sensitive values in {}", listed(&self.sensitive)));
        }
        words.push_str(if self.answers { ", and read the answers" } else { "" });
        if !self.capture.is_empty() {
            let places = listed(&self.capture);
            words.push_str(&format!(
                ", and store keys that the server makes, from {places} of the answers (who runs the server knows them)"
            ));
        }
        words
    }
}

fn listed<T: fmt::Display>(items: &BTreeSet<T>) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
