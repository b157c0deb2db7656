//! A secret, a database and a runtime to play a rotation on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use pawl_core::function::{Engine, Environment, Grants, SecretPattern};
use pawl_core::rotation::{Account, Outcome, Step};
use pawl_core::value::{SecretBytes, SecretValue};
use pawl_core::world::Rng;
use pawl_runtime::database::{
    Driver, Drivers, LastWord, Login, LoginFailure, Session, StatementFailure, TextRow, TlsRoots, Work,
};
use pawl_runtime::dial::{Destination, Egress};
use pawl_runtime::port::{Answer, PortError, SecretsPort, Standing, StoredVersion, Which};
use pawl_runtime::{
    Allowance, Component, EarlyLogin, Runtime, RuntimeConfig, StepJob, StepLimits, StepReport,
};

pub(crate) const STEPS: [Step; 4] =
    [Step::CreateSecret, Step::SetSecret, Step::TestSecret, Step::FinishSecret];
const CURRENT_ID: &str = "00000000-0000-0000-0000-000000000001";
const PREVIOUS_ID: &str = "00000000-0000-0000-0000-000000000003";
const PENDING_ID: &str = "00000000-0000-0000-0000-000000000002";

/// Runs a future as a test does.
pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The program that is worker and compiler: this one.
pub(crate) fn program() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// The worker processes that this one has started and that live.
pub(crate) fn workers() -> Vec<i32> {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let processes = processes.filter_map(|name| name.parse::<i32>().ok());
    processes
        .filter(|process| {
            let read = |name: &str| std::fs::read(format!("/proc/{process}/{name}")).unwrap_or_default();
            let stat = String::from_utf8_lossy(&read("stat")).into_owned();
            // After the name in brackets: state, parent.
            let parent =
                stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
            parent == Some(std::process::id()) && read("cmdline").ends_with(b"\0worker\0")
        })
        .collect()
}

/// Numbers that look random and are the same every time.
#[derive(Default)]
struct Dice(AtomicU64);

impl Rng for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let step = |state: u64| {
                state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
            };
            let old =
                self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| Some(step(state))).unwrap();
            *byte = (old >> 56) as u8;
        }
    }
}

/// A secret whose value is a PostgreSQL login.
#[derive(Default)]
pub(crate) struct Secret {
    pub(crate) current: Mutex<String>,
    pub(crate) pending: Mutex<Option<String>>,
    pub(crate) previous: Mutex<Option<String>>,
    pub(crate) promoted: AtomicU64,
    pub(crate) superseded: AtomicBool,
    /// What the host has written into the rotation's history.
    pub(crate) notices: Mutex<Vec<String>>,
    exposed: AtomicBool,
}

impl Secret {
    fn stored(id: &str, value: &str) -> StoredVersion {
        StoredVersion { id: id.parse().unwrap(), value: SecretValue::text(value.to_owned()).unwrap() }
    }

    /// Ends a rotation that was promoted: the pending version is the current one, and the next may begin. Gives the new value.
    pub(crate) fn turn(&self) -> String {
        let new = self.pending.lock().unwrap().take().unwrap();
        let old = std::mem::replace(&mut *self.current.lock().unwrap(), new.clone());
        *self.previous.lock().unwrap() = Some(old);
        self.exposed.store(false, Ordering::SeqCst);
        new
    }

    fn answer<T: Send + 'static>(&self, answer: impl FnOnce(&Self) -> T) -> Answer<'_, T> {
        let answer = if self.superseded.load(Ordering::SeqCst) {
            Err(PortError::Superseded)
        } else {
            Ok(answer(self))
        };
        Box::pin(async { answer })
    }
}

impl SecretsPort for Secret {
    fn token(&self) -> &str {
        PENDING_ID
    }

    fn read(&self, which: Which) -> Answer<'_, Option<StoredVersion>> {
        self.answer(|secret| match which {
            Which::Current => Some(Self::stored(CURRENT_ID, &secret.current.lock().unwrap())),
            Which::Pending => secret.pending.lock().unwrap().as_deref().map(|v| Self::stored(PENDING_ID, v)),
            Which::Previous => {
                secret.previous.lock().unwrap().as_deref().map(|v| Self::stored(PREVIOUS_ID, v))
            }
        })
    }

    fn put_pending(&self, value: SecretValue) -> Answer<'_, StoredVersion> {
        self.answer(|secret| {
            let text = String::from_utf8(value.bytes().expose().to_vec()).unwrap();
            let mut pending = secret.pending.lock().unwrap();
            Self::stored(PENDING_ID, pending.get_or_insert(text))
        })
    }

    fn settle(&self) -> Answer<'_, ()> {
        self.answer(|_| ())
    }

    fn promote(&self) -> Answer<'_, ()> {
        self.answer(|secret| {
            secret.promoted.fetch_add(1, Ordering::SeqCst);
        })
    }

    fn others(&self) -> Answer<'_, Vec<StoredVersion>> {
        self.answer(|_| Vec::new())
    }

    fn open<'a>(&'a self, _: &'a str, _: &'a BTreeSet<SecretPattern>) -> Answer<'a, StoredVersion> {
        Box::pin(async { Err(PortError::Refused("there is no other secret".to_owned())) })
    }

    fn standing(&self) -> Answer<'_, Standing> {
        self.answer(|secret| Standing {
            exposed: secret.exposed.load(Ordering::SeqCst),
            ..Standing::default()
        })
    }

    fn expose(&self) -> Answer<'_, ()> {
        self.answer(|secret| secret.exposed.store(true, Ordering::SeqCst))
    }

    fn refusals<'a>(&'a self, _: &'a Account) -> Answer<'a, u32> {
        self.answer(|_| 0)
    }

    fn note_login<'a>(&'a self, _: &'a Account, _: bool) -> Answer<'a, ()> {
        self.answer(|_| ())
    }

    fn notice<'a>(&'a self, text: &'a str) -> Answer<'a, bool> {
        let text = text.to_owned();
        self.answer(move |secret| {
            let mut notices = secret.notices.lock().unwrap();
            let was_there = notices.contains(&text);
            notices.push(text);
            was_there
        })
    }

    fn fence(&self) -> Answer<'_, ()> {
        self.answer(|_| ())
    }
}

/// A database server with one account.
#[derive(Clone)]
pub(crate) struct Server(Arc<ServerState>);

pub(crate) struct ServerState {
    pub(crate) password: Mutex<String>,
    pub(crate) password_changes: AtomicU64,
    /// Done at every login, before it is answered.
    at_login: Mutex<Option<Box<dyn Fn() + Send>>>,
    /// Whether logins are never answered.
    pub(crate) mute: AtomicBool,
    /// Whether logins dial first, as a real driver does.
    pub(crate) dials: AtomicBool,
}

impl Server {
    fn new(password: &str) -> Self {
        Self(Arc::new(ServerState {
            password: Mutex::new(password.to_owned()),
            password_changes: AtomicU64::new(0),
            at_login: Mutex::new(None),
            mute: AtomicBool::new(false),
            dials: AtomicBool::new(false),
        }))
    }

    pub(crate) fn at_login(&self, what: impl Fn() + Send + 'static) {
        *self.at_login.lock().unwrap() = Some(Box::new(what));
    }
}

impl std::ops::Deref for Server {
    type Target = ServerState;

    fn deref(&self) -> &ServerState {
        &self.0
    }
}

impl Driver for Server {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn login<'a>(
        &'a self,
        to: &'a Destination,
        login: &'a Login,
    ) -> Work<'a, Box<dyn Session>, LoginFailure> {
        Box::pin(async move {
            if let Some(what) = self.at_login.lock().unwrap().as_ref() {
                what();
            }
            if self.dials.load(Ordering::SeqCst) {
                to.connect().await?;
            }
            if self.mute.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if self.password.lock().unwrap().as_bytes() == login.password.expose() {
                Ok(Box::new(self.clone()) as Box<dyn Session>)
            } else {
                Err(LoginFailure::Refused(format!("the server refused `{}`", login.username)))
            }
        })
    }
}

impl Session for Server {
    fn ping(&self) -> Work<'_, (), StatementFailure> {
        Box::pin(async { Ok(()) })
    }

    fn execute<'a>(&'a self, _: &'a str, _: &'a [Option<String>]) -> Work<'a, u64, StatementFailure> {
        Box::pin(async { Ok(7) })
    }

    /// Gives back what it was given; and its password to who asks for that.
    fn query<'a>(
        &'a self,
        statement: &'a str,
        parameters: &'a [Option<String>],
    ) -> Work<'a, Vec<TextRow>, StatementFailure> {
        Box::pin(async move {
            if statement.contains("password") {
                return Ok(vec![vec![Some(self.password.lock().unwrap().clone())]]);
            }
            let mut row = vec![Some(statement.to_owned())];
            row.extend_from_slice(parameters);
            Ok(vec![row])
        })
    }

    fn set_password<'a>(
        &'a self,
        _: &'a str,
        password: &'a SecretBytes,
        last_word: LastWord<'a>,
    ) -> Work<'a, (), StatementFailure> {
        Box::pin(async {
            if !last_word.await {
                return Err(StatementFailure::TakenBack);
            }
            *self.password.lock().unwrap() = String::from_utf8(password.expose().to_vec()).unwrap();
            self.password_changes.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    }
}

/// All of it together.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) secret: Arc<Secret>,
    pub(crate) server: Server,
    pub(crate) directory: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(program(), StepLimits::default())
    }

    pub(crate) fn with(worker_program: PathBuf, limits: StepLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::new("old-password");
        let runtime = Runtime::new(RuntimeConfig {
            worker_program,
            unconfined_workers: false,
            artifact_dir: directory.path().join("compiled"),
            artifact_key: SecretBytes::new(vec![7; 32]),
            limits,
            drivers: Arc::new(Drivers::new([Arc::new(server.clone()) as Arc<dyn Driver>])),
            egress: Arc::new(Egress::default()),
            tls: TlsRoots::load(None).unwrap(),
            rng: Arc::new(Dice::default()),
        });
        let secret = Secret::default();
        *secret.current.lock().unwrap() = r#"{"engine":"postgres","host":"db.internal","username":"app","password":"old-password","note":"kept"}"#.to_owned();
        Self { runtime, secret: Arc::new(secret), server, directory }
    }

    pub(crate) async fn run(&self, component: &Component, step: Step) -> StepReport {
        let grants = builtin().grants();
        self.run_granted(component, step, grants).await
    }

    pub(crate) async fn run_granted(&self, component: &Component, step: Step, grants: Grants) -> StepReport {
        self.run_with(component, step, grants, Environment::new()).await
    }

    pub(crate) async fn run_with(
        &self,
        component: &Component,
        step: Step,
        grants: Grants,
        environment: Environment,
    ) -> StepReport {
        self.runtime
            .run_step(StepJob {
                component: component.clone(),
                step,
                environment: Arc::new(environment),
                grants: Arc::new(grants),
                port: Arc::clone(&self.secret) as Arc<dyn SecretsPort>,
                allowance: Allowance::default(),
                rehearsal: false,
                early: EarlyLogin::default(),
            })
            .await
    }
}

/// The built-in rotator for PostgreSQL.
pub(crate) fn postgres() -> Component {
    Component::new(builtin().bytes)
}

pub(crate) fn builtin() -> &'static pawl_rotators::Builtin {
    pawl_rotators::Builtin::named("pawl-postgres-single-user").unwrap()
}

/// The text of a permanent outcome.
#[track_caller]
pub(crate) fn permanent(report: &StepReport) -> &str {
    match &report.outcome {
        Outcome::Permanent(text) => text,
        other => panic!("{other:?} is not permanent; log: {:?}", report.log),
    }
}

/// The text of a transient outcome.
#[track_caller]
pub(crate) fn transient(report: &StepReport) -> &str {
    match &report.outcome {
        Outcome::Transient(text) => text,
        other => panic!("{other:?} is not transient; log: {:?}", report.log),
    }
}
