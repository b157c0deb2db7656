//! The whole of this crate behind one type: admits components, keeps them compiled, and runs their steps.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use pawl_core::function::Digest;
use pawl_core::limits;
use pawl_core::rotation::Outcome;
use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use crate::artifact::Artifacts;
use crate::capability::{
    Capabilities, CapabilityConfig, EarlyLogin, LogLine, LoginJob, Severity, TriedLogin,
};
use crate::compile::queue::Queue;
use crate::compile::{self, AdmitError, Admitted, Compiled};
use crate::crew::Crew;
use crate::database::{Drivers, TlsRoots};
use crate::dial::Egress;
use crate::engine::Identity;
use crate::pool::{Leased, Pool, WorkerCounts, WorkerFailure};
use crate::program::Program;
use crate::step::{self, Ran, StepJob, StepLimits, StepReport};
use crate::wire::Used;

/// A component's bytes and their digest.
#[derive(Clone)]
pub struct Component {
    digest: Digest,
    bytes: Arc<[u8]>,
}

impl Component {
    /// A component, whatever is in it: [`Runtime::prepare`] tells whether it is one.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { digest: Digest::from_bytes(Sha256::digest(&bytes).into()), bytes }
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({}, {} bytes)", self.digest, self.bytes.len())
    }
}

/// What a runtime is made of.
pub struct RuntimeConfig {
    /// The program that is run as `PROGRAM worker` and `PROGRAM compile`, this very build of it: `/proc/self/exe` stays that
    /// when the file is replaced.
    pub worker_program: PathBuf,
    /// Whether guests are run where the kernel has no filters of system calls. They are not, unless an operator says so.
    pub unconfined_workers: bool,
    /// Where compiled components are kept. Made when it is needed.
    pub artifact_dir: PathBuf,
    /// The key under which they are authenticated.
    pub artifact_key: SecretBytes,
    /// What one step may use up.
    pub limits: StepLimits,
    /// The databases that the host can log in to.
    pub drivers: Arc<Drivers>,
    /// Where no function may dial, whatever its grants.
    pub egress: Arc<Egress>,
    /// By which servers are trusted that functions have requests made of.
    pub tls: TlsRoots,
    /// Where passwords come from.
    pub rng: Arc<dyn Rng>,
}

/// Runs rotators in worker processes, and does on threads of its own what they ask for.
pub struct Runtime {
    crew: Crew,
    rotators: Arc<Rotators>,
}

/// What is done on the crew's threads.
struct Rotators {
    program: Program,
    artifacts: Artifacts,
    limits: StepLimits,
    drivers: Arc<Drivers>,
    egress: Arc<Egress>,
    tls: TlsRoots,
    rng: Arc<dyn Rng>,
    pool: Pool,
    engine: OnceCell<Identity>,
    /// Compiling takes gigabytes at worst: few at a time.
    compilations: Queue,
}

/// Why a step did not get as far as running.
enum NotRun {
    Admit(AdmitError),
    Worker(WorkerFailure),
}

impl From<AdmitError> for NotRun {
    fn from(error: AdmitError) -> Self {
        Self::Admit(error)
    }
}

impl From<WorkerFailure> for NotRun {
    fn from(failure: WorkerFailure) -> Self {
        Self::Worker(failure)
    }
}

impl NotRun {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Admit(error @ AdmitError::Unavailable(_)) => Outcome::Transient(error.to_string()),
            Self::Admit(error) => Outcome::Permanent(error.to_string()),
            Self::Worker(failure) => failure.outcome(),
        }
    }
}

impl Runtime {
    /// A runtime. Starts no thread and no process yet.
    #[must_use]
    pub fn new(config: RuntimeConfig) -> Self {
        let program = Program::new(config.worker_program, config.unconfined_workers);
        let rotators = Rotators {
            pool: Pool::new(program.clone(), config.limits.respite),
            program,
            artifacts: Artifacts::new(config.artifact_dir, config.artifact_key),
            limits: config.limits,
            drivers: config.drivers,
            egress: config.egress,
            tls: config.tls,
            rng: config.rng,
            engine: OnceCell::new(),
            compilations: Queue::default(),
        };
        Self { crew: Crew::default(), rotators: Arc::new(rotators) }
    }

    /// Makes sure that a component is a rotator, asks for nothing that there is not, and is kept compiled.
    ///
    /// # Errors
    /// When it is none, asks for more, is too costly to compile, or could not be compiled or kept this time.
    pub async fn prepare(&self, component: &Component) -> Result<(), AdmitError> {
        let (rotators, component) = (Arc::clone(&self.rotators), component.clone());
        self.crew.run(async move { rotators.artifact(&component).await.map(drop) }).await
    }

    /// Makes sure of the same, and tells what the component says of itself and imports. Whether a manifest is understood, and
    /// whether its grants are approved, is for whoever admits it. `asker` is whose it is: he waits for what he has had compiled before,
    /// and not for all that another has.
    ///
    /// # Errors
    /// As [`Runtime::prepare`].
    pub async fn admit(&self, component: &Component, asker: &str) -> Result<Admitted, AdmitError> {
        let (rotators, component) = (Arc::clone(&self.rotators), component.clone());
        let asker = asker.to_owned();
        self.crew.run(async move { rotators.admit(&component, &asker).await }).await
    }

    /// Starts worker processes ahead of the first step and of each that replaces another, and learns which engine they have. A failure shows at that step.
    pub async fn prestart(&self) {
        let rotators = Arc::clone(&self.rotators);
        self.crew.run(async move { rotators.prestart().await }).await;
    }

    /// The process ids of the workers that wait for work.
    #[must_use]
    pub fn idle_workers(&self) -> Vec<u32> {
        self.rotators.pool.idle()
    }

    /// How many workers there have been.
    #[must_use]
    pub fn workers(&self) -> WorkerCounts {
        self.rotators.pool.counts()
    }

    /// Does work between the steps of rotations on the threads on which steps are done: from one to the next no other thread has to
    /// be woken, and what it costs gives way to requests as they do.
    pub async fn beside<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.crew.run(work).await
    }

    /// Runs one step. Never fails: what goes wrong is the report's outcome.
    pub async fn run_step(&self, job: StepJob) -> StepReport {
        let rotators = Arc::clone(&self.rotators);
        self.crew.run(async move { rotators.run_step(job).await }).await
    }

    /// Tries the logins that versions of a secret describe, one after the other, and stops at the first that is accepted. No
    /// guest has a part in it; the grants are those of the function that rotates the secret.
    pub async fn try_logins(&self, job: LoginJob) -> Vec<TriedLogin> {
        let rotators = Arc::clone(&self.rotators);
        self.crew.run(async move { rotators.try_logins(job).await }).await
    }
}

impl Rotators {
    async fn admit(&self, component: &Component, asker: &str) -> Result<Admitted, AdmitError> {
        if self.kept(component.digest()).await?.is_some() {
            return compile::inspect(&self.program, component.bytes()).await;
        }
        let _turn = self.compilations.turn(asker).await;
        let (admitted, _) = self.compile(component).await?;
        Ok(admitted)
    }

    async fn prestart(&self) {
        if let Err(error) = self.pool.prestart().await {
            tracing::warn!(%error, "no worker process could be started ahead of the first rotation");
        }
        if let Err(error) = self.engine().await {
            tracing::warn!(%error, "the compiler could not be started ahead of the first rotation");
        }
    }

    async fn run_step(&self, job: StepJob) -> StepReport {
        let mut capabilities = Capabilities::new(CapabilityConfig {
            port: Arc::clone(&job.port),
            grants: Arc::clone(&job.grants),
            environment: Arc::clone(&job.environment),
            drivers: Arc::clone(&self.drivers),
            egress: Arc::clone(&self.egress),
            tls: self.tls.clone(),
            step: Some(job.step),
            rng: Arc::clone(&self.rng),
            rehearsal: job.rehearsal,
            early: job.early.clone(),
            patience: limits::TCP_TIMEOUT,
        });
        let (outcome, printed, used) = self.outcome(&job, &mut capabilities).await;
        let mut log = capabilities.take_log();
        if let Some(text) = printed {
            log.push(LogLine { severity: Severity::Warn, text });
        }
        // Whatever the guest made of it: this rotation has lost the secret.
        let outcome = if capabilities.was_superseded() { Outcome::Superseded } else { outcome };
        let (proof, changed_at) = (capabilities.proof(), capabilities.changed_at());
        let (reveals, would) = (capabilities.reveals(), capabilities.take_would());
        StepReport { outcome, log, proof, changed_at, used, reveals, would }
    }

    /// Runs the step, and once more on another worker if the first died before the guest had asked for anything.
    async fn outcome(
        &self,
        job: &StepJob,
        capabilities: &mut Capabilities,
    ) -> (Outcome, Option<String>, Used) {
        let allowed = self.limits.within(job.allowance);
        let mut deaths = 0;
        loop {
            let ran = match self.ready(&job.component).await {
                Ok(leased) => {
                    let what = (&job.component, job.step, job.environment.as_ref());
                    step::run(leased, &allowed, what, capabilities).await
                }
                Err(NotRun::Worker(failure @ WorkerFailure::Gone(_))) => Ran::Died(failure),
                Err(error) => return (error.outcome(), None, Used::default()),
            };
            match ran {
                Ran::Ended { outcome, printed, used } => return (outcome, printed, used),
                Ran::Died(failure) if deaths == limits::WORKER_DEATHS_MAX => {
                    return (failure.outcome(), None, Used::default());
                }
                Ran::Died(failure) => {
                    tracing::warn!(error = %failure, "a worker process died; its step is given to another one");
                    deaths += 1;
                }
            }
        }
    }

    async fn try_logins(&self, job: LoginJob) -> Vec<TriedLogin> {
        let mut capabilities = Capabilities::new(CapabilityConfig {
            port: job.port,
            grants: job.grants,
            environment: Arc::default(),
            drivers: Arc::clone(&self.drivers),
            egress: Arc::clone(&self.egress),
            tls: self.tls.clone(),
            step: None,
            rng: Arc::clone(&self.rng),
            rehearsal: true,
            early: EarlyLogin::default(),
            patience: limits::TCP_TIMEOUT,
        });
        let mut tried = Vec::new();
        for version in job.versions {
            let login = capabilities.try_login(&version).await;
            let accepted = login.result.is_ok();
            tried.push(login);
            if accepted {
                break;
            }
        }
        tried
    }

    /// A worker that has the component.
    async fn ready(&self, component: &Component) -> Result<Leased, NotRun> {
        let digest = component.digest();
        self.pool.respite(digest).await;
        let mut leased = self.pool.lease(Some(digest)).await?;
        if leased.worker().has(digest) {
            return Ok(leased);
        }
        // Compiling may take a minute: no place in the pool is held for so long.
        leased.give_back();
        let artifact = self.artifact(component).await?;
        let mut leased = self.pool.lease(Some(digest)).await?;
        if !leased.worker().has(digest) {
            leased.load(digest, artifact).await?;
        }
        Ok(leased)
    }

    async fn engine(&self) -> Result<Identity, AdmitError> {
        self.engine.get_or_try_init(|| compile::identity_of(&self.program)).await.copied()
    }

    /// A component's machine code, compiled now if it is not kept.
    async fn artifact(&self, component: &Component) -> Result<Vec<u8>, AdmitError> {
        if let Some(artifact) = self.kept(component.digest()).await? {
            return Ok(artifact);
        }
        // For a step, or a host that starts: nobody's upload.
        let _turn = self.compilations.turn(&component.digest().to_string()).await;
        // Another may have compiled it while this one waited.
        if let Some(artifact) = self.kept(component.digest()).await? {
            return Ok(artifact);
        }
        let (_, artifact) = self.compile(component).await?;
        Ok(Arc::unwrap_or_clone(artifact))
    }

    async fn kept(&self, digest: Digest) -> Result<Option<Vec<u8>>, AdmitError> {
        let engine = self.engine().await?;
        self.artifacts.find(digest, engine).await.map_err(|error| AdmitError::Unavailable(error.to_string()))
    }

    /// Compiles a component and keeps it. The caller has a turn.
    async fn compile(&self, component: &Component) -> Result<(Admitted, Arc<Vec<u8>>), AdmitError> {
        let Compiled { admitted, identity, artifact } =
            compile::compile(&self.program, component.bytes()).await?;
        let artifact = Arc::new(artifact);
        self.artifacts
            .keep(component.digest(), identity, Arc::clone(&artifact))
            .await
            .map_err(|error| AdmitError::Unavailable(error.to_string()))?;
        Ok((admitted, artifact))
    }
}
