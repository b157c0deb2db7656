//! Reading a whole backup before anything of it is believed.

use std::collections::HashMap;
use std::path::Path;

use pawl_core::function::{Digest as CodeDigest, Function};
use pawl_core::key::{Key, KeyId};
use pawl_core::limits;
use pawl_core::names::VersionId;
use pawl_core::secret::Secret;
use pawl_core::world::Timestamp;
use pawl_keyring::{Keyring, RowKey, SealContext, Sealed, SealedMaterial, UnlockedKey};
use pawl_store::{ArchivedEntity, ArchivedFunction, SignedRow};
use sha2::{Digest, Sha256};

use super::drift::Drift;
use super::file::{FileError, Source};
use super::line::{CodeLine, Counts, EntityLine, FunctionLine, Header, Line, SecretLine, VersionLine};
use super::{BackupError, Progress};
use crate::app::KMS_KEYS;
use crate::root_key::RootKeys;

/// A backup that is whole and was not changed.
pub(super) struct Examined {
    pub(super) header: Header,
    pub(super) counts: Counts,
    pub(super) keyring: Keyring,
    pub(super) drift: Vec<Drift>,
    problems: Problems,
}

/// What is wrong with secrets, by their names.
#[derive(Default)]
struct Problems {
    named: Vec<String>,
    more: u64,
}

impl Problems {
    fn add(&mut self, problem: String) {
        if self.named.len() < limits::BACKUP_NAMES_SHOWN {
            self.named.push(problem);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

impl Examined {
    /// Refuses one of which a secret or a value cannot be read.
    pub(super) fn must_be_sound(&mut self, remedy: &'static str) -> Result<(), BackupError> {
        if self.problems.named.is_empty() {
            return Ok(());
        }
        let Problems { named: problems, more } = std::mem::take(&mut self.problems);
        Err(BackupError::Unsound { problems, more, remedy })
    }
}

/// A secret whose values are being read.
struct Current {
    secret: Option<Secret>,
    arn: String,
    seen: Vec<VersionId>,
}

impl Current {
    fn new(line: &SecretLine, problems: &mut Problems) -> Self {
        let secret = serde_json::from_str::<Secret>(&line.document).ok();
        if secret.is_none() {
            problems.add(format!("the document of {} cannot be read", line.arn));
        }
        Self { secret, arn: line.arn.to_string(), seen: Vec::new() }
    }

    fn value(&mut self, line: VersionLine, keys: &Keys<'_>, problems: &mut Problems) {
        let context = SealContext { arn: &self.arn, version_id: line.id.as_str() };
        if !keys.open(&context, line.sealed.0) {
            problems.add(format!("version {} of {} does not open", line.id, self.arn));
        }
        self.seen.push(line.id);
    }

    /// Whether every version that has a value came with it.
    fn end(self, problems: &mut Problems) {
        // A replica's versions are its primary's, and so are the values of some.
        let Some(secret) = self.secret.filter(|secret| secret.replica_of.is_none()) else { return };
        for (id, version) in &secret.versions {
            if version.content.is_some() && !self.seen.contains(id) {
                problems.add(format!("version {id} of {} has no value", self.arn));
            }
        }
    }
}

/// What opens the values of a backup: the keyring, and the KMS keys that came before them.
struct Keys<'a> {
    keyring: &'a Keyring,
    kms: &'a HashMap<KeyId, UnlockedKey>,
}

impl Keys<'_> {
    /// Whether a value opens. One whose KMS key was deleted is lost by intent, and is no fault of the backup.
    fn open(&self, context: &SealContext<'_>, sealed: Vec<u8>) -> bool {
        let Ok(sealed) = Sealed::from_bytes(sealed) else { return false };
        match sealed.key_id() {
            None => self.keyring.open(context, &sealed).is_ok(),
            Some(id) => self.kms.get(&id).is_none_or(|key| key.open(context, &sealed).is_ok()),
        }
    }
}

/// The KMS key of a line, if it is one.
fn kms_key(line: &EntityLine, keyring: &Keyring, problems: &mut Problems) -> Option<UnlockedKey> {
    if line.kind != KMS_KEYS {
        return None;
    }
    let unlocked = || {
        let key: Key = serde_json::from_str(&line.document).ok()?;
        let sealed = SealedMaterial::from_bytes(line.sealed.as_ref()?.0.clone());
        let materials = keyring.open_material(key.arn.as_str(), &sealed).ok()?;
        UnlockedKey::new(key.id, key.arn.to_string(), &materials)
    };
    let unlocked = unlocked();
    if unlocked.is_none() {
        problems.add(format!("the material of the KMS key {} does not open", line.name));
    }
    unlocked
}

/// Code whose parts are being read.
struct Component {
    named: CodeDigest,
    read: Sha256,
}

impl Component {
    fn new(line: &CodeLine) -> Self {
        Self { named: line.digest, read: Sha256::new() }
    }

    /// Whether it is what its name says.
    fn end(self, problems: &mut Problems) {
        if CodeDigest::from_bytes(self.read.finalize().into()) != self.named {
            problems.add(format!("the code {} is not what its digest says", self.named));
        }
    }
}

/// Adds a row that has a code, and is not as it was written: it would be refused where it is restored. One without is of a time
/// before there were codes, or was refused already.
fn authentic(row: &SignedRow, key: &RowKey, problems: &mut Problems) {
    if row.mac().bytes().is_none_or(|code| key.is_code(&row.content(), code)) {
        return;
    }
    let what = match row {
        SignedRow::Secret(row) => format!("the secret {}", row.name),
        SignedRow::Entity(row) => format!("{} {}", row.kind, row.name),
        SignedRow::Function(row) => format!("the function {}", row.name),
        SignedRow::Approval(row) => format!("the approval of {}", row.name),
        SignedRow::Code(row) => format!("what is known of the code {}", row.digest),
    };
    problems.add(format!("{what} is not as pawl wrote it"));
}

/// Looks at a function.
fn function(line: FunctionLine, key: &RowKey, problems: &mut Problems) {
    if serde_json::from_str::<Function>(&line.document).is_err() {
        problems.add(format!("the document of the function {} cannot be read", line.name));
    }
    let ArchivedFunction { row, .. } = line.into();
    authentic(&SignedRow::Function(row), key, problems);
}

/// Looks at a secret, whose values come after it, and ends the one before it.
fn secret(line: SecretLine, current: &mut Option<Current>, key: &RowKey, problems: &mut Problems) {
    if let Some(before) = current.take() {
        before.end(problems);
    }
    *current = Some(Current::new(&line, problems));
    authentic(&SignedRow::Secret(line.archived().head), key, problems);
}

/// Whether an entity's document is one; a KMS key is kept for the values that come after it.
fn entity(
    line: &EntityLine,
    keyring: &Keyring,
    kms: &mut HashMap<KeyId, UnlockedKey>,
    problems: &mut Problems,
) {
    kms.extend(kms_key(line, keyring, problems).map(|key| (key.id(), key)));
    if serde_json::from_str::<serde::de::IgnoredAny>(&line.document).is_err() {
        problems.add(format!("the document of {} {} cannot be read", line.kind, line.name));
    }
}

/// Reads all of a backup: whether it was changed, and, if `opening`, whether every value opens.
pub(super) fn examine(
    path: &Path,
    roots: &RootKeys,
    opening: bool,
    now: Timestamp,
    progress: &Progress,
) -> Result<Examined, BackupError> {
    let mut source = Source::open(path, roots)?;
    let (mut drift, mut problems) = (Vec::new(), Problems::default());
    let (mut current, mut kms) = (None::<Current>, HashMap::new());
    let mut component: Option<Component> = None;
    let key = source.keyring.row_key();
    let misplaced = || BackupError::File { path: path.to_owned(), source: FileError::Changed };
    while let Some(line) = source.next()? {
        if !matches!(line, Line::CodePart(_))
            && let Some(whole) = component.take()
        {
            whole.end(&mut problems);
        }
        match line {
            Line::Code(line) => {
                component = Some(Component::new(&line));
                authentic(&SignedRow::Code(line.stored()), &key, &mut problems);
            }
            Line::CodePart(part) => component.as_mut().ok_or_else(misplaced)?.read.update(&part.0),
            Line::Function(line) => function(*line, &key, &mut problems),
            Line::Approval(line) => authentic(&SignedRow::Approval(line.into()), &key, &mut problems),
            Line::Entity(line) => {
                entity(&line, &source.keyring, &mut kms, &mut problems);
                let ArchivedEntity { row, .. } = (*line).into();
                authentic(&SignedRow::Entity(row), &key, &mut problems);
            }
            Line::Secret(line) => {
                secret(*line, &mut current, &key, &mut problems);
                let begun = current.as_ref().and_then(|current| current.secret.as_ref());
                drift.extend(begun.and_then(|secret| Drift::of(secret, now)));
                progress("verifying", source.secrets());
            }
            Line::Version(line) => {
                let current = current.as_mut().ok_or_else(misplaced)?;
                if opening {
                    current.value(line, &Keys { keyring: &source.keyring, kms: &kms }, &mut problems);
                } else {
                    current.seen.push(line.id);
                }
            }
            Line::Backup(_)
            | Line::Keyring(_)
            | Line::Setting(_)
            | Line::Rotation(_)
            | Line::Audit(_)
            | Line::Event(_)
            | Line::Counts(_)
            | Line::Mac(_) => {}
        }
    }
    if let Some(whole) = component {
        whole.end(&mut problems);
    }
    if let Some(last) = current {
        last.end(&mut problems);
    }
    if !opening {
        problems = Problems::default();
    }
    drift.sort_by(|one, other| {
        (one.reason, &one.region, &one.name).cmp(&(other.reason, &other.region, &other.name))
    });
    Ok(Examined {
        header: source.header.clone(),
        counts: source.counts(),
        keyring: source.keyring,
        drift,
        problems,
    })
}
