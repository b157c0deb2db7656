//! A function that somebody uploaded: the aggregate that is loaded, changed and stored as one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Alias, AliasName, Code, Configuration, Digest, FunctionName, FunctionVersion, Policy, Qualifier, Release,
    ReservedConcurrency, RevisionId, VersionNumber,
};
use crate::limits;
use crate::names::Region;
use crate::world::{Rng, Timestamp};

#[cfg(test)]
mod tests;

/// A published version: `$LATEST` as it was then. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// `$LATEST` as it was; `last_modified` and `revision_id` are the version's own.
    pub release: Release,
    /// The description that it was given, instead of the function's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A function that somebody uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Tells it from every other function, earlier ones of the same name included.
    pub id: RevisionId,
    /// Its region.
    pub region: Region,
    /// Its name.
    pub name: FunctionName,
    /// When it was made.
    pub created_at: Timestamp,
    /// `$LATEST`.
    pub latest: Release,
    /// The published versions that have not been deleted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<VersionNumber, Version>,
    /// The number of the next version. Those of deleted ones are not given again.
    pub next_version: VersionNumber,
    /// Its aliases.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<AliasName, Alias>,
    /// The policies on it (under `$LATEST`), its versions and its aliases.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<Qualifier, Policy>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// How many of its invocations may run at once; none for as many as the host can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_concurrency: Option<ReservedConcurrency>,
}

/// Why a function could not be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// It has changed since the caller saw it. PreconditionFailedException.
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve \
         the latest Revision Id"
    )]
    StaleRevision,
    /// CodeStorageExceededException.
    #[error(
        "the code of all versions of one function has at most {max} bytes; delete versions that nobody needs",
        max = limits::FUNCTION_CODE_BYTES_MAX
    )]
    TooMuchCode,
}

/// What PublishVersion asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishRequest<'a> {
    /// A description of the version, instead of the function's.
    pub description: Option<String>,
    /// Only the code of this package: AWS's CodeSha256.
    pub digest: Option<Digest>,
    /// Only `$LATEST` with this RevisionId.
    pub expected: Option<&'a str>,
}

/// Why no version was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// `$LATEST` has changed since the caller saw it. PreconditionFailedException.
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve \
         the latest Revision Id"
    )]
    StaleRevision,
    /// The code is not the one that the caller named. InvalidParameterValueException.
    #[error(
        "CodeSHA256 is different from current CodeSHA256 in $LATEST. Please try again with the CodeSHA256 in $LATEST."
    )]
    OtherCode,
    /// More than a function has. CodeStorageExceededException.
    #[error(
        "a function has at most {max} published versions; delete some that no alias names",
        max = limits::FUNCTION_VERSIONS_MAX
    )]
    TooMany,
}

/// Why a version could not be deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteVersionError {
    /// `$LATEST` goes with its function only. InvalidParameterValueException.
    #[error("$LATEST version cannot be deleted without deleting the function.")]
    Latest,
    /// Versions are deleted by number. InvalidParameterValueException.
    #[error("Deletion of aliases is not currently supported.")]
    Alias,
    /// There is none. ResourceNotFoundException.
    #[error("Function version not found: {0}")]
    NotFound(VersionNumber),
    /// An alias leads to it. ResourceConflictException.
    #[error("Version {version} of the function cannot be deleted: the alias {alias} leads to it")]
    Aliased {
        /// It.
        version: VersionNumber,
        /// The alias.
        alias: AliasName,
    },
}

/// Why a qualifier leads nowhere. ResourceNotFoundException, each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// There is no such version.
    #[error("Function version not found: {0}")]
    NoSuchVersion(VersionNumber),
    /// There is no such alias.
    #[error("Cannot find alias: {0}")]
    NoSuchAlias(AliasName),
}

/// Why tags could not be set. InvalidParameterValueException.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// More than AWS allows.
    #[error("a function has at most {max} tags", max = limits::FUNCTION_TAGS_MAX)]
    TooMany,
    /// A key or value that AWS does not allow.
    #[error(
        "a tag's key is 1 to {} characters, and its value at most {}",
        limits::TAG_KEY_CHARS_MAX,
        limits::TAG_VALUE_CHARS_MAX
    )]
    Malformed,
}

/// What a qualifier came down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// Which version.
    pub version: FunctionVersion,
    /// It.
    pub release: &'a Release,
}

impl Function {
    /// CreateFunction.
    #[must_use]
    pub fn create(
        region: Region,
        name: FunctionName,
        code: Code,
        configuration: Configuration,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Self {
        Self {
            id: RevisionId::mint(rng),
            region,
            name,
            created_at: now,
            latest: Release { code, configuration, revision_id: RevisionId::mint(rng), last_modified: now },
            versions: BTreeMap::new(),
            next_version: VersionNumber::FIRST,
            aliases: BTreeMap::new(),
            policies: BTreeMap::new(),
            tags: BTreeMap::new(),
            reserved_concurrency: None,
        }
    }

    /// UpdateFunctionCode: `expected` is the RevisionId that the caller has seen, when it says one.
    ///
    /// # Errors
    /// When `$LATEST` is not as the caller has seen it, or there would be too much code.
    pub fn update_code(
        &mut self,
        code: Code,
        expected: Option<&str>,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<(), UpdateError> {
        self.is_seen(expected)?;
        let mut digests = BTreeSet::from([code.digest]);
        let published = self.versions.values().map(|version| &version.release.code);
        let kept: u64 = published.filter(|code| digests.insert(code.digest)).map(|code| code.bytes).sum();
        if kept.saturating_add(code.bytes) > limits::FUNCTION_CODE_BYTES_MAX {
            return Err(UpdateError::TooMuchCode);
        }
        self.latest.code = code;
        self.touch(now, rng);
        Ok(())
    }

    /// UpdateFunctionConfiguration: `expected` is the RevisionId that the caller has seen, when it says one.
    ///
    /// # Errors
    /// When `$LATEST` is not as the caller has seen it.
    pub fn update_configuration(
        &mut self,
        configuration: Configuration,
        expected: Option<&str>,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<(), UpdateError> {
        self.is_seen(expected)?;
        self.latest.configuration = configuration;
        self.touch(now, rng);
        Ok(())
    }

    /// PublishVersion: the last version again when nothing has changed since.
    ///
    /// # Errors
    /// When `$LATEST` is not what the caller means, or there are too many versions.
    pub fn publish(
        &mut self,
        request: PublishRequest<'_>,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<VersionNumber, PublishError> {
        if !self.latest.revision_id.is_expected(request.expected) {
            return Err(PublishError::StaleRevision);
        }
        if request.digest.is_some_and(|digest| digest != self.latest.code.uploaded().digest) {
            return Err(PublishError::OtherCode);
        }
        if let Some((number, last)) = self.versions.last_key_value()
            && last.release.is_like(&self.latest)
        {
            return Ok(*number);
        }
        if self.versions.len() >= limits::FUNCTION_VERSIONS_MAX {
            return Err(PublishError::TooMany);
        }
        let release =
            Release { revision_id: RevisionId::mint(rng), last_modified: now, ..self.latest.clone() };
        let number = self.next_version;
        self.next_version = number.next();
        self.versions.insert(number, Version { release, description: request.description });
        Ok(number)
    }

    /// DeleteFunction with a qualifier: one version, with the policy on it.
    ///
    /// # Errors
    /// When there is none, or an alias leads to it.
    pub fn delete_version(&mut self, qualifier: &Qualifier) -> Result<(), DeleteVersionError> {
        let version = match qualifier {
            Qualifier::Latest => return Err(DeleteVersionError::Latest),
            Qualifier::Alias(_) => return Err(DeleteVersionError::Alias),
            Qualifier::Version(number) => *number,
        };
        if let Some((alias, _)) = self.aliases.iter().find(|(_, alias)| alias.leads_to(version)) {
            return Err(DeleteVersionError::Aliased { version, alias: alias.clone() });
        }
        self.versions.remove(&version).ok_or(DeleteVersionError::NotFound(version))?;
        self.policies.remove(qualifier);
        Ok(())
    }

    /// TagResource: adds tags, and replaces those of the same keys.
    ///
    /// # Errors
    /// When one is none, or there would be too many; then none is set.
    pub fn tag(&mut self, tags: BTreeMap<String, String>) -> Result<(), TagError> {
        let chars = |text: &str| text.chars().count();
        let good = |(key, value): (&String, &String)| {
            (1..=limits::TAG_KEY_CHARS_MAX).contains(&chars(key))
                && chars(value) <= limits::TAG_VALUE_CHARS_MAX
        };
        if !tags.iter().all(good) {
            return Err(TagError::Malformed);
        }
        let added = tags.keys().filter(|key| !self.tags.contains_key(*key)).count();
        if self.tags.len().saturating_add(added) > limits::FUNCTION_TAGS_MAX {
            return Err(TagError::TooMany);
        }
        self.tags.extend(tags);
        Ok(())
    }

    /// UntagResource. A key that is not there is no mistake.
    pub fn untag(&mut self, keys: &[String]) {
        self.tags.retain(|key, _| !keys.contains(key));
    }

    /// What is invoked by this qualifier, or without one; of an alias that divides its invocations, by chance.
    ///
    /// # Errors
    /// When it leads nowhere.
    pub fn resolve(
        &self,
        qualifier: Option<&Qualifier>,
        rng: &dyn Rng,
    ) -> Result<Resolved<'_>, ResolveError> {
        self.resolve_with(qualifier, |alias| alias.pick(rng))
    }

    /// What a qualifier names, for those who only look at it: of an alias, the version that it names itself.
    ///
    /// # Errors
    /// When it leads nowhere.
    pub fn look_up(&self, qualifier: Option<&Qualifier>) -> Result<Resolved<'_>, ResolveError> {
        self.resolve_with(qualifier, |alias| alias.version)
    }

    fn resolve_with(
        &self,
        qualifier: Option<&Qualifier>,
        pick: impl FnOnce(&Alias) -> FunctionVersion,
    ) -> Result<Resolved<'_>, ResolveError> {
        let version = match qualifier {
            None | Some(Qualifier::Latest) => FunctionVersion::Latest,
            Some(Qualifier::Version(number)) => FunctionVersion::Published(*number),
            Some(Qualifier::Alias(name)) => {
                self.aliases.get(name).map(pick).ok_or_else(|| ResolveError::NoSuchAlias(name.clone()))?
            }
        };
        match version {
            FunctionVersion::Latest => Ok(Resolved { version, release: &self.latest }),
            FunctionVersion::Published(number) => self
                .release(version)
                .map(|release| Resolved { version, release })
                .ok_or(ResolveError::NoSuchVersion(number)),
        }
    }

    /// One version, if it is there.
    #[must_use]
    pub fn release(&self, version: FunctionVersion) -> Option<&Release> {
        match version {
            FunctionVersion::Latest => Some(&self.latest),
            FunctionVersion::Published(number) => self.versions.get(&number).map(|version| &version.release),
        }
    }

    /// The description of a version: its own where it was given one.
    #[must_use]
    pub fn description(&self, version: FunctionVersion) -> Option<&str> {
        match version {
            FunctionVersion::Latest => Some(&self.latest.configuration.description),
            FunctionVersion::Published(number) => self.versions.get(&number).map(|version| {
                version.description.as_deref().unwrap_or(&version.release.configuration.description)
            }),
        }
    }

    /// Whether there is a version or an alias of this qualifier.
    #[must_use]
    pub fn has(&self, qualifier: &Qualifier) -> bool {
        match qualifier {
            Qualifier::Latest => true,
            Qualifier::Version(number) => self.versions.contains_key(number),
            Qualifier::Alias(name) => self.aliases.contains_key(name),
        }
    }

    /// The version with the code of this digest, for a rotation that was begun with it: the one that the rotation's qualifier
    /// means, if that still has it, else any that has.
    #[must_use]
    pub fn pinned(&self, qualifier: Option<&Qualifier>, digest: &Digest) -> Option<Resolved<'_>> {
        let meant = match qualifier {
            None | Some(Qualifier::Latest) => vec![FunctionVersion::Latest],
            Some(Qualifier::Version(number)) => vec![FunctionVersion::Published(*number)],
            Some(Qualifier::Alias(name)) => {
                let alias = self.aliases.get(name);
                let other =
                    alias.and_then(|alias| alias.routing).map(|to| FunctionVersion::Published(to.version));
                alias.map(|alias| alias.version).into_iter().chain(other).collect()
            }
        };
        let newest_first = self.versions.keys().rev().map(|number| FunctionVersion::Published(*number));
        meant
            .into_iter()
            .chain([FunctionVersion::Latest])
            .chain(newest_first)
            .filter_map(|version| self.release(version).map(|release| Resolved { version, release }))
            .find(|resolved| resolved.release.code.digest == *digest)
    }

    /// The digests of all code that it names: what must be kept for it.
    #[must_use]
    pub fn digests(&self) -> BTreeSet<Digest> {
        let published = self.versions.values().map(|version| version.release.code.digest);
        published.chain([self.latest.code.digest]).collect()
    }

    fn is_seen(&self, expected: Option<&str>) -> Result<(), UpdateError> {
        if self.latest.revision_id.is_expected(expected) { Ok(()) } else { Err(UpdateError::StaleRevision) }
    }

    /// Notes a change of `$LATEST`. Two changes never share a moment.
    fn touch(&mut self, now: Timestamp, rng: &dyn Rng) {
        let next = Timestamp::from_millis(self.latest.last_modified.millis().saturating_add(1));
        self.latest.last_modified = now.max(next);
        self.latest.revision_id = RevisionId::mint(rng);
    }
}
