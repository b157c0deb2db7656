//! What can be wrong with a store, and what to do about it.

use std::fmt;

/// Why a store could not do what it was asked.
///
/// Drivers' own errors end here: only their code is kept, so that no statement and no value reaches a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot work at the moment; nothing was changed unless said otherwise, and the same call may succeed later.
    #[error("the store is unavailable: {0}")]
    Unavailable(Outage),
    /// A stored value is not what this program writes.
    #[error(
        "the store holds a value in {table}.{column} that this program did not write: restore it from a backup, or report a bug"
    )]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A newer program has been here.
    #[error(
        "the store has schema {found} and this program knows {known}: run the newer pawl that made it, or restore a backup"
    )]
    NewerSchema {
        /// The store's.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// An older program has been here last, and it was opened to be read.
    #[error(
        "the store has schema {found}, and this program writes {known}: start the server of this version on it once"
    )]
    OlderSchema {
        /// The store's.
        found: i64,
        /// The one that this program writes.
        known: i64,
    },
    /// Its files are damaged, or not a store at all.
    #[error("the store's file is damaged or is not a pawl database: restore it from a backup")]
    Corrupt,
    /// A row is not as this program wrote it: somebody else, or a disk, has changed it, or it has no code.
    #[error("a row of {table} is not as pawl wrote it, and nothing of it is used: restore it from a backup")]
    Altered {
        /// The table.
        table: &'static str,
    },
    /// A row would break the schema's rules.
    #[error(
        "the store refused a row that breaks its rules (code {code}): this is a bug in pawl, please report it"
    )]
    Refused {
        /// The database's code.
        code: i32,
    },
    /// A promise between this program's own parts was broken. Nothing was changed.
    #[error("the store was asked for the impossible ({0}): this is a bug in pawl, please report it")]
    Broken(&'static str),
}

impl StoreError {
    /// Whether the same may succeed in a moment, without anybody doing anything about it.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(
                Outage::Unreachable
                    | Outage::NotPrimary
                    | Outage::TooSlow
                    | Outage::TooManyConnections
                    | Outage::Busy
                    | Outage::Locked
                    | Outage::Unknown
            )
        )
    }

    /// Whether it fails whatever the store is asked to write, and not only what was just asked.
    pub(crate) const fn is_of_the_store(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Inconsistent { .. }
            | Self::NewerSchema { .. }
            | Self::OlderSchema { .. }
            | Self::Corrupt => true,
            Self::Refused { .. } | Self::Altered { .. } | Self::Broken(_) => false,
        }
    }
}

/// Why a store is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Outage {
    /// The disk is full, or the store has reached the size that it may have.
    #[error("no space left on its disk; free some, nothing was written")]
    DiskFull,
    /// Another process holds it.
    #[error("another process holds its lock; end that process or try again")]
    Locked,
    /// It may not be written.
    #[error("its file or disk is read-only; check owner, mode and mount")]
    ReadOnly,
    /// It cannot be opened.
    #[error("its file cannot be opened; check that the data directory exists and belongs to this user")]
    CannotOpen,
    /// Its file system cannot do what durable writes need.
    #[error("its file system does not support write-ahead logging; use a local disk for the data directory")]
    NoWal,
    /// Every connection was in use for longer than a call waits.
    #[error("it is overloaded; try again")]
    Busy,
    /// It has been closed.
    #[error("it is shut down")]
    Closed,
    /// No server answers.
    #[error(
        "no database server answers; check the hosts and ports of the database URL, the network, and that PostgreSQL runs"
    )]
    Unreachable,
    /// Servers answer, and none of them takes writes.
    #[error("no database server takes writes; promote a standby, or wait for the failover to end")]
    NotPrimary,
    /// The connection was lost, or the time was over, while a change was being committed.
    #[error(
        "the database did not say whether the change was committed: it may or may not have happened; look before trying again"
    )]
    Unknown,
    /// The server did not answer in time; nothing was changed.
    #[error("the database did not answer in time; look for its load, its locks and its disk, then try again")]
    TooSlow,
    /// The server has no connection left.
    #[error("the database has no connection left; raise its max_connections or run fewer hosts")]
    TooManyConnections,
    /// The login was refused.
    #[error("the database refused the login; check user and password of the database URL, and pg_hba.conf")]
    LoginRefused,
    /// The file with the password cannot be read.
    #[error("the passfile of the database URL cannot be read as text; check its path, owner and mode")]
    PasswordFile,
    /// The role may not do what the store needs.
    #[error(
        "the database role may not do what the store needs (code {code}); grant it CREATE on its schema, and all on its tables"
    )]
    NotAllowed {
        /// What the database said.
        code: SqlState,
    },
    /// There is no such database.
    #[error("the database of the database URL does not exist; create it, with encoding UTF8")]
    NoDatabase,
    /// The database's text is not Unicode.
    #[error("the database is not encoded in UTF8; create one that is")]
    NotUtf8,
    /// TLS could not be agreed on.
    #[error(
        "no trusted TLS to the database server; name its CA with sslrootcert=, check that its certificate names the host of the \
         database URL, and that its ssl is on"
    )]
    TlsUntrusted,
    /// Something else answers.
    #[error(
        "what answers is no PostgreSQL server that this program can log in to; check host, port and password method"
    )]
    NotPostgres,
    /// The server refused for a reason of its own.
    #[error("the database failed (SQLSTATE {code}); look into its log")]
    Database {
        /// What the database said.
        code: SqlState,
    },
    /// Reading or writing failed.
    #[error("reading or writing failed (code {code}); check the disk and the system's log")]
    Io {
        /// The database's code, 0 when it gave none.
        code: i32,
    },
}

/// A database's code of five characters for what went wrong. All that is kept of its error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// The code, or the one of an unspecified error where it is none.
    #[must_use]
    pub fn new(code: &str) -> Self {
        let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self(<[u8; 5]>::try_from(code.as_bytes()).ok().filter(|_| plain).unwrap_or(*b"XX000"))
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.0).unwrap_or_default())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlState({self})")
    }
}
