//! A `pawl serve` of one's own, its command line, and AWS's clients pointed at it.

mod ending;
mod rotating;

use std::fs::{DirBuilder, File};
use std::io::{BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::artifacts;
use crate::aws::{self, Signer};
use crate::command::{Ran, clean};
use crate::database::Database;
use crate::http::{Answer, Request};
use crate::process::{self, Server};
use crate::scratch::Scratch;

/// The access key that every server of the tests is started with.
pub const ACCESS_KEY_ID: &str = "AKIAPAWLTESTSROOTKEY";
/// Its secret.
pub const SECRET_ACCESS_KEY: &str = "the-tests-root-secret-access-key-40chars";
/// The region and account that the tests use.
pub const REGION: &str = "us-east-1";
/// The built-in rotator of PostgreSQL, single user.
pub const POSTGRES_ROTATOR: &str = "arn:aws:lambda:us-east-1:000000000000:function:pawl-postgres-single-user";

const BOOT_LIMIT: Duration = Duration::from_secs(120);

/// Where a server keeps what it keeps.
#[derive(Clone, Debug, Default)]
pub enum Store {
    /// In its data directory; with `PAWL_TEST_STORE=postgres`, in a database of its own in a private PostgreSQL.
    #[default]
    Usual,
    /// In its data directory.
    Embedded,
    /// In a database of its own in a private PostgreSQL.
    Private,
    /// In the PostgreSQL of this URL.
    Shared(String),
}

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where its store is.
    pub store: Store,
    /// What stands in its root key file before the first start; without it, it makes one.
    pub root_key: Option<Vec<u8>>,
    /// With `--dev-clock`: time can be moved.
    pub dev_clock: bool,
    /// With a log of everything.
    pub trace: bool,
    /// With these variables besides, as `PAWL_LOG_FORMAT`.
    pub environment: Vec<(&'static str, String)>,
    /// With the functions of this directory.
    pub functions: Option<PathBuf>,
    /// Another `pawl`, as a bench's release build.
    pub binary: Option<PathBuf>,
    /// With the authority by which clients know it: it speaks TLS, by variables of its environment.
    pub authority: Option<PathBuf>,
}

/// A running (or killed) server and its data directory.
#[derive(Debug)]
pub struct Pawl {
    scratch: Scratch,
    data_dir: PathBuf,
    options: Options,
    /// Its own database, where it is the only one that uses it.
    database: Option<Arc<Database>>,
    server: Server,
    address: SocketAddr,
    started_in: Duration,
}

impl Pawl {
    /// Starts a server on a new data directory.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(options: Options) -> Self {
        let mut pawl = Self::prepare(options);
        pawl.resume();
        pawl
    }

    /// A server with a new data directory, not started yet.
    ///
    /// # Panics
    /// When there is no room for it.
    #[must_use]
    pub fn prepare(mut options: Options) -> Self {
        let scratch = Scratch::new("server");
        let data_dir = scratch.path().join("data");
        if let Some(key) = &options.root_key {
            DirBuilder::new().mode(0o700).create(&data_dir).unwrap();
            let file =
                File::options().write(true).create_new(true).mode(0o600).open(data_dir.join("root-key"));
            file.and_then(|mut file| file.write_all(key)).unwrap();
        }
        let database = match options.store {
            Store::Usual => Database::usual(),
            Store::Private => Some(Database::new()),
            Store::Embedded | Store::Shared(_) => None,
        };
        if let Some(database) = &database {
            options.store = Store::Shared(database.url().to_owned());
        }
        Self {
            scratch,
            data_dir,
            options,
            database: database.map(Arc::new),
            server: Server::default(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            started_in: Duration::ZERO,
        }
    }

    /// The database that it has for itself, where it has one.
    #[must_use]
    pub fn database(&self) -> Option<&Database> {
        self.database.as_deref()
    }

    /// The database that holds its store, where that is one.
    #[must_use]
    pub fn database_url(&self) -> Option<String> {
        match &self.options.store {
            Store::Shared(url) => Some(url.clone()),
            Store::Usual | Store::Private | Store::Embedded => None,
        }
    }

    /// The root key, as another host of the same installation needs it.
    ///
    /// # Panics
    /// When it was never started.
    #[must_use]
    pub fn root_key(&self) -> Option<Vec<u8>> {
        Some(std::fs::read(self.data_dir.join("root-key")).unwrap())
    }

    /// Starts with this variable from now on.
    pub fn set_environment(&mut self, name: &'static str, value: &str) {
        self.options.environment.retain(|(known, _)| *known != name);
        self.options.environment.push((name, value.to_owned()));
    }

    /// A second server, not started, on the data directory of another.
    #[must_use]
    pub fn beside(other: &Self) -> Self {
        Self {
            scratch: Scratch::new("second"),
            data_dir: other.data_dir.clone(),
            options: other.options.clone(),
            database: other.database.clone(),
            server: Server::default(),
            address: other.address,
            started_in: Duration::ZERO,
        }
    }

    /// Starts it again on the same data directory.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn resume(&mut self) {
        if let Err(why) = self.try_resume() {
            panic!("pawl serve did not start:\n{}{why}", self.printed());
        }
    }

    /// As [`Pawl::resume`], for a start that may be refused.
    ///
    /// # Errors
    /// What it has logged, when it ends instead.
    ///
    /// # Panics
    /// When it runs already.
    pub fn try_resume(&mut self) -> Result<(), String> {
        assert!(self.server.id().is_none(), "it is running");
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let mut command = self.command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(self.data_dir());
        if self.options.dev_clock {
            command.arg("--dev-clock");
        }
        if let Store::Shared(url) = &self.options.store {
            command.args(["--database-url", url]);
        }
        if let Some(functions) = &self.options.functions {
            command.arg("--functions-dir").arg(functions);
        }
        if self.options.trace {
            command.env("PAWL_LOG", "trace");
        }
        command.envs(self.options.environment.iter().map(|(name, value)| (*name, value)));
        let from = Instant::now();
        let mut child = command
            .env("PAWL_BOOTSTRAP_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("PAWL_BOOTSTRAP_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("pawl can be run");
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (announce, announced) = std::sync::mpsc::channel();
        let printed = File::options().create(true).append(true).open(self.printed_path()).unwrap();
        std::thread::spawn(move || process::follow(stdout, printed, &announce));
        let Ok(address) = announced.recv_timeout(BOOT_LIMIT) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(self.log());
        };
        self.address = address;
        self.started_in = from.elapsed();
        self.server.set(child);
        Ok(())
    }

    /// From the start of the process to its line "listening".
    #[must_use]
    pub const fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL at which clients call it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let scheme = if self.options.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where its log is, for those who read it while it starts.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.log_path()
    }

    fn log_path(&self) -> PathBuf {
        self.scratch.path().join("stderr")
    }

    fn printed_path(&self) -> PathBuf {
        self.scratch.path().join("stdout")
    }

    /// What it has logged, in all its runs.
    ///
    /// # Panics
    /// When there is no log.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log_path()).unwrap()).into_owned()
    }

    /// What it has printed, in all its runs.
    ///
    /// # Panics
    /// When it was never started.
    #[must_use]
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.printed_path()).unwrap()).into_owned()
    }

    /// The process, to be killed from elsewhere.
    #[must_use]
    pub fn server(&self) -> Server {
        self.server.clone()
    }

    /// `kill -9`.
    pub fn kill9(&self) {
        self.server.kill9();
    }

    /// The processes that it has started.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        process::children_of(self.server.id().expect("it runs"))
    }

    /// Resident memory of it and of its children, in bytes.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let own = self.server.id().expect("it runs");
        process::children_of(own).into_iter().chain([own]).map(process::resident_bytes).sum()
    }

    /// The running process.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.server.id().expect("it runs")
    }

    /// Processor time that the running server itself has taken so far.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        crate::processor::time_taken(self.server.id().expect("it runs"))
    }

    fn binary(&self) -> &Path {
        self.options.binary.as_deref().unwrap_or_else(|| artifacts::pawl())
    }

    /// The `pawl` binary with nothing of this machine's environment.
    fn command(&self) -> Command {
        let mut command = Command::new(self.binary());
        clean(&mut command, self.scratch.path());
        command
    }

    fn point_at(&self, command: &mut Command) {
        let endpoint = self.endpoint();
        if let Some(authority) = &self.options.authority {
            command.env("AWS_CA_BUNDLE", authority);
        }
        command
            .env("PAWL_ENDPOINT_URL", &endpoint)
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "");
    }

    /// Gives another program the environment of a client of this server, and nothing of this machine's.
    pub fn client(&self, command: &mut Command) {
        clean(command, self.scratch.path());
        self.point_at(command);
    }

    /// Runs `pawl ARGUMENTS` as a client of this server.
    ///
    /// # Panics
    /// When the binary cannot be run.
    pub fn cli(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command();
        self.point_at(&mut command);
        Ran::of(command.args(arguments))
    }

    /// Runs `aws secretsmanager ARGUMENTS` against this server.
    ///
    /// # Panics
    /// When the AWS command line is not installed.
    pub fn aws(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("aws");
        self.client(&mut command);
        let endpoint = self.endpoint();
        Ran::of(
            command.args(["--endpoint-url", &endpoint, "--output", "json", "secretsmanager"]).args(arguments),
        )
    }

    /// Runs a Python script with boto3; `sm` is a client of this server and `args` is `arguments`.
    ///
    /// # Panics
    /// When the script fails.
    pub fn boto3(&self, script: &str, arguments: &Value) -> Value {
        let mut command = Command::new("python3");
        self.client(&mut command);
        let whole = format!("{PREAMBLE}\n{script}\n");
        let ran = Ran::of(command.args(["-c", &whole, &arguments.to_string()]));
        assert!(ran.code == Some(0), "the boto3 script failed:\n{}{}", ran.stdout, ran.stderr);
        serde_json::from_str(ran.stdout.trim()).unwrap_or(Value::Null)
    }

    /// The tests' own client's key.
    #[must_use]
    pub fn signer(&self) -> Signer {
        Signer {
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: SECRET_ACCESS_KEY.to_owned(),
            region: REGION.to_owned(),
            service: "secretsmanager".to_owned(),
        }
    }

    /// A call that is not signed yet.
    #[must_use]
    pub fn request(&self, target: &str, body: &[u8]) -> Request {
        aws::request(&self.address.to_string(), target, body)
    }

    /// A signed call of Secrets Manager.
    #[must_use]
    pub fn signed(&self, operation: &str, body: &Value) -> Request {
        let request = self.request(&format!("secretsmanager.{operation}"), body.to_string().as_bytes());
        self.signer().sign(request, aws::now())
    }

    /// Calls an operation and gives whatever it answers.
    #[must_use]
    pub fn try_call(&self, operation: &str, body: &Value) -> Answer {
        self.signed(operation, body).send(self.address)
    }

    /// Calls an operation that must succeed.
    ///
    /// # Panics
    /// When it does not.
    #[expect(clippy::needless_pass_by_value, reason = "reads better at a hundred call sites")]
    pub fn call(&self, operation: &str, body: Value) -> Value {
        let answer = self.try_call(operation, &body);
        assert!(answer.status == 200, "{operation} answered {} {}", answer.status, answer.body);
        answer.json()
    }

    /// Makes a secret with a value.
    pub fn create(&self, name: &str, value: &str) -> Value {
        self.call(
            "CreateSecret",
            json!({"Name": name, "SecretString": value, "ClientRequestToken": aws::token()}),
        )
    }

    /// The value with a label; none when the service says that there is none.
    ///
    /// # Panics
    /// When the service says anything else.
    #[must_use]
    pub fn value(&self, name: &str, label: &str) -> Option<(String, String)> {
        let answer = self.try_call("GetSecretValue", &json!({"SecretId": name, "VersionStage": label}));
        if answer.code() == "ResourceNotFoundException" {
            return None;
        }
        assert!(answer.status == 200, "GetSecretValue answered {} {}", answer.status, answer.body);
        let json = answer.json();
        let text = |field: &str| json.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some((text("VersionId"), text("SecretString")))
    }

    /// The field `password` of the value with a label.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn password(&self, name: &str, label: &str) -> String {
        let (_, value) = self.value(name, label).unwrap_or_else(|| panic!("`{name}` has no {label}"));
        let json: Value = serde_json::from_str(&value).expect("a JSON value");
        json.get("password").and_then(Value::as_str).expect("a password").to_owned()
    }

    /// The labels of a version, as DescribeSecret has them.
    #[must_use]
    pub fn labels(&self, name: &str, version: &str) -> Vec<String> {
        let described = self.call("DescribeSecret", json!({"SecretId": name}));
        let labels =
            described.get("VersionIdsToStages").and_then(|map| map.get(version)).and_then(Value::as_array);
        let mut labels: Vec<String> =
            labels.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        labels.sort();
        labels
    }
}

impl Drop for Pawl {
    fn drop(&mut self) {
        self.server.kill9();
    }
}

/// `sm` is a client without retries; `refused(call, ...)` gives code and message of the error that must come.
const PREAMBLE: &str = include_str!("preamble.py");
