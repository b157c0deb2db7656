//! A service over HTTP whose users have API keys: what a rotator for a system that Pawl never heard of talks to. It can fail at any
//! moment and answer anything.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `PUT`, ...
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header fields, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// What happens, in the order in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A request has come in; nothing was done yet.
    Asked,
    /// A key was set; the asker does not know it yet.
    Set,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    Go,
    /// The connection ends without an answer.
    Cut,
    /// No answer comes, and the connection stays open.
    Silence,
    /// These bytes are the answer, and the end of it.
    Answer(Vec<u8>),
}

impl Then {
    /// An answer with this status, header lines and body.
    #[must_use]
    pub fn answer(status: u16, headers: &str, body: &str) -> Self {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        Self::Answer(format!("{head}{body}").into_bytes())
    }
}

type Watcher = dyn Fn(Moment, &Asked) -> Then + Send + Sync;

#[derive(Default)]
struct State {
    keys: BTreeMap<String, String>,
    /// Every key that was ever set, in order.
    set: Vec<String>,
    asked: Vec<Asked>,
    /// Connections that get no answer.
    silent: Vec<TcpStream>,
}

/// A running service. `GET /v1/users/USER/key` with a user's key is answered 200, `PUT` with `{"key": ".."}` sets another one; with a
/// wrong key either is answered 401.
pub struct KeyService {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    ended: Arc<AtomicBool>,
}

impl KeyService {
    /// Starts one; `watcher` is asked at every moment, and the request stands still while it thinks.
    ///
    /// # Panics
    /// When the machine has no port left.
    #[must_use]
    pub fn start(watcher: impl Fn(Moment, &Asked) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (state, ended): (Arc<Mutex<State>>, Arc<AtomicBool>) = <_>::default();
        let watcher: Arc<Watcher> = Arc::new(watcher);
        let (its_state, stop) = (Arc::clone(&state), Arc::clone(&ended));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (state, watcher) = (Arc::clone(&its_state), Arc::clone(&watcher));
                std::thread::spawn(move || serve(client, &state, &watcher));
            }
        });
        Self { address, state, ended }
    }

    /// A service at which nothing goes wrong.
    #[must_use]
    pub fn calm() -> Self {
        Self::start(|_, _| Then::Go)
    }

    /// `http://` and its address.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives a user a key, as its administrator does.
    pub fn give(&self, user: &str, key: &str) {
        let _ = locked(&self.state).keys.insert(user.to_owned(), key.to_owned());
    }

    /// The key of a user.
    #[must_use]
    pub fn key(&self, user: &str) -> Option<String> {
        locked(&self.state).keys.get(user).cloned()
    }

    /// Every key that was ever set by a request, in order.
    #[must_use]
    pub fn set(&self) -> Vec<String> {
        locked(&self.state).set.clone()
    }

    /// Every request that came.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.state).asked.clone()
    }
}

impl Drop for KeyService {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // One more connection wakes the thread that waits for the next.
        #[expect(clippy::disallowed_methods, reason = "the service's own port")]
        let _ = TcpStream::connect(self.address);
    }
}

fn locked(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut client: TcpStream, state: &Mutex<State>, watcher: &Arc<Watcher>) {
    let Some(asked) = read(&mut client) else { return };
    locked(state).asked.push(asked.clone());
    let mut then = watcher(Moment::Asked, &asked);
    if then == Then::Go {
        let (answer, was_set) = act(state, &asked);
        then = if was_set { watcher(Moment::Set, &asked) } else { Then::Go };
        if then == Then::Go {
            then = answer;
        }
    }
    match then {
        Then::Answer(bytes) => {
            let _ = client.write_all(&bytes);
        }
        Then::Silence => locked(state).silent.push(client),
        Then::Go | Then::Cut => {}
    }
}

/// Does what a request asks, and whether that has set a key.
fn act(state: &Mutex<State>, asked: &Asked) -> (Then, bool) {
    let mut state = locked(state);
    let user = asked.path.strip_prefix("/v1/users/").and_then(|rest| rest.strip_suffix("/key"));
    let Some(user) = user else { return (Then::answer(404, "", ""), false) };
    let given = asked.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if given.is_none() || state.keys.get(user).map(String::as_str) != given {
        return (Then::answer(401, "", ""), false);
    }
    match asked.method.as_str() {
        "GET" => (Then::answer(200, "content-type: application/json\r\n", "{\"user\": \"known\"}"), false),
        "PUT" => {
            let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap_or_default();
            let Some(key) = body.get("key").and_then(serde_json::Value::as_str) else {
                return (Then::answer(400, "", ""), false);
            };
            let _ = state.keys.insert(user.to_owned(), key.to_owned());
            state.set.push(key.to_owned());
            (Then::answer(204, "", ""), true)
        }
        _ => (Then::answer(405, "", ""), false),
    }
}

fn read(client: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        let mut more = [0; 4096];
        let count = client.read(&mut more).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(more.get(..count)?);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return Some(Asked { method, path, headers, body: body.to_owned() });
        }
    }
}
