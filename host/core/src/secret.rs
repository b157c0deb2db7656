//! The secret: everything that is known of it but the values of its versions.

mod rotating;
mod scheduled;

use std::collections::{BTreeMap, BTreeSet};

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

pub use self::rotating::{Pin, Rotate, RotateError, RotationDeedError};
pub use self::scheduled::{CatchUp, NextWindow, PlanWarning, Planned, Turn};
use crate::arn::SecretArn;
use crate::function::FunctionArn;
use crate::limits;
use crate::names::{Label, Region, SecretName, VersionId};
use crate::replica::Replica;
use crate::rotation::Rotation;
use crate::schedule::Schedule;
use crate::version::{ContentMark, Labels, MoveLabelError, Version};
use crate::world::Timestamp;

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// 1 to 128 characters.
    pub key: String,
    /// Up to 256 characters.
    pub value: String,
}

/// How a secret is rotated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationConfig {
    /// False after CancelRotateSecret.
    pub enabled: bool,
    /// The function.
    pub function: FunctionArn,
    /// When; none for rotation by hand only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
}

/// A secret without its values: the aggregate that is loaded, changed and stored as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Its ARN, with the random end.
    pub arn: SecretArn,
    /// Its region.
    pub region: Region,
    /// Its name.
    pub name: SecretName,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The key that the caller named; none for the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// What the caller says its value is of: a name of the caller's choice, which is shown and does nothing.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The policy on it, as JSON text, exactly as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The ids of the users and roles that the policy names, by the ARNs that they had when it was written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub principals: BTreeMap<String, String>,
    /// The region of the secret that this row stands for; none for a secret of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_of: Option<Region>,
    /// The regions to which this secret is replicated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<Replica>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything about it was last changed by a caller or a rotation.
    pub last_changed_at: Timestamp,
    /// The day on which a value was last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accessed_day: Option<Timestamp>,
    /// When a rotation last succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_rotated_at: Option<Timestamp>,
    /// When it is purged; none unless it is scheduled for deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge_at: Option<Timestamp>,
    /// Its tags; none until it was first tagged (AWS then answers an empty list ever after).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Tag>>,
    /// Its versions. Few, and many secrets are kept in memory: a sorted list takes a fifth of a tree's room.
    #[serde(with = "crate::sorted")]
    pub versions: LiteMap<VersionId, Version>,
    /// Where the staging labels are.
    pub labels: Labels,
    /// How it is rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_config: Option<Box<RotationConfig>>,
    /// When the schedule next begins a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_rotation_at: Option<Timestamp>,
    /// The window that this moment is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_window: Option<NextWindow>,
    /// The rotation that runs, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Box<Rotation>>,
    /// Versions whose password a server may have although no label says so, the newest last: of rotations that somebody ended
    /// in the middle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adrift: Vec<VersionId>,
}

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// A version was made, or a pending one got its value: the value is to be stored.
    Stored,
    /// The same token came with the same content: nothing changed.
    AlreadyThere,
}

/// Why a version could not be put.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// A version's value never changes.
    #[error(
        "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}."
    )]
    TokenInUse {
        /// The token.
        token: VersionId,
        /// The secret.
        arn: SecretArn,
    },
    /// More labels than AWS allows on a version.
    #[error("A version can have at most {max} staging labels.", max = limits::LABELS_PER_VERSION_MAX)]
    TooManyLabels,
}

/// Why a caller's change was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It is scheduled for deletion.
    #[error("You can't perform this operation on the secret because it was marked for deletion.")]
    MarkedForDeletion,
    /// A change of what another region owns.
    #[error("Operation not permitted on a replica secret. Call must be made in primary secret's region.")]
    Replica,
    /// The version does not exist.
    #[error("Not a valid version: {0}")]
    NoSuchVersion(VersionId),
    /// AWSCURRENT cannot be on a version that a rotation has not given a value yet.
    #[error("You can't move AWSCURRENT to version {0}, which has no value yet.")]
    NoValue(VersionId),
    /// More labels than AWS allows on a version.
    #[error("A version can have at most {max} staging labels.", max = limits::LABELS_PER_VERSION_MAX)]
    TooManyLabels,
    /// A label could not move.
    #[error(transparent)]
    MoveLabel(#[from] MoveLabelError),
    /// More tags than AWS allows.
    #[error("A secret can have at most {max} tags.", max = limits::TAGS_MAX)]
    TooManyTags,
}

impl Secret {
    /// A new secret without versions.
    #[must_use]
    pub const fn new(arn: SecretArn, region: Region, name: SecretName, now: Timestamp) -> Self {
        Self {
            arn,
            region,
            name,
            description: None,
            kms_key_id: None,
            kind: None,
            policy: None,
            principals: BTreeMap::new(),
            replica_of: None,
            replicas: Vec::new(),
            created_at: now,
            last_changed_at: now,
            last_accessed_day: None,
            last_rotated_at: None,
            purge_at: None,
            tags: None,
            versions: LiteMap::new(),
            labels: Labels::new(),
            rotation_config: None,
            next_rotation_at: None,
            next_window: None,
            rotation: None,
            adrift: Vec::new(),
        }
    }

    /// Notes a change. Two changes never share a moment: AWS's LastChangedDate moves strictly.
    pub fn touch(&mut self, now: Timestamp) {
        let next = Timestamp::from_millis(self.last_changed_at.millis().saturating_add(1));
        self.last_changed_at = now.max(next);
    }

    /// Refuses what AWS refuses on a replica.
    ///
    /// # Errors
    /// When it is one.
    pub const fn must_be_primary(&self) -> Result<(), SecretError> {
        if self.is_replica() { Err(SecretError::Replica) } else { Ok(()) }
    }

    /// Refuses what AWS refuses on a secret that is scheduled for deletion.
    ///
    /// # Errors
    /// When it is.
    pub const fn must_live(&self) -> Result<(), SecretError> {
        if self.purge_at.is_some() { Err(SecretError::MarkedForDeletion) } else { Ok(()) }
    }

    /// PutSecretValue and the value part of CreateSecret and UpdateSecret: stores content under a token, and puts labels on it
    /// (AWSCURRENT when none are named). The first version always gets AWSCURRENT as well.
    ///
    /// # Errors
    /// When the token is in use for other content, or there are too many labels.
    pub fn put(
        &mut self,
        token: &VersionId,
        content: &ContentMark,
        labels: &[Label],
        now: Timestamp,
    ) -> Result<Put, PutError> {
        if self.trial() == Some(token) {
            return Err(PutError::TokenInUse { token: token.clone(), arn: self.arn.clone() });
        }
        let becomes_current =
            labels.is_empty() || labels.contains(&Label::current()) || self.labels.current().is_none();
        let mut borne: BTreeSet<Label> = self.labels.of(token).into_iter().collect();
        borne.extend(labels.iter().cloned());
        borne.extend(becomes_current.then(Label::current));
        if borne.len() > limits::LABELS_PER_VERSION_MAX {
            return Err(PutError::TooManyLabels);
        }
        match self.versions.get_mut(token) {
            Some(version) => match &version.content {
                Some(held) if held == content => return Ok(Put::AlreadyThere),
                Some(_) => return Err(PutError::TokenInUse { token: token.clone(), arn: self.arn.clone() }),
                None => version.content = Some(content.clone()),
            },
            None => {
                self.versions.insert(token.clone(), Version::new(now, Some(content.clone())));
            }
        }
        for label in labels {
            self.labels.attach(label.clone(), token);
        }
        if becomes_current {
            self.make_current(token, now);
        }
        self.touch(now);
        Ok(Put::Stored)
    }

    /// A person's new current version: ends a rotation that is not complete, and counts as one for the schedule.
    fn make_current(&mut self, token: &VersionId, now: Timestamp) {
        self.labels.attach(Label::current(), token);
        // Recorded from AWS: a put that moves AWSCURRENT drops AWSPENDING from where it was.
        if self.labels.pending().is_some_and(|pending| pending != token) {
            self.labels.detach(&Label::pending());
        }
        if let Some(rotation) = self.rotation.as_mut().filter(|rotation| rotation.token != *token) {
            rotation.abandon(now);
            self.remember_adrift();
        }
        self.drop_ended_check();
        self.reschedule(now);
    }

    /// UpdateSecretVersionStage.
    ///
    /// # Errors
    /// When a version does not exist or the label cannot move so.
    pub fn update_stage(
        &mut self,
        label: &Label,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
        now: Timestamp,
    ) -> Result<(), SecretError> {
        self.must_live()?;
        for id in [from, to].into_iter().flatten() {
            if !self.versions.contains_key(id) {
                return Err(SecretError::NoSuchVersion(id.clone()));
            }
        }
        if let Some(to) = to.filter(|to| *label == Label::current() && !self.has_value(to)) {
            return Err(SecretError::NoValue(to.clone()));
        }
        self.labels.update(label, from, to)?;
        if to.is_some_and(|to| self.labels.of(to).len() > limits::LABELS_PER_VERSION_MAX) {
            return Err(SecretError::TooManyLabels);
        }
        // A rotation whose pending label was taken away no longer owns the secret.
        if let Some(rotation) = &mut self.rotation
            && rotation.status.running().is_some()
            && !self
                .labels
                .of(&rotation.token)
                .iter()
                .any(|l| *l == Label::pending() || *l == Label::current())
        {
            rotation.abandon(now);
            self.remember_adrift();
        }
        self.drop_ended_check();
        self.touch(now);
        Ok(())
    }

    /// Sets or replaces tags, keeping their order.
    ///
    /// # Errors
    /// When there would be too many, or the secret is scheduled for deletion.
    pub fn tag(&mut self, tags: Vec<Tag>, now: Timestamp) -> Result<(), SecretError> {
        self.must_live()?;
        let placing = self.placing();
        let held = self.tags.get_or_insert_default();
        for tag in tags {
            match held.iter_mut().find(|t| t.key == tag.key) {
                Some(same) => same.value = tag.value,
                None => held.push(tag),
            }
        }
        if held.len() > limits::TAGS_MAX {
            return Err(SecretError::TooManyTags);
        }
        if self.placing() != placing {
            self.replace_in_window();
        }
        self.touch(now);
        Ok(())
    }

    /// Removes tags; absent ones are no error.
    ///
    /// # Errors
    /// When the secret is scheduled for deletion.
    pub fn untag(&mut self, keys: &[String], now: Timestamp) -> Result<(), SecretError> {
        self.must_live()?;
        let placing = self.placing();
        if let Some(tags) = &mut self.tags {
            tags.retain(|tag| !keys.contains(&tag.key));
        }
        if self.placing() != placing {
            self.replace_in_window();
        }
        self.touch(now);
        Ok(())
    }

    /// Schedules the deletion; a rotation that is running goes on to its end, for stopping in the middle could strand it.
    pub fn schedule_deletion(&mut self, purge_at: Timestamp, now: Timestamp) {
        self.purge_at = Some(purge_at);
        (self.next_rotation_at, self.next_window) = (None, None);
        self.touch(now);
    }

    /// Takes the deletion back; no error when none was scheduled.
    pub fn restore(&mut self, now: Timestamp) {
        if self.purge_at.take().is_some() {
            self.reschedule(now);
            self.touch(now);
        }
    }

    /// Notes that a value was read; whether that is news (dates of access have the grain of a day).
    pub fn note_access(&mut self, id: &VersionId, now: Timestamp) -> bool {
        let day = Some(now.day());
        let news = self.last_accessed_day != day;
        self.last_accessed_day = day;
        match self.versions.get_mut(id) {
            Some(version) if version.last_accessed_day != day => {
                version.last_accessed_day = day;
                true
            }
            _ => news,
        }
    }

    /// Whether reading version `id` at `now` would be news for [`Secret::note_access`].
    #[must_use]
    pub fn access_is_news(&self, id: &VersionId, now: Timestamp) -> bool {
        let day = Some(now.day());
        // The versions of a replica's view are its primary's, with the primary's dates.
        self.last_accessed_day != day
            || !self.is_replica() && self.versions.get(id).is_some_and(|v| v.last_accessed_day != day)
    }

    /// Drops versions without labels by AWS's rule (100 newest and those of the last 24 hours are kept); the ids of the dropped.
    pub fn drop_deprecated(&mut self, now: Timestamp) -> Vec<VersionId> {
        let mut bare: Vec<(Timestamp, VersionId)> = self
            .versions
            .iter()
            .filter(|(id, _)| !self.labels.any_on(id))
            // What the last rotation made may be the password that the database has, whatever became of its labels.
            .filter(|(id, _)| self.rotation.as_ref().is_none_or(|rotation| rotation.token != **id))
            .filter(|(id, _)| !self.adrift.contains(id))
            .map(|(id, version)| (version.created_at, id.clone()))
            .collect();
        if bare.len() <= limits::DEPRECATED_VERSIONS_MAX {
            return Vec::new();
        }
        bare.sort();
        let surplus = bare.len() - limits::DEPRECATED_VERSIONS_MAX;
        let young = limits::DEPRECATED_HOURS_MIN * 3_600_000;
        let old = |created: Timestamp| now.millis_since(created) >= young;
        let dropped: Vec<_> =
            bare.into_iter().take(surplus).filter(|(at, _)| old(*at)).map(|(_, id)| id).collect();
        for id in &dropped {
            self.versions.remove(id);
        }
        dropped
    }
}
