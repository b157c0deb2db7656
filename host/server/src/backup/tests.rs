use std::path::{Path, PathBuf};
use std::sync::Arc;

use pawl_core::arn::SecretArn;
use pawl_core::names::{Label, SecretName, VersionId};
use pawl_core::secret::Secret;
use pawl_core::value::SecretValue;
use pawl_core::version::ContentMark;
use pawl_core::world::Timestamp;
use pawl_keyring::{Keyring, SealContext, root_file};
use pawl_store::{
    Change, Expect, HALT, HALT_IMPORTING, Options, SealedVersion, SecretRow, SqliteStore, Store,
};
use tempfile::TempDir;

use super::*;
use crate::epoch::{EpochError, StoreEpoch};
use crate::world::{SystemRng, uuid};

/// A data directory with a root key and so many secrets.
struct Ground {
    dir: TempDir,
}

fn silent() -> Progress {
    Arc::new(|_, _| {})
}

fn row(name: &str, keyring: &Keyring) -> (SecretRow, SealedVersion) {
    let (region, name): (_, SecretName) = ("us-east-1".parse().unwrap(), name.parse().unwrap());
    let arn = SecretArn::mint(&region, &"000000000000".parse().unwrap(), &name, &SystemRng);
    let now = Timestamp::from_millis(1_800_000_000_000);
    let mut secret = Secret::new(arn.clone(), region.clone(), name.clone(), now);
    let version_id: VersionId = uuid(&SystemRng).parse().unwrap();
    let context = SealContext { arn: arn.as_str(), version_id: version_id.as_str() };
    let value = SecretValue::text(format!("the value of {name}")).unwrap();
    let mark = ContentMark(hex::encode(keyring.fingerprint(&context, &value).as_bytes()));
    secret.put(&version_id, &mark, &[Label::current()], now).unwrap();
    let sealed = keyring.seal(&context, &value, &SystemRng).unwrap().into_bytes();
    let row = SecretRow {
        arn,
        region,
        name,
        revision: 1,
        document: serde_json::to_string(&secret).unwrap(),
        created_at: now,
        purge_at: None,
        next_rotation_at: None,
        rotation_due_at: None,
        last_changed_at: now,
        last_accessed_at: None,
        replica_of: None,
        rotation_state: None,
    };
    (row, SealedVersion { version_id, sealed })
}

impl Ground {
    async fn with(secrets: usize) -> Self {
        let ground = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(ground.data()).unwrap();
        let root = root_file::create(&ground.key(), &SystemRng).unwrap();
        let (keyring, sealed) = Keyring::create(&root, &SystemRng).unwrap();
        let store = open(&ground.data()).await;
        store.store_keyring(sealed.as_bytes()).await.unwrap();
        for first in (0..secrets).step_by(1000) {
            let changes = (first..secrets.min(first + 1000)).map(|number| {
                let (row, version) = row(&format!("many/{number:07}"), &keyring);
                let mut change = Change::new(Expect::New, row);
                change.put = vec![version];
                change.audit = vec![format!("{{\"number\":{number}}}")];
                change
            });
            store.commit_all(changes.collect()).await.unwrap();
        }
        store.close().await;
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn key(&self) -> PathBuf {
        self.path("key")
    }

    async fn take(&self, name: &str) -> Result<Taken, BackupError> {
        let place = Place::Directory(self.data());
        backup(&place, &self.key(), &self.path(name), true, silent()).await
    }

    async fn put_back(&self, name: &str, to: &Path) -> Result<Restored, BackupError> {
        let place = Place::Directory(to.to_owned());
        restore(&place, None, &self.key(), &self.path(name), true, silent()).await
    }
}

async fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(&dir.join("pawl.db"), Options::default()).await.unwrap()
}

#[tokio::test]
async fn a_restoration_that_broke_off_is_not_served_and_can_be_done_again() {
    let ground = Ground::with(700).await;
    let taken = ground.take("backup").await.unwrap();
    assert_eq!((taken.counts.secrets, taken.counts.versions, taken.counts.audit), (700, 700, 700));
    let to = ground.path("other");
    let root = root_file::load(&ground.key()).unwrap().unwrap();

    // As a process that was killed leaves it: halted and empty, or halted and full but never looked at.
    std::fs::create_dir(&to).unwrap();
    for _ in ["empty", "full"] {
        let store = open(&to).await;
        store.put_meta(HALT, HALT_IMPORTING).await.unwrap();
        let (keyring, _) = Keyring::create(&root, &SystemRng).unwrap();
        let refused = StoreEpoch::begin(&store, &keyring, &to, &SystemRng).await;
        assert!(matches!(refused, Err(EpochError::Importing)), "{refused:?}");
        store.store_keyring(b"of a first start").await.unwrap();
        store.close().await;
        let half = Place::Directory(to.clone());
        let refused = backup(&half, &ground.key(), &ground.path("half"), true, silent()).await;
        assert!(matches!(refused, Err(BackupError::Epoch(EpochError::Importing))), "{refused:?}");
        let restored = ground.put_back("backup", &to).await.unwrap();
        assert_eq!(restored.counts, taken.counts);
        let store = open(&to).await;
        assert!(crate::epoch::refuse_halted(&store).await.is_ok());
        store.close().await;
    }
    assert!(matches!(ground.put_back("backup", &to).await, Err(BackupError::Import(ImportError::NotEmpty))));
}

#[tokio::test]
async fn a_file_that_changes_between_its_examination_and_its_restoration_is_not_restored() {
    let ground = Ground::with(600).await;
    ground.take("backup").await.unwrap();
    let file = ground.path("backup");
    // While it is read for the second time somebody cuts it off: what was examined was another one.
    let whole = std::fs::read(&file).unwrap();
    let reading: Progress = {
        let file = file.clone();
        Arc::new(move |what, _| {
            if what == "restoring" {
                std::fs::write(&file, &whole[..whole.len() - 10]).unwrap();
            }
        })
    };
    let to = Place::Directory(ground.path("other"));
    let refused = restore(&to, None, &ground.key(), &file, true, reading).await;
    assert!(matches!(refused, Err(BackupError::File { .. })), "{refused:?}");
    let store = open(&ground.path("other")).await;
    assert_eq!(store.check().await.unwrap().secrets, 0);
}

#[tokio::test]
async fn a_disk_that_is_full_leaves_no_backup_and_no_store() {
    let ground = Ground::with(10).await;
    // A device that takes nothing.
    let place = Place::Directory(ground.data());
    let nowhere = ground.path("no-such-directory").join("backup");
    let refused = backup(&place, &ground.key(), &nowhere, true, silent()).await;
    assert!(matches!(refused, Err(BackupError::Io { .. })), "{refused:?}");
    let full = ground.path("full");
    std::os::unix::fs::symlink("/dev/full", ground.path("full.partial")).unwrap();
    // A link in its way is replaced, not followed.
    assert!(backup(&place, &ground.key(), &full, true, silent()).await.is_ok());
    assert!(full.symlink_metadata().unwrap().is_file());
}

#[tokio::test]
async fn what_cannot_be_backed_up_is_said() {
    let ground = Ground::with(1).await;
    let place = Place::Directory(ground.path("nothing"));
    let refused = backup(&place, &ground.key(), &ground.path("b"), true, silent()).await;
    assert!(matches!(refused, Err(BackupError::NoStore(_))), "{refused:?}");
    let refused = migrate(&ground.path("nothing"), &place, &ground.key(), silent()).await;
    assert!(matches!(refused, Err(BackupError::NoStore(_))), "{refused:?}");
    let fresh = ground.path("fresh");
    std::fs::create_dir(&fresh).unwrap();
    open(&fresh).await.close().await;
    let refused = backup(&Place::Directory(fresh), &ground.key(), &ground.path("b"), true, silent()).await;
    assert!(matches!(refused, Err(BackupError::NoKeys)), "{refused:?}");
    assert!(!ground.path("b").exists() && !ground.path("b.partial").exists());
}

/// The time of 100,000 secrets: `cargo test --release -p pawl-server -- --ignored --nocapture a_hundred_thousand`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_hundred_thousand_are_kept_and_restored() {
    let ground = Ground::with(100_000).await;
    let since = std::time::Instant::now();
    let taken = ground.take("backup").await.unwrap();
    println!("backup and verification: {:?}, {} bytes", since.elapsed(), taken.bytes);
    let since = std::time::Instant::now();
    ground.put_back("backup", &ground.path("other")).await.unwrap();
    println!("restore: {:?}", since.elapsed());
    println!("kept in {}", ground.dir.keep().display());
}
