//! Those who read: connections that are lent to whoever reads next.
//!
//! A read that follows a key is done in the calling thread: it costs a few page reads, less than another thread would take to
//! hear of it. One whose cost grows with what it answers is done aside, where a blocked thread keeps nobody from his work.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pawl_core::limits;
use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::connection::open_to_read;
use super::fault::{fault, of_file};
use crate::error::{Outage, StoreError};

const LOCKED: StoreError = StoreError::Unavailable(Outage::Locked);
const CLOSED: StoreError = StoreError::Unavailable(Outage::Closed);

#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    file: Identity,
    /// The one that came back last is lent first: it has the warmest cache.
    idle: Mutex<Vec<Connection>>,
    idle_max: usize,
    closed: AtomicBool,
    aside: Arc<Semaphore>,
    aside_max: u32,
}

impl Readers {
    /// For so many reads aside at once.
    pub(super) fn of(path: &Path, aside: u32) -> Result<Self, StoreError> {
        let aside_max = aside.max(1);
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let permits = usize::try_from(aside_max).unwrap_or(1);
        Ok(Self {
            path: path.to_owned(),
            file: Identity::of(path)?,
            idle: Mutex::default(),
            idle_max: threads.saturating_add(permits),
            closed: AtomicBool::new(false),
            aside: Arc::new(Semaphore::new(permits)),
            aside_max,
        })
    }

    /// Reads in the calling thread: for a bounded number of page reads. While another process holds the file, waits without
    /// keeping the thread.
    pub(super) async fn inline<T>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut began = None;
        loop {
            let outcome = self.read(&read);
            if !matches!(outcome, Err(LOCKED)) {
                return outcome;
            }
            if began.get_or_insert_with(Instant::now).elapsed() >= limits::STORE_BUSY_TIMEOUT {
                return outcome;
            }
            sleep(limits::STORE_BUSY_PAUSE).await;
        }
    }

    /// Reads in a thread that may block: for what grows with its answer.
    pub(super) async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = timeout(limits::STORE_ACQUIRE_TIMEOUT, Arc::clone(&self.aside).acquire_owned())
            .await
            .map_err(|_| StoreError::Unavailable(Outage::Busy))?
            .map_err(|_| CLOSED)?;
        let readers = Arc::clone(self);
        let patient = move || {
            let _permit = permit;
            readers.read(|connection| {
                connection.busy_timeout(limits::STORE_BUSY_TIMEOUT).map_err(fault)?;
                let answer = read(connection)?;
                connection.busy_timeout(Duration::ZERO).map_err(fault)?;
                Ok(answer)
            })
        };
        // The runtime ends, or would have reported a panic.
        tokio::task::spawn_blocking(patient).await.unwrap_or(Err(CLOSED))
    }

    /// Waits for those who read aside, and closes what is lent to nobody; what is lent is closed when it comes back.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        // An error means that it is closed already.
        let _all = self.aside.acquire_many(self.aside_max).await;
        self.aside.close();
        self.idle().clear();
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(CLOSED);
        }
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| self.open(), Ok)?;
        let answer = read(&connection)?;
        // One that has failed does not come back.
        let mut idle = self.idle();
        if idle.len() < self.idle_max && !self.closed.load(Ordering::Acquire) {
            idle.push(connection);
        }
        Ok(answer)
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let connection = open_to_read(&self.path)?;
        // Whoever replaces the file under a running process must not make it read another store than it writes.
        if Identity::of(&self.path)? == self.file {
            Ok(connection)
        } else {
            Err(StoreError::Unavailable(Outage::CannotOpen))
        }
    }

    pub(super) fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Nothing in here panics half-way.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which file it is, whatever its name.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    inode: (u64, u64),
}

impl Identity {
    fn of(path: &Path) -> Result<Self, StoreError> {
        let file = std::fs::metadata(path).map_err(|error| of_file(&error))?;
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            Self { inode: (file.dev(), file.ino()) }
        };
        #[cfg(not(unix))]
        let identity = {
            let _there = file;
            Self {}
        };
        Ok(identity)
    }
}
