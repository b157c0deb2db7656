//! PostgreSQL's protocol, version 3. It takes turns: requests up to a Sync or Query, then answers up to a ReadyForQuery (or, before
//! the login, to whatever asks for the next message), so one thread can do both ways.

use std::io::Read;
use std::net::TcpStream;

use super::{Link, Protocol, What, cut};

pub(crate) const PROTOCOL: Protocol =
    Protocol { carry, changes: |sql| sql.contains("SCRAM-SHA-256$") || sql.contains("COMMIT") };

/// The codes of the messages that come before a startup message: TLS or GSS, please?
const NEGOTIATION: [[u8; 4]; 2] = [80_877_103_u32.to_be_bytes(), 80_877_104_u32.to_be_bytes()];

struct Frame {
    kind: u8,
    bytes: Vec<u8>,
}

impl Frame {
    /// Reads one frame; those before the login have no kind.
    fn read(mut from: &TcpStream, typed: bool) -> std::io::Result<Self> {
        let head = if typed { 5 } else { 4 };
        let mut bytes = vec![0; head];
        from.read_exact(&mut bytes)?;
        let length: [u8; 4] = bytes[head - 4..].try_into().unwrap();
        let size = usize::try_from(u32::from_be_bytes(length)).unwrap_or(0).saturating_sub(4);
        bytes.resize(head + size, 0);
        from.read_exact(&mut bytes[head..])?;
        Ok(Self { kind: if typed { bytes[0] } else { 0 }, bytes })
    }

    fn payload(&self) -> &[u8] {
        self.bytes.get(5..).unwrap_or_default()
    }

    /// The statement in a Query or a Parse.
    fn statement(&self) -> Option<String> {
        let text = match self.kind {
            b'Q' => self.payload(),
            b'P' => self.payload().splitn(2, |byte| *byte == 0).nth(1)?,
            _ => return None,
        };
        let text = text.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(text).trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A field of an ErrorResponse, as `C`, its code.
    fn field(&self, name: u8) -> String {
        let found = self.payload().split(|byte| *byte == 0).find(|field| field.first() == Some(&name));
        String::from_utf8_lossy(found.and_then(|field| field.get(1..)).unwrap_or_default()).into_owned()
    }
}

/// A parameter of a startup message.
fn parameter(startup: &[u8], name: &str) -> String {
    let mut texts = startup.get(8..).unwrap_or_default().split(|byte| *byte == 0);
    while let (Some(key), Some(value)) = (texts.next(), texts.next()) {
        if key == name.as_bytes() {
            return String::from_utf8_lossy(value).into_owned();
        }
    }
    String::new()
}

fn carry(link: &mut Link<'_>) -> std::io::Result<()> {
    let startup = Frame::read(link.client, false)?;
    if startup.bytes.get(4..8).is_some_and(|code| NEGOTIATION.iter().any(|negotiation| code == negotiation)) {
        return Err(std::io::Error::other("asked for TLS although the secret says not to"));
    }
    link.account = parameter(&startup.bytes, "user");
    link.tell(What::Opened)?;
    link.tell_server(&startup.bytes)?;
    login(link)?;
    loop {
        let (mut requests, mut statement) = (Vec::new(), None);
        loop {
            let frame = Frame::read(link.client, true)?;
            statement = frame.statement().or(statement);
            requests.extend(&frame.bytes);
            match frame.kind {
                b'Q' | b'S' => break,
                b'X' => return link.tell_server(&requests),
                _ => {}
            }
        }
        if let Some(text) = &statement {
            link.tell(What::Asked(text.clone()))?;
        }
        link.tell_server(&requests)?;
        let mut answers = Vec::new();
        loop {
            let frame = Frame::read(&link.server, true)?;
            answers.extend(&frame.bytes);
            if frame.kind == b'Z' {
                break;
            }
        }
        if let Some(text) = &statement {
            link.tell(What::Answered(text.clone()))?;
        }
        link.tell_client(&answers)?;
        if let Some(text) = statement {
            link.tell(What::Told(text))?;
        }
    }
}

/// Carries the messages up to the first ReadyForQuery.
fn login(link: &mut Link<'_>) -> std::io::Result<()> {
    loop {
        let mut answers = Vec::new();
        loop {
            let frame = Frame::read(&link.server, true)?;
            answers.extend(&frame.bytes);
            match frame.kind {
                b'Z' => {
                    link.tell(What::LoggedIn)?;
                    return link.tell_client(&answers);
                }
                b'E' => {
                    let code = frame.field(b'C');
                    link.tell(if code.starts_with("28") { What::Refused } else { What::TurnedAway(code) })?;
                    return link.tell_client(&answers).and_then(|()| Err(cut()));
                }
                // AuthenticationSASL (10) and SASLContinue (11), MD5 (5), clear text (3): the client's turn.
                b'R' if matches!(frame.payload().get(3), Some(3 | 5 | 10 | 11)) => break,
                _ => {}
            }
        }
        link.tell_client(&answers)?;
        let proof = Frame::read(link.client, true)?;
        link.tell_server(&proof.bytes)?;
    }
}
