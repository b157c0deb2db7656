//! HTTP/1.1 by hand, so that a test can send what no client would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A request, sent exactly as it stands here.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST`, `GET`, ...
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header fields in their order. `content-length` and `connection` are added when they are sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts another value in the place of a header field's.
    #[must_use]
    pub fn replace(mut self, name: &str, value: &str) -> Self {
        for field in &mut self.headers {
            if field.0.eq_ignore_ascii_case(name) {
                value.clone_into(&mut field.1);
            }
        }
        self
    }

    /// Takes a header field out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|field| !field.0.eq_ignore_ascii_case(name));
        self
    }

    /// The bytes that go over the wire; `keep` leaves the connection open.
    #[must_use]
    pub fn bytes(&self, keep: bool) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: {value}\r\n").as_bytes());
        }
        let connection = if keep { "keep-alive" } else { "close" };
        let length = self.body.len();
        bytes.extend(format!("content-length: {length}\r\nconnection: {connection}\r\n\r\n").as_bytes());
        bytes.extend(&self.body);
        bytes
    }

    /// Sends it on a new connection and reads the whole answer.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn send(&self, to: SocketAddr) -> Answer {
        self.try_send(to).unwrap_or_else(|error| panic!("{} {} to {to}: {error}", self.method, self.path))
    }

    /// As [`Request::send`], for a server that may not be there.
    ///
    /// # Errors
    /// When the connection fails or what comes is no HTTP.
    pub fn try_send(&self, to: SocketAddr) -> std::io::Result<Answer> {
        self.try_send_within(to, Duration::from_secs(60))
    }

    /// As [`Request::try_send`], for a client of less patience: nothing may be heard for this long.
    ///
    /// # Errors
    /// When the connection fails, what comes is no HTTP, or nothing comes.
    pub fn try_send_within(&self, to: SocketAddr, limit: Duration) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&to, limit)?;
        stream.set_read_timeout(Some(limit))?;
        // A server may answer before it has read the whole body; the answer is what counts.
        let _ = stream.write_all(&self.bytes(false));
        let mut received = Vec::new();
        let ended = stream.read_to_end(&mut received);
        Answer::parse(&received).ok_or_else(|| {
            let why = ended.err().map_or_else(|| "no whole answer".to_owned(), |error| error.to_string());
            std::io::Error::other(why)
        })
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
}

impl Answer {
    /// Reads an answer; none while it is not whole.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = String::from_utf8_lossy(bytes.get(end + 4..)?).into_owned();
        let answer = Self { status, headers, body };
        let whole =
            answer.header("content-length").is_none_or(|length| length == answer.body.len().to_string());
        whole.then_some(answer)
    }

    /// A header field's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// AWS's error code, without its namespace.
    #[must_use]
    pub fn code(&self) -> String {
        let json = self.json();
        let code = json.get("__type").and_then(Value::as_str).unwrap_or_default();
        code.rsplit('#').next().unwrap_or_default().to_owned()
    }

    /// AWS's error message.
    #[must_use]
    pub fn message(&self) -> String {
        let json = self.json();
        let message = json.get("Message").or_else(|| json.get("message"));
        message.and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
