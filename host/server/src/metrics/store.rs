//! The store, as its callers meet it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pawl_core::arn::SecretArn;
use pawl_core::function::{Digest, FunctionName};
use pawl_core::limits;
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::world::Timestamp;
use pawl_store::{
    AdoptError, Answer, ApprovalChange, ApprovalRow, Change, Claim, CommitError, Due, EntityChange,
    EntityRow, Entry, FoundRow, Full, FunctionChange, FunctionRow, HeadPlace, Health, ImportError,
    KeptRotation, Lease, ListQuery, Loaded, Outage, Piece, RotationState, RotationStates, RowPlace,
    SealedHead, SecretRow, SignedTable, Signer, Store, StoreError, StoredCode,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::histogram::Histogram;

/// How the store does.
#[derive(Debug)]
pub(super) struct StoreFigures {
    commit: Histogram,
    errors: Family<[(&'static str, &'static str); 1], Counter>,
    conflicts: Counter,
    /// Whether the last call that ended was answered.
    up: AtomicBool,
}

impl Default for StoreFigures {
    fn default() -> Self {
        let commit = Histogram::new(limits::COMMIT_SECONDS_BUCKETS);
        let (errors, conflicts) = (Family::default(), Counter::default());
        Self { commit, errors, conflicts, up: AtomicBool::new(true) }
    }
}

impl StoreFigures {
    fn answered<T>(&self, answer: &Result<T, StoreError>) {
        match answer {
            Ok(_) => self.up.store(true, Ordering::Relaxed),
            Err(error) => self.failed(error),
        }
    }

    fn committed(&self, committed: &Result<(), CommitError>, took: Duration) {
        match committed {
            Ok(()) => {
                self.commit.observe(took);
                self.up.store(true, Ordering::Relaxed);
            }
            Err(CommitError::LostRace | CommitError::NameTaken | CommitError::Fenced) => {
                self.conflicts.inc();
                self.up.store(true, Ordering::Relaxed);
            }
            Err(CommitError::Store(error)) => self.failed(error),
        }
    }

    fn failed(&self, error: &StoreError) {
        self.errors.get_or_create(&[("kind", kind(error))]).inc();
        // A damaged row is not an outage.
        self.up.store(!matches!(error, StoreError::Unavailable(_)), Ordering::Relaxed);
    }
}

/// A row that is not as it was written.
const ALTERED: &str = "altered";

const fn kind(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(outage) => match outage {
            Outage::DiskFull => "disk-full",
            Outage::Locked => "locked",
            Outage::ReadOnly => "read-only",
            Outage::CannotOpen => "cannot-open",
            Outage::NoWal => "no-wal",
            Outage::Busy => "busy",
            Outage::Closed => "closed",
            Outage::Unreachable => "unreachable",
            Outage::NotPrimary => "not-primary",
            Outage::Unknown => "unknown",
            Outage::TooSlow => "too-slow",
            Outage::TooManyConnections => "too-many-connections",
            Outage::LoginRefused => "login-refused",
            Outage::PasswordFile => "password-file",
            Outage::NotAllowed { .. } => "not-allowed",
            Outage::NoDatabase => "no-database",
            Outage::NotUtf8 => "not-utf8",
            Outage::TlsUntrusted => "tls-untrusted",
            Outage::NotPostgres => "not-postgres",
            Outage::Database { .. } => "database",
            Outage::Io { .. } => "io",
        },
        StoreError::Inconsistent { .. } => "inconsistent",
        StoreError::NewerSchema { .. } => "newer-schema",
        StoreError::OlderSchema { .. } => "older-schema",
        StoreError::Corrupt => "corrupt",
        StoreError::Refused { .. } => "refused",
        StoreError::Altered { .. } => ALTERED,
        StoreError::Broken(_) => "broken",
    }
}

impl Collector for StoreFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let up = ConstGauge::new(i64::from(self.up.load(Ordering::Relaxed)));
        let help = "Whether the store answered the last call: 1 when it did.";
        up.encode(encoder.encode_descriptor("pawl_store_up", help, None, MetricType::Gauge)?)?;
        let help = "Calls of the store that failed, by what was wrong.";
        self.errors.encode(encoder.encode_descriptor(
            "pawl_store_errors",
            help,
            None,
            MetricType::Counter,
        )?)?;
        let help = "Changes that another change of the same secret came before.";
        self.conflicts.encode(encoder.encode_descriptor(
            "pawl_store_conflicts",
            help,
            None,
            MetricType::Counter,
        )?)?;
        let help = "How long changes took to be durable.";
        let unit = Some(&Unit::Seconds);
        self.commit.encode(encoder.encode_descriptor(
            "pawl_store_commit_duration",
            help,
            unit,
            MetricType::Histogram,
        )?)
    }
}

/// A store whose calls are counted.
pub(crate) struct MeteredStore {
    store: Arc<dyn Store>,
    figures: Arc<StoreFigures>,
}

impl MeteredStore {
    pub(super) fn new(store: Arc<dyn Store>, figures: Arc<StoreFigures>) -> Self {
        Self { store, figures }
    }

    fn watched<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            let answer = answer.await;
            self.figures.answered(&answer);
            answer
        })
    }
}

impl MeteredStore {
    /// A page of which single rows may be refused: they are counted as what they are.
    fn looked_over<'a, T: Send + 'a>(
        &'a self,
        answer: Answer<'a, Vec<T>>,
        is_refused: impl Fn(&T) -> bool + Send + 'a,
    ) -> Answer<'a, Vec<T>> {
        Box::pin(async move {
            let answer = answer.await;
            self.figures.answered(&answer);
            let refused = answer.iter().flatten().filter(|row| is_refused(row)).count();
            if let Some(refused) = u64::try_from(refused).ok().filter(|refused| *refused > 0) {
                self.figures.errors.get_or_create(&[("kind", ALTERED)]).inc_by(refused);
            }
            answer
        })
    }
}

// Every method is here, those included that the contract has an answer for: a store's own answer must not be lost.
impl Store for MeteredStore {
    fn load<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Loaded>> {
        self.watched(self.store.load(region, name))
    }

    fn load_full<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Full>> {
        self.watched(self.store.load_full(region, name))
    }

    fn sealed<'a>(&'a self, arn: &'a SecretArn, version: &'a VersionId) -> Answer<'a, Option<Vec<u8>>> {
        self.watched(self.store.sealed(arn, version))
    }

    fn commit(&self, change: Change) -> Answer<'_, (), CommitError> {
        self.commit_all(vec![change])
    }

    fn commit_all(&self, changes: Vec<Change>) -> Answer<'_, (), CommitError> {
        let span = crate::spans::commit(changes.len());
        let committing = async move {
            let began = Instant::now();
            let committed = self.store.commit_all(changes).await;
            self.figures.committed(&committed, began.elapsed());
            committed
        };
        Box::pin(committing.instrument(span))
    }

    fn list<'a>(&'a self, query: ListQuery<'a>) -> Answer<'a, Vec<SecretRow>> {
        self.looked_over(self.store.list(query), |row| row.mac.is_refused())
    }

    fn due_schedules(&self, now: Timestamp, limit: u32) -> Answer<'_, Vec<Due>> {
        self.watched(self.store.due_schedules(now, limit))
    }

    fn due_purges(&self, now: Timestamp, limit: u32) -> Answer<'_, Vec<Due>> {
        self.watched(self.store.due_purges(now, limit))
    }

    fn claim_rotations<'a>(
        &'a self,
        now: Timestamp,
        wall: Timestamp,
        owner: &'a str,
        lease: Duration,
        limit: u32,
    ) -> Answer<'a, Vec<Claim>> {
        self.watched(self.store.claim_rotations(now, wall, owner, lease, limit))
    }

    fn renew_lease<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
        lease: Duration,
    ) -> Answer<'a, bool> {
        self.watched(self.store.renew_lease(arn, epoch, wall, lease))
    }

    fn claim_left<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
    ) -> Answer<'a, Option<Duration>> {
        self.watched(self.store.claim_left(arn, epoch, wall))
    }

    fn break_leases<'a>(&'a self, owner: Option<&'a str>) -> Answer<'a, u64> {
        self.watched(self.store.break_leases(owner))
    }

    fn leases(&self, limit: u32) -> Answer<'_, Vec<Lease>> {
        self.watched(self.store.leases(limit))
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn unchanged<'a>(&'a self, seen: &'a [(SecretArn, u64)]) -> Answer<'a, Vec<bool>> {
        self.watched(self.store.unchanged(seen))
    }

    fn time(&self) -> Answer<'_, Option<Timestamp>> {
        self.watched(self.store.time())
    }

    fn ready(&self) -> Answer<'_, ()> {
        self.watched(self.store.ready())
    }

    fn keyring(&self) -> Answer<'_, Option<Vec<u8>>> {
        self.watched(self.store.keyring())
    }

    fn store_keyring<'a>(&'a self, wrapped: &'a [u8]) -> Answer<'a, bool> {
        self.watched(self.store.store_keyring(wrapped))
    }

    fn swap_keyring<'a>(
        &'a self,
        expected: &'a [u8],
        wrapped: &'a [u8],
        audit: &'a [String],
    ) -> Answer<'a, bool> {
        self.watched(self.store.swap_keyring(expected, wrapped, audit))
    }

    fn sealed_heads<'a>(&'a self, after: Option<&'a HeadPlace>, limit: u32) -> Answer<'a, Vec<SealedHead>> {
        self.watched(self.store.sealed_heads(after, limit))
    }

    fn sealed_entities<'a>(&'a self, after: [&'a str; 3], limit: u32) -> Answer<'a, Vec<EntityRow>> {
        self.watched(self.store.sealed_entities(after, limit))
    }

    fn signed_rows<'a>(
        &'a self,
        table: SignedTable,
        after: &'a RowPlace,
        limit: u32,
    ) -> Answer<'a, Vec<FoundRow>> {
        self.watched(self.store.signed_rows(table, after, limit))
    }

    fn adopt<'a>(
        &'a self,
        expected: &'a [u8],
        next: &'a [u8],
        signer: &'a Signer,
    ) -> Answer<'a, u64, AdoptError> {
        self.store.adopt(expected, next, signer)
    }

    fn fence(&self) -> Answer<'_, ()> {
        self.watched(self.store.fence())
    }

    fn altered(&self) -> Vec<String> {
        self.store.altered()
    }

    fn reseal_entity<'a>(&'a self, row: &'a EntityRow, sealed: &'a [u8]) -> Answer<'a, bool> {
        self.watched(self.store.reseal_entity(row, sealed))
    }

    fn meta<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        self.watched(self.store.meta(key))
    }

    fn put_meta<'a>(&'a self, key: &'a str, value: &'a [u8]) -> Answer<'a, ()> {
        self.watched(self.store.put_meta(key, value))
    }

    fn swap_meta<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a [u8]>,
        value: &'a [u8],
    ) -> Answer<'a, bool> {
        self.watched(self.store.swap_meta(key, expected, value))
    }

    fn append_audit<'a>(&'a self, records: &'a [String]) -> Answer<'a, ()> {
        self.watched(self.store.append_audit(records))
    }

    fn audit(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>> {
        self.watched(self.store.audit(after, limit))
    }

    fn forget_audit<'a>(&'a self, numbers: &'a [u64]) -> Answer<'a, u64> {
        self.watched(self.store.forget_audit(numbers))
    }

    fn events(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>> {
        self.watched(self.store.events(after, limit))
    }

    fn last_event(&self) -> Answer<'_, u64> {
        self.watched(self.store.last_event())
    }

    fn forget_events(&self, through: u64, limit: u32) -> Answer<'_, u64> {
        self.watched(self.store.forget_events(through, limit))
    }

    fn rotations<'a>(&'a self, arn: &'a SecretArn, before: u64, limit: u32) -> Answer<'a, Vec<KeptRotation>> {
        self.watched(self.store.rotations(arn, before, limit))
    }

    fn rotation_states(&self) -> Answer<'_, RotationStates> {
        self.watched(self.store.rotation_states())
    }

    fn secrets_in(&self, state: RotationState, limit: u32) -> Answer<'_, Vec<Due>> {
        self.watched(self.store.secrets_in(state, limit))
    }

    fn function<'a>(&'a self, region: &'a Region, name: &'a FunctionName) -> Answer<'a, Option<FunctionRow>> {
        self.watched(self.store.function(region, name))
    }

    fn functions<'a>(
        &'a self,
        region: &'a Region,
        after: Option<&'a FunctionName>,
        limit: u32,
    ) -> Answer<'a, Vec<FunctionRow>> {
        self.looked_over(self.store.functions(region, after, limit), |row| row.mac.is_refused())
    }

    fn commit_function(&self, change: FunctionChange) -> Answer<'_, (), CommitError> {
        let committing = async move {
            let began = Instant::now();
            let committed = self.store.commit_function(change).await;
            self.figures.committed(&committed, began.elapsed());
            committed
        };
        Box::pin(committing.instrument(crate::spans::commit(1)))
    }

    fn code<'a>(&'a self, digest: &'a Digest) -> Answer<'a, Option<StoredCode>> {
        self.watched(self.store.code(digest))
    }

    fn sweep_code(&self, wall: Timestamp, kept: Duration) -> Answer<'_, u64> {
        self.watched(self.store.sweep_code(wall, kept))
    }

    fn approval<'a>(&'a self, region: &'a Region, name: &'a FunctionName) -> Answer<'a, Option<ApprovalRow>> {
        self.watched(self.store.approval(region, name))
    }

    fn approvals<'a>(
        &'a self,
        region: &'a Region,
        after: Option<&'a FunctionName>,
        limit: u32,
    ) -> Answer<'a, Vec<ApprovalRow>> {
        self.looked_over(self.store.approvals(region, after, limit), |row| row.mac.is_refused())
    }

    fn commit_approval(&self, change: ApprovalChange) -> Answer<'_, ()> {
        self.watched(self.store.commit_approval(change))
    }

    fn entity<'a>(&'a self, kind: &'a str, region: &'a str, name: &'a str) -> Answer<'a, Option<EntityRow>> {
        self.watched(self.store.entity(kind, region, name))
    }

    fn entity_by_key<'a>(
        &'a self,
        kind: &'a str,
        region: &'a str,
        key: &'a str,
    ) -> Answer<'a, Option<EntityRow>> {
        self.watched(self.store.entity_by_key(kind, region, key))
    }

    fn entities<'a>(
        &'a self,
        kind: &'a str,
        region: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> Answer<'a, Vec<EntityRow>> {
        self.looked_over(self.store.entities(kind, region, after, limit), |row| row.mac.is_refused())
    }

    fn commit_entities(&self, changes: Vec<EntityChange>, audit: Vec<String>) -> Answer<'_, (), CommitError> {
        let number = changes.len();
        let committing = async move {
            let began = Instant::now();
            let committed = self.store.commit_entities(changes, audit).await;
            self.figures.committed(&committed, began.elapsed());
            committed
        };
        Box::pin(committing.instrument(crate::spans::commit(number)))
    }

    fn entities_version(&self) -> Answer<'_, u64> {
        self.watched(self.store.entities_version())
    }

    fn check(&self) -> Answer<'_, Health> {
        self.watched(self.store.check())
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.store.close()
    }

    fn export(&self, to: mpsc::Sender<Piece>) -> Answer<'_, ()> {
        self.store.export(to)
    }

    fn import(&self, from: mpsc::Receiver<Piece>) -> Answer<'_, (), ImportError> {
        self.store.import(from)
    }
}
