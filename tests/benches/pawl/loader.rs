//! Fills a data directory with secrets, as the server itself would have written them, without a million requests.
//! Only the audit's records are left out: no read looks at them.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pawl_core::arn::SecretArn;
use pawl_core::names::{AccountId, Label, Region, SecretName, VersionId};
use pawl_core::secret::{Secret, Tag};
use pawl_core::value::SecretValue;
use pawl_core::version::ContentMark;
use pawl_core::world::{Rng, Timestamp};
use pawl_keyring::{KeyRecord, Keyring, SealContext, root_file};
use pawl_store::{Change, Expect, Options, RowMac, SealedVersion, SecretRow, SqliteStore, Store};
use pawl_tests::pawl::REGION;
use serde_json::json;

/// Secrets that are committed together: so many that each page of an index is written a few times and not a thousand.
const BATCH: usize = 50_000;
/// When the first secret was made, and the time from one to the next.
const FIRST_MILLIS: i64 = 1_767_225_600_000;
const APART_MILLIS: i64 = 1_000;

/// A value of the size that database secrets have.
pub(crate) fn value(number: usize) -> String {
    json!({"engine": "postgres", "host": "db.internal", "port": 5432, "username": format!("app{number}"),
           "password": format!("a-password-of-32-characters-{number:04}"), "dbname": "app"})
    .to_string()
}

/// The name of secret `number`.
pub(crate) fn name(number: usize) -> String {
    format!("bench/team-{:03}/secret-{number:07}", number % 997)
}

/// The system's randomness, in large helpings.
struct Dice(Mutex<BufReader<File>>);

impl Rng for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read_exact(bytes).unwrap();
    }
}

/// Adds the secrets of `numbers` to the data directory of a server that does not run, but has run before. Each was last read on
/// the day of `read_at`.
pub(crate) fn fill(data_dir: &Path, numbers: Range<usize>, read_at: Timestamp) {
    let source = File::open("/dev/urandom").unwrap();
    let dice = Dice(Mutex::new(BufReader::with_capacity(64 * 1024, source)));
    let (database, key_file) = (data_dir.join("pawl.db"), data_dir.join("root-key"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sealed = runtime.block_on(SqliteStore::inspect(&database)).unwrap().expect("a store with its keys");
    let root = root_file::load(&key_file).unwrap().expect("a root key");
    let keyring = KeyRecord::parse(&sealed).unwrap().unlock(&root).unwrap().keyring().unwrap();
    let (region, account) = (REGION.parse().unwrap(), "000000000000".parse().unwrap());
    let maker = Maker { keyring, dice, region, account, read_at };
    let mut left = numbers.len();
    // While one batch is written, the next is sealed.
    let (made, batches) = sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut rest = numbers;
            while !rest.is_empty() {
                let mut batch: Vec<_> =
                    rest.by_ref().take(BATCH).map(|number| maker.secret(number)).collect();
                // In one sweep over the indexes that begin with the name.
                batch.sort_by(|one: &Change, other| one.row.name.cmp(&other.row.name));
                made.send(batch).unwrap();
            }
        });
        runtime.block_on(async {
            let store = SqliteStore::open(&database, Options::default()).await.unwrap();
            for batch in batches {
                let from = Instant::now();
                left -= batch.len();
                store.commit_all(batch).await.unwrap();
                eprintln!(
                    "a batch of secrets was loaded in {:.1} s, {left} to go",
                    from.elapsed().as_secs_f64()
                );
            }
            store.close().await;
        });
    });
}

struct Maker {
    keyring: Keyring,
    dice: Dice,
    region: Region,
    account: AccountId,
    read_at: Timestamp,
}

impl Maker {
    /// CreateSecret with a value, a description and a tag.
    fn secret(&self, number: usize) -> Change {
        let name: SecretName = name(number).parse().unwrap();
        let arn = SecretArn::mint(&self.region, &self.account, &name, &self.dice);
        let created = Timestamp::from_millis(FIRST_MILLIS + i64::try_from(number).unwrap() * APART_MILLIS);
        let mut secret = Secret::new(arn.clone(), self.region.clone(), name.clone(), created);
        secret.description = Some(format!("Login of application {number} to its database"));
        secret.tags = Some(vec![Tag { key: "team".to_owned(), value: format!("team-{:03}", number % 997) }]);

        let mut token = [0; 16];
        self.dice.fill(&mut token);
        let token: VersionId = hex::encode(token).parse().unwrap();
        let value = SecretValue::text(value(number)).unwrap();
        let context = SealContext { arn: arn.as_str(), version_id: token.as_str() };
        let mark = ContentMark(hex::encode(self.keyring.fingerprint(&context, &value).as_bytes()));
        secret.put(&token, &mark, &[Label::current()], created).unwrap();
        secret.note_access(&token, self.read_at);
        let sealed = self.keyring.seal(&context, &value, &self.dice).unwrap().into_bytes();

        let row = SecretRow {
            arn,
            region: self.region.clone(),
            name,
            revision: 1,
            document: serde_json::to_string(&secret).unwrap(),
            created_at: created,
            last_changed_at: secret.last_changed_at,
            last_accessed_at: secret.last_accessed_day,
            replica_of: None,
            rotation_state: None,
            mac: RowMac::None,
            purge_at: None,
            next_rotation_at: None,
            rotation_due_at: None,
        };
        let mac = RowMac::Kept(self.keyring.row_key().code(&row.content()).to_vec());
        let mut change = Change::new(Expect::New, SecretRow { mac, ..row });
        change.put = vec![SealedVersion { version_id: token, sealed }];
        change
    }
}
