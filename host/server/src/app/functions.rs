//! The doors to a function: [`App::read_function`], [`App::create_function`], [`App::change_function`] and those of approvals.
//! Each asks the policy, does its one thing, and stores a record with every change.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pawl_core::function::{Approval, Function, FunctionArn, FunctionName, Qualifier};
use pawl_core::limits;
use pawl_core::names::SecretName;
use pawl_core::world::Timestamp;
use pawl_store::{ApprovalChange, RowMac, StoreError, StoredCode};

use super::App;
use crate::audit::Row;
use crate::cache::Key;
use crate::error::AppError;
use crate::functions::{self, FunctionError, Stored};
use crate::identity::Caller;
use crate::policy::{permit, request_tags};

/// What becomes of a function that was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionFate {
    /// It stays.
    Kept,
    /// It is gone.
    Deleted,
}

/// What somebody wants to do with a function, and what the request says that conditions may look at.
#[derive(Clone, Debug)]
pub struct FunctionAsk {
    action: &'static str,
    keys: Vec<(Cow<'static, str>, String)>,
}

impl From<&'static str> for FunctionAsk {
    fn from(action: &'static str) -> Self {
        Self { action, keys: Vec::new() }
    }
}

impl FunctionAsk {
    /// The tags that the request sets.
    #[must_use]
    pub fn with_tags(mut self, tags: &BTreeMap<String, String>) -> Self {
        self.keys.extend(request_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))));
        self
    }

    /// The keys of the tags that the request takes away.
    #[must_use]
    pub fn without_tags(mut self, taken: &[String]) -> Self {
        self.keys.extend(taken.iter().map(|key| ("aws:TagKeys".into(), key.clone())));
        self
    }
}

impl App {
    /// The ARN of a function in the caller's region.
    #[must_use]
    pub fn function_arn(&self, caller: &Caller, name: &FunctionName) -> FunctionArn {
        FunctionArn::new(&caller.region, &self.account, name.as_str())
    }

    /// Whether the caller may do `action` with a function: by its own policies, for one on a function names services here. The
    /// root identity may do everything; Pawl's own work has no business here (ADR 7).
    ///
    /// # Errors
    /// When it may not.
    pub async fn may(
        &self,
        caller: &Caller,
        ask: impl Into<FunctionAsk>,
        (name, qualifier): (&FunctionName, Option<&Qualifier>),
    ) -> Result<(), FunctionError> {
        let FunctionAsk { action, mut keys } = ask.into();
        if caller.identity.is_some()
            && let Some(stored) = functions::load(&*self.store, &caller.region, name).await?
        {
            let tag = |(key, value): (String, String)| (format!("aws:ResourceTag/{key}").into(), value);
            keys.extend(stored.function.tags.into_iter().map(tag));
        }
        let resource = match qualifier {
            None => self.function_arn(caller, name),
            Some(qualifier) => {
                FunctionArn::qualified(&caller.region, &self.account, name.as_str(), qualifier)
            }
        };
        permit(self, caller, (action, resource.as_str()), &keys, None, None).map_err(FunctionError::Denied)
    }

    /// Whether the caller may do what concerns no function in particular.
    ///
    /// # Errors
    /// When it may not.
    pub fn may_with_functions(&self, caller: &Caller, action: &'static str) -> Result<(), FunctionError> {
        permit(self, caller, (action, "*"), &[], None, None).map_err(FunctionError::Denied)
    }

    /// Whether the caller may have Secrets Manager invoke a function, which AWS asks of whoever begins a rotation. What names no
    /// function of this region and account is found by nobody.
    ///
    /// # Errors
    /// When it may not.
    pub async fn may_invoke(&self, caller: &Caller, named: &FunctionArn) -> Result<(), AppError> {
        let Ok(of) = named.parse() else { return Ok(()) };
        if !of.is_in(&caller.region, &self.account) {
            return Ok(());
        }
        let may = self.may(caller, "lambda:InvokeFunction", (&of.name, of.qualifier.as_ref())).await;
        may.map_err(|error| match error {
            FunctionError::Denied(message) => AppError::NotAllowed(message),
            other => other.into(),
        })
    }

    /// An uploaded function, if there is one of this name.
    ///
    /// # Errors
    /// When the caller may not.
    pub async fn read_function(
        &self,
        caller: &Caller,
        ask: impl Into<FunctionAsk>,
        name: &FunctionName,
    ) -> Result<Option<Stored>, FunctionError> {
        self.may(caller, ask, (name, None)).await?;
        Ok(functions::load(&*self.store, &caller.region, name).await?)
    }

    /// Keeps a new function, and its code.
    ///
    /// # Errors
    /// When the name is taken or for the host's own functions, or the caller may not.
    pub async fn create_function(
        &self,
        caller: &Caller,
        action: &'static str,
        function: Function,
        code: StoredCode,
    ) -> Result<Function, FunctionError> {
        let name = function.name.clone();
        let arn = self.function_arn(caller, &name);
        self.may(caller, FunctionAsk::from(action).with_tags(&function.tags), (&name, None)).await?;
        self.must_be_free(&name)?;
        let stored = Stored::new(function);
        let mut change = stored.change()?;
        change.code = Some(code);
        change.audit.push(self.record(caller, action, &arn, Some(1))?);
        let committed = self.store.commit_function(change).await;
        committed.map_err(|error| FunctionError::of_commit(error, &arn, &name))?;
        Ok(stored.function)
    }

    /// Changes a function: loads it, runs the edit, and commits what it left together with a record of it, and with the code that
    /// it may name now. A lost race runs the edit again on what the winner left. An edit that changes nothing commits nothing.
    ///
    /// # Errors
    /// When there is no such function, the caller may not, or the edit refuses.
    pub async fn change_function<T>(
        &self,
        caller: &Caller,
        ask: impl Into<FunctionAsk>,
        name: &FunctionName,
        code: Option<StoredCode>,
        edit: impl Fn(&mut Function, Timestamp) -> Result<(T, FunctionFate), FunctionError>,
    ) -> Result<(Function, T), FunctionError> {
        let (ask, arn) = (ask.into(), self.function_arn(caller, name));
        self.may(caller, ask.clone(), (name, None)).await?;
        let action = ask.action;
        if self.functions.is_reserved(name.as_str()) {
            return Err(self.not_to_be_changed(&arn, name));
        }
        let turn = SecretName::try_from(name.to_string()).ok().map(|name| Key(caller.region.clone(), name));
        let _turn = match &turn {
            Some(key) => self.turns.take(key).await,
            None => None,
        };
        for _ in 0..limits::CHANGE_TRIES_MAX {
            let loaded = functions::load(&*self.store, &caller.region, name).await?;
            let before = loaded.ok_or_else(|| FunctionError::NotFound(arn.clone()))?;
            let mut function = before.function.clone();
            let (answer, fate) = edit(&mut function, self.clock.now())?;
            if function == before.function && fate == FunctionFate::Kept {
                return Ok((function, answer));
            }
            let stored = Stored { function, revision: before.revision };
            let mut change = stored.change()?;
            change.code = code.clone();
            change.delete = fate == FunctionFate::Deleted;
            let revision = before.revision.saturating_add(1);
            change.audit.push(self.record(caller, action, &arn, Some(revision))?);
            match self
                .store
                .commit_function(change)
                .await
                .map_err(|e| FunctionError::of_commit(e, &arn, name))
            {
                Ok(()) => return Ok((stored.function, answer)),
                Err(FunctionError::Busy(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(FunctionError::Busy(arn))
    }

    /// What the operator has approved for functions of a name.
    ///
    /// # Errors
    /// When the caller may not.
    pub async fn read_approval(
        &self,
        caller: &Caller,
        action: &'static str,
        name: &FunctionName,
    ) -> Result<Option<Approval>, FunctionError> {
        self.may(caller, action, (name, None)).await?;
        Ok(functions::approval(&*self.store, &caller.region, name).await?)
    }

    /// Approves for functions of a name what `approval` says, and nothing else any more; none to take all of it back.
    ///
    /// # Errors
    /// When the caller may not, or the name is one of the host's own functions.
    pub async fn approve_function(
        &self,
        caller: &Caller,
        action: &'static str,
        name: &FunctionName,
        approval: Option<&Approval>,
    ) -> Result<(), FunctionError> {
        let arn = self.function_arn(caller, name);
        self.may(caller, action, (name, None)).await?;
        self.must_be_free(name)?;
        let document = approval.map(serde_json::to_string).transpose().map_err(|_| broken())?;
        let change = ApprovalChange {
            region: caller.region.clone(),
            name: name.clone(),
            document,
            mac: RowMac::None,
            audit: vec![self.record(caller, action, &arn, None)?],
            events: Vec::new(),
        };
        Ok(self.store.commit_approval(change).await?)
    }

    fn must_be_free(&self, name: &FunctionName) -> Result<(), FunctionError> {
        if !self.functions.is_reserved(name.as_str()) {
            Ok(())
        } else if self.functions.own(name.as_str()).is_some() {
            Err(FunctionError::BuiltIn(name.clone()))
        } else {
            Err(FunctionError::Reserved(name.clone()))
        }
    }

    fn not_to_be_changed(&self, arn: &FunctionArn, name: &FunctionName) -> FunctionError {
        match self.functions.own(name.as_str()) {
            Some(_) => FunctionError::BuiltIn(name.clone()),
            None => FunctionError::NotFound(arn.clone()),
        }
    }

    fn record(
        &self,
        caller: &Caller,
        action: &str,
        arn: &FunctionArn,
        revision: Option<u64>,
    ) -> Result<String, StoreError> {
        let row = Row::of(&self.host_id, caller, self.clock.now(), action, arn.as_str());
        Row { revision, ..row }.text().map_err(|_| broken())
    }
}

fn broken() -> StoreError {
    StoreError::Broken("a record that cannot be written")
}
