//! Connections that the host makes for a guest: what is said over them, what is not, and what a guest is told of what comes.

mod answers;
mod bounds;

use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::http::tls::Certificates;
use super::*;
use crate::wire::{TcpAnswer, TcpError, TcpNumber, TcpPart};

const OLD: &str = "old-canary/\"0123456789abcdef";
const NEW: &str = "new-canary/\"fedcba9876543210";

/// A server that answers each piece that it is told as it is set up to, and remembers what it was told.
struct Peer {
    address: SocketAddr,
    told: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Peer {
    async fn answering(answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, connections, ended): (Arc<Mutex<Vec<u8>>>, Arc<AtomicUsize>, Arc<AtomicUsize>) =
            <_>::default();
        let peer = Self {
            address,
            told: Arc::clone(&told),
            connections: Arc::clone(&connections),
            ended: Arc::clone(&ended),
        };
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (told, answer, ended) = (Arc::clone(&told), Arc::clone(&answer), Arc::clone(&ended));
                tokio::spawn(async move {
                    let mut buffer = [0; 64 * 1024];
                    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                        told.lock().unwrap().extend_from_slice(&buffer[..read]);
                        let said = answer(&buffer[..read]);
                        if stream.write_all(&said).await.is_err() {
                            break;
                        }
                    }
                    ended.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.write_all(b"bye\n").await;
                });
            }
        });
        peer
    }

    /// Says the same to everything.
    async fn saying(said: &str) -> Self {
        let said = said.as_bytes().to_vec();
        Self::answering(move |_| said.clone()).await
    }

    fn told(&self) -> String {
        String::from_utf8_lossy(&self.told.lock().unwrap()).into_owned()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn grant(&self, more: &serde_json::Value) -> serde_json::Value {
        let mut grant = serde_json::json!({
            "targets": [self.address.to_string()], "tls": "none", "sensitive": true, "answers": true,
            "accepts": ["+OK"], "refuses": ["-NO"],
        });
        for (name, value) in more.as_object().unwrap() {
            grant[name] = value.clone();
        }
        grant
    }

    /// A function that may do all here, and a secret with a pending version.
    fn world(&self, step: Step) -> World {
        self.world_with(step, &serde_json::json!({}))
    }

    fn world_with(&self, step: Step, more: &serde_json::Value) -> World {
        let mut world = world();
        world.step = step;
        let grant = serde_json::from_value(self.grant(more)).unwrap();
        world.grants = Grants { tcp: [grant].into(), ..Grants::default() };
        world.port.with(|memory| {
            (memory.current, memory.previous) = (Some(secret(OLD)), None);
        });
        world.pend(&secret(NEW));
        world
    }
}

fn secret(password: &str) -> String {
    serde_json::json!({"host": "cache", "username": "app", "password": password}).to_string()
}

fn text(text: &str) -> TcpPart {
    TcpPart::Bytes(text.as_bytes().to_vec())
}

impl Guest {
    async fn password(&mut self, call: Call) -> Handle {
        let version = self.version(call).await;
        self.sensitive(version, "password").await.unwrap()
    }

    async fn tcp(&mut self, call: Call) -> Result<TcpAnswer, TcpError> {
        match self.call(call).await {
            Reply::Tcp(answered) => answered,
            other => panic!("{other:?}"),
        }
    }

    async fn dial(&mut self, at: SocketAddr) -> Result<Handle, TcpError> {
        self.open_at(&at.ip().to_string(), at.port()).await
    }

    async fn open_at(&mut self, host: &str, port: u16) -> Result<Handle, TcpError> {
        match self.tcp(Call::TcpOpen { host: host.to_owned(), port }).await? {
            TcpAnswer::Opened(connection) => Ok(connection),
            other => panic!("{other:?}"),
        }
    }

    async fn say(&mut self, connection: Handle, parts: Vec<TcpPart>) -> Result<(), TcpError> {
        match self.tcp(Call::TcpSend { connection, parts }).await? {
            TcpAnswer::Done => Ok(()),
            other => panic!("{other:?}"),
        }
    }

    async fn expect(&mut self, connection: Handle, of: &[&str]) -> Result<Option<u32>, TcpError> {
        let beginnings = of.iter().map(|begin| begin.as_bytes().to_vec()).collect();
        match self.tcp(Call::TcpExpect { connection, beginnings, end: b"\n".to_vec() }).await? {
            TcpAnswer::Beginning(which) => Ok(which),
            other => panic!("{other:?}"),
        }
    }

    async fn receive(&mut self, connection: Handle, most: u32) -> Result<String, TcpError> {
        match self.tcp(Call::TcpReceive { connection, most }).await? {
            TcpAnswer::Bytes(bytes) => Ok(String::from_utf8(bytes).unwrap()),
            other => panic!("{other:?}"),
        }
    }
}

fn is_refused(result: &Result<impl std::fmt::Debug, TcpError>, why: &str) {
    let told = format!("{result:?}");
    let refused = matches!(result, Err(TcpError::Refused(_) | TcpError::NotGranted(_)));
    assert!(refused && told.contains(why), "{why}: {told}");
}

#[tokio::test]
async fn the_host_writes_values_down_and_notes_it_before() {
    let exposed = Arc::new(Mutex::new(Vec::new()));
    let (seen, port) = (Arc::clone(&exposed), Arc::new(Mutex::new(None::<Arc<MemoryPort>>)));
    let its_port = Arc::clone(&port);
    let peer = Peer::answering(move |_| {
        let port = its_port.lock().unwrap().clone().unwrap();
        seen.lock().unwrap().push(port.with(|memory| memory.standing.exposed));
        b"+OK\n".to_vec()
    })
    .await;
    let world = peer.world(Step::SetSecret);
    *port.lock().unwrap() = Some(Arc::clone(&world.port));
    let mut guest = world.step();
    let (old, new) = (guest.password(Call::Current).await, guest.password(Call::Pending).await);
    let connection = guest.dial(peer.address).await.unwrap();
    guest.say(connection, vec![text("AUTH "), TcpPart::Sensitive(old), text("\n")]).await.unwrap();
    assert_eq!(guest.expect(connection, &["-NO", "+OK"]).await, Ok(Some(1)));
    let length = |number| TcpPart::Length { of: new, more: 2, number };
    let parts = vec![
        length(TcpNumber::Decimal),
        text(" "),
        length(TcpNumber::U16Be),
        text(" \""),
        TcpPart::Json(new),
        text("\" "),
        TcpPart::Base64 { before: b"\0app\0".to_vec(), value: new },
        text(" "),
        TcpPart::Sha256(new),
        text("\n"),
    ];
    guest.say(connection, parts).await.unwrap();
    assert_eq!(guest.expect(connection, &["+OK"]).await, Ok(Some(0)));
    assert_eq!(*exposed.lock().unwrap(), [false, true], "noted before the new value is sent, and not before");
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(NEW));
    let both = format!("\0app\0{NEW}");
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, both);
    assert_eq!(
        peer.told(),
        format!("AUTH {OLD}\n30 \0\u{1e} \"new-canary/\\\"fedcba9876543210\" {base64} {hash}\n")
    );
}

#[tokio::test]
async fn what_is_not_granted_is_not_dialled() {
    let (peer, other) = (Peer::saying("+OK\n").await, Peer::saying("+OK\n").await);
    let world = peer.world(Step::SetSecret);
    let mut guest = world.step();
    let port = peer.address.port();
    // Another port, another name of the same address, and spellings that a resolver would take for it.
    is_refused(&guest.dial(other.address).await, "do not cover");
    for host in ["localhost", "127.0.0.2", "169.254.169.254", "::1", "evil.example"] {
        is_refused(&guest.open_at(host, port).await, "do not cover");
    }
    for host in ["127.0.0.1.", "127.1", "0x7f.1", "2130706433", "127.0.0.1\0", "[127.0.0.1]", "LOCALHOST", ""]
    {
        is_refused(&guest.open_at(host, port).await, "a host name in lower case");
    }
    is_refused(&guest.open_at("127.0.0.1", 0).await, "and a port");
    assert_eq!((peer.connections(), other.connections()), (0, 0));
    // Granted by the operator, and never dialled.
    for never in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "0.0.0.0"] {
        let target = format!("{never}:{port}");
        let world = peer.world_with(Step::SetSecret, &serde_json::json!({"targets": [target]}));
        let opened = world.step().open_at(never.trim_matches(['[', ']']), port).await;
        is_refused(&opened, if never.contains("ffff") { "" } else { "the egress rule denies" });
    }
    assert_eq!(peer.connections(), 0);
    let mut none = World { grants: Grants::default(), ..peer.world(Step::SetSecret) }.step();
    is_refused(&none.dial(peer.address).await, "do not cover");
}

#[tokio::test]
async fn a_value_goes_out_only_where_and_when_it_may() {
    let peer = Peer::saying("+OK\n").await;
    let world = peer
        .world_with(Step::SetSecret, &serde_json::json!({"sensitive": false, "accepts": [], "refuses": []}));
    let mut guest = world.step();
    let (old, connection) = (guest.password(Call::Current).await, guest.dial(peer.address).await.unwrap());
    for part in [TcpPart::Sensitive(old), TcpPart::Sha256(old), TcpPart::Json(old)] {
        is_refused(&guest.say(connection, vec![text("x"), part]).await, "let no sensitive value");
    }
    assert_eq!(guest.say(connection, vec![text("hello")]).await, Ok(()));
    // Stored nowhere: nobody could log in with it.
    let world = peer.world(Step::SetSecret);
    let mut guest = world.step();
    let made = guest.random(PasswordRules::default()).await.unwrap();
    let connection = guest.dial(peer.address).await.unwrap();
    is_refused(&guest.say(connection, vec![TcpPart::Sensitive(made)]).await, "must be stored as AWSPENDING");
    is_refused(&guest.say(connection, vec![TcpPart::Sha256(made)]).await, "must be stored as AWSPENDING");
    // One that could end a line, and one that is too short to be found again.
    for (value, why) in
        [("two\r\nlines-of-a-canary", "control character"), ("short-canary", "less than 16 bytes")]
    {
        world.port.with(|memory| memory.current = Some(secret(value)));
        let mut guest = world.step();
        let (old, connection) =
            (guest.password(Call::Current).await, guest.dial(peer.address).await.unwrap());
        is_refused(&guest.say(connection, vec![TcpPart::Sensitive(old)]).await, why);
    }
    // Whoever has taken over the secret: nothing more is said for this rotation, with a value or without.
    for which in [Some(Call::Current), Some(Call::Pending), None] {
        let world = peer.world(Step::SetSecret);
        let mut guest = world.step();
        let part = match which {
            Some(which) => TcpPart::Sensitive(guest.password(which).await),
            None => text("x"),
        };
        let connection = guest.dial(peer.address).await.unwrap();
        world.port.with(|memory| memory.lost_at_fence = true);
        assert_eq!(guest.say(connection, vec![part]).await, Err(TcpError::Superseded));
        assert!(guest.0.was_superseded());
    }
    // It is said before: what is told now has come after all of it.
    let (mut last, told) = (peer.world(Step::SetSecret).step(), "the-end");
    let connection = last.dial(peer.address).await.unwrap();
    last.say(connection, vec![text(told)]).await.unwrap();
    assert_eq!(last.expect(connection, &["+OK"]).await, Ok(Some(0)));
    assert_eq!(peer.told(), format!("hello{told}"));
}

#[tokio::test]
async fn another_secrets_password_is_sent_and_has_no_handle() {
    let peer = Peer::saying("+OK\n").await;
    let mut world = peer.world(Step::SetSecret);
    world.grants.secrets = [SecretPattern::try_from("master".to_owned()).unwrap()].into();
    let master = r#"{"username":"root","password":"master-canary-0123456789"}"#;
    world.port.with(|memory| memory.master = Some(("master".to_owned(), master.to_owned())));
    let mut guest = world.step();
    let opened = guest.version(Call::Open { secret_id: "master".to_owned() }).await;
    assert_eq!(guest.sensitive(opened, "password").await, None);
    let connection = guest.dial(peer.address).await.unwrap();
    let field = |name: &str, number| TcpPart::Field { of: opened, name: name.to_owned(), number };
    let parts =
        vec![field("password", Some(TcpNumber::Decimal)), text(" "), field("password", None), text("\n")];
    guest.say(connection, parts).await.unwrap();
    assert_eq!(guest.expect(connection, &["+OK"]).await, Ok(Some(0)));
    assert_eq!(peer.told(), "24 master-canary-0123456789\n");
    // Whose refusal it is: the master's.
    world.port.with(|memory| {
        let root = Account::new("root", "127.0.0.1", peer.address.port());
        memory.refusals.insert(root, limits::FAILED_LOGINS_MAX);
    });
    let spent = guest.say(connection, vec![field("password", None)]).await;
    assert!(matches!(spent, Err(TcpError::LockoutBudgetSpent(_))), "{spent:?}");
    is_refused(&guest.say(connection, vec![field("username", None)]).await, "no such sensitive field");
}

#[tokio::test]
async fn a_rehearsal_dials_and_says_nothing() {
    let peer = Peer::saying("-NO\n").await;
    let mut world = peer.world(Step::SetSecret);
    world.rehearsal = true;
    let mut guest = world.step();
    let (new, connection) = (guest.password(Call::Pending).await, guest.dial(peer.address).await.unwrap());
    guest.say(connection, vec![text("AUTH "), TcpPart::Sensitive(new)]).await.unwrap();
    assert_eq!(guest.expect(connection, &["+OK", "-NO"]).await, Ok(Some(0)));
    is_refused(&guest.receive(connection, 10).await, "a rehearsal");
    let would = guest.0.take_would();
    assert_eq!(would.len(), 1, "{would:?}");
    assert!(
        would[0].contains(&format!("bytes to {}, sensitive values among them", peer.address)),
        "{would:?}"
    );
    assert_eq!((peer.told().as_str(), world.port.with(|memory| memory.standing.exposed)), ("", false));
}

#[tokio::test]
async fn with_tls_the_guest_speaks_plain_and_only_a_server_that_proves_who_it_is_is_told() {
    let plain = Peer::saying("+OK\n").await;
    let good = Certificates::of("ours", "127.0.0.1", (2020, 4000));
    let stranger = Certificates::of("theirs", "127.0.0.1", (2020, 4000));
    let misnamed = Certificates::of("ours", "cache.example.com", (2020, 4000));
    for (certificates, roots, why) in [
        (&good, good.roots(), None),
        (&good, stranger.roots(), Some("of an unknown issuer")),
        (&misnamed, misnamed.roots(), Some("for another name")),
    ] {
        let (address, seen) = certificates.serve().await;
        let more = serde_json::json!({"targets": [address.to_string()], "tls": "required"});
        let mut guest = plain.world_with(Step::SetSecret, &more).step();
        guest.0.config.tls = roots;
        let old = guest.password(Call::Current).await;
        match (guest.dial(address).await, why) {
            (Ok(connection), None) => {
                let parts = vec![text("GET / HTTP/1.1\r\nx: "), TcpPart::Sensitive(old), text("\r\n\r\n")];
                guest.say(connection, parts).await.unwrap();
                assert_eq!(guest.expect(connection, &["HTTP/1.1 200"]).await, Ok(Some(0)));
                assert!(seen.load(Ordering::SeqCst) > 0);
            }
            (Err(TcpError::Untrusted(text)), Some(why)) => {
                assert!(text.contains(why) && seen.load(Ordering::SeqCst) == 0, "{text}");
            }
            (opened, _) => panic!("{why:?}: {opened:?}"),
        }
    }
    // A server without TLS is told nothing in clear.
    let mut guest = plain.world_with(Step::SetSecret, &serde_json::json!({"tls": "required"})).step();
    let opened = guest.dial(plain.address).await;
    assert!(matches!(opened, Err(TcpError::Untrusted(_) | TcpError::Unreachable(_))), "{opened:?}");
}
