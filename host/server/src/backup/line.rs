//! The lines of a backup file, and how they become pieces of a store again.
//!
//! A backup is text: one JSON object a line, with one field that says what it is. First `backup`, then `keyring`, `setting`s,
//! each `code` followed by its `code_part`s, `function`s, `approval`s and
//! `entity`s (users, keys and the like), each `secret` followed by its `version`s, then the `rotation`s that have ended, `audit` records and `event`s; then `counts`, and `mac` at the end. Moments are
//! milliseconds since the Unix epoch; bytes are in base64, and values are as the store has them: sealed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pawl_core::arn::SecretArn;
use pawl_core::function::{Digest as CodeDigest, FunctionName};
use pawl_core::limits;
use pawl_core::names::{Region, SecretName, VersionId};
use pawl_core::world::Timestamp;
use pawl_store::{ArchivedSecret, Entry, HALT, Piece, RotationState, SealedVersion, SecretRow, StoredCode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use self::conversion::{line_mac, row_mac};
use crate::app::rotation_state;
use crate::epoch;

mod conversion;

/// The format that is written, and the newest that is understood.
pub(super) const FORMAT: u32 = 5;

/// Bytes, in base64.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// One line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Backup(Header),
    Keyring(Bytes),
    Setting(Setting),
    Code(CodeLine),
    CodePart(Bytes),
    Function(Box<FunctionLine>),
    Approval(ApprovalLine),
    Entity(Box<EntityLine>),
    Secret(Box<SecretLine>),
    Version(VersionLine),
    Rotation(Box<RotationLine>),
    Audit(EntryLine),
    Event(EntryLine),
    Counts(Counts),
    Mac(String),
}

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The format of the file.
    pub format: u32,
    /// The version of the program that wrote it.
    pub pawl: String,
    /// The schema of the store, in that program's own counting.
    pub schema: i64,
    /// A moment before the one whose state it holds.
    pub created_at: Timestamp,
    /// Which store, and how far it was, if it was ever served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<epoch::Mark>,
}

/// Enough of the first line to know whether the rest of it can be read.
#[derive(Deserialize)]
pub(super) struct Probe {
    pub(super) backup: ProbedHeader,
}

#[derive(Deserialize)]
pub(super) struct ProbedHeader {
    pub(super) format: u32,
}

/// How much there is, and the SHA-256 of every line between the first and this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Secrets, replicas and those scheduled for deletion included.
    pub secrets: u64,
    /// Values of versions.
    pub versions: u64,
    /// Rotations that have ended; a file of the first format has none.
    #[serde(default)]
    pub rotations: u64,
    /// Uploaded functions; a file of the first or second format has none.
    #[serde(default)]
    pub functions: u64,
    /// Code of such functions.
    #[serde(default)]
    pub code: u64,
    /// Approvals of what functions may ask for.
    #[serde(default)]
    pub approvals: u64,
    /// Users, roles, policies, keys and the like; a file of an earlier format than the fourth has none.
    #[serde(default)]
    pub entities: u64,
    /// Settings of the installation.
    pub settings: u64,
    /// Audit records.
    pub audit: u64,
    /// Events.
    pub events: u64,
    /// SHA-256 of the content, in hexadecimal: two stores that have the same hold the same.
    pub digest: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    key: String,
    value: Bytes,
}

/// What is known of a component. Its bytes follow, in parts: one may be longer than a line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeLine {
    pub(super) digest: CodeDigest,
    /// Byte for byte as the store has it: JSON within JSON.
    pub(super) document: String,
    /// Its code, as the store has it; a file of an earlier format than the fifth has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<Bytes>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FunctionLine {
    id: String,
    region: Region,
    pub(super) name: FunctionName,
    revision: u64,
    /// The code that it names.
    names: Vec<CodeDigest>,
    /// Byte for byte as the store has it: JSON within JSON.
    pub(super) document: String,
    /// Its code, as the store has it; a file of an earlier format than the fifth has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<Bytes>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApprovalLine {
    region: Region,
    name: FunctionName,
    /// Byte for byte as the store has it: JSON within JSON.
    document: String,
    /// Its code, as the store has it; a file of an earlier format than the fifth has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<Bytes>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityLine {
    pub(super) kind: String,
    region: String,
    pub(super) name: String,
    revision: u64,
    /// The further names by which it is found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    /// Byte for byte as the store has it: JSON within JSON.
    pub(super) document: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sealed: Option<Bytes>,
    /// Its code, as the store has it; a file of an earlier format than the fifth has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<Bytes>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretLine {
    pub(super) arn: SecretArn,
    region: Region,
    name: SecretName,
    revision: u64,
    created_at: Timestamp,
    last_changed_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_accessed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purge_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_rotation_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rotation_due_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replica_of: Option<Region>,
    lease_epoch: u64,
    /// The aggregate, byte for byte as the store has it: JSON within JSON.
    pub(super) document: String,
    /// Its code, as the store has it; a file of an earlier format than the fifth has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<Bytes>,
    /// How its rotation stands, for what the code is of; where there is none, the document says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotation_state: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionLine {
    pub(super) id: VersionId,
    pub(super) sealed: Bytes,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RotationLine {
    arn: SecretArn,
    number: u64,
    token: VersionId,
    status: String,
    requested_at: Timestamp,
    finished_at: Timestamp,
    /// Byte for byte as the store has it: JSON within JSON.
    document: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryLine {
    seq: u64,
    record: String,
}

impl SecretLine {
    fn new(head: SecretRow, lease_epoch: u64) -> Self {
        let SecretRow {
            arn, region, name, revision, document, created_at, purge_at, next_rotation_at, ..
        } = head;
        let SecretRow { rotation_due_at, last_changed_at, last_accessed_at, replica_of, .. } = head;
        let SecretRow { rotation_state, mac, .. } = head;
        let mac = line_mac(&mac);
        let rotation_state = rotation_state.filter(|_| mac.is_some()).map(|state| state.as_str().to_owned());
        Self {
            arn,
            region,
            name,
            revision,
            created_at,
            last_changed_at,
            last_accessed_at,
            purge_at,
            next_rotation_at,
            rotation_due_at,
            replica_of,
            lease_epoch,
            document,
            mac,
            rotation_state,
        }
    }

    /// The secret, without its values.
    pub(super) fn archived(self) -> ArchivedSecret {
        let head = SecretRow {
            rotation_state: match &self.mac {
                Some(_) => self.rotation_state.as_deref().and_then(RotationState::from_word),
                None => rotation_state(&self.document),
            },
            mac: row_mac(self.mac),
            arn: self.arn,
            region: self.region,
            name: self.name,
            revision: self.revision,
            document: self.document,
            created_at: self.created_at,
            purge_at: self.purge_at,
            next_rotation_at: self.next_rotation_at,
            rotation_due_at: self.rotation_due_at,
            last_changed_at: self.last_changed_at,
            last_accessed_at: self.last_accessed_at,
            replica_of: self.replica_of,
        };
        ArchivedSecret { head, lease_epoch: self.lease_epoch, values: Vec::new() }
    }
}

impl CodeLine {
    /// The code, without its bytes.
    pub(super) fn stored(self) -> StoredCode {
        StoredCode {
            digest: self.digest,
            document: self.document,
            component: Vec::new(),
            mac: row_mac(self.mac),
        }
    }
}

impl From<VersionLine> for SealedVersion {
    fn from(line: VersionLine) -> Self {
        Self { version_id: line.id, sealed: line.sealed.0 }
    }
}

impl From<EntryLine> for Entry {
    fn from(line: EntryLine) -> Self {
        Self { seq: line.seq, record: line.record }
    }
}

impl From<Setting> for Piece {
    fn from(setting: Setting) -> Self {
        Self::Setting { key: setting.key, value: setting.value.0 }
    }
}

/// Turns a store's pieces into lines, counting them and digesting them on the way.
#[derive(Default)]
pub(super) struct Content {
    counts: Counts,
    digest: Sha256,
    /// By how much the epochs of leases are lower in what this is compared with.
    epochs_raised: u64,
}

/// A value that cannot be written as JSON. There is none.
#[derive(Debug)]
pub(super) struct Unwritable;

impl Content {
    /// The lines of a store as they were before the epochs of its leases were raised by so much.
    pub(super) fn with_epochs_raised(epochs_raised: u64) -> Self {
        Self { epochs_raised, ..Self::default() }
    }

    /// Appends the lines of `piece` to `out`. What a store says of itself alone has none.
    pub(super) fn lines(&mut self, piece: Piece, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        match piece {
            Piece::Begin { .. } | Piece::End => Ok(()),
            Piece::Keyring(wrapped) => self.line(&Line::Keyring(Bytes(wrapped)), out),
            Piece::Setting { key, .. } if [HALT, epoch::SETTING].contains(&key.as_str()) => Ok(()),
            Piece::Setting { key, value } => {
                self.line(&Line::Setting(Setting { key, value: Bytes(value) }), out)
            }
            Piece::Code(code) => self.code(code, out),
            Piece::Functions(page) => page
                .into_iter()
                .try_for_each(|function| self.line(&Line::Function(Box::new(function.into())), out)),
            Piece::Approvals(page) => {
                page.into_iter().try_for_each(|row| self.line(&Line::Approval(row.into()), out))
            }
            Piece::Entities(page) => {
                page.into_iter().try_for_each(|entity| self.line(&Line::Entity(Box::new(entity.into())), out))
            }
            Piece::Secrets(page) => page.into_iter().try_for_each(|secret| self.secret(secret, out)),
            Piece::Rotations(page) => page
                .into_iter()
                .try_for_each(|rotation| self.line(&Line::Rotation(Box::new(rotation.into())), out)),
            Piece::Audit(page) => page.into_iter().try_for_each(|Entry { seq, record }| {
                self.line(&Line::Audit(EntryLine { seq, record }), out)
            }),
            Piece::Events(page) => page.into_iter().try_for_each(|Entry { seq, record }| {
                self.line(&Line::Event(EntryLine { seq, record }), out)
            }),
        }
    }

    fn code(&mut self, code: StoredCode, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        let StoredCode { digest, document, component, mac } = code;
        self.line(&Line::Code(CodeLine { digest, document, mac: line_mac(&mac) }), out)?;
        component
            .chunks(limits::BACKUP_CODE_PART_BYTES)
            .try_for_each(|part| self.line(&Line::CodePart(Bytes(part.to_vec())), out))
    }

    fn secret(&mut self, secret: ArchivedSecret, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        let ArchivedSecret { head, lease_epoch, values } = secret;
        let line = SecretLine::new(head, lease_epoch.saturating_sub(self.epochs_raised));
        self.line(&Line::Secret(Box::new(line)), out)?;
        values.into_iter().try_for_each(|SealedVersion { version_id, sealed }| {
            self.line(&Line::Version(VersionLine { id: version_id, sealed: Bytes(sealed) }), out)
        })
    }

    fn line(&mut self, line: &Line, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        let from = out.len();
        append(line, out)?;
        self.count(line, out.get(from..).unwrap_or_default());
        Ok(())
    }

    /// Takes note of a line of content.
    pub(super) fn count(&mut self, line: &Line, bytes: &[u8]) {
        self.digest.update(bytes);
        let counts = &mut self.counts;
        match line {
            Line::Secret(_) => counts.secrets += 1,
            Line::Version(_) => counts.versions += 1,
            Line::Rotation(_) => counts.rotations += 1,
            Line::Code(_) => counts.code += 1,
            Line::Function(_) => counts.functions += 1,
            Line::Approval(_) => counts.approvals += 1,
            Line::Entity(_) => counts.entities += 1,
            Line::Setting(_) => counts.settings += 1,
            Line::Audit(_) => counts.audit += 1,
            Line::Event(_) => counts.events += 1,
            // A part is counted with its code.
            Line::CodePart(_) | Line::Backup(_) | Line::Keyring(_) | Line::Counts(_) | Line::Mac(_) => {}
        }
    }

    /// How many secrets there were so far.
    pub(super) const fn secrets(&self) -> u64 {
        self.counts.secrets
    }

    /// What there was.
    pub(super) fn counts(&self) -> Counts {
        let digest = hex::encode(<[u8; 32]>::from(self.digest.clone().finalize()));
        Counts { digest, ..self.counts.clone() }
    }
}

/// Appends a line.
pub(super) fn append(line: &Line, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    serde_json::to_writer(&mut *out, line).map_err(|_| Unwritable)?;
    out.push(b'\n');
    Ok(())
}
