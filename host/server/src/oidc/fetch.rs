//! Documents of a provider, over TLS and from nowhere else than where it is.
//!
//! Whoever may make a provider chooses an address that this host then asks; callers without a signature choose nothing but which
//! of the providers. So the address is https, redirects and proxies are not followed, what comes back is read as keys and shown to
//! nobody, and addresses that rotators may not reach (metadata services, and what the operator denies) are not asked either.

use std::path::{Path, PathBuf};

use pawl_core::limits;
use pawl_runtime::dial::Egress;
use serde::Deserialize;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::keys::KeySet;
use super::{KeySetError, OidcError};
use crate::outbound::tls;

/// Why there are no keys; for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("`{0}` is no address that a provider's document can be at")]
    Address(String),
    #[error("{address}: {why}")]
    Unreachable { address: String, why: String },
    #[error("{address}: it answers {status}")]
    Status { address: String, status: u16 },
    #[error("{address}: it is no discovery document")]
    Discovery { address: String },
    #[error("{address}: it is the document of another issuer")]
    OtherIssuer { address: String },
    #[error("{address}: {why}")]
    KeySet { address: String, why: KeySetError },
    #[error("`{path}`: {why}")]
    File { path: PathBuf, why: String },
}

/// Asks providers.
pub(super) struct Fetcher {
    agent: ureq::Agent,
}

/// What is needed of a discovery document ("OpenID Connect Discovery 1.0").
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Fetcher {
    pub(super) fn new(ca: Option<&Path>, egress: Egress) -> Result<Self, OidcError> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .timeout_global(Some(limits::PROVIDER_FETCH_TIMEOUT))
            .user_agent(concat!("pawl/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(ca)?)
            .build();
        let resolver = Guarded { egress, names: DefaultResolver::default() };
        Ok(Self { agent: ureq::Agent::with_parts(config, DefaultConnector::default(), resolver) })
    }

    /// The keys of an issuer, by its discovery document.
    pub(super) fn keys(&self, issuer: &str) -> Result<KeySet, FetchError> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let bytes = self.get(&address, limits::DISCOVERY_BYTES_MAX)?;
        let found: Discovery =
            serde_json::from_slice(&bytes).map_err(|_| FetchError::Discovery { address: address.clone() })?;
        if found.issuer != issuer {
            return Err(FetchError::OtherIssuer { address });
        }
        let address = found.jwks_uri;
        let bytes = self.get(&address, limits::KEY_SET_BYTES_MAX)?;
        KeySet::parse(&bytes).map_err(|why| FetchError::KeySet { address, why })
    }

    fn get(&self, address: &str, most: u64) -> Result<Vec<u8>, FetchError> {
        let shown = || address.chars().take(limits::PROVIDER_URL_CHARS_MAX).collect::<String>();
        let uri: Uri = address.parse().map_err(|_| FetchError::Address(shown()))?;
        let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if uri.scheme_str() != Some("https") || !plain {
            return Err(FetchError::Address(shown()));
        }
        let unreachable =
            |error: ureq::Error| FetchError::Unreachable { address: shown(), why: error.to_string() };
        let mut answer = self.agent.get(uri).call().map_err(unreachable)?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(FetchError::Status { address: shown(), status });
        }
        answer.body_mut().with_config().limit(most).read_to_vec().map_err(unreachable)
    }
}

/// The keys in a file.
pub(super) fn of_file(path: &Path) -> Result<KeySet, FetchError> {
    read(path).map_err(|error| FetchError::File { path: path.to_owned(), why: error.to_string() })
}

/// As [`of_file`], at the start.
pub(super) fn read(path: &Path) -> Result<KeySet, OidcError> {
    let io = |source| OidcError::Io { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(io)?.len();
    let wrong = |why| OidcError::KeySet { path: path.to_owned(), why };
    if size > limits::KEY_SET_BYTES_MAX {
        return Err(wrong(KeySetError::TooLong));
    }
    KeySet::parse(&std::fs::read(path).map_err(io)?).map_err(wrong)
}

/// Names as the system resolves them, without the addresses that are not asked.
#[derive(Debug)]
struct Guarded {
    egress: Egress,
    names: DefaultResolver,
}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let all = self.names.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        for address in all.iter().filter(|address| self.egress.allows(address.ip())) {
            allowed.push(*address);
        }
        if allowed.is_empty() {
            return Err(ureq::Error::Io(std::io::Error::new(
                std::io::ErrorKind::PermissionDenied,
                "its address is one that this host does not connect to (--egress-deny, or a metadata service)",
            )));
        }
        Ok(allowed)
    }
}
