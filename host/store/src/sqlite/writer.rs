//! The one who writes: a thread that owns the only connection that may. Commits that come while another is under way wait together,
//! and share the next transaction: one wait for the disk for all of them.

use std::collections::VecDeque;
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pawl_core::limits;
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::commit::commit;
use super::connection::{open_to_write, run};
use super::sql;
use crate::change::{Change, CommitError};
use crate::error::{Outage, StoreError};

type Verdict = Result<(), CommitError>;

const CLOSED: StoreError = StoreError::Unavailable(Outage::Closed);

/// The writer's thread. It ends, and closes its connection, when this is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    /// Closed when the thread has ended.
    ended: watch::Receiver<()>,
}

/// Where the writer's connection comes from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) pages_max: Option<u32>,
}

impl Source {
    pub(super) fn open(&self) -> Result<Connection, StoreError> {
        open_to_write(&self.path, self.pages_max)
    }
}

impl Writer {
    /// Gives `connection`, which came from `source`, to a thread of its own.
    pub(super) fn start(source: Source, connection: Connection) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::default());
        let (end, ended) = watch::channel(());
        let theirs = Arc::clone(&queue);
        let work = move || {
            let _end = end;
            let _close = CloseOnDrop(&theirs);
            Hand { source: &source, connection: Some(connection) }.work(&theirs);
        };
        match std::thread::Builder::new().name("pawl-store".to_owned()).spawn(work) {
            Ok(_thread) => Ok(Self { queue, ended }),
            Err(error) => {
                Err(StoreError::Unavailable(Outage::Io { code: error.raw_os_error().unwrap_or(0) }))
            }
        }
    }

    /// Commits all of `changes`, or nothing of them.
    pub(super) async fn commit(&self, changes: Vec<Change>) -> Verdict {
        if changes.is_empty() {
            return Ok(());
        }
        let (verdict, answer) = oneshot::channel();
        self.wait(Task::Commit((changes, verdict)), answer).await?
    }

    /// Does `deed` after what came before it, in no transaction but its own.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (told, answer) = oneshot::channel();
        self.wait(Task::Deed(work(told, deed)), answer).await?
    }

    /// [`Writer::with`] for what need not outlive a crash of the machine: it does not wait for the disk. A crash of the process does
    /// not undo it, and whatever is committed later makes it last.
    pub(super) async fn with_unwaited<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (told, answer) = oneshot::channel();
        self.wait(Task::Unwaited(work(told, deed)), answer).await?
    }

    async fn wait<T>(&self, task: Task, mut answer: oneshot::Receiver<T>) -> Result<T, StoreError> {
        let number = self.queue.line_up(task)?;
        match timeout(limits::STORE_ACQUIRE_TIMEOUT, &mut answer).await {
            Ok(told) => told.map_err(|_| CLOSED),
            Err(_) if self.queue.withdraw(number) => Err(StoreError::Unavailable(Outage::Busy)),
            // It is being done: how it ends must be waited for.
            Err(_) => answer.await.map_err(|_| CLOSED),
        }
    }

    /// Finishes what is under way, tells all others, and closes the connection.
    pub(super) async fn close(&self) {
        self.queue.close();
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn work<T: Send + 'static>(
    told: oneshot::Sender<Result<T, StoreError>>,
    deed: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
) -> Deed {
    Box::new(move |connection| {
        // Who has left before it began wants nothing any more; one who leaves meanwhile is not told.
        if !told.is_closed() {
            let _left = told.send(connection.and_then(deed));
        }
    })
}

/// A call's changes, and whom to tell how it went.
type Call = (Vec<Change>, oneshot::Sender<Verdict>);

/// What else is written; it tells its caller by itself.
type Deed = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

enum Task {
    Commit(Call),
    Deed(Deed),
    /// A deed that does not wait for the disk.
    Unwaited(Deed),
}

/// Those who wait.
#[derive(Debug, Default)]
struct Queue {
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Place>,
    /// Counts those who came.
    number: u64,
    closed: bool,
}

struct Place {
    number: u64,
    task: Task,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Place({})", self.number)
    }
}

/// What the writer does next.
enum Next {
    /// The commits that share a transaction.
    Commits(Vec<Call>),
    Deed(Deed),
    Unwaited(Deed),
}

impl Queue {
    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing in here panics half-way.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line_up(&self, task: Task) -> Result<u64, StoreError> {
        let mut line = self.line();
        if line.closed {
            return Err(CLOSED);
        }
        line.number += 1;
        let number = line.number;
        line.waiting.push_back(Place { number, task });
        drop(line);
        self.changed.notify_one();
        Ok(number)
    }

    /// Takes back what nobody has begun with.
    fn withdraw(&self, number: u64) -> bool {
        let mut line = self.line();
        let place = line.waiting.iter().position(|place| place.number == number);
        place.and_then(|place| line.waiting.remove(place)).is_some()
    }

    /// What is next, once there is something; none when nothing more is to be done.
    fn next(&self) -> Option<Next> {
        let mut line = self.line();
        loop {
            if line.closed {
                return None;
            }
            match line.waiting.pop_front() {
                Some(Place { task: Task::Deed(deed), .. }) => return Some(Next::Deed(deed)),
                Some(Place { task: Task::Unwaited(deed), .. }) => return Some(Next::Unwaited(deed)),
                Some(Place { task: Task::Commit(call), .. }) => {
                    return Some(Next::Commits(line.commits(call)));
                }
                None => line = self.changed.wait(line).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Those who wait are told by what they wait for being dropped.
    fn close(&self) {
        let mut line = self.line();
        line.closed = true;
        let waiting = mem::take(&mut line.waiting);
        drop(line);
        self.changed.notify_one();
        drop(waiting);
    }
}

impl Line {
    /// The first commit and those right behind it.
    fn commits(&mut self, first: Call) -> Vec<Call> {
        let mut commits = vec![first];
        while commits.len() < limits::STORE_COMMITS_AT_ONCE {
            match self.waiting.pop_front() {
                Some(Place { task: Task::Commit(call), .. }) => commits.push(call),
                Some(place) => {
                    self.waiting.push_front(place);
                    break;
                }
                None => break,
            }
        }
        commits
    }
}

/// However the thread ends, nobody waits for it for ever.
struct CloseOnDrop<'a>(&'a Queue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What the thread works with.
struct Hand<'a> {
    source: &'a Source,
    /// None after a failure, until it is needed again.
    connection: Option<Connection>,
}

impl Hand<'_> {
    fn work(mut self, queue: &Queue) {
        while let Some(next) = queue.next() {
            match next {
                Next::Deed(deed) => deed(self.connection()),
                Next::Unwaited(deed) => self.unwaited(deed),
                Next::Commits(calls) => self.commits(calls),
            }
            self.tidy();
        }
    }

    fn commits(&mut self, mut calls: Vec<Call>) {
        // Who has left before it began wants nothing any more.
        calls.retain(|(_, verdict)| !verdict.is_closed());
        let changes: Vec<&[Change]> = calls.iter().map(|(changes, _)| changes.as_slice()).collect();
        let verdicts = match self.connection().and_then(|connection| commit(connection, &changes)) {
            Ok(verdicts) => verdicts,
            Err(error) => vec![Err(CommitError::Store(error)); calls.len()],
        };
        for ((_, told), verdict) in calls.into_iter().zip(verdicts) {
            // One who has left meanwhile is not told.
            let _left = told.send(verdict);
        }
    }

    fn unwaited(&mut self, deed: Deed) {
        let eager = self.connection().and_then(|connection| {
            run(connection, sql::WAIT_FOR_NO_DISK, &[])?;
            Ok(connection)
        });
        deed(eager);
        // All else is waited for: a connection that cannot promise it is not used again.
        if let Some(connection) = &self.connection
            && run(connection, sql::WAIT_FOR_DISK, &[]).is_err()
        {
            self.connection = None;
        }
    }

    fn connection(&mut self) -> Result<&Connection, StoreError> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(self.source.open()?)),
        }
    }

    /// Nobody finds another's transaction: one that cannot even be undone goes with its connection.
    fn tidy(&mut self) {
        if let Some(connection) = &self.connection
            && !connection.is_autocommit()
            && run(connection, sql::ROLLBACK, &[]).is_err()
        {
            self.connection = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed() -> Task {
        Task::Deed(Box::new(|_| {}))
    }

    fn commit() -> (Task, oneshot::Receiver<Verdict>) {
        let (verdict, answer) = oneshot::channel();
        (Task::Commit((Vec::new(), verdict)), answer)
    }

    #[test]
    fn who_waited_too_long_is_not_served() {
        let queue = Queue::default();
        let [first, second] = [(); 2].map(|()| queue.line_up(deed()).unwrap());
        assert!(queue.withdraw(first));
        assert!(!queue.withdraw(first), "he has left");
        assert!(matches!(queue.next(), Some(Next::Deed(_))));
        assert!(!queue.withdraw(second), "it has begun");
    }

    #[test]
    fn commits_go_together_and_nobody_is_overtaken() {
        let queue = Queue::default();
        let mut answers = Vec::new();
        for commits in [2, 0, limits::STORE_COMMITS_AT_ONCE + 1] {
            for _ in 0..commits {
                let (task, answer) = commit();
                answers.push(answer);
                queue.line_up(task).unwrap();
            }
            queue.line_up(deed()).unwrap();
        }
        let next = || match queue.next() {
            Some(Next::Commits(commits)) => commits.len(),
            Some(Next::Deed(_) | Next::Unwaited(_)) => 0,
            None => panic!("it is not closed"),
        };
        let turns: Vec<_> = (0..6).map(|_| next()).collect();
        assert_eq!(turns, [2, 0, 0, limits::STORE_COMMITS_AT_ONCE, 1, 0]);
    }

    #[tokio::test]
    async fn only_what_says_so_does_not_wait_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source { path: folder.path().join("pawl.db"), pages_max: None };
        let connection = Connection::open(&source.path).unwrap();
        let writer = Writer::start(source, connection).unwrap();
        let level = |connection: &Connection| {
            Ok(connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0)).unwrap())
        };
        assert_eq!(writer.with(level).await.unwrap(), 2, "FULL");
        assert_eq!(writer.with_unwaited(level).await.unwrap(), 1, "NORMAL");
        assert_eq!(writer.with(level).await.unwrap(), 2, "FULL again");
    }

    #[test]
    fn when_the_thread_ends_nobody_waits_for_ever() {
        let queue = Queue::default();
        let (task, mut answer) = commit();
        queue.line_up(task).unwrap();
        drop(CloseOnDrop(&queue));
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert!(queue.next().is_none());
        assert_eq!(queue.line_up(deed()), Err(CLOSED));
    }
}
