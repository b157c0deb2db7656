//! Calls to services that wrap root keys: one request, one answer, nothing of it in an error's text but what the service says.

use std::path::PathBuf;

use pawl_core::limits;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::ProviderError;
use crate::outbound::{tls, told};

/// A client for one service.
pub(super) struct Remote {
    agent: ureq::Agent,
    url: String,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Zeroizing<Vec<u8>>,
}

impl Remote {
    pub(super) fn new(url: &str, ca: Option<&PathBuf>) -> Result<Self, ProviderError> {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // What is asked for is a key: no proxy reads it, no redirect takes it elsewhere.
            .proxy(None)
            .max_redirects(0)
            .timeout_global(Some(limits::ROOT_PROVIDER_TIMEOUT))
            .user_agent(concat!("pawl/", env!("CARGO_PKG_VERSION")));
        if url.starts_with("https://") {
            config = config.https_only(true).tls_config(tls(ca.map(PathBuf::as_path))?);
        } else if !is_local(url) {
            return Err(ProviderError::InClear(url.to_owned()));
        }
        Ok(Self { agent: config.build().into(), url: url.to_owned() })
    }

    /// The host and port, as the header `Host` has them.
    pub(super) fn authority(&self) -> &str {
        self.url.split_once("://").map_or("", |(_, authority)| authority)
    }

    pub(super) fn post(
        &self,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Answer, ProviderError> {
        let mut request = self.agent.post(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(name.as_str(), value.as_str());
        }
        let unreachable = |why: &ureq::Error| ProviderError::Unreachable(told(why));
        let mut answer = request.send(body).map_err(|error| unreachable(&error))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(limits::ROOT_PROVIDER_ANSWER_BYTES_MAX);
        let body = Zeroizing::new(body.read_to_vec().map_err(|error| unreachable(&error))?);
        Ok(Answer { status, body })
    }
}

impl Answer {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        serde_json::from_slice(&self.body)
            .map_err(|_| ProviderError::Unexpected("its answer is not what the protocol says"))
    }
}

fn is_local(url: &str) -> bool {
    let uri: Option<ureq::http::Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(|uri| uri.host()).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
