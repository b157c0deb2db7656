//! A proxy between Pawl and PostgreSQL that reads the frames of the plain protocol and can stop the world at any of them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What happens on the wire, in the order in which it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection has come in: the `n`th, from 1. Nothing was forwarded yet.
    Opened(usize),
    /// The server has let a login in; Pawl does not know it yet.
    LoggedIn(usize),
    /// The server has refused a login; Pawl does not know it yet.
    Refused(usize),
    /// A statement has come in; the server does not know it yet.
    Asked(usize, String),
    /// The server has carried a statement out; Pawl does not know it yet.
    Answered(usize, String),
    /// Pawl has been told.
    Told(usize, String),
    /// A connection has ended.
    Closed(usize),
}

/// What becomes of a connection after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    Forward,
    /// It is cut, both ways, before anything more is forwarded.
    Cut,
}

type Watcher = dyn Fn(&Event) -> Then + Send + Sync;

/// A running proxy.
pub struct Proxy {
    port: u16,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts one before the server on `port` of 127.0.0.1; `watcher` is asked at every event, and the connection stands
    /// still while it thinks.
    ///
    /// # Panics
    /// When the machine has no port left.
    #[must_use]
    pub fn start(server: u16, watcher: impl Fn(&Event) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ended = Arc::new(AtomicBool::new(false));
        let watcher: Arc<Watcher> = Arc::new(watcher);
        let stop = Arc::clone(&ended);
        std::thread::spawn(move || {
            let count = AtomicUsize::new(0);
            for client in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let watcher = Arc::clone(&watcher);
                std::thread::spawn(move || {
                    // A connection that breaks is an event like others.
                    let _ = carry(number, &client, server, &watcher);
                    let _ = client.shutdown(Shutdown::Both);
                    let _ = watcher(&Event::Closed(number));
                });
            }
        });
        Self { port, ended }
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // One more connection wakes the thread that waits for the next.
        #[expect(clippy::disallowed_methods, reason = "the proxy's own port")]
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// The code of the messages that come before a startup message: TLS or GSS, please?
const NEGOTIATION: [[u8; 4]; 2] = [80_877_103_u32.to_be_bytes(), 80_877_104_u32.to_be_bytes()];

struct Frame {
    kind: u8,
    bytes: Vec<u8>,
}

impl Frame {
    /// Reads one frame; those before the login have no kind.
    fn read(mut from: &TcpStream, typed: bool) -> std::io::Result<Self> {
        let mut kind = [0];
        let mut length = [0; 4];
        if typed {
            from.read_exact(&mut kind)?;
        }
        from.read_exact(&mut length)?;
        let size = usize::try_from(u32::from_be_bytes(length)).unwrap_or(0).saturating_sub(4);
        let mut bytes = if typed { kind.to_vec() } else { Vec::new() };
        bytes.extend(length);
        let start = bytes.len();
        bytes.resize(start + size, 0);
        from.read_exact(bytes.get_mut(start..).unwrap_or_default())?;
        Ok(Self { kind: kind.first().copied().unwrap_or(0), bytes })
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
        Some(String::from_utf8_lossy(text).trim().to_owned())
    }
}

fn cut() -> std::io::Error {
    std::io::Error::other("cut")
}

/// Carries one connection. PostgreSQL's protocol takes turns: requests up to a Sync or Query, then answers up to a
/// ReadyForQuery (or, before the login, to whatever asks for the next message), so one thread can do both ways.
fn carry(number: usize, client: &TcpStream, server: u16, watcher: &Arc<Watcher>) -> std::io::Result<()> {
    let tell = |event: Event| if watcher(&event) == Then::Cut { Err(cut()) } else { Ok(()) };
    tell(Event::Opened(number))?;
    #[expect(clippy::disallowed_methods, reason = "a test's proxy, not a part of the product")]
    let upstream = TcpStream::connect(("127.0.0.1", server))?;
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let startup = Frame::read(client, false)?;
    if startup.bytes.get(4..8).is_some_and(|code| NEGOTIATION.iter().any(|negotiation| code == negotiation)) {
        return Err(std::io::Error::other("asked for TLS although the secret says not to"));
    }
    (&upstream).write_all(&startup.bytes)?;
    login(number, client, &upstream, &tell)?;
    loop {
        let mut requests = Vec::new();
        let mut statement = None;
        loop {
            let frame = Frame::read(client, true)?;
            statement = frame.statement().filter(|text| !text.is_empty()).or(statement);
            requests.extend(&frame.bytes);
            match frame.kind {
                b'Q' | b'S' => break,
                b'X' => return (&upstream).write_all(&requests),
                _ => {}
            }
        }
        if let Some(text) = &statement {
            tell(Event::Asked(number, text.clone()))?;
        }
        (&upstream).write_all(&requests)?;
        let mut answers = Vec::new();
        loop {
            let frame = Frame::read(&upstream, true)?;
            answers.extend(&frame.bytes);
            if frame.kind == b'Z' {
                break;
            }
        }
        if let Some(text) = &statement {
            tell(Event::Answered(number, text.clone()))?;
        }
        { client }.write_all(&answers)?;
        if let Some(text) = statement {
            tell(Event::Told(number, text))?;
        }
    }
}

/// Carries the messages up to the first ReadyForQuery.
fn login(
    number: usize,
    client: &TcpStream,
    upstream: &TcpStream,
    tell: &impl Fn(Event) -> std::io::Result<()>,
) -> std::io::Result<()> {
    loop {
        let mut answers = Vec::new();
        loop {
            let frame = Frame::read(upstream, true)?;
            answers.extend(&frame.bytes);
            match frame.kind {
                b'Z' => {
                    tell(Event::LoggedIn(number))?;
                    return { client }.write_all(&answers);
                }
                b'E' => {
                    tell(Event::Refused(number))?;
                    return { client }.write_all(&answers).and_then(|()| Err(cut()));
                }
                // AuthenticationSASL (10) and SASLContinue (11), MD5 (5), clear text (3): the client's turn.
                b'R' if matches!(frame.payload().get(3), Some(3 | 5 | 10 | 11)) => break,
                _ => {}
            }
        }
        { client }.write_all(&answers)?;
        { upstream }.write_all(&Frame::read(client, true)?.bytes)?;
    }
}
