//! Names that move over a function's versions.

use serde::{Deserialize, Serialize};

use super::{AliasName, Function, FunctionVersion, RevisionId, VersionNumber};
use crate::limits;
use crate::world::Rng;

/// The part of all invocations that an alias sends to its other version, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Weight(u32);

const WHOLE: u32 = 1_000_000;

impl Weight {
    /// The weight that is this fraction of all; none when it is not between 0 and 1. Rounded to millionths.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
    pub fn from_fraction(fraction: f64) -> Option<Self> {
        (0.0..=1.0).contains(&fraction).then(|| Self((fraction * f64::from(WHOLE)).round() as u32))
    }

    /// The fraction of all.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }
}

impl TryFrom<u32> for Weight {
    type Error = &'static str;

    fn try_from(millionths: u32) -> Result<Self, Self::Error> {
        if millionths <= WHOLE {
            Ok(Self(millionths))
        } else {
            Err("a weight is at most a million millionths")
        }
    }
}

impl From<Weight> for u32 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

/// Where an alias sends some of its invocations instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// The other version.
    pub version: VersionNumber,
    /// How many of them.
    pub weight: Weight,
}

/// A name for a version, which can be moved to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The version that it names.
    pub version: FunctionVersion,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where some invocations go instead; none when all go to its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// Tells this state from every other one.
    pub revision_id: RevisionId,
}

impl Alias {
    /// The version for one invocation.
    #[must_use]
    pub fn pick(&self, rng: &dyn Rng) -> FunctionVersion {
        match self.routing {
            Some(Routing { version, weight }) if rng.below(WHOLE) < weight.0 => {
                FunctionVersion::Published(version)
            }
            _ => self.version,
        }
    }

    /// Whether it leads to this version.
    #[must_use]
    pub fn leads_to(&self, version: VersionNumber) -> bool {
        self.version == FunctionVersion::Published(version)
            || self.routing.is_some_and(|routing| routing.version == version)
    }
}

/// What a caller wants of an alias; of one that exists, what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AliasRequest {
    /// The version that it is to name. A new alias needs one.
    pub version: Option<FunctionVersion>,
    /// What it is for.
    pub description: Option<String>,
    /// Where some invocations go instead; `Some(None)` for nowhere.
    pub routing: Option<Option<Routing>>,
}

/// Why an alias is not as somebody wanted it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AliasError {
    /// There is one of this name. ResourceConflictException.
    #[error("Alias already exists: {0}")]
    Exists(AliasName),
    /// There is none of this name. ResourceNotFoundException.
    #[error("Alias not found: {0}")]
    NotFound(AliasName),
    /// It would name a version that does not exist. ResourceNotFoundException.
    #[error("Function version not found: {0}")]
    NoSuchVersion(FunctionVersion),
    /// A new alias without a version. InvalidParameterValueException.
    #[error("an alias names a version: give it a FunctionVersion")]
    NoVersion,
    /// Routing from or to `$LATEST`, or from a version to itself. InvalidParameterValueException.
    #[error("an alias divides invocations between two different published versions, and $LATEST is none")]
    Routing,
    /// The alias has changed since the caller saw it. PreconditionFailedException.
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve \
         the latest Revision Id"
    )]
    StaleRevision,
    /// More than a function has. InvalidParameterValueException.
    #[error("a function has at most {max} aliases; delete one first", max = limits::FUNCTION_ALIASES_MAX)]
    TooMany,
}

impl Function {
    /// CreateAlias.
    ///
    /// # Errors
    /// When the name is taken, or it leads to what is not there.
    pub fn create_alias(
        &mut self,
        name: AliasName,
        request: AliasRequest,
        rng: &dyn Rng,
    ) -> Result<&Alias, AliasError> {
        if self.aliases.contains_key(&name) {
            return Err(AliasError::Exists(name));
        }
        if self.aliases.len() >= limits::FUNCTION_ALIASES_MAX {
            return Err(AliasError::TooMany);
        }
        let alias = Alias {
            version: request.version.ok_or(AliasError::NoVersion)?,
            description: request.description.unwrap_or_default(),
            routing: request.routing.flatten(),
            revision_id: RevisionId::mint(rng),
        };
        self.leads_somewhere(&alias)?;
        Ok(self.aliases.entry(name).or_insert(alias))
    }

    /// UpdateAlias: `expected` is the RevisionId that the caller has seen, when it says one.
    ///
    /// # Errors
    /// When there is no such alias, or it is not as the caller has seen it, or it would lead to what is not there.
    pub fn update_alias(
        &mut self,
        name: &AliasName,
        request: AliasRequest,
        expected: Option<&str>,
        rng: &dyn Rng,
    ) -> Result<&Alias, AliasError> {
        let not_found = || AliasError::NotFound(name.clone());
        let held = self.aliases.get(name).ok_or_else(not_found)?;
        if !held.revision_id.is_expected(expected) {
            return Err(AliasError::StaleRevision);
        }
        let alias = Alias {
            version: request.version.unwrap_or(held.version),
            description: request.description.unwrap_or_else(|| held.description.clone()),
            routing: request.routing.unwrap_or(held.routing),
            revision_id: RevisionId::mint(rng),
        };
        self.leads_somewhere(&alias)?;
        let held = self.aliases.get_mut(name).ok_or_else(not_found)?;
        *held = alias;
        Ok(held)
    }

    /// DeleteAlias, with the policy on it; whether it was there (AWS answers the same in either case).
    pub fn delete_alias(&mut self, name: &AliasName) -> bool {
        self.policies.remove(&super::Qualifier::Alias(name.clone()));
        self.aliases.remove(name).is_some()
    }

    fn leads_somewhere(&self, alias: &Alias) -> Result<(), AliasError> {
        let exists = |number| {
            let version = FunctionVersion::Published(number);
            self.release(version).map(|_| ()).ok_or(AliasError::NoSuchVersion(version))
        };
        match (alias.version, alias.routing) {
            (FunctionVersion::Latest, None) => Ok(()),
            (FunctionVersion::Latest, Some(_)) => Err(AliasError::Routing),
            (FunctionVersion::Published(number), None) => exists(number),
            (FunctionVersion::Published(number), Some(other)) => {
                if number == other.version {
                    return Err(AliasError::Routing);
                }
                exists(number)?;
                exists(other.version)
            }
        }
    }
}
