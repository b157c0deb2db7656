//! Who sends, and from where on.

use std::sync::Arc;

use pawl_core::limits;
use pawl_core::world::Timestamp;
use pawl_store::{Change, Expect, Options, RowMac, SecretRow, SqliteStore, Store};

use super::cursor::{Hold, Holder};

/// A host at a moment.
struct At {
    store: Arc<dyn Store>,
    owner: &'static str,
    now: i64,
}

impl Holder for At {
    fn store(&self) -> &dyn Store {
        &*self.store
    }

    fn owner(&self) -> &str {
        self.owner
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }
}

async fn tell(store: &dyn Store, name: &str) -> u64 {
    let arn = format!("\"arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}-aaaaaa\"");
    let row = SecretRow {
        arn: serde_json::from_str(&arn).unwrap(),
        region: "us-east-1".parse().unwrap(),
        name: name.parse().unwrap(),
        revision: 1,
        document: "{}".to_owned(),
        created_at: Timestamp::from_millis(0),
        purge_at: None,
        next_rotation_at: None,
        rotation_due_at: None,
        last_changed_at: Timestamp::from_millis(0),
        last_accessed_at: None,
        replica_of: None,
        rotation_state: None,
        mac: RowMac::None,
    };
    let mut change = Change::new(Expect::New, row);
    change.events = vec!["{}".to_owned()];
    store.commit(change).await.unwrap();
    store.last_event().await.unwrap()
}

#[tokio::test]
async fn one_host_sends_and_another_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&dir.path().join("pawl.db"), Options::default()).await.unwrap());
    let at = |owner, now| At { store: store.clone(), owner, now };
    let lease = i64::try_from(limits::WEBHOOK_LEASE.as_millis()).unwrap();
    let first = tell(&*store, "a").await;
    let mut one = Hold::take(&at("one", 0)).await.unwrap().unwrap();
    assert_eq!(one.after(), first, "from now on");
    let second = tell(&*store, "b").await;
    assert!(Hold::take(&at("two", lease - 1)).await.unwrap().is_none());
    assert!(one.advance(&at("one", 10), second).await.unwrap());
    assert!(Hold::take(&at("two", lease + 9)).await.unwrap().is_none(), "every event renews");
    assert!(one.renew(&at("one", lease)).await.unwrap());

    // The first one was paused for too long: its word counts no more.
    let mut two = Hold::take(&at("two", 3 * lease)).await.unwrap().unwrap();
    assert_eq!(two.after(), second);
    let third = tell(&*store, "c").await;
    assert!(!one.advance(&at("one", 3 * lease), third).await.unwrap());
    assert!(!one.renew(&at("one", 3 * lease)).await.unwrap());
    assert!(two.advance(&at("two", 3 * lease), third).await.unwrap());

    // A crash under the same name, and an orderly end.
    let mut again = Hold::take(&at("two", 3 * lease + 1)).await.unwrap().unwrap();
    assert_eq!(again.after(), third);
    assert!(!two.renew(&at("two", 5 * lease)).await.unwrap(), "the dead one's");
    again.give_back(&at("two", 3 * lease + 1)).await.unwrap();
    assert!(Hold::take(&at("one", 3 * lease + 2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_store_of_the_past_is_sent_from_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&dir.path().join("pawl.db"), Options::default()).await.unwrap());
    store.put_meta("webhook", br#"{"after":900,"owner":"x","until":0}"#).await.unwrap();
    let last = tell(&*store, "a").await;
    let hold = Hold::take(&At { store: store.clone(), owner: "one", now: 1 }).await.unwrap().unwrap();
    assert_eq!(hold.after(), last);
}
