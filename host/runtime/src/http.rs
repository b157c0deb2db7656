//! Requests that the host makes for guests: one connection, one request, one answer that is read whole or not at all.

pub(crate) mod echo;

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use hyper_util::rt::TokioIo;
use pawl_core::limits;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::database::TlsRoots;
use crate::dial::Destination;
use crate::stream::{self, OpenError, Stream};

/// Why there is no answer. The texts name the place, and nothing that the server said.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendFailure {
    /// The egress rule does not cover the place. Nothing was sent.
    #[error("{0}")]
    NotGranted(String),
    /// No connection. Nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The server did not prove who it is. Nothing was sent.
    #[error("{0}")]
    Untrusted(String),
    /// Sent, and no answer came that is one.
    #[error("{0}")]
    Lost(String),
    /// Answered with this status, and the rest cannot be looked through.
    #[error("the answer is too long, compressed, or no text")]
    Unreadable(u16),
}

impl From<OpenError> for SendFailure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotGranted(text) => Self::NotGranted(text),
            OpenError::Unreachable(text) => Self::Unreachable(text),
            OpenError::Untrusted(text) => Self::Untrusted(text),
        }
    }
}

/// An answer. What is in it has not been looked through yet.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// An open connection, over which nothing has been said yet.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    place: String,
}

impl Connection {
    /// Dials, and makes sure of the server where it is one with TLS.
    pub(crate) async fn open(to: &Destination, tls: Option<&TlsRoots>) -> Result<Self, SendFailure> {
        let stream = stream::open(to, tls, Some(b"http/1.1")).await?;
        Ok(Self { stream, place: to.to_string() })
    }

    /// Sends a request and reads its answer: its status alone, or `whole`.
    pub(crate) async fn exchange(
        self,
        request: Request<Full<Bytes>>,
        whole: bool,
    ) -> Result<Received, SendFailure> {
        let Self { stream, place } = self;
        let lost = |what: &str| {
            SendFailure::Lost(format!("{place} {what}; whether it did what it was asked is not known"))
        };
        match timeout(limits::HTTP_TIMEOUT, converse(stream, request, whole)).await {
            Ok(Ok(received)) => Ok(received),
            Ok(Err(Broken::Unreadable(status))) => Err(SendFailure::Unreadable(status)),
            Ok(Err(Broken::NoAnswer)) => Err(lost("gave no answer that is HTTP")),
            Err(_) => Err(lost("did not answer in time")),
        }
    }
}

enum Broken {
    NoAnswer,
    Unreadable(u16),
}

async fn converse(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    whole: bool,
) -> Result<Received, Broken> {
    let (from, to) = tokio::io::split(stream);
    // A server that never ends, with heads before the answer or with chunks of nothing, is cut off.
    let most = u64::try_from(limits::HTTP_WIRE_BYTES_MAX).unwrap_or(u64::MAX);
    let stream = TokioIo::new(tokio::io::join(from.take(most), to));
    let handshake = http1::Builder::new()
        .max_headers(limits::HTTP_ANSWER_HEADERS_MAX)
        .max_buf_size(limits::HTTP_HEAD_BYTES_MAX)
        .handshake::<_, Full<Bytes>>(stream);
    let (mut sender, connection) = handshake.await.map_err(|_| Broken::NoAnswer)?;
    let driven = async {
        // How it ends shows in the answer, or in that there is none.
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    let answered = async {
        let response = sender.send_request(request).await.map_err(|_| Broken::NoAnswer)?;
        let status = response.status().as_u16();
        if status < 200 {
            return Err(Broken::NoAnswer);
        }
        if !whole {
            return Ok(Received { status, headers: Vec::new(), body: String::new() });
        }
        let (head, body) = response.into_parts();
        if !is_plain_text(status, &head.headers) {
            return Err(Broken::Unreadable(status));
        }
        let headers = fields(&head.headers).ok_or(Broken::Unreadable(status))?;
        let body = read(body).await.ok_or(Broken::Unreadable(status))?;
        Ok(Received { status, headers, body })
    };
    tokio::select! {
        biased;
        answered = answered => answered,
        never = driven => match never {},
    }
}

async fn read(body: Incoming) -> Option<String> {
    let body = Limited::new(body, limits::HTTP_ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes();
    let text = String::from_utf8(body.to_vec()).ok()?;
    let is_text =
        text.chars().all(|character| !character.is_control() || matches!(character, '\t' | '\r' | '\n'));
    is_text.then_some(text)
}

fn fields(headers: &HeaderMap) -> Option<Vec<(String, String)>> {
    let field = |(name, value): (&hyper::header::HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().map(field).collect()
}

/// Whether an answer is text, all of it, as it stands: what is packed, cut out or in another alphabet hides what is looked for.
fn is_plain_text(status: u16, headers: &HeaderMap) -> bool {
    const PARTIAL_CONTENT: u16 = 206;
    let only = |name, value: &str| {
        headers.get_all(name).iter().all(|found| found.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
    };
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let kind = match (types.next(), types.next()) {
        (None, _) => true,
        (Some(kind), None) => kind.to_str().is_ok_and(is_text_type),
        (Some(_), Some(_)) => false,
    };
    status != PARTIAL_CONTENT
        && kind
        && only(CONTENT_ENCODING, "identity")
        && only(TRANSFER_ENCODING, "chunked")
}

fn is_text_type(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let mut parts = kind.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let is_text = kind.starts_with("text/")
        || matches!(kind, "application/json" | "application/xml" | "application/x-www-form-urlencoded")
        || (kind.starts_with("application/") && (kind.ends_with("+json") || kind.ends_with("+xml")));
    let charset = parts.find_map(|parameter| parameter.strip_prefix("charset="));
    is_text
        && charset.is_none_or(|charset| matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_text_is_not_read() {
        let headers = |fields: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in fields {
                map.append(*name, HeaderValue::from_static(value));
            }
            map
        };
        for fine in [
            &[][..],
            &[("content-type", "application/json")],
            &[("content-type", "Text/HTML; charset=\"UTF-8\""), ("transfer-encoding", "chunked")],
            &[("content-type", "application/problem+json"), ("content-encoding", "identity")],
        ] {
            assert!(is_plain_text(200, &headers(fine)), "{fine:?}");
        }
        for bad in [
            &[("content-encoding", "gzip")][..],
            &[("content-encoding", "identity, br")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("content-type", "application/octet-stream")],
            &[("content-type", "application/zip")],
            &[("content-type", "multipart/byteranges; boundary=x")],
            &[("content-type", "text/plain; charset=utf-16")],
            &[("content-type", "text/plain; charset=utf-7")],
            &[("content-type", "text/plain"), ("content-type", "application/json")],
        ] {
            assert!(!is_plain_text(200, &headers(bad)), "{bad:?}");
        }
        assert!(!is_plain_text(206, &HeaderMap::new()));
    }
}
