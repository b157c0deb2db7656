//! Rotations that have ended, how the others stand, and events that are forgotten.

use pawl_core::limits;

use super::{Backend, Change, Expect, LEASE, add, alter, at, elsewhere, full, replica, row, sealed, version};
use crate::{
    CommitError, EndedRotation, KeptRotation, RotationState, RotationStates, SecretRow, Store, StoreError,
};

pub(super) fn ended(number: u64) -> EndedRotation {
    let moment = i64::try_from(number).unwrap();
    EndedRotation {
        token: version(u8::try_from(number % 200).unwrap()),
        status: if number.is_multiple_of(2) { "Succeeded" } else { "Failed" }.to_owned(),
        requested_at: at(moment),
        finished_at: at(-moment),
        document: format!("{{ \"n\" : {number}.0, \"t\": \"naïve \\u0000 ‽\" }}"),
    }
}

fn kept(number: u64) -> KeptRotation {
    KeptRotation { number, rotation: ended(number) }
}

async fn numbers(store: &dyn Store, row: &SecretRow, before: u64, limit: u32) -> Vec<u64> {
    let rotations = store.rotations(&row.arn, before, limit).await.unwrap();
    rotations.into_iter().map(|kept| kept.number).collect()
}

/// Each that ends is there with the change that ended it, field by field, the newest first; it goes with its secret.
pub async fn ended_rotations_are_kept(backend: &impl Backend) {
    let store = backend.open().await;
    let mut first = add(&*store, row("a")).await;
    let other = add(&*store, replica(&row("a"))).await;
    assert_eq!(store.rotations(&first.arn, u64::MAX, 10).await.unwrap(), []);
    for number in 1..=5 {
        first = alter(&*store, &first, |change| {
            change.rotations = vec![ended(number)];
            change.put = vec![sealed(1, b"one")];
            change.audit = vec!["{}".to_owned()];
        })
        .await
        .unwrap();
    }
    alter(&*store, &other, |change| change.rotations = vec![ended(1)]).await.unwrap();
    assert_eq!(store.rotations(&first.arn, u64::MAX, 2).await.unwrap(), [kept(5), kept(4)]);
    assert_eq!(store.rotations(&first.arn, 4, 10).await.unwrap(), [kept(3), kept(2), kept(1)]);
    assert_eq!(numbers(&*store, &first, 1, 10).await, [0; 0]);
    assert_eq!(numbers(&*store, &first, 9, 0).await, [0; 0]);

    // Several at once, and on a new secret.
    first = alter(&*store, &first, |change| change.rotations = vec![ended(6), ended(7)]).await.unwrap();
    assert_eq!(numbers(&*store, &first, u64::MAX, 3).await, [7, 6, 5]);
    let mut made = Change::new(Expect::New, row("made"));
    made.rotations = vec![ended(1)];
    let other_made = Change::new(Expect::New, row("made-too"));
    store.commit_all(vec![made, other_made]).await.unwrap();
    assert_eq!(numbers(&*store, &row("made"), u64::MAX, 10).await, [1]);

    alter(&*store, &first, |change| {
        change.delete = true;
        change.rotations = vec![ended(8)];
    })
    .await
    .unwrap();
    assert_eq!(numbers(&*store, &first, u64::MAX, 10).await, [0; 0]);
    let again = add(&*store, row("a")).await;
    assert_eq!(numbers(&*store, &again, u64::MAX, 10).await, [0; 0]);
    assert_eq!(numbers(&*store, &replica(&row("a")), u64::MAX, 10).await, [1], "another's stay");
}

/// The newest are kept, and numbers go on.
pub async fn old_rotations_are_forgotten(backend: &impl Backend) {
    let store = backend.open().await;
    let all = u64::from(limits::ROTATIONS_KEPT) + 3;
    let mut first = add(&*store, row("a")).await;
    for number in 1..=all {
        first = alter(&*store, &first, |change| change.rotations = vec![ended(number)]).await.unwrap();
    }
    let expected: Vec<_> = (4..=all).rev().collect();
    assert_eq!(numbers(&*store, &first, u64::MAX, 1_000).await, expected);
}

/// A change that did not happen has ended no rotation.
pub async fn a_refused_change_keeps_no_rotation(backend: &impl Backend) {
    let store = backend.open().await;
    let first = add(&*store, row("a")).await;
    let second = alter(&*store, &first, |change| change.rotations = vec![ended(1)]).await.unwrap();
    let lost = alter(&*store, &first, |change| change.rotations = vec![ended(2)]).await;
    assert_eq!(lost, Err(CommitError::LostRace));
    let empty = EndedRotation { document: String::new(), ..ended(2) };
    let refused = alter(&*store, &second, |change| change.rotations = vec![ended(2), empty]).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Refused { .. }))), "{refused:?}");
    assert_eq!(full(&*store, "a").await.unwrap().head, second);
    assert_eq!(numbers(&*store, &first, u64::MAX, 10).await, [1]);
}

/// Of those that somebody should know of, how many there are, and which.
pub async fn rotations_are_counted_by_their_state(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(store.rotation_states().await.unwrap(), RotationStates::default());
    let mut rows = Vec::new();
    for (text, state) in [
        ("a", None),
        ("b", Some(RotationState::Running)),
        ("c", Some(RotationState::Waiting)),
        ("e", Some(RotationState::Stranded)),
        ("d", Some(RotationState::Stranded)),
    ] {
        rows.push(add(&*store, SecretRow { rotation_state: state, ..row(text) }).await);
    }
    add(&*store, SecretRow { rotation_state: Some(RotationState::Stranded), ..replica(&row("f")) }).await;
    let states = RotationStates { running: 1, waiting: 1, failed: 0, stranded: 3 };
    assert_eq!(store.rotation_states().await.unwrap(), states);
    let names = async |state, limit| -> Vec<String> {
        let found = store.secrets_in(state, limit).await.unwrap();
        found.into_iter().map(|due| format!("{}/{}", due.region, due.name)).collect()
    };
    assert_eq!(names(RotationState::Stranded, 2).await, ["eu-west-1/d", "eu-west-1/e"]);
    assert_eq!(names(RotationState::Stranded, 9).await.last().unwrap(), &format!("{}/f", elsewhere()));
    assert_eq!(names(RotationState::Failed, 9).await, [""; 0]);

    // It follows every kind of change.
    let failed = |change: &mut Change| change.row.rotation_state = Some(RotationState::Failed);
    let b = alter(&*store, &rows[1], failed).await.unwrap();
    alter(&*store, &rows[2], |change| change.row.rotation_state = None).await.unwrap();
    alter(&*store, &rows[3], |change| change.delete = true).await.unwrap();
    let a = alter(&*store, &rows[0], |change| {
        failed(change);
        change.row.purge_at = Some(at(1));
    });
    let a = a.await.unwrap();
    let states = RotationStates { running: 0, waiting: 0, failed: 2, stranded: 2 };
    assert_eq!(store.rotation_states().await.unwrap(), states);
    assert_eq!(full(&*store, "a").await.unwrap().head, a);
    assert_eq!(full(&*store, "b").await.unwrap().head, b);
    assert_eq!(states.of(RotationState::Failed), 2);
}

/// The oldest events go, the latest never does, and numbers go on.
pub async fn old_events_are_forgotten(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(store.last_event().await.unwrap(), 0);
    assert_eq!(store.forget_events(u64::MAX, 10).await.unwrap(), 0);
    let mut change = Change::new(Expect::New, row("a"));
    change.events = (0..10).map(|number| format!("{{\"n\":{number}}}")).collect();
    store.commit(change).await.unwrap();
    let last = store.last_event().await.unwrap();
    let all = store.events(0, 100).await.unwrap();
    assert_eq!((all.len(), all[9].seq), (10, last));
    assert_eq!(store.forget_events(all[5].seq, 4).await.unwrap(), 4);
    assert_eq!(store.events(0, 100).await.unwrap(), all[4..]);
    assert_eq!(store.forget_events(all[5].seq, 100).await.unwrap(), 2);
    assert_eq!(store.events(0, 100).await.unwrap(), all[6..]);
    assert_eq!(store.forget_events(u64::MAX, 100).await.unwrap(), 3);
    assert_eq!(store.events(0, 100).await.unwrap(), all[9..]);
    drop(store);

    let store = backend.open().await;
    assert_eq!(store.last_event().await.unwrap(), last);
    let mut change = Change::new(Expect::New, row("b"));
    change.events = vec!["{}".to_owned()];
    store.commit(change).await.unwrap();
    assert!(store.last_event().await.unwrap() > last);
    assert_eq!(store.events(last, 10).await.unwrap().len(), 1);
    assert_eq!(store.claim_rotations(at(1), at(0), "x", LEASE, 1).await.unwrap(), []);
}
