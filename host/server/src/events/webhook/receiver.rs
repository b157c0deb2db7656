//! The receiver: where it is, whether it may be told, and one request to it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use pawl_core::limits;
use pawl_core::world::Timestamp;
use ureq::http::Uri;
use zeroize::Zeroizing;

use super::signature::SigningSecrets;
use crate::outbound::{AuthoritiesError, tls, told};

/// The address of a receiver. What comes after the host may be a secret, and is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Uri);

/// Why a text is no receiver's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it must be https://HOST[:PORT]/PATH, or http:// for a receiver on this machine, without a user's name"
)]
pub struct WebhookUrlError;

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;

    fn from_str(text: &str) -> Result<Self, WebhookUrlError> {
        let uri: Uri = text.parse().map_err(|_| WebhookUrlError)?;
        let authority = uri.authority().ok_or(WebhookUrlError)?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        if known && !authority.as_str().contains('@') { Ok(Self(uri)) } else { Err(WebhookUrlError) }
    }
}

impl WebhookUrl {
    fn is_encrypted(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Whether it is on this machine by its very name.
    fn is_local(&self) -> bool {
        let host = self.0.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.authority().map(|authority| authority.as_str()).unwrap_or_default();
        write!(f, "{}://{host}", self.0.scheme_str().unwrap_or_default())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an operator says of the receiver.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Where it is.
    pub url: WebhookUrl,
    /// The file of the secrets that messages are signed with.
    pub secret_file: PathBuf,
    /// Certificate authorities, as PEM, beside the system's.
    pub ca: Option<PathBuf>,
    /// Whether events may go over a network in clear.
    pub allow_http: bool,
}

/// Why there is no receiver.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// In clear, to another machine.
    #[error(
        "the webhook {0} is not encrypted, and its receiver is not on this machine: use https://, or --webhook-allow-http if \
         the network between may be trusted"
    )]
    InClear(WebhookUrl),
    /// A file.
    #[error("`{path}`: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a secret.
    #[error(
        "`{0}` holds no secret for the webhook's signatures: write `whsec_` and the base64 of 24 to 64 random bytes there, as \
         from `echo whsec_$(openssl rand -base64 32)`"
    )]
    Secret(PathBuf),
    /// The authorities by which it is verified.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
}

/// A receiver that can be told.
pub(crate) struct Receiver {
    url: WebhookUrl,
    secrets: SigningSecrets,
    agent: ureq::Agent,
    /// Whether it did not take what it was sent last.
    failing: AtomicBool,
}

impl Receiver {
    /// The receiver of these settings. Nothing is sent yet.
    pub(crate) fn new(settings: &WebhookSettings) -> Result<Self, WebhookError> {
        let url = settings.url.clone();
        if !url.is_encrypted() && !url.is_local() && !settings.allow_http {
            return Err(WebhookError::InClear(url));
        }
        let path = settings.secret_file.clone();
        let text = std::fs::read_to_string(&path)
            .map(Zeroizing::new)
            .map_err(|source| WebhookError::Io { path: path.clone(), source })?;
        let secrets = SigningSecrets::parse(&text).ok_or(WebhookError::Secret(path))?;
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // What is signed is for one receiver: no proxy reads it, no redirect takes it elsewhere.
            .proxy(None)
            .max_redirects(0)
            .timeout_global(Some(limits::WEBHOOK_SEND_TIMEOUT))
            .user_agent(concat!("pawl/", env!("CARGO_PKG_VERSION")));
        if url.is_encrypted() {
            config = config.https_only(true).tls_config(tls(settings.ca.as_deref())?);
        }
        Ok(Self { url, secrets, agent: config.build().into(), failing: AtomicBool::new(false) })
    }

    /// Sends one message, and waits for the answer.
    pub(super) fn post(&self, id: &str, now: Timestamp, body: &[u8]) -> Result<(), String> {
        let seconds = now.millis().div_euclid(1_000);
        let request = self
            .agent
            .post(self.url.0.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", self.secrets.sign(id, seconds, body));
        let mut answer = request.send(body).map_err(|error| told(&error))?;
        // Read to its end, so that the connection can be used again; what it says is nobody's business.
        let _ = answer.body_mut().with_config().limit(limits::WEBHOOK_ANSWER_BYTES_MAX).read_to_vec();
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answered {}", status.as_u16())) }
    }

    /// It takes events; said once when it did not before.
    pub(super) fn works(&self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!(webhook = %self.url, "the webhook's receiver takes events again");
        }
    }

    /// It does not take events; said once.
    pub(super) fn fails(&self, why: &str, sequence: u64) {
        let webhook = &self.url;
        if self.failing.swap(true, Ordering::Relaxed) {
            tracing::debug!(%webhook, event.sequence = sequence, why, "the webhook's receiver still takes no events");
        } else {
            tracing::warn!(%webhook, event.sequence = sequence, why, "the webhook's receiver takes no events; they wait for it");
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({})", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        let url: WebhookUrl = "https://hooks.example:8443/T0/SECRET?k=SECRET".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "https://hooks.example:8443 https://hooks.example:8443");
        for text in ["", "hooks.example", "ftp://h/", "https://u:p@h/", "https:///x"] {
            assert_eq!(text.parse::<WebhookUrl>(), Err(WebhookUrlError), "{text}");
        }
    }

    #[test]
    fn in_clear_only_on_this_machine_unless_it_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let secret_file = dir.path().join("secret");
        std::fs::write(&secret_file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let new = |url: &str, allow_http| {
            let (url, secret_file) = (url.parse().unwrap(), secret_file.clone());
            Receiver::new(&WebhookSettings { url, secret_file, ca: None, allow_http })
        };
        for local in [
            "http://127.0.0.1:1/",
            "http://localhost/",
            "http://LOCALHOST:3",
            "http://[::1]:2/",
            "https://far/",
        ] {
            assert!(new(local, false).is_ok(), "{local}");
        }
        for far in ["http://far/", "http://10.0.0.1/", "http://127.0.0.1.far/", "http://localhost.far/"] {
            assert!(matches!(new(far, false), Err(WebhookError::InClear(_))), "{far}");
            assert!(new(far, true).is_ok(), "{far}");
        }
        std::fs::write(&secret_file, "not a secret").unwrap();
        assert!(matches!(new("https://far/", false), Err(WebhookError::Secret(_))));
        std::fs::remove_file(&secret_file).unwrap();
        assert!(matches!(new("https://far/", false), Err(WebhookError::Io { .. })));
    }
}
