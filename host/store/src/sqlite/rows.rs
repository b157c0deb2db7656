//! From rows to records. A value that this program would not have written is an error that names its column.

use std::cell::Cell;
use std::time::Duration;

use pawl_core::arn::SecretArn;
use pawl_core::names::Region;
use pawl_core::world::Timestamp;
use rusqlite::Row;
use rusqlite::types::{FromSql, ValueRef};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StringDeserializer};

use crate::archive::{ArchivedRotation, ArchivedSecret};
use crate::entity::{ArchivedEntity, EntityRow, keys};
use crate::error::StoreError;
use crate::function::{ApprovalRow, ArchivedFunction, FunctionRow, StoredCode, digests};
use crate::mac::{FoundRow, RowMac, SignedRow, SignedTable};
use crate::record::{
    Claim, Due, EndedRotation, Entry, HeadPlace, KeptRotation, Lease, LeaseState, Loaded, RotationState,
    SealedHead, SealedVersion, SecretRow,
};

/// The stored form of a secret's last access: never is before every moment.
pub(super) fn moment_or_never(at: Option<Timestamp>) -> i64 {
    at.map_or(NEVER, Timestamp::millis)
}

const NEVER: i64 = i64::MIN;

/// One row of a table, whose name the errors give.
pub(super) struct Reader<'a> {
    row: &'a Row<'a>,
    table: &'static str,
    /// The column after the last that was read: most are read in the order in which they stand, and looking for a name costs more
    /// than reading what it names.
    next: Cell<usize>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(row: &'a Row<'a>, table: &'static str) -> Self {
        Self { row, table, next: Cell::new(0) }
    }

    fn inconsistent(&self, column: &'static str) -> StoreError {
        StoreError::Inconsistent { table: self.table, column }
    }

    fn get<T: FromSql>(&self, column: &'static str) -> Result<T, StoreError> {
        self.row.get(self.place(column)?).map_err(|_| self.inconsistent(column))
    }

    fn place(&self, column: &'static str) -> Result<usize, StoreError> {
        let (statement, next) = (self.row.as_ref(), self.next.get());
        let place = if statement.column_name(next) == Ok(column) {
            next
        } else {
            statement.column_index(column).map_err(|_| self.inconsistent(column))?
        };
        self.next.set(place + 1);
        Ok(place)
    }

    /// A text that is valid by construction once it is read.
    fn name<T: TryFrom<String>>(&self, column: &'static str) -> Result<T, StoreError> {
        T::try_from(self.get::<String>(column)?).map_err(|_| self.inconsistent(column))
    }

    fn arn(&self) -> Result<SecretArn, StoreError> {
        let text: StringDeserializer<ValueError> = self.get::<String>("arn")?.into_deserializer();
        SecretArn::deserialize(text).map_err(|_| self.inconsistent("arn"))
    }

    pub(super) fn number(&self, column: &'static str) -> Result<u64, StoreError> {
        u64::try_from(self.get::<i64>(column)?).map_err(|_| self.inconsistent(column))
    }

    fn moment(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_millis))
    }

    pub(super) fn head(&self) -> Result<SecretRow, StoreError> {
        Ok(SecretRow {
            arn: self.arn()?,
            region: self.name("region")?,
            name: self.name("name")?,
            revision: self.number("revision")?,
            document: self.get("document")?,
            created_at: Timestamp::from_millis(self.get("created_at")?),
            purge_at: self.moment("purge_at")?,
            next_rotation_at: self.moment("next_rotation_at")?,
            rotation_due_at: self.moment("rotation_due_at")?,
            last_changed_at: Timestamp::from_millis(self.get("last_changed_at")?),
            last_accessed_at: Some(self.get("last_accessed_at")?)
                .filter(|at| *at != NEVER)
                .map(Timestamp::from_millis),
            replica_of: self.replica_of()?,
            rotation_state: self.rotation_state()?,
            mac: self.mac()?,
        })
    }

    fn replica_of(&self) -> Result<Option<Region>, StoreError> {
        let text = self.get::<Option<String>>("replica_of")?;
        text.map(Region::try_from).transpose().map_err(|_| self.inconsistent("replica_of"))
    }

    fn rotation_state(&self) -> Result<Option<RotationState>, StoreError> {
        let column = "rotation_state";
        let Some(word) = self.get::<Option<String>>(column)? else { return Ok(None) };
        RotationState::from_word(&word).map(Some).ok_or_else(|| self.inconsistent(column))
    }

    /// How many secrets' rotations stand how.
    pub(super) fn in_state(&self) -> Result<(Option<RotationState>, u64), StoreError> {
        Ok((self.rotation_state()?, self.number("secrets")?))
    }

    pub(super) fn rotation(&self) -> Result<KeptRotation, StoreError> {
        Ok(KeptRotation {
            number: self.number("number")?,
            rotation: EndedRotation {
                token: self.name("token")?,
                status: self.get("status")?,
                requested_at: Timestamp::from_millis(self.get("requested_at")?),
                finished_at: Timestamp::from_millis(self.get("finished_at")?),
                document: self.get("document")?,
            },
        })
    }

    pub(super) fn archived_rotation(&self) -> Result<ArchivedRotation, StoreError> {
        Ok(ArchivedRotation { arn: self.arn()?, kept: self.rotation()? })
    }

    pub(super) fn loaded(&self) -> Result<Loaded, StoreError> {
        let head = self.head()?;
        let lease = LeaseState {
            epoch: self.number("lease_epoch")?,
            owner: self.get("lease_owner")?,
            until: self.moment("lease_until")?,
        };
        Ok(Loaded { head, lease })
    }

    pub(super) fn lease(&self) -> Result<Lease, StoreError> {
        Ok(Lease {
            arn: self.arn()?,
            owner: self.get("lease_owner")?,
            epoch: self.number("lease_epoch")?,
            until: Timestamp::from_millis(self.get("lease_until")?),
        })
    }

    /// How much of a lease is left after `wall`.
    pub(super) fn lease_left(&self, wall: Timestamp) -> Result<Duration, StoreError> {
        let until: i64 = self.get("lease_until")?;
        Ok(Duration::from_millis(u64::try_from(until.saturating_sub(wall.millis())).unwrap_or(0)))
    }

    pub(super) fn due(&self) -> Result<Due, StoreError> {
        Ok(Due { arn: self.arn()?, region: self.name("region")?, name: self.name("name")? })
    }

    pub(super) fn claim(&self) -> Result<Claim, StoreError> {
        let Due { arn, region, name } = self.due()?;
        Ok(Claim { arn, region, name, epoch: self.number("lease_epoch")? })
    }

    /// Whether the row is a version's, where a statement answers its secret as well.
    pub(super) fn is_version(&self) -> Result<bool, StoreError> {
        let column = "version_id";
        let value = self.row.get_ref(self.place(column)?).map_err(|_| self.inconsistent(column))?;
        Ok(!matches!(value, ValueRef::Null))
    }

    pub(super) fn version(&self) -> Result<SealedVersion, StoreError> {
        Ok(SealedVersion { version_id: self.name("version_id")?, sealed: self.get("sealed")? })
    }

    /// A secret of an export, with none of its values yet.
    pub(super) fn archived(&self) -> Result<ArchivedSecret, StoreError> {
        Ok(ArchivedSecret {
            head: self.head()?,
            lease_epoch: self.number("lease_epoch")?,
            values: Vec::new(),
        })
    }

    pub(super) fn id(&self) -> Result<i64, StoreError> {
        self.get("id")
    }

    pub(super) fn setting(&self) -> Result<(String, Vec<u8>), StoreError> {
        Ok((self.get("key")?, self.get("value")?))
    }

    pub(super) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        self.get(column)
    }

    pub(super) fn function(&self) -> Result<FunctionRow, StoreError> {
        Ok(FunctionRow {
            id: self.get("uid")?,
            region: self.name("region")?,
            name: self.name("name")?,
            revision: self.number("revision")?,
            document: self.get("document")?,
            mac: self.mac()?,
        })
    }

    pub(super) fn archived_function(&self) -> Result<ArchivedFunction, StoreError> {
        let row = self.function()?;
        let names = digests(self.get("names")?).ok_or_else(|| self.inconsistent("names"))?;
        Ok(ArchivedFunction { row, names })
    }

    pub(super) fn code(&self) -> Result<StoredCode, StoreError> {
        Ok(StoredCode {
            digest: self.name("digest")?,
            document: self.get("document")?,
            component: self.get("component")?,
            mac: self.mac()?,
        })
    }

    pub(super) fn approval(&self) -> Result<ApprovalRow, StoreError> {
        Ok(ApprovalRow {
            region: self.name("region")?,
            name: self.name("name")?,
            document: self.get("document")?,
            mac: self.mac()?,
        })
    }

    pub(super) fn sealed_head(&self) -> Result<SealedHead, StoreError> {
        Ok(SealedHead {
            place: HeadPlace { secret: self.get("secret_id")?, version: self.get("version_id")? },
            region: self.name("region")?,
            name: self.name("name")?,
            head: self.get("head")?,
        })
    }

    pub(super) fn entity(&self) -> Result<EntityRow, StoreError> {
        Ok(EntityRow {
            kind: self.get("kind")?,
            region: self.get("region")?,
            name: self.get("name")?,
            revision: self.number("revision")?,
            document: self.get("document")?,
            sealed: self.get("sealed")?,
            mac: self.mac()?,
        })
    }

    fn mac(&self) -> Result<RowMac, StoreError> {
        Ok(self.get::<Option<Vec<u8>>>("mac")?.into())
    }

    /// A row that has a code, with its place.
    pub(super) fn found(&self, table: SignedTable) -> Result<FoundRow, StoreError> {
        let place = [self.get("place_1")?, self.get("place_2")?, self.get("place_3")?];
        let row = match table {
            SignedTable::Secrets => self.head().map(SignedRow::Secret),
            SignedTable::Entities => self.entity().map(SignedRow::Entity),
            SignedTable::Functions => self.function().map(SignedRow::Function),
            SignedTable::Approvals => self.approval().map(SignedRow::Approval),
            SignedTable::Code => self.code().map(SignedRow::Code),
        };
        Ok(FoundRow { place, row })
    }

    pub(super) fn archived_entity(&self) -> Result<ArchivedEntity, StoreError> {
        Ok(ArchivedEntity { row: self.entity()?, keys: keys(self.get("keys")?) })
    }

    pub(super) fn entry(&self) -> Result<Entry, StoreError> {
        Ok(Entry { seq: self.number("seq")?, record: self.get("record")? })
    }
}
