//! Crowds that hold connections and say nothing, little, or nonsense, for a server with the limits that it has when nobody sets any.
//! Others are answered meanwhile, on new connections, and what the crowd costs is bounded.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pawl_tests::aws::{self, Signer};
use pawl_tests::http::{Answer, Request};
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::process::signal;
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

use super::certificates::{Authority, Pair, Term, replace};
use super::client::{Stream, Tls, ask, connect, try_connect};

const LIMIT: Duration = Duration::from_secs(90);
/// What a crowd may cost, in bytes of the server's memory: a debug build's tasks and buffers for 4096 connections, and no bodies.
const COST_MAX: u64 = 256 * 1024 * 1024;

/// A crowd is one of descriptors first of all.
fn raise_the_limit_of_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    assert!(limit.maximum.is_none_or(|most| most >= 12_000), "this test needs 12,000 files: {limit:?}");
}

fn get(path: &str) -> Request {
    Request { method: "GET".to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
        .header("host", "localhost")
}

fn figure(page: &Answer, name: &str) -> f64 {
    let line = page.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |figure| figure.parse().unwrap())
}

/// A connection on which one request is sent again and again.
struct Kept {
    stream: TcpStream,
    request: Vec<u8>,
}

impl Kept {
    fn new(pawl: &Pawl, request: Vec<u8>) -> Self {
        let stream = connect(pawl.address());
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self { stream, request }
    }

    /// The status of the answer; an error when the connection is closed.
    fn ask(&mut self) -> std::io::Result<u16> {
        self.stream.write_all(&self.request)?;
        let mut received = Vec::new();
        let mut some = [0; 4096];
        loop {
            match self.stream.read(&mut some)? {
                0 => return Err(std::io::Error::other("it was closed")),
                count => received.extend_from_slice(&some[..count]),
            }
            if let Some(answer) = Answer::parse(&received) {
                return Ok(answer.status);
            }
        }
    }
}

/// Others, each on a connection of his own: all are answered. The longest time that one waited.
fn others_are_answered(pawl: &Pawl, times: usize) -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..times {
        let began = Instant::now();
        let answer = pawl.try_call("GetSecretValue", &json!({"SecretId": "a"}));
        assert_eq!(answer.status, 200, "{}", answer.body);
        longest = longest.max(began.elapsed());
    }
    longest
}

/// What the crowd has cost the server until now.
fn cost(pawl: &Pawl, before: u64, what: &str, longest: Duration) -> u64 {
    let now = pawl.resident_bytes();
    let mib = |bytes: u64| bytes / (1024 * 1024);
    println!("{what}: {} MiB before, {} MiB now; others waited {longest:?} at most", mib(before), mib(now));
    now.saturating_sub(before)
}

#[test]
fn ten_thousand_who_say_nothing_drive_out_each_other_and_nobody_else() {
    raise_the_limit_of_files();
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("a", "v");
    let before = pawl.resident_bytes();
    // Somebody who has signed a request, and keeps his connection.
    let mut known = Kept::new(&pawl, pawl.signed("GetSecretValue", &json!({"SecretId": "a"})).bytes(true));
    assert_eq!(known.ask().unwrap(), 200);
    let mut crowd = Vec::new();
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        crowd.extend((0..500).map(|_| connect(pawl.address())));
        longest = longest.max(others_are_answered(&pawl, 5));
        assert_eq!(known.ask().unwrap(), 200, "who is known stays");
    }
    let page = get("/metrics").send(pawl.address());
    assert!(figure(&page, "pawl_connections") <= 4_096.0, "{}", page.body);
    assert!(cost(&pawl, before, "10,000 idle connections", longest) < COST_MAX);
    assert!(longest < Duration::from_secs(20), "{longest:?}");
    drop(crowd);
}

#[test]
fn who_is_silent_longest_gives_his_place_up_and_who_has_signed_something_last() {
    let environment = vec![("PAWL_CONNECTIONS_MAX", "32".to_owned())];
    let pawl = Pawl::start(Options { environment, ..Options::default() });
    let _ = pawl.create("a", "v");
    let question = pawl.signed("GetSecretValue", &json!({"SecretId": "a"})).bytes(true);
    let mut known = Kept::new(&pawl, question.clone());
    assert_eq!(known.ask().unwrap(), 200);
    let mut stranger = Kept::new(&pawl, get("/healthz").bytes(true));
    assert_eq!(stranger.ask().unwrap(), 200);
    let mut crowd: Vec<TcpStream> = (0..400).map(|_| connect(pawl.address())).collect();
    let _ = others_are_answered(&pawl, 20);
    assert_eq!(known.ask().unwrap(), 200, "he has signed, and all of the crowd is newer");
    assert!(stranger.ask().is_err(), "he has signed nothing");
    let page = get("/metrics").send(pawl.address());
    assert!(figure(&page, "pawl_turned_away_total{reason=\"no-place\"}") >= 300.0, "{}", page.body);
    assert!(figure(&page, "pawl_connections") <= 32.0, "{}", page.body);
    // The first of the crowd are gone, and the last are there.
    let mut byte = [0; 1];
    crowd[0].set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(crowd[0].read(&mut byte).unwrap_or(0), 0);
    // When all who are left have signed, the one who was silent for longest goes.
    let mut signers = Vec::new();
    for _ in 0..40 {
        let mut signer = Kept::new(&pawl, question.clone());
        assert_eq!(signer.ask().unwrap(), 200);
        signers.push(signer);
    }
    assert!(known.ask().is_err(), "others have spoken since");
    assert_eq!(signers.last_mut().map(|last| last.ask().unwrap()), Some(200));
}

#[test]
fn two_thousand_who_drip_their_headers_their_bodies_and_read_no_answers_keep_nobody_out() {
    raise_the_limit_of_files();
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("a", "v");
    let before = pawl.resident_bytes();
    let stranger = Signer { access_key_id: "AKIANOBODYATALLKNOWS".to_owned(), ..pawl.signer() };
    let body = vec![b' '; 500 * 1024];
    let request = pawl.request("secretsmanager.PutSecretValue", &body);
    let long = stranger.sign(request, aws::now()).bytes(true);
    let many = get("/metrics").bytes(true).repeat(64);
    let mut crowd: Vec<TcpStream> = Vec::new();
    for number in 0..2_000 {
        let mut stream = connect(pawl.address());
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let _ = match number % 3 {
            0 => stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\nx-slow: "),
            // All of a long body but its end, from somebody whom no key could make right.
            1 => stream.write_all(&long[..long.len() - 1]),
            _ => stream.write_all(&many),
        };
        crowd.push(stream);
    }
    let longest = others_are_answered(&pawl, 50);
    for stream in &mut crowd {
        let _ = stream.write_all(b"x");
    }
    assert!(cost(&pawl, before, "2,000 slow connections", longest) < COST_MAX);
    assert!(longest < Duration::from_secs(20), "{longest:?}");
    // Whoever comes to the end of such a body is told what is wrong with him, as others are.
    let mut last = connect(pawl.address());
    last.set_read_timeout(Some(LIMIT)).unwrap();
    last.write_all(
        &stranger.sign(pawl.request("secretsmanager.PutSecretValue", &body), aws::now()).bytes(false),
    )
    .unwrap();
    let mut received = Vec::new();
    last.read_to_end(&mut received).unwrap();
    let answer = Answer::parse(&received).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (400, "UnrecognizedClientException"));
}

#[test]
fn a_long_body_of_somebody_known_is_still_taken_whole() {
    let pawl = Pawl::start(Options::default());
    let value = "x".repeat(60_000);
    let _ = pawl.create("long", &value);
    assert_eq!(pawl.value("long", "AWSCURRENT").unwrap().1, value);
    let body = vec![b' '; 600 * 1024];
    for signer in
        [pawl.signer(), Signer { access_key_id: "AKIANOBODYATALLKNOWS".to_owned(), ..pawl.signer() }]
    {
        let request = signer.sign(pawl.request("secretsmanager.ListSecrets", &body), aws::now());
        let status = request.try_send(pawl.address()).map(|answer| answer.status);
        assert!(matches!(status, Ok(413) | Err(_)), "{status:?}");
    }
}

#[test]
fn http_2_is_not_spoken_however_it_is_begun() {
    let pawl = Pawl::start(Options::default());
    let _ = pawl.create("a", "v");
    // The preface, SETTINGS, and streams that are reset as soon as they are opened ("rapid reset").
    let mut attack = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1..2_000_u32).step_by(2) {
        attack.extend([0, 0, 1, 1, 4]);
        attack.extend(stream.to_be_bytes());
        attack.push(0x82);
        attack.extend([0, 0, 4, 3, 0]);
        attack.extend(stream.to_be_bytes());
        attack.extend(8_u32.to_be_bytes());
    }
    for _ in 0..50 {
        let mut stream = connect(pawl.address());
        let _ = stream.write_all(&attack);
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received);
        assert!(!received.windows(4).any(|bytes| bytes == b" 200"), "{}", String::from_utf8_lossy(&received));
    }
    // Nor by an upgrade.
    let upgrade = get("/healthz").header("connection", "Upgrade, HTTP2-Settings").header("upgrade", "h2c");
    assert_eq!(upgrade.header("http2-settings", "AAMAAABkAAQAAP__").send(pawl.address()).status, 200);
    let _ = others_are_answered(&pawl, 5);
}

/// A server that speaks TLS, and what belongs to it.
struct Ground {
    pawl: Pawl,
    authority: Authority,
    tls: Tls,
    _scratch: Scratch,
}

impl Ground {
    fn new() -> Self {
        let scratch = Scratch::new("crowds");
        let authority = Authority::new(scratch.path(), "authority");
        let (certificate, key) = authority.write("server", &authority.certify(&["127.0.0.1"], Term::Running));
        let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let environment = vec![("PAWL_TLS_CERT", text(&certificate)), ("PAWL_TLS_KEY", text(&key))];
        let file = Some(authority.file.clone());
        let pawl = Pawl::start(Options { environment, authority: file, ..Options::default() });
        let tls = Tls::new(&authority.file, None);
        Self { pawl, authority, tls, _scratch: scratch }
    }

    fn page(&self) -> Answer {
        self.tls.send(&get("/metrics"), self.pawl.address()).unwrap()
    }

    fn renew(&self) -> Pair {
        let pair = self.authority.certify(&["127.0.0.1"], Term::Running);
        let place = |kind: &str| self.authority.file.with_file_name(format!("server.{kind}.pem"));
        replace(&place("key"), &pair.key);
        replace(&place("certificate"), &pair.certificate);
        pair
    }
}

/// Some bytes of a ClientHello: as many as say how many are to come.
const HALF_A_HELLO: [u8; 8] = [22, 3, 1, 2, 0, 1, 0, 1];

#[test]
fn a_certificate_changes_and_a_server_ends_in_the_middle_of_a_crowd() {
    raise_the_limit_of_files();
    let ground = Ground::new();
    let pawl = &ground.pawl;
    let mut open: Vec<Stream> = (0..200).map(|_| ground.tls.connect(pawl.address()).unwrap()).collect();
    for stream in &mut open {
        assert_eq!(ask(stream, &get("/healthz")).unwrap().status, 200);
    }
    let before = pawl.resident_bytes();
    let mut crowd = Vec::new();
    for number in 0..600 {
        let mut stream = connect(pawl.address());
        // Nothing, or the beginning of a handshake, or a whole first message and no second one.
        if number % 2 == 0 {
            stream.write_all(&HALF_A_HELLO).unwrap();
        }
        crowd.push(stream);
    }
    let slow: Vec<Stream> = (0..100)
        .map(|_| {
            let mut stream = ground.tls.connect(pawl.address()).unwrap();
            stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\nx-slow: ").unwrap();
            stream.flush().unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    assert_eq!(ground.tls.send(&get("/healthz"), pawl.address()).unwrap().status, 200);
    let longest = began.elapsed();
    assert!(cost(pawl, before, "600 hanging handshakes and 100 slow requests over TLS", longest) < COST_MAX);
    // A new certificate: whoever is here goes on, whoever comes is shown the new one.
    let pair = ground.renew();
    eventually("the new certificate is served", LIMIT, || {
        let stream = ground.tls.connect(pawl.address()).ok()?;
        let shown = stream.conn.peer_certificates()?.first()?.to_vec();
        let wanted = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
        (shown == wanted.to_vec()).then_some(())
    });
    for stream in &mut open {
        assert_eq!(ask(stream, &get("/healthz")).unwrap().status, 200, "a connection from before goes on");
    }
    eventually("hanging handshakes end", LIMIT, || {
        let page = ground.page();
        (figure(&page, "pawl_tls_handshakes_total{result=\"slow\"}") >= 600.0).then_some(())
    });
    // And the end, with all of them open.
    crowd.extend((0..200).map(|_| connect(pawl.address())));
    let told = Instant::now();
    signal("TERM", &[pawl.process()]);
    eventually("no more are taken", LIMIT, || try_connect(pawl.address()).is_err().then_some(()));
    assert_eq!(pawl.ended(), Some(0));
    println!("it ended {:?} after it was told to", told.elapsed());
    assert!(told.elapsed() < Duration::from_secs(25), "{:?}", told.elapsed());
    drop((crowd, slow, open));
}
