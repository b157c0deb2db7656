//! One call at the edge: who, what, and what came of it, in one place for every service, so that no operation can forget it.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::OnceLock;

use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request;
use pawl_api::Target;
use pawl_api::error::ApiError;
use pawl_api::query::{Form, Node, wire};
use pawl_audit::{InFlight, Unwritable};
use pawl_core::limits;
use pawl_core::world::Timestamp;

use super::parameters;
use super::record::{self, Record, event_name, is_read_only, message_without_values, told_by_stranger};
use super::trail::Trail;
use crate::host::Host;
use crate::identity::Caller;

/// A call that is under way. One that is dropped before [`Call::ended`], because its caller has hung up, is recorded as that.
pub(crate) struct Call<'a> {
    host: &'a Host,
    parts: &'a request::Parts,
    target: Option<Target>,
    request_id: &'a str,
    address: Option<IpAddr>,
    at: Timestamp,
    caller: OnceLock<Caller>,
    in_flight: Option<InFlight>,
}

/// What a call was answered, and where its parameters are.
pub(crate) enum Answered<'a> {
    /// AWS JSON: the body, and the answer's.
    Json(&'a [u8], Result<&'a [u8], &'a ApiError>),
    /// A form, and the answer's parts.
    Form(Option<&'a Form>, Result<&'a [Node], &'a ApiError>),
    /// A path with its query, a body, and the answer's.
    Rest(&'a [(String, String)], &'a [u8], Result<&'a [u8], &'a ApiError>),
}

/// The error of a call that nobody waits for any more.
const HUNG_UP: (&str, &str) =
    ("RequestAborted", "The caller hung up before there was an answer; what was begun may have been done.");

impl<'a> Call<'a> {
    /// Begins. Nothing may be done before.
    ///
    /// # Errors
    /// When nothing can be recorded.
    pub(crate) fn begin(
        host: &'a Host,
        parts: &'a request::Parts,
        target: Option<Target>,
        request_id: &'a str,
        address: Option<IpAddr>,
    ) -> Result<Self, Unwritable> {
        // An invocation leaves nothing in the store of its own, and may take long.
        let may_change = target.is_none_or(|target| !is_read_only(target) && target.name() != "Invoke");
        let in_flight = if host.audit.is_on() { Some(host.audit.begin(may_change)?) } else { None };
        let (at, caller) = (host.app.clock().wall(), OnceLock::new());
        Ok(Self { host, parts, target, request_id, address, at, caller, in_flight })
    }

    /// The caller has proved to be this one. What is done for it is noted on its trail.
    pub(crate) fn signed(&self, caller: Caller) -> &Caller {
        let trail = if self.in_flight.is_some() { Trail::begin() } else { Trail::default() };
        self.caller.get_or_init(|| Caller { trail, ..caller })
    }

    /// Records what came of it: on the disk when this answers well. Else nothing of an answer may be sent.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub(crate) async fn ended(
        mut self,
        target: Option<Target>,
        answered: Answered<'_>,
    ) -> Result<(), Unwritable> {
        self.target = target;
        let Some(mut in_flight) = self.in_flight.take() else { return Ok(()) };
        let refused = match &answered {
            Answered::Json(_, answer) | Answered::Rest(_, _, answer) => answer.is_err(),
            Answered::Form(_, answer) => answer.is_err(),
        };
        // What is done for somebody without a signature (a role assumed with another's token) is no refusal.
        let stranger = refused && self.caller.get().is_none();
        if stranger && !self.host.audit.admits_stranger() {
            in_flight.recorded();
            return Ok(());
        }
        let query = matches!(answered, Answered::Form(..));
        let reads = self.target.is_none_or(is_read_only);
        let (parameters, elements, error) = match answered {
            Answered::Json(body, answer) => {
                let elements = answer.ok().filter(|_| !reads).and_then(parameters::of_answer);
                (parameters::of_body(body), elements, answer.err())
            }
            Answered::Form(form, answer) => {
                // What AssumeRole answers is recorded, though it changes nothing: who has which credentials.
                let elements = answer.ok().and_then(parameters::of_nodes);
                let elements = elements.filter(|_| !reads || self.is_assumption());
                (form.and_then(parameters::of_form), elements, answer.err())
            }
            Answered::Rest(fields, body, answer) => {
                let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let elements = answer.ok().filter(|_| !reads && !self.is_invocation());
                let body = if self.is_invocation() { &[][..] } else { body };
                (parameters::of_route(fields, body), elements.and_then(parameters::of_answer), answer.err())
            }
        };
        // Strangers are believed nothing, and what they send is not kept.
        let parameters = parameters.filter(|_| !stranger);
        let message = error.map(|error| {
            let code = if query { wire(error.code).code } else { error.code.as_str() };
            // CloudTrail's own word for it.
            let code = if code == "AccessDeniedException" { "AccessDenied" } else { code };
            (code, message_without_values(code, &error.message))
        });
        let error = message.as_ref().map(|(code, message)| (*code, message.as_str()));
        let receipt = self.submit(parameters.as_deref(), elements.as_deref(), error)?;
        receipt.written().await?;
        in_flight.recorded();
        Ok(())
    }

    fn is_assumption(&self) -> bool {
        self.target.is_some_and(|target| target.name().starts_with("AssumeRole"))
    }

    fn is_invocation(&self) -> bool {
        self.target.is_some_and(|target| target.name() == "Invoke")
    }

    fn header(&self, name: axum::http::HeaderName) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The access key that the signature names, proved or not.
    fn access_key(&self) -> Option<&str> {
        let header =
            self.header(AUTHORIZATION).and_then(|text| text.split_once("Credential=")).map(|(_, of)| of);
        let query = || {
            let pairs = self.parts.uri.query().unwrap_or_default().split('&');
            pairs.filter_map(|pair| pair.strip_prefix("X-Amz-Credential=")).next()
        };
        let scope = header.or_else(query)?;
        let end = scope.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(scope.len());
        scope.get(..end.min(128)).filter(|id| !id.is_empty())
    }

    /// Source and name of what has no operation here.
    fn unknown(&self) -> (String, String) {
        let header = self.header(axum::http::HeaderName::from_static(pawl_api::X_AMZ_TARGET));
        let name = header.and_then(|target| target.rsplit('.').next()).unwrap_or("Unknown");
        ("unknown".to_owned(), told_by_stranger(name, 64))
    }

    fn submit(
        &self,
        parameters: Option<&[u8]>,
        elements: Option<&[u8]>,
        error: Option<(&str, &str)>,
    ) -> Result<pawl_audit::Receipt, Unwritable> {
        let caller = self.caller.get();
        let touched = caller.map(|caller| caller.trail.take()).unwrap_or_default();
        let unknown = self.target.is_none().then(|| self.unknown());
        let name = self.target.map(event_name);
        let (source, name) = match &unknown {
            Some((source, name)) => (source.as_str(), name.as_str()),
            None => (self.target.map_or("", record::source_of), name.as_deref().unwrap_or_default()),
        };
        let agent =
            told_by_stranger(self.header(USER_AGENT).unwrap_or_default(), limits::AUDIT_AGENT_CHARS_MAX);
        let address = self.address.map(|address| address.to_string()).unwrap_or_default();
        let event_id = self.host.request_ids.next();
        let record = Record {
            account: self.host.app.account(),
            at: self.at,
            source,
            name,
            region: caller.map_or_else(|| self.host.region.as_str(), |caller| caller.region.as_str()),
            address: &address,
            agent: &agent,
            caller,
            access_key: self.access_key(),
            error,
            parameters,
            elements,
            request_id: self.request_id,
            event_id: &event_id,
            read_only: self.target.is_none_or(is_read_only),
            resources: &touched.resources,
        };
        // What changed something, or gave somebody credentials, is on the disk before it is answered, whatever becomes of the machine.
        let reads = self.target.is_none_or(is_read_only) && !self.is_assumption();
        let hand_in = |lines: &[&[u8]]| {
            if reads { self.host.audit.submit_read(lines) } else { self.host.audit.submit(lines) }
        };
        LINE.with_borrow_mut(|line| {
            line.clear();
            record.write(line);
            if touched.keys.is_empty() {
                return hand_in(&[line]);
            }
            let of_key = |key| {
                let mut line = Vec::new();
                record.write_key_use(&mut line, key, &self.host.request_ids.next());
                line
            };
            let keys: Vec<Vec<u8>> = touched.keys.iter().map(of_key).collect();
            let lines: Vec<&[u8]> = std::iter::once(&*line).chain(&keys).map(Vec::as_slice).collect();
            hand_in(&lines)
        })
    }
}

thread_local! {
    /// Where a record is put together; kept, because a record is longer than most of what is allocated for a read.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let Some(in_flight) = self.in_flight.take() else { return };
        let known = self.caller.get().is_some();
        if known || self.host.audit.admits_stranger() {
            // Nobody waits. That it may not have been recorded is known by whoever looks through the outbox.
            let _ = self.submit(None, None, Some(HUNG_UP));
        }
        drop(in_flight);
    }
}
