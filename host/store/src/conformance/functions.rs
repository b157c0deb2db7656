//! Functions, their code, and what operators approve of them.

use std::sync::Arc;
use std::time::Duration;

use pawl_core::function::{Digest, FunctionArn, FunctionName};
use pawl_core::rotation::{Rotation, Status, Step};
use pawl_core::secret::Secret;

use super::{Backend, Change, Expect, add, alter, at, elsewhere, region, row};
use crate::{
    ApprovalChange, ApprovalRow, CommitError, FunctionChange, FunctionRow, RowMac, SecretRow, Store,
    StoreError, StoredCode,
};

pub(super) fn named(text: &str) -> FunctionName {
    text.parse().unwrap()
}

pub(super) fn digest(number: u8) -> Digest {
    Digest::from_bytes([number; 32])
}

pub(super) fn component(number: u8) -> StoredCode {
    StoredCode {
        digest: digest(number),
        document: format!("{{\"n\":{number},\"t\":\"naïve \\u0000 ‽\"}}"),
        component: vec![number; 100_000],
        mac: RowMac::Kept(vec![number]),
    }
}

pub(super) fn function(text: &str, revision: u64) -> FunctionRow {
    FunctionRow {
        id: format!("id of {text}"),
        region: region(),
        name: named(text),
        revision,
        document: format!("{{\"name\":\"{text}\",\"t\":\"naïve \\u0000 'quoted' ‽\"}}"),
        mac: RowMac::Kept(format!("{text} {revision}").into_bytes()),
    }
}

/// A change to the function's next revision, with this code, which is all that it names.
pub(super) fn with_code(row: FunctionRow, number: u8) -> FunctionChange {
    let expect = match row.revision {
        1 => Expect::New,
        next => Expect::Revision(next - 1),
    };
    let mut change = FunctionChange::new(expect, row, [digest(number)].into());
    change.code = Some(component(number));
    change
}

async fn records(store: &dyn Store) -> (Vec<String>, Vec<String>) {
    let texts = |entries: Vec<crate::Entry>| entries.into_iter().map(|entry| entry.record).collect();
    (texts(store.audit(0, 100).await.unwrap()), texts(store.events(0, 100).await.unwrap()))
}

async fn has(store: &dyn Store, number: u8) -> bool {
    store.code(&digest(number)).await.unwrap().is_some()
}

/// A function comes with its code and its records or not at all, and comes back as it went in.
pub async fn a_function_changes_as_a_whole(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(store.function(&region(), &named("f")).await.unwrap(), None);
    assert_eq!(store.code(&digest(1)).await.unwrap(), None);
    let mut made = with_code(function("f", 1), 1);
    made.audit = vec!["{\"made\":1}".to_owned(), "{\"made\":2}".to_owned()];
    made.events = vec!["{\"told\":1}".to_owned()];
    store.commit_function(made.clone()).await.unwrap();
    assert_eq!(store.function(&region(), &named("f")).await.unwrap(), Some(function("f", 1)));
    assert_eq!(store.code(&digest(1)).await.unwrap(), Some(component(1)));
    let told = records(&*store).await;
    assert_eq!((told.0.len(), told.1.len(), told.0[1].as_str()), (2, 1, "{\"made\":2}"));

    // Refused, and nothing of it is there: a name that is taken, a lost race, a record that cannot be kept, code that is missing.
    let mut taken = with_code(FunctionRow { id: "other".to_owned(), ..function("f", 1) }, 2);
    taken.audit = vec!["{}".to_owned()];
    assert_eq!(store.commit_function(taken).await, Err(CommitError::NameTaken));
    let mut late = with_code(function("f", 3), 3);
    late.events = vec!["{}".to_owned()];
    assert_eq!(store.commit_function(late).await, Err(CommitError::LostRace));
    let mut bad = with_code(function("f", 2), 4);
    bad.audit = vec!["{}".to_owned(), String::new()];
    let refused = store.commit_function(bad).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Refused { .. }))), "{refused:?}");
    let missing = FunctionChange { code: None, ..with_code(function("f", 2), 5) };
    let refused = store.commit_function(missing).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Refused { .. }))), "{refused:?}");
    let gap = FunctionChange { expect: Expect::Revision(1), ..with_code(function("f", 3), 6) };
    let refused = store.commit_function(gap).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Broken(_)))), "{refused:?}");
    assert_eq!(store.function(&region(), &named("f")).await.unwrap(), Some(function("f", 1)));
    for number in 2..=6 {
        assert!(!has(&*store, number).await, "{number}");
    }
    assert_eq!(records(&*store).await, told);

    // It goes on, and is another one once it was deleted and made anew.
    store.commit_function(with_code(function("f", 2), 2)).await.unwrap();
    let delete = FunctionChange { delete: true, ..with_code(function("f", 3), 2) };
    store.commit_function(delete.clone()).await.unwrap();
    assert_eq!(store.function(&region(), &named("f")).await.unwrap(), None);
    assert!(has(&*store, 1).await && has(&*store, 2).await, "for a while");
    assert_eq!(store.commit_function(delete).await, Err(CommitError::LostRace));
    let mut again = with_code(FunctionRow { id: "another".to_owned(), ..function("f", 1) }, 1);
    store.commit_function(again.clone()).await.unwrap();
    assert_eq!(store.commit_function(with_code(function("f", 2), 9)).await, Err(CommitError::LostRace));
    again.row.region = elsewhere();
    again.row.id = "elsewhere".to_owned();
    store.commit_function(again.clone()).await.unwrap();
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.function(&elsewhere(), &named("f")).await.unwrap(), Some(again.row));
    assert_eq!(store.check().await.unwrap().problems, [""; 0]);
}

/// Functions of a region follow each other by their names, whatever their case.
pub async fn functions_are_listed_by_name(backend: &impl Backend) {
    let store = backend.open().await;
    for name in ["b", "a", "B", "_", "c-1", "c_1"] {
        store.commit_function(with_code(function(name, 1), 1)).await.unwrap();
    }
    let other = FunctionRow { region: elsewhere(), id: "other".to_owned(), ..function("a", 1) };
    store.commit_function(with_code(other, 1)).await.unwrap();
    let page = async |after: Option<FunctionName>, limit| -> Vec<String> {
        let rows = store.functions(&region(), after.as_ref(), limit).await.unwrap();
        rows.into_iter().map(|row| row.name.to_string()).collect()
    };
    assert_eq!(page(None, 10).await, ["B", "_", "a", "b", "c-1", "c_1"]);
    assert_eq!(page(None, 2).await, ["B", "_"]);
    assert_eq!(page(Some(named("_")), 2).await, ["a", "b"]);
    assert_eq!(page(Some(named("c_1")), 2).await, [""; 0]);
    assert_eq!(page(None, 0).await, [""; 0]);
    assert_eq!(store.functions(&elsewhere(), None, 10).await.unwrap().len(), 1);
}

const KEPT: Duration = Duration::from_secs(100);

/// A secret whose rotation was begun with this code, or has ended so.
fn rotated_with(text: &str, number: u8, status: Status) -> SecretRow {
    let mut secret = Secret::new(row(text).arn, region(), row(text).name, at(0));
    let function = FunctionArn::given("a function".to_owned());
    let mut rotation = Rotation::begin("0".repeat(32).parse().unwrap(), function, digest(number), at(0));
    rotation.status = status;
    secret.rotation = Some(Box::new(rotation));
    SecretRow {
        rotation_due_at: secret.rotation_due_at(),
        document: serde_json::to_string(&secret).unwrap(),
        ..row(text)
    }
}

/// Code that nothing names goes after its time, and never under a rotation that runs with it.
pub async fn code_is_swept_when_nobody_needs_it(backend: &impl Backend) {
    let store = backend.open().await;
    let sweep = async |seconds| store.sweep_code(at(seconds), KEPT).await.unwrap();
    assert_eq!(sweep(0).await, 0);
    store.commit_function(with_code(function("f", 1), 1)).await.unwrap();
    store.commit_function(with_code(function("f", 2), 2)).await.unwrap();
    store.commit_function(with_code(function("g", 1), 3)).await.unwrap();
    let step = Step::SetSecret;
    let running = add(&*store, rotated_with("running", 1, Status::Running { step })).await;
    add(&*store, rotated_with("ended", 3, Status::Failed { step })).await;
    // A text that looks like a digest is none.
    let mut told = rotated_with("told", 9, Status::Running { step });
    let mut secret: Secret = serde_json::from_str(&told.document).unwrap();
    secret.description = Some(format!("\"digest\":\"{}\"", digest(3)));
    told.document = serde_json::to_string(&secret).unwrap();
    add(&*store, told).await;
    let delete = FunctionChange { delete: true, ..with_code(function("g", 2), 3) };
    store.commit_function(delete).await.unwrap();

    // The first sweep notes what is not named; its time begins then.
    assert_eq!(sweep(1_000).await, 0);
    assert_eq!(sweep(1_099).await, 0);
    assert!(has(&*store, 3).await);
    assert_eq!(sweep(1_100).await, 1);
    assert!(has(&*store, 1).await, "a rotation runs with it");
    assert!(has(&*store, 2).await, "a function names it");
    assert!(!has(&*store, 3).await);
    alter(&*store, &running, |change: &mut Change| change.row.rotation_due_at = None).await.unwrap();
    assert_eq!(sweep(1_101).await, 1);
    assert!(!has(&*store, 1).await);

    // What is uploaded or named again is new, and its time begins anew when it is left again.
    store.commit_function(with_code(function("f", 3), 4)).await.unwrap();
    assert_eq!(sweep(2_000).await, 0);
    store.commit_function(with_code(function("h", 1), 2)).await.unwrap();
    assert_eq!(sweep(3_000).await, 0);
    let delete = FunctionChange { delete: true, ..with_code(function("h", 2), 2) };
    store.commit_function(delete).await.unwrap();
    assert_eq!(sweep(4_000).await, 0);
    let back = FunctionChange { code: None, ..with_code(function("f", 4), 2) };
    store.commit_function(back).await.unwrap();
    store.commit_function(with_code(function("f", 5), 4)).await.unwrap();
    assert_eq!(sweep(4_100).await, 0, "it was named in between");
    assert_eq!(sweep(4_200).await, 1);
    assert!(!has(&*store, 2).await && has(&*store, 4).await);
}

/// Code that is uploaded while it is swept is there once the upload is acknowledged.
pub async fn code_that_comes_back_is_not_swept(backend: &impl Backend) {
    let store = backend.open().await;
    let uploading = (0..4).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let name = format!("f{writer}");
            for round in 0..20 {
                let row = FunctionRow { id: format!("{name} {round}"), ..function(&name, 1) };
                store.commit_function(with_code(row.clone(), 1)).await.unwrap();
                assert!(has(&*store, 1).await, "{name} {round}");
                let next = FunctionRow { revision: 2, ..row };
                let delete = FunctionChange { delete: true, ..with_code(next, 1) };
                store.commit_function(delete).await.unwrap();
            }
        })
    });
    let uploading: Vec<_> = uploading.collect();
    let (mut swept, mut wall) = (0, 0);
    while !uploading.iter().all(tokio::task::JoinHandle::is_finished) {
        wall += 1;
        // One that meets an upload may fail, and nothing is lost by it.
        swept += store.sweep_code(at(wall), Duration::ZERO).await.unwrap_or_default();
        tokio::task::yield_now().await;
    }
    for writer in uploading {
        writer.await.unwrap();
    }
    swept += store.sweep_code(at(wall + 1), Duration::ZERO).await.unwrap();
    assert!(swept > 0 && !has(&*store, 1).await);
}

/// An approval is of a name, whether or not there is such a function.
pub async fn approvals_are_given_and_taken_back(backend: &impl Backend) {
    let store = backend.open().await;
    let change = |name: &str, document: Option<&str>| ApprovalChange {
        region: region(),
        name: named(name),
        document: document.map(str::to_owned),
        mac: RowMac::Kept(format!("of {}", document.unwrap_or_default()).into_bytes()),
        audit: vec![format!("{{\"approved\":\"{name}\"}}")],
        events: vec!["{}".to_owned()],
    };
    let row = |name: &str, document: &str| ApprovalRow {
        region: region(),
        name: named(name),
        document: document.to_owned(),
        mac: RowMac::Kept(format!("of {document}").into_bytes()),
    };
    assert_eq!(store.approval(&region(), &named("f")).await.unwrap(), None);
    store.commit_approval(change("f", Some("{\"first\":\"\\u0000\"}"))).await.unwrap();
    store.commit_approval(change("a", Some("{}"))).await.unwrap();
    store.commit_approval(change("f", Some("{\"second\":1}"))).await.unwrap();
    assert_eq!(store.approval(&region(), &named("f")).await.unwrap(), Some(row("f", "{\"second\":1}")));
    assert_eq!(store.approval(&elsewhere(), &named("f")).await.unwrap(), None);
    let listed = store.approvals(&region(), None, 10).await.unwrap();
    assert_eq!(listed, [row("a", "{}"), row("f", "{\"second\":1}")]);
    assert_eq!(store.approvals(&region(), Some(&named("a")), 10).await.unwrap().len(), 1);
    let told = records(&*store).await;
    assert_eq!((told.0.len(), told.1.len()), (3, 3));
    let refused =
        store.commit_approval(ApprovalChange { audit: vec![String::new()], ..change("a", None) }).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert_eq!(store.approvals(&region(), None, 1).await.unwrap().len(), 1);
    for _ in 0..2 {
        store.commit_approval(change("a", None)).await.unwrap();
    }
    assert_eq!(store.approvals(&region(), None, 10).await.unwrap(), [row("f", "{\"second\":1}")]);
}

/// Functions of two regions with code of their own, shared, and left behind, and approvals.
pub(super) async fn fill(store: &dyn Store) {
    for (name, number) in [("b", 1), ("a", 2), ("c", 2)] {
        store.commit_function(with_code(function(name, 1), number)).await.unwrap();
    }
    let mut both = with_code(function("b", 2), 3);
    both.names.insert(digest(1));
    store.commit_function(both).await.unwrap();
    let other = FunctionRow { region: elsewhere(), id: "other".to_owned(), ..function("a", 1) };
    store.commit_function(with_code(other.clone(), 4)).await.unwrap();
    store.commit_function(with_code(FunctionRow { revision: 2, ..other }, 1)).await.unwrap();
    for region in [region(), elsewhere()] {
        let document = Some(format!("{{\"in\":\"{region} ‽\"}}"));
        let (name, audit) = (named("a"), Vec::new());
        let change = ApprovalChange { region, name, document, mac: RowMac::None, audit, events: Vec::new() };
        store.commit_approval(change).await.unwrap();
    }
}
