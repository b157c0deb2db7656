//! Which server a client command talks to, how it knows it, and as whom it calls.

use std::path::{Path, PathBuf};

use clap::Args;
use pawl_core::value::SecretBytes;

use super::{Environment, REGION_DEFAULT, SettingsError};
use crate::credentials::{Credentials, Source};

const ENDPOINT_DEFAULT: &str = "http://127.0.0.1:7295";
const PROFILE_DEFAULT: &str = "default";

/// Which server to talk to, and as whom.
#[derive(Args, Default)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// The server's address. [env: PAWL_ENDPOINT_URL, AWS_ENDPOINT_URL_SECRETS_MANAGER, AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Certificate authorities (PEM) that the server is verified by, in the place of the system's. [env: PAWL_CA_BUNDLE, AWS_CA_BUNDLE]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// The certificate (PEM) to show to a server that wants one. [env: PAWL_CLIENT_CERT]
    #[arg(long, value_name = "FILE")]
    pub(crate) client_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM). [env: PAWL_CLIENT_KEY]
    #[arg(long, value_name = "FILE")]
    pub(crate) client_key: Option<PathBuf>,
    /// The region, which is a namespace of secrets. [env: AWS_REGION, AWS_DEFAULT_REGION, PAWL_REGION]
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// A profile of the shared credentials file. [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME", conflicts_with = "data_dir")]
    pub(crate) profile: Option<String>,
    /// The server's data directory, to take its root credentials. [env: PAWL_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Which server to talk to, and as whom.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) endpoint: String,
    /// How a server is verified that is called by https.
    pub(crate) trust: Trust,
    pub(crate) region: String,
    /// None when nothing names any. Doctor goes on without.
    pub(crate) credentials: Option<Credentials>,
}

/// How a server is verified, and what it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trust {
    /// Authorities in the place of the system's.
    pub(crate) ca_bundle: Option<PathBuf>,
    /// This client's certificate and its key.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
}

/// The server and identity that a client command is for.
pub(crate) fn connection(
    args: &ConnectionArgs,
    environment: &Environment<'_>,
) -> Result<Connection, SettingsError> {
    let env = *environment;
    let endpoint = match &args.endpoint_url {
        Some(url) => url.clone(),
        None => env
            .first(&["PAWL_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"])?
            .unwrap_or_else(|| ENDPOINT_DEFAULT.to_owned()),
    };
    let region = match &args.region {
        Some(region) => region.clone(),
        None => env
            .first(&["AWS_REGION", "AWS_DEFAULT_REGION", "PAWL_REGION"])?
            .unwrap_or_else(|| REGION_DEFAULT.to_owned()),
    };
    let trust = trust(args, env)?;
    Ok(Connection { endpoint, trust, region, credentials: credentials(args, env)? })
}

/// AWS's clients take `AWS_CA_BUNDLE` in the place of the system's authorities, and so does this one.
fn trust(args: &ConnectionArgs, env: Environment<'_>) -> Result<Trust, SettingsError> {
    let path = |flag: &Option<PathBuf>, name| flag.clone().or_else(|| env.path(name));
    let ca_bundle = path(&args.ca_bundle, "PAWL_CA_BUNDLE").or_else(|| env.path("AWS_CA_BUNDLE"));
    let certificate =
        match (path(&args.client_cert, "PAWL_CLIENT_CERT"), path(&args.client_key, "PAWL_CLIENT_KEY")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(SettingsError::HalfClientCertificate),
        };
    Ok(Trust { ca_bundle, certificate })
}

/// What was said on the command line wins; then the environment's key, the server's own root key, the shared file.
fn credentials(args: &ConnectionArgs, env: Environment<'_>) -> Result<Option<Credentials>, SettingsError> {
    if let Some(profile) = &args.profile {
        return shared_profile(env, profile, true);
    }
    if let Some(dir) = &args.data_dir {
        return root_credentials(dir).map(Some);
    }
    match (env.text("AWS_ACCESS_KEY_ID")?, env.text("AWS_SECRET_ACCESS_KEY")?) {
        (Some(access_key_id), Some(secret)) => {
            return Ok(Some(Credentials {
                access_key_id,
                secret: SecretBytes::from(secret),
                session_token: env.text("AWS_SESSION_TOKEN")?.map(SecretBytes::from),
                source: Source::Environment,
            }));
        }
        (None, None) => {}
        _ => return Err(SettingsError::HalfCredentials),
    }
    if let Some(dir) = env.path("PAWL_DATA_DIR")
        && dir.join("root-credentials").exists()
    {
        return root_credentials(&dir).map(Some);
    }
    match env.text("AWS_PROFILE")? {
        Some(profile) => shared_profile(env, &profile, true),
        None => shared_profile(env, PROFILE_DEFAULT, false),
    }
}

fn root_credentials(dir: &Path) -> Result<Credentials, SettingsError> {
    Credentials::from_file(&dir.join("root-credentials"), PROFILE_DEFAULT)
}

/// A profile of the shared file. One that nobody named may be missing.
fn shared_profile(
    env: Environment<'_>,
    profile: &str,
    named: bool,
) -> Result<Option<Credentials>, SettingsError> {
    let path = env
        .path("AWS_SHARED_CREDENTIALS_FILE")
        .or_else(|| env.path("HOME").map(|home| home.join(".aws").join("credentials")));
    let Some(path) = path else { return Ok(None) };
    if !named && !path.exists() {
        return Ok(None);
    }
    match Credentials::from_file(&path, profile) {
        Err(SettingsError::NoSuchProfile(..)) if !named => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, with};
    use super::*;

    #[test]
    fn a_client_finds_its_server_and_its_key() {
        let shared = file(
            "[default]\naws_access_key_id=SHARED\naws_secret_access_key=s\n[p]\naws_access_key_id=PROFILE\naws_secret_access_key=s\n",
        );
        let shared = shared.path().to_str().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let root = "[default]\naws_access_key_id = ROOT\naws_secret_access_key = s\n";
        std::fs::write(dir.path().join("root-credentials"), root).unwrap();
        let dir = dir.path().to_str().unwrap();
        let key = |args: ConnectionArgs, variables: &[(&str, &str)]| {
            let connection = with(variables, |env| connection(&args, env)).unwrap();
            connection.credentials.map(|found| found.access_key_id)
        };
        let every = [
            ("AWS_ACCESS_KEY_ID", "ENVIRONMENT"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("PAWL_DATA_DIR", dir),
            ("AWS_SHARED_CREDENTIALS_FILE", shared),
        ];
        let named =
            |profile: &str| ConnectionArgs { profile: Some(profile.to_owned()), ..Default::default() };
        assert_eq!(key(named("p"), &every).as_deref(), Some("PROFILE"));
        let here = ConnectionArgs { data_dir: Some(dir.into()), ..Default::default() };
        assert_eq!(key(here, &every).as_deref(), Some("ROOT"));
        assert_eq!(key(ConnectionArgs::default(), &every).as_deref(), Some("ENVIRONMENT"));
        assert_eq!(key(ConnectionArgs::default(), &every[2..]).as_deref(), Some("ROOT"));
        assert_eq!(key(ConnectionArgs::default(), &every[3..]).as_deref(), Some("SHARED"));
        assert_eq!(key(ConnectionArgs::default(), &[]), None);
        let half = with(&every[..1], |env| connection(&ConnectionArgs::default(), env)).unwrap_err();
        assert!(matches!(half, SettingsError::HalfCredentials));
        let absent = with(&every, |env| connection(&named("absent"), env)).unwrap_err();
        assert!(absent.to_string().contains("no profile `absent`"), "{absent}");

        let variables = [
            ("AWS_ENDPOINT_URL", "http://a"),
            ("PAWL_ENDPOINT_URL", "http://b"),
            ("AWS_REGION", "eu-west-1"),
        ];
        let found = with(&variables, |env| connection(&ConnectionArgs::default(), env)).unwrap();
        assert_eq!((found.endpoint.as_str(), found.region.as_str()), ("http://b", "eu-west-1"));
        let found = with(&[], |env| connection(&ConnectionArgs::default(), env)).unwrap();
        assert_eq!((found.endpoint.as_str(), found.region.as_str()), (ENDPOINT_DEFAULT, REGION_DEFAULT));
    }

    #[test]
    fn a_client_knows_its_server_by_what_it_was_told() {
        let variables = [("AWS_CA_BUNDLE", "/aws"), ("PAWL_CA_BUNDLE", "/pawl"), ("PAWL_CLIENT_CERT", "/c")];
        let found = with(&variables[..1], |env| connection(&ConnectionArgs::default(), env)).unwrap();
        assert_eq!(found.trust.ca_bundle.as_deref(), Some(Path::new("/aws")));
        let found = with(&variables[..2], |env| connection(&ConnectionArgs::default(), env)).unwrap();
        assert_eq!(found.trust.ca_bundle.as_deref(), Some(Path::new("/pawl")));
        let half = with(&variables, |env| connection(&ConnectionArgs::default(), env)).unwrap_err();
        assert!(matches!(half, SettingsError::HalfClientCertificate));
        let args = ConnectionArgs { client_key: Some("/k".into()), ..Default::default() };
        let whole = with(&variables, |env| connection(&args, env)).unwrap();
        assert_eq!(whole.trust.certificate, Some(("/c".into(), "/k".into())));
    }
}
