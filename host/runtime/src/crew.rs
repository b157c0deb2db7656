//! The threads on which the host does what guests ask for: not those that answer requests.
//!
//! A guest may ask ten thousand times in a step, with thirty megabytes. What that costs the host is paid here, by threads that
//! give way to all others ([`courtesy`]), and the processes that they start inherit it: a worker is still being loaded when
//! it has not yet had the chance to give up anything.

use std::sync::OnceLock;

use pawl_core::limits;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::courtesy;

/// Threads of their own, started when there is something to do for the first time.
#[derive(Default)]
pub(crate) struct Crew(OnceLock<Option<Runtime>>);

impl Crew {
    /// Does it there. Dropped, it is given up there.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let work = work.in_current_span();
        let mut task = Task(match self.threads() {
            Some(threads) => threads.spawn(work),
            None => Handle::current().spawn(work),
        });
        match (&mut task.0).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only who waits here gives it up, or a process that ends: then nobody waits for an answer.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn threads(&self) -> Option<&Runtime> {
        let threads = self.0.get_or_init(|| match start() {
            Ok(runtime) => Some(runtime),
            Err(error) => {
                tracing::error!(%error, "no threads could be started for rotators; they share those of requests");
                None
            }
        });
        threads.as_ref()
    }
}

fn start() -> std::io::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads(processors.div_ceil(2))
        .thread_name("crew")
        .on_thread_start(|| {
            if let Err(error) = courtesy::give_way(limits::CREW_NICENESS, limits::CREW_TURN) {
                tracing::warn!(%error, "what is done for rotators does not give way to requests");
            }
        })
        .enable_all()
        .build()
}

impl Drop for Crew {
    fn drop(&mut self) {
        // Whoever drops it may be a task, which must not wait.
        if let Some(threads) = self.0.take().flatten() {
            threads.shutdown_background();
        }
    }
}

struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
