//! Functions in the store: found, and made ready to run.

use std::sync::Arc;
use std::time::Duration;

use pawl_core::function::{
    Approval, Configuration, Digest, Environment, Function, FunctionArn, FunctionName, FunctionRef,
    FunctionVersion, Grants, Invocation, Qualifier, ResolveError,
};
use pawl_core::limits;
use pawl_core::names::Region;
use pawl_core::secret::Pin;
use pawl_core::world::Rng;
use pawl_runtime::{Allowance, Component};
use pawl_store::{Expect, FunctionChange, FunctionRow, RowMac, Store, StoreError};

use super::Functions;
use super::code::Kept;
use super::concurrency::FunctionKey;

#[cfg(test)]
mod tests;

/// A function that is ready to run: one version of it, with its code.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The ARN of this very version: what a rotation is begun with, to find it again by [`Functions::pinned`].
    pub arn: FunctionArn,
    /// Where it is.
    pub region: Region,
    /// The function's name.
    pub name: String,
    /// Which version.
    pub version: FunctionVersion,
    /// Its code.
    pub component: Component,
    /// What it may reach: what its manifest asks for, all of it approved.
    pub grants: Arc<Grants>,
    /// Its environment.
    pub environment: Arc<Environment>,
    /// How long one step of it may take, this host's own ceiling included.
    pub timeout: Duration,
    /// How many bytes of memory it may have, this host's own ceiling included.
    pub memory_bytes: usize,
    /// How many of its invocations may run at once, all versions together; none for as many as the host can.
    pub reserved_concurrency: Option<u32>,
}

impl Resolved {
    /// The function, whichever version of it.
    #[must_use]
    pub fn key(&self) -> FunctionKey {
        (self.region.clone(), self.name.clone())
    }

    /// What a rotation is begun with.
    #[must_use]
    pub fn pin(&self) -> Pin {
        Pin { function: Some(self.arn.clone()), digest: self.component.digest() }
    }

    /// What one step of it may use up.
    #[must_use]
    pub fn allowance(&self) -> Allowance {
        let memory_bytes = u64::try_from(self.memory_bytes).unwrap_or(u64::MAX);
        Allowance { wall: Some(self.timeout), memory_bytes: Some(memory_bytes) }
    }
}

/// Whether what a rotation began with must be approved still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approved {
    /// It must: the rotation can stop where it is, and nobody is locked out.
    Now,
    /// It was when the rotation began, and that has to do: a database may have the new password already (ADR 17).
    AtBeginning,
}

/// Why there is no function to run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// The text names no function, or one that does not exist.
    #[error("there is no function {0}; upload it, or name another one")]
    NoFunction(FunctionArn),
    /// There is no such version or alias of it.
    #[error(transparent)]
    NoVersion(#[from] ResolveError),
    /// No policy on the function allows this invocation.
    #[error("no policy on the function {0} allows this invocation; add a permission to it")]
    NotPermitted(FunctionArn),
    /// Its code asks for what the operator has not approved, or approves no more.
    #[error(
        "the function {name} asks for what is not approved: {}; approve it with `pawl function approve {name} FILE`",
        .beyond.join(", ")
    )]
    NotApproved {
        /// The function's name.
        name: FunctionName,
        /// What it asks for beyond the approval, each in words.
        beyond: Vec<String>,
    },
    /// The code that a rotation began with is gone. It never goes while the rotation runs.
    #[error("the code {0} is not in the store any more; rotate again, with the function's present code")]
    NoCode(Digest),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A stored function and the revision at which it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The aggregate.
    pub function: Function,
    /// How often it was changed.
    pub revision: u64,
}

impl Stored {
    /// A function that is not stored yet.
    #[must_use]
    pub const fn new(function: Function) -> Self {
        Self { function, revision: 0 }
    }

    /// The change that stores the function as it is now, on top of what was read; what else belongs to it is to be added.
    ///
    /// # Errors
    /// When it cannot be written as JSON. There is none.
    pub fn change(&self) -> Result<FunctionChange, StoreError> {
        let broken = |_| StoreError::Broken("a function that cannot be written");
        let document = serde_json::to_string(&self.function).map_err(broken)?;
        let Function { id, region, name, .. } = &self.function;
        let row = FunctionRow {
            id: id.to_string(),
            region: region.clone(),
            name: name.clone(),
            revision: self.revision.saturating_add(1),
            document,
            mac: RowMac::None,
        };
        let expect = if self.revision == 0 { Expect::New } else { Expect::Revision(self.revision) };
        Ok(FunctionChange::new(expect, row, self.function.digests()))
    }
}

impl TryFrom<FunctionRow> for Stored {
    type Error = StoreError;

    fn try_from(row: FunctionRow) -> Result<Self, StoreError> {
        if row.mac.is_refused() {
            return Err(StoreError::Altered { table: "functions" });
        }
        let wrong = |_| StoreError::Inconsistent { table: "functions", column: "document" };
        let function = serde_json::from_str(&row.document).map_err(wrong)?;
        Ok(Self { function, revision: row.revision })
    }
}

/// The uploaded function of this name.
///
/// # Errors
/// When the store fails, or holds what this program did not write.
pub async fn load(
    store: &dyn Store,
    region: &Region,
    name: &FunctionName,
) -> Result<Option<Stored>, StoreError> {
    store.function(region, name).await?.map(Stored::try_from).transpose()
}

/// What the operator has approved for functions of this name.
///
/// # Errors
/// When the store fails, or holds what this program did not write.
pub async fn approval(
    store: &dyn Store,
    region: &Region,
    name: &FunctionName,
) -> Result<Option<Approval>, StoreError> {
    let wrong = |_| StoreError::Inconsistent { table: "approvals", column: "document" };
    let row = store.approval(region, name).await?;
    row.map(|row| serde_json::from_str(&row.document).map_err(wrong)).transpose()
}

/// A function's name in a region, as an ARN gives it.
struct Named {
    region: Region,
    name: FunctionName,
    qualifier: Option<Qualifier>,
}

impl Functions {
    /// What is invoked by this ARN now, by whoever `invocation` says, or by one who was authorised otherwise (none): the version
    /// that its qualifier comes down to, ready to run.
    ///
    /// # Errors
    /// When there is no such function or version, no policy on it allows the invocation, or its grants are not approved.
    pub async fn resolve(
        &self,
        store: &dyn Store,
        arn: &FunctionArn,
        invocation: Option<&Invocation<'_>>,
        rng: &dyn Rng,
    ) -> Result<Resolved, FindError> {
        if let Some(resolved) = self.built_in(arn) {
            return Ok(resolved);
        }
        let none = || FindError::NoFunction(arn.clone());
        let named = self.named(arn).ok_or_else(none)?;
        let Stored { function, .. } = load(store, &named.region, &named.name).await?.ok_or_else(none)?;
        if invocation.is_some_and(|by| !function.allows_invocation(by, named.qualifier.as_ref())) {
            return Err(FindError::NotPermitted(arn.clone()));
        }
        let picked = function.resolve(named.qualifier.as_ref(), rng)?;
        let digest = picked.release.code.digest;
        let kept = self.code.get(store, &digest).await?.ok_or(FindError::NoCode(digest))?;
        let setup = SetUp {
            version: picked.version,
            configuration: Some(&picked.release.configuration),
            reserved_concurrency: function.reserved_concurrency.map(u32::from),
        };
        must_be_approved(store, &named, &kept).await?;
        Ok(self.ready(&named, kept, &setup))
    }

    /// What a rotation began with: the code of this digest, whatever became of the function since. Set up as the version that
    /// the ARN means, or another one with the same code; as by nobody when none is left. A function that is built in, or from a
    /// directory, comes with the code that it has now: look at its digest.
    ///
    /// # Errors
    /// When the code is gone, or its grants are not approved any more.
    pub async fn pinned(
        &self,
        store: &dyn Store,
        arn: &FunctionArn,
        digest: &Digest,
        approved: Approved,
    ) -> Result<Resolved, FindError> {
        if let Some(resolved) = self.built_in(arn) {
            return Ok(resolved);
        }
        let named = self.named(arn).ok_or_else(|| FindError::NoFunction(arn.clone()))?;
        let stored = load(store, &named.region, &named.name).await?;
        let function = stored.as_ref().map(|stored| &stored.function);
        let found = function.and_then(|function| function.pinned(named.qualifier.as_ref(), digest));
        let setup = SetUp {
            version: found.map_or(FunctionVersion::Latest, |found| found.version),
            configuration: found.map(|found| &found.release.configuration),
            reserved_concurrency: function.and_then(|of| of.reserved_concurrency).map(u32::from),
        };
        let kept = self.code.get(store, digest).await?.ok_or(FindError::NoCode(*digest))?;
        if approved == Approved::Now {
            must_be_approved(store, &named, &kept).await?;
        }
        Ok(self.ready(&named, kept, &setup))
    }

    /// A function that is in every region has everything that the host can give.
    fn built_in(&self, arn: &FunctionArn) -> Option<Resolved> {
        let function = self.find(arn)?;
        Some(Resolved {
            arn: arn.clone(),
            region: arn.parse().ok()?.region?,
            name: function.name.clone(),
            version: FunctionVersion::Latest,
            component: function.component.clone(),
            grants: function.grants.clone(),
            environment: function.environment.clone(),
            timeout: limits::STEP_WALL,
            memory_bytes: limits::GUEST_MEMORY_BYTES_MAX,
            reserved_concurrency: None,
        })
    }

    /// An ARN of this account's; none for every other text.
    fn named(&self, arn: &FunctionArn) -> Option<Named> {
        let FunctionRef { region, account, name, qualifier } = arn.parse().ok()?;
        let region = region.filter(|_| account.as_ref() == Some(&self.account))?;
        Some(Named { region, name, qualifier })
    }

    fn ready(&self, named: &Named, kept: Kept, setup: &SetUp<'_>) -> Resolved {
        let name = named.name.as_str();
        let configuration = setup.configuration;
        Resolved {
            arn: FunctionArn::qualified(&named.region, &self.account, name, &setup.version.into()),
            region: named.region.clone(),
            name: name.to_owned(),
            version: setup.version,
            component: kept.component,
            grants: kept.grants,
            environment: Arc::new(configuration.map(|of| of.environment.clone()).unwrap_or_default()),
            timeout: configuration
                .map_or(limits::STEP_WALL, |of| Duration::from_secs(of.timeout.get().into()))
                .min(limits::STEP_WALL),
            memory_bytes: configuration.map_or(limits::GUEST_MEMORY_BYTES_MAX, memory_bytes),
            reserved_concurrency: setup.reserved_concurrency,
        }
    }
}

async fn must_be_approved(store: &dyn Store, named: &Named, kept: &Kept) -> Result<(), FindError> {
    let approval = approval(store, &named.region, &named.name).await?;
    let beyond = kept.grants.beyond(&approval.map(|approval| approval.grants).unwrap_or_default());
    if beyond.is_empty() { Ok(()) } else { Err(FindError::NotApproved { name: named.name.clone(), beyond }) }
}

/// How a version is set up; by nobody, when it is gone.
struct SetUp<'a> {
    version: FunctionVersion,
    configuration: Option<&'a Configuration>,
    reserved_concurrency: Option<u32>,
}

/// AWS's MB are of 2 to the 20th bytes.
fn memory_bytes(configuration: &Configuration) -> usize {
    let bytes = usize::try_from(configuration.memory.get()).unwrap_or(usize::MAX).saturating_mul(1 << 20);
    bytes.min(limits::GUEST_MEMORY_BYTES_MAX)
}
