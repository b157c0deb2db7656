//! Functions that are uploaded: what AWS documents for Lambda (so marked), and what is Pawl's own.

use std::time::Duration;

/// Characters of a function's name (AWS).
pub const FUNCTION_NAME_CHARS_MAX: usize = 64;
/// Characters of an alias's name (AWS).
pub const ALIAS_NAME_CHARS_MAX: usize = 128;
/// Characters of the description of a function, a version or an alias (AWS).
pub const FUNCTION_DESCRIPTION_CHARS_MAX: usize = 256;
/// Seconds of a function's timeout, most (AWS). What a step may really take is `STEP_WALL`.
pub const FUNCTION_TIMEOUT_SECONDS_MAX: u32 = 900;
/// Seconds of a function's timeout when nothing is said (AWS).
pub const FUNCTION_TIMEOUT_SECONDS_DEFAULT: u32 = 3;
/// Seconds of timeout that `pawl function deploy` gives a new function whose manifest says nothing: what a step may take anyway,
/// and what AWS's own rotation functions come with.
pub const FUNCTION_TIMEOUT_SECONDS_DEPLOYED: u32 = 30;
/// MB of a function's memory, least, and when nothing is said (AWS).
pub const FUNCTION_MEMORY_MB_MIN: u32 = 128;
/// MB of a function's memory, most (AWS). What a guest may really have is `GUEST_MEMORY_BYTES_MAX`.
pub const FUNCTION_MEMORY_MB_MAX: u32 = 10_240;
/// Bytes of a function's environment, names and values together (AWS).
pub const FUNCTION_ENVIRONMENT_BYTES_MAX: usize = 4_096;
/// Tags of one function (AWS).
pub const FUNCTION_TAGS_MAX: usize = 50;
/// Characters of the id of a statement in a function's policy (AWS).
pub const STATEMENT_ID_CHARS_MAX: usize = 100;
/// Bytes of the policy on a function, a version or an alias (AWS: 20 KB).
pub const FUNCTION_POLICY_BYTES_MAX: usize = 20_480;
/// Published versions of one function, most. AWS counts bytes only.
pub const FUNCTION_VERSIONS_MAX: usize = 500;
/// Aliases of one function, most. AWS has no such limit.
pub const FUNCTION_ALIASES_MAX: usize = 200;
/// Bytes of code of all versions of one function, each digest counted once (AWS: 75 GB, of a region).
pub const FUNCTION_CODE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Invocations at once that can be reserved for one function (AWS: what the account has).
pub const FUNCTION_CONCURRENCY_MAX: u32 = 1_000;
/// Functions of one page of a list: most, and when nothing is said (AWS's ListFunctions).
pub const FUNCTIONS_PAGE_MAX: u32 = 50;
/// For how long code is kept that no version of a function names and no running rotation pins: as long as between a
/// rotation's decision for it and its first commit, many times over.
pub const FUNCTION_CODE_KEPT: Duration = Duration::from_secs(3600);
/// How often a host sweeps such code.
pub const FUNCTION_CODE_SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Bytes of uploaded components that a host keeps in memory.
pub const FUNCTION_CACHE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Characters of what names a function in a request: an ARN with a version at most (AWS: 170).
pub const FUNCTION_REFERENCE_CHARS_MAX: usize = 170;
/// Bytes of the lines that a host keeps of one function's log.
pub const FUNCTION_LOG_BYTES_MAX: usize = 256 * 1024;
/// Functions of whose log a host keeps lines: of more, those go that have written nothing for the longest time.
pub const FUNCTION_LOGS_MAX: usize = 64;
/// Lines of one page of a function's log: most, and when nothing is said.
pub const FUNCTION_LOG_PAGE_MAX: u32 = 1_000;
/// Versions of functions that have series of their own in a host's figures; of more, the rest is counted as `other`.
pub const FUNCTION_SERIES_MAX: usize = 200;
/// When the schedule tries again to begin a rotation whose function was missing or refused.
pub const SCHEDULE_RETRY: Duration = Duration::from_secs(900);
/// For how long a login that a rehearsal was refused counts against the next ones: longer than common rules watch an account.
pub const REHEARSAL_REFUSALS_KEPT: Duration = Duration::from_secs(3600);
/// Accounts of which such refusals are remembered.
pub const REHEARSAL_ACCOUNTS_MAX: usize = 1_024;

// Lambda's API.

/// Bytes of an uploaded package, a zip or a component (AWS: 50 MB).
pub const PACKAGE_BYTES_MAX: usize = 50 * 1024 * 1024;
/// Bytes of the body of a request that uploads code: the longest package in base64, and its configuration (AWS's figure).
pub const CODE_BODY_BYTES_MAX: usize = 70_167_211;
/// How long a client may take to send such a body.
pub const CODE_BODY_READ_TIMEOUT: Duration = Duration::from_secs(300);
/// Such bodies that a host receives and unpacks at once; more wait.
pub const CODE_UPLOADS_AT_ONCE: usize = 2;
/// Bytes of the body of an invocation (AWS: 6 MB).
pub const INVOKE_BODY_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Bytes of an invocation's log that are answered, its last ones (AWS: 4 KB).
pub const INVOKE_LOG_TAIL_BYTES: usize = 4 * 1024;
/// Entries of an uploaded zip, folders included. One of them is a component.
pub const PACKAGE_ENTRIES_MAX: usize = 64;
/// Characters of AWS's Runtime and Handler, which are kept and not used (AWS).
pub const FUNCTION_HANDLER_CHARS_MAX: usize = 128;
/// Items that a caller may ask for in one page of Lambda's; it gets `FUNCTIONS_PAGE_MAX` at most (AWS).
pub const FUNCTIONS_ASKED_MAX: u32 = 10_000;
/// Wall-clock time of one compilation: what bounds the work is its processor time, of which a busy machine gives a nice process little (a
/// Python component took 299 s on two cores with twelve other processes).
pub const COMPILE_WALL: Duration = Duration::from_secs(600);
/// Processor time of one compilation, in seconds (measured: a Python component 23, a JavaScript one 26; in a debug build 34 and 45).
pub const COMPILE_CPU_SECONDS: u64 = 90;
/// Compilations at once, each of another caller: so one of minutes holds up nobody else's.
pub const COMPILES_AT_ONCE: usize = 2;
/// Open files of a process that compiles: its pipes.
pub const COMPILE_FILES_MAX: u64 = 16;
/// Address space of a process that compiles.
pub const COMPILE_ADDRESS_BYTES_MAX: u64 = 2_500_000_000;
