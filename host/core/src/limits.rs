//! Every number in the product, with its unit and where it comes from.

mod audit;
mod aws;
mod cache;
mod databases;
mod doors;
mod functions;
mod http;
mod identity;
mod keys;
mod oidc;
mod process;

use std::time::Duration;

pub use self::audit::*;
pub use self::aws::*;
pub use self::cache::*;
pub use self::databases::*;
pub use self::doors::*;
pub use self::functions::*;
pub use self::http::*;
pub use self::identity::*;
pub use self::keys::*;
pub use self::oidc::*;
pub use self::process::*;

// Policies.

/// Characters of a policy's text that an error about it repeats.
pub const POLICY_EXCERPT_CHARS_MAX: usize = 80;
/// Bits of a prefix of IPv4 addresses below which it names no one in particular (S3's meaning of "public").
pub const PUBLIC_PREFIX_BITS_V4: u8 = 8;
/// Bits of a prefix of IPv6 addresses below which it names no one in particular (S3's meaning of "public").
pub const PUBLIC_PREFIX_BITS_V6: u8 = 32;

// Requests.

/// Bytes of a request's body: a 64 KiB value that JSON escapes six-fold has room, and every field at its longest.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
/// How far a signature's date may be from the server's wall clock (AWS: 5 minutes; 15 for S3 and IAM).
pub const SIGNATURE_SKEW_MAX: Duration = Duration::from_secs(5 * 60);
/// How long a presigned request may be valid (AWS: 7 days).
pub const PRESIGNED_SECONDS_MAX: u32 = 7 * 24 * 3600;
/// Violations of a model that one error tells (AWS: 10).
pub const VIOLATIONS_TOLD_MAX: usize = 10;
/// Characters of an access key's id (AWS's IAM model).
pub const ACCESS_KEY_ID_CHARS_MAX: usize = 128;
/// Characters of a region or a service in a credential's scope.
pub const SCOPE_NAME_CHARS_MAX: usize = 64;
/// How long a client may take to send a request's header, and how long a connection may wait for its next request.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at once; more wait to be accepted.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Wait after a connection that could not be accepted.
pub const ACCEPT_WAIT: Duration = Duration::from_millis(50);
/// Open files that are not callers' connections: the store, workers, databases.
pub const FILES_RESERVED: u64 = 256;
/// How long a client may take to send a request's body.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(30);

// The store and its cache.

/// Wait before a rotation tries again to commit what came of a step; doubles with each.
pub const STEP_COMMIT_WAIT: Duration = Duration::from_millis(100);
/// Times that a change is rerun after a lost race.
pub const CHANGE_TRIES_MAX: u32 = 8;
/// Secrets whose dates of access wait to be written down, most; further reads are not noted until there is room.
pub const ACCESS_NOTES_MAX: usize = 10_000;
/// Dates of access that are written down in one transaction.
pub const ACCESS_NOTES_AT_ONCE: usize = 500;
/// How often dates of access are written down.
pub const ACCESS_WRITE_EVERY: Duration = Duration::from_millis(500);
/// Leases that one description of a host shows, most.
pub const LEASES_SHOWN_MAX: u32 = 100;
/// How long `/readyz` waits for the store.
pub const READY_TIMEOUT: Duration = Duration::from_secs(2);
/// Comparisons of what is remembered with a shared store that are under way at once.
pub const COMPARISONS_AT_ONCE: usize = 2;
/// Secrets that one comparison takes, most.
pub const COMPARED_AT_ONCE: usize = 256;
/// Derived signing keys kept in memory.
pub const SIGNING_KEYS_MAX: usize = 1_024;

/// Rotations that are kept of each secret; the newest.
pub const ROTATIONS_KEPT: u32 = 100;
/// Rows that one call to the store answers, most.
pub const STORE_ROWS_MAX: u32 = 1_000;
/// Connections that read from an embedded store at once.
pub const STORE_READERS: u32 = 4;
/// How long a call waits for a connection to the store.
pub const STORE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an embedded store waits for another process (a backup) that holds its lock.
pub const STORE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a read of an embedded store pauses before it tries again while another process holds the file.
pub const STORE_BUSY_PAUSE: Duration = Duration::from_millis(5);
/// KiB of page cache of a connection that reads from an embedded store.
pub const STORE_CACHE_KIB: u32 = 2_048;
/// KiB of page cache of the connection that writes: a transaction that outgrows it writes its pages more than once.
pub const STORE_WRITER_CACHE_KIB: u32 = 16_384;
/// Prepared statements kept by one connection to a store.
pub const STORE_STATEMENTS_MAX: usize = 64;
/// Waiting commits that an embedded store makes durable at once, most.
pub const STORE_COMMITS_AT_ONCE: usize = 64;
/// Pages of the write-ahead log after which it is folded into the database.
pub const STORE_WAL_PAGES: u32 = 4_000;
/// Bytes at which the write-ahead log's file is cut after it has been folded in.
pub const STORE_WAL_BYTES_KEPT: u32 = 16 * 1024 * 1024;
/// Problems that one check of the store reports, most.
pub const STORE_PROBLEMS_MAX: usize = 10;

// Rotation.

/// How long a host may hold a rotation without a sign of life; it gives one at every third of it.
pub const LEASE: Duration = Duration::from_secs(20);
/// How long a database waits for the end of a password change after the host's last word; then it takes the change back.
pub const LAST_WORD_VALID: Duration = Duration::from_secs(3);
/// What must be left of a lease in a shared store before a deed outside of it: longer than the last word is valid, so that the
/// deed is done or undone before anybody else can claim the rotation.
pub const FENCE_MARGIN: Duration = Duration::from_secs(5);
/// How long a MySQL or MariaDB server waits, after the host's last word, for the statement that it cannot take back; then it
/// ends the session. Whole seconds.
pub const LAST_WORD_SILENCE: Duration = Duration::from_secs(2);
/// How long that statement may run. With the silence before it, it is over within `FENCE_MARGIN`.
pub const LAST_WORD_STATEMENT: Duration = Duration::from_millis(2_900);
/// How long it may wait for a lock. Whole seconds, the fewest that servers know.
pub const LAST_WORD_LOCK_WAIT: Duration = Duration::from_secs(1);
/// Wall-clock time of one step, all of its database calls included.
pub const STEP_WALL: Duration = Duration::from_secs(30);
/// Tries of a rotation's step after transient failures before a person must act.
pub const STEP_TRIES_MAX: u32 = 20;
/// Tries of a trial's testSecret.
pub const CHECK_TRIES_MAX: u32 = 5;
/// Wait before the second try of a step; doubles with each.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// Longest wait between two tries of a step.
pub const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// Refused logins of one account, in a row, that one rotation may cause: below what common lockout rules allow (five and more).
pub const FAILED_LOGINS_MAX: u32 = 4;
/// Versions that are kept in mind because a server may have their password although no label says so.
pub const ADRIFT_VERSIONS_MAX: usize = 8;
/// Versions besides the labelled ones that a rotation may try to log in with.
pub const OTHER_CANDIDATES_MAX: usize = 4;
/// Bytes of what a rotator is told about how two accounts differ.
pub const DIFFERENCES_BYTES_MAX: usize = 8 * 1024;
/// Secrets that a function may be granted beside the one under rotation.
pub const GRANTED_SECRETS_MAX: usize = 64;
/// Rotations that one host runs at once.
pub const ROTATIONS_AT_ONCE_MAX: usize = 32;
/// How often the scheduler looks for due work when nobody nudges it.
pub const SCHEDULER_TICK: Duration = Duration::from_secs(1);
/// Rotations that one claim takes, most.
pub const CLAIM_MAX: u32 = 64;
/// What is left at the end of a rotation's window when the last of those that are planned in it begin.
pub const WINDOW_MARGIN: Duration = Duration::from_secs(15 * 60);
/// What is left of it when one that is behind its plan may begin, least.
pub const WINDOW_START_MARGIN: Duration = Duration::from_secs(5 * 60);
/// By how much a rotation may be behind its plan before it counts as missed, and takes its turn among all that were.
pub const ROTATION_LATE: Duration = Duration::from_secs(5 * 60);
/// Time between two rotations that one host makes up for.
pub const CATCH_UP_PACE: Duration = Duration::from_millis(250);
/// How far ahead one host gives turns to rotations that are made up for.
pub const CATCH_UP_AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);
/// How soon a window must open for a missed rotation to wait for it.
pub const CATCH_UP_SOON: Duration = Duration::from_secs(3600);
/// How long the turn of a rotation that is made up for holds.
pub const CATCH_UP_WINDOW: Duration = Duration::from_secs(3600);
/// The part of a window, one in so many, in which groups begin: the rest is for their members.
pub const GROUP_BASE_PART: u64 = 4;
/// Time between two members of a group when nothing is said.
pub const GROUP_OFFSET_DEFAULT: Duration = Duration::from_secs(30 * 60);
/// Places of a group.
pub const GROUP_ORDER_MAX: u32 = 999;
/// How far a member of a group can be moved: no window is longer.
pub const GROUP_SHIFT_MAX: Duration = Duration::from_secs(24 * 3600);
/// Days that a plan of rotations looks ahead, most, and when nothing is said.
pub const PLAN_DAYS_MAX: u32 = 366;
/// See [`PLAN_DAYS_MAX`].
pub const PLAN_DAYS_DEFAULT: u32 = 30;
/// Rotations of one secret that a plan tells, most: one every four hours for a month.
pub const PLAN_ROTATIONS_MAX: usize = 186;
/// Rotations that `pawl rotate --plan` puts in order, the first of all; more are counted.
pub const PLAN_LINES_MAX: usize = 10_000;
/// By how much a date must be in the future for a plan to say that a clock was wrong.
pub const PLAN_CLOCK_SKEW: Duration = Duration::from_secs(24 * 3600);
/// Secrets that a scheduler leaves out of its next looks because they could not be changed.
pub const SCHEDULER_TROUBLED_MAX: usize = 512;
/// After how long a scheduler tries those again.
pub const SCHEDULER_TROUBLED_WAIT: Duration = Duration::from_secs(60);
/// Entropy of a generated password, least, in bits.
pub const PASSWORD_ENTROPY_BITS_MIN: f64 = 100.0;

// The sandbox.

/// Bytes of linear memory of one guest.
pub const GUEST_MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Elements of one guest's tables.
pub const GUEST_TABLE_ELEMENTS_MAX: usize = 20_000;
/// Core instances in one component (JavaScript and Python components hold dozens).
pub const GUEST_INSTANCES_MAX: usize = 64;
/// Fuel of one step: roughly wasm instructions.
pub const GUEST_FUEL: u64 = 2_000_000_000;
/// Processor time of one step outside of host calls.
pub const GUEST_CPU: Duration = Duration::from_secs(2);
/// How often a worker's epoch advances.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Bytes that a guest may pass to the host in one call.
pub const HOSTCALL_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that a worker may pass to the host in one step, all of its calls together.
pub const STEP_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Calls to the host in one step.
pub const HOSTCALLS_MAX: u32 = 10_000;
/// What a call to the host counts as of the host's time: a guest that asks without end is served no faster.
pub const HOSTCALL_PACE: Duration = Duration::from_micros(500);
/// What each KiB that it passes counts as besides.
pub const HOSTCALL_KIBIBYTE_PACE: Duration = Duration::from_micros(120);
/// How much of that time a guest may be ahead.
pub const HOSTCALL_START: Duration = Duration::from_millis(250);
/// Handles that a guest may hold at once.
pub const GUEST_HANDLES_MAX: usize = 1_024;
/// Bytes of the readable fields of a version that are sent to its guest unasked.
pub const VERSION_TEXT_BYTES_MAX: usize = 4 * 1024;
/// Bytes of stack of one guest.
pub const GUEST_STACK_BYTES: usize = 512 * 1024;
/// Lines of log kept of one step.
pub const LOG_LINES_MAX: usize = 100;
/// Bytes of one line of log, of a failure's text, or of a guest's standard error.
pub const LOG_LINE_BYTES_MAX: usize = 1_024;
/// Database sessions that a guest may hold at once.
pub const GUEST_SESSIONS_MAX: usize = 4;
/// Bytes of one message between host and worker.
pub const WORKER_FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of one message from a worker, which is not trusted: what a guest may pass to the host in one call has room.
pub const WORKER_ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of the stack on which a worker runs guests: the guest's own, and the host functions' on top of it.
pub const WORKER_STACK_BYTES: usize = 4 * 1024 * 1024;
/// Open files of a worker: the pipe, and an image for each memory that its guest begins with.
pub const WORKER_FILES_MAX: u64 = 72;
/// Bytes of memory that a worker may write to: a compiled component on its way in, thrice, and a guest's memory beside it.
pub const WORKER_DATA_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// By how much the host's threads that serve guests are nicer than those that answer requests (nice(2)).
pub const CREW_NICENESS: i32 = 5;
/// By how much a worker and a compiler are nicer than those threads.
pub const WORKER_NICENESS: i32 = 10;
/// How long a turn those threads ask the kernel's scheduler for: longer than the usual one (3 ms at most), so that whoever answers
/// requests interrupts them.
pub const CREW_TURN: Duration = Duration::from_millis(6);
/// How long a turn a worker and a compiler ask for: longer than that.
pub const WORKER_TURN: Duration = Duration::from_millis(12);
/// Times that a step is given to a new worker at once, because the first one died before the guest had asked for anything.
pub const WORKER_DEATHS_MAX: u32 = 1;
/// Worker processes without a component that are started ahead of need, and kept ready.
pub const WORKERS_READY: usize = 2;
/// How long a component waits for a worker after it has broken one; doubling with each that follows.
pub const RESPITE_FIRST: Duration = Duration::from_millis(50);
/// Longest such wait.
pub const RESPITE_MAX: Duration = Duration::from_secs(1);
/// How long after its end such a wait is remembered.
pub const RESPITE_MEMORY: Duration = Duration::from_secs(30);
/// How long the end of a worker process may take to be known after its pipe has broken.
pub const WORKER_END_WALL: Duration = Duration::from_secs(1);
/// Time for a worker process to start and say so.
pub const WORKER_START_WALL: Duration = Duration::from_secs(10);
/// Worker processes of one host: one for each rotation that runs, so that none waits for another's database in the middle.
pub const WORKERS_MAX: usize = ROTATIONS_AT_ONCE_MAX;
/// Worker processes that are kept when there is nothing to do, those that are ready for any component among them.
pub const WORKERS_IDLE_MAX: usize = 6;
/// Steps that a worker process runs before it is replaced.
pub const WORKER_STEPS_MAX: u32 = 1_000;
/// Wall-clock time of one compilation: what bounds the work is its processor time, of which a busy machine gives a nice process little (a
/// Python component took 299 s on two cores with twelve other processes).
pub const COMPILE_WALL: Duration = Duration::from_secs(600);
/// Processor time of one compilation, in seconds (measured: a Python component 23, a JavaScript one 26; in a debug build 34 and 45).
pub const COMPILE_CPU_SECONDS: u64 = 90;
/// Open files of a process that compiles: its pipes.
pub const COMPILE_FILES_MAX: u64 = 16;
/// Address space of a process that compiles.
pub const COMPILE_ADDRESS_BYTES_MAX: u64 = 2_500_000_000;
/// Bytes of a compiled component: it must fit into one message to a worker.
pub const ARTIFACT_BYTES_MAX: usize = WORKER_FRAME_BYTES_MAX - 4 * 1024;
/// Instances of modules and components that one component makes, nested ones included (a Python component: 38 modules').
pub const COMPONENT_INSTANCES_MAX: u64 = 1_000;
/// Components within components, most (what compilers write: 2).
pub const COMPONENT_DEPTH_MAX: usize = 16;
/// Imports of a component, most (a Python component: 30).
pub const COMPONENT_IMPORTS_MAX: usize = 200;
/// Bytes of the manifest that a component carries.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a component.
pub const COMPONENT_BYTES_MAX: usize = 64 * 1024 * 1024;

// Events.

/// Events of one page of ListEvents.
pub const EVENTS_PAGE_MAX: u32 = 1_000;
/// Events of one page when nothing is said.
pub const EVENTS_PAGE_DEFAULT: u32 = 100;
/// Events that one call of ListEvents looks at: filters that find little give short pages.
pub const EVENTS_SCANNED_MAX: u32 = 5_000;
/// Seconds that ListEvents waits for more.
pub const EVENTS_WAIT_SECONDS_MAX: u32 = 20;
/// Types that one call of ListEvents can name.
pub const EVENT_TYPES_MAX: usize = 50;
/// Characters of a type of event.
pub const EVENT_TYPE_CHARS_MAX: usize = 64;
/// How often a host looks whether another one has stored an event, while somebody waits for one.
pub const EVENTS_LOOK_EVERY: Duration = Duration::from_millis(500);

/// Time for one request to the webhook's receiver.
pub const WEBHOOK_SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a host has the right to send, unless it renews it: longer than a request may take.
pub const WEBHOOK_LEASE: Duration = Duration::from_secs(30);
/// First wait after a request that the receiver did not take; doubling from there.
pub const WEBHOOK_BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// Longest wait between two such requests.
pub const WEBHOOK_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// How long a host that stops waits for the request that is under way.
pub const WEBHOOK_END_TIMEOUT: Duration = Duration::from_secs(3);
/// Events that are read at once to be sent.
pub const WEBHOOK_PAGE: u32 = 100;
/// Bytes of the receiver's answer that are read.
pub const WEBHOOK_ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a webhook's secret, least (Standard Webhooks).
pub const WEBHOOK_SECRET_BYTES_MIN: usize = 24;
/// Bytes of a webhook's secret, most (Standard Webhooks).
pub const WEBHOOK_SECRET_BYTES_MAX: usize = 64;
/// Secrets that messages are signed with at once.
pub const WEBHOOK_SECRETS_MAX: usize = 4;
/// Wait of `pawl events --follow` for a server that does not answer.
pub const EVENTS_RETRY: Duration = Duration::from_secs(1);
/// Secrets that `pawl doctor` names of each kind that it warns of.
pub const SECRETS_SHOWN_MAX: u32 = 5;
/// Events that are kept, most.
pub const EVENTS_KEPT: u64 = 1_000_000;
/// For how long they are kept.
pub const EVENTS_AGE_MAX: Duration = Duration::from_secs(90 * 86_400);
/// How often the oldest are looked at.
pub const EVENTS_FORGET_EVERY: Duration = Duration::from_secs(60);

// The command line.

/// Time for the command line to connect to a server.
pub const CLIENT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for one call of the command line's.
pub const CLIENT_CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that the command line reads.
pub const CLIENT_ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How often the command line asks how a rotation stands.
pub const ROTATION_POLL: Duration = Duration::from_millis(200);
/// How long `pawl rotate --wait` waits when nothing is said.
pub const ROTATION_WAIT_DEFAULT: Duration = Duration::from_secs(600);
/// Difference of two machines' clocks at which `pawl doctor` warns.
pub const CLOCK_SKEW_WARN: Duration = Duration::from_secs(60);
/// Bytes of a file that holds credentials or settings.
pub const SETTINGS_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Tries of a step that fails for a while, in `pawl function test`.
pub const DRILL_TRIES_MAX: u32 = 5;
/// Calls of a step before each of which `pawl function test` lets the host die once.
pub const DRILL_CRASHES_MAX: u32 = 40;
/// Bytes of memory for sealed secrets of the host of `pawl function test`.
pub const DRILL_CACHE_BYTES: u64 = 1024 * 1024;
/// How long each server of `pawl demo` may take to start.
pub const DEMO_START_WALL: Duration = Duration::from_secs(60);
/// How long they may take to stop, together, before they are killed.
pub const DEMO_STOP_WALL: Duration = Duration::from_secs(3);
/// How often `pawl demo` looks whether a server has started or stopped.
pub const DEMO_POLL: Duration = Duration::from_millis(20);

// The store in PostgreSQL.

/// Connections of one host to its PostgreSQL.
pub const STORE_PG_CONNECTIONS: u16 = 16;
/// How long a call waits for a connection to a server that takes writes, a failover included.
pub const STORE_PG_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for one connection with its login when the URL says nothing.
pub const STORE_PG_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for one try of a change, after which its connection is dropped: a commit waits in it for the synchronous standby.
pub const STORE_PG_CHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for one try of a read.
pub const STORE_PG_READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for what reads or changes everything: a migration, a look over the whole store.
pub const STORE_PG_LONG_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a statement waits for a row that another host has locked.
pub const STORE_PG_LOCK_TIMEOUT: Duration = Duration::from_secs(4);
/// After which a server ends a transaction whose host does nothing: a paused host must not keep rows locked.
/// Shorter than others wait for such a row, so that they get it.
pub const STORE_PG_IDLE_TRANSACTION: Duration = Duration::from_secs(3);
/// Pause between two rounds of looking for the server that takes writes.
pub const STORE_PG_SEARCH_PAUSE: Duration = Duration::from_millis(100);
/// How often a host looks whether another server of its URL was promoted while the one that it talks to still answers.
pub const STORE_PG_WATCH_EVERY: Duration = Duration::from_secs(1);
/// How long, after a server was found that was promoted since this host looked last, the others may say that they were, too.
pub const STORE_PG_SEARCH_GRACE: Duration = Duration::from_millis(200);
/// How long a connection may have been idle to be used for a change without being tried first.
pub const STORE_PG_TRUSTED_IDLE: Duration = Duration::from_millis(100);
/// How often a call is tried whose connection was lost before anything could have happened.
pub const STORE_PG_LOST_TRIES: u32 = 3;
/// How often a transaction is tried that collided with another one.
pub const STORE_PG_CONFLICT_TRIES: u32 = 8;
/// New secrets, or values, that one statement stores.
pub const STORE_PG_ROWS_AT_ONCE: usize = 256;
/// Records that are numbered in one transaction; more than one page of them.
pub const STORE_PG_NUMBERED_AT_ONCE: u32 = 10_000;
/// Servers in one database URL.
pub const STORE_PG_HOSTS_MAX: usize = 16;
/// Bytes of a file with passwords to the store that are read.
pub const STORE_PG_PASSWORD_FILE_BYTES_MAX: u64 = 64 * 1024;

// Metrics.

/// Upper bounds of the buckets that requests are counted in by how long they took.
pub const REQUEST_SECONDS_BUCKETS: &[Duration] = &[
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];
/// Those for changes of the store, until they are durable.
pub const COMMIT_SECONDS_BUCKETS: &[Duration] = &[
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];
/// Those for steps of rotations, the wait for a worker and a compilation included.
pub const STEP_SECONDS_BUCKETS: &[Duration] = &[
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
];

// Backups, moving a store, and telling that one was rolled back.

/// Rows of a store that an export hands over at once, most.
pub const ARCHIVE_PAGE_ROWS: usize = 256;
/// Bytes of documents, values and records that an export hands over at once; one secret alone may be more.
pub const ARCHIVE_PAGE_BYTES: usize = 1024 * 1024;
/// Pages that an export is ahead of whoever takes them, most.
pub const ARCHIVE_PAGES_AHEAD: usize = 4;
/// Time for a whole store to be read or filled, its transaction's.
pub const ARCHIVE_TIMEOUT: Duration = Duration::from_secs(86_400);
/// By how much the epochs of leases are raised when a store is moved or restored: more claims than a secret can have had between
/// a backup and its restoration, so that a claim from then is fenced off.
pub const IMPORT_EPOCHS: u64 = 1 << 20;
/// Bytes of one line of a backup file: what a request may hold, escaped twice, has room.
pub const BACKUP_LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a function's code in one line of a backup file.
pub const BACKUP_CODE_PART_BYTES: usize = 1024 * 1024;
/// Bytes of memory through which a backup file is written and read.
pub const BACKUP_BUFFER_BYTES: usize = 256 * 1024;
/// Names that a message about a backup gives, most.
pub const BACKUP_NAMES_SHOWN: usize = 10;
/// How often a running host raises the store's epoch.
pub const STORE_EPOCH_EVERY: Duration = Duration::from_secs(300);
/// Hosts that a store's epoch remembers; the ones that raised it longest ago are forgotten first.
pub const STORE_EPOCH_HOSTS_MAX: usize = 64;
/// Bytes of a host's witness of the store's epoch.
pub const STORE_WITNESS_BYTES_MAX: u64 = 4_096;
/// How often a command says how far it is, on a terminal.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(100);

// Traces.

/// Time for one batch of spans on its way to the collector, all tries together.
pub const TRACES_SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a host that stops goes on to send spans.
pub const TRACES_END_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of a collector's answer that are read.
pub const TRACES_ANSWER_BYTES_MAX: u64 = 64 * 1024;
