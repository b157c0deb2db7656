//! What belongs to one running step: the guest's limits, its WASI, and the WIT's functions as messages to the host.

use std::collections::BTreeMap;

use pawl_core::limits;
use wasmtime::Trap;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

use super::cut;
use super::link::{configuration, database, log, reveal, secrets};
use super::meter::{Gate, Stop};
use super::pipe::{Pipe, PipeError};
use super::printed::Printed;
use crate::compile::plain;
use crate::wire::{
    Call, Change, DatabaseError, Down, Ended, FrameError, GuestLimits, Handle, LogLevel, LoginError,
    NewValue, PasswordRules, Reply, SecretError, Up, VersionHandle,
};

/// A step's state. The numbers of the WIT's resources are the host's handles: a guest sees neither, only indices of its own
/// handle table, so it cannot name what it was not given.
pub(super) struct Guest {
    pipe: Pipe,
    calls: u32,
    bytes: usize,
    gate: Gate,
    versions: BTreeMap<Handle, VersionHandle>,
    environment: BTreeMap<String, String>,
    wasi: WasiCtx,
    table: ResourceTable,
    printed: Printed,
}

impl Guest {
    pub(super) fn new(pipe: Pipe, environment: &BTreeMap<String, String>, limits: GuestLimits) -> Self {
        let printed = Printed::default();
        let mut wasi = WasiCtx::builder();
        wasi.stdout(printed.clone()).stderr(printed.clone());
        wasi.max_random_size(limits::HOSTCALL_BYTES_MAX as u64);
        for (name, value) in environment {
            wasi.env(name, value);
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::GUEST_HANDLES_MAX);
        Self {
            pipe,
            calls: 0,
            bytes: 0,
            gate: Gate::new(limits.memory_bytes),
            versions: BTreeMap::new(),
            environment: environment.clone(),
            wasi: wasi.build(),
            table,
            printed,
        }
    }

    pub(super) const fn gate(&mut self) -> &mut Gate {
        &mut self.gate
    }

    /// Memory that the guest has had. None is ever given back before its end.
    pub(super) const fn memory_bytes(&self) -> u64 {
        self.gate.used()
    }

    pub(super) fn into_pipe(self) -> Pipe {
        self.pipe
    }

    /// A trap in words that tell the rotator's author what to change.
    pub(super) fn explain(&self, error: &wasmtime::Error, limits: GuestLimits) -> Ended {
        let stderr = self.printed.text();
        let panicked = stderr.contains("panicked at");
        let reason = if let Some(stop) = error.downcast_ref::<Stop>() {
            stop.words(limits)
        } else if error.is::<I32Exit>() {
            "exited within a step".to_owned()
        } else {
            match (error.downcast_ref::<Trap>(), self.gate.words()) {
                (Some(Trap::OutOfFuel), _) => "ran out of fuel".to_owned(),
                (Some(Trap::StackOverflow), _) => "overflowed its stack".to_owned(),
                (Some(Trap::UnreachableCodeReached), Some(memory)) if !panicked => memory,
                (Some(Trap::UnreachableCodeReached), _) if panicked => "panicked".to_owned(),
                (Some(Trap::UnreachableCodeReached), _) => "aborted".to_owned(),
                (Some(trap), _) => format!("trapped: {trap}"),
                // Not even its first memory was granted.
                (None, Some(memory)) => memory,
                (None, None) => host_limit(&plain(error), limits),
            }
        };
        Ended::Trapped { reason, stderr }
    }

    pub(super) fn ask(&mut self, call: Call) -> wasmtime::Result<Reply> {
        self.send(call)?;
        match self.pipe.receive() {
            Ok(Down::Reply(Reply::Violation(text))) => Err(wasmtime::Error::new(Stop::Violation(text))),
            Ok(Down::Reply(reply)) => Ok(reply),
            Ok(_) | Err(_) => Err(wasmtime::Error::new(Stop::Pipe)),
        }
    }

    /// Sends a call. Every one counts, a dropped handle too.
    fn send(&mut self, call: Call) -> wasmtime::Result<()> {
        self.calls = self.calls.saturating_add(1);
        if self.calls > limits::HOSTCALLS_MAX {
            return Err(wasmtime::Error::new(Stop::Calls));
        }
        let sent = self.pipe.send(&Up::Call(call)).map_err(|error| {
            wasmtime::Error::new(match error {
                PipeError::Frame(FrameError::TooLong(_)) => Stop::Bytes,
                _ => Stop::Pipe,
            })
        })?;
        self.bytes = self.bytes.saturating_add(sent);
        if self.bytes > limits::STEP_BYTES_MAX {
            return Err(wasmtime::Error::new(Stop::AllBytes));
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.versions.remove(&handle);
        self.send(Call::Drop(handle))
    }

    fn version(&mut self, version: VersionHandle) -> Resource<secrets::Version> {
        let handle = version.handle;
        self.versions.insert(handle, version);
        Resource::new_own(handle)
    }

    /// Asks for a version that may not be there.
    fn find(
        &mut self,
        call: Call,
    ) -> wasmtime::Result<Result<Option<Resource<secrets::Version>>, secrets::Error>> {
        let Reply::Version(found) = self.ask(call)? else { return Err(mismatch()) };
        Ok(match found {
            Ok(version) => Ok(version.map(|version| self.version(version))),
            Err(error) => Err(error.into()),
        })
    }

    /// Asks for a version that must be there.
    fn get(&mut self, call: Call) -> wasmtime::Result<Result<Resource<secrets::Version>, secrets::Error>> {
        let found = self.find(call)?;
        Ok(found.and_then(|version| {
            version.ok_or_else(|| secrets::Error::NotFound("the secret has no such version".to_owned()))
        }))
    }

    fn statement(&mut self, call: Call) -> wasmtime::Result<Result<(), database::Error>> {
        let Reply::Statement(done) = self.ask(call)? else { return Err(mismatch()) };
        Ok(done.map_err(Into::into))
    }
}

/// Limits that Wasmtime itself holds, and of which it has no type to tell them by.
fn host_limit(text: &str, limits: GuestLimits) -> String {
    if text.contains("fuel allocated for hostcalls") {
        Stop::Bytes.words(limits)
    } else if text.contains("handle limit") || text.contains("no free keys") {
        format!("held more than {} handles", limits::GUEST_HANDLES_MAX)
    } else {
        format!("trapped: {text}")
    }
}

/// The host answered another question. It does not; but a worker that is wrong about that must not go on.
pub(super) fn mismatch() -> wasmtime::Error {
    wasmtime::Error::new(Stop::Violation("the answer does not fit the call".to_owned()))
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl secrets::Host for Guest {}

impl secrets::HostSensitive for Guest {
    fn drop(&mut self, sensitive: Resource<secrets::Sensitive>) -> wasmtime::Result<()> {
        self.forget(sensitive.rep())
    }
}

impl secrets::HostVersion for Guest {
    fn id(&mut self, version: Resource<secrets::Version>) -> wasmtime::Result<String> {
        self.versions.get(&version.rep()).map(|version| version.id.clone()).ok_or_else(mismatch)
    }

    fn text(
        &mut self,
        version: Resource<secrets::Version>,
        field: String,
    ) -> wasmtime::Result<Option<String>> {
        if let Some(texts) = self.versions.get(&version.rep()).and_then(|version| version.texts.as_ref()) {
            return Ok(texts.get(&field).cloned());
        }
        match self.ask(Call::Text { version: version.rep(), field })? {
            Reply::Text(text) => Ok(text),
            _ => Err(mismatch()),
        }
    }

    fn sensitive(
        &mut self,
        version: Resource<secrets::Version>,
        field: String,
    ) -> wasmtime::Result<Option<Resource<secrets::Sensitive>>> {
        match self.ask(Call::Sensitive { version: version.rep(), field })? {
            Reply::Sensitive(Ok(handle)) => Ok(handle.map(Resource::new_own)),
            // The WIT has no error here: a field is there or not, and what else is wrong shows at the next call that has one.
            Reply::Sensitive(Err(_)) => Ok(None),
            _ => Err(mismatch()),
        }
    }

    fn drop(&mut self, version: Resource<secrets::Version>) -> wasmtime::Result<()> {
        self.forget(version.rep())
    }
}

impl secrets::HostRotation for Guest {
    fn id(&mut self, _: Resource<secrets::Rotation>) -> wasmtime::Result<String> {
        match self.ask(Call::Id)? {
            Reply::Id(id) => Ok(id),
            _ => Err(mismatch()),
        }
    }

    fn current(
        &mut self,
        _: Resource<secrets::Rotation>,
    ) -> wasmtime::Result<Result<Resource<secrets::Version>, secrets::Error>> {
        self.get(Call::Current)
    }

    fn pending(
        &mut self,
        _: Resource<secrets::Rotation>,
    ) -> wasmtime::Result<Result<Option<Resource<secrets::Version>>, secrets::Error>> {
        self.find(Call::Pending)
    }

    fn previous(
        &mut self,
        _: Resource<secrets::Rotation>,
    ) -> wasmtime::Result<Result<Option<Resource<secrets::Version>>, secrets::Error>> {
        self.find(Call::Previous)
    }

    fn others(
        &mut self,
        _: Resource<secrets::Rotation>,
    ) -> wasmtime::Result<Result<Vec<Resource<secrets::Version>>, secrets::Error>> {
        let Reply::Versions(found) = self.ask(Call::Others)? else { return Err(mismatch()) };
        let others =
            found.map(|versions| versions.into_iter().map(|version| self.version(version)).collect());
        Ok(others.map_err(Into::into))
    }

    fn exposed(&mut self, _: Resource<secrets::Rotation>) -> wasmtime::Result<Result<bool, secrets::Error>> {
        match self.ask(Call::Exposed)? {
            Reply::Exposed(exposed) => Ok(exposed.map_err(Into::into)),
            _ => Err(mismatch()),
        }
    }

    fn open(
        &mut self,
        _: Resource<secrets::Rotation>,
        secret_id: String,
    ) -> wasmtime::Result<Result<Resource<secrets::Version>, secrets::Error>> {
        self.get(Call::Open { secret_id })
    }

    fn random_password(
        &mut self,
        _: Resource<secrets::Rotation>,
        rules: secrets::PasswordRules,
    ) -> wasmtime::Result<Result<Resource<secrets::Sensitive>, secrets::Error>> {
        match self.ask(Call::RandomPassword(rules.into()))? {
            Reply::Sensitive(Ok(Some(handle))) => Ok(Ok(Resource::new_own(handle))),
            Reply::Sensitive(Err(error)) => Ok(Err(error.into())),
            _ => Err(mismatch()),
        }
    }

    fn put_pending(
        &mut self,
        _: Resource<secrets::Rotation>,
        base: Resource<secrets::Version>,
        changes: Vec<secrets::Change>,
    ) -> wasmtime::Result<Result<Resource<secrets::Version>, secrets::Error>> {
        let changes = changes.into_iter().map(Into::into).collect();
        self.get(Call::PutPending { base: base.rep(), changes })
    }

    fn promote(&mut self, _: Resource<secrets::Rotation>) -> wasmtime::Result<Result<(), secrets::Error>> {
        match self.ask(Call::Promote)? {
            Reply::Promoted(done) => Ok(done.map_err(Into::into)),
            _ => Err(mismatch()),
        }
    }

    fn drop(&mut self, _: Resource<secrets::Rotation>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl database::Host for Guest {}

impl database::HostSession for Guest {
    fn login(
        &mut self,
        credentials: Resource<secrets::Version>,
    ) -> wasmtime::Result<Result<Resource<database::Session>, database::LoginError>> {
        match self.ask(Call::Login { version: credentials.rep() })? {
            Reply::Session(session) => Ok(session.map(Resource::new_own).map_err(Into::into)),
            _ => Err(mismatch()),
        }
    }

    fn ping(
        &mut self,
        session: Resource<database::Session>,
    ) -> wasmtime::Result<Result<(), database::Error>> {
        self.statement(Call::Ping { session: session.rep() })
    }

    fn set_password(
        &mut self,
        session: Resource<database::Session>,
        account: String,
        password: Resource<secrets::Sensitive>,
    ) -> wasmtime::Result<Result<(), database::Error>> {
        self.statement(Call::SetPassword { session: session.rep(), account, password: password.rep() })
    }

    fn mirror_account(
        &mut self,
        session: Resource<database::Session>,
        like: String,
        account: String,
        password: Resource<secrets::Sensitive>,
    ) -> wasmtime::Result<Result<(), database::Error>> {
        let (session, password) = (session.rep(), password.rep());
        self.statement(Call::MirrorAccount { session, like, account, password })
    }

    fn differences(
        &mut self,
        session: Resource<database::Session>,
        like: String,
        account: String,
    ) -> wasmtime::Result<Result<Vec<String>, database::Error>> {
        match self.ask(Call::Differences { session: session.rep(), like, account })? {
            Reply::Differences(found) => Ok(found.map_err(Into::into)),
            _ => Err(mismatch()),
        }
    }

    fn drop(&mut self, session: Resource<database::Session>) -> wasmtime::Result<()> {
        self.forget(session.rep())
    }
}

impl reveal::Host for Guest {
    fn reveal(
        &mut self,
        value: Resource<secrets::Sensitive>,
    ) -> wasmtime::Result<Result<String, secrets::Error>> {
        match self.ask(Call::Reveal { value: value.rep() })? {
            Reply::Revealed(revealed) => Ok(revealed.map_err(Into::into)),
            _ => Err(mismatch()),
        }
    }
}

impl configuration::Host for Guest {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.environment.get(&name).cloned())
    }
}

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        // The host keeps no more of it: the rest is cut off where it costs the guest's time, and not the host's.
        let message = cut(message);
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
        };
        match self.ask(Call::Log { level, message })? {
            Reply::Logged => Ok(()),
            _ => Err(mismatch()),
        }
    }
}

impl From<secrets::PasswordRules> for PasswordRules {
    fn from(rules: secrets::PasswordRules) -> Self {
        Self {
            length: rules.length,
            exclude_characters: rules.exclude_characters,
            exclude_numbers: rules.exclude_numbers,
            exclude_punctuation: rules.exclude_punctuation,
            exclude_uppercase: rules.exclude_uppercase,
            exclude_lowercase: rules.exclude_lowercase,
            require_each_included_type: rules.require_each_included_type,
        }
    }
}

impl From<secrets::Change> for Change {
    fn from(change: secrets::Change) -> Self {
        let value = match change.value {
            secrets::NewValue::Text(text) => NewValue::Text(text),
            secrets::NewValue::Sensitive(sensitive) => NewValue::Sensitive(sensitive.rep()),
        };
        Self { field: change.field, value }
    }
}

impl From<SecretError> for secrets::Error {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::NotFound(text) => Self::NotFound(text),
            SecretError::Malformed(text) => Self::Malformed(text),
            SecretError::Refused(text) => Self::Refused(text),
            SecretError::Superseded => Self::Superseded,
            SecretError::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<LoginError> for database::LoginError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused(text) => Self::Refused(text),
            LoginError::Unreachable(text) => Self::Unreachable(text),
            LoginError::Untrusted(text) => Self::Untrusted(text),
            LoginError::NotGranted(text) => Self::NotGranted(text),
            LoginError::LockoutBudgetSpent(text) => Self::LockoutBudgetSpent(text),
            LoginError::Malformed(text) => Self::Malformed(text),
            LoginError::Rejected(text) => Self::Rejected(text),
            LoginError::Superseded => Self::Superseded,
        }
    }
}

impl From<DatabaseError> for database::Error {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Rejected(code) => Self::Rejected(code),
            DatabaseError::Refused(text) => Self::Refused(text),
            DatabaseError::Superseded => Self::Superseded,
            DatabaseError::Lost(text) => Self::Lost(text),
        }
    }
}
