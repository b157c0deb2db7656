//! Tokens of identity providers: who may be believed, by which keys, and what a token says.
//!
//! [`token`] takes a token apart and judges it, and knows nothing of networks; [`keys`] reads key sets; [`issuer`] has the keys of
//! each provider at hand.

mod fetch;
mod issuer;
mod keys;
mod token;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::outbound::AuthoritiesError;

pub(crate) use self::issuer::Issuers;
pub(crate) use self::token::{Claims, Token, TokenError};

/// What an operator says of identity providers.
#[derive(Clone, Debug, Default)]
pub struct OidcSettings {
    /// Certificate authorities, as PEM, that providers' servers are verified by, beside the system's.
    pub ca: Option<PathBuf>,
    /// Files of the keys of providers that are not asked themselves, by their issuers (`https://...`).
    pub key_sets: BTreeMap<String, PathBuf>,
}

/// Why identity providers cannot be believed at all.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// A file.
    #[error("`{path}`: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The authorities by which providers' servers are verified.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// Not a key set.
    #[error("`{path}` holds no keys of an identity provider (a JSON Web Key Set): {why}")]
    KeySet {
        /// Which.
        path: PathBuf,
        /// Why.
        why: KeySetError,
    },
}

/// Why a text is no key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not JSON, or not of this form.
    #[error("it is not JSON of that form")]
    Form,
    /// Too long.
    #[error("it is too long")]
    TooLong,
    /// Nothing that a signature could be verified by.
    #[error("no key in it is one for RS256, RS384, RS512, ES256, ES384 or EdDSA")]
    NoKey,
}
