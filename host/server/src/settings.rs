//! What an operator can set.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use pawl_core::names::{AccountId, Region};
use pawl_core::value::SecretBytes;
use pawl_runtime::dial::Egress;
use pawl_store::DatabaseUrl;

use crate::edge::TlsSettings;
use crate::events::webhook::WebhookSettings;
use crate::oidc::OidcSettings;
use crate::root_key::{ProviderSecrets, Source};

/// What stands before the first request: TLS, limits, and how a host ends.
#[derive(Clone, Debug, Default)]
pub struct DoorSettings {
    /// The certificate; plain HTTP without.
    pub tls: Option<TlsSettings>,
    /// Connections at once; 0 for as many as the product has room for.
    pub connections_max: usize,
    /// Connections of one address at once; 0 for any number.
    pub connections_per_address: usize,
    /// Requests a second of one user, role or root identity; 0 for any number.
    pub requests_per_identity: u32,
    /// Refused signatures and tokens a second from one address; 0 for any number.
    pub refusals_per_address: u32,
    /// Identity providers.
    pub oidc: OidcSettings,
    /// How long the host still takes requests after it was told to end, while `/readyz` says that it is not ready.
    pub drain: Duration,
}

/// The settings of one host.
#[derive(Debug)]
pub struct Settings {
    /// Where this host keeps what is its own, and the store unless that is in a database.
    pub data_dir: PathBuf,
    /// The PostgreSQL database that is the store; a file in the data directory when none is named.
    pub database_url: Option<DatabaseUrl>,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What stands before the first request.
    pub doors: DoorSettings,
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
    /// Where the root key comes from, and behind it former root keys; the file `root-key` in the data directory when nothing is
    /// named.
    pub root_key_sources: Vec<Source>,
    /// What those need of the environment.
    pub root_key_secrets: ProviderSecrets,
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
