//! Where the root key comes from: arguments, variables, the settings file; and what providers need of the environment.

use std::ffi::CStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_server::root_key::{AwsCredentials, PassphraseFrom, ProviderSecrets, RootKeys, Source, SourceError};
use serde::Deserialize;

use crate::settings::{Environment, SettingsError};

/// Where the root key comes from.
#[derive(Args, Default)]
pub(crate) struct RootKeyArgs {
    /// Where the root key comes from: file:PATH, env, passphrase:file=PATH (or fd=N, or prompt), kms:KEY-ARN?endpoint=URL,
    /// transit:URL/MOUNT/KEY, pkcs11:MODULE?token=LABEL&key=LABEL. More than one: the first is rotated to, further ones open what
    /// is still under them. [env: PAWL_ROOT_KEY_PROVIDER]
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) root_key_provider: Vec<String>,
    /// The file of the root key, the same as `--root-key-provider file:FILE`; `root-key` in the data directory when nothing is said.
    /// [env: PAWL_ROOT_KEY_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) root_key_file: Option<PathBuf>,
}

/// One provider or several, in a settings file.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Providers {
    One(String),
    Several(Vec<String>),
}

/// Where the root key comes from, and what is needed for that.
#[derive(Debug, Default)]
pub(crate) struct RootKeySettings {
    /// Nothing when nobody says anything.
    pub(crate) sources: Vec<Source>,
    pub(crate) secrets: ProviderSecrets,
}

impl RootKeySettings {
    pub(crate) fn find(
        args: &RootKeyArgs,
        env: Environment<'_>,
        providers: Option<Providers>,
        file: Option<PathBuf>,
    ) -> Result<Self, SettingsError> {
        let variable = env.text("PAWL_ROOT_KEY_PROVIDER")?;
        let sources = if !args.root_key_provider.is_empty() || args.root_key_file.is_some() {
            sources("--root-key-provider", &args.root_key_provider, args.root_key_file.clone())?
        } else if variable.is_some() || env.path("PAWL_ROOT_KEY_FILE").is_some() {
            let texts = [variable.unwrap_or_default()];
            sources("PAWL_ROOT_KEY_PROVIDER", &texts, env.path("PAWL_ROOT_KEY_FILE"))?
        } else {
            let texts = match providers {
                None => Vec::new(),
                Some(Providers::One(text)) => vec![text],
                Some(Providers::Several(texts)) => texts,
            };
            sources("`root-key-provider` of the settings file", &texts, file)?
        };
        let secrets = secrets(&sources, env)?;
        Ok(Self { sources, secrets })
    }

    /// The root keys; none when nobody says anything.
    pub(crate) fn roots(self) -> Option<RootKeys> {
        (!self.sources.is_empty()).then(|| RootKeys::new(self.sources, self.secrets))
    }
}

/// Each text may name several, separated by blanks.
fn sources(from: &str, texts: &[String], file: Option<PathBuf>) -> Result<Vec<Source>, SettingsError> {
    let wrong = |error: SourceError| SettingsError::Wrong { from: from.to_owned(), why: error.to_string() };
    let mut sources = Vec::new();
    for text in texts {
        // A path may have blanks where it stands alone.
        match text.strip_prefix("file:").filter(|path| PathBuf::from(path).exists()) {
            Some(path) => sources.push(Source::File(path.into())),
            None => sources.extend(Source::parse_all(text).map_err(wrong)?),
        }
    }
    sources.extend(file.map(Source::File));
    Ok(sources)
}

fn secrets(sources: &[Source], env: Environment<'_>) -> Result<ProviderSecrets, SettingsError> {
    let secret = |name| Ok::<_, SettingsError>(env.text(name)?.map(SecretBytes::from));
    let has = |kind: &str| sources.iter().any(|source| source.kind() == kind);
    let mut secrets = ProviderSecrets::default();
    if has("env") {
        secrets.root_key = secret("PAWL_ROOT_KEY")?;
    }
    if has("kms")
        && let (Some(id), Some(key)) = (env.text("AWS_ACCESS_KEY_ID")?, secret("AWS_SECRET_ACCESS_KEY")?)
    {
        secrets.aws = Some(AwsCredentials { id, secret: key, token: secret("AWS_SESSION_TOKEN")? });
    }
    if has("transit") {
        secrets.vault_token = match secret("VAULT_TOKEN")? {
            Some(token) => Some(token),
            None => secret("BAO_TOKEN")?,
        };
    }
    if has("pkcs11") {
        secrets.pkcs11_pin = secret("PAWL_PKCS11_PIN")?;
    }
    let unread = |error: std::io::Error| SettingsError::Wrong {
        from: "the passphrase".to_owned(),
        why: format!("it could not be read: {error}"),
    };
    for source in sources {
        match source {
            Source::Passphrase(PassphraseFrom::Prompt) => secrets.passphrase = Some(ask().map_err(unread)?),
            // Now: later this process may not look at what is its own.
            Source::Passphrase(PassphraseFrom::Descriptor(number)) => {
                let file = File::open(format!("/proc/self/fd/{number}")).map_err(unread)?;
                secrets.passphrase = Some(line(file).map_err(unread)?);
            }
            _ => {}
        }
    }
    Ok(secrets)
}

/// The first line, in memory that does not grow.
fn line(from: impl std::io::Read) -> std::io::Result<SecretBytes> {
    let mut line = Vec::with_capacity(limits::PASSPHRASE_BYTES_MAX);
    let room = u64::try_from(limits::PASSPHRASE_BYTES_MAX).unwrap_or(u64::MAX);
    BufReader::new(from.take(room)).read_until(b'\n', &mut line)?;
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(SecretBytes::new(line))
}

/// Asks at the terminal, without showing what is typed.
fn ask() -> std::io::Result<SecretBytes> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let echo = |terminal: &File, mode: &str| {
        let input = terminal.try_clone().map(Stdio::from)?;
        Command::new("stty").arg(mode).stdin(input).stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    if !echo(&terminal, "-echo")?.success() {
        return Err(std::io::Error::other("its echo cannot be turned off"));
    }
    let reader = terminal.try_clone()?;
    let asked = terminal.write_all(b"Passphrase of the root key: ").and_then(|()| line(reader));
    echo(&terminal, "echo")?;
    terminal.write_all(b"\n")?;
    asked
}

/// Wipes what was read of the environment out of it, so that neither `/proc/PID/environ` nor a child has it. To be called while this
/// process has one thread.
pub(crate) fn scrub() {
    let providers = [c"VAULT_TOKEN", c"BAO_TOKEN", c"AWS_SECRET_ACCESS_KEY", c"AWS_SESSION_TOKEN"];
    let own = [c"PAWL_ROOT_KEY", c"PAWL_PKCS11_PIN", c"PAWL_BOOTSTRAP_SECRET_ACCESS_KEY"];
    for name in providers.into_iter().chain(own) {
        wipe(name);
    }
}

#[expect(unsafe_code, reason = "no safe interface reaches the environment that the process was started with")]
fn wipe(name: &CStr) {
    // SAFETY: one thread runs, so nobody else reads or changes the environment. What `getenv` gives is the text of the value up to
    // its NUL, in memory that this process may write, and only the bytes before that NUL are written.
    unsafe {
        let value = libc::getenv(name.as_ptr());
        if value.is_null() {
            return;
        }
        for at in 0..libc::strlen(value) {
            value.add(at).write_volatile(0);
        }
        libc::unsetenv(name.as_ptr());
    }
}
