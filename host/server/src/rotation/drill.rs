//! A rotator's drill, for its author: this host's own store, keyring, secrets, port, machine and sandbox, and in the place
//! of the scheduler somebody who says which step is run, whether its end is noted, and when the host dies.

mod cut;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pawl_api::error::ApiError;
use pawl_api::secrets_manager::shapes::{CreateSecretRequest, RotateSecretRequest};
use pawl_api::{Request, decode};
use pawl_core::arn::SecretId;
use pawl_core::function::FunctionArn;
use pawl_core::limits;
use pawl_core::names::VersionId;
use pawl_core::rotation::{LogLine, Outcome, Rotation, Status, Step, StepRun};
use pawl_core::value::{SecretBytes, SecretValue};
use pawl_runtime::port::{StoredVersion, Which};
use pawl_runtime::{AdmitError, Admitted, Allowance, EarlyLogin, LoginJob, NoLogin, StepJob, StepReport};
use pawl_store::{Claim, StoreError};

use self::cut::Cut;
use super::port::RotationPort;
use super::runner::written;
use crate::app::{Action, Fate};
use crate::error::AppError;
use crate::functions::Function;
use crate::host::Host;
use crate::identity::{Caller, Standing};
use crate::ops::{self, Looking};
use crate::settings::Settings;
use crate::start::{Opened, ServeError, open};
use crate::world::uuid;

/// The name of the secret that is rotated.
const SECRET: &str = "drill";

/// Why a drill cannot go on. What the rotator does is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The host does not open.
    #[error(transparent)]
    Open(#[from] ServeError),
    /// An operation was refused.
    #[error("{}", .0.message)]
    Refused(ApiError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service.
    #[error(transparent)]
    App(#[from] AppError),
    /// Something that must be there is not.
    #[error("{0}")]
    Absent(&'static str),
}

/// What came of a step.
#[derive(Debug)]
pub enum Ran {
    /// It ended.
    Ended(Ended),
    /// The host died before the call that it was told to die before.
    Died,
}

/// How a step ended.
#[derive(Debug)]
pub struct Ended {
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// What the rotator wrote.
    pub log: Vec<LogLine>,
    /// Bytes of memory that it had, most.
    pub memory_bytes: u64,
    /// How often it made the host do something with the secret or its target: each is a place to die before.
    pub calls: u32,
    run: StepRun,
}

/// Whether a version opens what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opens {
    /// The server accepted it.
    Yes,
    /// The server refused it.
    No(String),
    /// It could not be tried; of a secret that is no login to a database, never.
    Untried(String),
}

/// A host and one secret on it.
pub struct Drill {
    settings: Box<dyn Fn() -> Settings + Send + Sync>,
    opened: Option<Opened>,
    function: FunctionArn,
    rotation: Option<(Claim, VersionId)>,
}

impl Drill {
    /// Opens a host on an empty data directory, with the function of this name among those of its `functions_dir`.
    ///
    /// # Errors
    /// When it does not open.
    pub async fn open(
        settings: impl Fn() -> Settings + Send + Sync + 'static,
        function: &str,
    ) -> Result<Self, DrillError> {
        let opened = open(settings()).await?;
        let host = &opened.host;
        let function = FunctionArn::new(&host.region, host.app.account(), function);
        Ok(Self { settings: Box::new(settings), opened: Some(opened), function, rotation: None })
    }

    fn host(&self) -> Result<&Arc<Host>, DrillError> {
        let opened = self.opened.as_ref().ok_or(DrillError::Absent("the host has not come back"))?;
        Ok(&opened.host)
    }

    fn root(&self) -> Result<Caller, DrillError> {
        let host = self.host()?;
        Ok(Caller::root(host.app.account(), host.region.clone(), uuid(&**host.app.rng())))
    }

    fn function(&self) -> Result<Arc<Function>, DrillError> {
        let found = self.host()?.app.functions().find(&self.function);
        found.ok_or(DrillError::Absent("the host does not have the function"))
    }

    /// Compiles the function's code as a server does that takes it.
    ///
    /// # Errors
    /// When the host is not there. That the code is refused is the inner error.
    pub async fn admit(&self) -> Result<Result<Admitted, AdmitError>, DrillError> {
        let component = self.function()?.component.clone();
        Ok(self.host()?.runtime.admit(&component, "drill").await)
    }

    /// Makes the secret.
    ///
    /// # Errors
    /// When it is refused, as a value that is none.
    pub async fn create(&self, value: SecretBytes) -> Result<(), DrillError> {
        let token = uuid(&**self.host()?.app.rng());
        self.call(&CreateSecretRequest {
            name: SECRET.to_owned(),
            client_request_token: Some(token),
            secret_string: Some(value.into()),
            ..Default::default()
        })
        .await
        .map(drop)
    }

    /// Asks for a rotation, as anybody does, and claims it, as the scheduler does.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn rotate(&mut self) -> Result<(), DrillError> {
        let token = uuid(&**self.host()?.app.rng());
        self.call(&RotateSecretRequest {
            secret_id: SECRET.to_owned(),
            client_request_token: Some(token.clone()),
            rotation_lambda_arn: Some(self.function.to_string()),
            ..Default::default()
        })
        .await?;
        let token = VersionId::try_from(token).map_err(AppError::from)?;
        let claim = self.claim().await?;
        self.rotation = Some((claim, token));
        Ok(())
    }

    async fn call<R: Request>(&self, request: &R) -> Result<(), DrillError> {
        let body = serde_json::to_vec(request).map(zeroize::Zeroizing::new);
        let body = body.map_err(|_| DrillError::Absent("a request cannot be written"))?;
        decode::<R>(&body).map_err(DrillError::Refused)?;
        let done = ops::perform(self.host()?, &self.root()?, R::TARGET, &body).await;
        done.map(drop).map_err(DrillError::Refused)
    }

    async fn claim(&self) -> Result<Claim, DrillError> {
        let host = self.host()?;
        let (now, wall) = (host.app.clock().now(), host.app.clock().wall());
        let claims = host.app.queue().claim_rotations(now, wall, &host.owner, limits::LEASE, 1).await?;
        claims.into_iter().next().ok_or(DrillError::Absent("there is no rotation to claim"))
    }

    /// The host dies, and another one starts on its data directory: all memory is gone, all worker processes are, and the lease is
    /// another. A rotation that has not ended is claimed anew.
    ///
    /// # Errors
    /// When the host does not come back.
    pub async fn crash(&mut self) -> Result<(), DrillError> {
        drop(self.opened.take());
        self.opened = Some(open((self.settings)()).await?);
        if let Some((_, token)) = self.rotation.take()
            && self.status().await?.running().is_some()
        {
            self.rotation = Some((self.claim().await?, token));
        }
        Ok(())
    }

    fn at(&self) -> Result<SecretId, DrillError> {
        let name = SECRET.parse().map_err(AppError::from)?;
        Ok(SecretId { name, place: None, arn: None })
    }

    async fn known(&self) -> Result<Rotation, DrillError> {
        let held = self.host()?.app.read_at(&self.root()?, Action::DescribeSecret, &self.at()?).await?;
        let rotation = held.secret.rotation.as_deref().cloned();
        rotation.ok_or(DrillError::Absent("the secret has never been rotated"))
    }

    /// Where the rotation stands.
    ///
    /// # Errors
    /// When there is none.
    pub async fn status(&self) -> Result<Status, DrillError> {
        Ok(self.known().await?.status)
    }

    fn port(&self) -> Result<(RotationPort, Caller), DrillError> {
        let (claim, token) = self.rotation.as_ref().ok_or(DrillError::Absent("no rotation is under way"))?;
        let caller = Caller::rotation(&self.function, claim.region.clone(), token);
        let port = RotationPort {
            host: self.host()?.clone(),
            caller: caller.clone(),
            id: self.at()?,
            token: token.clone(),
            epoch: claim.epoch,
            promoted_at: Arc::default(),
            ahead: super::ahead::Ahead::default(),
        };
        Ok((port, caller))
    }

    /// Runs one step, whichever is due, and notes nothing. With a number the host dies before its so manieth call; then
    /// [`Drill::crash`] is to follow.
    ///
    /// # Errors
    /// When no rotation is under way.
    pub async fn run(&self, step: Step, dies_before: Option<u32>) -> Result<Ran, DrillError> {
        let function = self.function()?;
        let host = self.host()?;
        let port = Arc::new(Cut::new(self.port()?.0, dies_before));
        let (started_at, began) = (host.app.clock().now(), Instant::now());
        let work = host.runtime.run_step(StepJob {
            component: function.component.clone(),
            step,
            environment: function.environment.clone(),
            grants: function.grants.clone(),
            port: port.clone(),
            allowance: Allowance::default(),
            rehearsal: false,
            // A host that dies takes it along.
            early: EarlyLogin::default(),
        });
        let report = tokio::select! {
            report = Box::pin(work) => report,
            () = port.reached() => return Ok(Ran::Died),
        };
        let took = began.elapsed();
        let StepReport { outcome, log, proof, changed_at, used, .. } = report;
        let log: Vec<LogLine> = log.into_iter().map(|line| written(step, line)).collect();
        let changed_at = changed_at.map(|_| host.app.clock().now());
        let run = StepRun { started_at, took, log: log.clone(), proof, changed_at, gap: None };
        Ok(Ran::Ended(Ended {
            outcome,
            took,
            log,
            memory_bytes: used.memory_bytes,
            calls: port.calls(),
            run,
        }))
    }

    /// Notes how a step ended; where the rotation stands then.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn note(&self, step: Step, ended: Ended) -> Result<Status, DrillError> {
        let (port, caller) = self.port()?;
        let Ended { outcome, run, .. } = ended;
        let app = &port.host.app;
        let edit = |draft: &mut crate::app::Draft<'_>| {
            let (now, end) = (draft.now, (step, outcome.clone()));
            draft.secret.step_ended(&port.token, end, run.clone(), now, &**app.rng());
            let goes_on = draft.secret.rotation.as_ref().is_some_and(|r| r.status.running().is_some());
            Ok(((), if goes_on { Fate::Kept } else { Fate::Released }))
        };
        app.change_at(&caller, Action::RotationStep, &port.id, Some(port.epoch), edit).await?;
        self.status().await
    }

    /// A version's value as it is stored.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn stored(&self, which: Which) -> Result<Option<(VersionId, SecretValue)>, DrillError> {
        let host = self.host()?;
        let standing = Caller { standing: Standing::Rotation, ..self.root()? };
        let held = host.app.read_at(&standing, Action::RotationStep, &self.at()?).await?;
        let labels = &held.secret.labels;
        let id = match which {
            Which::Current => labels.current(),
            Which::Pending => labels.pending(),
            Which::Previous => labels.previous(),
        };
        let with_value = |id: &&VersionId| held.secret.versions.get(*id).is_some_and(|v| v.content.is_some());
        match id.filter(with_value) {
            Some(id) => Ok(Some(host.app.open_selected(&held, Some(id), None).await?)),
            None => Ok(None),
        }
    }

    /// Whether a version opens the database that it describes. No rotator has a part in it.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn opens(&self, which: Which) -> Result<Opens, DrillError> {
        let version = |stored: (VersionId, SecretValue)| StoredVersion { id: stored.0, value: stored.1 };
        let absent = DrillError::Absent("there is no such version");
        let tried = self.stored(which).await?.map(version).ok_or(absent)?;
        let current = self.stored(Which::Current).await?.map(version);
        let job = LoginJob {
            port: Arc::new(Looking::at(current)),
            grants: self.function()?.grants.clone(),
            versions: vec![tried],
        };
        let tried = self.host()?.runtime.try_logins(job).await;
        Ok(match tried.into_iter().next().map(|login| login.result) {
            Some(Ok(())) => Opens::Yes,
            Some(Err(NoLogin::Refused(text))) => Opens::No(text),
            Some(Err(NoLogin::Unreachable(text) | NoLogin::NotTried(text))) => Opens::Untried(text),
            None => Opens::Untried("nothing was tried".to_owned()),
        })
    }
}
