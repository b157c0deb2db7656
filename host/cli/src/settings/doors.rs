//! Settings of what stands before the first request: TLS, limits, and how the server ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use pawl_core::limits;
use pawl_server::{DoorSettings, OidcSettings, TlsSettings};
use serde::Deserialize;

use super::{Environment, SettingsError, optional};

/// Arguments of `pawl serve` about its port.
#[derive(Args, Default)]
pub(crate) struct DoorArgs {
    /// The server's certificate and those between it and the authority (PEM): speak https only. Read again when it changes, and on
    /// SIGHUP. [env: PAWL_TLS_CERT]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM, not encrypted). [env: PAWL_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Take only clients whose certificate one of these authorities (PEM) has signed; their requests are signed as well.
    /// [env: PAWL_TLS_CLIENT_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// Connections at once; 4096 when nothing is said. [env: PAWL_CONNECTIONS_MAX]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) connections_max: Option<String>,
    /// Connections of one address (IPv6: of one /64) at once; 0, any number, when nothing is said. Behind a proxy all clients have
    /// the proxy's address. [env: PAWL_CONNECTIONS_PER_ADDRESS]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) connections_per_address: Option<String>,
    /// Requests a second of one user, role or root identity, on this host; more are answered with ThrottlingException. 0, any number,
    /// when nothing is said. [env: PAWL_REQUESTS_PER_IDENTITY]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) requests_per_identity: Option<String>,
    /// Refused signatures and tokens a second from one address; more, and all its requests are throttled. 0, any number, when nothing
    /// is said. [env: PAWL_REFUSALS_PER_ADDRESS]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) refusals_per_address: Option<String>,
    /// Certificate authorities (PEM) that identity providers are verified by, besides the system's. [env: PAWL_OIDC_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) oidc_ca: Option<PathBuf>,
    /// Files of the keys of identity providers that are not to be asked for them: https://ISSUER=FILE,... [env: PAWL_OIDC_JWKS]
    #[arg(long, value_name = "ISSUER=FILE")]
    pub(crate) oidc_jwks: Option<String>,
    /// Seconds in which a server that was told to end still takes requests, while /readyz answers 503, so that load balancers turn
    /// away first; 0 when nothing is said. [env: PAWL_DRAIN_SECONDS]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) drain_seconds: Option<String>,
}

/// The same as keys of the settings file.
#[derive(Default, Deserialize)]
pub(super) struct DoorKeys {
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) tls_client_ca: Option<PathBuf>,
    pub(super) connections_max: Option<u32>,
    pub(super) connections_per_address: Option<u32>,
    pub(super) requests_per_identity: Option<u32>,
    pub(super) refusals_per_address: Option<u32>,
    pub(super) oidc_ca: Option<PathBuf>,
    pub(super) oidc_jwks: Option<String>,
    pub(super) drain_seconds: Option<u32>,
}

/// What stands before the first request, out of arguments, environment and file.
pub(super) fn doors(
    args: &DoorArgs,
    env: Environment<'_>,
    file: DoorKeys,
) -> Result<DoorSettings, SettingsError> {
    let number = |name: &str, flag: Option<&String>, key: Option<u32>| {
        let found = optional::<u32>(env, name, flag.map(String::as_str), key.map(|key| key.to_string()));
        Ok::<u32, SettingsError>(found?.unwrap_or(0))
    };
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let drain = number("drain-seconds", args.drain_seconds.as_ref(), file.drain_seconds)?;
    if drain > limits::DRAIN_SECONDS_MAX {
        let why = format!("it must be at most {}", limits::DRAIN_SECONDS_MAX);
        return Err(SettingsError::Wrong { from: "drain-seconds".to_owned(), why });
    }
    let per_address = args.connections_per_address.as_ref();
    let refusals = args.refusals_per_address.as_ref();
    let requests = args.requests_per_identity.as_ref();
    Ok(DoorSettings {
        connections_max: size(number(
            "connections-max",
            args.connections_max.as_ref(),
            file.connections_max,
        )?),
        connections_per_address: size(number(
            "connections-per-address",
            per_address,
            file.connections_per_address,
        )?),
        requests_per_identity: number("requests-per-identity", requests, file.requests_per_identity)?,
        refusals_per_address: number("refusals-per-address", refusals, file.refusals_per_address)?,
        oidc: oidc(args, env, file.oidc_ca, file.oidc_jwks)?,
        drain: Duration::from_secs(drain.into()),
        tls: tls(args, env, file.tls_cert, file.tls_key, file.tls_client_ca)?,
    })
}

fn tls(
    args: &DoorArgs,
    env: Environment<'_>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
) -> Result<Option<TlsSettings>, SettingsError> {
    let path = |flag: &Option<PathBuf>, name, file: Option<PathBuf>| {
        flag.clone().or_else(|| env.path(name)).or(file)
    };
    let certificate = path(&args.tls_cert, "PAWL_TLS_CERT", certificate);
    let key = path(&args.tls_key, "PAWL_TLS_KEY", key);
    let client_ca = path(&args.tls_client_ca, "PAWL_TLS_CLIENT_CA", client_ca);
    match (certificate, key, client_ca) {
        (None, None, None) => Ok(None),
        (Some(certificate), Some(key), client_ca) => Ok(Some(TlsSettings { certificate, key, client_ca })),
        _ => Err(SettingsError::HalfTls),
    }
}

/// Files of keys by the issuers that they are of.
#[derive(Default)]
struct KeySets(BTreeMap<String, PathBuf>);

impl FromStr for KeySets {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entry = |entry: &str| {
            let (issuer, file) = entry.trim().split_once('=')?;
            let named = issuer.starts_with("https://") && !file.is_empty();
            named.then(|| (issuer.to_owned(), PathBuf::from(file)))
        };
        let entries: Option<BTreeMap<_, _>> = text.split(',').map(entry).collect();
        entries.map(Self).ok_or("it must be https://ISSUER=FILE, and more of them after commas")
    }
}

fn oidc(
    args: &DoorArgs,
    env: Environment<'_>,
    ca: Option<PathBuf>,
    key_sets: Option<String>,
) -> Result<OidcSettings, SettingsError> {
    let KeySets(key_sets) =
        optional::<KeySets>(env, "oidc-jwks", args.oidc_jwks.as_deref(), key_sets)?.unwrap_or_default();
    Ok(OidcSettings { ca: args.oidc_ca.clone().or_else(|| env.path("PAWL_OIDC_CA")).or(ca), key_sets })
}
