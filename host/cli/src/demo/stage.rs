//! Where the demo plays: a directory and the servers in it, all of which goes away with it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pawl_core::limits;
use pawl_server::world::{SystemRng, uuid};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::CommandError;
use crate::demo::programs::search_path;

/// What a process that SIGINT has ended is taken to exit with.
const INTERRUPTED: i32 = 130;
/// Lines of a server's log that tell why it did not start.
const LOG_LINES_SHOWN: usize = 5;

/// A directory of the demo's own, and the servers that run in it.
#[derive(Debug)]
pub(crate) struct Stage {
    dir: PathBuf,
    /// Whom a server runs as that refuses to be root; none when this process is not root.
    other_user: Option<(u32, u32)>,
    /// Held while anything is started, and by who clears up, who never gives it back: nothing starts after that.
    servers: Mutex<Vec<Server>>,
    is_done: AtomicBool,
}

#[derive(Debug)]
struct Server {
    name: &'static str,
    child: Child,
    stop: Signal,
}

impl Stage {
    /// An empty one. It is cleared when this process ends by itself, and when a signal ends it.
    pub(crate) fn build() -> Result<Arc<Self>, CommandError> {
        let other_user = if geteuid().is_root() { Some(nobody()?) } else { None };
        let dir = std::env::temp_dir().join(format!("pawl-demo-{}", uuid(&SystemRng)));
        // Another user's server goes through this directory, and nobody looks into it.
        let mode = if other_user.is_some() { 0o711 } else { 0o700 };
        make_dir(&dir, mode)
            .map_err(|error| failed(&format!("could not make `{}`", dir.display()), &error))?;
        let stage = Arc::new(Self {
            dir,
            other_user,
            servers: Mutex::new(Vec::new()),
            is_done: AtomicBool::new(false),
        });
        clear_on_signals(Arc::clone(&stage)).inspect_err(|_| stage.clear())?;
        Ok(stage)
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The user and group of [`Stage::unprivileged`] programs, when they are others than this process's.
    pub(crate) fn other_user(&self) -> Option<(u32, u32)> {
        self.other_user
    }

    /// A program that no setting of its caller's reaches.
    pub(crate) fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", search_path()).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    /// As [`Stage::program`], for one that refuses to be root.
    pub(crate) fn unprivileged(&self, program: &Path) -> Command {
        let mut command = self.program(program);
        if let Some((user, group)) = self.other_user {
            command.uid(user).gid(group);
        }
        command
    }

    /// Runs a short program to its end.
    pub(crate) fn output(&self, mut command: Command, input: &[u8]) -> Result<Output, CommandError> {
        let _held = self.lock();
        let name = command.get_program().to_string_lossy().into_owned();
        let mut run = || {
            let mut child =
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                // A program that has ended without reading says itself why.
                let _ = stdin.write_all(input);
            }
            child.wait_with_output()
        };
        run().map_err(|error| failed(&format!("`{name}` could not be run"), &error))
    }

    /// Starts a server and waits for the line of its log that begins or goes on with `marker`; what stands behind that.
    pub(crate) fn start(
        &self,
        name: &'static str,
        mut command: Command,
        stop: Signal,
        log: &Path,
        marker: &str,
    ) -> Result<String, CommandError> {
        let mut run = || -> std::io::Result<Child> {
            let log: File = OpenOptions::new().append(true).create_new(true).mode(0o600).open(log)?;
            // Ctrl-C is for this process only, which ends the others in order.
            command.stdout(log.try_clone()?).stderr(log).process_group(0).spawn()
        };
        let mut servers = self.lock();
        let child = run().map_err(|error| failed(&format!("{name} could not be started"), &error))?;
        servers.push(Server { name, child, stop });
        drop(servers);
        let since = Instant::now();
        loop {
            let text = read(log)?;
            let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            if let Some((_, rest)) = lines.find_map(|line| line.split_once(marker)) {
                return Ok(rest.to_owned());
            }
            if self.ended().is_some() || since.elapsed() > limits::DEMO_START_WALL {
                let lines: Vec<&str> = text.lines().collect();
                let last = lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default();
                return Err(CommandError::Failed(format!("{name} did not start: {}", last.join("\n"))));
            }
            pause(limits::DEMO_POLL);
        }
    }

    /// The name of a server that has ended by itself.
    pub(crate) fn ended(&self) -> Option<&'static str> {
        let has_ended = |server: &mut Server| matches!(server.child.try_wait(), Ok(Some(_)) | Err(_));
        self.lock().iter_mut().find_map(|server| has_ended(server).then_some(server.name))
    }

    /// From here on, a signal is how the demo should end.
    pub(crate) fn done(&self) {
        self.is_done.store(true, Ordering::SeqCst);
    }

    /// Ends the servers and removes the directory. Again: nothing.
    pub(crate) fn clear(&self) {
        clear(&mut self.lock(), &self.dir);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn clear(servers: &mut Vec<Server>, dir: &Path) {
    for server in servers.iter() {
        // One that has ended is a zombie until it is waited for below, so this is no other process.
        let _ = kill_process(Pid::from_child(&server.child), server.stop);
    }
    let since = Instant::now();
    for mut server in servers.drain(..) {
        while matches!(server.child.try_wait(), Ok(None)) && since.elapsed() < limits::DEMO_STOP_WALL {
            pause(limits::DEMO_POLL);
        }
        let _ = server.child.kill();
        let _ = server.child.wait();
    }
    if let Err(error) = std::fs::remove_dir_all(dir)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        let _ = writeln!(std::io::stderr(), "pawl: `{}` could not be removed: {error}", dir.display());
    }
}

/// Clears the stage and ends this process when somebody presses Ctrl-C, closes the terminal, or asks it to terminate.
fn clear_on_signals(stage: Arc<Stage>) -> Result<(), CommandError> {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let prepared = || -> std::io::Result<_> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let [interrupt, terminate, hangup] = kinds.map(signal);
        let signals = (interrupt?, terminate?, hangup?);
        drop(inside);
        Ok((runtime, signals))
    };
    let (runtime, (mut interrupt, mut terminate, mut hangup)) =
        prepared().map_err(|error| failed("could not listen for signals", &error))?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        let mut servers = stage.lock();
        clear(&mut servers, &stage.dir);
        std::process::exit(if stage.is_done.load(Ordering::SeqCst) { 0 } else { INTERRUPTED });
    });
    Ok(())
}

/// The user and group that own nothing.
fn nobody() -> Result<(u32, u32), CommandError> {
    let ids = |line: &str| {
        let mut fields = line.split(':');
        let is_nobody = fields.next() == Some("nobody");
        let ids = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        is_nobody.then_some(ids)
    };
    read(Path::new("/etc/passwd"))?.lines().find_map(ids).ok_or_else(|| {
        CommandError::Failed(
            "PostgreSQL refuses to run as root, and this machine has no user `nobody`; run this as another user".to_owned(),
        )
    })
}

/// Makes a directory that is not there yet, with this mode whatever the process's mask.
pub(crate) fn make_dir(dir: &Path, mode: u32) -> std::io::Result<()> {
    DirBuilder::new().mode(mode).create(dir)?;
    std::fs::set_permissions(dir, Permissions::from_mode(mode))
}

pub(crate) fn read(path: &Path) -> Result<String, CommandError> {
    let bytes = std::fs::read(path)
        .map_err(|error| failed(&format!("could not read `{}`", path.display()), &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn failed(what: &str, why: &std::io::Error) -> CommandError {
    CommandError::Failed(format!("{what}: {why}"))
}

#[expect(clippy::disallowed_methods, reason = "there is no event to wait for, and a signal ends the process")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
