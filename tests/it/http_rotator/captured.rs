//! Keys that the service makes: taken from its answers, through a crash at the one moment at which one can be lost.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A service that makes keys. Several of a user are good at once; `DELETE` takes back the one that it is asked with.
#[derive(Default)]
struct Maker {
    good: BTreeSet<String>,
    made: Vec<String>,
    /// The key of each idempotency token; none where it does not know such tokens.
    by_token: Option<BTreeMap<String, String>>,
}

impl Maker {
    fn answer(&mut self, asked: &Asked) -> Then {
        let given = asked.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let Some(given) = given.filter(|given| self.good.contains(*given)) else {
            return Then::answer(401, "", "");
        };
        match asked.method.as_str() {
            "GET" => Then::answer(204, "", ""),
            "DELETE" => {
                self.good.remove(given);
                Then::answer(204, "", "")
            }
            "POST" => {
                let token = &asked.headers["idempotency-key"];
                let again = self.by_token.as_ref().and_then(|known| known.get(token)).cloned();
                let key =
                    again.unwrap_or_else(|| format!("key-canary-{:>016}-of-the-service", self.made.len()));
                if self.good.insert(key.clone()) {
                    self.made.push(key.clone());
                }
                if let Some(known) = &mut self.by_token {
                    known.insert(token.clone(), key.clone());
                }
                let body = json!({"user": "app", "data": {"key": key}}).to_string();
                Then::answer(201, "content-type: application/json\r\n", &body)
            }
            _ => Then::answer(405, "", ""),
        }
    }
}

fn making(origin: &str) -> String {
    format!(
        r#"[grants]
pending-fields = ["api_key"]

[[grants.http]]
origin = "{origin}"
methods = ["GET", "POST", "DELETE"]
paths = ["/v1/users/*/keys"]
sensitive = ["header:authorization"]
capture = ["json:/data/key"]

[environment]
HTTP_CREATE_URL = "{origin}/v1/users/{{username}}/keys"
HTTP_CREATE_KEY = "json:/data/key"
HTTP_REVOKE_URL = "{origin}/v1/users/{{username}}/keys"
HTTP_IDEMPOTENCY_HEADER = "idempotency-key"
"#
    )
}

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A service that knows idempotency tokens or does not, and a host; what is put into the hook happens when the next key was made, and
/// then its answer is lost.
fn ground(knows_tokens: bool) -> (Ground, Arc<Mutex<Maker>>, Hook) {
    let maker = Maker {
        good: BTreeSet::from([FIRST.to_owned()]),
        by_token: knows_tokens.then(BTreeMap::new),
        ..Maker::default()
    };
    let (maker, hook) = (Arc::new(Mutex::new(maker)), Hook::default());
    let (its_maker, its_hook) = (Arc::clone(&maker), Arc::clone(&hook));
    let service = KeyService::start(move |_, asked| {
        let answer = its_maker.lock().unwrap().answer(asked);
        if asked.method == "POST"
            && let Some(accident) = its_hook.lock().unwrap().take()
        {
            accident();
            return Then::Cut;
        }
        answer
    });
    (Ground::with(service, making), maker, hook)
}

impl Ground {
    fn history(&self) -> Vec<String> {
        let rotation = self.pawl.rotation("key");
        let lines = rotation["Log"].as_array().unwrap().iter();
        lines.map(|line| format!("{}: {}", line["Level"], line["Message"])).collect()
    }

    fn is_silent_about(&self, keys: &[String]) {
        let needles = Needles::of(keys);
        for said in [self.pawl.log(), self.pawl.printed(), self.pawl.rotation("key").to_string()] {
            assert_eq!(needles.first_in(said.as_bytes()), None, "{said}");
        }
    }
}

#[test]
fn a_key_that_the_service_makes_is_rotated_and_the_one_before_the_last_is_taken_back() {
    let (ground, maker, _) = ground(true);
    let mut keys = vec![FIRST.to_owned()];
    for round in 1..=3 {
        let token = ground.pawl.rotate("key", KEY_ROTATOR);
        ground.pawl.await_rotation("key", &token, SOON);
        let maker = maker.lock().unwrap();
        assert_eq!((maker.made.len(), maker.by_token.as_ref().unwrap().len()), (round, round));
        assert_eq!(&ground.key("AWSCURRENT"), maker.made.last().unwrap());
        assert_eq!(ground.key("AWSPREVIOUS"), *keys.last().unwrap());
        keys.push(ground.key("AWSCURRENT"));
        // What applications have or may still have.
        let good: BTreeSet<_> = keys.iter().rev().take(2).cloned().collect();
        assert_eq!(maker.good, good, "round {round}");
    }
    ground.is_silent_about(&keys);
}

#[test]
fn a_host_that_is_killed_with_a_key_in_its_hands_gets_the_same_one_again_where_the_service_can_do_that() {
    for knows_tokens in [true, false] {
        let (mut ground, maker, hook) = ground(knows_tokens);
        let (server, killed) = (ground.pawl.server(), Arc::new(AtomicUsize::new(0)));
        let its_killed = Arc::clone(&killed);
        *hook.lock().unwrap() = Some(Box::new(move || {
            server.kill9();
            its_killed.store(1, Ordering::SeqCst);
        }));
        let token = ground.pawl.rotate("key", KEY_ROTATOR);
        eventually("the host is killed", SOON, || (killed.load(Ordering::SeqCst) == 1).then_some(()));
        ground.pawl.resume();
        ground.pawl.await_rotation("key", &token, SOON);
        let maker = maker.lock().unwrap();
        let current = ground.key("AWSCURRENT");
        // It works, whichever it is; without tokens the other one is the service's alone.
        assert!(maker.good.contains(&current), "knows tokens: {knows_tokens}");
        assert_eq!(maker.made.len(), if knows_tokens { 1 } else { 2 });
        assert_eq!(maker.made.last(), Some(&current));
        let history = ground.history();
        let told = |text: &str| history.iter().any(|line| line.contains("notice") && line.contains(text));
        assert!(told("a key is asked for: POST http://"), "{history:?}");
        assert!(told("one key more") && told("which nobody holds"), "{history:?}");
        ground.is_silent_about(&maker.made);
    }
}

#[test]
fn an_answer_that_is_lost_is_told_and_asked_for_again() {
    let (ground, maker, hook) = ground(false);
    *hook.lock().unwrap() = Some(Box::new(|| ()));
    let token = ground.pawl.rotate("key", KEY_ROTATOR);
    ground.pawl.await_rotation("key", &token, SOON);
    assert_eq!(maker.lock().unwrap().made.len(), 2);
    assert!(maker.lock().unwrap().good.contains(&ground.key("AWSCURRENT")));
    let history = ground.history();
    assert!(history.iter().any(|line| line.contains("one key more")), "{history:?}");
}

#[test]
fn no_key_is_taken_from_where_the_operator_has_not_said() {
    for (named, lesser) in [
        ("json:/data/key", making("ORIGIN").replace("capture = [\"json:/data/key\"]\n", "")),
        (
            "json:/data/key",
            making("ORIGIN").replace("capture = [\"json:/data/key\"]", "capture = [\"json:/key\"]"),
        ),
    ] {
        let service = KeyService::calm();
        let ground = Ground::with(service, |origin| lesser.replace("ORIGIN", origin));
        let reason = ground.refused("key", KEY_ROTATOR);
        assert!(reason.contains(named) && reason.contains("do not cover POST"), "{reason}");
        assert!(ground.service.asked().is_empty());
    }
}
