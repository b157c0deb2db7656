//! Users, keys and the like: whatever has a kind and a name.

use std::sync::Arc;

use super::Backend;
use crate::{
    ArchivedEntity, CommitError, EntityChange, EntityPut, EntityRow, Expect, RowMac, RowSigner, Store,
    StoreError,
};

const KIND: &str = "iam:user";

fn put(text: &str, keys: &[&str]) -> EntityPut {
    EntityPut {
        document: format!("{{\"is\":\"{text} naïve \\u0000 ‽\"}}"),
        sealed: Some(text.bytes().chain([0, 0xff]).collect()),
        keys: Some(keys.iter().map(|&key| key.to_owned()).collect()),
    }
}

fn change(name: &str, expect: Expect, put: Option<EntityPut>) -> EntityChange {
    let (kind, region, name) = (KIND.to_owned(), String::new(), name.to_owned());
    EntityChange { kind, region, name, expect, put, signer: Some(Arc::new(Plain)) }
}

/// Whose code of a row is what it is of.
#[derive(Debug)]
struct Plain;

impl RowSigner for Plain {
    fn sign(&self, content: &[u8]) -> Vec<u8> {
        content.to_vec()
    }

    fn is_signed(&self, content: &[u8], code: &[u8]) -> bool {
        content == code
    }
}

/// The row with its code: that of the revision which it was given.
fn signed(row: EntityRow) -> EntityRow {
    EntityRow { mac: RowMac::Kept(row.content()), ..row }
}

fn made(name: &str, keys: &[&str]) -> EntityChange {
    change(name, Expect::New, Some(put(name, keys)))
}

fn elsewhere(mut change: EntityChange) -> EntityChange {
    change.region = "eu-west-1".to_owned();
    change
}

async fn found(store: &dyn Store, name: &str) -> Option<EntityRow> {
    store.entity(KIND, "", name).await.unwrap()
}

async fn revision(store: &dyn Store, name: &str) -> Expect {
    Expect::Revision(found(store, name).await.unwrap().revision)
}

async fn by_key(store: &dyn Store, key: &str) -> Option<String> {
    store.entity_by_key(KIND, "", key).await.unwrap().map(|row| row.name)
}

/// Several change with their records or not at all, and come back as they went in.
pub async fn entities_change_together(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(found(&*store, "a").await, None);
    let version = store.entities_version().await.unwrap();
    let audit = vec!["{\"made\":1}".to_owned()];
    let bare = EntityPut { sealed: None, ..put("b", &[]) };
    let both = vec![made("a", &["k"]), change("b", Expect::New, Some(bare.clone()))];
    store.commit_entities(both, audit).await.unwrap();
    let next = store.entities_version().await.unwrap();
    assert!(next > version);
    let a = found(&*store, "a").await.unwrap();
    let EntityPut { document, sealed, .. } = put("a", &[]);
    let (kind, region, name) = (KIND.to_owned(), String::new(), "a".to_owned());
    let mac = RowMac::None;
    assert_eq!(a, signed(EntityRow { kind, region, name, revision: next, document, sealed, mac }));
    let b = found(&*store, "b").await.unwrap();
    assert_eq!((b.revision, b.sealed, b.document), (next, None, bare.document));

    // Refused, with all that was to happen beside it: a name that is taken, a lost race, one that is not there, bad records.
    let update = |name: &str, expect| change(name, expect, Some(put("other", &[])));
    let seen = Expect::Revision(next);
    let lost = CommitError::LostRace;
    for (bad, why) in [
        (made("b", &[]), CommitError::NameTaken),
        (update("b", Expect::Revision(version)), lost.clone()),
        (update("missing", seen), lost.clone()),
        (change("missing", seen, None), lost),
    ] {
        let refused = store.commit_entities(vec![update("a", seen), bad], vec!["{}".to_owned()]).await;
        assert_eq!(refused, Err(why));
    }
    let refused = store.commit_entities(vec![update("a", seen)], vec![String::new()]).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Refused { .. }))), "{refused:?}");
    let refused = store.commit_entities(vec![change("new", Expect::New, None)], Vec::new()).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Broken(_)))), "{refused:?}");
    assert_eq!(found(&*store, "a").await, Some(a));
    assert_eq!(store.entities_version().await.unwrap(), next);
    assert_eq!(store.audit(0, 10).await.unwrap().len(), 1);

    drop(store);
    let store = backend.open().await;
    store.commit_entities(vec![update("a", seen), change("b", seen, None)], Vec::new()).await.unwrap();
    assert_eq!(found(&*store, "a").await.unwrap().document, put("other", &[]).document);
    assert_eq!(found(&*store, "b").await, None);
    assert_eq!(store.check().await.unwrap().problems, [""; 0]);
}

/// Who has seen an entity that was deleted and made anew since cannot change the new one.
pub async fn an_entitys_revision_never_comes_back(backend: &impl Backend) {
    let store = backend.open().await;
    store.commit_entities(vec![made("a", &[])], Vec::new()).await.unwrap();
    let first = revision(&*store, "a").await;
    let again = vec![change("a", first, None), made("a", &[])];
    store.commit_entities(again, Vec::new()).await.unwrap();
    assert_ne!(revision(&*store, "a").await, first);
    let late = store.commit_entities(vec![change("a", first, None)], Vec::new()).await;
    assert_eq!(late, Err(CommitError::LostRace));
    assert!(found(&*store, "a").await.is_some());
}

/// A key is one entity's within kind and region, moves with a change, and is free when its entity has gone.
pub async fn keys_find_one_entity_each(backend: &impl Backend) {
    let store = backend.open().await;
    store.commit_entities(vec![made("a", &["k1", "k2"]), made("b", &["k3"])], Vec::new()).await.unwrap();
    assert_eq!(by_key(&*store, "k2").await.as_deref(), Some("a"));
    assert_eq!(by_key(&*store, "k3").await.as_deref(), Some("b"));
    assert_eq!(by_key(&*store, "a").await, None, "a name is no key");
    let taken = store.commit_entities(vec![made("c", &["k4", "k1"])], Vec::new()).await;
    assert_eq!(taken, Err(CommitError::NameTaken));
    assert_eq!(by_key(&*store, "k4").await, None);
    for bad in ["", "two\nlines"] {
        let refused = store.commit_entities(vec![made("c", &[bad])], Vec::new()).await;
        assert!(matches!(refused, Err(CommitError::Store(StoreError::Refused { .. }))), "{refused:?}");
    }
    store.commit_entities(vec![elsewhere(made("a", &["k1"]))], Vec::new()).await.unwrap();
    let mut other = made("a", &["k1"]);
    other.kind = "iam:role".to_owned();
    store.commit_entities(vec![other], Vec::new()).await.unwrap();

    // Keys that move from one to the other in one change, in the order of the change.
    let (a, b) = (revision(&*store, "a").await, revision(&*store, "b").await);
    let moved = vec![change("a", a, Some(put("a", &["k2"]))), change("b", b, Some(put("b", &["k1"])))];
    store.commit_entities(moved, Vec::new()).await.unwrap();
    assert_eq!(by_key(&*store, "k1").await.as_deref(), Some("b"));
    assert_eq!(by_key(&*store, "k3").await, None);
    let b = revision(&*store, "b").await;
    store.commit_entities(vec![change("b", b, None), made("c", &["k1"])], Vec::new()).await.unwrap();
    assert_eq!(by_key(&*store, "k1").await.as_deref(), Some("c"));
}

/// Entities of a kind and region follow each other by their names, whatever their case.
pub async fn entities_are_listed_by_name(backend: &impl Backend) {
    let store = backend.open().await;
    let names = ["b", "a", "B", "_", "a/c", "aa"];
    store.commit_entities(names.map(|name| made(name, &[])).to_vec(), Vec::new()).await.unwrap();
    store.commit_entities(vec![elsewhere(made("z", &[]))], Vec::new()).await.unwrap();
    let page = async |after: Option<&str>, limit| -> Vec<String> {
        let rows = store.entities(KIND, "", after, limit).await.unwrap();
        rows.into_iter().map(|row| row.name).collect()
    };
    assert_eq!(page(None, 10).await, ["B", "_", "a", "a/c", "aa", "b"]);
    assert_eq!(page(Some("_"), 2).await, ["a", "a/c"]);
    assert_eq!(page(Some("b"), 2).await, [""; 0]);
    assert_eq!(page(None, 0).await, [""; 0]);
    assert_eq!(store.entities(KIND, "eu-west-1", None, 10).await.unwrap().len(), 1);
    assert_eq!(store.entities("iam:role", "", None, 10).await.unwrap().len(), 0);
}

/// Of those who saw the same state one changes it, and every change raises the version.
pub async fn of_those_who_race_for_an_entity_one_wins(backend: &impl Backend) {
    let store = backend.open().await;
    store.commit_entities(vec![made("a", &[])], Vec::new()).await.unwrap();
    let (seen, version) = (revision(&*store, "a").await, store.entities_version().await.unwrap());
    let racers: Vec<_> = (0..8)
        .map(|racer| {
            let store = Arc::clone(&store);
            let text = format!("racer {racer}");
            let next = change("a", seen, Some(put(&text, &[])));
            tokio::spawn(async move { store.commit_entities(vec![next], Vec::new()).await })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        match racer.await.unwrap() {
            Ok(()) => won += 1,
            Err(error) => assert_eq!(error, CommitError::LostRace),
        }
    }
    assert_eq!((won, store.entities_version().await.unwrap()), (1, version + 1));
}

/// Entities of two kinds and two regions.
pub(super) async fn fill(store: &dyn Store) {
    let bare = EntityPut { sealed: None, ..put("bare", &[]) };
    let changes = vec![
        elsewhere(made("z", &["k1"])),
        made("b", &["k2", "k1"]),
        change("a", Expect::New, Some(bare)),
        EntityChange { kind: "iam:role".to_owned(), ..made("r", &[]) },
    ];
    store.commit_entities(changes, Vec::new()).await.unwrap();
    let seen = revision(store, "b").await;
    store
        .commit_entities(vec![change("b", seen, Some(put("again", &["k3", "k1"])))], Vec::new())
        .await
        .unwrap();
}

/// What an export has of them.
pub(super) fn filled() -> Vec<ArchivedEntity> {
    let entity = |kind: &str, region: &str, name: &str, revision, put: EntityPut| {
        let EntityPut { document, sealed, keys } = put;
        let [kind, region, name] = [kind, region, name].map(str::to_owned);
        let row = EntityRow { kind, region, name, revision, document, sealed, mac: RowMac::None };
        ArchivedEntity { row: signed(row), keys: keys.unwrap_or_default() }
    };
    vec![
        entity("iam:role", "", "r", 1, put("r", &[])),
        entity(KIND, "", "a", 1, EntityPut { sealed: None, ..put("bare", &[]) }),
        entity(KIND, "", "b", 2, put("again", &["k1", "k3"])),
        entity(KIND, "eu-west-1", "z", 1, put("z", &["k1"])),
    ]
}

/// What was taken over is changed as any other, and its revisions do not come back.
pub(super) async fn goes_on(store: &dyn Store) {
    assert!(store.entities_version().await.unwrap() > 2);
    assert_eq!(by_key(store, "k3").await.as_deref(), Some("b"));
    let seen = revision(store, "b").await;
    store.commit_entities(vec![change("b", seen, None), made("b", &["k3"])], Vec::new()).await.unwrap();
    assert!(found(store, "b").await.unwrap().revision > 2);
}

/// What is sealed is replaced where nobody has changed the entity meanwhile; its keys and its document stay.
pub async fn what_is_sealed_of_entities_is_replaced(backend: &impl Backend) {
    let store = backend.open().await;
    let bare = EntityPut { sealed: None, ..put("b", &[]) };
    let changes = vec![made("a", &["k"]), change("b", Expect::New, Some(bare)), elsewhere(made("a", &["e"]))];
    store.commit_entities(changes, Vec::new()).await.unwrap();
    let all = store.sealed_entities(["", "", ""], 10).await.unwrap();
    assert_eq!(all.iter().map(|row| row.region.as_str()).collect::<Vec<_>>(), ["", "eu-west-1"]);
    assert_eq!(all.len(), 2);
    let (Some(first), Some(second)) = (all.first(), all.last()) else { return };
    assert_eq!(store.sealed_entities([KIND, "", "a"], 10).await.unwrap(), std::slice::from_ref(second));
    assert_eq!(store.sealed_entities(["", "", ""], 1).await.unwrap(), std::slice::from_ref(first));

    let version = store.entities_version().await.unwrap();
    assert!(store.reseal_entity(first, b"anew").await.unwrap());
    assert!(!store.reseal_entity(first, b"late").await.unwrap(), "the revision is another one by now");
    let after = found(&*store, "a").await.unwrap();
    assert!(after.revision > version && store.entities_version().await.unwrap() >= after.revision);
    assert_eq!((after.sealed.as_deref(), &after.document), (Some(&b"anew"[..]), &first.document));
    assert_eq!(by_key(&*store, "k").await.as_deref(), Some("a"));
}
