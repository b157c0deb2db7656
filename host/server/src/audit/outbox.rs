//! What the store keeps of a change, in one transaction with it: enough to write its record where the host was killed before it had
//! written it, and all there is of what Pawl does by itself.

use std::borrow::Cow;

use pawl_core::world::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::events::EventRecord;
use crate::identity::{Caller, Standing};

/// A row of the store's `audit`. Never a value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row<'a> {
    pub(crate) at: Timestamp,
    pub(crate) request_id: Cow<'a, str>,
    pub(crate) principal: Cow<'a, str>,
    pub(crate) action: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub(crate) arn: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<u64>,
    /// The host that did it; none in rows of programs that had no audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<Cow<'a, str>>,
    /// Whether Pawl did it by itself: nothing at the edge records it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) own: bool,
    /// What it was about, where that is no ARN.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) about: Map<String, Value>,
    /// What is to be told of Pawl's own deed: objects with a `name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<Value>,
}

impl<'a> Row<'a> {
    /// Of a change that `caller` makes on this host.
    pub(crate) fn of(
        host: &'a str,
        caller: &'a Caller,
        at: Timestamp,
        action: &'a str,
        arn: &'a str,
    ) -> Self {
        Self {
            at,
            request_id: Cow::Borrowed(&caller.request_id),
            principal: Cow::Borrowed(&caller.principal),
            action: Cow::Borrowed(action),
            arn: Cow::Borrowed(arn),
            revision: None,
            host: Some(Cow::Borrowed(host)),
            own: matches!(caller.standing, Standing::Scheduler | Standing::Rotation),
            about: Map::new(),
            events: Vec::new(),
        }
    }

    /// As the store keeps it.
    ///
    /// # Errors
    /// Never in practice: it has only texts and numbers.
    pub(crate) fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// The action of rows about the root key.
pub(super) const ROOT_KEY: &str = "pawl:RootKey";

/// Who had something done to the root key; for what a host does by itself, nobody.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asker<'a> {
    pub(crate) principal: &'a str,
    pub(crate) request_id: &'a str,
}

impl<'a> Asker<'a> {
    /// The caller.
    pub(crate) fn of(caller: &'a Caller) -> Self {
        Self { principal: &caller.principal, request_id: &caller.request_id }
    }
}

/// A row about the root key: ids of keys and numbers, never a key.
pub(crate) fn root_key_deed(
    host: &str,
    asker: Asker<'_>,
    at: Timestamp,
    name: &str,
    mut told: Map<String, Value>,
) -> Result<String, serde_json::Error> {
    told.insert("name".to_owned(), json!(name));
    if !asker.principal.is_empty() {
        told.insert("askedBy".to_owned(), json!(asker.principal));
    }
    let row = Row {
        at,
        request_id: Cow::Borrowed(asker.request_id),
        principal: Cow::Borrowed(asker.principal),
        action: Cow::Borrowed(ROOT_KEY),
        arn: Cow::Borrowed(""),
        revision: None,
        host: Some(Cow::Borrowed(host)),
        own: true,
        about: Map::new(),
        events: vec![Value::Object(told)],
    };
    row.text()
}

/// What is told of a secret's change, for the record of Pawl's own deeds.
pub(crate) fn events_of(events: &[EventRecord]) -> Vec<Value> {
    let told = |event: &EventRecord| {
        let mut told = Map::new();
        told.insert("name".to_owned(), json!(event.kind));
        let texts = [("versionId", &event.token), ("step", &event.step), ("reason", &event.reason)];
        for (name, text) in texts {
            if let Some(text) = text {
                told.insert(name.to_owned(), json!(text));
            }
        }
        if let Some(retried) = event.retried {
            told.insert("retried".to_owned(), json!(retried));
        }
        Value::Object(told)
    };
    events.iter().map(told).collect()
}
