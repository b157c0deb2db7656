use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::Mac as _;
use pawl_core::arn::SecretArn;
use pawl_core::function::{Code, Configuration, Digest, Function, Grants};
use pawl_core::limits;
use pawl_core::names::{Label, SecretName, VersionId};
use pawl_core::secret::Secret;
use pawl_core::value::SecretValue;
use pawl_core::version::ContentMark;
use pawl_core::world::Timestamp;
use pawl_keyring::{Keyring, SealContext, root_file};
use pawl_store::{
    ApprovalChange, Change, EntityChange, EntityPut, Expect, FunctionChange, FunctionRow, HALT,
    HALT_IMPORTING, Options, RowMac, SealedVersion, SecretRow, SqliteStore, Store, StoredCode,
};
use sha2::Digest as _;
use tempfile::TempDir;

use super::*;
use crate::epoch::{EpochError, StoreEpoch};
use crate::root_key::RootKeys;
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
        mac: RowMac::None,
    };
    let mac = RowMac::Kept(keyring.row_key().code(&row.content()).to_vec());
    (SecretRow { mac, ..row }, SealedVersion { version_id, sealed })
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

    fn roots(&self) -> Arc<RootKeys> {
        Arc::new(RootKeys::of_file(&self.key()))
    }

    async fn take(&self, name: &str) -> Result<Taken, BackupError> {
        let place = Place::Directory(self.data());
        backup(&place, &self.roots(), &self.path(name), true, silent()).await
    }

    async fn put_back(&self, name: &str, to: &Path) -> Result<Restored, BackupError> {
        let place = Place::Directory(to.to_owned());
        restore(&place, None, &self.roots(), &self.path(name), true, silent()).await
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
        let refused = backup(&half, &ground.roots(), &ground.path("half"), true, silent()).await;
        assert!(matches!(refused, Err(BackupError::Epoch(EpochError::Importing))), "{refused:?}");
        let restored = ground.put_back("backup", &to).await.unwrap();
        assert_eq!(restored.counts, taken.counts);
        let store = open(&to).await;
        assert!(crate::epoch::refuse_halted(&store).await.is_ok());
        store.close().await;
    }
    assert!(matches!(ground.put_back("backup", &to).await, Err(BackupError::Import(ImportError::NotEmpty))));
}

/// Adds a function with a component of so many bytes, and an approval; answers the digest of the component.
async fn with_function(store: &dyn Store, name: &str, bytes: usize) -> Digest {
    let component = vec![0x5a; bytes];
    let digest = Digest::from_bytes(sha2::Sha256::digest(&component).into());
    let now = Timestamp::from_millis(1_800_000_000_000);
    let code = Code { digest, bytes: bytes as u64, grants: Grants::default(), package: None };
    let document = serde_json::to_string(&code).unwrap();
    let (region, name) = ("us-east-1".parse().unwrap(), name.parse().unwrap());
    let function = Function::create(region, name, code, Configuration::default(), now, &SystemRng);
    let row = FunctionRow {
        id: function.id.to_string(),
        region: function.region.clone(),
        name: function.name.clone(),
        revision: 1,
        document: serde_json::to_string(&function).unwrap(),
        mac: RowMac::None,
    };
    let mut change = FunctionChange::new(Expect::New, row, function.digests());
    change.code = Some(StoredCode { digest, document, component, mac: RowMac::None });
    store.commit_function(change).await.unwrap();
    let approval = ApprovalChange {
        region: function.region,
        name: function.name,
        document: Some("{}".to_owned()),
        mac: RowMac::None,
        audit: Vec::new(),
        events: Vec::new(),
    };
    store.commit_approval(approval).await.unwrap();
    digest
}

#[tokio::test]
async fn functions_are_restored_with_code_longer_than_a_line() {
    let ground = Ground::with(3).await;
    let store = open(&ground.data()).await;
    let long = with_function(&store, "long", 2 * limits::BACKUP_CODE_PART_BYTES + 7).await;
    let short = with_function(&store, "short", 10).await;
    let region = "us-east-1".parse().unwrap();
    let before = store.functions(&region, None, 10).await.unwrap();
    store.close().await;
    let taken = ground.take("backup").await.unwrap();
    let counts = &taken.counts;
    assert_eq!((counts.functions, counts.code, counts.approvals, counts.secrets), (2, 2, 2, 3));
    let restored = ground.put_back("backup", &ground.path("other")).await.unwrap();
    assert_eq!(restored.counts, taken.counts);
    let store = open(&ground.path("other")).await;
    assert_eq!(store.functions(&region, None, 10).await.unwrap(), before);
    for (digest, bytes) in [(long, 2 * limits::BACKUP_CODE_PART_BYTES + 7), (short, 10)] {
        assert_eq!(store.code(&digest).await.unwrap().unwrap().component, vec![0x5a; bytes]);
    }
    assert_eq!(store.approvals(&region, None, 10).await.unwrap().len(), 2);
    store.close().await;
    assert_eq!(migrate_to(&ground, "moved").await.counts.digest, taken.counts.digest);
}

/// Adds an entity of each of two kinds, one with something secret and two keys.
async fn with_entities(store: &dyn Store) {
    let change = |kind: &str, sealed: Option<Vec<u8>>, keys: &[&str]| EntityChange {
        kind: kind.to_owned(),
        region: String::new(),
        name: "a/b".to_owned(),
        expect: Expect::New,
        put: Some(EntityPut {
            document: "{\"is\":\"naïve \\u0000\"}".to_owned(),
            sealed,
            keys: Some(keys.iter().map(|&key| key.to_owned()).collect()),
        }),
        signer: None,
    };
    let changes = vec![change("one", Some(vec![0, 255]), &["k1", "k2"]), change("two", None, &[])];
    store.commit_entities(changes, Vec::new()).await.unwrap();
}

#[tokio::test]
async fn entities_are_restored_and_moved() {
    let ground = Ground::with(1).await;
    let store = open(&ground.data()).await;
    with_entities(&store).await;
    let (one, two) =
        (store.entity("one", "", "a/b").await.unwrap(), store.entity("two", "", "a/b").await.unwrap());
    assert!(one.is_some() && two.is_some());
    store.close().await;
    let taken = ground.take("backup").await.unwrap();
    assert_eq!(taken.counts.entities, 2);
    let restored = ground.put_back("backup", &ground.path("other")).await.unwrap();
    assert_eq!(restored.counts, taken.counts);
    let store = open(&ground.path("other")).await;
    assert_eq!(store.entity("one", "", "a/b").await.unwrap(), one);
    assert_eq!(store.entity_by_key("one", "", "k2").await.unwrap(), one);
    assert_eq!(store.entity("two", "", "a/b").await.unwrap(), two);
    store.close().await;
    assert_eq!(migrate_to(&ground, "moved").await.counts.digest, taken.counts.digest);
}

async fn migrate_to(ground: &Ground, name: &str) -> Migrated {
    let to = ground.path(name);
    std::fs::create_dir(&to).unwrap();
    migrate(&ground.data(), &Place::Directory(to), &ground.roots(), silent()).await.unwrap()
}

#[tokio::test]
async fn code_that_is_not_what_its_digest_says_is_named() {
    let ground = Ground::with(1).await;
    let store = open(&ground.data()).await;
    let digest = with_function(&store, "f", 10).await;
    let mut change =
        store.function(&"us-east-1".parse().unwrap(), &"f".parse().unwrap()).await.unwrap().unwrap();
    change.revision = 2;
    let (wrong, mut change) = {
        let wrong = Digest::from_bytes([7; 32]);
        (wrong, FunctionChange::new(Expect::Revision(1), change, [digest, wrong].into()))
    };
    change.code =
        Some(StoredCode { digest: wrong, document: "{}".to_owned(), component: vec![1], mac: RowMac::None });
    store.commit_function(change).await.unwrap();
    store.close().await;
    let refused = ground.take("backup").await.unwrap_err();
    assert!(matches!(&refused, BackupError::Unsound { problems, .. } if problems.len() == 1), "{refused:?}");
    assert!(refused.to_string().contains(&wrong.to_string()), "{refused}");
}

/// What the programs before this one wrote: no entities, no functions, and in the first format no rotations either.
#[tokio::test]
async fn files_of_older_formats_are_restored() {
    let ground = Ground::with(3).await;
    let taken = ground.take("backup").await.unwrap();
    let keyring = file::Source::open(&ground.path("backup"), &ground.roots()).unwrap().keyring;
    let text = std::fs::read_to_string(ground.path("backup")).unwrap();
    for (format, absent) in [(4, 0), (3, 1), (2, 4), (1, 5)].map(|(format, absent)| {
        (format, &["entities", "functions", "code", "approvals", "rotations"][..absent])
    }) {
        let mut old = text.replacen("\"format\":5", &format!("\"format\":{format}"), 1);
        for field in absent {
            let field = format!("\"{field}\":0,");
            assert!(old.contains(&field), "{field}");
            old = old.replacen(&field, "", 1);
        }
        old.truncate(old.trim_end().rfind('\n').unwrap() + 1);
        let mut mac = file::code(&keyring);
        mac.update(old.as_bytes());
        let line = line::Line::Mac(hex::encode(mac.finalize().into_bytes()));
        let mut last = Vec::new();
        line::append(&line, &mut last).unwrap();
        old.push_str(std::str::from_utf8(&last).unwrap());
        let name = format!("of format {format}");
        std::fs::write(ground.path(&name), old).unwrap();
        let restored = ground.put_back(&name, &ground.path(&format!("other {format}"))).await.unwrap();
        assert_eq!((restored.header.format, restored.counts), (format, taken.counts.clone()));
    }
    let newer = text.replacen("\"format\":5", "\"format\":6", 1);
    std::fs::write(ground.path("newer"), newer).unwrap();
    let refused = ground.put_back("newer", &ground.path("never")).await;
    let source = |error: &BackupError| {
        matches!(error, BackupError::File { source: FileError::Newer { found: 6 }, .. })
    };
    assert!(refused.as_ref().is_err_and(source), "{refused:?}");
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
    let refused = restore(&to, None, &ground.roots(), &file, true, reading).await;
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
    let refused = backup(&place, &ground.roots(), &nowhere, true, silent()).await;
    assert!(matches!(refused, Err(BackupError::Io { .. })), "{refused:?}");
    let full = ground.path("full");
    std::os::unix::fs::symlink("/dev/full", ground.path("full.partial")).unwrap();
    // A link in its way is replaced, not followed.
    assert!(backup(&place, &ground.roots(), &full, true, silent()).await.is_ok());
    assert!(full.symlink_metadata().unwrap().is_file());
}

#[tokio::test]
async fn what_cannot_be_backed_up_is_said() {
    let ground = Ground::with(1).await;
    let place = Place::Directory(ground.path("nothing"));
    let refused = backup(&place, &ground.roots(), &ground.path("b"), true, silent()).await;
    assert!(matches!(refused, Err(BackupError::NoStore(_))), "{refused:?}");
    let refused = migrate(&ground.path("nothing"), &place, &ground.roots(), silent()).await;
    assert!(matches!(refused, Err(BackupError::NoStore(_))), "{refused:?}");
    let fresh = ground.path("fresh");
    std::fs::create_dir(&fresh).unwrap();
    open(&fresh).await.close().await;
    let refused = backup(&Place::Directory(fresh), &ground.roots(), &ground.path("b"), true, silent()).await;
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
