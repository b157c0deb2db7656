//! What is known about a request: the values that a policy's conditions ask for.

use std::borrow::Cow;
use std::net::IpAddr;

use pawl_core::world::Timestamp;

/// The values of a request by their keys. A key may have several values; a key that is not there has none.
///
/// Nothing is copied: keys and values are borrowed from the request. Keys have no case, as in AWS.
#[derive(Clone, Debug, Default)]
pub struct ConditionContext<'a> {
    entries: Vec<(Key<'a>, ContextValue<'a>)>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextValue<'a> {
    /// Text, among it ARNs.
    Text(Cow<'a, str>),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A moment: `aws:CurrentTime`.
    Moment(Timestamp),
    /// An address: `aws:SourceIp`.
    Address(IpAddr),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

/// A key in two parts, so that a tag's key needs no text of its own.
#[derive(Clone, Copy, Debug)]
struct Key<'a> {
    family: &'a str,
    tag: &'a str,
}

impl Key<'_> {
    fn is(&self, key: &str) -> bool {
        key.split_at_checked(self.family.len()).is_some_and(|(family, tag)| {
            tag.len() == self.tag.len()
                && self.family.eq_ignore_ascii_case(family)
                && self.tag.eq_ignore_ascii_case(tag)
        })
    }
}

/// Values of a usual request.
const VALUES_USUAL: usize = 24;

impl<'a> ConditionContext<'a> {
    /// An empty one, with room for a request's values.
    pub(super) fn with_room() -> Self {
        Self { entries: Vec::with_capacity(VALUES_USUAL) }
    }

    /// Adds a value: `context.push("aws:SecureTransport", true)`. Again for each further value of the key.
    pub fn push(&mut self, key: &'a str, value: impl Into<ContextValue<'a>>) {
        self.entries.push((Key { family: key, tag: "" }, value.into()));
    }

    /// Adds a tag: `context.push_tag("aws:ResourceTag/", "team", "payments")`.
    pub fn push_tag(&mut self, family: &'a str, tag: &'a str, value: &'a str) {
        self.entries.push((Key { family, tag }, value.into()));
    }

    /// Every value of a key.
    pub(super) fn values(&self, key: &str) -> impl Iterator<Item = &ContextValue<'a>> {
        self.entries.iter().filter(move |(held, _)| held.is(key)).map(|(_, value)| value)
    }

    /// The value of a key that has exactly one.
    pub(super) fn single(&self, key: &str) -> Option<&ContextValue<'a>> {
        let mut values = self.values(key);
        values.next().filter(|_| values.next().is_none())
    }
}

impl ContextValue<'_> {
    /// The value as text, as operators on strings see it.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Moment(moment) => Cow::Owned(moment.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            Self::Address(address) => Cow::Owned(address.to_string()),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes),
        }
    }

    /// An empty text counts as no value where sets are compared (AWS: "a null data set, such as an empty string").
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

impl<'a> From<&'a str> for ContextValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for ContextValue<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<bool> for ContextValue<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for ContextValue<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for ContextValue<'_> {
    fn from(moment: Timestamp) -> Self {
        Self::Moment(moment)
    }
}

impl From<IpAddr> for ContextValue<'_> {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl<'a> From<&'a [u8]> for ContextValue<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

/// Whether a text can be a key: a vendor (`aws`, `secretsmanager`, a provider's domain), a colon, and a name, which may
/// end in a tag's key.
pub(super) fn is_key(text: &str) -> bool {
    let vendor = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    let name = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    text.split_once(':').is_some_and(|(before, after)| {
        !before.is_empty() && before.chars().all(vendor) && !after.is_empty() && after.chars().all(name)
    })
}
