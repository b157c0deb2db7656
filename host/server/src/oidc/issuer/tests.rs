use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use serde_json::json;

use super::*;

/// Keys that a test changes, and how often they were asked for.
#[derive(Default)]
struct Scripted {
    ids: Mutex<Vec<&'static str>>,
    fails: AtomicBool,
    asked: AtomicU32,
}

impl Source for Scripted {
    fn keys(&self, issuer: &str) -> Result<KeySet, FetchError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.fails.load(Ordering::Relaxed) {
            return Err(FetchError::Address(issuer.to_owned()));
        }
        let ids = self.ids.lock().unwrap().clone();
        let x = "A".repeat(43);
        let keys: Vec<_> =
            ids.iter().map(|id| json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x})).collect();
        Ok(KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap())
    }
}

/// A token that names a key, and is signed by nobody.
fn token(id: &str) -> String {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let header = json!({"alg": "EdDSA", "kid": id}).to_string();
    format!("{}.{}.AAAA", encode(&header), encode(r#"{"iss":"https://i"}"#))
}

struct Ground {
    source: Arc<Scripted>,
    /// Seconds by which it is later than when it began.
    later: Arc<AtomicU64>,
    issuers: Issuers,
}

impl Ground {
    fn new(ids: &[&'static str]) -> Self {
        let source = Arc::new(Scripted::default());
        source.ids.lock().unwrap().extend(ids);
        let later = Arc::new(AtomicU64::new(0));
        let (began, shown) = (Instant::now(), Arc::clone(&later));
        let now = Box::new(move || began + Duration::from_secs(shown.load(Ordering::Relaxed)));
        Self { issuers: Issuers::of(Arc::clone(&source) as Arc<dyn Source>, now), source, later }
    }

    /// Whether keys come that have this one; none when there are no keys.
    async fn has(&self, id: &str) -> Option<bool> {
        let text = token(id);
        let token = Token::parse(&text).unwrap();
        self.issuers.keys("https://i", &token).await.ok().map(|keys| token.is_of(&keys))
    }

    fn pass(&self, time: Duration) {
        self.later.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    fn asked(&self) -> u32 {
        self.source.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn keys_are_asked_for_once_until_they_are_old() {
    let ground = Ground::new(&["a"]);
    for _ in 0..50 {
        assert_eq!(ground.has("a").await, Some(true));
    }
    assert_eq!(ground.asked(), 1);
    ground.pass(limits::KEY_SET_FRESH);
    assert_eq!(ground.has("a").await, Some(true));
    assert_eq!(ground.asked(), 2);
    // A key that its provider has taken back is not used for longer than that.
    *ground.source.ids.lock().unwrap() = vec!["b"];
    ground.pass(limits::KEY_SET_FRESH);
    assert_eq!(ground.has("a").await, Some(false));
}

#[tokio::test]
async fn a_new_key_is_found_and_a_made_up_one_asks_little() {
    let ground = Ground::new(&["a"]);
    assert_eq!(ground.has("a").await, Some(true));
    *ground.source.ids.lock().unwrap() = vec!["a", "b"];
    ground.pass(limits::KEY_SET_LOOKED_AT_EVERY);
    assert_eq!(ground.has("b").await, Some(true), "a rotated key is looked for at once");
    for number in 0..1_000 {
        assert_eq!(ground.has(&number.to_string()).await, Some(false));
        assert_eq!(ground.has("a").await, Some(true));
    }
    assert_eq!(ground.asked(), 2, "a flood of unknown keys asks nobody");
}

#[tokio::test]
async fn a_provider_that_is_silent_keeps_its_word_for_a_while() {
    let ground = Ground::new(&["a"]);
    assert_eq!(ground.has("a").await, Some(true));
    ground.source.fails.store(true, Ordering::Relaxed);
    ground.pass(limits::KEY_SET_FRESH);
    assert_eq!(ground.has("a").await, Some(true));
    ground.pass(limits::KEY_SET_STALE);
    assert_eq!(ground.has("a").await, None);
    let asked = ground.asked();
    for _ in 0..100 {
        assert_eq!(ground.has("a").await, None);
    }
    assert_eq!(ground.asked(), asked, "a dead provider is not asked for each token");
    ground.source.fails.store(false, Ordering::Relaxed);
    ground.pass(limits::KEY_SET_LOOKED_AT_EVERY);
    assert_eq!(ground.has("a").await, Some(true));
}
