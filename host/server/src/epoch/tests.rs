use pawl_keyring::RootKey;
use pawl_store::{Options, SqliteStore};
use tempfile::TempDir;

use super::*;
use crate::world::SystemRng;

/// A store and the data directories of its hosts.
struct Ground {
    dir: TempDir,
    keyring: Keyring,
}

impl Ground {
    fn new() -> Self {
        let (keyring, _) = Keyring::create(&RootKey::generate(&SystemRng), &SystemRng).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), keyring }
    }

    async fn store(&self, name: &str) -> SqliteStore {
        SqliteStore::open(&self.dir.path().join(name), Options::default()).await.unwrap()
    }

    fn host(&self, name: &str) -> PathBuf {
        let dir = self.dir.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    async fn begin(&self, store: &SqliteStore, host: &str) -> Verdict {
        StoreEpoch::begin(store, &self.keyring, &self.host(host), &SystemRng).await.unwrap().verdict()
    }
}

async fn epoch_of(store: &SqliteStore) -> Vec<u8> {
    store.meta(SETTING).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_store_that_goes_on_is_sound_for_all_hosts() {
    let ground = Ground::new();
    let store = ground.store("store").await;
    assert_eq!(ground.begin(&store, "a").await, Verdict::Sound { number: 2 });
    assert_eq!(ground.begin(&store, "b").await, Verdict::Sound { number: 3 });
    let a = StoreEpoch::begin(&store, &ground.keyring, &ground.host("a"), &SystemRng).await.unwrap();
    assert_eq!(a.verdict(), Verdict::Sound { number: 4 });
    assert_eq!(a.advance(&store).await.unwrap(), Verdict::Sound { number: 5 });
    assert_eq!(a.verdict().remedy(a.witness_file()), None);
    assert_eq!(mark(&store, &ground.keyring).await.unwrap().unwrap().number, 5);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(a.witness_file()).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_store_of_the_past_is_reported_until_it_is_accepted() {
    let ground = Ground::new();
    let store = ground.store("store").await;
    let a = StoreEpoch::begin(&store, &ground.keyring, &ground.host("a"), &SystemRng).await.unwrap();
    let past = epoch_of(&store).await;
    assert_eq!(a.advance(&store).await.unwrap(), Verdict::Sound { number: 3 });
    store.put_meta(SETTING, &past).await.unwrap();

    // While it runs, and at the next start; what tells it is not written over.
    let rolled_back = Verdict::RolledBack { found: 2, known: 2, seen: 3 };
    assert_eq!(a.advance(&store).await.unwrap(), rolled_back);
    assert_eq!(ground.begin(&store, "a").await, rolled_back);
    assert_eq!(epoch_of(&store).await, past);

    // Hosts that know nothing of it raise it beyond what this one has seen: it still tells.
    for _ in 0..5 {
        assert!(ground.begin(&store, "newcomer").await.is_sound());
    }
    assert_eq!(a.advance(&store).await.unwrap(), Verdict::RolledBack { found: 7, known: 2, seen: 3 });

    let remedy = a.verdict().remedy(a.witness_file()).unwrap();
    assert!(remedy.contains("store-epoch"), "{remedy}");
    std::fs::remove_file(a.witness_file()).unwrap();
    assert_eq!(ground.begin(&store, "a").await, Verdict::Sound { number: 8 });
}

#[tokio::test]
async fn another_store_a_restored_one_and_none_are_told_apart() {
    let ground = Ground::new();
    let (store, other) = (ground.store("store").await, ground.store("other").await);
    ground.begin(&store, "a").await;
    ground.begin(&other, "b").await;
    assert!(matches!(ground.begin(&other, "a").await, Verdict::Exchanged { .. }));
    let (backup_of, at) = (Timestamp::from_millis(1), Timestamp::from_millis(2));
    let dir = ground.host("b");
    restored(&store, &ground.keyring, Some(&dir), backup_of, at, &SystemRng).await.unwrap();
    assert_eq!(ground.begin(&store, "a").await, Verdict::Restored { backup_of, at });
    assert!(ground.begin(&store, "b").await.is_sound(), "where it was restored it is accepted");

    let fresh = ground.store("fresh").await;
    assert_eq!(ground.begin(&fresh, "a").await, Verdict::Lost);
    assert_eq!(fresh.meta(SETTING).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_forged_is_told() {
    let ground = Ground::new();
    let store = ground.store("store").await;
    ground.begin(&store, "a").await;
    let mut forged = epoch_of(&store).await;
    *forged.last_mut().unwrap() ^= 1;
    store.put_meta(SETTING, &forged).await.unwrap();
    assert_eq!(ground.begin(&store, "a").await, Verdict::Altered);
    assert_eq!(ground.begin(&store, "newcomer").await, Verdict::Altered);

    let witness = ground.host("a").join(WITNESS);
    for bytes in [&b""[..], b"short", &[7; 200]] {
        std::fs::write(&witness, bytes).unwrap();
        let before = epoch_of(&store).await;
        let epoch = StoreEpoch::begin(&store, &ground.keyring, &ground.host("a"), &SystemRng).await.unwrap();
        assert_eq!(epoch.verdict(), Verdict::WitnessAltered);
        assert_eq!(epoch.advance(&store).await.unwrap(), Verdict::WitnessAltered);
        assert_eq!(epoch_of(&store).await, before);
    }
    // Neither is good for the other.
    let sealed = seal(&ground.keyring.subkey(RECORD_PURPOSE), &Record::new(&SystemRng, None));
    assert_eq!(unseal::<Witness>(&ground.keyring.subkey(WITNESS_PURPOSE), &sealed), None);
}

#[tokio::test]
async fn hosts_that_start_at_once_all_raise_it() {
    let ground = std::sync::Arc::new(Ground::new());
    let store = ground.store("store").await;
    let hosts: Vec<_> = (0..8)
        .map(|number| {
            let (ground, store) = (ground.clone(), store.clone());
            tokio::spawn(async move { ground.begin(&store, &format!("host-{number}")).await })
        })
        .collect();
    let mut numbers = Vec::new();
    for host in hosts {
        let Verdict::Sound { number } = host.await.unwrap() else { panic!("not sound") };
        numbers.push(number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=9).collect::<Vec<u64>>());
}

#[test]
fn old_hosts_are_forgotten_and_then_judged_by_the_number() {
    let mut record = Record::new(&SystemRng, None);
    for number in 0..=limits::STORE_EPOCH_HOSTS_MAX {
        record = record.raised(&format!("host-{number}"));
    }
    assert_eq!(record.hosts.len(), limits::STORE_EPOCH_HOSTS_MAX);
    let witness =
        Witness { seen: record.mark.clone(), host: "host-0".to_owned(), raised: 2, signed_rows: false };
    assert!(judge(true, Some(&record), Some(&witness)).is_sound());
}

#[tokio::test]
async fn a_halted_store_is_not_served() {
    let ground = Ground::new();
    let store = ground.store("store").await;
    for (halt, what) in
        [(HALT_IMPORTING, "run it again"), (HALT_MOVED, "--database-url"), (b"other", "newer pawl")]
    {
        store.put_meta(HALT, halt).await.unwrap();
        let refused = StoreEpoch::begin(&store, &ground.keyring, &ground.host("a"), &SystemRng).await;
        let why = refused.unwrap_err().to_string();
        assert!(why.contains(what), "{why}");
        assert_eq!(store.meta(SETTING).await.unwrap(), None, "nothing was written");
    }
    store.put_meta(HALT, b"").await.unwrap();
    assert!(ground.begin(&store, "a").await.is_sound());
}
