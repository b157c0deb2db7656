//! What must hold of the doors when callers do not stay to the end.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pawl_core::names::{Label, VersionId};
use pawl_core::value::SecretValue;
use pawl_keyring::{Keyring, RootKey};
use pawl_store::{Change, Expect, Options, SqliteStore, Store};

use super::*;
use crate::world::{SystemClock, SystemRng, uuid};

pub(crate) async fn app(dir: &std::path::Path) -> (App, Arc<dyn Store>) {
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&dir.join("pawl.db"), Options::default()).await.unwrap());
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let (keyring, _) = Keyring::create(&RootKey::generate(&*rng), &*rng).unwrap();
    let account: AccountId = "000000000000".parse().unwrap();
    let functions = Functions::load(account.clone(), None).unwrap();
    let clock = Arc::new(SystemClock::default());
    (
        App::new(Parts {
            host_id: String::new(),
            store: store.clone(),
            keyring: Arc::new(keyring),
            cache_bytes: 1 << 20,
            clock,
            rng,
            account,
            functions,
        }),
        store,
    )
}

fn token() -> VersionId {
    uuid(&SystemRng).parse().unwrap()
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_nothing_stale_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (app, store) = app(dir.path()).await;
    let caller = Caller::root(&app.account, "us-east-1".parse().unwrap(), "request".to_owned());
    let name: SecretName = "x".parse().unwrap();
    let value = SecretValue::text("one".to_owned()).unwrap();
    let first = token();
    let put = |draft: &mut Draft<'_>| draft.put(&first, &value, &[]).map(drop);
    app.create(&caller, Action::CreateSecret, &name, put, |_| Err(AppError::LostRace)).await.unwrap();

    let mut landed = 0;
    for polls in 1..40 {
        let (before, token) =
            (store.load(&caller.region, &name).await.unwrap().unwrap().head.revision, token());
        let change = app
            .change(&caller, Action::PutSecretValue, "x", |draft| draft.put(&token, &value, &[]).map(drop));
        let mut change = Box::pin(change);
        for _ in 0..polls {
            if let Poll::Ready(done) = change.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                done.unwrap();
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(change);
        // Whatever became of it, the cache and the store come to agree, and stay so.
        tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                let stored = store.load(&caller.region, &name).await.unwrap().unwrap().head.revision;
                let held = app.read(&caller, Action::DescribeSecret, "x").await.unwrap().revision;
                if stored == held && Arc::strong_count(&store) == 2 {
                    break;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("stale after {polls} polls"));
        landed += store.load(&caller.region, &name).await.unwrap().unwrap().head.revision - before;
    }
    assert!(landed > 0, "no change got as far as the store, so this has shown nothing");
}

/// What the service's model calls DecryptionFailure and InternalServiceError: no request provokes them, only a damaged store.
#[tokio::test]
async fn a_damaged_store_is_told_in_awss_words_and_without_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (app, store) = app(dir.path()).await;
    let caller = Caller::root(&app.account, "us-east-1".parse().unwrap(), "request".to_owned());
    for name in ["sealed", "document"] {
        let (name, token): (SecretName, _) = (name.parse().unwrap(), token());
        let value = SecretValue::text("canary".to_owned()).unwrap();
        let put = |draft: &mut Draft<'_>| draft.put(&token, &value, &[]).map(drop);
        app.create(&caller, Action::CreateSecret, &name, put, |_| Err(AppError::LostRace)).await.unwrap();
        let full = store.load_full(&caller.region, &name).await.unwrap().unwrap();
        let mut row = full.head.clone();
        row.revision += 1;
        let mut change = Change::new(Expect::Revision(full.head.revision), row);
        if name.as_str() == "sealed" {
            let mut version = full.values[0].clone();
            *version.sealed.last_mut().unwrap() ^= 1;
            change.put.push(version);
        } else {
            change.row.document = "{}".to_owned();
        }
        store.commit(change).await.unwrap();
        app.cache.committed(
            Key(caller.region.clone(), name.clone()),
            None,
            app.cache.generation(&Key(caller.region.clone(), name)),
        );
    }
    let read =
        async |id: &str| app.read_value(&caller, id, None, None).await.map(|_| ()).unwrap_err().into_api();
    let sealed = read("sealed").await;
    assert_eq!(sealed.code.as_str(), "DecryptionFailure");
    let document = read("document").await;
    assert_eq!((document.code.as_str(), document.status()), ("InternalServiceError", 500));
    for told in [sealed, document] {
        assert!(!told.message.contains("canary") && !told.message.contains("line"), "{told}");
    }
}

/// Every byte of every sealed value, and every exchange of one with another: nothing wrong is ever given out, and what it was is said.
#[tokio::test]
async fn every_flipped_byte_and_every_exchange_of_sealed_values_is_noticed_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let (app, store) = app(dir.path()).await;
    let places = [("us-east-1", "a"), ("us-east-1", "b"), ("eu-west-1", "a")];
    let (mut callers, mut kept) = (Vec::new(), Vec::new());
    for (region, name) in places {
        let caller = Caller::root(&app.account, region.parse().unwrap(), "request".to_owned());
        let name: SecretName = name.parse().unwrap();
        let (first, second) = (token(), token());
        for (number, token) in [&first, &second].into_iter().enumerate() {
            let value = SecretValue::text(format!("{region} {name} {number}")).unwrap();
            let put = |draft: &mut Draft<'_>| draft.put(token, &value, &[]).map(drop);
            if number == 0 {
                app.create(&caller, Action::CreateSecret, &name, put, |_| Err(AppError::LostRace))
                    .await
                    .unwrap();
            } else {
                app.change(&caller, Action::PutSecretValue, name.as_str(), put).await.unwrap();
            }
        }
        let full = store.load_full(&caller.region, &name).await.unwrap().unwrap();
        kept.extend(full.values.into_iter().map(|version| (callers.len(), name.clone(), version)));
        callers.push(caller);
    }
    let arn_of = async |caller: &Caller, name: &SecretName| {
        store.load(&caller.region, name).await.unwrap().unwrap().head.arn.to_string()
    };
    // Puts these bytes in the place of a value, behind the service's back, and reads that place.
    let read = async |(caller, name, version): &(usize, SecretName, pawl_store::SealedVersion),
                      bytes: Vec<u8>| {
        let caller = &callers[*caller];
        let full = store.load_full(&caller.region, name).await.unwrap().unwrap();
        let mut row = full.head;
        let expect = Expect::Revision(row.revision);
        row.revision += 1;
        let put = vec![pawl_store::SealedVersion { version_id: version.version_id.clone(), sealed: bytes }];
        store.commit(Change { put, ..Change::new(expect, row) }).await.unwrap();
        let key = Key(caller.region.clone(), name.clone());
        app.cache.committed(key.clone(), None, app.cache.generation(&key));
        let read = app.read_value(caller, name.as_str(), Some(&version.version_id), None).await;
        read.map(|(_, _, value)| value.bytes().expose().to_vec())
    };
    for place in &kept {
        let whole = &place.2.sealed;
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            let refused = read(place, flipped).await;
            assert!(refused.is_err(), "byte {at} was not missed: {refused:?}");
            let named = app.damaged();
            let (caller, name, version) = place;
            let arn = arn_of(&callers[*caller], name).await;
            let named =
                named.iter().any(|what| what.contains(&arn) && what.contains(version.version_id.as_str()));
            assert!(named, "byte {at} of {arn} is not named");
            if at % 7 == 1 {
                assert!(read(place, whole[..at].to_vec()).await.is_err(), "cut to {at}");
            }
        }
        for other in &kept {
            let same = place.2 == other.2;
            let given = read(place, other.2.sealed.clone()).await;
            assert_eq!(given.is_ok(), same, "exchanged: {given:?}");
        }
        assert!(read(place, whole.clone()).await.is_ok());
    }
}

#[tokio::test]
async fn a_replica_reads_what_its_primary_last_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (app, _) = app(dir.path()).await;
    let caller = |region: &str| Caller::root(&app.account, region.parse().unwrap(), "request".to_owned());
    let (east, west) = (caller("us-east-1"), caller("eu-west-1"));
    let name: SecretName = "x".parse().unwrap();
    app.create(&east, Action::CreateSecret, &name, |_| Ok(()), |_| Err(AppError::LostRace)).await.unwrap();
    let wanted = [Wanted { region: west.region.clone(), kms_key_id: None }];
    app.replicate(&east, Action::ReplicateSecretToRegions, "x", (&wanted, false)).await.unwrap();
    for number in 0..5 {
        let (token, value) = (token(), SecretValue::text(number.to_string()).unwrap());
        app.change(&east, Action::PutSecretValue, "x", |draft| draft.put(&token, &value, &[]).map(drop))
            .await
            .unwrap();
        let (held, id, read) = app.read_value(&west, "x", None, None).await.unwrap();
        assert!(id == token && read.bytes().same_as(value.bytes()));
        assert!(held.secret.arn.as_str().contains(":eu-west-1:"));
    }
    let refused = app.change(&west, Action::TagResource, "x", |_| Ok(())).await.unwrap_err();
    assert!(matches!(refused, AppError::Secret(SecretError::Replica)));
    app.stop_replication(&west, "x").await.unwrap();
    let own = app.read_value(&west, "x", None, Some(&Label::previous())).await.unwrap();
    assert!(own.2.bytes().same_as(SecretValue::text("3".to_owned()).unwrap().bytes()));
    assert!(app.read(&east, Action::DescribeSecret, "x").await.unwrap().secret.replicas.is_empty());
    // What was promoted is its own secret now: the other's deletion does not touch it.
    let id = SecretId { name, place: None, arn: None };
    app.change_at(&east, Action::DeleteSecret, &id, None, |_| Ok(((), Fate::Purged))).await.unwrap();
    assert!(app.read_value(&west, "x", None, None).await.is_ok());
}

#[tokio::test]
async fn a_label_that_comes_back_brings_its_value_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (app, _) = app(dir.path()).await;
    let caller = Caller::root(&app.account, "us-east-1".parse().unwrap(), "request".to_owned());
    let value = SecretValue::text("kept".to_owned()).unwrap();
    let ids = [token(), token(), token()];
    let put = |draft: &mut Draft<'_>| draft.put(&ids[0], &value, &[]).map(drop);
    app.create(&caller, Action::CreateSecret, &"x".parse().unwrap(), put, |_| Err(AppError::LostRace))
        .await
        .unwrap();
    for id in &ids[1..] {
        let put = |draft: &mut Draft<'_>| draft.put(id, &value, &[]).map(drop);
        app.change(&caller, Action::PutSecretValue, "x", put).await.unwrap();
    }
    let back = |draft: &mut Draft<'_>| {
        Ok(draft.secret.update_stage(&Label::current(), Some(&ids[2]), Some(&ids[0]), draft.now)?)
    };
    app.change(&caller, Action::UpdateSecretVersionStage, "x", back).await.unwrap();
    app.change(&caller, Action::RotateSecret, "x", |draft| {
        let copy = token();
        let version = draft.secret.versions.get(&ids[0]).unwrap().clone();
        draft.secret.versions.insert(copy.clone(), version);
        draft.copy_for_check(&ids[0], &copy)
    })
    .await
    .unwrap();
}

/// A replica whose name passes to another primary while it is promoted: whichever way that goes, what is promoted has its value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_replica_has_a_value_whoever_it_belonged_to() {
    let dir = tempfile::tempdir().unwrap();
    let (app, _) = app(dir.path()).await;
    let app = Arc::new(app);
    let caller = |region: &str| Caller::root(&app.account, region.parse().unwrap(), "request".to_owned());
    let (one, two, there) = (caller("us-east-1"), caller("ap-south-1"), caller("eu-west-1"));
    let wanted = [Wanted { region: there.region.clone(), kms_key_id: None }];
    let replicate = Action::ReplicateSecretToRegions;
    let mut promoted = 0;
    for round in 0..60 {
        let name: SecretName = format!("x{round}").parse().unwrap();
        for caller in [&one, &two] {
            let (token, value) = (token(), SecretValue::text(caller.region.to_string()).unwrap());
            let put = |draft: &mut Draft<'_>| draft.put(&token, &value, &[]).map(drop);
            app.create(caller, Action::CreateSecret, &name, put, |_| Err(AppError::LostRace)).await.unwrap();
        }
        app.replicate(&one, replicate, name.as_str(), (&wanted, false)).await.unwrap();
        let regions = [there.region.clone()].into_iter().collect();
        let (_, _, stopped) = tokio::join!(
            app.remove_replicas(&one, name.as_str(), &regions),
            app.replicate(&two, replicate, name.as_str(), (&wanted, true)),
            app.stop_replication(&there, name.as_str()),
        );
        if stopped.is_ok() {
            promoted += 1;
            app.read_value(&there, name.as_str(), None, None).await.unwrap();
        }
    }
    assert!(promoted > 0, "nothing was promoted, so this has shown nothing");
}

#[tokio::test]
async fn a_date_of_access_is_seen_at_once_and_written_down_soon() {
    let dir = tempfile::tempdir().unwrap();
    let (app, store) = app(dir.path()).await;
    let caller = Caller::root(&app.account, "us-east-1".parse().unwrap(), "request".to_owned());
    let (name, token): (SecretName, _) = ("x".parse().unwrap(), token());
    let value = SecretValue::text("v".to_owned()).unwrap();
    let put = |draft: &mut Draft<'_>| draft.put(&token, &value, &[]).map(drop);
    app.create(&caller, Action::CreateSecret, &name, put, |_| Err(AppError::LostRace)).await.unwrap();
    let stored = async || store.load(&caller.region, &name).await.unwrap().unwrap().head;
    let today = Some(app.clock.now().day());
    for _ in 0..3 {
        app.read_value(&caller, "x", None, None).await.unwrap();
        let secret = &app.read(&caller, Action::DescribeSecret, "x").await.unwrap().secret;
        assert_eq!(secret.last_accessed_day, today);
        assert_eq!(secret.versions.get(&token).unwrap().last_accessed_day, today);
    }
    assert_eq!(stored().await.last_accessed_at, None);
    app.write_accesses().await;
    let (head, revision) = (stored().await, 2);
    assert_eq!((head.last_accessed_at, head.revision), (today, revision));
    // Noted once, written once: a second read of the day is no news.
    app.read_value(&caller, "x", None, None).await.unwrap();
    app.write_accesses().await;
    assert_eq!(stored().await.revision, revision);
}
