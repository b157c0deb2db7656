//! What must hold of the doors when callers do not stay to the end.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pawl_core::value::SecretValue;
use pawl_keyring::{Keyring, RootKey};
use pawl_store::{Options, SqliteStore, Store};

use super::*;
use crate::world::{SystemClock, SystemRng, uuid};

async fn app(dir: &std::path::Path) -> (App, Arc<dyn Store>) {
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&dir.join("pawl.db"), Options::default()).await.unwrap());
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let (keyring, _) = Keyring::create(&RootKey::generate(&*rng), &*rng).unwrap();
    let account: AccountId = "000000000000".parse().unwrap();
    let functions = Functions::load(account.clone(), None).unwrap();
    let clock = Arc::new(SystemClock::default());
    (
        App::new(Parts {
            store: store.clone(),
            keyring,
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
    app.create(&caller, &name, put, |_| Err(AppError::LostRace)).await.unwrap();

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
