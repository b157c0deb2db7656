//! What an instance costs by itself: in a confined process, of a component that is loaded, with nobody at the other end of the pipe.
//! For `cargo xtask bench instance`, as `pawl worker gauge ROUNDS`, with the component on standard input; the product does not use it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{PipeWriter, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use pawl_core::rotation::Step;
use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};

use super::confine;
use super::link::linker;
use super::meter::Ticker;
use super::pipe::{Pipe, PipeError};
use super::{Worker, WorkerError};
use crate::engine;
use crate::step::StepLimits;
use crate::wire::{self, Down, Ended, Reply};

/// The argument after `worker`.
const ASKED: &str = "gauge";
/// The digest of the one component.
const DIGEST: [u8; 32] = [0; 32];
/// A component with nothing in it: its head.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// How many instances a person has asked for.
pub(super) fn asked() -> Option<usize> {
    let mut arguments = std::env::args().skip(2);
    (arguments.next()? == ASKED).then(|| arguments.next()?.parse().ok()).flatten()
}

/// Makes `rounds` instances of a rotator that promotes in its finishSecret, after as many to warm up, and prints a line for each:
/// the nanoseconds of the floor (a bare store, and an instance of a component with nothing in it), of a step's store with its
/// limits and its WASI and the instance in it, and of a whole step as a worker does it: both, finishSecret with its one call of the
/// host, whose answer lies ready, and their end.
pub(super) fn gauge(rounds: usize) -> Result<(), WorkerError> {
    let mut source = Vec::new();
    std::io::stdin().lock().read_to_end(&mut source)?;
    let mut bench = Bench::new(&source)?;
    confine::seal()?;
    let mut lines = String::new();
    for round in 0..rounds.saturating_mul(2) {
        let [bare, started, step] = bench.round()?.map(|time| time.as_nanos());
        if round >= rounds {
            lines.push_str(&format!("{bare} {started} {step}\n"));
        }
    }
    Ok(std::io::stdout().lock().write_all(lines.as_bytes())?)
}

struct Bench {
    worker: Worker,
    bare: InstancePre<()>,
    /// Held by whoever runs a step, and given back.
    pipe: Option<Pipe>,
    host: PipeWriter,
    promoted: Vec<u8>,
    _runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new(source: &[u8]) -> Result<Self, WorkerError> {
        let to = File::create("/dev/null")?;
        let (from, host) = std::io::pipe()?;
        let engine = engine::engine()?;
        let artifact = Component::from_binary(&engine, source)?.serialize()?;
        let bare = Linker::<()>::new(&engine).instantiate_pre(&Component::from_binary(&engine, EMPTY)?)?;
        let ticker = Ticker::start(engine.clone())?;
        let linker = linker(&engine)?;
        let mut worker = Worker { component: None, engine, ticker };
        worker.load(&linker, DIGEST, &artifact)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let promoted = wire::frame(&Down::Reply(Reply::Promoted(Ok(())))).map_err(PipeError::from)?;
        let pipe = Some(Pipe::between(File::from(OwnedFd::from(from)), to));
        Ok(Self { worker, bare, pipe, host, promoted, _runtime: runtime })
    }

    fn round(&mut self) -> Result<[Duration; 3], WorkerError> {
        let lost = || WorkerError::Engine("the pipe was not given back".to_owned());
        let (environment, limits) = (BTreeMap::new(), StepLimits::default().guest());

        let from = Instant::now();
        let mut store = Store::new(&self.worker.engine, ());
        self.bare.instantiate(&mut store)?;
        let bare = from.elapsed();
        drop(store);

        let loaded = self.worker.component.as_ref();
        let (_, prepared) = loaded.ok_or_else(|| WorkerError::Engine("nothing is loaded".to_owned()))?;
        let pipe = self.pipe.take().ok_or_else(lost)?;
        let from = Instant::now();
        let mut store = self.worker.store(pipe, &environment, limits)?;
        prepared.instantiate(&mut store)?;
        let started = from.elapsed();
        let pipe = store.into_data().into_pipe();

        self.host.write_all(&self.promoted)?;
        let from = Instant::now();
        let (pipe, ended) = self.worker.step(pipe, DIGEST, Step::FinishSecret, &environment, limits)?;
        let step = from.elapsed();
        self.pipe = Some(pipe);
        match ended {
            Ended::Done => Ok([bare, started, step]),
            other => Err(WorkerError::Engine(format!("the step ended otherwise: {other:?}"))),
        }
    }
}
