//! The WIT's `http`: requests that the host makes, with sensitive values in them.
//!
//! What a guest cannot do here: read a value (it names one, and the host writes it down), send one anywhere but into the granted
//! place of a granted request, send one that is stored nowhere, give a server the pending value before that is noted, and look at
//! an answer that holds a value.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{HeaderName, HeaderValue};
use pawl_core::function::{HttpGrant, Method, Place, Slot, Url, is_header_name};
use pawl_core::limits;
use pawl_core::rotation::{Account, Step};
use pawl_core::value::SecretBytes;
use zeroize::Zeroizing;

use super::handles::{Origin, SensitiveHeld};
use super::values::{Values, holds};
use super::{Capabilities, Violation, journal, spelling};
use crate::dial::Destination;
use crate::http::echo::Echo;
use crate::http::{Connection, Received, SendFailure};
use crate::port::PortError;
use crate::wire::{HttpError, HttpHeader, HttpPart, HttpRequest, HttpResponse, SecretError};

/// What is remembered of a step's requests.
#[derive(Default)]
pub(super) struct Requests {
    made: u32,
    /// Values of the pending version that a server has answered well.
    accepted: Vec<SecretBytes>,
    /// All that the guest's own words were in requests: what a server gives for a new key must not be among it.
    pub(super) said: Vec<u8>,
    /// Requests for keys, as the history tells of them.
    pub(super) asked_for_keys: BTreeSet<String>,
}

/// A request that was granted.
pub(super) struct Granted {
    pub(super) method: Method,
    pub(super) url: Url,
    slots: BTreeSet<Slot>,
    grant: HttpGrant,
    whole: bool,
    /// Where keys are taken from its answer.
    pub(super) takes: Vec<Place>,
}

type Answered<T> = Result<T, HttpError>;

impl Capabilities {
    pub(super) async fn http(&mut self, request: HttpRequest) -> Result<Answered<HttpResponse>, Violation> {
        let held = self.held(&request)?;
        let (granted, request) = match self.prepare(&request, &held, Vec::new()) {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let values = match self.values().await {
            Ok(values) => values,
            Err(error) => return Ok(Err(from_secret(error))),
        };
        let new: Vec<_> = held.iter().filter(|held| values.is_new(&held.value)).collect();
        let received = match self.exchange(&granted, request, (&held, &values), !new.is_empty()).await {
            Ok((received, echo)) => {
                let shown = granted.url.shown();
                self.noticed(&granted, received.status, new.iter().map(|held| &held.value), &values);
                match received.shown_unless(echo).await {
                    Some(response) => response,
                    None => return Err(echoed(&granted, &shown)),
                }
            }
            Err(HttpError::Unreadable(status)) => {
                self.noticed(&granted, status, new.iter().map(|held| &held.value), &values);
                return Ok(Err(HttpError::Unreadable(status)));
            }
            Err(error) => return Ok(Err(error)),
        };
        Ok(Ok(received))
    }

    /// The values that a request names.
    pub(super) fn held(&self, request: &HttpRequest) -> Result<Vec<Arc<SensitiveHeld>>, Violation> {
        let parts = request.headers.iter().flat_map(|header| &header.value).chain(&request.body);
        parts.filter_map(handle).map(|handle| self.handles.sensitive(handle)).collect()
    }

    /// Checks a request against the contract and the grants, and writes it down. Nothing is sent or dialled before.
    pub(super) fn prepare(
        &mut self,
        request: &HttpRequest,
        held: &[Arc<SensitiveHeld>],
        takes: Vec<Place>,
    ) -> Answered<(Granted, Request<Full<Bytes>>)> {
        self.requests.made = self.requests.made.saturating_add(1);
        if self.requests.made > limits::HTTP_REQUESTS_MAX {
            return Err(refused(format!("a step may make {} requests", limits::HTTP_REQUESTS_MAX)));
        }
        let granted = self.granted(request, takes)?;
        self.heard(request, !granted.takes.is_empty())?;
        let answers = self.config.grants.http.iter().any(|grant| grant.answers);
        if let Some(short) = held.iter().map(|held| held.value.len()).min().filter(|_| answers)
            && short < limits::HTTP_SENSITIVE_BYTES_MIN
        {
            return Err(refused(format!(
                "a sensitive value of less than {} bytes is not sent by a function that may read answers: it could not be looked \
                 for in them",
                limits::HTTP_SENSITIVE_BYTES_MIN
            )));
        }
        let mut builder = Request::builder().method(granted.method.name()).uri(granted.url.path_and_query());
        let own = [
            ("host", granted.url.origin().authority()),
            ("connection", "close".to_owned()),
            ("accept-encoding", "identity".to_owned()),
            ("user-agent", concat!("pawl/", env!("CARGO_PKG_VERSION")).to_owned()),
        ];
        for (name, value) in own {
            if !request.headers.iter().any(|header| header.name == name) {
                builder = builder.header(name, value);
            }
        }
        for header in &request.headers {
            let value = self.written(&header.value, limits::HTTP_HEADER_BYTES_MAX)?;
            builder = builder.header(header_name(header)?, header_value(&value)?);
        }
        let mut body = self.written(&request.body, limits::HTTP_BODY_BYTES_MAX)?;
        // Wiped when the client has dropped it.
        let body = Bytes::from_owner(Zeroizing::new(std::mem::take(&mut *body)));
        let request = builder.body(Full::new(body));
        Ok((granted, request.map_err(|_| refused("the request is none that HTTP has"))?))
    }

    /// Keeps what the guest says, where it may take keys from answers.
    fn heard(&mut self, request: &HttpRequest, takes: bool) -> Answered<()> {
        if !self.may_take_keys() {
            return Ok(());
        }
        let said = &mut self.requests.said;
        let mut hear = |text: &str| said.extend_from_slice(text.as_bytes());
        hear(&request.url);
        for part in request.headers.iter().flat_map(|header| &header.value).chain(&request.body) {
            match part {
                HttpPart::Text(text) => hear(text),
                HttpPart::Basic { user, .. } => hear(user),
                HttpPart::Sensitive(_) | HttpPart::Json(_) | HttpPart::Percent(_) => {}
            }
        }
        hear("\n");
        if takes && said.len() > limits::HTTP_SAID_BYTES_MAX {
            let text = "this step has said too much in its requests to take keys from answers";
            return Err(refused(text));
        }
        Ok(())
    }

    pub(super) fn may_take_keys(&self) -> bool {
        self.config.grants.http.iter().any(|grant| !grant.capture.is_empty())
    }

    fn granted(&self, request: &HttpRequest, takes: Vec<Place>) -> Answered<Granted> {
        let method = Method::named(&request.method).ok_or_else(|| {
            refused("a request's method is GET, HEAD, POST, PUT, PATCH or DELETE, in capitals")
        })?;
        let url = Url::parse(&request.url).map_err(|error| refused(error.to_string()))?;
        if request.headers.len() > limits::HTTP_HEADERS_MAX {
            return Err(refused(format!("a request has at most {} header fields", limits::HTTP_HEADERS_MAX)));
        }
        let (mut names, mut slots) = (HashSet::new(), BTreeSet::new());
        for header in &request.headers {
            if !is_header_name(&header.name) || !names.insert(&header.name) {
                return Err(refused(format!(
                    "a request has no header field `{}`: names are in lower case, each stands once, and those that frame a request \
                     or make another one of it are the host's",
                    header.name.escape_default()
                )));
            }
            if header.value.iter().any(|part| handle(part).is_some()) {
                slots.insert(Slot::Header(header.name.clone()));
            }
        }
        if request.body.iter().any(|part| handle(part).is_some()) {
            slots.insert(Slot::Body);
        }
        let whole = request.whole;
        let mut grants = self.config.grants.http.iter();
        let covering =
            grants.find(|grant| grant.covers(method, &url, &slots, whole) && grant.captures(&takes));
        match covering {
            Some(grant) => Ok(Granted { method, slots, grant: grant.clone(), whole, url, takes }),
            None => {
                let slots: Vec<_> = slots.iter().map(ToString::to_string).collect();
                let with = if slots.is_empty() {
                    String::new()
                } else {
                    format!(" with sensitive values in {}", slots.join(", "))
                };
                let mut answers = if whole { ", its answer read".to_owned() } else { String::new() };
                for place in takes {
                    answers.push_str(&format!(", a key taken from {place}"));
                }
                let shown = url.shown();
                Err(HttpError::NotGranted(journal::line(&format!(
                    "the function's grants do not cover {method} {shown}{with}{answers} (`http` in [grants]: origin, methods, \
                     paths, sensitive, answers, capture, all in one entry; a query only where the path names it)"
                ))))
            }
        }
    }

    /// Parts as the bytes that are sent.
    fn written(&self, parts: &[HttpPart], max: usize) -> Answered<Zeroizing<Vec<u8>>> {
        let too_much = || {
            refused(format!(
                "a header field takes {} bytes and a body {}",
                limits::HTTP_HEADER_BYTES_MAX,
                limits::HTTP_BODY_BYTES_MAX
            ))
        };
        if parts.len() > limits::HTTP_PARTS_MAX {
            return Err(refused(format!("a value is made of at most {} parts", limits::HTTP_PARTS_MAX)));
        }
        let unknown = |_| refused("a part names no value");
        let mut out = Zeroizing::new(Vec::with_capacity(max));
        for part in parts {
            let value =
                handle(part).map(|handle| self.handles.sensitive(handle).map_err(unknown)).transpose()?;
            let value = value.as_ref().map_or(&[][..], |held| held.value.expose());
            // Longest when each byte becomes six.
            if value.len() > max {
                return Err(too_much());
            }
            let spelt = match part {
                HttpPart::Text(text) => {
                    if text.len() > max {
                        return Err(too_much());
                    }
                    Zeroizing::new(text.clone().into_bytes())
                }
                HttpPart::Sensitive(_) => Zeroizing::new(value.to_vec()),
                HttpPart::Json(_) => spelling::json(value)
                    .ok_or_else(|| refused("a value that is no text cannot stand in JSON"))?,
                HttpPart::Percent(_) => spelling::percent(value),
                HttpPart::Basic { user, .. } => {
                    if user.len() > max || user.contains(':') || user.chars().any(char::is_control) {
                        return Err(refused("a user name for Basic authentication has no colon"));
                    }
                    spelling::basic(user, value)
                }
            };
            if out.len() + spelt.len() > max {
                return Err(too_much());
            }
            out.extend_from_slice(&spelt);
        }
        Ok(out)
    }

    /// Opens the connection, notes what is about to happen, and sends.
    pub(super) async fn exchange(
        &mut self,
        granted: &Granted,
        request: Request<Full<Bytes>>,
        (held, values): (&[Arc<SensitiveHeld>], &Values),
        carries_new: bool,
    ) -> Answered<(Received, Option<Echo>)> {
        let lost = |held: &&Arc<SensitiveHeld>| {
            held.origin != Origin::Stored
                && !values.pending.as_ref().is_some_and(|pending| holds(pending, &held.value))
        };
        if held.iter().any(|held| lost(&held)) {
            return Err(refused("a value must be stored as AWSPENDING before it reaches a server"));
        }
        let exposed = match carries_new {
            true => self.exposed().await.map_err(from_secret)?,
            false => true,
        };
        // A key that the server has made it has, whether or not it was told: asking with it is what there is for setSecret to do.
        if granted.method.is_safe() && !exposed && !self.may_take_keys() {
            let text = "no server can have the pending version's values yet, so that asking with them is refused for certain: \
                        setSecret must have given them with another method than GET and HEAD";
            return Err(refused(text));
        }
        if self.config.rehearsal && !granted.method.is_safe() {
            self.would(&format!("send {} {}", granted.method, granted.url.shown()));
            return Ok((Received { status: 200, headers: Vec::new(), body: String::new() }, None));
        }
        let echo = if granted.whole { Some(self.echo(held, values)?) } else { None };
        let account = self.may_try(granted, values).await?;
        let to = Destination::of_http(&granted.grant, Arc::clone(&self.config.egress));
        let tls = granted.grant.origin.is_tls().then(|| self.config.tls.clone());
        let connection = Connection::open(&to, tls.as_ref()).await.map_err(failed)?;
        // Before a byte of it is sent, so that no crash makes the rotation forget what a server may have.
        if !exposed && let Err(error) = self.config.port.expose().await {
            return Err(from_port(self.noted(error)));
        }
        if !granted.takes.is_empty() {
            self.note_capture(granted).await?;
        }
        self.fence().await.map_err(from_port)?;
        let received = connection.exchange(request, granted.whole || !granted.takes.is_empty()).await;
        let status = match &received {
            Ok(received) => Some(received.status),
            Err(SendFailure::Unreadable(status)) => Some(*status),
            Err(_) => None,
        };
        if let (Some(account), Some(status)) = (account, status) {
            self.note_answer(&account, status).await?;
        }
        Ok((received.map_err(failed)?, echo))
    }

    /// What may not come back: all that the secret has, and all that this request carries.
    fn echo(&self, held: &[Arc<SensitiveHeld>], stored: &Values) -> Answered<Echo> {
        let all = stored.all();
        let mut wanted: Vec<SecretBytes> = Vec::new();
        for value in all.chain(held.iter().map(|held| held.value.duplicate())) {
            if !wanted.iter().any(|other| other.same_as(&value)) {
                wanted.push(value);
            }
        }
        let bytes: usize = wanted.iter().map(SecretBytes::len).sum();
        if bytes > limits::HTTP_LOOKED_FOR_BYTES_MAX {
            return Err(refused(format!(
                "the secret's sensitive values are more than the {} bytes that are looked for in answers: ask for the status only",
                limits::HTTP_LOOKED_FOR_BYTES_MAX
            )));
        }
        Ok(Echo::of(&wanted, self.config.rng.as_ref()))
    }

    /// Whose refusals are counted when a request carries a value; an error when there were too many. Servers lock accounts for
    /// that.
    async fn may_try(&mut self, granted: &Granted, values: &Values) -> Answered<Option<Account>> {
        if granted.slots.is_empty() {
            return Ok(None);
        }
        let origin = &granted.grant.origin;
        let user = values.current.text("username").unwrap_or_default();
        let account = Account::new(&user, origin.host(), origin.port());
        let refusals =
            self.config.port.refusals(&account).await.map_err(|error| from_port(self.noted(error)))?;
        if refusals >= limits::FAILED_LOGINS_MAX {
            return Err(HttpError::LockoutBudgetSpent(journal::line(&format!(
                "{origin} has answered 401 to this secret's values {refusals} times in a row; another try could lock the account. \
                 Put right what the secret or the server has, then rotate again"
            ))));
        }
        Ok(Some(account))
    }

    async fn note_answer(&mut self, account: &Account, status: u16) -> Answered<()> {
        // The request has been sent.
        let not_noted = |error| match from_port(error) {
            HttpError::Unreachable(text) | HttpError::Refused(text) => HttpError::Lost(text),
            other => other,
        };
        let counted =
            self.config.port.refusals(account).await.map_err(|error| not_noted(self.noted(error)))?;
        let noted = match (status, counted) {
            (401, _) => self.config.port.note_login(account, true).await,
            (200..300, 1..) => self.config.port.note_login(account, false).await,
            _ => Ok(()),
        };
        noted.map_err(|error| not_noted(self.noted(error)))
    }

    /// Notes what an answer says of the pending version's values.
    fn noticed<'a>(
        &mut self,
        granted: &Granted,
        status: u16,
        new: impl Iterator<Item = &'a SecretBytes>,
        values: &Values,
    ) {
        if !(200..300).contains(&status) {
            return;
        }
        let carried = self.accepted(new, values);
        if self.config.step == Some(Step::SetSecret) && carried && !granted.method.is_safe() {
            self.changed_at = Some(Instant::now());
        }
    }

    /// Notes that a server has accepted these values, and whether all new ones are proved by now. Whether one is among them that was
    /// not accepted before.
    pub(super) fn accepted<'a>(
        &mut self,
        new: impl Iterator<Item = &'a SecretBytes>,
        values: &Values,
    ) -> bool {
        let before = self.requests.accepted.len();
        for value in new {
            if !self.requests.accepted.iter().any(|known| known.same_as(value)) {
                self.requests.accepted.push(value.duplicate());
            }
        }
        // A database's login is proved by logging in.
        let is_database = values.pending.as_ref().is_some_and(|it| self.describes_database(it).is_some());
        let (wanted, accepted) = (values.new_ones(), &self.requests.accepted);
        let all = wanted.iter().all(|value| accepted.iter().any(|known| known.same_as(value)));
        self.proof.login |= !is_database && !wanted.is_empty() && all;
        self.requests.accepted.len() > before
    }
}

impl Received {
    /// The answer as the guest gets it; none when it holds what it must not.
    async fn shown_unless(self, echo: Option<Echo>) -> Option<HttpResponse> {
        let Self { status, headers, body } = self;
        let Some(echo) = echo else {
            return Some(HttpResponse { status, ..HttpResponse::default() });
        };
        let mut answer = Zeroizing::new(Vec::new());
        for (name, value) in &headers {
            answer.extend_from_slice(format!("{name}: {value}\n").as_bytes());
        }
        answer.extend_from_slice(body.as_bytes());
        // Looking takes a while for a long answer, and other rotations share this thread.
        let found = tokio::task::spawn_blocking(move || echo.is_in(&answer)).await;
        // A session's cookie opens what the value opens.
        let headers = headers.into_iter().filter(|(name, _)| !name.starts_with("set-cookie")).collect();
        found.is_ok_and(|found| !found).then_some(HttpResponse { status, headers, body })
    }
}

/// The end of the step, and not an answer to it: a guest that could go on would learn from each echo whether it had guessed right.
fn echoed(granted: &Granted, shown: &str) -> Violation {
    Violation(journal::line(&format!(
        "the answer to {} {shown} holds a sensitive value of this secret, or a part of one, and is not shown; a rotator that needs \
         no more than the status of such an answer asks for that alone",
        granted.method
    )))
}

const fn handle(part: &HttpPart) -> Option<u32> {
    match part {
        HttpPart::Text(_) => None,
        HttpPart::Sensitive(value) | HttpPart::Json(value) | HttpPart::Percent(value) => Some(*value),
        HttpPart::Basic { password, .. } => Some(*password),
    }
}

fn header_name(header: &HttpHeader) -> Answered<HeaderName> {
    HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| refused("a header field has no such name"))
}

/// Printable ASCII alone: whatever ends a line, or is read in two ways, is refused, in a sensitive value as in a text.
fn header_value(value: &[u8]) -> Answered<HeaderValue> {
    let plain = value.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    let value = HeaderValue::from_bytes(value).ok().filter(|_| plain);
    let mut value = value.ok_or_else(|| {
        refused("a header field's value is printable ASCII; a sensitive value that is not is sent encoded")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn refused(text: impl AsRef<str>) -> HttpError {
    HttpError::Refused(journal::line(text.as_ref()))
}

fn failed(failure: SendFailure) -> HttpError {
    match failure {
        SendFailure::NotGranted(text) => HttpError::NotGranted(journal::line(&text)),
        SendFailure::Unreachable(text) => HttpError::Unreachable(journal::line(&text)),
        SendFailure::Untrusted(text) => HttpError::Untrusted(journal::line(&text)),
        SendFailure::Lost(text) => HttpError::Lost(journal::line(&text)),
        SendFailure::Unreadable(status) => HttpError::Unreadable(status),
    }
}

pub(super) fn from_port(error: PortError) -> HttpError {
    match error {
        PortError::Superseded => HttpError::Superseded,
        PortError::Refused(text) => refused(text),
        // The guest tries again later, as with a server that is down.
        PortError::Unavailable(text) => HttpError::Unreachable(journal::line(&text)),
    }
}

pub(super) fn from_secret(error: SecretError) -> HttpError {
    match error {
        SecretError::Superseded => HttpError::Superseded,
        SecretError::Unavailable(text) => HttpError::Unreachable(text),
        SecretError::NotFound(text) | SecretError::Malformed(text) | SecretError::Refused(text) => {
            HttpError::Refused(text)
        }
    }
}
