//! What every backend must do. A backend's tests hand [`conformance_suite!`](crate::conformance_suite) an empty database and get
//! one test for each promise.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a suite of tests")]

mod archives;
mod entities;
mod functions;
mod rotations;

pub use archives::{
    an_export_is_of_one_moment, an_import_that_breaks_off_leaves_nothing, only_an_empty_store_takes_over,
    what_is_exported_is_imported,
};
pub use entities::{
    an_entitys_revision_never_comes_back, entities_are_listed_by_name, entities_change_together,
    keys_find_one_entity_each, of_those_who_race_for_an_entity_one_wins,
    what_is_sealed_of_entities_is_replaced,
};
pub use functions::{
    a_function_changes_as_a_whole, approvals_are_given_and_taken_back, code_is_swept_when_nobody_needs_it,
    code_that_comes_back_is_not_swept, functions_are_listed_by_name,
};
pub use rotations::{
    a_refused_change_keeps_no_rotation, ended_rotations_are_kept, old_events_are_forgotten,
    old_rotations_are_forgotten, rotations_are_counted_by_their_state,
};

use std::sync::Arc;
use std::time::Duration;

use pawl_core::arn::SecretArn;
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::world::{Rng, Timestamp};

use crate::{
    Change, CommitError, Cursor, Direction, Due, Entry, Expect, Full, LeaseState, ListQuery, Order,
    RotationState, RowMac, SealedVersion, SecretRow, SortBy, Store, StoreError,
};

/// One database, empty at first.
pub trait Backend {
    /// Opens it as a new process would. A store that is dropped without being closed stands for a crash.
    fn open(&self) -> impl Future<Output = Arc<dyn Store>> + Send;
}

/// Makes one test of each promise; `$new` is the expression of a new [`Backend`].
#[macro_export]
macro_rules! conformance_suite {
    ($new:expr) => {
        $crate::conformance_suite!(@ $new;
            what_is_committed_is_read_back
            each_column_changes_alone
            a_name_is_taken_once
            a_lost_race_changes_nothing
            of_many_racers_one_wins
            a_revision_follows_the_one_before
            a_failed_part_undoes_the_whole
            several_secrets_change_together
            many_are_made_at_once
            a_purged_name_is_free_for_the_next_change
            a_change_follows_the_one_before_it
            whatever_fails_undoes_its_neighbours
            each_of_many_callers_has_his_own_verdict
            values_are_put_replaced_and_removed
            sealed_values_are_passed_by_their_heads
            a_purge_takes_the_values_along
            acknowledged_is_durable
            pages_follow_each_other
            a_list_follows_changes
            a_page_follows_what_was_purged
            due_schedules_are_those_that_may_begin
            due_purges_are_those_of_the_past
            a_rotation_is_claimed_by_one
            a_fence_keeps_the_late_out
            a_released_lease_is_over
            a_lease_is_renewed_by_its_holder
            leases_of_the_dead_are_broken
            what_is_remembered_is_compared
            the_keyring_is_stored_once
            a_setting_is_swapped_by_who_knows_it
            settings_are_replaced
            records_keep_their_text_and_order
            a_sound_store_has_no_problems
            ended_rotations_are_kept
            old_rotations_are_forgotten
            a_refused_change_keeps_no_rotation
            rotations_are_counted_by_their_state
            old_events_are_forgotten
            a_function_changes_as_a_whole
            functions_are_listed_by_name
            code_is_swept_when_nobody_needs_it
            code_that_comes_back_is_not_swept
            approvals_are_given_and_taken_back
            entities_change_together
            an_entitys_revision_never_comes_back
            what_is_sealed_of_entities_is_replaced
            keys_find_one_entity_each
            entities_are_listed_by_name
            of_those_who_race_for_an_entity_one_wins
            an_export_is_of_one_moment
        );
        $crate::conformance_suite!(@ between $new;
            what_is_exported_is_imported
            only_an_empty_store_takes_over
            an_import_that_breaks_off_leaves_nothing
        );
    };
    (@ between $new:expr; $($case:ident)+) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::conformance::$case(&$new, &$new).await;
            }
        )+
    };
    (@ $new:expr; $($case:ident)+) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::conformance::$case(&$new).await;
            }
        )+
    };
}

/// Always the same; nothing here must be hard to guess.
struct Constant(u8);

impl Rng for Constant {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

const LEASE: Duration = Duration::from_secs(90);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1000)
}

fn region() -> Region {
    "eu-west-1".parse().unwrap()
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn version(number: u8) -> VersionId {
    format!("{number:032}").parse().unwrap()
}

fn sealed(number: u8, bytes: &[u8]) -> SealedVersion {
    SealedVersion { version_id: version(number), sealed: bytes.to_vec() }
}

fn row(text: &str) -> SecretRow {
    let arn = SecretArn::mint(&region(), &"000000000000".parse().unwrap(), &name(text), &Constant(7));
    SecretRow {
        arn,
        region: region(),
        name: name(text),
        revision: 1,
        document: format!("{{\"name\":\"{text}\"}}"),
        created_at: at(0),
        purge_at: None,
        next_rotation_at: None,
        rotation_due_at: None,
        last_changed_at: at(0),
        last_accessed_at: None,
        replica_of: None,
        rotation_state: None,
        mac: RowMac::Kept(format!("of {text}").into_bytes()),
    }
}

fn next(row: &SecretRow) -> (Expect, SecretRow) {
    let next = SecretRow { revision: row.revision + 1, ..row.clone() };
    (Expect::Revision(row.revision), next)
}

async fn add(store: &dyn Store, row: SecretRow) -> SecretRow {
    store.commit(Change::new(Expect::New, row.clone())).await.unwrap();
    row
}

/// Commits `row` at its next revision, and answers it.
async fn alter(
    store: &dyn Store,
    row: &SecretRow,
    with: impl FnOnce(&mut Change),
) -> Result<SecretRow, CommitError> {
    let (expect, next) = next(row);
    let mut change = Change::new(expect, next);
    with(&mut change);
    let next = change.row.clone();
    store.commit(change).await.map(|()| next)
}

async fn full(store: &dyn Store, text: &str) -> Option<Full> {
    store.load_full(&region(), &name(text)).await.unwrap()
}

async fn holds(store: &dyn Store, arn: &SecretArn, epoch: u64) -> bool {
    store.claim_left(arn, epoch, at(0)).await.unwrap().is_some()
}

async fn rotating(store: &dyn Store, text: &str, due: i64) -> SecretRow {
    add(store, SecretRow { rotation_due_at: Some(at(due)), ..row(text) }).await
}

/// Every field comes back as it went in.
pub async fn what_is_committed_is_read_back(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(store.load(&region(), &name("a")).await.unwrap(), None);
    assert_eq!(full(&*store, "a").await, None);

    let head = SecretRow {
        document: "{\"description\":\"naïve \\u0000 ‽ 'quoted'\"}".to_owned(),
        purge_at: Some(at(1)),
        next_rotation_at: Some(at(-2)),
        rotation_due_at: Some(Timestamp::from_millis(-3)),
        last_changed_at: at(4),
        last_accessed_at: Some(at(-5)),
        replica_of: Some(elsewhere()),
        rotation_state: Some(RotationState::Waiting),
        mac: RowMac::None,
        ..row("a")
    };
    let mut change = Change::new(Expect::New, head.clone());
    change.put = vec![sealed(1, b"\x00\xff one"), sealed(2, b"two")];
    store.commit(change).await.unwrap();

    let loaded = store.load(&region(), &name("a")).await.unwrap().unwrap();
    assert_eq!((loaded.head, loaded.lease), (head.clone(), LeaseState::default()));
    let full = full(&*store, "a").await.unwrap();
    assert_eq!(full.head, head);
    assert_eq!(full.values, [sealed(1, b"\x00\xff one"), sealed(2, b"two")]);
    assert_eq!(store.sealed(&head.arn, &version(2)).await.unwrap().unwrap(), b"two");
    assert_eq!(store.sealed(&head.arn, &version(3)).await.unwrap(), None);

    let second = alter(&*store, &head, |change| {
        change.row.document = "{}".to_owned();
        change.row.purge_at = None;
        change.row.next_rotation_at = None;
        change.row.rotation_due_at = None;
        change.row.last_changed_at = at(5);
        change.row.last_accessed_at = None;
        change.row.replica_of = None;
        change.row.rotation_state = None;
    })
    .await
    .unwrap();
    assert_eq!(store.load(&region(), &name("a")).await.unwrap().unwrap().head, second);
    let third = alter(&*store, &second, |change| {
        change.row.last_changed_at = at(6);
        change.row.replica_of = Some(elsewhere());
    });
    let third = third.await.unwrap();
    assert_eq!(store.load(&region(), &name("a")).await.unwrap().unwrap().head, third);
    let fourth = alter(&*store, &third, |change| change.row.last_accessed_at = Some(at(7))).await.unwrap();
    assert_eq!(store.load(&region(), &name("a")).await.unwrap().unwrap().head, fourth);
}

/// Whatever a change leaves as it was, what it changes is stored, with or without the end of a lease.
pub async fn each_column_changes_alone(backend: &impl Backend) {
    const CHANGES: [fn(&mut SecretRow); 10] = [
        |row| row.document = "{\"a\":1}".to_owned(),
        |row| row.last_changed_at = row.last_changed_at + LEASE,
        |row| row.next_rotation_at = Some(at(2)),
        |row| row.next_rotation_at = None,
        |row| row.rotation_due_at = Some(at(-3)),
        |row| row.rotation_state = Some(RotationState::Running),
        |row| row.replica_of = Some(elsewhere()),
        |row| row.purge_at = Some(at(4)),
        |row| row.last_accessed_at = Some(row.last_changed_at + LEASE),
        |_| {},
    ];
    let store = backend.open().await;
    let mut head = rotating(&*store, "a", 0).await;
    for release in [false, true] {
        for (number, edit) in CHANGES.into_iter().enumerate() {
            store.claim_rotations(at(1), at(0), "one", LEASE, 1).await.unwrap();
            let changed = alter(&*store, &head, |change| {
                edit(&mut change.row);
                change.release_lease = release;
            });
            head = changed.await.unwrap();
            let loaded = store.load(&region(), &name("a")).await.unwrap().unwrap();
            assert_eq!(loaded.head, head, "change {number}, release {release}");
            assert_eq!(loaded.lease.owner.is_none(), release, "change {number}, release {release}");
        }
    }
}

/// A name belongs to one secret of a region, and to another one after it was purged.
pub async fn a_name_is_taken_once(backend: &impl Backend) {
    let store = backend.open().await;
    let first = add(&*store, row("a")).await;
    let mut change =
        Change::new(Expect::New, SecretRow { document: "{\"second\":1}".to_owned(), ..row("a") });
    change.audit = vec!["{}".to_owned()];
    assert_eq!(store.commit(change.clone()).await, Err(CommitError::NameTaken));
    assert_eq!(full(&*store, "a").await.unwrap().head, first);
    assert_eq!(store.audit(0, 10).await.unwrap(), []);

    add(&*store, replica(&row("a"))).await;

    alter(&*store, &first, |change| change.delete = true).await.unwrap();
    store.commit(change).await.unwrap();
}

/// A change on top of a state that is gone does nothing, whatever it carries.
pub async fn a_lost_race_changes_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    let first = add(&*store, row("a")).await;
    let second = alter(&*store, &first, |change| change.put = vec![sealed(1, b"won")]).await.unwrap();
    let lost = alter(&*store, &first, |change| {
        change.row.document = "{\"lost\":1}".to_owned();
        change.put = vec![sealed(1, b"lost"), sealed(2, b"lost")];
        change.audit = vec!["{}".to_owned()];
        change.events = vec!["{}".to_owned()];
    });
    assert_eq!(lost.await, Err(CommitError::LostRace));
    assert_eq!(alter(&*store, &first, |change| change.delete = true).await, Err(CommitError::LostRace));
    let now = full(&*store, "a").await.unwrap();
    assert_eq!((now.head, now.values), (second.clone(), vec![sealed(1, b"won")]));
    assert_eq!(store.audit(0, 10).await.unwrap(), []);
    assert_eq!(store.events(0, 10).await.unwrap(), []);

    alter(&*store, &second, |change| change.delete = true).await.unwrap();
    assert_eq!(alter(&*store, &second, |_| {}).await, Err(CommitError::LostRace));
}

/// Of changes on top of the same state, at the same time, exactly one happens.
pub async fn of_many_racers_one_wins(backend: &impl Backend) {
    let store = backend.open().await;
    let first = add(&*store, row("a")).await;
    let (expect, next) = next(&first);
    let racers: Vec<_> = (0..16)
        .map(|number| {
            let store = Arc::clone(&store);
            let mut change =
                Change::new(expect, SecretRow { document: format!("{{\"by\":{number}}}"), ..next.clone() });
            change.audit = vec![format!("{{\"by\":{number}}}")];
            tokio::spawn(async move { store.commit(change).await })
        })
        .collect();
    let mut won = Vec::new();
    for (number, racer) in racers.into_iter().enumerate() {
        match racer.await.unwrap() {
            Ok(()) => won.push(format!("{{\"by\":{number}}}")),
            Err(error) => assert_eq!(error, CommitError::LostRace),
        }
    }
    assert_eq!(won, [full(&*store, "a").await.unwrap().head.document]);
    let audit = store.audit(0, 100).await.unwrap();
    assert_eq!(audit.into_iter().map(|entry| entry.record).collect::<Vec<_>>(), won);
}

/// Revisions have no gaps: a caller that lost count is told so.
pub async fn a_revision_follows_the_one_before(backend: &impl Backend) {
    let store = backend.open().await;
    let second = SecretRow { revision: 2, ..row("a") };
    let refused = store.commit(Change::new(Expect::New, second)).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Broken(_)))), "{refused:?}");
    let first = add(&*store, row("a")).await;
    for wrong in [1, 3, u64::MAX] {
        let refused = alter(&*store, &first, |change| change.row.revision = wrong).await;
        assert!(matches!(refused, Err(CommitError::Store(StoreError::Broken(_)))), "{refused:?}");
    }
    alter(&*store, &first, |_| {}).await.unwrap();
}

/// When the last part of a change cannot be stored, the first ones are not either; and the store goes on.
pub async fn a_failed_part_undoes_the_whole(backend: &impl Backend) {
    let store = backend.open().await;
    let empty = String::new();
    let mut change = Change::new(Expect::New, row("a"));
    change.put = vec![sealed(1, b"one")];
    change.audit = vec!["{\"first\":1}".to_owned(), empty.clone()];
    let refused = store.commit(change).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Refused { .. }))), "{refused:?}");
    assert_eq!(full(&*store, "a").await, None);
    assert_eq!(store.audit(0, 10).await.unwrap(), []);

    let first = add(&*store, row("a")).await;
    let refused = alter(&*store, &first, |change| {
        change.put = vec![sealed(1, b"one")];
        change.audit = vec!["{}".to_owned()];
        change.events = vec![empty.clone()];
    });
    assert!(matches!(refused.await, Err(CommitError::Store(StoreError::Refused { .. }))));
    let refused = alter(&*store, &first, |change| change.put = vec![sealed(1, b"one"), sealed(2, b"")]).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Refused { .. }))), "{refused:?}");
    let refused = store.append_audit(&["{}".to_owned(), empty]).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");

    let now = full(&*store, "a").await.unwrap();
    assert_eq!((now.head, now.values), (first.clone(), vec![]));
    assert_eq!(store.audit(0, 10).await.unwrap(), []);
    alter(&*store, &first, |_| {}).await.unwrap();
}

fn elsewhere() -> Region {
    "us-east-1".parse().unwrap()
}

/// `row` in the other region, under an ARN of its own.
fn replica(row: &SecretRow) -> SecretRow {
    let region = elsewhere();
    let arn = SecretArn::mint(&region, &"000000000000".parse().unwrap(), &row.name, &Constant(7));
    SecretRow { arn, region, revision: 1, ..row.clone() }
}

fn audited(mut change: Change, text: &str) -> Change {
    change.audit = vec![format!("{{\"audit\":\"{text}\"}}")];
    change.events = vec![format!("{{\"event\":\"{text}\"}}")];
    change
}

async fn records(store: &dyn Store) -> (Vec<String>, Vec<String>) {
    let texts = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.record).collect();
    (texts(store.audit(0, 100).await.unwrap()), texts(store.events(0, 100).await.unwrap()))
}

/// Secrets of several regions move in one step, each with its values, and their records in the order of the changes.
pub async fn several_secrets_change_together(backend: &impl Backend) {
    let store = backend.open().await;
    store.commit_all(vec![]).await.unwrap();
    let first = add(&*store, row("a")).await;
    let (expect, second) = next(&first);
    let mut primary = audited(Change::new(expect, second.clone()), "primary");
    primary.put = vec![sealed(1, b"one")];
    let mut copy = audited(Change::new(Expect::New, replica(&first)), "copy");
    copy.put = vec![sealed(1, b"the copy's one"), sealed(2, b"two")];
    let gone = add(&*store, row("gone")).await;
    let mut purge = audited(Change::new(next(&gone).0, next(&gone).1), "purge");
    purge.delete = true;
    store.commit_all(vec![primary, copy, purge]).await.unwrap();

    let primary = full(&*store, "a").await.unwrap();
    assert_eq!((primary.head, primary.values), (second, vec![sealed(1, b"one")]));
    let copy = store.load_full(&elsewhere(), &name("a")).await.unwrap().unwrap();
    assert_eq!(copy.head, replica(&first));
    assert_eq!(copy.values, [sealed(1, b"the copy's one"), sealed(2, b"two")]);
    assert_eq!(full(&*store, "gone").await, None);
    let told =
        |what: &str| ["primary", "copy", "purge"].map(|text| format!("{{\"{what}\":\"{text}\"}}")).to_vec();
    assert_eq!(records(&*store).await, (told("audit"), told("event")));
}

/// Very many are made at once as each would be alone, and none of them when one cannot be.
pub async fn many_are_made_at_once(backend: &impl Backend) {
    let store = backend.open().await;
    let taken = add(&*store, row("taken")).await;
    let creation = |number: u8| {
        let mut change =
            audited(Change::new(Expect::New, row(&format!("s{number:03}"))), &format!("{number}"));
        change.put = (0..number % 4).map(|version| sealed(version, &[number, version])).collect();
        if number == 7 {
            change.put.push(sealed(1, b"again"));
            change.put.push(sealed(8, b"gone"));
            change.remove_versions = vec![version(8)];
        }
        change
    };
    let changes: Vec<_> = (0..200).map(creation).collect();
    for place in [0, 20, 65, 130, 200] {
        for (expected, with) in [
            ("taken", Change::new(Expect::New, taken.clone())),
            ("taken", Change::new(Expect::New, row("s010"))),
            ("refused", Change::new(Expect::New, SecretRow { document: String::new(), ..row("bad") })),
            ("refused", Change { put: vec![sealed(1, b"")], ..Change::new(Expect::New, row("bad")) }),
            ("broken", Change::new(Expect::New, SecretRow { revision: 2, ..row("bad") })),
            ("broken", Change { delete: true, ..Change::new(Expect::New, row("bad")) }),
        ] {
            let mut changes = changes.clone();
            changes.insert(place, with);
            assert_eq!(kind(&store.commit_all(changes).await), expected, "at {place}");
            let health = store.check().await.unwrap();
            assert_eq!((health.secrets, health.versions, health.audit, health.events), (1, 0, 0, 0));
        }
    }
    store.commit_all(changes.clone()).await.unwrap();
    assert_eq!(store.audit(0, 1000).await.unwrap().len(), 200);
    for (number, mut change) in changes.into_iter().enumerate() {
        if number == 7 {
            change.put = vec![sealed(0, &[7, 0]), sealed(1, b"again"), sealed(2, &[7, 2])];
        }
        let made = full(&*store, change.row.name.as_str()).await.unwrap();
        assert_eq!((made.head, made.values), (change.row, change.put));
    }
}

/// A secret is overwritten by purging it and making another of its name, in that order and no other.
pub async fn a_purged_name_is_free_for_the_next_change(backend: &impl Backend) {
    let store = backend.open().await;
    let old = add(&*store, row("a")).await;
    let old = alter(&*store, &old, |change| change.put = vec![sealed(1, b"old"), sealed(2, b"older")])
        .await
        .unwrap();
    let mut purge = Change::new(next(&old).0, next(&old).1);
    purge.delete = true;
    let arn = SecretArn::mint(&region(), &"000000000000".parse().unwrap(), &name("a"), &Constant(8));
    assert_ne!(arn, old.arn);
    let fresh = SecretRow { arn, document: "{\"fresh\":1}".to_owned(), ..row("a") };
    let mut create = Change::new(Expect::New, fresh.clone());
    create.put = vec![sealed(2, b"fresh")];

    let wrong = store.commit_all(vec![create.clone(), purge.clone()]).await;
    assert_eq!(wrong, Err(CommitError::NameTaken));
    assert_eq!(full(&*store, "a").await.unwrap().head, old);
    store.commit_all(vec![purge, create]).await.unwrap();
    let now = full(&*store, "a").await.unwrap();
    assert_eq!((now.head, now.values), (fresh, vec![sealed(2, b"fresh")]));
    assert_eq!(store.sealed(&old.arn, &version(1)).await.unwrap(), None);
    assert_eq!(store.check().await.unwrap().versions, 1);
}

/// Of two changes of one secret, the second stands on the first.
pub async fn a_change_follows_the_one_before_it(backend: &impl Backend) {
    let store = backend.open().await;
    let first = row("a");
    let (expect, second) = next(&first);
    let create = Change::new(Expect::New, first);
    let change = Change::new(expect, second.clone());
    let twice = store.commit_all(vec![create.clone(), change.clone(), change.clone()]).await;
    assert_eq!(twice, Err(CommitError::LostRace));
    assert_eq!(full(&*store, "a").await, None);
    store.commit_all(vec![create, change]).await.unwrap();
    assert_eq!(full(&*store, "a").await.unwrap().head, second);
}

fn kind(outcome: &Result<(), CommitError>) -> &'static str {
    match outcome {
        Err(CommitError::NameTaken) => "taken",
        Err(CommitError::LostRace) => "lost",
        Err(CommitError::Fenced) => "fenced",
        Err(CommitError::Store(StoreError::Refused { .. })) => "refused",
        Err(CommitError::Store(StoreError::Broken(_))) => "broken",
        Err(CommitError::Store(_)) => "failed",
        Ok(()) => "done",
    }
}

/// When one change cannot happen, for whatever reason, none does, wherever it stands among them; and the store goes on.
pub async fn whatever_fails_undoes_its_neighbours(backend: &impl Backend) {
    let store = backend.open().await;
    let kept = add(&*store, row("kept")).await;
    let kept = alter(&*store, &kept, |change| change.put = vec![sealed(1, b"one")]).await.unwrap();
    let purged = add(&*store, row("purged")).await;
    let held = rotating(&*store, "held", 0).await;
    let epoch = store.claim_rotations(at(1), at(0), "holder", LEASE, 1).await.unwrap()[0].epoch;

    let change = |row: &SecretRow, with: &dyn Fn(&mut Change)| {
        let (expect, next) = next(row);
        let mut change = audited(Change::new(expect, next), row.name.as_str());
        with(&mut change);
        change
    };
    let good = [
        audited(Change::new(Expect::New, row("new")), "new"),
        change(&kept, &|change| {
            change.put = vec![sealed(1, b"ONE"), sealed(2, b"two")];
            change.remove_versions = vec![version(1)];
        }),
        change(&purged, &|change| change.delete = true),
        change(&held, &|change| {
            change.fence = Some(epoch);
            change.release_lease = true;
        }),
    ];
    let other = add(&*store, row("other")).await;
    let other = alter(&*store, &other, |_| {}).await.unwrap();
    let stale = row("other");
    let bad = [
        ("taken", audited(Change::new(Expect::New, replica(&other)), "taken")),
        ("lost", change(&stale, &|_| {})),
        ("lost", change(&stale, &|change| change.delete = true)),
        ("lost", change(&row("never-made"), &|_| {})),
        ("fenced", change(&other, &|change| change.fence = Some(9))),
        ("refused", change(&other, &|change| change.row.document = String::new())),
        ("refused", change(&other, &|change| change.put = vec![sealed(3, b"three"), sealed(4, b"")])),
        ("refused", change(&other, &|change| change.audit.push(String::new()))),
        ("refused", change(&other, &|change| change.events.push(String::new()))),
        ("broken", change(&other, &|change| change.row.revision = 7)),
    ];
    store.commit(Change::new(Expect::New, replica(&other))).await.unwrap();

    let seen = async || {
        let mut rows = Vec::new();
        for text in ["new", "kept", "purged", "held", "other"] {
            rows.push(full(&*store, text).await);
        }
        (rows, records(&*store).await)
    };
    let before = seen().await;
    for (expected, bad) in &bad {
        for place in 0..=good.len() {
            let mut changes = good.to_vec();
            changes.insert(place, bad.clone());
            let refused = store.commit_all(changes).await;
            assert_eq!(kind(&refused), *expected, "at {place}: {refused:?}");
            assert!(seen().await == before, "{expected} at {place} left something behind");
        }
    }
    assert!(holds(&*store, &held.arn, epoch).await);
    store.commit_all(good.to_vec()).await.unwrap();
    assert!(!holds(&*store, &held.arn, epoch).await);
    assert_eq!(full(&*store, "kept").await.unwrap().values, [sealed(2, b"two")]);
}

/// However many commit at the same time: what one of them did wrong is told to him, undone, and nobody else's business.
pub async fn each_of_many_callers_has_his_own_verdict(backend: &impl Backend) {
    let store = backend.open().await;
    let kept = add(&*store, row("kept")).await;
    let calls: Vec<_> = (0..90_u8)
        .map(|number| {
            let good = audited(Change::new(Expect::New, row(&format!("s{number}"))), &format!("{number}"));
            let mut bad = Change::new(Expect::New, row(&format!("bad-{number}")));
            bad.put = vec![sealed(1, b"one")];
            let change = |with: &dyn Fn(&mut Change)| {
                let (expect, next) = next(&kept);
                let mut change = Change::new(expect, next);
                with(&mut change);
                change
            };
            match number % 9 {
                0 => ("taken", vec![good, bad, Change::new(Expect::New, kept.clone())]),
                1 => (
                    "lost",
                    vec![
                        good,
                        bad,
                        change(&|change| (change.expect, change.row.revision) = (Expect::Revision(2), 3)),
                    ],
                ),
                2 => ("fenced", vec![good, bad, change(&|change| change.fence = Some(5))]),
                3 => ("refused", vec![good, change(&|change| change.put = vec![sealed(1, b"")])]),
                4 => ("refused", vec![Change { events: vec![String::new()], ..good }]),
                5 => ("broken", vec![good, bad, change(&|change| change.row.revision = 9)]),
                _ => ("done", vec![good]),
            }
        })
        .collect();
    let running: Vec<_> = calls
        .iter()
        .map(|(_, changes)| {
            let (store, changes) = (Arc::clone(&store), changes.clone());
            tokio::spawn(async move { store.commit_all(changes).await })
        })
        .collect();
    for (call, (expected, _)) in running.into_iter().zip(&calls) {
        assert_eq!(kind(&call.await.unwrap()), *expected);
    }
    for (expected, changes) in &calls {
        let there = full(&*store, changes[0].row.name.as_str()).await.map(|full| full.head);
        assert_eq!(there, (*expected == "done").then(|| changes[0].row.clone()));
    }
    assert_eq!(full(&*store, "kept").await.unwrap().head, kept);
    let health = store.check().await.unwrap();
    assert_eq!((health.secrets, health.versions), (31, 0));
    let (mut audit, mut events) = records(&*store).await;
    let done = calls.iter().filter(|(expected, _)| *expected == "done");
    let (mut audited, mut told): (Vec<_>, Vec<_>) =
        done.map(|(_, changes)| (changes[0].audit[0].clone(), changes[0].events[0].clone())).unzip();
    for texts in [&mut audit, &mut events, &mut audited, &mut told] {
        texts.sort();
    }
    assert_eq!((audit, events), (audited, told));
}

/// A value can be sealed anew, and goes when its version goes.
pub async fn values_are_put_replaced_and_removed(backend: &impl Backend) {
    let store = backend.open().await;
    let first = add(&*store, row("a")).await;
    let second = alter(&*store, &first, |change| change.put = vec![sealed(1, b"one"), sealed(2, b"two")])
        .await
        .unwrap();
    alter(&*store, &second, |change| {
        change.put = vec![sealed(2, b"TWO"), sealed(3, b"three")];
        // Version 9 never had a value.
        change.remove_versions = vec![version(1), version(9)];
    })
    .await
    .unwrap();
    assert_eq!(full(&*store, "a").await.unwrap().values, [sealed(2, b"TWO"), sealed(3, b"three")]);
}

/// Every sealed value is passed once, page by page, by its first bytes.
pub async fn sealed_values_are_passed_by_their_heads(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(store.sealed_heads(None, 10).await.unwrap(), []);
    let long = [7; 40];
    for name in ["a", "b", "c"] {
        let first = add(&*store, row(name)).await;
        let values = vec![sealed(1, b"short"), sealed(2, &long)];
        alter(&*store, &first, |change| change.put = values).await.unwrap();
    }
    let (mut passed, mut after) = (Vec::new(), None);
    loop {
        let page = store.sealed_heads(after.as_ref(), 4).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.place.clone());
        passed.extend(page.into_iter().map(|head| (head.name.to_string(), head.head)));
    }
    let head = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
    let expected = ["a", "b", "c"].map(|name| [head(name, b"short"), head(name, &long[..18])]);
    assert_eq!(passed, expected.concat());
}

/// Nothing of a purged secret is left, and nothing of another one goes.
pub async fn a_purge_takes_the_values_along(backend: &impl Backend) {
    let store = backend.open().await;
    let first = add(&*store, row("a")).await;
    let second = alter(&*store, &first, |change| change.put = vec![sealed(1, b"one")]).await.unwrap();
    let other = add(&*store, row("b")).await;
    alter(&*store, &other, |change| change.put = vec![sealed(1, b"other")]).await.unwrap();

    alter(&*store, &second, |change| {
        change.delete = true;
        change.audit = vec!["{\"purged\":\"a\"}".to_owned()];
    })
    .await
    .unwrap();
    assert_eq!(full(&*store, "a").await, None);
    assert_eq!(store.sealed(&first.arn, &version(1)).await.unwrap(), None);
    assert_eq!(store.check().await.unwrap().versions, 1);
    assert_eq!(store.audit(0, 10).await.unwrap().len(), 1);
    // The next secret of this name begins without the old one's values.
    add(&*store, row("a")).await;
    assert_eq!(full(&*store, "a").await.unwrap().values, []);
}

/// What was acknowledged is there after a crash.
pub async fn acknowledged_is_durable(backend: &impl Backend) {
    let store = backend.open().await;
    let mut change = Change::new(Expect::New, row("a"));
    change.put = vec![sealed(1, b"one")];
    change.audit = vec!["{\"n\":1}".to_owned()];
    change.events = vec!["{\"e\":1}".to_owned()];
    store.commit(change).await.unwrap();
    store.append_audit(&["{\"n\":2}".to_owned()]).await.unwrap();
    store.store_keyring(b"keys").await.unwrap();
    store.put_meta("offset", b"3").await.unwrap();
    drop(store);

    let store = backend.open().await;
    assert_eq!(full(&*store, "a").await.unwrap().values, [sealed(1, b"one")]);
    assert_eq!(store.audit(0, 10).await.unwrap().len(), 2);
    assert_eq!(store.events(0, 10).await.unwrap().len(), 1);
    assert_eq!(store.keyring().await.unwrap().unwrap(), b"keys");
    assert_eq!(store.meta("offset").await.unwrap().unwrap(), b"3");
    store.close().await;
}

fn orders() -> impl Iterator<Item = Order> {
    [SortBy::Created, SortBy::Name, SortBy::LastChanged, SortBy::LastAccessed]
        .into_iter()
        .flat_map(|by| [Direction::Ascending, Direction::Descending].map(|direction| Order { by, direction }))
}

async fn names(store: &dyn Store, query: ListQuery<'_>) -> Vec<String> {
    let rows = store.list(query).await.unwrap();
    rows.into_iter().map(|row| row.name.to_string()).collect()
}

/// All pages of a list, each found by what its token says.
async fn walk(store: &dyn Store, order: Order, limit: u32, include_deleted: bool) -> String {
    let (region, mut seen, mut token) = (region(), Vec::new(), None);
    loop {
        let after: Option<Cursor> = token.map(|token: String| serde_json::from_str(&token).unwrap());
        let query = ListQuery { region: &region, after: after.as_ref(), order, limit, include_deleted };
        let page = store.list(query).await.unwrap();
        assert!(page.len() <= limit as usize);
        let Some(last) = page.last() else { break seen.join(" ") };
        token = Some(serde_json::to_string(&Cursor::of(last, order.by)).unwrap());
        seen.extend(page.iter().map(|row| row.name.to_string()));
    }
}

/// What [`walk`] must answer: `expected` is ascending and marks the deleted with a star.
fn walked(expected: &str, order: Order, include_deleted: bool) -> String {
    let listed = |text: &&str| include_deleted || !text.ends_with('*');
    let mut names: Vec<_> =
        expected.split(' ').filter(listed).map(|text| text.trim_end_matches('*')).collect();
    if order.direction == Direction::Descending {
        names.reverse();
    }
    names.join(" ")
}

/// Pages in every order cover a region once, with those of one moment told apart by name, and the never accessed the oldest.
pub async fn pages_follow_each_other(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(walk(&*store, Order::default(), 3, true).await, "");
    for (text, created, changed, accessed) in [
        ("e", 3, 4, None),
        ("B", 1, 5, Some(1)),
        ("b", 1, 5, None),
        ("a", 2, 9, Some(-1_800_000_001)),
        ("c", 1, 5, Some(1)),
        ("d", -5, 2, None),
        ("zz", 1, 5, Some(7)),
        ("z", 8, 1, Some(1)),
    ] {
        let purge_at = matches!(text, "b" | "z").then(|| at(100));
        let (created_at, last_changed_at, last_accessed_at) = (at(created), at(changed), accessed.map(at));
        add(&*store, SecretRow { created_at, last_changed_at, last_accessed_at, purge_at, ..row(text) })
            .await;
    }
    add(&*store, replica(&row("x"))).await;

    for order in orders() {
        let expected = match order.by {
            SortBy::Created => "d B b* c zz a e z*",
            SortBy::Name => "B a b* c d e z* zz",
            SortBy::LastChanged => "z* d e B b* c zz a",
            SortBy::LastAccessed => "b* d e a B c z* zz",
        };
        for (include_deleted, limit) in
            [false, true].into_iter().flat_map(|deleted| (1..10).map(move |n| (deleted, n)))
        {
            let seen = walk(&*store, order, limit, include_deleted).await;
            let expected = walked(expected, order, include_deleted);
            assert_eq!(seen, expected, "{order:?}, {limit} at a time, deleted: {include_deleted}");
        }
    }
}

/// A changed, deleted, restored or purged secret stands in every list where it now belongs, once.
pub async fn a_list_follows_changes(backend: &impl Backend) {
    let store = backend.open().await;
    let mut rows = Vec::new();
    for (number, text) in ["a", "b", "c"].into_iter().enumerate() {
        let number = i64::try_from(number).unwrap();
        rows.push(
            add(&*store, SecretRow { created_at: at(number), last_changed_at: at(number), ..row(text) })
                .await,
        );
    }
    let check = async |lists: [&str; 4]| {
        for order in orders() {
            let list = match order.by {
                SortBy::Created => lists[0],
                SortBy::Name => lists[1],
                SortBy::LastChanged => lists[2],
                SortBy::LastAccessed => lists[3],
            };
            for include_deleted in [false, true] {
                let seen = walk(&*store, order, 2, include_deleted).await;
                assert_eq!(
                    seen,
                    walked(list, order, include_deleted),
                    "{order:?}, deleted: {include_deleted}"
                );
            }
        }
    };
    check(["a b c"; 4]).await;
    let a = alter(&*store, &rows[0], |change| change.row.last_changed_at = at(10)).await.unwrap();
    check(["a b c", "a b c", "b c a", "a b c"]).await;
    let b = alter(&*store, &rows[1], |change| change.row.last_accessed_at = Some(at(11))).await.unwrap();
    check(["a b c", "a b c", "b c a", "a c b"]).await;
    let a = alter(&*store, &a, |change| change.row.purge_at = Some(at(12))).await.unwrap();
    check(["a* b c", "a* b c", "b c a*", "a* c b"]).await;
    let a = alter(&*store, &a, |change| change.row.last_accessed_at = Some(at(13))).await.unwrap();
    check(["a* b c", "a* b c", "b c a*", "c b a*"]).await;
    let a = alter(&*store, &a, |change| {
        change.row.purge_at = None;
        change.row.last_changed_at = at(-1);
    });
    let a = a.await.unwrap();
    check(["a b c", "a b c", "a b c", "c b a"]).await;
    alter(&*store, &b, |change| change.delete = true).await.unwrap();
    alter(&*store, &a, |_| {}).await.unwrap();
    check(["a c", "a c", "a c", "c a"]).await;
}

/// A cursor is a place, not a row: it works after its row is gone. It is a place of one list, and refused in others.
pub async fn a_page_follows_what_was_purged(backend: &impl Backend) {
    let store = backend.open().await;
    for (text, age) in [("a", 1), ("b", 2), ("c", 3)] {
        add(&*store, SecretRow { created_at: at(age), ..row(text) }).await;
    }
    let region = region();
    let mut query =
        ListQuery { region: &region, after: None, order: Order::default(), limit: 2, include_deleted: false };
    let page = store.list(query).await.unwrap();
    let cursor = Cursor::of(&page[1], SortBy::Created);
    alter(&*store, &page[1], |change| change.delete = true).await.unwrap();
    query.after = Some(&cursor);
    assert_eq!(names(&*store, query).await, ["c"]);
    assert_eq!(names(&*store, ListQuery { after: None, limit: 0, ..query }).await, [""; 0]);
    query.order.by = SortBy::LastChanged;
    assert!(matches!(store.list(query).await, Err(StoreError::Broken(_))));
}

fn due_names(due: Vec<Due>) -> Vec<String> {
    due.into_iter().map(|due| due.name.to_string()).collect()
}

/// A schedule is due from its moment on, unless a rotation is live or the secret is deleted.
pub async fn due_schedules_are_those_that_may_begin(backend: &impl Backend) {
    let store = backend.open().await;
    for (text, next, rotating, deleted) in [
        ("later", Some(11), false, false),
        ("now", Some(10), false, false),
        ("long ago", Some(-10), false, false),
        ("rotating", Some(5), true, false),
        ("deleted", Some(5), false, true),
        ("never", None, false, false),
    ] {
        let text = text.replace(' ', "-");
        let row = SecretRow {
            next_rotation_at: next.map(at),
            rotation_due_at: rotating.then(|| at(0)),
            purge_at: deleted.then(|| at(99)),
            ..row(&text)
        };
        add(&*store, row).await;
    }
    assert_eq!(due_names(store.due_schedules(at(10), 10).await.unwrap()), ["long-ago", "now"]);
    assert_eq!(due_names(store.due_schedules(at(10), 1).await.unwrap()), ["long-ago"]);
    assert_eq!(due_names(store.due_schedules(at(-11), 10).await.unwrap()), [""; 0]);
}

/// A purge is due from its moment on.
pub async fn due_purges_are_those_of_the_past(backend: &impl Backend) {
    let store = backend.open().await;
    for (text, purge) in [("b", Some(2)), ("a", Some(3)), ("c", Some(4)), ("d", None)] {
        add(&*store, SecretRow { purge_at: purge.map(at), ..row(text) }).await;
    }
    assert_eq!(due_names(store.due_purges(at(3), 10).await.unwrap()), ["b", "a"]);
    assert_eq!(due_names(store.due_purges(at(1), 10).await.unwrap()), [""; 0]);
}

/// However many ask at once, a due rotation is given to one of them, until its lease is over.
pub async fn a_rotation_is_claimed_by_one(backend: &impl Backend) {
    let store = backend.open().await;
    for number in 0..20 {
        rotating(&*store, &format!("r{number}"), number).await;
    }
    rotating(&*store, "later", 1000).await;
    add(&*store, row("idle")).await;

    let owners: Vec<_> = (0..8)
        .map(|owner| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                store.claim_rotations(at(100), at(0), &format!("host-{owner}"), LEASE, 3).await.unwrap()
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for owner in owners {
        let claims = owner.await.unwrap();
        assert!(claims.len() <= 3 && claims.iter().all(|claim| claim.epoch == 1));
        claimed.extend(claims.into_iter().map(|claim| claim.name.to_string()));
    }
    claimed.sort();
    let mut expected: Vec<_> = (0..20).map(|number| format!("r{number}")).collect();
    expected.sort();
    assert_eq!(claimed, expected);

    let lease = store.load(&region(), &name("r3")).await.unwrap().unwrap().lease;
    assert_eq!((lease.epoch, lease.until), (1, Some(at(0) + LEASE)));
    let claim = |wall| store.claim_rotations(at(100), wall, "other", LEASE, 100);
    assert_eq!(claim(at(89)).await.unwrap(), []);
    let second = claim(at(90)).await.unwrap();
    assert_eq!(second.len(), 20);
    assert!(second.iter().all(|claim| claim.epoch == 2));
}

/// Who lost the claim can no longer write, though nothing else has changed; and is told from who lost a race.
pub async fn a_fence_keeps_the_late_out(backend: &impl Backend) {
    let store = backend.open().await;
    let first = rotating(&*store, "a", 0).await;
    let late = store.claim_rotations(at(1), at(0), "late", LEASE, 1).await.unwrap()[0].epoch;
    let second = alter(&*store, &first, |change| change.fence = Some(late)).await.unwrap();
    assert!(holds(&*store, &first.arn, late).await);

    let prompt = store.claim_rotations(at(200), at(200), "prompt", LEASE, 1).await.unwrap()[0].epoch;
    assert!(prompt > late);
    assert!(!holds(&*store, &first.arn, late).await);
    assert!(holds(&*store, &first.arn, prompt).await);
    let fenced = alter(&*store, &second, |change| {
        change.fence = Some(late);
        change.put = vec![sealed(1, b"late")];
    });
    assert_eq!(fenced.await, Err(CommitError::Fenced));
    let fenced = alter(&*store, &second, |change| {
        change.fence = Some(late);
        change.delete = true;
    });
    assert_eq!(fenced.await, Err(CommitError::Fenced));
    assert_eq!(full(&*store, "a").await.unwrap().values, []);

    // Without a fence anybody may write, and the holder then loses the race, not the claim.
    let third = alter(&*store, &second, |_| {}).await.unwrap();
    assert_eq!(
        alter(&*store, &second, |change| change.fence = Some(prompt)).await,
        Err(CommitError::LostRace)
    );
    alter(&*store, &third, |change| change.fence = Some(prompt)).await.unwrap();
}

/// A release ends the claim for its holder, too, whoever released it; the rotation can be claimed at once.
pub async fn a_released_lease_is_over(backend: &impl Backend) {
    let store = backend.open().await;
    let first = rotating(&*store, "a", 0).await;
    let claim = store.claim_rotations(at(1), at(0), "one", LEASE, 1).await.unwrap().remove(0);
    let second = alter(&*store, &first, |change| {
        change.fence = Some(claim.epoch);
        change.release_lease = true;
    })
    .await
    .unwrap();
    assert!(!holds(&*store, &claim.arn, claim.epoch).await);
    assert_eq!(
        alter(&*store, &second, |change| change.fence = Some(claim.epoch)).await,
        Err(CommitError::Fenced)
    );
    let lease = store.load(&region(), &name("a")).await.unwrap().unwrap().lease;
    assert_eq!((lease.owner, lease.until), (None, None));

    let again = store.claim_rotations(at(1), at(1), "two", LEASE, 1).await.unwrap().remove(0);
    assert!(again.epoch > claim.epoch);
    // An unfenced change (somebody stops the rotation) can release it as well.
    alter(&*store, &second, |change| change.release_lease = true).await.unwrap();
    assert!(!holds(&*store, &again.arn, again.epoch).await);
}

/// Renewing pushes the end of a lease out, for its holder only.
pub async fn a_lease_is_renewed_by_its_holder(backend: &impl Backend) {
    let store = backend.open().await;
    rotating(&*store, "a", 0).await;
    let claim = store.claim_rotations(at(1), at(0), "one", LEASE, 1).await.unwrap().remove(0);
    assert!(store.renew_lease(&claim.arn, claim.epoch, at(60), LEASE).await.unwrap());
    let left = |wall| store.claim_left(&claim.arn, claim.epoch, wall);
    assert_eq!(left(at(140)).await.unwrap(), Some(Duration::from_secs(10)));
    assert_eq!(left(at(151)).await.unwrap(), Some(Duration::ZERO), "over, and nobody's");
    let held = store.leases(10).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].owner.as_str(), held[0].until, held[0].epoch), ("one", at(150), claim.epoch));
    assert_eq!(store.claim_rotations(at(1), at(149), "two", LEASE, 1).await.unwrap(), []);
    assert_eq!(store.claim_rotations(at(1), at(150), "two", LEASE, 1).await.unwrap().len(), 1);
    assert_eq!(store.claim_left(&claim.arn, claim.epoch, at(0)).await.unwrap(), None);
    assert!(!store.renew_lease(&claim.arn, claim.epoch, at(151), LEASE).await.unwrap());
    assert!(!store.renew_lease(&row("gone").arn, claim.epoch, at(151), LEASE).await.unwrap());
}

/// After a crash, what the dead process held can be claimed at once, and its claims are worth nothing.
pub async fn leases_of_the_dead_are_broken(backend: &impl Backend) {
    let store = backend.open().await;
    rotating(&*store, "a", 0).await;
    rotating(&*store, "b", 500).await;
    let dead = store.claim_rotations(at(1), at(0), "dead", LEASE, 1).await.unwrap().remove(0);
    drop(store);

    let store = backend.open().await;
    assert_eq!(store.claim_rotations(at(1), at(1), "new", LEASE, 1).await.unwrap(), []);
    assert_eq!(store.break_leases(Some("living")).await.unwrap(), 0);
    assert_eq!(store.break_leases(Some("dead")).await.unwrap(), 1);
    assert_eq!(store.break_leases(None).await.unwrap(), 0);
    assert!(!holds(&*store, &dead.arn, dead.epoch).await);
    assert!(!store.renew_lease(&dead.arn, dead.epoch, at(1), LEASE).await.unwrap());
    assert_eq!(store.claim_rotations(at(1), at(1), "new", LEASE, 1).await.unwrap().len(), 1);
}

/// What is remembered is compared with what is stored: the same secret at the same revision, and not another of its name.
pub async fn what_is_remembered_is_compared(backend: &impl Backend) {
    let store = backend.open().await;
    let (first, second) = (add(&*store, row("a")).await, add(&*store, row("b")).await);
    let seen = |row: &SecretRow| (row.arn.clone(), row.revision);
    let ask = [seen(&second), seen(&first), seen(&row("gone")), seen(&first)];
    assert_eq!(store.unchanged(&ask).await.unwrap(), [true, true, false, true]);
    let next = alter(&*store, &first, |_| {}).await.unwrap();
    assert_eq!(store.unchanged(&ask).await.unwrap(), [true, false, false, false]);
    assert_eq!(store.unchanged(&[seen(&next)]).await.unwrap(), [true]);
    alter(&*store, &next, |change| change.delete = true).await.unwrap();
    assert_eq!(store.unchanged(&[seen(&next)]).await.unwrap(), [false]);
    assert_eq!(store.unchanged(&[]).await.unwrap(), [false; 0]);
    store.ready().await.unwrap();
}

/// A setting is replaced by one who knows what it was.
pub async fn a_setting_is_swapped_by_who_knows_it(backend: &impl Backend) {
    let store = backend.open().await;
    assert!(!store.swap_meta("k", Some(b"1"), b"2").await.unwrap());
    assert!(store.swap_meta("k", None, b"1").await.unwrap());
    assert!(!store.swap_meta("k", None, b"2").await.unwrap());
    assert!(!store.swap_meta("k", Some(b"2"), b"3").await.unwrap());
    assert_eq!(store.meta("k").await.unwrap().unwrap(), b"1");
    assert!(store.swap_meta("k", Some(b"1"), b"\x00\xff").await.unwrap());
    assert_eq!(store.meta("k").await.unwrap().unwrap(), b"\x00\xff");
}

/// The data keys of an installation are never replaced by a second first start.
pub async fn the_keyring_is_stored_once(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(store.keyring().await.unwrap(), None);
    assert!(store.store_keyring(b"first").await.unwrap());
    assert!(!store.store_keyring(b"second").await.unwrap());
    assert_eq!(store.keyring().await.unwrap().unwrap(), b"first");
    let told = ["{\"a\":1}".to_owned(), "{\"a\":2}".to_owned()];
    assert!(!store.swap_keyring(b"second", b"third", &told).await.unwrap());
    assert_eq!(store.audit(0, 10).await.unwrap(), []);
    assert!(store.swap_keyring(b"first", b"\x02second\xff", &told).await.unwrap());
    assert_eq!(store.keyring().await.unwrap().unwrap(), b"\x02second\xff");
    let audit = store.audit(0, 10).await.unwrap();
    assert_eq!(audit.into_iter().map(|entry| entry.record).collect::<Vec<_>>(), told);
    assert!(store.swap_keyring(b"\x02second\xff", b"fourth", &[]).await.unwrap());
    assert_eq!(store.audit(0, 10).await.unwrap().len(), 2);
}

/// A setting has its last value.
pub async fn settings_are_replaced(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(store.meta("a").await.unwrap(), None);
    store.put_meta("a", b"1").await.unwrap();
    store.put_meta("b", b"").await.unwrap();
    store.put_meta("a", b"2").await.unwrap();
    assert_eq!(store.meta("a").await.unwrap().unwrap(), b"2");
    assert_eq!(store.meta("b").await.unwrap().unwrap(), b"");
}

/// Records come out byte for byte, in the order in which they went in, a page at a time.
pub async fn records_keep_their_text_and_order(backend: &impl Backend) {
    let store = backend.open().await;
    let records: Vec<String> = (0..120)
        .map(|number| format!("{{ \"n\" : {number}.0, \"t\": \"\\u00e9 é ' \\\\ \\n\", \"n\": 1e400 }}"))
        .collect();
    let mut change = Change::new(Expect::New, row("a"));
    change.audit = records[..3].to_vec();
    change.events = records[5..8].to_vec();
    store.commit(change).await.unwrap();
    store.append_audit(&records[3..]).await.unwrap();
    store.append_audit(&[]).await.unwrap();

    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = store.audit(after, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page[0].seq > after);
        after = last.seq;
        seen.extend(page.into_iter().map(|entry| entry.record));
    }
    assert_eq!(seen, records);
    let events: Vec<_> = store.events(0, 10).await.unwrap().into_iter().map(|entry| entry.record).collect();
    assert_eq!(events, records[5..8]);
    // What is elsewhere by now is forgotten, but the latest, and the numbers go on.
    let all: Vec<u64> = store.audit(0, 1000).await.unwrap().into_iter().map(|entry| entry.seq).collect();
    let last = all[all.len() - 1];
    assert_eq!(store.forget_audit(&[]).await.unwrap(), 0);
    assert_eq!(store.forget_audit(&[all[0], all[2], all[0], last, last + 5, u64::MAX]).await.unwrap(), 2);
    let left: Vec<u64> = store.audit(0, 1000).await.unwrap().into_iter().map(|entry| entry.seq).collect();
    assert_eq!(left, [&all[1..2], &all[3..]].concat());
    assert_eq!(store.forget_audit(&left).await.unwrap(), u64::try_from(left.len()).unwrap() - 1);
    store.append_audit(&["{}".to_owned()]).await.unwrap();
    let left = store.audit(0, 1000).await.unwrap();
    assert!(left.len() == 2 && left[0].seq == last && left[1].seq > last, "{left:?}");
    assert_eq!(store.audit(u64::MAX, 10).await.unwrap(), []);
}

/// A look over a sound store finds nothing wrong and counts right.
pub async fn a_sound_store_has_no_problems(backend: &impl Backend) {
    let store = backend.open().await;
    let mut change = Change::new(Expect::New, row("a"));
    change.put = vec![sealed(1, b"one"), sealed(2, b"two")];
    change.audit = vec!["{}".to_owned(); 3];
    store.commit(change).await.unwrap();
    let health = store.check().await.unwrap();
    assert_eq!(health.problems, [""; 0]);
    assert_eq!((health.secrets, health.versions, health.audit, health.events), (1, 2, 3, 0));
    assert!(health.bytes > 0 && health.schema >= 1);
}
