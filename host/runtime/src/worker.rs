//! The worker process: guests run here, and nothing worth stealing is here.
//!
//! It holds no key, no store, no socket and no secret. Its standard input and output are the pipe to the host
//! ([`crate::wire`]); every function that a guest may call is a message on it. One guest runs at a time, in a fresh store,
//! and the host replaces the process when a guest was stopped. All guests of one process are of one component.

pub(crate) mod confine;
mod gauge;
mod guest;
mod http;
mod link;
mod meter;
mod pipe;
mod printed;
mod statements;
mod tcp;

use std::collections::BTreeMap;
use std::process::ExitCode;

use pawl_core::limits;
use pawl_core::rotation::Step;
use wasmtime::component::Component;
use wasmtime::{Engine, Store};

use self::confine::ConfineError;
use self::guest::Guest;
use self::link::{RotatorPre, linker};
use self::meter::Ticker;
use self::pipe::{Pipe, PipeError};
use crate::compile::plain;
use crate::engine;
use crate::wire::{Down, Ended, GuestLimits, Up, Used};

/// Why a worker cannot work.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("{0}")]
    Start(#[from] std::io::Error),
    #[error("the engine does not start: {0}")]
    Engine(String),
    #[error(transparent)]
    Confine(#[from] ConfineError),
    #[error(transparent)]
    Pipe(#[from] PipeError),
}

impl From<wasmtime::Error> for WorkerError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Engine(plain(&error))
    }
}

/// The whole of the hidden subcommand `pawl worker`. Ends when its standard input does.
#[must_use]
pub fn worker_main() -> ExitCode {
    match gauge::asked().map_or_else(serve, gauge::gauge) {
        Ok(()) | Err(WorkerError::Pipe(PipeError::Closed)) => ExitCode::SUCCESS,
        // The host knows this end, and says what it means.
        Err(WorkerError::Confine(error)) => {
            eprintln!("pawl worker: {error}");
            ExitCode::from(confine::UNCONFINED_EXIT)
        }
        // Nobody reads it, except a person who starts a worker by hand.
        Err(error) => {
            eprintln!("pawl worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), WorkerError> {
    confine::worker()?;
    let engine = engine::engine()?;
    let ticker = Ticker::start(engine.clone())?;
    let (is_up, up) = std::sync::mpsc::sync_channel(1);
    // WASI's clocks and polls need a runtime. Without this one each would find the crate's own, with a thread per core.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .on_thread_start({
            let is_up = is_up.clone();
            move || {
                let _ = is_up.try_send(());
            }
        })
        .build()?;
    up.recv().map_err(std::io::Error::other)?;
    let pipe = Pipe::open()?;
    let (is_sealed, sealed) = std::sync::mpsc::sync_channel(1);
    // A stack of known size: the main thread's is whatever the machine's limits say.
    let guests = std::thread::Builder::new()
        .name("guests".to_owned())
        .stack_size(limits::WORKER_STACK_BYTES)
        .spawn(move || {
            let _ = is_up.send(());
            if sealed.recv().is_err() {
                return Ok(());
            }
            let _entered = runtime.enter();
            Worker { component: None, engine, ticker }.run(pipe)
        })?;
    up.recv().map_err(std::io::Error::other)?;
    // All threads there are have begun: none has a system call left that only a beginning needs.
    confine::seal()?;
    let _ = is_sealed.send(());
    guests.join().unwrap_or_else(|_| Err(WorkerError::Engine("the worker's thread ended".to_owned())))
}

/// Whether a component can be linked with what a worker gives, and exports what it calls.
pub(crate) fn fits(engine: &Engine, component: &Component) -> wasmtime::Result<()> {
    RotatorPre::new(linker(engine)?.instantiate_pre(component)?).map(drop)
}

/// As much of a text as the host keeps of one. What a guest writes, and names that its author has chosen, can be of any length.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(limits::LOG_LINE_BYTES_MAX));
    text
}

/// An end that fits into a message: a step whose end could not be said would seem to be one whose worker died, and be tried again.
fn short(ended: Ended) -> Ended {
    match ended {
        Ended::Done => Ended::Done,
        Ended::Transient(text) => Ended::Transient(cut(text)),
        Ended::Permanent(text) => Ended::Permanent(cut(text)),
        Ended::Trapped { reason, stderr } => Ended::Trapped { reason: cut(reason), stderr: cut(stderr) },
    }
}

struct Worker {
    engine: Engine,
    ticker: Ticker,
    component: Option<([u8; 32], RotatorPre<Guest>)>,
}

impl Worker {
    fn run(mut self, mut pipe: Pipe) -> Result<(), WorkerError> {
        let linker = linker(&self.engine)?;
        pipe.send(&Up::Ready)?;
        loop {
            match pipe.receive()? {
                Down::Load { digest, artifact } => {
                    let loaded = self.load(&linker, digest, &artifact);
                    pipe.send(&Up::Loaded(loaded.map_err(|error| cut(plain(&error)))))?;
                }
                Down::Run { digest, step, environment, limits } => {
                    let (used, ended);
                    (pipe, used, ended) = self.step(pipe, digest, step, &environment, limits)?;
                    pipe.send(&Up::Used(used))?;
                    pipe.send(&Up::Done(short(ended)))?;
                }
                Down::Reply(_) => return Err(PipeError::Unexpected.into()),
            }
        }
    }

    fn load(
        &mut self,
        linker: &wasmtime::component::Linker<Guest>,
        digest: [u8; 32],
        artifact: &[u8],
    ) -> wasmtime::Result<()> {
        #[expect(unsafe_code, reason = "machine code that this host has compiled is taken as it is")]
        // SAFETY: the bytes are what `Component::serialize` gave in `pawl compile`. They come over the pipe from the parent
        // alone, which compiled them itself or checked its own MAC over all of them, and Wasmtime checks that version
        // and settings are this engine's.
        let component = unsafe { Component::deserialize(&self.engine, artifact)? };
        let prepared = RotatorPre::new(linker.instantiate_pre(&component)?)?;
        self.component = Some((digest, prepared));
        Ok(())
    }

    /// Runs one step. Takes the pipe, because the guest's calls go through it, and gives it back.
    fn step(
        &self,
        pipe: Pipe,
        digest: [u8; 32],
        step: Step,
        environment: &BTreeMap<String, String>,
        limits: GuestLimits,
    ) -> Result<(Pipe, Used, Ended), WorkerError> {
        let Some((_, prepared)) = self.component.as_ref().filter(|(loaded, _)| *loaded == digest) else {
            let reason = "was not loaded".to_owned();
            return Ok((pipe, Used::default(), Ended::Trapped { reason, stderr: String::new() }));
        };
        let mut store = self.store(pipe, environment, limits)?;

        let ticking = self.ticker.tick();
        let ended = link::call(prepared, &mut store, step);
        drop(ticking);

        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let guest = store.into_data();
        let used = Used { memory_bytes: guest.memory_bytes(), fuel };
        let ended = ended.unwrap_or_else(|error| guest.explain(&error, limits));
        Ok((guest.into_pipe(), used, ended))
    }

    /// What one step's guest lives in.
    fn store(
        &self,
        pipe: Pipe,
        environment: &BTreeMap<String, String>,
        limits: GuestLimits,
    ) -> wasmtime::Result<Store<Guest>> {
        let mut store = Store::new(&self.engine, Guest::new(pipe, environment, limits));
        store.limiter(|guest| guest.gate());
        store.set_fuel(limits.fuel)?;
        store.set_hostcall_fuel(limits::HOSTCALL_BYTES_MAX);
        store.set_max_component_handles(limits::GUEST_HANDLES_MAX);
        store.set_epoch_deadline(1);
        let budget = meter::CpuBudget::from_now(limits.cpu_millis);
        store.epoch_deadline_callback(move |_| budget.check());
        Ok(store)
    }
}
