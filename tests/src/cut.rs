//! A wire that can be cut: what stands between one host and one server of its store.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How the wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It carries.
    Open,
    /// A network that drops every packet: connections stay, new ones come, and nobody hears anything. What was sent meanwhile
    /// arrives once the wire is open again, as TCP would send it anew.
    Silent,
    /// Connections end at once, new ones too.
    Closed,
}

/// A running wire.
#[derive(Debug)]
pub struct Cut {
    port: u16,
    wire: Arc<Wire>,
}

#[derive(Debug)]
struct Wire {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inside {
    state: State,
    /// Nothing more is to come.
    ended: bool,
    /// Both ends of every connection that there is.
    connections: BTreeMap<u64, [TcpStream; 2]>,
    next: u64,
}

impl Wire {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the wire is silent; whether it carries then.
    fn carries(&self) -> bool {
        let mut inside = self.inside();
        while inside.state == State::Silent && !inside.ended {
            inside = self.changed.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        inside.state == State::Open && !inside.ended
    }

    /// Remembers both ends of a connection, so that it can be ended; none when it must not be.
    fn keep(&self, ends: [&TcpStream; 2]) -> Option<u64> {
        let [one, other] = ends.map(|end| end.try_clone().unwrap());
        let mut inside = self.inside();
        if inside.state == State::Closed || inside.ended {
            return None;
        }
        inside.next += 1;
        let number = inside.next;
        inside.connections.insert(number, [one, other]);
        Some(number)
    }
}

impl Cut {
    /// Puts a wire before the server on `port` of 127.0.0.1.
    ///
    /// # Panics
    /// When the machine has no port left.
    #[must_use]
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside = Inside { state: State::Open, ended: false, connections: BTreeMap::new(), next: 0 };
        let wire = Arc::new(Wire { inside: Mutex::new(inside), changed: Condvar::new() });
        let its = Arc::clone(&wire);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if its.inside().ended {
                    return;
                }
                let wire = Arc::clone(&its);
                std::thread::spawn(move || carry(&wire, &client, server));
            }
        });
        Self { port, wire }
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Makes the wire so.
    pub fn set(&self, state: State) {
        let mut inside = self.wire.inside();
        inside.state = state;
        if state == State::Closed {
            for stream in inside.connections.values().flatten() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        drop(inside);
        self.wire.changed.notify_all();
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.wire.inside().ended = true;
        self.set(State::Closed);
        // One more connection wakes the thread that waits for the next.
        #[expect(clippy::disallowed_methods, reason = "the wire's own port")]
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Carries one connection, each way by itself.
fn carry(wire: &Arc<Wire>, client: &TcpStream, server: u16) {
    // A connection that comes while the wire is silent waits before the server hears of it.
    if wire.carries() {
        #[expect(clippy::disallowed_methods, reason = "a test's proxy, not a part of the product")]
        let server = TcpStream::connect(("127.0.0.1", server));
        if let Ok(server) = server
            && let Some(number) = wire.keep([client, &server])
        {
            std::thread::scope(|scope| {
                scope.spawn(|| pump(wire, client, &server));
                pump(wire, &server, client);
            });
            wire.inside().connections.remove(&number);
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

/// Moves bytes one way until that way ends. Its end is told on like everything else, and only when the wire carries.
fn pump(wire: &Wire, mut from: &TcpStream, mut to: &TcpStream) {
    let _ = to.set_nodelay(true);
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        let carried = wire.carries();
        let bytes = buffer.get(..read).unwrap_or_default();
        if !carried || bytes.is_empty() || to.write_all(bytes).is_err() {
            // A half that has ended says so; what the other half still has to say may come.
            let _ = to.shutdown(if carried { Shutdown::Write } else { Shutdown::Both });
            return;
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the ends of the wire under test")]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A server that says everything back.
    fn echo() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        port
    }

    fn connect(wire: &Cut) -> TcpStream {
        TcpStream::connect(("127.0.0.1", wire.port())).unwrap()
    }

    fn say(mut stream: &TcpStream, text: &[u8]) {
        stream.write_all(text).unwrap();
    }

    /// What comes back, within the time that a silent wire is given to prove that it is not.
    fn hear<const N: usize>(mut stream: &TcpStream, limit: Duration) -> std::io::Result<[u8; N]> {
        stream.set_read_timeout(Some(limit)).unwrap();
        let mut bytes = [0; N];
        stream.read_exact(&mut bytes).map(|()| bytes)
    }

    #[test]
    fn a_wire_carries_falls_silent_delivers_late_and_ends() {
        let (soon, long) = (Duration::from_millis(50), Duration::from_secs(30));
        let wire = Cut::start(echo());
        let first = connect(&wire);
        say(&first, b"one");
        assert_eq!(&hear::<3>(&first, long).unwrap(), b"one");

        wire.set(State::Silent);
        say(&first, b"two");
        let second = connect(&wire);
        say(&second, b"three");
        assert!(hear::<1>(&first, soon).is_err());
        assert!(hear::<1>(&second, soon).is_err());

        wire.set(State::Open);
        assert_eq!(&hear::<3>(&first, long).unwrap(), b"two");
        assert_eq!(&hear::<5>(&second, long).unwrap(), b"three");

        wire.set(State::Closed);
        for stream in [&first, &second, &connect(&wire)] {
            assert_eq!(hear::<1>(stream, long).unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
        }
        wire.set(State::Open);
        let third = connect(&wire);
        say(&third, b"four");
        assert_eq!(&hear::<4>(&third, long).unwrap(), b"four");
    }
}
