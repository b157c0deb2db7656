//! A store as a whole: out of one, into another.

use tokio::sync::mpsc;

use super::functions::{component, digest, function};
use super::rotations::ended;
use super::{
    Backend, Change, Expect, LEASE, SecretName, add, alter, at, elsewhere, full, region, replica, rotating,
    row, sealed,
};
use crate::{
    ArchivedRotation, ArchivedSecret, Entry, HALT, HALT_IMPORTING, ImportError, LeaseState, Piece, SecretRow,
    Store, StoreError,
};

/// Everything that `store` exports.
async fn exported(store: &dyn Store) -> Vec<Piece> {
    let (to, mut from) = mpsc::channel(1);
    let collect = async {
        let mut pieces = Vec::new();
        while let Some(piece) = from.recv().await {
            pieces.push(piece);
        }
        pieces
    };
    let (pieces, done) = tokio::join!(collect, store.export(to));
    done.unwrap();
    pieces
}

async fn imported(store: &dyn Store, pieces: Vec<Piece>) -> Result<(), ImportError> {
    let (to, from) = mpsc::channel(1);
    let send = async move {
        for piece in pieces {
            if to.send(piece).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(send, store.import(from)).1
}

/// The secrets, audit records and events, whatever pages they came in.
fn joined(pieces: &[Piece]) -> (Vec<ArchivedSecret>, Vec<Entry>, Vec<Entry>) {
    let mut all = (Vec::new(), Vec::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Secrets(page) => all.0.extend(page.iter().cloned()),
            Piece::Audit(page) => all.1.extend(page.iter().cloned()),
            Piece::Events(page) => all.2.extend(page.iter().cloned()),
            Piece::Begin { .. }
            | Piece::Rotations(_)
            | Piece::Code(_)
            | Piece::Functions(_)
            | Piece::Approvals(_)
            | Piece::Entities(_)
            | Piece::Keyring(_)
            | Piece::Setting { .. }
            | Piece::End => {}
        }
    }
    all
}

/// The rotations, whatever pages they came in.
fn rotations(pieces: &[Piece]) -> Vec<ArchivedRotation> {
    let pages = pieces.iter().filter_map(|piece| match piece {
        Piece::Rotations(page) => Some(page.clone()),
        _ => None,
    });
    pages.flatten().collect()
}

/// The entities, as they came: there is less than a page of them.
fn entities(pieces: &[Piece]) -> Vec<Piece> {
    pieces.iter().filter(|piece| matches!(piece, Piece::Entities(_))).cloned().collect()
}

/// What has to do with functions, as it came: there is less than a page of it.
fn functions(pieces: &[Piece]) -> Vec<Piece> {
    let of = |piece: &&Piece| matches!(piece, Piece::Code(_) | Piece::Functions(_) | Piece::Approvals(_));
    pieces.iter().filter(of).cloned().collect()
}

/// Secrets of two regions in every state, more than a page of them, with settings and records.
async fn fill(store: &dyn Store) {
    store.store_keyring(b"\x00wrapped\xff").await.unwrap();
    store.put_meta("a", b"\x00\xff").await.unwrap();
    store.put_meta("b", b"").await.unwrap();
    let mut change = Change::new(
        Expect::New,
        SecretRow {
            document: "{\"description\":\"naïve \\u0000 ‽ 'quoted'\"}".to_owned(),
            purge_at: Some(at(1)),
            next_rotation_at: Some(at(-2)),
            last_changed_at: at(4),
            last_accessed_at: Some(at(-5)),
            ..row("z/odd!+=.@-_")
        },
    );
    change.put = vec![sealed(3, &vec![0xff; 65_536]), sealed(1, b"\x00"), sealed(2, b"two")];
    change.audit = vec!["{ \"n\" : 1.0, \"t\": \"\\u00e9 é \\\\ \\n\" }".to_owned(), "{}".to_owned()];
    change.events = vec!["{\"event\":1}".to_owned()];
    store.commit(change).await.unwrap();
    add(store, SecretRow { replica_of: Some(region()), ..replica(&row("z/odd!+=.@-_")) }).await;
    let many = (0..300).map(|number| {
        let mut change = Change::new(Expect::New, row(&format!("many/{number:03}")));
        change.put = vec![sealed(1, format!("value {number}").as_bytes())];
        change
    });
    store.commit_all(many.collect()).await.unwrap();
    store.append_audit(&vec!["{\"read\":true}".to_owned(); 300]).await.unwrap();
    let kept = async |row: &SecretRow, numbers: std::ops::RangeInclusive<u64>| {
        alter(store, row, |change| change.rotations = numbers.map(ended).collect()).await.unwrap();
    };
    kept(&row("many/007"), 1..=300).await;
    kept(&row("many/003"), 1..=2).await;
    kept(&replica(&row("z/odd!+=.@-_")), 1..=1).await;
    super::functions::fill(store).await;
    super::entities::fill(store).await;
    let leased = rotating(store, "leased", 0).await;
    let claims = store.claim_rotations(at(1), at(1), "host", LEASE, 10).await.unwrap();
    assert_eq!((claims.len(), &claims[0].arn), (1, &leased.arn));
}

/// What one store exports another takes over: every field, in order, but for who holds which lease.
pub async fn what_is_exported_is_imported(backend: &impl Backend, other: &impl Backend) {
    let (source, target) = (backend.open().await, other.open().await);
    fill(&*source).await;
    let pieces = exported(&*source).await;
    assert!(matches!(pieces.first(), Some(Piece::Begin { schema: 1.. })));
    assert_eq!(pieces.last(), Some(&Piece::End));
    assert!(pieces.contains(&Piece::Keyring(b"\x00wrapped\xff".to_vec())));
    assert!(pieces.contains(&Piece::Setting { key: "a".to_owned(), value: b"\x00\xff".to_vec() }));
    assert!(pieces.contains(&Piece::Setting { key: "b".to_owned(), value: Vec::new() }));
    let (secrets, audit, events) = joined(&pieces);
    assert_eq!((secrets.len(), audit.len(), events.len()), (303, 302, 1));
    let places: Vec<_> =
        secrets.iter().map(|secret| (&secret.head.region, secret.head.name.as_str())).collect();
    assert!(places.is_sorted() && *places[302].0 == elsewhere(), "by region and name");
    let places: Vec<_> = rotations(&pieces).into_iter().map(|r| (r.arn, r.kept.number)).collect();
    let of =
        |row: SecretRow, first: u64, last: u64| (first..=last).map(move |number| (row.arn.clone(), number));
    let expected = of(row("many/003"), 1, 2).chain(of(row("many/007"), 201, 300));
    assert_eq!(places, expected.chain(of(replica(&row("z/odd!+=.@-_")), 1, 1)).collect::<Vec<_>>());
    let of_functions = functions(&pieces);
    assert_eq!(of_functions[..4], [1, 2, 3, 4].map(|number| Piece::Code(component(number))));
    let kept = of_functions.iter().find_map(|piece| match piece {
        Piece::Functions(page) => Some(page),
        _ => None,
    });
    let approvals = of_functions.iter().find_map(|piece| match piece {
        Piece::Approvals(page) => Some(page),
        _ => None,
    });
    let (kept, approvals) = (kept.unwrap(), approvals.unwrap());
    let names: Vec<_> = kept.iter().map(|kept| (kept.row.name.as_str(), kept.names.clone())).collect();
    let (one, two, three) = (digest(1), digest(2), digest(3));
    let expected = [("a", vec![two]), ("b", vec![one, three]), ("c", vec![two]), ("a", vec![one])];
    assert_eq!((names, approvals.len()), (expected.to_vec(), 2));
    assert_eq!(kept[1].row, function("b", 2));
    assert_eq!(entities(&pieces), [Piece::Entities(super::entities::filled())]);
    let odd = &secrets[301];
    let found = full(&*source, "z/odd!+=.@-_").await.unwrap();
    assert_eq!((&odd.head, odd.values.len()), (&found.head, 3));
    assert_eq!(odd.values, [sealed(1, b"\x00"), sealed(2, b"two"), sealed(3, &vec![0xff; 65_536])], "by id");
    assert_eq!(secrets[0].lease_epoch, 1);

    imported(&*target, pieces.clone()).await.unwrap();
    assert_eq!(target.meta(HALT).await.unwrap().unwrap(), HALT_IMPORTING, "until somebody has looked");
    let mut expected = pieces;
    for piece in &mut expected {
        let Piece::Secrets(page) = piece else { continue };
        for secret in page {
            secret.lease_epoch += pawl_core::limits::IMPORT_EPOCHS;
        }
    }
    let again = exported(&*target).await;
    assert_eq!(joined(&again), joined(&expected));
    assert_eq!(rotations(&again), rotations(&expected));
    assert_eq!((functions(&again), entities(&again)), (functions(&expected), entities(&expected)));
    let rest = |pieces: &[Piece]| -> Vec<Piece> {
        let kept = pieces.iter().filter(|piece| matches!(piece, Piece::Keyring(_) | Piece::Setting { .. }));
        kept.cloned().collect()
    };
    assert_eq!(rest(&again), rest(&expected));
    let lease =
        target.load(&region(), &"leased".parse::<SecretName>().unwrap()).await.unwrap().unwrap().lease;
    assert_eq!(lease, LeaseState { epoch: 1 + pawl_core::limits::IMPORT_EPOCHS, owner: None, until: None });

    // It works as any other: numbers go on where they were, and what is due is claimed.
    target.append_audit(&["{\"next\":1}".to_owned()]).await.unwrap();
    assert_eq!(target.audit(audit[301].seq, 10).await.unwrap().len(), 1);
    assert_eq!(target.claim_rotations(at(1), at(1), "host", LEASE, 10).await.unwrap().len(), 1);
    store_goes_on(&*target).await;
    alter(&*target, &found.head, |change| change.delete = true).await.unwrap();
    add(&*target, row("new")).await;
    assert_eq!(target.check().await.unwrap().problems, [""; 0]);
}

/// Functions are what they were, and what nothing names is swept.
async fn store_goes_on(target: &dyn Store) {
    super::entities::goes_on(target).await;
    let next = super::functions::with_code(function("b", 3), 5);
    target.commit_function(next).await.unwrap();
    let kept = std::time::Duration::from_secs(1);
    assert_eq!(target.sweep_code(at(0), kept).await.unwrap(), 0);
    assert_eq!(target.sweep_code(at(1), kept).await.unwrap(), 2);
}

/// Neither secrets nor records are ever written over, and nothing is halted by an import that was refused.
pub async fn only_an_empty_store_takes_over(backend: &impl Backend, other: &impl Backend) {
    let (source, target) = (backend.open().await, other.open().await);
    fill(&*source).await;
    let pieces = exported(&*source).await;
    assert_eq!(imported(&*source, pieces.clone()).await, Err(ImportError::NotEmpty));
    assert_eq!(source.meta(HALT).await.unwrap(), None);
    assert_eq!(joined(&exported(&*source).await), joined(&pieces));
    target.append_audit(&["{}".to_owned()]).await.unwrap();
    assert_eq!(imported(&*target, pieces).await, Err(ImportError::NotEmpty));
    assert_eq!(target.meta(HALT).await.unwrap(), None);
}

/// An import that breaks off leaves a store that is empty and says so, and the next one may begin anew.
pub async fn an_import_that_breaks_off_leaves_nothing(backend: &impl Backend, other: &impl Backend) {
    let (source, target) = (backend.open().await, other.open().await);
    fill(&*source).await;
    target.store_keyring(b"of a first start").await.unwrap();
    let pieces = exported(&*source).await;
    let cut = pieces[..pieces.len() - 1].to_vec();
    assert_eq!(imported(&*target, cut).await, Err(ImportError::Incomplete));
    let mut twice = pieces.clone();
    let page = twice.iter().find(|piece| matches!(piece, Piece::Secrets(_))).unwrap().clone();
    twice.insert(pieces.len() - 1, page);
    let refused = imported(&*target, twice).await;
    assert!(matches!(refused, Err(ImportError::Store(StoreError::Refused { .. }))), "{refused:?}");
    assert_eq!(target.meta(HALT).await.unwrap().unwrap(), HALT_IMPORTING);
    assert_eq!(joined(&exported(&*target).await), (vec![], vec![], vec![]));
    assert_eq!(functions(&exported(&*target).await), []);
    assert_eq!(entities(&exported(&*target).await), []);
    assert_eq!(target.keyring().await.unwrap().unwrap(), b"of a first start");

    imported(&*target, pieces.clone()).await.unwrap();
    // And again, as after a crash before anybody looked.
    imported(&*target, pieces.clone()).await.unwrap();
    assert_eq!(joined(&exported(&*target).await).1, joined(&pieces).1);
    target.put_meta(HALT, b"").await.unwrap();
    assert_eq!(imported(&*target, pieces).await, Err(ImportError::NotEmpty));
}

/// What changes during an export is not in it, and does not wait for it; one that nobody takes ends by itself.
pub async fn an_export_is_of_one_moment(backend: &impl Backend) {
    let store = backend.open().await;
    fill(&*store).await;
    let before = exported(&*store).await;
    let (to, mut from) = mpsc::channel(1);
    let exporting = tokio::spawn({
        let store = store.clone();
        async move { store.export(to).await }
    });
    let mut pieces = vec![from.recv().await.unwrap()];
    // The first piece was read, so the moment is fixed.
    while !matches!(pieces.last(), Some(Piece::Setting { .. })) {
        pieces.push(from.recv().await.unwrap());
    }
    add(&*store, row("added")).await;
    let many = full(&*store, "many/299").await.unwrap().head;
    alter(&*store, &many, |change| change.delete = true).await.unwrap();
    store.append_audit(&["{}".to_owned()]).await.unwrap();
    while let Some(piece) = from.recv().await {
        pieces.push(piece);
    }
    exporting.await.unwrap().unwrap();
    assert_eq!(pieces, before);
    assert_ne!(exported(&*store).await, before);

    let (to, from) = mpsc::channel(1);
    drop(from);
    store.export(to).await.unwrap();
}
