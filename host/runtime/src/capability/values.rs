//! The sensitive values of the secret under rotation.

use pawl_core::document::Document;
use pawl_core::value::SecretBytes;

use super::Capabilities;
use crate::port::Which;
use crate::wire::SecretError;

/// The secret's values, as they are stored now.
pub(super) struct Values {
    pub(super) current: Document,
    pub(super) pending: Option<Document>,
    previous: Option<Document>,
}

impl Values {
    /// Whether the pending version has this value, and AWSCURRENT has not.
    pub(super) fn is_new(&self, value: &SecretBytes) -> bool {
        self.pending.as_ref().is_some_and(|pending| holds(pending, value)) && !holds(&self.current, value)
    }

    /// All that any of them has.
    pub(super) fn all(&self) -> impl Iterator<Item = SecretBytes> {
        [Some(&self.current), self.pending.as_ref(), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(values)
    }

    /// All that only the pending version has.
    pub(super) fn new_ones(&self) -> Vec<SecretBytes> {
        let pending = self.pending.iter().flat_map(values);
        pending.filter(|value| !holds(&self.current, value)).collect()
    }
}

pub(super) fn values(document: &Document) -> impl Iterator<Item = SecretBytes> {
    document.names().filter_map(|field| document.sensitive(field)).filter(|value| !value.is_empty())
}

pub(super) fn holds(document: &Document, value: &SecretBytes) -> bool {
    values(document).any(|held| held.same_as(value))
}

impl Capabilities {
    pub(super) async fn values(&mut self) -> Result<Values, SecretError> {
        let Some(current) = self.document(Which::Current).await? else {
            return Err(SecretError::NotFound(
                "the secret has no AWSCURRENT version with a value".to_owned(),
            ));
        };
        let pending = self.document(Which::Pending).await?;
        let previous = match self.document(Which::Previous).await {
            // One that is no JSON object has no value that could be named.
            Err(SecretError::Malformed(_)) => None,
            previous => previous?,
        };
        Ok(Values { current, pending, previous })
    }
}
