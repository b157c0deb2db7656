//! Compiling a component in a child process, which a hostile one may take with it.
//!
//! A component of 1.2 kB can take 2 GB and 11 seconds to compile, and a size limit does not help: so the child limits its own
//! address space and processor time, and the parent its wall clock.

use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitCode;

use pawl_core::limits;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::engine::{self, Identity};
use crate::program::Program;
use crate::worker::confine;

/// Where the functions of a rotator come from.
const OWN_PACKAGE: &str = "pawl:rotation/";
/// The interface that a rotator must export.
const STEPS: &str = "pawl:rotation/steps@";
/// What a language's runtime may want and a worker gives: nothing of it reaches beyond the guest.
const WASI: [&str; 18] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

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
        "compiling the component takes more than {} MB or {} s of processor time",
        limits::COMPILE_ADDRESS_BYTES_MAX / 1_000_000,
        limits::COMPILE_CPU_SECONDS
    )]
    TooCostly,
    /// Not the component's fault: the process could not be started, or the result not be kept.
    #[error("the component could not be compiled this time: {0}")]
    Unavailable(String),
}

/// What the child says, on its standard output.
#[derive(Serialize, Deserialize)]
enum Answer {
    Identity(Identity),
    Compiled {
        identity: Identity,
        #[serde(with = "serde_bytes")]
        artifact: Vec<u8>,
    },
    Refused(String),
    Broken(String),
}

/// A component as machine code, and the engine that it is for.
pub(crate) struct Compiled {
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
    let component = Component::from_binary(&engine, &source).map_err(|error| {
        Answer::Refused(format!("is not a valid WebAssembly component: {}", plain(&error)))
    })?;
    check(&engine, &component).map_err(Answer::Refused)?;
    let artifact = component.serialize().map_err(|error| Answer::Broken(plain(&error)))?;
    Ok(Answer::Compiled { identity, artifact })
}

/// Whether a component asks for what there is, and gives what is needed.
fn check(engine: &Engine, component: &Component) -> Result<(), String> {
    let shape = component.component_type();
    for (import, _) in shape.imports(engine) {
        let interface = import.split_once('@').map_or(import, |(interface, _)| interface);
        if !interface.starts_with(OWN_PACKAGE) && !WASI.contains(&interface) {
            return Err(format!(
                "imports {interface}, which a rotator does not get: it may import {OWN_PACKAGE}* and what a language's \
                 runtime needs (wasi:io, wasi:cli, wasi:clocks, wasi:random), and no files and no network"
            ));
        }
    }
    if shape.exports(engine).any(|(export, _)| export.starts_with(STEPS)) {
        Ok(())
    } else {
        Err("does not export pawl:rotation/steps, so it is no rotator".to_owned())
    }
}

/// An error's chain in one line, without the backtrace that its `Display` may have.
pub(crate) fn plain(error: &wasmtime::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Compiles a component in a child process.
pub(crate) async fn compile(program: &Program, source: &[u8]) -> Result<Compiled, AdmitError> {
    if source.len() > limits::COMPONENT_BYTES_MAX {
        let (bytes, max) = (source.len(), limits::COMPONENT_BYTES_MAX);
        return Err(AdmitError::TooLong { bytes, what: "as it is", max });
    }
    if source.is_empty() {
        return Err(AdmitError::Refused("is empty".to_owned()));
    }
    match ask(program, source).await? {
        Answer::Compiled { artifact, .. } if artifact.len() > limits::ARTIFACT_BYTES_MAX => {
            let (bytes, max) = (artifact.len(), limits::ARTIFACT_BYTES_MAX);
            Err(AdmitError::TooLong { bytes, what: "when it is compiled", max })
        }
        Answer::Compiled { identity, artifact } => Ok(Compiled { identity, artifact }),
        Answer::Refused(why) => Err(AdmitError::Refused(why)),
        Answer::Broken(why) => Err(AdmitError::Unavailable(why)),
        Answer::Identity(_) => Err(AdmitError::Unavailable("the compiler did not answer".to_owned())),
    }
}

/// The identity of the engine that compiles and runs, learnt from a child so that no engine lives in this process.
pub(crate) async fn identity_of(program: &Program) -> Result<Identity, AdmitError> {
    match ask(program, &[]).await? {
        Answer::Identity(identity) => Ok(identity),
        Answer::Broken(why) => Err(AdmitError::Unavailable(why)),
        Answer::Compiled { .. } | Answer::Refused(_) => {
            Err(AdmitError::Unavailable("the compiler gave no identity".to_owned()))
        }
    }
}

async fn ask(program: &Program, source: &[u8]) -> Result<Answer, AdmitError> {
    tokio::time::timeout(limits::COMPILE_WALL, converse(program, source))
        .await
        .unwrap_or(Err(AdmitError::TooCostly))
}

async fn converse(program: &Program, source: &[u8]) -> Result<Answer, AdmitError> {
    let unavailable = |what: &str| AdmitError::Unavailable(what.to_owned());
    let mut child = program
        .command("compile")
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
