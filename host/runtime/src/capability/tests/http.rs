//! Requests with sensitive values in them: what is sent, what is not, and what comes back.

mod capture;
pub(super) mod tls;

use std::sync::atomic::AtomicUsize;

use pawl_core::function::HttpGrant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::wire::{HttpError, HttpHeader, HttpPart, HttpRequest, HttpResponse};

const OLD: &str = "old-canary/\"0123456789abcdef";
const NEW: &str = "new-canary/\"fedcba9876543210";

/// A server that answers what it is told to, and remembers what it was asked.
struct Service {
    origin: String,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Service {
    /// Answers each request with these bytes, and closes.
    async fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (asked, connections): (Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>) = <_>::default();
        let service = Self { origin, asked: Arc::clone(&asked), connections: Arc::clone(&connections) };
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !is_whole(&request) {
                        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let request = String::from_utf8_lossy(&request).into_owned();
                    let bytes = answer(&request);
                    asked.lock().unwrap().push(request);
                    let _ = stream.write_all(&bytes).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        service
    }

    async fn with_status(status: u16) -> Self {
        Self::answering(move |_| format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").into_bytes())
            .await
    }

    async fn with_body(body: &str) -> Self {
        let body = body.to_owned();
        Self::answering(move |_| answer("content-type: application/json", body.as_bytes())).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// A function that may do this here, and a secret with a pending version.
    fn world(&self, step: Step) -> World {
        let grants = serde_json::json!({
            "origin": self.origin, "methods": ["GET", "HEAD", "PUT", "POST"], "paths": ["/v1/key", "/v1/*/key?*"],
            "sensitive": ["header:authorization", "header:x-key", "body"], "answers": true,
        });
        let mut world = world();
        world.step = step;
        world.grants = Grants {
            http: [serde_json::from_value::<HttpGrant>(grants).unwrap()].into(),
            ..Grants::default()
        };
        world.grants.pending_fields = ["api_key".to_owned()].into();
        world.port.with(|memory| memory.current = Some(secret(OLD)));
        world.pend(&secret(NEW));
        world
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

fn answer(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn secret(key: &str) -> String {
    serde_json::json!({"username": "app", "api_key": key, "note": "kept-as-it-is-and-never-sent"}).to_string()
}

fn text(text: &str) -> HttpPart {
    HttpPart::Text(text.to_owned())
}

/// A request without a body.
fn request(method: &str, url: String) -> HttpRequest {
    HttpRequest { method: method.to_owned(), url, headers: Vec::new(), body: Vec::new(), whole: false }
}

impl HttpRequest {
    fn header(mut self, name: &str, value: Vec<HttpPart>) -> Self {
        self.headers.push(HttpHeader { name: name.to_owned(), value });
        self
    }

    fn bearer(self, value: Handle) -> Self {
        self.header("authorization", vec![text("Bearer "), HttpPart::Sensitive(value)])
    }

    fn body(mut self, body: Vec<HttpPart>) -> Self {
        self.body = body;
        self
    }

    fn whole(mut self) -> Self {
        self.whole = true;
        self
    }
}

impl Guest {
    async fn key(&mut self, call: Call) -> Handle {
        let version = self.version(call).await;
        self.sensitive(version, "api_key").await.unwrap()
    }

    async fn send(&mut self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        match self.call(Call::Http(request)).await {
            Reply::Http(answered) => answered,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_host_writes_values_where_they_are_granted_and_notes_it_before() {
    let exposed = Arc::new(Mutex::new(Vec::new()));
    let (seen, port) = (Arc::clone(&exposed), Arc::new(Mutex::new(None::<Arc<MemoryPort>>)));
    let its_port = Arc::clone(&port);
    let service = Service::answering(move |_| {
        let port = its_port.lock().unwrap().clone().unwrap();
        seen.lock().unwrap().push(port.with(|memory| memory.standing.exposed));
        b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()
    })
    .await;
    let world = service.world(Step::SetSecret);
    *port.lock().unwrap() = Some(Arc::clone(&world.port));
    let mut guest = world.step();
    let (old, new) = (guest.key(Call::Current).await, guest.key(Call::Pending).await);
    let form = vec![
        text("a="),
        HttpPart::Percent(new),
        text("&b="),
        HttpPart::Sensitive(new),
        text("&c=\""),
        HttpPart::Json(new),
        text("\""),
    ];
    let put = request("PUT", service.url("/v1/key"))
        .header(
            "authorization",
            vec![text("Basic "), HttpPart::Basic { user: "app".to_owned(), password: old }],
        )
        .header("content-type", vec![text("text/plain")])
        .header("x-key", vec![HttpPart::Sensitive(old)])
        .body(form);
    assert_eq!(guest.send(put).await, Ok(HttpResponse { status: 204, ..HttpResponse::default() }));
    assert_eq!(*exposed.lock().unwrap(), [true], "noted before it is sent");
    assert!(guest.0.changed_at().is_some());
    let asked = service.asked().remove(0);
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        body,
        format!("a=new-canary%2F%22fedcba9876543210&b={NEW}&c=\"new-canary/\\\"fedcba9876543210\"")
    );
    let host = service.origin.strip_prefix("http://").unwrap();
    let mut lines: Vec<_> = head.lines().map(str::to_owned).collect();
    assert_eq!(lines.remove(0), "PUT /v1/key HTTP/1.1");
    lines.sort();
    let basic = String::from_utf8(spelling::basic("app", OLD.as_bytes()).to_vec()).unwrap();
    assert_eq!(
        lines,
        [
            "accept-encoding: identity".to_owned(),
            format!("authorization: Basic {basic}"),
            "connection: close".to_owned(),
            format!("content-length: {}", body.len()),
            "content-type: text/plain".to_owned(),
            format!("host: {host}"),
            format!("user-agent: pawl/{}", env!("CARGO_PKG_VERSION")),
            format!("x-key: {OLD}"),
        ]
    );
}

#[tokio::test]
async fn what_is_not_granted_or_not_plain_is_not_even_dialled() {
    let service = Service::with_status(200).await;
    let world = service.world(Step::SetSecret);
    let mut guest = world.step();
    let old = guest.key(Call::Current).await;
    let port = service.origin.rsplit(':').next().unwrap().to_owned();
    let at = |path: &str| service.url(path);
    for ungranted in [
        request("DELETE", at("/v1/key")),
        request("GET", at("/v1/keys")),
        request("GET", at("/v1/key/")),
        request("GET", at("/v1/key?x=1")),
        request("GET", at("/v1/a/b/key")),
        request("GET", at("/v1/%6bey")),
        request("GET", format!("http://localhost:{port}/v1/key")),
        request("GET", format!("https://127.0.0.1:{port}/v1/key")),
        request("GET", "http://127.0.0.1/v1/key".to_owned()),
        request("GET", at("/v1/key")).header("x-other", vec![HttpPart::Sensitive(old)]),
        request("GET", at("/v1/key")).header("cookie", vec![text("a="), HttpPart::Percent(old)]),
    ] {
        let told = format!("{ungranted:?}");
        assert!(matches!(guest.send(ungranted).await, Err(HttpError::NotGranted(_))), "{told}");
    }
    let mut guest = world.step();
    let old = guest.key(Call::Current).await;
    for refused in [
        request("get", at("/v1/key")),
        request("TRACE", at("/v1/key")),
        request("CONNECT", at("/v1/key")),
        request("GET", at("/v1/../v1/key")),
        request("GET", at("/v1/%2e%2e/key")),
        request("GET", at("/v1/a%2fb/key")),
        request("GET", at("/v1\\key")),
        request("GET", at("/v1/key HTTP/1.1\r\nx: y")),
        request("GET", format!("http://evil.example@127.0.0.1:{port}/v1/key")),
        request("GET", format!("http://127.0.0.1:{port}@evil.example/v1/key")),
        request("GET", format!("HTTP://127.0.0.1:{port}/v1/key")),
        request("GET", format!("http://0x7f.1:{port}/v1/key")),
        request("GET", format!("http://127.0.0.1:0{port}/v1/key")),
        request("GET", at("/v1/key")).header("host", vec![text("evil.example")]),
        request("GET", at("/v1/key")).header("Authorization", vec![text("x")]),
        request("GET", at("/v1/key")).header("transfer-encoding", vec![text("chunked")]),
        request("GET", at("/v1/key")).header("content-length", vec![text("0")]),
        request("GET", at("/v1/key")).header("x-http-method-override", vec![text("DELETE")]),
        request("GET", at("/v1/key")).header("range", vec![text("bytes=0-3")]),
        request("GET", at("/v1/key")).header("x-a\r\nhost", vec![text("evil")]),
        request("GET", at("/v1/key")).header("x-a", vec![text("b\r\nx-c: d")]),
        request("GET", at("/v1/key")).header("x-a", vec![text("b\0")]),
        request("GET", at("/v1/key")).header("x-a", vec![text("é")]),
        request("GET", at("/v1/key")).header("x-a", vec![text("1")]).header("x-a", vec![text("2")]),
        request("GET", at("/v1/key"))
            .header("authorization", vec![HttpPart::Basic { user: "a:b".to_owned(), password: old }]),
        request("GET", at("/v1/key"))
            .header("authorization", vec![HttpPart::Basic { user: "a\r\n".to_owned(), password: old }]),
        request("PUT", at("/v1/key")).body(vec![text(&"x".repeat(limits::HTTP_BODY_BYTES_MAX + 1))]),
    ] {
        let told = format!("{refused:?}");
        assert!(matches!(guest.send(refused).await, Err(HttpError::Refused(_))), "{told}");
    }
    assert_eq!(service.connections(), 0);
}

#[tokio::test]
async fn a_value_that_ends_a_line_cannot_become_another_header() {
    let service = Service::with_status(200).await;
    let world = service.world(Step::SetSecret);
    world.port.with(|memory| memory.current = Some(secret("old-canary\r\nhost: evil.example")));
    let mut guest = world.step();
    let old = guest.key(Call::Current).await;
    assert!(matches!(
        guest.send(request("GET", service.url("/v1/key")).bearer(old)).await,
        Err(HttpError::Refused(_))
    ));
    assert_eq!(service.connections(), 0);
    // Encoded, it is a value like others.
    let percent = request("GET", service.url("/v1/key")).header("x-key", vec![HttpPart::Percent(old)]);
    assert!(guest.send(percent).await.is_ok());
    assert!(service.asked()[0].contains("x-key: old-canary%0D%0Ahost%3A%20evil.example\r\n"));
}

#[tokio::test]
async fn no_server_gets_a_new_value_before_it_is_stored_and_noted() {
    let service = Service::with_status(204).await;
    let world = service.world(Step::SetSecret);
    let mut guest = world.step();
    let new = guest.key(Call::Pending).await;
    for method in ["GET", "HEAD"] {
        let early = guest.send(request(method, service.url("/v1/key")).bearer(new)).await;
        assert!(
            matches!(early, Err(HttpError::Refused(text)) if text.contains("no server can have")),
            "{method}"
        );
    }
    // Made in this step and stored nowhere.
    let Reply::Sensitive(Ok(Some(made))) = guest.call(Call::RandomPassword(PasswordRules::default())).await
    else {
        panic!()
    };
    let put = |value| request("PUT", service.url("/v1/key")).body(vec![HttpPart::Sensitive(value)]);
    assert!(
        matches!(guest.send(put(made)).await, Err(HttpError::Refused(text)) if text.contains("stored as AWSPENDING"))
    );
    // The note fails, or the rotation is lost at it.
    world.port.with(|memory| memory.lost_at_fence = true);
    assert_eq!(guest.send(put(new)).await, Err(HttpError::Superseded));
    assert!(guest.0.was_superseded());
    assert!(service.asked().is_empty() && !world.port.with(|memory| memory.standing.exposed));

    // Lost after it was noted: nothing is sent.
    let world = service.world(Step::SetSecret);
    let mut guest = world.step();
    let new = guest.key(Call::Pending).await;
    world.port.with(|memory| memory.lost_after = Some(0));
    assert_eq!(guest.send(put(new)).await, Err(HttpError::Superseded));
    assert!(service.asked().is_empty() && world.port.with(|memory| memory.standing.exposed));

    // A server that is not there was told nothing.
    let world = service.world(Step::SetSecret);
    let mut guest = world.step();
    let new = guest.key(Call::Pending).await;
    let mut grants = world.grants.clone();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    grants.http = [grant(&format!("http://{gone}"))].into();
    guest.0.config.grants = Arc::new(grants);
    let unreachable =
        guest.send(request("PUT", format!("http://{gone}/v1/key")).body(vec![HttpPart::Json(new)])).await;
    assert!(matches!(unreachable, Err(HttpError::Unreachable(_))), "{unreachable:?}");
    assert!(!world.port.with(|memory| memory.standing.exposed));
}

fn grant(origin: &str) -> HttpGrant {
    serde_json::from_value(serde_json::json!({
        "origin": origin, "methods": ["GET", "PUT"], "paths": ["/v1/key"], "sensitive": ["header:authorization", "body"],
    }))
    .unwrap()
}

#[tokio::test]
async fn a_2xx_answer_to_the_new_value_is_the_proof_and_nothing_else_is() {
    for (status, step, proves) in [
        (200, Step::TestSecret, true),
        (204, Step::TestSecret, true),
        (302, Step::TestSecret, false),
        (403, Step::TestSecret, false),
    ] {
        let service = Service::with_status(status).await;
        let world = service.world(step);
        world.port.with(|memory| memory.standing.exposed = true);
        let mut guest = world.step();
        let (old, new) = (guest.key(Call::Current).await, guest.key(Call::Pending).await);
        let get = |value| request("GET", service.url("/v1/key")).bearer(value);
        assert_eq!(guest.send(get(old)).await.unwrap().status, status);
        assert!(!guest.0.proof().login, "the old value proves nothing");
        assert_eq!(guest.send(get(new)).await.unwrap().status, status);
        assert_eq!((guest.0.proof().login, guest.0.changed_at()), (proves, None), "{status}");

        let proof = guest.0.proof();
        world.port.with(|memory| memory.standing.proof = proof);
        let Reply::Promoted(promoted) = world.step().call(Call::Promote).await else { panic!() };
        assert_eq!((promoted.is_ok(), world.port.with(|memory| memory.promoted)), (proves, proves));
    }
    // Where two values are new, each has to be accepted.
    let service = Service::with_status(200).await;
    let world = service.world(Step::TestSecret);
    world.pend(
        &serde_json::json!({"username": "app", "api_key": NEW, "second": "second-canary-0123456789"})
            .to_string(),
    );
    world.port.with(|memory| memory.standing.exposed = true);
    let mut guest = world.step();
    let pending = guest.pending().await;
    let (first, second) = (
        guest.sensitive(pending, "api_key").await.unwrap(),
        guest.sensitive(pending, "second").await.unwrap(),
    );
    guest.send(request("GET", service.url("/v1/key")).bearer(first)).await.unwrap();
    assert!(!guest.0.proof().login);
    guest.send(request("GET", service.url("/v1/key")).bearer(second)).await.unwrap();
    assert!(guest.0.proof().login);
}

#[tokio::test]
async fn a_key_is_made_by_the_host_or_it_is_none() {
    let service = Service::with_status(200).await;
    let world = service.world(Step::CreateSecret);
    world
        .port
        .with(|memory| (memory.pending, memory.previous) = (None, Some(secret("older-canary-0123456789"))));
    let mut guest = world.step();
    let current = guest.current().await;
    let known = guest.key(Call::Previous).await;
    let refused = guest.put(current, vec![("api_key", NewValue::Sensitive(known))]).await;
    assert!(matches!(refused, Err(SecretError::Refused(text)) if text.contains("random-password")));
    assert_eq!(guest.call(Call::Id).await.id(), "the-token-of-the-rotation");
}

impl Reply {
    fn id(self) -> String {
        match self {
            Self::Id(id) => id,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_with_a_value_in_it_ends_the_step_in_every_spelling() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let all_percent: String = OLD.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let bodies = [
        OLD.to_owned(),
        NEW.to_owned(),
        "note: kept-as-it-is-and-never-sent".to_owned(),
        serde_json::json!({"error": {"token": OLD}}).to_string(),
        OLD.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
        all_percent,
        hex::encode(OLD),
        format!("Basic {}", STANDARD.encode(format!("app:{OLD}"))),
        URL_SAFE_NO_PAD.encode(format!("x{OLD}y")),
        OLD.to_uppercase(),
        OLD.split_at(OLD.len() - 12).1.to_owned(),
    ];
    for body in bodies {
        let service = Service::with_body(&body).await;
        let world = service.world(Step::SetSecret);
        let mut guest = world.step();
        let old = guest.key(Call::Current).await;
        let get = || request("GET", service.url("/v1/key")).bearer(old);
        // The status alone says nothing.
        assert_eq!(guest.send(get()).await, Ok(HttpResponse { status: 200, ..HttpResponse::default() }));
        let Reply::Violation(why) = guest.call(Call::Http(get().whole())).await else { panic!("{body}") };
        assert!(why.contains("holds a sensitive value"), "{why}");
    }
    // In a header field, and for a request that carried nothing.
    let service = Service::answering(|_| answer(&format!("x-request: key {OLD}"), b"")).await;
    let mut guest = service.world(Step::SetSecret).step();
    assert!(matches!(
        guest.call(Call::Http(request("GET", service.url("/v1/key")).whole())).await,
        Reply::Violation(_)
    ));
}

#[tokio::test]
async fn an_answer_without_a_value_is_shown_but_for_its_cookies() {
    let headers =
        "content-type: application/json\r\nset-cookie: session=abc\r\nlocation: http://evil.example/";
    let head = format!("HTTP/1.1 302 Found\r\ncontent-length: 8\r\n{headers}\r\n\r\n{{\"a\": 1}}");
    let service = Service::answering(move |_| head.clone().into_bytes()).await;
    let world = service.world(Step::SetSecret);
    let mut guest = world.step();
    let old = guest.key(Call::Current).await;
    let shown = guest.send(request("GET", service.url("/v1/key")).bearer(old).whole()).await.unwrap();
    assert_eq!((shown.status, shown.body.as_str()), (302, "{\"a\": 1}"));
    let names: Vec<_> = shown.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-length", "content-type", "location"]);
    assert_eq!(service.asked().len(), 1, "and is not followed");
    // Without the grant, answers are not read.
    let mut grants = world.grants.clone();
    grants.http = [grant(&service.origin)].into();
    guest.0.config.grants = Arc::new(grants);
    assert!(matches!(
        guest.send(request("GET", service.url("/v1/key")).whole()).await,
        Err(HttpError::NotGranted(text)) if text.contains("answers")
    ));
}

#[tokio::test]
async fn an_answer_that_hides_what_is_in_it_is_not_shown() {
    let chunked =
        |body: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}").into_bytes();
    let unreadable: [Vec<u8>; 9] = [
        answer("content-type: text/plain\r\ncontent-encoding: gzip", b"packed"),
        answer("content-type: application/octet-stream", b"bytes"),
        answer("content-type: text/plain; charset=utf-16", b"bytes"),
        answer("content-type: text/plain", b"\x1f\x8b\x08"),
        answer("content-type: text/plain", &[0xff, 0xfe]),
        answer("content-type: text/plain", "x".repeat(limits::HTTP_ANSWER_BYTES_MAX + 1).as_bytes()),
        b"HTTP/1.1 206 Partial Content\r\ncontent-length: 4\r\n\r\npart".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nless than it says".to_vec(),
        chunked("5\r\nhello\r\n"),
    ];
    for bytes in unreadable {
        let told = String::from_utf8_lossy(&bytes).chars().take(100).collect::<String>();
        let service = Service::answering(move |_| bytes.clone()).await;
        let mut guest = service.world(Step::SetSecret).step();
        let answered = guest.send(request("GET", service.url("/v1/key")).whole()).await;
        assert!(matches!(answered, Err(HttpError::Unreadable(200 | 206))), "{told}: {answered:?}");
        assert!(guest.send(request("GET", service.url("/v1/key"))).await.is_ok(), "{told}");
    }
    let lost: [Vec<u8>; 7] = [
        Vec::new(),
        b"HTTP/1.1 200 OK\r\ncontent-le".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_vec(),
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec(),
        b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000),
        b"SSH-2.0-OpenSSH\r\n".to_vec(),
        [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), b"y".repeat(300_000)].concat(),
    ];
    for bytes in lost {
        let told = String::from_utf8_lossy(&bytes).chars().take(100).collect::<String>();
        let service = Service::answering(move |_| bytes.clone()).await;
        let mut guest = service.world(Step::SetSecret).step();
        for whole in [false, true] {
            let answered = guest.send(HttpRequest { whole, ..request("GET", service.url("/v1/key")) }).await;
            assert!(matches!(answered, Err(HttpError::Lost(_))), "{told}: {answered:?}");
        }
    }
    // Chunks and trailers that are as they should be: the trailers are nobody's.
    let fine = chunked("5\r\nhello\r\n0\r\nx-trailer: y\r\n\r\n");
    let service = Service::answering(move |_| fine.clone()).await;
    let shown = service
        .world(Step::SetSecret)
        .step()
        .send(request("GET", service.url("/v1/key")).whole())
        .await
        .unwrap();
    assert!(shown.body == "hello" && !format!("{shown:?}").contains("trailer"));
}

#[tokio::test]
async fn a_step_may_ask_so_often_and_be_refused_less() {
    let service = Service::with_status(200).await;
    let mut guest = service.world(Step::SetSecret).step();
    for _ in 0..limits::HTTP_REQUESTS_MAX {
        guest.send(request("GET", service.url("/v1/key"))).await.unwrap();
    }
    assert!(matches!(guest.send(request("GET", service.url("/v1/key"))).await, Err(HttpError::Refused(_))));

    let refusing = Service::with_status(401).await;
    let world = refusing.world(Step::SetSecret);
    let mut guest = world.step();
    let old = guest.key(Call::Current).await;
    let get = || request("GET", refusing.url("/v1/key")).bearer(old);
    for _ in 0..limits::FAILED_LOGINS_MAX {
        assert_eq!(guest.send(get()).await.unwrap().status, 401);
    }
    let connections = refusing.connections();
    assert!(matches!(guest.send(get()).await, Err(HttpError::LockoutBudgetSpent(_))));
    assert_eq!(refusing.connections(), connections);
    // What carries no value cannot lock an account.
    assert!(guest.send(request("GET", refusing.url("/v1/key"))).await.is_ok());
}

#[tokio::test]
async fn a_value_that_could_not_be_looked_for_is_not_sent_where_answers_are_read() {
    let service = Service::with_status(200).await;
    let world = service.world(Step::SetSecret);
    world.port.with(|memory| memory.current = Some(secret("short-canary")));
    let mut guest = world.step();
    let short = guest.key(Call::Current).await;
    let get = || request("GET", service.url("/v1/key")).bearer(short);
    assert!(matches!(guest.send(get()).await, Err(HttpError::Refused(text)) if text.contains("16 bytes")));
    let mut grants = world.grants.clone();
    grants.http = [grant(&service.origin)].into();
    guest.0.config.grants = Arc::new(grants);
    assert!(guest.send(get()).await.is_ok());
}

#[tokio::test]
async fn addresses_that_no_guest_reaches_and_servers_that_are_not_trusted_get_nothing() {
    let service = Service::with_status(200).await;
    let world = service.world(Step::SetSecret);
    let mut guest = world.step();
    let old = guest.key(Call::Current).await;
    let tls = service.origin.replace("http:", "https:");
    let metadata = ["http://169.254.169.254", "http://[::ffff:169.254.169.254]", "http://100.100.100.200"];
    let mut grants = world.grants.clone();
    grants.http = metadata.iter().copied().chain([tls.as_str()]).map(grant).collect();
    guest.0.config.grants = Arc::new(grants);
    for origin in metadata {
        let sent = guest.send(request("GET", format!("{origin}/v1/key")).bearer(old)).await;
        // An address has one spelling in a URL.
        assert!(matches!(sent, Err(HttpError::NotGranted(_))), "{origin}: {sent:?}");
    }
    // It speaks no TLS, and gets nothing in clear in its place.
    let sent = guest.send(request("GET", format!("{tls}/v1/key")).bearer(old)).await;
    assert!(matches!(sent, Err(HttpError::Untrusted(_) | HttpError::Unreachable(_))), "{sent:?}");
    assert!(!service.asked().iter().any(|asked| asked.contains("canary")));
}
