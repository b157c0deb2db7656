//! Requests that the host makes for a rotator, with values in them that the rotator cannot read.
//!
//! A [`Request`] is put together from text and [`Sensitive`] values; the host writes the values down, sends the request, and gives
//! back the answer's [`Status`], or all of it. What may be asked of whom is the operator's decision: `http` in the function's
//! `[grants]` names origin, methods, paths, the places where a sensitive value may stand, and whether answers may be read.
//!
//! # A complete rotator
//!
//! It gives a service a new key with the old one, and asks with the new one whether it works:
//!
//! ```
//! use pawl_guest::http::{Request, Text};
//! use pawl_guest::{Failure, Rotation, Rotator, Rules, Version, export};
//!
//! const KEY: &str = "https://api.example.com/v1/key";
//!
//! struct ApiKey;
//!
//! impl Rotator for ApiKey {
//!     fn create(rotation: &Rotation) -> Result<(), Failure> {
//!         let rules = Rules { length: Some(40), exclude_punctuation: Some(true), ..Rules::default() };
//!         rotation.create_pending(|current| Ok(current.with("api_key", rotation.random_password(&rules)?)))
//!     }
//!
//!     fn set(rotation: &Rotation) -> Result<(), Failure> {
//!         let new = rotation.pending()?.sensitive("api_key")?;
//!         // An earlier try may have got through, although its host died before it knew.
//!         if rotation.exposed()? && Request::get(KEY).bearer(&new).status()?.is_success() {
//!             return Ok(());
//!         }
//!         let old = rotation.current()?.sensitive("api_key")?;
//!         let body = Text::from("{\"key\": \"").json(&new).text("\"}");
//!         let status = Request::put(KEY).bearer(&old).header("idempotency-key", rotation.id()).json(body).status()?;
//!         Ok(status.success("setting the new key")?)
//!     }
//!
//!     fn test(rotation: &Rotation) -> Result<(), Failure> {
//!         let new = rotation.pending()?.sensitive("api_key")?;
//!         Ok(Request::get(KEY).bearer(&new).status()?.success("asking with the new key")?)
//!     }
//! }
//!
//! export!(ApiKey);
//! # fn main() {}
//! ```
//!
//! and its `pawl.toml`:
//!
//! ```toml
//! [grants]
//! pending-fields = ["api_key"]
//!
//! [[grants.http]]
//! origin = "https://api.example.com"
//! methods = ["GET", "PUT"]
//! paths = ["/v1/key"]
//! sensitive = ["header:authorization", "body"]
//! ```
//!
//! # What the host holds to
//!
//! * A request with another method than GET and HEAD that carries a value of the pending version is noted before it is sent; GET and
//!   HEAD carry such a value only after that. So [`Rotation::exposed`](crate::Rotation::exposed) is asked first.
//! * Nothing is promoted before a request of `test` that carried the new value was answered with a 2xx status.
//! * An answer that holds a sensitive value ends the step, whatever the rotator makes of it. [`Request::status`] does not look at
//!   more than the status, and is never ended so.
//! * Redirects are not followed, and no part of a URL is sensitive.

use std::fmt;

use crate::bindings::pawl::rotation::http;
use crate::failure::Failure;
use crate::rotation::Sensitive;

/// A header field's value or a body: text, with sensitive values in it.
#[derive(Debug, Default)]
pub struct Text<'a>(Vec<Part<'a>>);

#[derive(Debug)]
enum Part<'a> {
    Text(String),
    Sensitive(&'a Sensitive),
    Json(&'a Sensitive),
    Percent(&'a Sensitive),
    Basic(String, &'a Sensitive),
}

impl<'a> Text<'a> {
    /// No text yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// With this text behind it, as it stands.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.with(Part::Text(text.into()))
    }

    /// With a value behind it, as it is.
    #[must_use]
    pub fn sensitive(self, value: &'a Sensitive) -> Self {
        self.with(Part::Sensitive(value))
    }

    /// With a value behind it, as the inside of a JSON string: the quotes are the text's around it.
    #[must_use]
    pub fn json(self, value: &'a Sensitive) -> Self {
        self.with(Part::Json(value))
    }

    /// With a value behind it, percent-encoded, as forms have it.
    #[must_use]
    pub fn percent(self, value: &'a Sensitive) -> Self {
        self.with(Part::Percent(value))
    }

    /// With base64 of `user:password` behind it.
    #[must_use]
    pub fn basic(self, user: impl Into<String>, password: &'a Sensitive) -> Self {
        self.with(Part::Basic(user.into(), password))
    }

    fn with(mut self, part: Part<'a>) -> Self {
        self.0.push(part);
        self
    }

    fn lent(&self) -> Vec<http::Part<'_>> {
        self.0.iter().map(Part::lent).collect()
    }
}

impl Part<'_> {
    fn lent(&self) -> http::Part<'_> {
        match self {
            Self::Text(text) => http::Part::Text(text.clone()),
            Self::Sensitive(value) => http::Part::Sensitive(value.raw()),
            Self::Json(value) => http::Part::Json(value.raw()),
            Self::Percent(value) => http::Part::Percent(value.raw()),
            Self::Basic(user, password) => {
                http::Part::Basic(http::Basic { user: user.clone(), password: password.raw() })
            }
        }
    }
}

impl From<&str> for Text<'_> {
    fn from(text: &str) -> Self {
        Self::new().text(text)
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::new().text(text)
    }
}

impl<'a> From<&'a Sensitive> for Text<'a> {
    fn from(value: &'a Sensitive) -> Self {
        Self::new().sensitive(value)
    }
}

/// A request, until it is sent by [`Request::status`] or [`Request::send`].
#[derive(Debug)]
#[must_use]
pub struct Request<'a> {
    method: String,
    url: String,
    headers: Vec<(String, Text<'a>)>,
    body: Text<'a>,
}

impl<'a> Request<'a> {
    /// A request with any of the methods that there are: GET, HEAD, POST, PUT, PATCH, DELETE.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: Text::new() }
    }

    /// Asks for what is at a URL.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Gives a server something to work on.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Puts something in the place of what is at a URL. Sent twice, it does the same as sent once: the method for a new key.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// Changes a part of what is at a URL.
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new("PATCH", url)
    }

    /// Takes away what is at a URL.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// With this header field. Its name in lower case, and each once.
    pub fn header(mut self, name: &str, value: impl Into<Text<'a>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With `authorization: Bearer` and the value.
    pub fn bearer(self, value: &'a Sensitive) -> Self {
        self.header("authorization", Text::from("Bearer ").sensitive(value))
    }

    /// With `authorization: Basic`, a user name and the value as its password.
    pub fn basic(self, user: impl Into<String>, password: &'a Sensitive) -> Self {
        self.header("authorization", Text::from("Basic ").basic(user, password))
    }

    /// With this body, of this type.
    pub fn body(self, content_type: &str, body: impl Into<Text<'a>>) -> Self {
        let mut request = self.header("content-type", content_type);
        request.body = body.into();
        request
    }

    /// With this body, which is JSON.
    pub fn json(self, body: impl Into<Text<'a>>) -> Self {
        self.body("application/json", body)
    }

    /// With this body, which is a form: `key=` and [`Text::percent`].
    pub fn form(self, body: impl Into<Text<'a>>) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sends it, and gives the answer's status. The rest of the answer is not looked at.
    ///
    /// # Errors
    /// When it was not sent, or no answer came.
    pub fn status(self) -> Result<Status, HttpError> {
        Ok(Status(self.exchange(http::Answer::Status)?.status))
    }

    /// Sends it, and gives the whole answer, which must be text of at most 64 KiB. Needs `answers = true` in the grant.
    ///
    /// # Errors
    /// When it was not sent, no answer came, or it is none that is shown.
    pub fn send(self) -> Result<Response, HttpError> {
        let http::Response { status, headers, body } = self.exchange(http::Answer::Whole)?;
        let headers = headers.into_iter().map(|field| (field.name, field.value)).collect();
        Ok(Response { status: Status(status), headers, body })
    }

    /// Sends it, and takes the keys that the server has made from these places of its answer, for
    /// [`Version::with`](crate::Version::with). Needs the places in the grant's `capture`, and works in `create` alone, before there is
    /// a pending version.
    ///
    /// Send [`Rotation::id`](crate::Rotation::id) as the idempotency token of a server that knows such tokens: a host may die between
    /// this and the pending version, and the next try asks again.
    ///
    /// # Errors
    /// When it was not sent, no answer came, or the keys are not in it.
    pub fn capture(self, places: &[Place<'_>]) -> Result<Captured, HttpError> {
        let place = |place: &Place<'_>| match place {
            Place::Json(pointer) => http::Place::Json((*pointer).to_owned()),
            Place::Header(name) => http::Place::Header((*name).to_owned()),
        };
        let places: Vec<_> = places.iter().map(place).collect();
        let http::Captured { status, values } = http::capture(&self.raw(http::Answer::Status), &places)?;
        Ok(Captured { status: Status(status), keys: values.into_iter().map(Sensitive::from_raw).collect() })
    }

    fn exchange(&self, answer: http::Answer) -> Result<http::Response, HttpError> {
        Ok(http::send(&self.raw(answer))?)
    }

    fn raw(&self, answer: http::Answer) -> http::Request<'_> {
        http::Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.iter().map(lent).collect(),
            body: self.body.lent(),
            answer,
        }
    }
}

fn lent<'a>((name, value): &'a (String, Text<'_>)) -> http::Header<'a> {
    http::Header { name: name.clone(), value: value.lent() }
}

/// Where in an answer a key stands that the server has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// What this pointer (RFC 6901, such as `/data/key`) leads to in a body of JSON: a text.
    Json(&'a str),
    /// The value of this header field, whose name is in lower case.
    Header(&'a str),
}

/// What became of a request for keys.
#[derive(Debug)]
pub struct Captured {
    /// The answer's status.
    pub status: Status,
    /// A key for each place, in their order; none unless the status is 2xx.
    pub keys: Vec<Sensitive>,
}

impl Captured {
    /// The key of a request with one place.
    ///
    /// # Errors
    /// Another status than 2xx: with what was done, and whose move it is.
    pub fn key(mut self, what: &str) -> Result<Sensitive, Failure> {
        self.status.success(what)?;
        self.keys.pop().ok_or_else(|| Failure::Permanent(format!("{what}: the server gave no key")))
    }
}

/// An answer's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(u16);

impl Status {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }

    /// Whether the server did what it was asked (2xx).
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self.0, 200..=299)
    }

    /// Whether the server does not know the credentials, or what they may not do (401, 403).
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self.0, 401 | 403)
    }

    /// Whether the same request may be answered otherwise a while later (408, 425, 429, 5xx).
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self.0, 408 | 425 | 429 | 500..=599)
    }

    /// Insists on success.
    ///
    /// # Errors
    /// Another status: with what was done, and whose move it is.
    pub fn success(self, what: &str) -> Result<(), Failure> {
        let text = format!("{what}: the server answered with status {}", self.0);
        match self {
            it if it.is_success() => Ok(()),
            it if it.is_transient() => Err(Failure::Transient(text)),
            _ => Err(Failure::Permanent(text)),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A whole answer. No sensitive value of the secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: Status,
    /// Its header fields, names in lower case, without cookies.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Response {
    /// The first header field of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer: each asks for a different next move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The function's grants do not cover this request. It was not sent.
    NotGranted(String),
    /// The request is malformed, against a rule of the contract, or beyond a limit. It was not sent.
    Refused(String),
    /// Nothing answered in time at this host and port. The request was not sent.
    Unreachable(String),
    /// The server's certificate was not accepted. The request was not sent.
    Untrusted(String),
    /// The server refused this secret's values too often. The request was not sent.
    LockoutBudgetSpent(String),
    /// The request was sent, and no answer came: whether it had effect is not known.
    Lost(String),
    /// The request was sent and answered with this status, and the rest is too long, compressed, or no text.
    Unreadable(Status),
    /// Another rotation, or a person, has taken over this secret. The request was not sent.
    Superseded,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted(text)
            | Self::Refused(text)
            | Self::Unreachable(text)
            | Self::Untrusted(text)
            | Self::LockoutBudgetSpent(text)
            | Self::Lost(text) => f.write_str(text),
            Self::Unreadable(status) => {
                write!(
                    f,
                    "the server answered with status {status}, and the answer is too long, compressed, or no text"
                )
            }
            Self::Superseded => f.write_str(crate::failure::SUPERSEDED),
        }
    }
}

impl std::error::Error for HttpError {}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let text = error.to_string();
        match error {
            HttpError::Unreachable(_) | HttpError::Lost(_) => Self::Transient(text),
            HttpError::Unreadable(status) if status.is_transient() => Self::Transient(text),
            HttpError::NotGranted(_)
            | HttpError::Refused(_)
            | HttpError::Untrusted(_)
            | HttpError::LockoutBudgetSpent(_)
            | HttpError::Unreadable(_)
            | HttpError::Superseded => Self::Permanent(text),
        }
    }
}

impl From<http::Error> for HttpError {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::NotGranted(text) => Self::NotGranted(text),
            http::Error::Refused(text) => Self::Refused(text),
            http::Error::Unreachable(text) => Self::Unreachable(text),
            http::Error::Untrusted(text) => Self::Untrusted(text),
            http::Error::LockoutBudgetSpent(text) => Self::LockoutBudgetSpent(text),
            http::Error::Lost(text) => Self::Lost(text),
            http::Error::Unreadable(status) => Self::Unreadable(Status(status)),
            http::Error::Superseded => Self::Superseded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_and_an_error_say_whose_move_it_is() {
        assert_eq!(Status(204).success("x"), Ok(()));
        for transient in [408, 425, 429, 500, 503] {
            assert!(matches!(Status(transient).success("x"), Err(Failure::Transient(_))), "{transient}");
        }
        for permanent in [301, 400, 401, 403, 404, 409] {
            let text = format!("setting: the server answered with status {permanent}");
            assert_eq!(Status(permanent).success("setting"), Err(Failure::Permanent(text)));
        }
        let text = || "api.example.com:443 did not answer".to_owned();
        assert_eq!(Failure::from(HttpError::Lost(text())), Failure::Transient(text()));
        assert_eq!(Failure::from(HttpError::Unreachable(text())), Failure::Transient(text()));
        assert_eq!(Failure::from(HttpError::NotGranted(text())), Failure::Permanent(text()));
        assert!(matches!(Failure::from(HttpError::Unreadable(Status(502))), Failure::Transient(_)));
        assert!(matches!(Failure::from(HttpError::Unreadable(Status(200))), Failure::Permanent(_)));
    }
}
