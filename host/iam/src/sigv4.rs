//! Signature Version 4: who signed a request, and whether the signature holds.
//!
//! Three calls, so that the slow part can be kept out of the hot path:
//! [`present`] reads who claims to have signed, with nothing secret; the caller finds that access key's
//! [`SigningKey`], which is the same for a whole day and so can be cached; [`verify`] checks the request's bytes.
//! [`sign`] is the other side, for the command line and for tests.
//!
//! Why this is not a crate from the registry: `docs/adr/0002-own-sigv4.md`.

mod canonical;
mod error;
mod key;
mod moment;
mod present;
mod sign;
mod verify;

pub use canonical::normal_path;
pub use error::{AuthError, Malformed, ScopePart};
pub use key::SigningKey;
pub use present::{Presented, present};
pub use sign::sign;
pub use verify::{verify, verify_head};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

/// The one algorithm that is spoken. `SigV4A` (asymmetric) is not.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What ends a credential's scope.
const TERMINATOR: &str = "aws4_request";

/// A request without its body, as it came over the wire: nothing decoded, nothing tidied.
///
/// Not printable: its headers hold credentials.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// The path as sent, escapes and all, without the query.
    pub path: &'a str,
    /// The query as sent, without the question mark.
    pub query: &'a str,
    /// The headers in their order; names are lower case and may repeat. Over HTTP/2, `:authority` is to be given as
    /// `host`.
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl<'a> Head<'a> {
    /// The value of a header that may be there once.
    fn single(&self, name: &str) -> Result<Option<&'a [u8]>, AuthError> {
        let mut values = self.headers.iter().filter(|(held, _)| *held == name).map(|(_, value)| *value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Malformed::Repeated.into()),
        }
    }

    /// As [`Head::single`], for a header that must be text.
    fn single_text(&self, name: &str) -> Result<Option<&'a str>, AuthError> {
        let Some(value) = self.single(name)? else { return Ok(None) };
        let text = std::str::from_utf8(value).map_err(|_| Malformed::NotText)?;
        Ok(Some(text.trim_ascii()))
    }
}
