//! What stands before the first request: TLS, limits, the end of a server, and logins of other issuers.

mod certificates;
mod client;
mod crowds;
mod issuer;
mod limits;
mod oidc;
mod shutdown;
mod smuggling;
mod tls;
