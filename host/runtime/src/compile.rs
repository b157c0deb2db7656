//! Compiling a component in a child process, which a hostile one may take with it.
//!
//! A component of 1.2 kB can take 2 GB and 11 seconds to compile, and a size limit does not help: so the child limits its own
//! address space and processor time, and the parent its wall clock.

mod anatomy;
pub(crate) mod queue;
mod world;

use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitCode;

use pawl_core::limits;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wasmtime::Engine;
use wasmtime::component::Component;

use self::anatomy::Anatomy;
use crate::engine::{self, Identity};
use crate::line::line;
use crate::program::Program;
use crate::worker::{confine, fits};

/// The argument with which the child reads a component and does not compile it.
const READ_ONLY: &str = "read";

/// Why a component cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// It is no component, imports more than there is, or exports no steps.
    #[error("the component {0}")]
    Refused(String),
    /// It is too large, before or after it was compiled.
    #[error("the component takes {bytes} bytes {what}, more than {max}")]
    TooLong {
        /// How many it takes.
        bytes: usize,
        /// As it came, or compiled.
        what: &'static str,
        /// How many it may take.
        max: usize,
    },
    /// It cannot be compiled with what one compilation may use.
    #[error(
        "compiling the component takes more than {} MB, {} s of processor time or the compiler's stack",
        limits::COMPILE_ADDRESS_BYTES_MAX / 1_000_000,
        limits::COMPILE_CPU_SECONDS
    )]
    TooCostly,
    /// Not the component's fault: the process could not be started, or the result not be kept.
    #[error("the component could not be compiled this time: {0}")]
    Unavailable(String),
}

/// What was read of a component that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// The text of the manifest that it carries, not yet parsed.
    pub manifest: Option<String>,
    /// The names of what it imports, versions included.
    pub imports: Vec<String>,
}

impl Admitted {
    /// Reads a component in this process, and compiles nothing: for an author who looks at what they made. A host that is
    /// handed a component takes [`Runtime::admit`](crate::Runtime::admit).
    ///
    /// # Errors
    /// When it is too large, no component, imports what there is not, or is no rotator.
    pub fn read(source: &[u8]) -> Result<Self, AdmitError> {
        check_size(source)?;
        read(source).map_err(|why| AdmitError::Refused(line(&why)))
    }
}

/// What the child says, on its standard output.
#[derive(Serialize, Deserialize)]
enum Answer {
    Identity(Identity),
    Read(Admitted),
    Compiled {
        admitted: Admitted,
        identity: Identity,
        #[serde(with = "serde_bytes")]
        artifact: Vec<u8>,
    },
    Refused(String),
    Broken(String),
}

/// A component as machine code, and the engine that it is for.
pub(crate) struct Compiled {
    pub(crate) admitted: Admitted,
    pub(crate) identity: Identity,
    pub(crate) artifact: Vec<u8>,
}

/// The whole of the hidden subcommand `pawl compile`: a component on standard input, the compiled one on standard output.
/// Nothing on standard input asks for the engine's identity only.
#[must_use]
pub fn compile_main() -> ExitCode {
    let answer =
        confine::compiler().map_err(|error| Answer::Broken(error.to_string())).and_then(|()| answer());
    let answer = answer.unwrap_or_else(|failed| failed);
    let written = postcard::to_stdvec(&answer)
        .map_err(std::io::Error::other)
        .and_then(|bytes| std::io::stdout().lock().write_all(&bytes));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn answer() -> Result<Answer, Answer> {
    let mut source = Vec::new();
    let max = u64::try_from(limits::COMPONENT_BYTES_MAX).unwrap_or(u64::MAX);
    std::io::stdin()
        .lock()
        .take(max.saturating_add(1))
        .read_to_end(&mut source)
        .map_err(|error| Answer::Broken(error.to_string()))?;
    let engine = engine::engine().map_err(|error| Answer::Broken(plain(&error)))?;
    let identity = engine::identity(&engine);
    if source.is_empty() {
        return Ok(Answer::Identity(identity));
    }
    let admitted = read(&source).map_err(Answer::Refused)?;
    // After the program's name and the subcommand.
    if std::env::args_os().skip(2).any(|asked| asked == READ_ONLY) {
        return Ok(Answer::Read(admitted));
    }
    let component = compiled(&engine, &source).map_err(Answer::Refused)?;
    let artifact = component.serialize().map_err(|error| Answer::Broken(plain(&error)))?;
    Ok(Answer::Compiled { admitted, identity, artifact })
}

/// Reads a component, and refuses what the world does not have before anything is compiled.
fn read(source: &[u8]) -> Result<Admitted, String> {
    let Anatomy { imports, exports, manifest } = Anatomy::of(source)?;
    world::check(&imports, &exports)?;
    Ok(Admitted { manifest, imports })
}

fn compiled(engine: &Engine, source: &[u8]) -> Result<Component, String> {
    let component = Component::from_binary(engine, source)
        .map_err(|error| format!("is not a valid WebAssembly component: {}", plain(&error)))?;
    // A name that the world has may stand before another shape.
    fits(engine, &component).map_err(|error| {
        format!("does not fit what this version of Pawl gives to rotators: {}", plain(&error))
    })?;
    Ok(component)
}

/// An error's chain in one line, without the backtrace that its `Display` may have.
pub(crate) fn plain(error: &wasmtime::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Compiles a component in a child process.
pub(crate) async fn compile(program: &Program, source: &[u8]) -> Result<Compiled, AdmitError> {
    check_size(source)?;
    match ask(program, source, None).await? {
        Answer::Compiled { artifact, .. } if artifact.len() > limits::ARTIFACT_BYTES_MAX => {
            let (bytes, max) = (artifact.len(), limits::ARTIFACT_BYTES_MAX);
            Err(AdmitError::TooLong { bytes, what: "when it is compiled", max })
        }
        Answer::Compiled { admitted, identity, artifact } => Ok(Compiled { admitted, identity, artifact }),
        other => Err(other.unexpected()),
    }
}

/// Reads a component in a child process, and compiles nothing.
pub(crate) async fn inspect(program: &Program, source: &[u8]) -> Result<Admitted, AdmitError> {
    check_size(source)?;
    match ask(program, source, Some(READ_ONLY)).await? {
        Answer::Read(admitted) => Ok(admitted),
        other => Err(other.unexpected()),
    }
}

fn check_size(source: &[u8]) -> Result<(), AdmitError> {
    if source.len() > limits::COMPONENT_BYTES_MAX {
        let (bytes, max) = (source.len(), limits::COMPONENT_BYTES_MAX);
        return Err(AdmitError::TooLong { bytes, what: "as it is", max });
    }
    if source.is_empty() {
        return Err(AdmitError::Refused("is empty".to_owned()));
    }
    Ok(())
}

impl Answer {
    /// What an answer means that is not the one asked for.
    fn unexpected(self) -> AdmitError {
        match self {
            // With names in it that the component's author has chosen, of any length.
            Self::Refused(why) => AdmitError::Refused(line(&why)),
            Self::Broken(why) => AdmitError::Unavailable(line(&why)),
            Self::Identity(_) | Self::Read(_) | Self::Compiled { .. } => {
                AdmitError::Unavailable("the compiler answered something else than it was asked".to_owned())
            }
        }
    }
}

/// The identity of the engine that compiles and runs, learnt from a child so that no engine lives in this process.
pub(crate) async fn identity_of(program: &Program) -> Result<Identity, AdmitError> {
    match ask(program, &[], None).await? {
        Answer::Identity(identity) => Ok(identity),
        other => Err(other.unexpected()),
    }
}

async fn ask(program: &Program, source: &[u8], what: Option<&str>) -> Result<Answer, AdmitError> {
    tokio::time::timeout(limits::COMPILE_WALL, converse(program, source, what))
        .await
        .unwrap_or(Err(AdmitError::TooCostly))
}

async fn converse(program: &Program, source: &[u8], what: Option<&str>) -> Result<Answer, AdmitError> {
    let unavailable = |what: &str| AdmitError::Unavailable(what.to_owned());
    let mut child = program
        .command("compile")
        .args(what)
        .spawn()
        .map_err(|error| AdmitError::Unavailable(format!("{program} does not start: {error}")))?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(unavailable("the compiler has no pipe"));
    };
    // A child that died early is told by its end, not by the broken pipe.
    let _ = input.write_all(source).await;
    drop(input);
    let mut bytes = Vec::new();
    // Room to see that an artefact is too long.
    let max = u64::try_from(limits::ARTIFACT_BYTES_MAX).unwrap_or(u64::MAX).saturating_mul(2);
    output
        .take(max)
        .read_to_end(&mut bytes)
        .await
        .map_err(|error| AdmitError::Unavailable(error.to_string()))?;
    let status = child.wait().await.map_err(|error| AdmitError::Unavailable(error.to_string()))?;
    match postcard::from_bytes(&bytes) {
        Ok(answer) if status.success() => Ok(answer),
        _ if status.signal() == Some(Signal::SYS.as_raw()) => Err(AdmitError::Refused(
            "is refused: to compile it made the compiler do what its filter of system calls forbids (SIGSYS); the kernel's \
             log names the call (type=1326)".to_owned(),
        )),
        // Out of address space aborts, out of processor time is a signal: neither leaves an answer.
        _ if status.code().is_none() => Err(AdmitError::TooCostly),
        _ => Err(unavailable("the compiler did not finish")),
    }
}
