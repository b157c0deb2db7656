//! What host and worker say to each other over the one pipe.
//!
//! A frame is a length (4 bytes, little endian) and that many bytes of `postcard`. The worker speaks first ([`Up::Ready`]);
//! after that the host asks ([`Down::Load`], [`Down::Run`]), the worker may call back any number of times while it runs
//! ([`Up::Call`] answered by [`Down::Reply`]), and ends with [`Up::Done`]. Handles are numbers that the host hands out, valid
//! for one step. The worker is not trusted: the host checks every frame as if an attacker had written it.

use std::collections::BTreeMap;

use pawl_core::limits;
use pawl_core::rotation::Step;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A host-side thing that the worker may name and not look into.
pub(crate) type Handle = u32;

/// Host to worker.
#[derive(Serialize, Deserialize)]
pub(crate) enum Down {
    /// Keep this compiled component. Answered by [`Up::Loaded`].
    Load {
        digest: [u8; 32],
        #[serde(with = "serde_bytes")]
        artifact: Vec<u8>,
    },
    /// Run one step of a component that was loaded. Answered by [`Up::Done`].
    Run { digest: [u8; 32], step: Step, environment: BTreeMap<String, String>, limits: GuestLimits },
    /// The answer to the last [`Up::Call`].
    Reply(Reply),
}

/// What a guest may use up. From `core::limits`, and smaller in tests.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct GuestLimits {
    pub(crate) memory_bytes: u64,
    pub(crate) fuel: u64,
    pub(crate) cpu_millis: u64,
}

/// Worker to host.
#[derive(Serialize, Deserialize)]
pub(crate) enum Up {
    Ready,
    Loaded(Result<(), String>),
    Call(Call),
    /// What the step has used up. At most once, before [`Up::Done`].
    Used(Used),
    Done(Ended),
}

/// What a step has used up, as its worker says: a figure for people, on which nothing rests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Bytes of memory, most.
    pub memory_bytes: u64,
    /// Fuel: roughly wasm instructions.
    pub fuel: u64,
}

/// How a step ended inside of the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ended {
    Done,
    Transient(String),
    Permanent(String),
    /// The guest was stopped or broke: which limit, or which trap. `stderr` is what it had printed, cut.
    Trapped {
        reason: String,
        stderr: String,
    },
}

/// The functions of the WIT, as messages.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Call {
    Id,
    Current,
    Pending,
    Previous,
    Others,
    Exposed,
    Open {
        secret_id: String,
    },
    RandomPassword(PasswordRules),
    PutPending {
        base: Handle,
        changes: Vec<Change>,
    },
    Promote,
    Text {
        version: Handle,
        field: String,
    },
    Sensitive {
        version: Handle,
        field: String,
    },
    Login {
        version: Handle,
    },
    Ping {
        session: Handle,
    },
    SetPassword {
        session: Handle,
        account: String,
        password: Handle,
    },
    MirrorAccount {
        session: Handle,
        like: String,
        account: String,
        password: Handle,
    },
    Differences {
        session: Handle,
        like: String,
        account: String,
    },
    /// `statements.execute`, or `query` where rows are wanted.
    Run {
        session: Handle,
        statement: String,
        parameters: Vec<Option<String>>,
        rows: bool,
    },
    Http(HttpRequest),
    Capture {
        request: HttpRequest,
        places: Vec<HttpPlace>,
    },
    TcpOpen {
        host: String,
        port: u16,
    },
    TcpSend {
        connection: Handle,
        parts: Vec<TcpPart>,
    },
    TcpExpect {
        connection: Handle,
        beginnings: Vec<Vec<u8>>,
        end: Vec<u8>,
    },
    TcpReceive {
        connection: Handle,
        most: u32,
    },
    TcpFinish {
        connection: Handle,
    },
    Reveal {
        value: Handle,
    },
    Log {
        level: LogLevel,
        message: String,
    },
    /// The guest has dropped its handle. Not answered.
    Drop(Handle),
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PasswordRules {
    pub(crate) length: Option<u32>,
    pub(crate) exclude_characters: Option<String>,
    pub(crate) exclude_numbers: Option<bool>,
    pub(crate) exclude_punctuation: Option<bool>,
    pub(crate) exclude_uppercase: Option<bool>,
    pub(crate) exclude_lowercase: Option<bool>,
    pub(crate) require_each_included_type: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) field: String,
    pub(crate) value: NewValue,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum NewValue {
    Text(String),
    Sensitive(Handle),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum LogLevel {
    Debug,
    Info,
    Warn,
}

/// What a statement of the rotator's own gave.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RanStatement {
    Touched(u32),
    Rows(Vec<Vec<Option<String>>>),
}

/// `http.request` of the WIT.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HttpRequest {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<HttpHeader>,
    pub(crate) body: Vec<HttpPart>,
    /// Whether the guest wants more of the answer than its status.
    pub(crate) whole: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HttpHeader {
    pub(crate) name: String,
    pub(crate) value: Vec<HttpPart>,
}

/// `http.part` of the WIT.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum HttpPart {
    Text(String),
    Sensitive(Handle),
    Json(Handle),
    Percent(Handle),
    Basic { user: String, password: Handle },
}

/// `http.place` of the WIT.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum HttpPlace {
    Json(String),
    Header(String),
}

/// `http.captured` of the WIT.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Captured {
    pub(crate) status: u16,
    pub(crate) values: Vec<Handle>,
}

/// `http.response` of the WIT.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// `http.error` of the WIT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HttpError {
    NotGranted(String),
    Refused(String),
    Unreachable(String),
    Untrusted(String),
    LockoutBudgetSpent(String),
    Lost(String),
    Unreadable(u16),
    Superseded,
}

/// `tcp.number` of the WIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TcpNumber {
    Decimal,
    Byte,
    U16Be,
    U16Le,
    U32Be,
    U32Le,
}

/// `tcp.part` of the WIT.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum TcpPart {
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Sensitive(Handle),
    Length { of: Handle, more: u32, number: TcpNumber },
    Json(Handle),
    Base64 { before: Vec<u8>, value: Handle },
    Sha256(Handle),
    Field { of: Handle, name: String, number: Option<TcpNumber> },
}

/// What a call of `tcp` gives.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TcpAnswer {
    Opened(Handle),
    Done,
    Beginning(Option<u32>),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// `tcp.error` of the WIT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TcpError {
    NotGranted(String),
    Refused(String),
    Unreachable(String),
    Untrusted(String),
    LockoutBudgetSpent(String),
    Lost(String),
    Superseded,
}

/// The answers, one kind for each shape of result in the WIT.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Version(Result<Option<VersionHandle>, SecretError>),
    Versions(Result<Vec<VersionHandle>, SecretError>),
    Exposed(Result<bool, SecretError>),
    Sensitive(Result<Option<Handle>, SecretError>),
    Text(Option<String>),
    Promoted(Result<(), SecretError>),
    Session(Result<Handle, LoginError>),
    Statement(Result<(), DatabaseError>),
    Differences(Result<Vec<String>, DatabaseError>),
    Ran(Result<RanStatement, DatabaseError>),
    Id(String),
    Http(Result<HttpResponse, HttpError>),
    Captured(Result<Captured, HttpError>),
    Tcp(Result<TcpAnswer, TcpError>),
    Revealed(Result<String, SecretError>),
    Logged,
    /// The worker broke the protocol or named a handle that it does not hold: the step traps with this text.
    Violation(String),
}

/// A version's handle, with what a rotator may read of it, so that most questions need no call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VersionHandle {
    pub(crate) handle: Handle,
    pub(crate) id: String,
    /// Every readable field that is there; none where they are too long to be sent unasked.
    pub(crate) texts: Option<BTreeMap<String, String>>,
}

/// `secrets.error` of the WIT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SecretError {
    NotFound(String),
    Malformed(String),
    Refused(String),
    Superseded,
    Unavailable(String),
}

/// `database.login-error` of the WIT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LoginError {
    Refused(String),
    Unreachable(String),
    Untrusted(String),
    NotGranted(String),
    LockoutBudgetSpent(String),
    Malformed(String),
    Rejected(String),
    Superseded,
}

/// `database.error` of the WIT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DatabaseError {
    Rejected(String),
    Refused(String),
    Superseded,
    Lost(String),
}

/// Bytes of a frame's length.
pub(crate) const HEADER_BYTES: usize = 4;

/// Why a frame cannot be sent, or is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a message of {0} bytes is longer than the pipe takes")]
    TooLong(usize),
    #[error("a message is not what the protocol has at this place")]
    Malformed,
}

/// What goes in one direction, and how long a frame may be there. What the untrusted side says is kept short.
pub(crate) trait Message: Serialize + DeserializeOwned {
    const BYTES_MAX: usize;
}

impl Message for Down {
    const BYTES_MAX: usize = limits::WORKER_FRAME_BYTES_MAX;
}

impl Message for Up {
    const BYTES_MAX: usize = limits::WORKER_ANSWER_BYTES_MAX;
}

/// A message as a frame, length first.
pub(crate) fn frame<M: Message>(message: &M) -> Result<Vec<u8>, FrameError> {
    let mut frame = postcard::to_extend(message, vec![0; HEADER_BYTES]).map_err(|_| FrameError::Malformed)?;
    let length = frame.len().saturating_sub(HEADER_BYTES);
    let header = u32::try_from(length).ok().filter(|_| length <= M::BYTES_MAX);
    let header = header.ok_or(FrameError::TooLong(length))?;
    if let Some(place) = frame.get_mut(..HEADER_BYTES) {
        place.copy_from_slice(&header.to_le_bytes());
    }
    Ok(frame)
}

/// How many bytes follow a header.
pub(crate) fn body_bytes<M: Message>(header: [u8; HEADER_BYTES]) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_le_bytes(header)).unwrap_or(usize::MAX);
    if length > M::BYTES_MAX { Err(FrameError::TooLong(length)) } else { Ok(length) }
}

/// The message that a frame's body holds, and nothing besides.
pub(crate) fn message<M: Message>(body: &[u8]) -> Result<M, FrameError> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(FrameError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(frame: &[u8]) -> (usize, &[u8]) {
        let (header, body) = frame.split_at(HEADER_BYTES);
        (body_bytes::<Up>(header.try_into().unwrap()).unwrap(), body)
    }

    #[test]
    fn a_frame_comes_back_as_it_went_and_nothing_may_follow_it() {
        let frame = frame(&Up::Call(Call::Text { version: 7, field: "host".to_owned() })).unwrap();
        let (length, body) = body(&frame);
        assert_eq!(length, body.len());
        assert!(matches!(message(body), Ok(Up::Call(Call::Text { version: 7, field })) if field == "host"));

        let longer = [body, &[0]].concat();
        assert!(message::<Up>(&longer).is_err());
        for cut in 0..body.len() {
            assert!(message::<Up>(&body[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_read_or_sent() {
        let long = "x".repeat(limits::WORKER_ANSWER_BYTES_MAX);
        assert!(matches!(frame(&Up::Done(Ended::Transient(long))), Err(FrameError::TooLong(_))));
        assert!(body_bytes::<Up>(u32::MAX.to_le_bytes()).is_err());
        assert!(body_bytes::<Down>(u32::MAX.to_le_bytes()).is_err());
    }
}
