//! Connections that the host makes for a rotator, for protocols that the host does not know.
//!
//! A worker has no network. The host dials, encrypts where the grant says so, writes the values down that a [`Message`] names, and looks
//! through all that comes before the rotator is told anything of it. Which servers may be spoken to, whether sensitive values may be sent
//! and whether answers may be read is the operator's decision: `tcp` in the function's `[grants]`.
//!
//! ```
//! # use pawl_guest::{Failure, Rotation};
//! use pawl_guest::tcp::{Connection, Message, Number};
//!
//! # fn login(rotation: &Rotation) -> Result<(), Failure> {
//! let password = rotation.pending()?.sensitive("password")?;
//! let connection = Connection::open("cache.internal", 6379)?;
//! let auth = Message::from("*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$")
//!     .length(&password, Number::Decimal)
//!     .text("\r\n")
//!     .sensitive(&password)
//!     .text("\r\n");
//! connection.send(&auth)?;
//! match connection.expect(&["+OK", "-WRONGPASS"], "\r\n")? {
//!     Some(0) => Ok(()),
//!     Some(_) => Err(Failure::Permanent("the server does not know the password".to_owned())),
//!     None => Err(Failure::Permanent("the server answered otherwise".to_owned())),
//! }
//! # }
//! ```
//!
//! # What the host holds to
//!
//! * What carries a value of the pending version, or its hash, is noted before it is sent, and `set` alone may be the first to do that.
//! * Where the grant says how a server says yes (`accepts`), nothing is promoted before a message of `test` that carried the new value was
//!   answered so. Send such a message when everything before it was answered.
//! * What holds a sensitive value ends the step, whatever the rotator makes of it.
//! * A message is the same each time it is sent; a connection ends when it is dropped, and with the step.

use std::fmt;

use crate::bindings::pawl::rotation::tcp;
use crate::failure::{Failure, SUPERSEDED};
use crate::rotation::{Sensitive, Version};

pub use tcp::Number;

/// What is sent: bytes, with sensitive values in them.
#[derive(Debug, Default)]
pub struct Message<'a>(Vec<Part<'a>>);

#[derive(Debug)]
enum Part<'a> {
    Bytes(Vec<u8>),
    Sensitive(&'a Sensitive),
    Length(&'a Sensitive, u32, Number),
    Json(&'a Sensitive),
    Base64(Vec<u8>, &'a Sensitive),
    Sha256(&'a Sensitive),
    Field(&'a Version, String, Option<Number>),
}

impl<'a> Message<'a> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// With these bytes behind it.
    #[must_use]
    pub fn bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(Part::Bytes(bytes.into()))
    }

    /// With this text behind it.
    #[must_use]
    pub fn text(self, text: impl AsRef<str>) -> Self {
        self.bytes(text.as_ref())
    }

    /// With a value behind it, as it is. The host refuses one with a control character.
    #[must_use]
    pub fn sensitive(self, value: &'a Sensitive) -> Self {
        self.with(Part::Sensitive(value))
    }

    /// With the length of a value behind it, which the rotator does not know.
    #[must_use]
    pub fn length(self, of: &'a Sensitive, number: Number) -> Self {
        self.length_and(of, 0, number)
    }

    /// With the length of a value behind it, and so much more.
    #[must_use]
    pub fn length_and(self, of: &'a Sensitive, more: u32, number: Number) -> Self {
        self.with(Part::Length(of, more, number))
    }

    /// With a value behind it, as the inside of a JSON string: the quotes are the text's around it.
    #[must_use]
    pub fn json(self, value: &'a Sensitive) -> Self {
        self.with(Part::Json(value))
    }

    /// With base64 behind it, of `before` and a value: `\0user\0` for SASL PLAIN, nothing for LOGIN.
    #[must_use]
    pub fn base64(self, before: impl Into<Vec<u8>>, value: &'a Sensitive) -> Self {
        self.with(Part::Base64(before.into(), value))
    }

    /// With the SHA-256 of a value behind it, in 64 hexadecimal digits.
    #[must_use]
    pub fn sha256(self, value: &'a Sensitive) -> Self {
        self.with(Part::Sha256(value))
    }

    /// With a sensitive field of a version behind it: of another secret too, which was opened to log in with.
    #[must_use]
    pub fn field(self, of: &'a Version, name: &str) -> Self {
        self.with(Part::Field(of, name.to_owned(), None))
    }

    /// With the length of such a field behind it.
    #[must_use]
    pub fn field_length(self, of: &'a Version, name: &str, number: Number) -> Self {
        self.with(Part::Field(of, name.to_owned(), Some(number)))
    }

    fn with(mut self, part: Part<'a>) -> Self {
        self.0.push(part);
        self
    }

    fn lent(&self) -> Vec<tcp::Part<'_>> {
        self.0.iter().map(Part::lent).collect()
    }
}

impl From<&str> for Message<'_> {
    fn from(text: &str) -> Self {
        Self::new().text(text)
    }
}

impl Part<'_> {
    fn lent(&self) -> tcp::Part<'_> {
        match self {
            Self::Bytes(bytes) => tcp::Part::Bytes(bytes.clone()),
            Self::Sensitive(value) => tcp::Part::Sensitive(value.raw()),
            Self::Length(of, more, number) => {
                tcp::Part::Length(tcp::Length { of: of.raw(), more: *more, number: *number })
            }
            Self::Json(value) => tcp::Part::Json(value.raw()),
            Self::Base64(before, value) => {
                tcp::Part::Base64(tcp::Base64 { before: before.clone(), value: value.raw() })
            }
            Self::Sha256(value) => tcp::Part::Sha256(value.raw()),
            Self::Field(of, name, number) => {
                tcp::Part::Field(tcp::Field { of: of.raw(), name: name.clone(), number: *number })
            }
        }
    }
}

/// A connection. It ends when it is dropped.
#[derive(Debug)]
pub struct Connection(tcp::Connection);

impl Connection {
    /// Has the host dial, and with TLS make sure of the server.
    ///
    /// # Errors
    /// When the grants do not cover it, and when nothing trustworthy answers.
    pub fn open(host: &str, port: u16) -> Result<Self, TcpError> {
        Ok(Self(tcp::Connection::open(host, port)?))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the host refuses it, and when the connection breaks.
    pub fn send(&self, message: &Message<'_>) -> Result<(), TcpError> {
        Ok(self.0.send(&message.lent())?)
    }

    /// Waits for an answer, which ends with `end` (or where its beginning does, if that is empty), and tells the place of the first of these
    /// beginnings that it has. No grant is needed for that: the answer itself is not shown.
    ///
    /// # Errors
    /// When the connection breaks or ends before.
    pub fn expect<B: AsRef<[u8]>>(
        &self,
        beginnings: &[B],
        end: impl AsRef<[u8]>,
    ) -> Result<Option<usize>, TcpError> {
        let beginnings: Vec<_> = beginnings.iter().map(|begin| begin.as_ref().to_vec()).collect();
        let found = self.0.expect(&beginnings, end.as_ref())?;
        Ok(found.and_then(|place| usize::try_from(place).ok()))
    }

    /// Waits for some bytes, `most` at most; none at the end. Needs `answers` in the grant.
    ///
    /// # Errors
    /// When the grants do not let the rotator read, and when the connection breaks.
    pub fn receive(&self, most: u32) -> Result<Vec<u8>, TcpError> {
        Ok(self.0.receive(most)?)
    }

    /// Says that no more will be sent. What comes can still be looked at.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn finish(&self) -> Result<(), TcpError> {
        Ok(self.0.finish()?)
    }
}

/// Why something did not succeed over a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpError {
    /// The function's grants do not cover it. Nothing was sent.
    NotGranted(String),
    /// Against a rule of the contract, or beyond a limit. Nothing was sent.
    Refused(String),
    /// Nothing answered in time at this host and port. Nothing was sent.
    Unreachable(String),
    /// The server's certificate was not accepted. Nothing was sent.
    Untrusted(String),
    /// The server refused this secret's values too often. Nothing was sent.
    LockoutBudgetSpent(String),
    /// The connection broke, ended too early, or was too slow: whether what was sent last had effect is not known.
    Lost(String),
    /// Another rotation, or a person, has taken over this secret. Nothing was sent.
    Superseded,
}

impl fmt::Display for TcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotGranted(text)
            | Self::Refused(text)
            | Self::Unreachable(text)
            | Self::Untrusted(text)
            | Self::LockoutBudgetSpent(text)
            | Self::Lost(text) => text,
            Self::Superseded => SUPERSEDED,
        })
    }
}

impl std::error::Error for TcpError {}

impl From<TcpError> for Failure {
    fn from(error: TcpError) -> Self {
        let text = error.to_string();
        match error {
            TcpError::Unreachable(_) | TcpError::Lost(_) => Self::Transient(text),
            TcpError::NotGranted(_)
            | TcpError::Refused(_)
            | TcpError::Untrusted(_)
            | TcpError::LockoutBudgetSpent(_)
            | TcpError::Superseded => Self::Permanent(text),
        }
    }
}

impl From<tcp::Error> for TcpError {
    fn from(error: tcp::Error) -> Self {
        match error {
            tcp::Error::NotGranted(text) => Self::NotGranted(text),
            tcp::Error::Refused(text) => Self::Refused(text),
            tcp::Error::Unreachable(text) => Self::Unreachable(text),
            tcp::Error::Untrusted(text) => Self::Untrusted(text),
            tcp::Error::LockoutBudgetSpent(text) => Self::LockoutBudgetSpent(text),
            tcp::Error::Lost(text) => Self::Lost(text),
            tcp::Error::Superseded => Self::Superseded,
        }
    }
}
