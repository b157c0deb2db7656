//! Databases whose passwords are rotated.

use std::time::Duration;

/// Time for a connection and a login together.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// For how long a login that was begun before it is asked for answers the question.
pub const EARLY_LOGIN_VALID: Duration = Duration::from_secs(5);
/// Addresses of one host name that a login tries.
pub const DIAL_ADDRESSES_MAX: usize = 4;
/// Bytes of one message that a database server may send: rotations read no rows.
pub const SERVER_FRAME_BYTES_MAX: usize = 64 * 1024;
/// Bytes that a database server may send in one session.
pub const SERVER_SESSION_BYTES_MAX: usize = 1024 * 1024;
/// Columns of a MySQL or MariaDB server's answer.
pub const SERVER_COLUMNS_MAX: u64 = 64;
/// Questions that a MySQL or MariaDB server may ask in one login.
pub const SERVER_QUESTIONS_MAX: usize = 8;
/// Bytes of a PostgreSQL role's name: a server cuts longer ones in silence.
pub const POSTGRES_NAME_BYTES_MAX: usize = 63;
/// Sentences about how an alternate user differs.
pub const DIFFERENCES_MAX: usize = 20;
/// Characters of one name in them.
pub const DIFFERENCE_NAME_CHARS_MAX: usize = 120;
/// Sensitive values that one step may have revealed.
pub const REVEALS_MAX: u32 = 16;
/// Time for one statement.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Statements of its own that a rotator may run in one step.
pub const STATEMENTS_MAX: u32 = 256;
/// Bytes of one of them, without its parameters.
pub const STATEMENT_BYTES_MAX: usize = 16 * 1024;
/// Parameters of one of them, and their bytes together.
pub const STATEMENT_PARAMETERS_MAX: usize = 64;
/// See [`STATEMENT_PARAMETERS_MAX`].
pub const STATEMENT_PARAMETER_BYTES_MAX: usize = 64 * 1024;
/// Rows of the answer to one of them.
pub const STATEMENT_ROWS_MAX: usize = 1_000;
/// Bytes of the answer to one of them.
pub const STATEMENT_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Accounts of one user of a database, and rows of rights of one of them, that are made like another's.
pub const ACCOUNT_ROWS_MAX: usize = 10_000;
/// How often two users are read and brought closer before what still differs is told. Two are enough for all that is known.
pub const ACCOUNT_ROUNDS_MAX: u32 = 4;
