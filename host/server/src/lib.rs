//! The server: the only crate that knows all the others, and joins them.
//!
//! [`app::App`] is the heart: the only doors to a secret. `edge` turns bytes into operations and answers into bytes, `ops` holds
//! one function per operation, and `rotation` runs what is due.

pub mod app;
pub mod audit;
pub mod backup;
pub mod cache;
mod draft;
mod edge;
pub mod epoch;
pub mod error;
mod events;
pub mod functions;
mod history;
pub mod host;
pub mod identity;
pub mod metrics;
mod oidc;
pub mod ops;
mod outbound;
mod policy;
pub mod root_key;
mod rotation;
mod rows;
mod settings;
pub mod spans;
mod start;
mod turns;
pub mod world;

pub use edge::{Certificate, TlsError, TlsSettings};
pub use events::webhook::{WebhookError, WebhookSettings, WebhookUrl, WebhookUrlError};
pub use oidc::{KeySetError, OidcError, OidcSettings};
pub use pawl_store::{DatabaseUrl, DatabaseUrlError};
pub use rotation::{Drill, DrillError, Ended, Opens, Ran};
pub use rows::RowsError;
pub use settings::{AuditSettings, DoorSettings, Settings};
pub use start::{Opened, Orders, ServeError, open, serve};
