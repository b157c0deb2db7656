//! A client that signs: one call, one answer, and errors that say what to do.

mod tls;

use std::time::Duration;

use pawl_api::{CONTENT_TYPE, ErrorCode, Request, X_AMZ_TARGET};
use pawl_core::limits;
use pawl_core::world::{Clock, Timestamp};
use pawl_iam::sigv4::{Head, sign};
use pawl_server::world::SystemClock;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, Uri};
use zeroize::Zeroizing;

pub(crate) use self::tls::TrustError;
use crate::credentials::{Credentials, Source};
use crate::settings::Connection;

/// Why a call did not give an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The endpoint is no address that this client can talk to.
    #[error("`{url}` is not an endpoint: {why}")]
    Endpoint { url: String, why: &'static str },
    /// Nobody said as whom to call.
    #[error(
        "no credentials: give --data-dir DIR (the server's, for its root key) or --profile NAME, or set \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials,
    /// No connection.
    #[error("nothing answers at {url} ({why}); is `pawl serve` running there?")]
    Unreachable { url: String, why: String },
    /// A connection, and no trust.
    #[error("the server at {url} is not trusted, or does not trust this client: {why}")]
    Distrust { url: String, why: String },
    /// A file that says whom to trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A connection, and then no answer.
    #[error("the server at {url} did not answer properly: {why}")]
    Broken { url: String, why: String },
    /// The signature was not accepted.
    #[error(
        "the server refused the signature ({code}): {message}; the credentials came from {source_of_key}"
    )]
    Signature { code: String, message: String, source_of_key: Source },
    /// The server said no.
    #[error("{message} ({code})")]
    Refused { code: String, message: String },
}

impl ClientError {
    /// The server's code, when it said no.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } | Self::Signature { code, .. } => ErrorCode::from_wire(code),
            Self::Endpoint { .. }
            | Self::NoCredentials
            | Self::Unreachable { .. }
            | Self::Distrust { .. }
            | Self::Trust(_)
            | Self::Broken { .. } => None,
        }
    }

    /// Whether the same call may succeed in a moment, for the server is being restarted.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Broken { .. })
    }
}

/// A client of one server, in one region, with one identity.
pub(crate) struct Client {
    agent: ureq::Agent,
    clock: SystemClock,
    url: String,
    /// `http` or `https`.
    scheme: &'static str,
    /// Whether the server is on this machine by its very name.
    is_local: bool,
    host: String,
    path: String,
    region: String,
    credentials: Option<Credentials>,
}

/// An answer to an unsigned GET.
pub(crate) struct Health {
    pub(crate) status: u16,
    /// The header `Date`.
    pub(crate) date: Option<String>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// What is signed and sent.
struct Sent<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    service: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
}

impl Sent<'_> {
    /// How long its answer may take. Code that is uploaded is compiled before it is answered.
    fn timeout(&self) -> Duration {
        if self.service == LAMBDA {
            limits::CLIENT_CALL_TIMEOUT.saturating_add(limits::COMPILE_WALL)
        } else {
            limits::CLIENT_CALL_TIMEOUT
        }
    }
}

/// What came back.
struct Answer {
    status: u16,
    /// The error's code, where it stands in a header.
    code: Option<String>,
    body: Zeroizing<Vec<u8>>,
}

/// The header that holds an error's code.
const ERROR_TYPE: &str = "x-amzn-errortype";
/// Lambda's name in a signature's scope.
const LAMBDA: &str = "lambda";

/// The body of an error.
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "__type")]
    code: Option<String>,
    #[serde(default, alias = "Message")]
    message: String,
}

impl Client {
    /// A client for `connection`. Nothing is sent yet.
    pub(crate) fn new(connection: Connection) -> Result<Self, ClientError> {
        let url = connection.endpoint.trim_end_matches('/').to_owned();
        let wrong = |why| ClientError::Endpoint { url: url.clone(), why };
        let uri: Uri = url.parse().map_err(|_| wrong("it must be http://HOST:PORT or https://HOST:PORT"))?;
        let scheme = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") => "https",
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        let host = uri.authority().ok_or_else(|| wrong("it names no host"))?.as_str().to_owned();
        if host.contains('@') {
            return Err(wrong("it must not hold a user's name"));
        }
        let bare = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_local = bare.eq_ignore_ascii_case("localhost")
            || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let path = match uri.path() {
            "" => "/".to_owned(),
            path => path.to_owned(),
        };
        let mut agent = ureq::Agent::config_builder()
            // The server's own codes are in the bodies of its errors.
            .http_status_as_error(false)
            // A signed request is for one server: no proxy reads it, no redirect takes it elsewhere.
            .proxy(None)
            .max_redirects(0)
            .timeout_connect(Some(limits::CLIENT_CONNECT_TIMEOUT))
            .timeout_global(Some(limits::CLIENT_CALL_TIMEOUT));
        if scheme == "https" {
            agent = agent.https_only(true).tls_config(tls::config(&connection.trust)?);
        }
        let agent = agent.build().new_agent();
        Ok(Self {
            agent,
            clock: SystemClock::default(),
            url,
            scheme,
            is_local,
            host,
            path,
            region: connection.region,
            credentials: connection.credentials,
        })
    }

    /// The endpoint.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether what it sends and receives goes to another machine in clear.
    pub(crate) fn is_heard_by_others(&self) -> bool {
        self.scheme == "http" && !self.is_local
    }

    /// The key that it signs with.
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// This machine's time.
    pub(crate) fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    /// Calls the operation that takes `request`.
    pub(crate) fn call<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        let body = serde_json::to_vec(request)
            .map_err(|_| self.broken("the request could not be written".to_owned()))?;
        let body = Zeroizing::new(body);
        let target = target_header(R::TARGET);
        let answer = self.send(&Sent {
            method: "POST",
            path: &self.path,
            query: "",
            service: R::TARGET.signing_name(),
            headers: &[("content-type", CONTENT_TYPE), (X_AMZ_TARGET, target)],
            body: &body,
        })?;
        // TagResource and UntagResource answer without a byte.
        let body = if answer.is_empty() { b"{}" } else { answer.as_slice() };
        serde_json::from_slice(body).map_err(|_| self.unknown(R::TARGET.name()))
    }

    /// Calls an operation of Lambda's, which is named by method and path. A query is in the order of its names.
    pub(crate) fn rest<A: DeserializeOwned>(
        &self,
        method: &str,
        (path, query): (&str, &str),
        body: Option<&serde_json::Value>,
    ) -> Result<A, ClientError> {
        let body = body.map(serde_json::Value::to_string).unwrap_or_default();
        let path = format!("{}{path}", self.path.trim_end_matches('/'));
        let json: &[_] = if body.is_empty() { &[] } else { &[("content-type", "application/json")] };
        let (service, body) = (LAMBDA, body.as_bytes());
        let answer = self.send(&Sent { method, path: &path, query, service, headers: json, body })?;
        let body = if answer.is_empty() { b"null" } else { answer.as_slice() };
        serde_json::from_slice(body).map_err(|_| self.unknown(&format!("{method} {path}")))
    }

    fn broken(&self, why: String) -> ClientError {
        ClientError::Broken { url: self.url.clone(), why }
    }

    fn unknown(&self, operation: &str) -> ClientError {
        self.broken(format!("its answer to {operation} is not what this version knows"))
    }

    /// Signs and sends; the body of an answer that is no error.
    fn send(&self, sent: &Sent<'_>) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let credentials = self.credentials.as_ref().ok_or(ClientError::NoCredentials)?;
        let mut headers: Vec<(&str, &[u8])> = vec![("host", self.host.as_bytes())];
        headers.extend(sent.headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        if let Some(token) = &credentials.session_token {
            headers.push(("x-amz-security-token", token.expose()));
        }
        let head = Head { method: sent.method, path: sent.path, query: sent.query, headers: &headers };
        let signature = sign(
            &head,
            sent.body,
            &credentials.access_key_id,
            &credentials.secret,
            &self.region,
            sent.service,
            self.clock.wall(),
        );
        let question = if sent.query.is_empty() { "" } else { "?" };
        let mut http = ureq::http::Request::builder()
            .method(sent.method)
            .uri(format!("{}://{}{}{question}{}", self.scheme, self.host, sent.path, sent.query));
        for (name, value) in &headers {
            http = http.header(*name, *value);
        }
        for (name, value) in &signature {
            http = http.header(name, value);
        }
        let unwritten = |_| self.broken("the request could not be written".to_owned());
        let received = if sent.body.is_empty() {
            self.agent.run(http.body(()).map_err(unwritten)?)
        } else {
            let request = self.agent.configure_request(http.body(sent.body).map_err(unwritten)?);
            self.agent.run(request.timeout_global(Some(sent.timeout())).build())
        };
        let answer = self.read(received)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        Err(self.refusal(&answer, &credentials.source))
    }

    /// An unsigned GET of `path`.
    pub(crate) fn health(&self, path: &str) -> Result<Health, ClientError> {
        let started = std::time::Instant::now();
        let sent = self.agent.get(format!("{}://{}{path}", self.scheme, self.host)).call();
        let date = sent
            .as_ref()
            .ok()
            .and_then(|answer| answer.headers().get("date")?.to_str().ok().map(str::to_owned));
        let Answer { status, .. } = self.read(sent)?;
        Ok(Health { status, date, took: started.elapsed() })
    }

    fn read(&self, sent: Result<Response<ureq::Body>, ureq::Error>) -> Result<Answer, ClientError> {
        let url = || self.url.clone();
        let mut answer = sent.map_err(|error| match error {
            ureq::Error::Rustls(why) => ClientError::Distrust { url: url(), why: tls::told(&why) },
            ureq::Error::Io(why) => {
                match why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    Some(why) => ClientError::Distrust { url: url(), why: tls::told(why) },
                    None => ClientError::Unreachable { url: url(), why: self.cut_off(&why) },
                }
            }
            ureq::Error::HostNotFound => {
                ClientError::Unreachable { url: url(), why: "no such host".to_owned() }
            }
            ureq::Error::ConnectionFailed => {
                ClientError::Unreachable { url: url(), why: "no connection".to_owned() }
            }
            ureq::Error::Timeout(_) => {
                ClientError::Unreachable { url: url(), why: "no answer in time".to_owned() }
            }
            other => ClientError::Broken { url: url(), why: other.to_string() },
        })?;
        let status = answer.status().as_u16();
        let code = answer.headers().get(ERROR_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = answer
            .body_mut()
            .with_config()
            .limit(limits::CLIENT_ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|error| ClientError::Broken { url: url(), why: error.to_string() })?;
        Ok(Answer { status, code, body: Zeroizing::new(body) })
    }

    /// What a broken connection may mean: a server that wants a certificate may have hung up before it was heard saying so.
    fn cut_off(&self, why: &std::io::Error) -> String {
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let is_cut = matches!(why.kind(), BrokenPipe | ConnectionAborted | ConnectionReset);
        if self.scheme == "https" && is_cut {
            return format!(
                "{why}: if it wants a certificate of its clients, give one with --client-cert FILE --client-key FILE"
            );
        }
        why.to_string()
    }

    fn refusal(&self, answer: &Answer, source: &Source) -> ClientError {
        let body = serde_json::from_slice(&answer.body).ok();
        // Lambda has the code in the header alone, with a URL behind it.
        let of_header = answer.code.as_deref().and_then(|code| code.split(':').next());
        let named = |body: ErrorBody| Some((body.code.or(of_header.map(str::to_owned))?, body.message));
        let Some((code, message)) = body.and_then(named) else {
            let status = answer.status;
            return self.broken(format!("HTTP status {status} without an error of AWS's form; is it Pawl?"));
        };
        match ErrorCode::from_wire(&code) {
            Some(
                ErrorCode::InvalidSignatureException
                | ErrorCode::IncompleteSignatureException
                | ErrorCode::UnrecognizedClientException
                | ErrorCode::MissingAuthenticationTokenException,
            ) => ClientError::Signature { code, message, source_of_key: source.clone() },
            _ => ClientError::Refused { code, message },
        }
    }
}

fn target_header(target: pawl_api::Target) -> &'static str {
    match target {
        pawl_api::Target::SecretsManager(operation) => operation.target(),
        pawl_api::Target::Pawl(operation) => operation.target(),
        // Those are named by method and path, and none of their shapes is a request of this kind.
        pawl_api::Target::Lambda(operation) => operation.name(),
        pawl_api::Target::Iam(operation) => operation.name(),
        pawl_api::Target::Sts(operation) => operation.name(),
        pawl_api::Target::Kms(operation) => operation.target(),
    }
}

#[cfg(test)]
mod tests;
