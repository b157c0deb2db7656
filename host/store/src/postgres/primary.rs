//! The connections to the one server that takes writes, and the search for it.
//!
//! The driver's own pool keeps connections to one server, tries a server that is gone again and again until its time is over, and
//! cannot say why it has none. Here a connection belongs to a generation: when a server is lost, its generation ends and no
//! connection of it is used again, and who needs the next one finds the server that takes writes, one searcher for all.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pawl_core::limits;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::fault::{self, Failure, fault, needs_hands};
use super::url::DatabaseUrl;
use super::{PostgresOptions, setup, sql};
use crate::change::CommitError;
use crate::error::{Outage, StoreError};

const BUSY: StoreError = StoreError::Unavailable(Outage::Busy);
const UNREACHABLE: StoreError = StoreError::Unavailable(Outage::Unreachable);
const NOT_PRIMARY: StoreError = StoreError::Unavailable(Outage::NotPrimary);

/// How long one try of a piece of work may take. Then its connection is closed, and whatever it was doing is left to the server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// As long as a read.
    Read,
    /// As long as a change, which waits for the synchronous standby.
    Change,
    /// As long as what goes over everything.
    Long,
    /// As long as what hands everything over, at another's pace.
    Archive,
}

/// What is done with one connection.
pub(super) trait Work: Sync {
    /// What comes out of it.
    type Answer: Send;
    /// Whether doing it twice is as good as doing it once.
    const REPEATABLE: bool;
    /// Time for one try.
    const LIMIT: Limit;

    /// Does it once. Unless the connection is lost, a failure leaves it outside of any transaction.
    fn run(
        &self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
}

/// The connections of one host to whichever server takes writes.
pub(super) struct Primary {
    servers: Vec<PgConnectOptions>,
    connect_timeout: Duration,
    change_timeout: Duration,
    connections: u32,
    permits: Arc<Semaphore>,
    /// Fewer: reads must have connections left when every change waits for a standby that is gone.
    changes: Arc<Semaphore>,
    place: Mutex<Place>,
    /// Connections of an earlier generation than this are to a server that was left behind: nobody waits for its answer.
    left_behind: watch::Sender<u64>,
    search: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Primary {
    /// Without its servers: the driver's options would print the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Primary").field("place", &self.place()).finish_non_exhaustive()
    }
}

/// Where the primary is.
#[derive(Debug, Default)]
struct Place {
    /// None when it must be looked for: at first, and after it was lost. The one that was lost may answer again and still not be
    /// the right one any more.
    server: Option<usize>,
    generation: u64,
    idle: Vec<Idle>,
    /// The server that was found last, and how often it was another one than before.
    found: Option<usize>,
    moves: u64,
    /// Since when none is found.
    gone_since: Option<Instant>,
    /// The latest history that was seen: a server of an earlier one has been left behind, and is not gone back to.
    latest: Option<String>,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// A connection in use. It goes back with [`Session::keep`]; whoever drops it, closes it: an answer may still be on its way.
struct Session {
    connection: PgConnection,
    generation: u64,
    /// Since when nobody has heard of the server by it; none when it is new.
    idle_since: Option<Instant>,
    permits: Permits,
}

/// The right to have a connection, and for changes the right to have one of those that may wait for a standby.
#[derive(Debug)]
struct Permits {
    _connection: OwnedSemaphorePermit,
    _change: Option<OwnedSemaphorePermit>,
}

impl Session {
    /// Whether it may be used for what must not be done twice: a connection that was cut while it was idle says so only when it
    /// is used, and the change would then be one that may have happened.
    async fn is_alive(&mut self) -> bool {
        match self.idle_since {
            Some(since) if since.elapsed() > limits::STORE_PG_TRUSTED_IDLE => {
                matches!(timeout(limits::STORE_PG_CONNECT_TIMEOUT, self.connection.ping()).await, Ok(Ok(())))
            }
            _ => true,
        }
    }

    fn keep(self, primary: &Primary) {
        let Self { connection, generation, permits, .. } = self;
        let mut place = primary.place();
        if place.generation == generation && !primary.permits.is_closed() {
            place.idle.push(Idle { connection, since: Instant::now() });
        }
        drop(place);
        drop(permits);
    }
}

impl Primary {
    /// Knows the servers of `url` and connects to none yet.
    pub(super) fn new(url: &DatabaseUrl, options: PostgresOptions) -> Result<Self, StoreError> {
        Ok(Self {
            servers: url.servers()?,
            connect_timeout: url.connect_timeout(),
            change_timeout: options.change_timeout,
            connections: u32::from(options.connections.max(1)),
            permits: Arc::new(Semaphore::new(usize::from(options.connections.max(1)))),
            changes: Arc::new(Semaphore::new(usize::from(options.connections / 4 * 3).max(1))),
            place: Mutex::default(),
            left_behind: watch::Sender::default(),
            search: tokio::sync::Mutex::default(),
        })
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        // Nothing in here panics half-way.
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    const fn limit(&self, limit: Limit) -> Duration {
        match limit {
            Limit::Read => limits::STORE_PG_READ_TIMEOUT,
            Limit::Change => self.change_timeout,
            Limit::Long => limits::STORE_PG_LONG_TIMEOUT,
            Limit::Archive => limits::ARCHIVE_TIMEOUT,
        }
    }

    /// Does `work`, again if its connection or the server was lost before anything could have happened, or if it collided with
    /// another transaction. What may have happened is not done again, unless that makes no difference.
    pub(super) async fn run<W: Work>(self: &Arc<Self>, work: &W) -> Result<W::Answer, CommitError> {
        let (mut lost, mut conflicts) = (0, 0);
        loop {
            let mut session = self.session(!W::REPEATABLE).await?;
            let generation = session.generation;
            if !W::REPEATABLE && !session.is_alive().await {
                self.lost(generation);
                continue;
            }
            let mut left_behind = self.left_behind.subscribe();
            let tried = tokio::select! {
                biased;
                tried = timeout(self.limit(W::LIMIT), work.run(&mut session.connection)) => tried,
                // Its server may have died without a word, and another one was promoted.
                _ = left_behind.wait_for(|since| generation < *since) => Ok(Err(Failure::Unknown)),
            };
            let failure = match tried {
                Ok(Ok(answer)) => {
                    session.keep(self);
                    return Ok(answer);
                }
                Ok(Err(Failure::Verdict(verdict))) => {
                    session.keep(self);
                    return Err(verdict);
                }
                Ok(Err(Failure::Undone(error))) if fault::is_lost(&error) => fault(error),
                Ok(Err(Failure::Undone(error))) => {
                    session.keep(self);
                    conflicts += 1;
                    if fault::is_conflict(&error) && conflicts < limits::STORE_PG_CONFLICT_TRIES {
                        continue;
                    }
                    return Err(CommitError::Store(fault(error)));
                }
                Ok(Err(Failure::Moved)) => NOT_PRIMARY,
                Ok(Err(Failure::Unknown)) if W::REPEATABLE => UNREACHABLE,
                Ok(Err(Failure::Unknown)) => {
                    self.lost(generation);
                    return Err(CommitError::Store(StoreError::Unavailable(Outage::Unknown)));
                }
                Err(_) => {
                    // Its server may have gone without a word.
                    self.lost(generation);
                    if W::REPEATABLE {
                        return Err(CommitError::Store(StoreError::Unavailable(Outage::TooSlow)));
                    }
                    tokio::spawn(Arc::clone(self).outlast(session));
                    return Err(CommitError::Store(StoreError::Unavailable(Outage::Unknown)));
                }
            };
            drop(session);
            self.lost(generation);
            lost += 1;
            if lost >= limits::STORE_PG_LOST_TRIES {
                return Err(CommitError::Store(failure));
            }
        }
    }

    /// [`Primary::run`] for what cannot lose a race.
    pub(super) async fn ask<W: Work>(self: &Arc<Self>, work: &W) -> Result<W::Answer, StoreError> {
        self.run(work).await.map_err(|error| match error {
            CommitError::Store(error) => error,
            CommitError::LostRace | CommitError::NameTaken | CommitError::Fenced => {
                StoreError::Broken("a verdict on no change")
            }
        })
    }

    /// Keeps the place of a change that nobody waits for any more until the server is done with it: it may be waiting for a
    /// standby, and would go on to hold a connection there while this host opens the next one, until the server has none left. A
    /// server that this host has left for another is not waited for.
    async fn outlast(self: Arc<Self>, session: Session) {
        let Session { mut connection, permits, .. } = session;
        let moves = self.place().moves;
        let mut done = std::pin::pin!(connection.ping());
        while timeout(limits::STORE_PG_CONNECT_TIMEOUT, &mut done).await.is_err() {
            if self.place().moves != moves || self.permits.is_closed() {
                break;
            }
        }
        drop(permits);
    }

    /// No connection of this generation is used again.
    fn lost(&self, generation: u64) {
        let mut place = self.place();
        if place.generation == generation {
            place.generation += 1;
            place.server = None;
            place.idle.clear();
        }
    }

    /// A connection to the server that takes writes, wherever it is now.
    async fn session(&self, for_change: bool) -> Result<Session, StoreError> {
        let mut why = BUSY;
        let found = timeout(limits::STORE_PG_ACQUIRE_TIMEOUT, async {
            let permits = self.permits(for_change).await?;
            why = UNREACHABLE;
            loop {
                let (generation, server) = {
                    let mut place = self.place();
                    let generation = place.generation;
                    if let Some(Idle { connection, since }) = place.idle.pop() {
                        return Ok(Session { connection, generation, idle_since: Some(since), permits });
                    }
                    (generation, place.server)
                };
                if let Some(options) = server.and_then(|server| self.servers.get(server)) {
                    match connect(options, self.connect_timeout).await {
                        Ok(connection) => {
                            return Ok(Session { connection, generation, idle_since: None, permits });
                        }
                        Err(error) => why = error,
                    }
                }
                match self.search(generation).await {
                    Ok(()) => {}
                    Err(error) if needs_hands(&error) || self.is_long_gone() => return Err(error),
                    Err(error) => why = error,
                }
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => Err(why),
        }
    }

    async fn permits(&self, for_change: bool) -> Result<Permits, StoreError> {
        let closed = |_| StoreError::Unavailable(Outage::Closed);
        let change = match for_change {
            true => Some(Arc::clone(&self.changes).acquire_owned().await.map_err(closed)?),
            false => None,
        };
        let connection = Arc::clone(&self.permits).acquire_owned().await.map_err(closed)?;
        Ok(Permits { _connection: connection, _change: change })
    }

    /// Whether no server has been found for as long as a call is ready to wait: the next ones need not wait as long again.
    fn is_long_gone(&self) -> bool {
        self.place().gone_since.is_some_and(|since| since.elapsed() > limits::STORE_PG_ACQUIRE_TIMEOUT)
    }

    /// Looks for the server that takes writes, unless somebody else has found it since `generation`.
    async fn search(&self, generation: u64) -> Result<(), StoreError> {
        let _turn = self.search.lock().await;
        if self.place().generation != generation {
            return Ok(());
        }
        let mut asked = JoinSet::new();
        for (server, options) in self.servers.iter().cloned().enumerate() {
            let (limit, is_choice) = (self.connect_timeout, self.servers.len() > 1);
            asked.spawn(async move {
                let mut connection = connect(&options, limit).await?;
                let history = if is_choice { timeline(&mut connection, limit).await? } else { None };
                Ok((history, server, connection))
            });
        }
        let latest = self.place().latest.clone();
        let (mut best, mut why): (Option<Primacy>, _) = (None, None);
        while let Some(answer) = next(&mut asked, self.patience(best.as_ref(), latest.as_deref())).await {
            match answer {
                // It takes writes, but another one was promoted since.
                Ok((history, ..)) if history < latest => why = Some(worse(why, NOT_PRIMARY)),
                // Two that take writes: the one that was promoted last is right, and the other one has been left behind.
                Ok(found) if best.as_ref().is_none_or(|best| best.0 < found.0) => best = Some(found),
                Ok(_) => {}
                Err(error) => why = Some(worse(why, error)),
            }
        }
        let Some((history, server, connection)) = best else {
            self.place().gone_since.get_or_insert_with(Instant::now);
            sleep(limits::STORE_PG_SEARCH_PAUSE).await;
            return Err(why.unwrap_or(UNREACHABLE));
        };
        let mut place = self.place();
        place.generation += 1;
        if place.found.replace(server).is_some_and(|before| before != server) {
            place.moves += 1;
        }
        place.server = Some(server);
        place.gone_since = None;
        place.idle = vec![Idle { connection, since: Instant::now() }];
        place.latest = history.max(latest);
        Ok(())
    }

    /// How long the other servers are waited for when `best` is the best so far. One that was promoted since this host looked
    /// last is the one; of one that was there before, another may be the successor.
    fn patience(&self, best: Option<&Primacy>, latest: Option<&str>) -> Duration {
        match best {
            Some((history, ..)) if history.is_none() || latest.is_some() && history.as_deref() > latest => {
                limits::STORE_PG_SEARCH_GRACE
            }
            _ => self.connect_timeout * 2,
        }
    }

    /// Looks now and then whether another server was promoted, as long as somebody holds the store: the one that this host talks
    /// to may have been left behind and not know it.
    pub(super) fn watch(self: &Arc<Self>) {
        if self.servers.len() < 2 {
            return;
        }
        let primary = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep(limits::STORE_PG_WATCH_EVERY).await;
                let Some(primary) = primary.upgrade().filter(|primary| !primary.permits.is_closed()) else {
                    return;
                };
                primary.look_around().await;
            }
        });
    }

    async fn look_around(&self) {
        let (generation, current, latest) = {
            let place = self.place();
            (place.generation, place.server, place.latest.clone())
        };
        // Where there are no histories, none is later than another.
        let (Some(current), Some(latest)) = (current, latest) else { return };
        let others = self.servers.iter().enumerate().filter(|(server, _)| *server != current);
        for (_, options) in others {
            let asked = async {
                let mut connection = connect(options, self.connect_timeout).await?;
                let history = timeline(&mut connection, self.connect_timeout).await;
                let _closed = timeout(limits::STORE_PG_CONNECT_TIMEOUT, connection.close()).await;
                history
            };
            if let Ok(Some(history)) = asked.await
                && history > latest
            {
                self.lost(generation);
                self.place().latest = Some(history);
                self.left_behind.send_if_modified(|since| {
                    let later = *since <= generation;
                    *since = (*since).max(generation.saturating_add(1));
                    later
                });
                return;
            }
        }
    }

    /// Waits for what is under way and closes every connection.
    pub(super) async fn close(&self) {
        // What does not end in its time is cut off when it ends.
        let _ended = timeout(self.change_timeout, self.permits.acquire_many(self.connections)).await;
        self.permits.close();
        let idle = std::mem::take(&mut self.place().idle);
        for Idle { connection, .. } in idle {
            let _closed = timeout(limits::STORE_PG_CONNECT_TIMEOUT, connection.close()).await;
        }
    }
}

/// Connects within `limit`, and sets the session up.
pub(super) async fn connect(options: &PgConnectOptions, limit: Duration) -> Result<PgConnection, StoreError> {
    let connecting = async {
        let mut connection = options.connect().await.map_err(fault)?;
        setup::prepare(&mut connection).await?;
        Ok(connection)
    };
    timeout(limit, connecting).await.unwrap_or(Err(UNREACHABLE))
}

/// The history that a primary writes; none where there is no such thing. The higher, the later it was promoted.
async fn timeline(connection: &mut PgConnection, limit: Duration) -> Result<Option<String>, StoreError> {
    match timeout(limit, sqlx::raw_sql(sql::TIMELINE).fetch_one(connection)).await {
        Ok(Ok(row)) => row.try_get("timeline").map(Some).map_err(fault),
        Ok(Err(error)) if fault::is_lost(&error) => Err(fault(error)),
        Ok(Err(_)) => Ok(None),
        Err(_) => Err(UNREACHABLE),
    }
}

/// A server that takes writes: its history, its place in the URL, a connection to it.
type Primacy = (Option<String>, usize, PgConnection);

/// The next server's answer, if one comes in time.
async fn next(
    asked: &mut JoinSet<Result<Primacy, StoreError>>,
    limit: Duration,
) -> Option<Result<Primacy, StoreError>> {
    match timeout(limit, asked.join_next()).await {
        Ok(Some(Ok(found))) => Some(found),
        Ok(Some(Err(_))) => Some(Err(UNREACHABLE)),
        Ok(None) | Err(_) => None,
    }
}

/// Of two servers' reasons the one to tell. While one of them may be cured by waiting, it is waited.
fn worse(one: Option<StoreError>, other: StoreError) -> StoreError {
    let rank = |error: &StoreError| match error {
        StoreError::Unavailable(Outage::NotPrimary) => 3,
        StoreError::Unavailable(Outage::TooManyConnections) => 2,
        error if !needs_hands(error) => 1,
        _ => 0,
    };
    match one {
        Some(one) if rank(&one) >= rank(&other) => one,
        _ => other,
    }
}
