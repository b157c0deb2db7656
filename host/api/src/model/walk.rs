//! The check of a request's body against its table.
//!
//! The body is walked as it comes: nothing of it is kept, and a valid one costs no allocation. One that breaks a constraint is
//! walked again to quote what AWS quotes; what is sensitive or unknown is never quoted.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_core::limits;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::{Constraint, Kind, List, Map, Member, Structure, rewrite, spelt};
use crate::error::{ApiError, ErrorCode};

/// A body that its table admits.
pub(crate) enum Admitted {
    /// As it came.
    AsItIs,
    /// In another form, which means the same to AWS: see [`rewrite`].
    Rewritten(Zeroizing<Vec<u8>>),
}

/// Checks a body.
///
/// # Errors
/// `SerializationException` for what is not the JSON that the table describes, `ValidationException` for what breaks it.
pub(crate) fn admit(structure: &'static Structure, body: &[u8]) -> Result<Admitted, ApiError> {
    let first = walk(structure, body, false)?;
    if !first.unusual {
        return if first.broken { Err(told(structure, body)) } else { Ok(Admitted::AsItIs) };
    }
    let body = rewrite::plain(structure, body).map_err(|error| not_json(&error))?;
    if walk(structure, &body, false)?.broken {
        Err(told(structure, &body))
    } else {
        Ok(Admitted::Rewritten(body))
    }
}

/// The error that tells `violations`.
pub(crate) fn detected<'v>(violations: impl ExactSizeIterator<Item = &'v str>) -> ApiError {
    let count = violations.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut message = format!("{count} validation error{plural} detected: ");
    for (n, violation) in violations.enumerate() {
        message.push_str(if n == 0 { "" } else { "; " });
        message.push_str(violation);
    }
    ApiError::new(ErrorCode::ValidationException, message)
}

/// Walks a body again, which breaks its table, to say where.
fn told(structure: &'static Structure, body: &[u8]) -> ApiError {
    match walk(structure, body, true) {
        Ok(walk) => {
            let violations = walk.quotes.map(|quotes| quotes.violations).unwrap_or_default();
            let told: Vec<&str> = violations.iter().map(|violation| violation.text.as_str()).collect();
            detected(told.into_iter())
        }
        Err(error) => error,
    }
}

fn walk(structure: &'static Structure, body: &[u8], quoting: bool) -> Result<Walk, ApiError> {
    let mut walk = Walk { quotes: quoting.then(Quotes::default), ..Walk::default() };
    let mut json = serde_json::Deserializer::from_slice(body);
    let whole = Member::new("", Kind::Structure(structure)).required();
    let seed = Seed { walk: &mut walk, member: &whole, kind: &whole.kind, in_list: false };
    let seen = seed.deserialize(&mut json).and_then(|seen| json.end().map(|()| seen));
    match (seen, walk.refusal.take()) {
        (_, Some(refusal)) => Err(refusal),
        (Err(error), None) => Err(not_json(&error)),
        (Ok(seen), None) if seen.null => Err(serialization("The request's body must be a JSON object.")),
        (Ok(_), None) => Ok(walk),
    }
}

fn serialization(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::SerializationException, message)
}

/// Serde's own message may quote the body.
pub(crate) fn not_json(error: &serde_json::Error) -> ApiError {
    serialization(format!(
        "The request's body is not the JSON that this operation takes: see line {}, column {}.",
        error.line(),
        error.column()
    ))
}

/// What a walk finds.
#[derive(Default)]
struct Walk {
    /// Whether a constraint is broken.
    broken: bool,
    /// Whether the body has something that serde would take in another way than AWS does.
    unusual: bool,
    /// Why the walk ended early.
    refusal: Option<ApiError>,
    quotes: Option<Quotes>,
}

#[derive(Default)]
struct Quotes {
    path: String,
    violations: Vec<Violation>,
}

struct Violation {
    /// Where the member stands in the table, at the level that is being walked.
    order: usize,
    text: String,
}

impl Walk {
    fn breaks(&mut self, constraint: impl fmt::Display, quote: Option<&str>, null: bool) {
        self.broken = true;
        let Some(quotes) = &mut self.quotes else { return };
        let value = match quote {
            _ if null => "Value null".to_owned(),
            Some(quote) => format!("Value '{quote}'"),
            None => "Value".to_owned(),
        };
        let text = format!("{value} at '{}' failed to satisfy constraint: {constraint}", quotes.path);
        quotes.violations.push(Violation { order: 0, text });
    }

    /// Does `with` one level down, where errors say `name`.
    fn below<T>(&mut self, name: impl Iterator<Item = char>, with: impl FnOnce(&mut Self) -> T) -> T {
        let Some(quotes) = &mut self.quotes else { return with(self) };
        let length = quotes.path.len();
        if length > 0 {
            quotes.path.push('.');
        }
        quotes.path.extend(name);
        let done = with(self);
        if let Some(quotes) = &mut self.quotes {
            quotes.path.truncate(length);
        }
        done
    }

    fn violations(&self) -> usize {
        self.quotes.as_ref().map_or(0, |quotes| quotes.violations.len())
    }

    /// Says that the violations since `start` are those of the table's member number `order`.
    fn ordered(&mut self, start: usize, order: usize) {
        let violations = self.quotes.iter_mut().flat_map(|quotes| quotes.violations.iter_mut().skip(start));
        violations.for_each(|violation| violation.order = order);
    }

    /// Brings the violations since `start` into the table's order, and keeps as many as AWS tells.
    fn sort(&mut self, start: usize) {
        if let Some(quotes) = &mut self.quotes {
            if let Some(since) = quotes.violations.get_mut(start..) {
                since.sort_by_key(|violation| violation.order);
            }
            quotes.violations.truncate(start.saturating_add(limits::VIOLATIONS_TOLD_MAX));
        }
    }

    fn refuse<E: Error>(&mut self, message: impl Into<String>) -> E {
        self.refusal = Some(serialization(message));
        E::custom("refused")
    }
}

/// What was in a place.
#[derive(Default)]
struct Seen {
    null: bool,
    /// Whether an element of a list breaks what its elements must be.
    broken: bool,
    /// The element, to be quoted with its list.
    quote: Option<String>,
}

/// Walks one value.
struct Seed<'w> {
    walk: &'w mut Walk,
    member: &'w Member,
    kind: &'w Kind,
    in_list: bool,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Seen;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Seed<'_> {
    fn scalar(self, broken: impl Iterator<Item = Constraint>, quote: impl FnOnce() -> String) -> Seen {
        let quote = (self.walk.quotes.is_some() && !self.member.sensitive).then(quote);
        if self.in_list {
            return Seen { null: false, broken: broken.count() > 0, quote };
        }
        for constraint in broken {
            self.walk.breaks(constraint, quote.as_deref(), false);
        }
        Seen::default()
    }

    fn mismatch<T, E: Error>(self, token: &str) -> Result<T, E> {
        let message = match self.kind {
            Kind::Text(_) => format!("{token} can not be converted to a String"),
            Kind::Integer(integer) if integer.long => format!("{token} can not be converted to a Long"),
            Kind::Integer(_) => format!("{token} can not be converted to an Integer"),
            Kind::Boolean => format!("{token} can not be converted to a Boolean"),
            Kind::Blob(_) => format!("{token} can not be converted to a Blob"),
            Kind::Timestamp => format!("{token} can not be converted to milliseconds since epoch"),
            Kind::List(_) => "Expected list or null".to_owned(),
            Kind::Map(_) => "Expected map or null".to_owned(),
            Kind::Structure(_) => "Expected null".to_owned(),
        };
        Err(self.walk.refuse(message))
    }

    fn integer<E: Error>(self, number: i64) -> Result<Seen, E> {
        match *self.kind {
            Kind::Integer(integer) => Ok(self.scalar(integer.broken_by(number), || number.to_string())),
            // No request has one; its limits are the reader's.
            Kind::Timestamp => Ok(Seen::default()),
            _ => self.mismatch("NUMBER_VALUE"),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the table says")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Seen, E> {
        match self.kind {
            Kind::Boolean => Ok(Seen::default()),
            _ => self.mismatch(if value { "TRUE_VALUE" } else { "FALSE_VALUE" }),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Seen, E> {
        self.integer(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Seen, E> {
        match i64::try_from(number) {
            Ok(number) => self.integer(number),
            Err(_) => self.mismatch("NUMBER_VALUE"),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Seen, E> {
        match (self.kind, rewrite::whole(number)) {
            (Kind::Timestamp, _) => Ok(Seen::default()),
            (Kind::Integer(_), Some(whole)) => {
                self.walk.unusual = true;
                self.integer(whole)
            }
            _ => self.mismatch("NUMBER_VALUE"),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Seen, E> {
        match *self.kind {
            Kind::Text(rule) => Ok(self.scalar(rule.broken_by(text), || text.to_owned())),
            Kind::Blob(length) => match decoded_length(text) {
                Some(bytes) => Ok(self.scalar(length.broken_by(bytes), String::new)),
                None => {
                    Err(self.walk.refuse("STRING_VALUE can not be converted to a Blob: it is not Base64"))
                }
            },
            _ => self.mismatch("STRING_VALUE"),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Seen, E> {
        Ok(Seen { null: true, ..Seen::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Seen, A::Error> {
        let Kind::List(list) = *self.kind else {
            return Err(self.walk.refuse("Start of list found where not expected"));
        };
        elements(self.walk, self.member, list, seq)?;
        Ok(Seen::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Seen, A::Error> {
        match *self.kind {
            Kind::Structure(structure) => {
                members(self.walk, structure, map)?;
                Ok(Seen::default())
            }
            Kind::Map(of) => {
                entries(self.walk, self.member, of, map)?;
                Ok(Seen::default())
            }
            _ => Err(self.walk.refuse("Start of structure or map found where not expected.")),
        }
    }
}

fn elements<'de, A: SeqAccess<'de>>(
    walk: &mut Walk,
    member: &Member,
    list: &'static List,
    mut seq: A,
) -> Result<(), A::Error> {
    let (mut count, mut broken) = (0_usize, false);
    let mut quotes = Vec::new();
    let start = walk.violations();
    loop {
        let kind = &list.element;
        let one = if kind.is_scalar() {
            seq.next_element_seed(Seed { walk: &mut *walk, member, kind, in_list: true })?
        } else {
            let number = count.saturating_add(1);
            let name = if walk.quotes.is_some() { format!("{number}.member") } else { String::new() };
            walk.below(name.chars(), |walk| {
                seq.next_element_seed(Seed { walk, member, kind, in_list: false })
            })?
        };
        let Some(seen) = one else { break };
        if seen.null {
            walk.unusual = true;
            continue;
        }
        count = count.saturating_add(1);
        broken |= seen.broken;
        quotes.extend(seen.quote);
        walk.ordered(start, 0);
        walk.sort(start);
    }
    let quoted = walk.quotes.is_some() && list.element.is_scalar() && !member.sensitive;
    let quote = quoted.then(|| format!("[{}]", quotes.join(", ")));
    // AWS takes a list that may be empty, and is, for one that is not there.
    if count == 0 && !member.required && list.length.broken_by(0).next().is_none() {
        walk.unusual = true;
        return Ok(());
    }
    for constraint in list.length.broken_by(count) {
        walk.breaks(constraint, quote.as_deref(), false);
    }
    if broken && let Kind::Text(rule) = list.element {
        let all: Vec<String> = rule.constraints().map(|constraint| constraint.to_string()).collect();
        walk.breaks(
            format_args!("Member must satisfy constraint: [{}]", all.join(", ")),
            quote.as_deref(),
            false,
        );
    }
    Ok(())
}

/// Walks a map's values. Which texts its keys are does not matter, and no value is null.
fn entries<'de, A: MapAccess<'de>>(
    walk: &mut Walk,
    member: &Member,
    of: &'static Map,
    mut map: A,
) -> Result<(), A::Error> {
    while map.next_key::<IgnoredAny>()?.is_some() {
        let seed = Seed { walk: &mut *walk, member, kind: &of.value, in_list: false };
        if map.next_value_seed(seed)?.null {
            return Err(walk.refuse("A map's value must not be null."));
        }
    }
    Ok(())
}

fn members<'de, A: MapAccess<'de>>(
    walk: &mut Walk,
    structure: &'static Structure,
    mut map: A,
) -> Result<(), A::Error> {
    // More members than bits has no structure: a test says so.
    let (mut seen, mut filled) = (0_u64, 0_u64);
    let start = walk.violations();
    while let Some(found) = map.next_key_seed(Name(structure))? {
        let Some((order, member)) = found else {
            map.next_value::<IgnoredAny>()?;
            continue;
        };
        let bit = 1_u64 << (order & 63);
        walk.unusual |= seen & bit != 0;
        seen |= bit;
        let before = walk.violations();
        let value = walk.below(spelt(member.name), |walk| {
            map.next_value_seed(Seed { walk, member, kind: &member.kind, in_list: false })
        })?;
        walk.ordered(before, order);
        if !value.null {
            filled |= bit;
        }
    }
    for (order, member) in structure.members.iter().enumerate() {
        if member.required && filled & (1_u64 << (order & 63)) == 0 {
            let before = walk.violations();
            walk.below(spelt(member.name), |walk| walk.breaks(Constraint::NotNull, None, true));
            walk.ordered(before, order);
        }
    }
    walk.sort(start);
    Ok(())
}

/// Finds a member by its name.
struct Name(&'static Structure);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<(usize, &'static Member)>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<(usize, &'static Member)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.members.iter().enumerate().find(|(_, member)| member.name == name))
    }
}

/// How many bytes a base64 text holds, if it is one. They pass through memory that is wiped.
fn decoded_length(text: &str) -> Option<usize> {
    const CHARS: usize = 1024;
    let mut bytes = Zeroizing::new([0_u8; CHARS / 4 * 3]);
    let mut length = 0_usize;
    let mut chunks = text.as_bytes().chunks(CHARS).peekable();
    while let Some(chunk) = chunks.next() {
        let decoded = STANDARD.decode_slice(chunk, &mut *bytes).ok()?;
        // Padding is for the end.
        if chunks.peek().is_some() && decoded != CHARS / 4 * 3 {
            return None;
        }
        length = length.saturating_add(decoded);
    }
    Some(length)
}
