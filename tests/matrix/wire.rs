//! The wire between Pawl and a database: every message of the plain protocol is seen, and at the nth that matters the wire is cut or
//! the world stands still.

pub(crate) mod mysql;
pub(crate) mod postgres;

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happens on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A connection has come in, and its first message with the account's name; nothing was forwarded yet.
    Opened,
    /// The server has let the login in; Pawl does not know it yet.
    LoggedIn,
    /// The server has refused the password; Pawl does not know it yet.
    Refused,
    /// The server has taken nobody in, by this code.
    TurnedAway(String),
    /// A statement has come in; the server does not know it yet.
    Asked(String),
    /// The server has carried it out; Pawl does not know it yet.
    Answered(String),
    /// Pawl has been told.
    Told(String),
    /// The connection has ended.
    Closed,
}

impl What {
    /// The statement, and where on its way it is.
    pub(crate) fn statement(&self) -> Option<(Stage, &str)> {
        match self {
            Self::Asked(sql) => Some((Stage::Asked, sql)),
            Self::Answered(sql) => Some((Stage::Answered, sql)),
            Self::Told(sql) => Some((Stage::Told, sql)),
            _ => None,
        }
    }
}

/// Where a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Asked,
    Answered,
    Told,
}

/// An event of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The `n`th connection, from 1.
    pub(crate) connection: usize,
    /// Whom it logs in, once that is known.
    pub(crate) account: String,
    pub(crate) what: What,
}

/// Which events count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    All,
    /// Those of statements that change a password or commit the change, at this stage.
    Changes(Stage),
}

/// What the wire does at the event that was counted down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Cut,
    /// The connection stands still until [`Wire::release`], and is cut then.
    Stop,
}

/// A protocol, as the wire must know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protocol {
    /// Carries one connection to its end.
    carry: fn(&mut Link<'_>) -> std::io::Result<()>,
    /// Whether a statement changes a password, or commits such a change.
    pub(crate) changes: fn(&str) -> bool,
}

#[derive(Debug, Default)]
struct Inside {
    events: Vec<Event>,
    connections: usize,
    /// The first connection of this run.
    first: usize,
    open: usize,
    trap: Option<(Count, u64, Then)>,
    fired: bool,
    released: bool,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    inside: Mutex<Inside>,
    changed: Condvar,
}

impl Shared {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running wire.
#[derive(Debug)]
pub(crate) struct Wire {
    port: u16,
    shared: Arc<Shared>,
}

/// The longest that a connection stands still.
const STOP_LIMIT: Duration = Duration::from_secs(60);

impl Wire {
    /// Before the server on `port` of 127.0.0.1.
    pub(crate) fn start(server: u16, protocol: Protocol) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared: Arc<Shared> = Arc::default();
        let its = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut inside = its.inside();
                if inside.ended {
                    return;
                }
                inside.connections += 1;
                inside.open += 1;
                let number = inside.connections;
                drop(inside);
                let shared = Arc::clone(&its);
                std::thread::spawn(move || carry(number, &client, server, protocol, &shared));
            }
        });
        Self { port, shared }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Forgets what it has seen: another run begins.
    pub(crate) fn begin(&self) {
        self.disarm();
        let mut inside = self.shared.inside();
        inside.events.clear();
        inside.first = inside.connections + 1;
    }

    /// Has something happen at the nth of these events from now on.
    pub(crate) fn arm(&self, count: Count, nth: u64, then: Then) {
        let mut inside = self.shared.inside();
        inside.trap = Some((count, nth, then));
        inside.fired = false;
        inside.released = false;
    }

    /// Nothing is to happen any more, and who stands still is cut.
    pub(crate) fn disarm(&self) {
        self.shared.inside().trap = None;
        self.release();
    }

    /// Cuts the connection that stands still.
    pub(crate) fn release(&self) {
        self.shared.inside().released = true;
        self.shared.changed.notify_all();
    }

    pub(crate) fn fired(&self) -> bool {
        self.shared.inside().fired
    }

    /// Everything since the run began.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.shared.inside().events.clone()
    }

    /// Connections that have not ended.
    pub(crate) fn open(&self) -> usize {
        self.shared.inside().open
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.inside().ended = true;
        self.release();
        // One more connection wakes the thread that waits for the next.
        #[expect(clippy::disallowed_methods, reason = "the wire's own port")]
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A connection in the hands of its protocol.
pub(crate) struct Link<'a> {
    number: usize,
    account: String,
    client: &'a TcpStream,
    server: TcpStream,
    changes: fn(&str) -> bool,
    shared: &'a Shared,
}

fn cut() -> std::io::Error {
    std::io::Error::other("cut")
}

impl Link<'_> {
    fn tell(&self, what: What) -> std::io::Result<()> {
        let mut inside = self.shared.inside();
        if self.number < inside.first {
            return Ok(());
        }
        let counts = |count: Count| match count {
            Count::All => true,
            Count::Changes(stage) => {
                what.statement().is_some_and(|(at, sql)| at == stage && (self.changes)(sql))
            }
        };
        let hit = match &mut inside.trap {
            Some((count, nth, then)) if counts(*count) => {
                *nth -= 1;
                (*nth == 0).then_some(*then)
            }
            _ => None,
        };
        inside.events.push(Event { connection: self.number, account: self.account.clone(), what });
        let Some(then) = hit else { return Ok(()) };
        inside.trap = None;
        inside.fired = true;
        if then == Then::Stop {
            let waiting = |inside: &mut Inside| !inside.released;
            drop(self.shared.changed.wait_timeout_while(inside, STOP_LIMIT, waiting));
        }
        Err(cut())
    }

    fn tell_client(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.client.write_all(bytes)
    }

    fn tell_server(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.server.write_all(bytes)
    }
}

fn carry(number: usize, client: &TcpStream, server: u16, protocol: Protocol, shared: &Arc<Shared>) {
    #[expect(clippy::disallowed_methods, reason = "a test's proxy, not a part of the product")]
    if let Ok(server) = TcpStream::connect(("127.0.0.1", server)) {
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let mut link =
            Link { number, account: String::new(), client, server, changes: protocol.changes, shared };
        // A connection that breaks is an event like others.
        let _ = (protocol.carry)(&mut link);
        let _ = link.tell(What::Closed);
        let _ = link.server.shutdown(Shutdown::Both);
    }
    let _ = client.shutdown(Shutdown::Both);
    shared.inside().open -= 1;
}
