//! What an operator can set.

use std::net::SocketAddr;
use std::path::PathBuf;

use pawl_core::names::{AccountId, Region};
use pawl_core::value::SecretBytes;
use pawl_runtime::dial::Egress;
use pawl_store::DatabaseUrl;

use crate::events::webhook::WebhookSettings;

/// The settings of one host.
#[derive(Debug)]
pub struct Settings {
    /// Where this host keeps what is its own, and the store unless that is in a database.
    pub data_dir: PathBuf,
    /// The PostgreSQL database that is the store; a file in the data directory when none is named.
    pub database_url: Option<DatabaseUrl>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The account.
    pub account: AccountId,
    /// The region, for what has none of its own.
    pub region: Region,
    /// Certificate authorities, as PEM, that databases' certificates may come from, beside the system's.
    pub database_ca: Option<PathBuf>,
    /// A directory of rotators.
    pub functions_dir: Option<PathBuf>,
    /// Bytes of memory for sealed secrets that are read often.
    pub cache_bytes: u64,
    /// Whether the clock can be moved.
    pub dev_clock: bool,
    /// The root identity's access key, when it is not to be made or read from the data directory.
    pub bootstrap: Option<(String, SecretBytes)>,
    /// The root key's file; `root-key` in the data directory when none is named.
    pub root_key_file: Option<PathBuf>,
    /// A receiver that is told of every event.
    pub webhook: Option<WebhookSettings>,
    /// The program that runs `worker` and `compile`: the `pawl` binary.
    pub worker_program: PathBuf,
    /// Whether rotators are run where the kernel cannot confine their processes.
    pub unconfined_workers: bool,
    /// Where no function may dial, whatever its grants.
    pub egress: Egress,
    /// The audit log.
    pub audit: AuditSettings,
}

/// How calls are recorded.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// Whether they are. Off is for benches, which measure what it costs.
    pub is_on: bool,
    /// Where; `audit` in the data directory when nothing is said.
    pub dir: Option<PathBuf>,
    /// Days for which segments are kept; none: for ever.
    pub retention_days: Option<u32>,
    /// Bytes of a segment.
    pub segment_bytes: u64,
}
