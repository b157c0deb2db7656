//! Keys that a server makes: taken without being seen, and only where nobody but the server can have made them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::wire::{Captured, HttpPlace};

const MADE: &str = "made-canary-0123456789abcdef";

/// A service that gives keys, and a function that may take them.
async fn ground(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> (Service, World) {
    let service = Service::answering(answer).await;
    let world = may_take(&service, &["json:/key", "json:/data/0/key", "header:x-api-key"]);
    (service, world)
}

fn may_take(service: &Service, capture: &[&str]) -> World {
    let mut world = service.world(Step::CreateSecret);
    world.port.with(|memory| memory.pending = None);
    let grant = serde_json::json!({
        "origin": service.origin, "methods": ["POST", "PUT", "GET"], "paths": ["/v1/key"],
        "sensitive": ["header:authorization", "body"], "capture": capture,
    });
    world.grants.http = [serde_json::from_value::<HttpGrant>(grant).unwrap()].into();
    world
}

fn json(text: &str) -> Vec<u8> {
    answer("content-type: application/json", text.as_bytes())
}

fn key() -> Vec<HttpPlace> {
    vec![HttpPlace::Json("/key".to_owned())]
}

fn post(service: &Service) -> HttpRequest {
    request("POST", service.url("/v1/key"))
}

impl Guest {
    async fn capture(
        &mut self,
        request: HttpRequest,
        places: Vec<HttpPlace>,
    ) -> Result<Result<Captured, HttpError>, String> {
        match self.call(Call::Capture { request, places }).await {
            Reply::Captured(answered) => Ok(answered),
            Reply::Violation(text) => Err(text),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_key_that_a_server_makes_becomes_the_new_version_unseen() {
    let made = format!("{{\"id\": 7, \"key\": \"{MADE}\"}}");
    let (service, mut world) = ground(move |asked| match asked.starts_with("POST") {
        true => json(&made),
        false => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
    })
    .await;
    let mut guest = world.step();
    let old = guest.key(Call::Current).await;
    let Reply::Id(token) = guest.call(Call::Id).await else { panic!() };
    let asks = post(&service).bearer(old).header("idempotency-key", vec![text(&token)]);
    let Captured { status, values } = guest.capture(asks, key()).await.unwrap().unwrap();
    assert_eq!((status, values.len()), (200, 1));
    // A server has it, and still it is no server's before it is stored.
    let early = guest.send(request("PUT", service.url("/v1/key")).bearer(values[0])).await;
    assert!(matches!(early, Err(HttpError::Refused(text)) if text.contains("stored as AWSPENDING")));
    let base = guest.current().await;
    guest.put(base, vec![("api_key", NewValue::Sensitive(values[0]))]).await.unwrap();
    assert_eq!(world.pending(), secret(MADE));
    assert!(!world.port.with(|memory| memory.standing.exposed));

    // The server has it already, so that asking with it is all there is to do; noted all the same.
    world.step = Step::SetSecret;
    let mut guest = world.step();
    let new = guest.key(Call::Pending).await;
    assert_eq!(guest.send(request("GET", service.url("/v1/key")).bearer(new)).await.unwrap().status, 204);
    assert!(world.port.with(|memory| memory.standing.exposed));
    world.step = Step::TestSecret;
    let mut guest = world.step();
    let new = guest.key(Call::Pending).await;
    assert_eq!(guest.send(request("GET", service.url("/v1/key")).bearer(new)).await.unwrap().status, 204);
    assert!(guest.0.proof().login);
    let notices = world.port.with(|memory| memory.notices.clone());
    assert_eq!(notices, [format!("a key is asked for: POST {}", service.url("/v1/key"))]);
}

#[tokio::test]
async fn keys_are_taken_from_every_place_that_is_granted_at_once() {
    let (service, world) = ground(|_| {
        let body = serde_json::json!({"data": [{"key": "second-canary/0123456789"}]}).to_string();
        answer("content-type: application/json\r\nx-api-key: first-canary-0123456789", body.as_bytes())
    })
    .await;
    let mut guest = world.step();
    let places = vec![HttpPlace::Header("x-api-key".to_owned()), HttpPlace::Json("/data/0/key".to_owned())];
    let taken = guest.capture(post(&service), places).await.unwrap().unwrap();
    let first = guest.0.handles.sensitive(taken.values[0]).unwrap_or_else(|_| panic!());
    let second = guest.0.handles.sensitive(taken.values[1]).unwrap_or_else(|_| panic!());
    assert_eq!(first.value.expose(), b"first-canary-0123456789");
    assert_eq!(second.value.expose(), b"second-canary/0123456789");
}

#[tokio::test]
async fn a_key_that_somebody_may_know_ends_the_step() {
    // What the server answers, and what the guest has said before it.
    let older = "older-key-canary-0123456789";
    let adrift = "adrift-key-canary-0123456789";
    let planted = [
        (MADE.to_owned(), text(MADE)),
        (MADE.to_owned(), text(&format!("x{}", MADE.get(4..20).unwrap()))),
        (MADE.to_owned(), text(&hex::encode(MADE))),
        (MADE.to_owned(), HttpPart::Text(STANDARD.encode(MADE))),
        (MADE.to_owned(), text(&MADE.chars().rev().collect::<String>())),
        (format!("prefix-{MADE}"), text(MADE)),
        (OLD.to_owned(), text("")),
        (older.to_owned(), text("")),
        (adrift.to_owned(), text("")),
    ];
    for (given, said) in planted {
        let body = serde_json::json!({"key": given}).to_string();
        let (service, world) = ground(move |_| json(&body)).await;
        world.port.with(|memory| {
            memory.previous = Some(secret(older));
            memory.others = vec![secret(adrift)];
        });
        let mut guest = world.step();
        // Said in one request and given in the answer to another: the same.
        let told = format!("{said:?}");
        let _ = guest.send(request("PUT", service.url("/v1/key")).body(vec![said])).await;
        let ended = guest.capture(post(&service), key()).await;
        assert!(ended.is_err_and(|text| text.contains("may be known to")), "{told}");
    }
}

#[tokio::test]
async fn an_answer_without_a_key_gives_none_and_the_history_says_that_one_may_be_lost() {
    for (given, why) in [
        (json("{}"), "has no text at json:/key"),
        (json("{\"key\": 1234567890123456789}"), "has no text"),
        (json("{\"key\": {\"a\": \"0123456789abcdef\"}}"), "has no text"),
        (json("[\"0123456789abcdef\"]"), "has no text"),
        (json("no json 0123456789abcdef"), "has no text"),
        (json("{\"key\": \"short-canary\"}"), "not of 16 to 4096 bytes"),
        (json(&format!("{{\"key\": \"{}\"}}", "x".repeat(4097))), "not of 16 to 4096 bytes"),
    ] {
        let (service, world) = ground(move |_| given.clone()).await;
        let mut guest = world.step();
        assert_eq!(guest.capture(post(&service), key()).await, Ok(Err(HttpError::Unreadable(200))));
        let notices = world.port.with(|memory| memory.notices.clone());
        assert_eq!(notices.len(), 2, "{notices:?}");
        assert!(notices[1].contains("may have made a key that nobody holds"), "{notices:?}");
        assert!(notices[1].contains(why), "{why}: {notices:?}");
    }
    // Two header fields of one name; nobody knows which is meant.
    let (service, world) =
        ground(|_| answer("x-api-key: first-canary-0123456789\r\nx-api-key: second-canary-012345678", b""))
            .await;
    let taken = world.step().capture(post(&service), vec![HttpPlace::Header("x-api-key".to_owned())]).await;
    assert_eq!(taken, Ok(Err(HttpError::Unreadable(200))));
    // A refusal has none and says so.
    let service = Service::with_status(403).await;
    let taken = may_take(&service, &["json:/key"]).step().capture(post(&service), key()).await;
    assert_eq!(taken, Ok(Ok(Captured { status: 403, values: Vec::new() })));
}

#[tokio::test]
async fn a_second_try_tells_that_a_key_may_be_lost() {
    let (service, world) = ground(|_| json(&format!("{{\"key\": \"{MADE}\"}}"))).await;
    // The host dies before the pending version is stored.
    assert!(world.step().capture(post(&service), key()).await.unwrap().is_ok());
    assert_eq!(world.port.with(|memory| memory.notices.len()), 1);
    assert!(world.step().capture(post(&service), key()).await.unwrap().is_ok());
    let last = world.port.with(|memory| memory.notices.last().cloned()).unwrap();
    assert!(last.contains("earlier try") && last.contains("one key more"), "{last}");
}

#[tokio::test]
async fn no_key_is_taken_from_elsewhere_or_at_another_time() {
    let (service, mut world) =
        ground(|_| json(&format!("{{\"key\": \"{MADE}\", \"name\": \"0123456789abcdef\"}}"))).await;
    let taken = async |world: &World, request, places| world.step().capture(request, places).await.unwrap();
    let name = || vec![HttpPlace::Json("/name".to_owned())];
    for (places, granted) in [
        (name(), "json:/name"),
        (vec![HttpPlace::Header("x-request-id".to_owned())], "header:x-request-id"),
        (key().into_iter().chain(name()).collect(), "json:/name"),
    ] {
        let refused = taken(&world, post(&service), places).await;
        assert!(
            matches!(&refused, Err(HttpError::NotGranted(text)) if text.contains(granted)),
            "{refused:?}"
        );
    }
    let many = (0..9).flat_map(|_| key()).collect();
    for places in
        [Vec::new(), many, vec![HttpPlace::Header("date".to_owned())], vec![HttpPlace::Json(String::new())]]
    {
        let refused = taken(&world, post(&service), places).await;
        assert!(matches!(refused, Err(HttpError::Refused(_))), "{refused:?}");
    }
    let whole = taken(&world, post(&service).whole(), key()).await;
    assert!(matches!(whole, Err(HttpError::Refused(_))), "{whole:?}");
    for step in [Step::SetSecret, Step::TestSecret, Step::FinishSecret] {
        world.step = step;
        let late = taken(&world, post(&service), key()).await;
        assert!(matches!(&late, Err(HttpError::Refused(text)) if text.contains("createSecret")), "{late:?}");
    }
    world.step = Step::CreateSecret;
    world.pend(&secret(NEW));
    let second = taken(&world, post(&service), key()).await;
    assert!(matches!(&second, Err(HttpError::Refused(text)) if text.contains("another key")), "{second:?}");
    world.port.with(|memory| memory.pending = None);
    // More said than is looked through.
    let mut guest = world.step();
    for _ in 0..5 {
        let put = request("PUT", service.url("/v1/key")).body(vec![text(&"x".repeat(60 * 1024))]);
        assert!(guest.send(put).await.is_ok());
    }
    let before = service.connections();
    let refused = guest.capture(post(&service), key()).await.unwrap();
    assert!(
        matches!(&refused, Err(HttpError::Refused(text)) if text.contains("said too much")),
        "{refused:?}"
    );
    assert_eq!(service.connections(), before);
    assert_eq!(service.connections(), 5, "what was refused was not dialled");
}

#[tokio::test]
async fn a_rotation_that_has_lost_its_secret_asks_for_no_key_and_a_rehearsal_asks_nobody() {
    let (service, mut world) = ground(|_| json(&format!("{{\"key\": \"{MADE}\"}}"))).await;
    world.port.with(|memory| memory.lost_at_fence = true);
    let mut guest = world.step();
    assert_eq!(guest.capture(post(&service), key()).await, Ok(Err(HttpError::Superseded)));
    assert!(service.asked().is_empty());
    world.port.with(|memory| (memory.lost_at_fence, memory.lost) = (false, false));
    world.rehearsal = true;
    let mut guest = world.step();
    let taken = guest.capture(post(&service), key()).await.unwrap().unwrap();
    assert_eq!(taken.values.len(), 1);
    assert!(guest.0.take_would()[0].contains("store a key of its answer"));
    assert!(service.asked().is_empty());
}
