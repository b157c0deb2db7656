//! Every method of a store, in front of another one: codes for what is written, a look at those of what is read.

use std::pin::Pin;
use std::time::Duration;

use pawl_core::arn::SecretArn;
use pawl_core::function::{Digest, FunctionName};
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::world::Timestamp;
use tokio::sync::mpsc;

use super::AuthenticStore;
use crate::{
    AdoptError, Answer, ApprovalChange, ApprovalRow, Change, Claim, CommitError, Due, EntityChange,
    EntityRow, Entry, FoundRow, Full, FunctionChange, FunctionRow, HeadPlace, Health, ImportError,
    KeptRotation, Lease, ListQuery, Loaded, Piece, RotationState, RotationStates, RowMac, RowPlace,
    SealedHead, SecretRow, SignedTable, Signer, Store, StoredCode,
};

// `commit` and `reseal_entity` are the contract's own: they come down to what is here.
impl Store for AuthenticStore {
    fn load<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Loaded>> {
        Box::pin(async move {
            let loaded = self.store.load(region, name).await?;
            let trusted = |Loaded { head, lease }| Ok(Loaded { head: self.trusted(head)?, lease });
            loaded.map(trusted).transpose()
        })
    }

    fn load_full<'a>(&'a self, region: &'a Region, name: &'a SecretName) -> Answer<'a, Option<Full>> {
        Box::pin(async move {
            let full = self.store.load_full(region, name).await?;
            full.map(|full| Ok(Full { head: self.trusted(full.head)?, ..full })).transpose()
        })
    }

    fn sealed<'a>(&'a self, arn: &'a SecretArn, version: &'a VersionId) -> Answer<'a, Option<Vec<u8>>> {
        self.store.sealed(arn, version)
    }

    fn commit_all(&self, changes: Vec<Change>) -> Answer<'_, (), CommitError> {
        let mut changes = changes;
        for change in changes.iter_mut().filter(|change| !change.delete) {
            change.row.mac = self.mac_of(&change.row.content());
        }
        self.store.commit_all(changes)
    }

    fn list<'a>(&'a self, query: ListQuery<'a>) -> Answer<'a, Vec<SecretRow>> {
        Box::pin(async move { Ok(self.looked_over(self.store.list(query).await?)) })
    }

    fn due_schedules(&self, now: Timestamp, limit: u32) -> Answer<'_, Vec<Due>> {
        self.store.due_schedules(now, limit)
    }

    fn due_purges(&self, now: Timestamp, limit: u32) -> Answer<'_, Vec<Due>> {
        self.store.due_purges(now, limit)
    }

    fn claim_rotations<'a>(
        &'a self,
        now: Timestamp,
        wall: Timestamp,
        owner: &'a str,
        lease: Duration,
        limit: u32,
    ) -> Answer<'a, Vec<Claim>> {
        self.store.claim_rotations(now, wall, owner, lease, limit)
    }

    fn renew_lease<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
        lease: Duration,
    ) -> Answer<'a, bool> {
        self.store.renew_lease(arn, epoch, wall, lease)
    }

    fn claim_left<'a>(
        &'a self,
        arn: &'a SecretArn,
        epoch: u64,
        wall: Timestamp,
    ) -> Answer<'a, Option<Duration>> {
        self.store.claim_left(arn, epoch, wall)
    }

    fn break_leases<'a>(&'a self, owner: Option<&'a str>) -> Answer<'a, u64> {
        self.store.break_leases(owner)
    }

    fn leases(&self, limit: u32) -> Answer<'_, Vec<Lease>> {
        self.store.leases(limit)
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn unchanged<'a>(&'a self, seen: &'a [(SecretArn, u64)]) -> Answer<'a, Vec<bool>> {
        self.store.unchanged(seen)
    }

    fn time(&self) -> Answer<'_, Option<Timestamp>> {
        self.store.time()
    }

    fn ready(&self) -> Answer<'_, ()> {
        self.store.ready()
    }

    fn keyring(&self) -> Answer<'_, Option<Vec<u8>>> {
        self.store.keyring()
    }

    fn store_keyring<'a>(&'a self, wrapped: &'a [u8]) -> Answer<'a, bool> {
        self.store.store_keyring(wrapped)
    }

    fn swap_keyring<'a>(
        &'a self,
        expected: &'a [u8],
        wrapped: &'a [u8],
        records: &'a [String],
    ) -> Answer<'a, bool> {
        self.store.swap_keyring(expected, wrapped, records)
    }

    fn forget_audit<'a>(&'a self, numbers: &'a [u64]) -> Answer<'a, u64> {
        self.store.forget_audit(numbers)
    }

    fn sealed_heads<'a>(&'a self, after: Option<&'a HeadPlace>, limit: u32) -> Answer<'a, Vec<SealedHead>> {
        self.store.sealed_heads(after, limit)
    }

    fn sealed_entities<'a>(&'a self, after: [&'a str; 3], limit: u32) -> Answer<'a, Vec<EntityRow>> {
        Box::pin(async move { Ok(self.looked_over(self.store.sealed_entities(after, limit).await?)) })
    }

    fn signed_rows<'a>(
        &'a self,
        table: SignedTable,
        after: &'a RowPlace,
        limit: u32,
    ) -> Answer<'a, Vec<FoundRow>> {
        self.store.signed_rows(table, after, limit)
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
        self.store.fence()
    }

    fn altered(&self) -> Vec<String> {
        self.altered.list()
    }

    fn meta<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        self.store.meta(key)
    }

    fn put_meta<'a>(&'a self, key: &'a str, value: &'a [u8]) -> Answer<'a, ()> {
        self.store.put_meta(key, value)
    }

    fn swap_meta<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a [u8]>,
        value: &'a [u8],
    ) -> Answer<'a, bool> {
        self.store.swap_meta(key, expected, value)
    }

    fn append_audit<'a>(&'a self, records: &'a [String]) -> Answer<'a, ()> {
        self.store.append_audit(records)
    }

    fn audit(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>> {
        self.store.audit(after, limit)
    }

    fn events(&self, after: u64, limit: u32) -> Answer<'_, Vec<Entry>> {
        self.store.events(after, limit)
    }

    fn last_event(&self) -> Answer<'_, u64> {
        self.store.last_event()
    }

    fn forget_events(&self, through: u64, limit: u32) -> Answer<'_, u64> {
        self.store.forget_events(through, limit)
    }

    fn rotations<'a>(&'a self, arn: &'a SecretArn, before: u64, limit: u32) -> Answer<'a, Vec<KeptRotation>> {
        self.store.rotations(arn, before, limit)
    }

    fn rotation_states(&self) -> Answer<'_, RotationStates> {
        self.store.rotation_states()
    }

    fn secrets_in(&self, state: RotationState, limit: u32) -> Answer<'_, Vec<Due>> {
        self.store.secrets_in(state, limit)
    }

    fn function<'a>(&'a self, region: &'a Region, name: &'a FunctionName) -> Answer<'a, Option<FunctionRow>> {
        Box::pin(
            async move { self.store.function(region, name).await?.map(|row| self.trusted(row)).transpose() },
        )
    }

    fn functions<'a>(
        &'a self,
        region: &'a Region,
        after: Option<&'a FunctionName>,
        limit: u32,
    ) -> Answer<'a, Vec<FunctionRow>> {
        Box::pin(async move { Ok(self.looked_over(self.store.functions(region, after, limit).await?)) })
    }

    fn commit_function(&self, change: FunctionChange) -> Answer<'_, (), CommitError> {
        let mut change = change;
        if !change.delete {
            change.row.mac = self.mac_of(&change.row.content());
        }
        if let Some(code) = &mut change.code {
            code.mac = self.mac_of(&code.content());
        }
        self.store.commit_function(change)
    }

    fn code<'a>(&'a self, digest: &'a Digest) -> Answer<'a, Option<StoredCode>> {
        Box::pin(async move { self.store.code(digest).await?.map(|row| self.trusted(row)).transpose() })
    }

    fn sweep_code(&self, wall: Timestamp, kept: Duration) -> Answer<'_, u64> {
        self.store.sweep_code(wall, kept)
    }

    fn approval<'a>(&'a self, region: &'a Region, name: &'a FunctionName) -> Answer<'a, Option<ApprovalRow>> {
        Box::pin(
            async move { self.store.approval(region, name).await?.map(|row| self.trusted(row)).transpose() },
        )
    }

    fn approvals<'a>(
        &'a self,
        region: &'a Region,
        after: Option<&'a FunctionName>,
        limit: u32,
    ) -> Answer<'a, Vec<ApprovalRow>> {
        Box::pin(async move { Ok(self.looked_over(self.store.approvals(region, after, limit).await?)) })
    }

    fn commit_approval(&self, change: ApprovalChange) -> Answer<'_, ()> {
        let mut change = change;
        change.mac = change.content().map_or(RowMac::None, |content| self.mac_of(&content));
        self.store.commit_approval(change)
    }

    fn entity<'a>(&'a self, kind: &'a str, region: &'a str, name: &'a str) -> Answer<'a, Option<EntityRow>> {
        Box::pin(async move {
            self.store.entity(kind, region, name).await?.map(|row| self.trusted(row)).transpose()
        })
    }

    fn entity_by_key<'a>(
        &'a self,
        kind: &'a str,
        region: &'a str,
        key: &'a str,
    ) -> Answer<'a, Option<EntityRow>> {
        Box::pin(async move {
            self.store.entity_by_key(kind, region, key).await?.map(|row| self.trusted(row)).transpose()
        })
    }

    fn entities<'a>(
        &'a self,
        kind: &'a str,
        region: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> Answer<'a, Vec<EntityRow>> {
        Box::pin(async move { Ok(self.looked_over(self.store.entities(kind, region, after, limit).await?)) })
    }

    fn commit_entities(&self, changes: Vec<EntityChange>, audit: Vec<String>) -> Answer<'_, (), CommitError> {
        let mut changes = changes;
        for change in &mut changes {
            change.signer = Some(self.signer.clone());
        }
        self.store.commit_entities(changes, audit)
    }

    fn entities_version(&self) -> Answer<'_, u64> {
        self.store.entities_version()
    }

    fn check(&self) -> Answer<'_, Health> {
        Box::pin(async move {
            let health = self.store.check().await?;
            // What it finds is among what was altered.
            self.look_over().await?;
            Ok(health)
        })
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
