//! The store: what outlives the process, in whole transactions.
//!
//! [`Store`] is the contract; [`SqliteStore`] keeps it in one file, [`PostgresStore`] in a PostgreSQL that several hosts share. A method is one transaction: it happens as a whole or not
//! at all, and when [`Store::commit`] has answered, no crash undoes it. The store knows no secret: values come to it sealed.
//!
//! To add a query: its text goes into each backend's `sql.rs` (a test prepares every statement there, another looks at its plan),
//! the reading of its rows into its `rows.rs`, the method here and into each backend, and its promise into `conformance.rs`,
//! which every backend must pass.

mod archive;
mod authentic;
mod change;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod entity;
mod error;
mod function;
mod mac;
mod postgres;
mod record;
mod sqlite;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use pawl_core::arn::SecretArn;
use pawl_core::function::{Digest, FunctionName};
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::world::Timestamp;
use tokio::sync::mpsc;

pub use archive::{ArchivedRotation, ArchivedSecret, HALT, HALT_IMPORTING, HALT_MOVED, ImportError, Piece};
pub use authentic::AuthenticStore;
pub use change::{Change, CommitError, Expect};
pub use entity::{ArchivedEntity, EntityChange, EntityPut, EntityRow};
pub use error::{Outage, SqlState, StoreError};
pub use function::{ApprovalChange, ApprovalRow, ArchivedFunction, FunctionChange, FunctionRow, StoredCode};
pub use mac::{AdoptError, FoundRow, RowMac, RowPlace, RowSigner, SignedRow, SignedTable, Signer};
pub use postgres::{DatabaseUrl, DatabaseUrlError, LeaseClock, PostgresOptions, PostgresStore};
pub use record::{
    Claim, Cursor, Direction, Due, EndedRotation, Entry, Full, HeadPlace, Health, KeptRotation, Lease,
    LeaseState, ListQuery, Loaded, Order, RotationState, RotationStates, SealedHead, SealedVersion,
    SecretRow, SortBy,
};
pub use sqlite::{Options, SqliteStore};

/// What a method of [`Store`] promises to answer.
pub type Answer<'a, T, E = StoreError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// What outlives the process. Absence is an answer, not an error.
///
/// Times come in by argument: `now` is the clock by which secrets live, `wall` the one by which leases do, unless the store has
/// a clock of its own ([`Store::time`]): several hosts agree on that one, and not on theirs. Every
/// `limit` is cut to [`pawl_core::limits::STORE_ROWS_MAX`].
pub trait Store: Send + Sync {
    /// The secret of this name, with its lease.
    fn load<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Loaded>>;

    /// The secret of this name with every sealed value, as they were at one moment.
    fn load_full<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Full>>;

    /// The sealed value of one version.
    fn sealed<'a>(&'a self, arn: &'a SecretArn, version: &'a VersionId) -> Answer<'a, Option<Vec<u8>>>;

    /// Does all of `change`, or nothing. What it has acknowledged is durable.
    fn commit(&self, change: Change) -> Answer<'_, (), CommitError> {
        self.commit_all(vec![change])
    }

    /// Does all of `changes`, one after the other, or nothing: secrets of several regions move together, and a name that one
    /// change purges is free for the next. What it has acknowledged is durable. The error is that of one change that could
    /// not happen.
    fn commit_all(&self, changes: Vec<Change>) -> Answer<'_, (), CommitError>;

    /// One page of a region's secrets. Costs what is on it, in every order, however many secrets there are before it or deleted.
    fn list<'a>(&'a self, query: ListQuery<'a>) -> Answer<'a, Vec<SecretRow>>;

    /// Secrets whose schedule is due and that have no live rotation, the longest due first. Costs what is due.
    fn due_schedules(&self, now: Timestamp, limit: u32) -> Answer<'_, Vec<Due>>;

    /// Secrets whose recovery window has ended, the longest due first. Costs what is due.
    fn due_purges(&self, now: Timestamp, limit: u32) -> Answer<'_, Vec<Due>>;

    /// Takes due rotations that nobody holds, for `lease` from `wall`. Each claim has a new epoch, which fences every earlier
    /// holder off. No rotation is given to two claimants.
    fn claim_rotations<'a>(
        &'a self,
        now: Timestamp,
        wall: Timestamp,
        owner: &'a str,
        lease: Duration,
        limit: u32,
    ) -> Answer<'a, Vec<Claim>>;

    /// Holds a claim on for `lease` from `wall`. False when it is no longer the caller's.
    fn renew_lease<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
        lease: Duration,
    ) -> Answer<'a, bool>;

    /// How much of the claim of this epoch is left after `wall`: nothing when its time is over and nobody has taken it yet, none
    /// when it is no longer the caller's. One read; ask before every deed outside the store.
    fn claim_left<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
    ) -> Answer<'a, Option<Duration>>;

    /// Ends every lease of `owner`, or every one there is, and fences its holder off; answers how many. For the start of a
    /// process: the holders are dead, because they had its name, or because it is alone on its data.
    fn break_leases<'a>(&'a self, owner: Option<&'a str>) -> Answer<'a, u64>;

    /// The rotations that are claimed, those whose lease ends first before the others.
    fn leases(&self, limit: u32) -> Answer<'_, Vec<Lease>>;

    /// Whether other processes may write to it as well. What is remembered of it must then be looked at again: [`Store::unchanged`].
    fn is_shared(&self) -> bool;

    /// Of each of these secrets, whether it is there and at this revision: as it was at one moment after the call began, so every
    /// change that was acknowledged before is seen.
    fn unchanged<'a>(&'a self, seen: &'a [(SecretArn, u64)]) -> Answer<'a, Vec<bool>>;

    /// The store's own clock, by which leases live whatever `wall` says; none when it has none.
    fn time(&self) -> Answer<'_, Option<Timestamp>>;

    /// Whether it would take a change now; the error says why not.
    fn ready(&self) -> Answer<'_, ()>;

    /// The wrapped data keys; none on first start.
    fn keyring(&self) -> Answer<'_, Option<Vec<u8>>>;

    /// Keeps the wrapped data keys if there are none yet. False, and nothing changed, when there are.
    fn store_keyring<'a>(&'a self, wrapped: &'a [u8]) -> Answer<'a, bool>;

    /// Replaces the wrapped data keys if they are `expected`, with these audit records. False, and nothing changed, when they are not.
    fn swap_keyring<'a>(
        &'a self,
        expected: &'a [u8],
        wrapped: &'a [u8],
        audit: &'a [String],
    ) -> Answer<'a, bool>;

    /// What sealed the values, in an order of the store's own, after a place: for who seals them anew. Costs what it answers.
    fn sealed_heads<'a>(&'a self, after: Option<&'a HeadPlace>, limit: u32) -> Answer<'a, Vec<SealedHead>>;

    /// Entities of which something is sealed, by kind, region and name, after those.
    fn sealed_entities<'a>(&'a self, after: [&'a str; 3], limit: u32) -> Answer<'a, Vec<EntityRow>>;

    /// Replaces what is sealed of an entity, if it is at the revision of `row`, and nothing else of it. False, and nothing changed,
    /// when it is not. Its revision becomes what [`Store::entities_version`] then answers.
    fn reseal_entity<'a>(&'a self, row: &'a EntityRow, sealed: &'a [u8]) -> Answer<'a, bool> {
        let (document, sealed) = (row.document.clone(), Some(sealed.to_vec()));
        let change = EntityChange {
            kind: row.kind.clone(),
            region: row.region.clone(),
            name: row.name.clone(),
            expect: Expect::Revision(row.revision),
            put: Some(EntityPut { document, sealed, keys: None }),
            signer: None,
        };
        Box::pin(async move {
            match self.commit_entities(vec![change], Vec::new()).await {
                Ok(()) => Ok(true),
                Err(CommitError::LostRace) => Ok(false),
                Err(CommitError::Store(error)) => Err(error),
                Err(CommitError::NameTaken | CommitError::Fenced) => {
                    Err(StoreError::Broken("an entity that another took the place of"))
                }
            }
        })
    }

    /// Rows of a table that have codes, as they are stored, after a place and by their places. Costs what it answers.
    fn signed_rows<'a>(
        &'a self,
        table: SignedTable,
        after: &'a RowPlace,
        limit: u32,
    ) -> Answer<'a, Vec<FoundRow>>;

    /// Gives every row its code and makes the key record `next`, as one, if the record is `expected` and no row has a code. Rows
    /// that cannot be read get none. How many got one.
    fn adopt<'a>(
        &'a self,
        expected: &'a [u8],
        next: &'a [u8],
        signer: &'a Signer,
    ) -> Answer<'a, u64, AdoptError>;

    /// From now on the store itself refuses changes that leave a row without a code of its own, where a host of an earlier release
    /// might make them. To be asked at every start of a host, on a store whose rows have codes.
    fn fence(&self) -> Answer<'_, ()>;

    /// Rows that were found not to be as they were written, since this host was started; in words.
    fn altered(&self) -> Vec<String> {
        Vec::new()
    }

    /// A small setting of the installation.
    fn meta<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>>;

    /// Keeps a small setting of the installation.
    fn put_meta<'a>(&'a self, key: &'a str, value: &'a [u8]) -> Answer<'a, ()>;

    /// Replaces a small setting if it is `expected` (none: if there is none). False, and nothing changed, when it is not.
    fn swap_meta<'a>(&'a self, key: &'a str, expected: Option<&'a [u8]>, value: &'a [u8])
    -> Answer<'a, bool>;

    /// Adds audit records that belong to no change (reads, refusals), in their order and as one. Durable when it answers.
    fn append_audit<'a>(&'a self, records: &'a [String]) -> Answer<'a, ()>;

    /// Audit records after number `after`, oldest first.
    fn audit(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>>;

    /// Forgets the audit records of these numbers, as far as they are there, but never the latest one: numbers go on from there. How
    /// many were forgotten.
    fn forget_audit<'a>(&'a self, numbers: &'a [u64]) -> Answer<'a, u64>;

    /// Events after number `after`, oldest first.
    fn events(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>>;

    /// The number of the latest event; 0 when there never was one. What was committed before has a lower one, or this one.
    fn last_event(&self) -> Answer<'_, u64>;

    /// Forgets the oldest `limit` of the events up to number `through`, but never the latest one: numbers go on from there. How
    /// many were forgotten.
    fn forget_events(&self, through: u64, limit: u32) -> Answer<'_, u64>;

    /// The rotations of a secret that have ended, before number `before`, the newest first.
    fn rotations<'a>(&'a self, arn: &'a SecretArn, before: u64, limit: u32) -> Answer<'a, Vec<KeptRotation>>;

    /// How many rotations stand how. Costs what it counts.
    fn rotation_states(&self) -> Answer<'_, RotationStates>;

    /// Secrets whose rotation stands so, by region and name. Costs what it answers.
    fn secrets_in(&self, state: RotationState, limit: u32) -> Answer<'_, Vec<Due>>;

    /// The function of this name.
    fn function<'a>(&'a self, region: &'a Region, name: &'a FunctionName) -> Answer<'a, Option<FunctionRow>>;

    /// Functions of a region after a name, by their names.
    fn functions<'a>(
        &'a self,
        region: &'a Region,
        after: Option<&'a FunctionName>,
        limit: u32,
    ) -> Answer<'a, Vec<FunctionRow>>;

    /// Does all of `change`, or nothing. What it has acknowledged is durable. [`CommitError::NameTaken`] when there is a function
    /// of the name, [`CommitError::LostRace`] when somebody else changed or deleted it first.
    fn commit_function(&self, change: FunctionChange) -> Answer<'_, (), CommitError>;

    /// The code of this digest: what a function names, and what none names any more until it is swept.
    fn code<'a>(&'a self, digest: &'a Digest) -> Answer<'a, Option<StoredCode>>;

    /// Deletes code that no function names and that no rotation which has not ended was begun with, once a sweep found it so
    /// for the first time at least `kept` before `wall`; answers how many. To be called again and again: what is not named is
    /// noted by it.
    fn sweep_code(&self, wall: Timestamp, kept: Duration) -> Answer<'_, u64>;

    /// What an operator allows the functions of this name to ask for.
    fn approval<'a>(&'a self, region: &'a Region, name: &'a FunctionName) -> Answer<'a, Option<ApprovalRow>>;

    /// Approvals of a region after a name, by their names.
    fn approvals<'a>(
        &'a self,
        region: &'a Region,
        after: Option<&'a FunctionName>,
        limit: u32,
    ) -> Answer<'a, Vec<ApprovalRow>>;

    /// Gives or takes back an approval, whatever it was before. Durable when it answers.
    fn commit_approval(&self, change: ApprovalChange) -> Answer<'_, ()>;

    /// The entity of this kind and name. What is account-wide has no region: the empty text.
    fn entity<'a>(&'a self, kind: &'a str, region: &'a str, name: &'a str) -> Answer<'a, Option<EntityRow>>;

    /// The entity of this kind that has this key.
    fn entity_by_key<'a>(
        &'a self,
        kind: &'a str,
        region: &'a str,
        key: &'a str,
    ) -> Answer<'a, Option<EntityRow>>;

    /// Entities of a kind and region after a name, by their names.
    fn entities<'a>(
        &'a self,
        kind: &'a str,
        region: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> Answer<'a, Vec<EntityRow>>;

    /// Does all of `changes`, one after the other, with these audit records, or nothing. What it has acknowledged is durable.
    /// [`CommitError::NameTaken`] when a new entity's name or a key is another's, [`CommitError::LostRace`] when somebody else
    /// changed or deleted one first. Each entity's revision becomes what [`Store::entities_version`] then answers.
    fn commit_entities(&self, changes: Vec<EntityChange>, audit: Vec<String>) -> Answer<'_, (), CommitError>;

    /// The number of the latest change of entities, raised by every one: who remembers entities compares it. Cheap. What it
    /// counts is visible to every read that follows.
    fn entities_version(&self) -> Answer<'_, u64>;

    /// Looks the store over, for `pawl doctor`. Reads all of it.
    fn check(&self) -> Answer<'_, Health>;

    /// Finishes what is under way and closes the files. Nothing is lost without it; the next start is quicker with it.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Sends everything there is, as it was at one moment, in the order of [`Piece`]; changes go on meanwhile. Ends early when
    /// nobody takes it any more. Memory is that of a few pages.
    fn export(&self, to: mpsc::Sender<Piece>) -> Answer<'_, ()>;

    /// Takes over what another store has exported, as a whole or not at all. The epochs of leases are raised by
    /// [`pawl_core::limits::IMPORT_EPOCHS`], and the leases are not taken over.
    ///
    /// From its beginning the store is [`HALT`]ed: whoever called this looks at what came of it, and then lifts the halt. A store
    /// whose import broke off is empty and halted, and may be imported into again; any other one must hold no secret and no record.
    fn import(&self, from: mpsc::Receiver<Piece>) -> Answer<'_, (), ImportError>;
}
