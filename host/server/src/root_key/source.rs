//! Where a root key comes from, as an operator writes it: `KIND:PLACE?OPTION=VALUE&..`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use pawl_keyring::Slot;
use ureq::http::Uri;

/// Where a root key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `file:PATH`: 32 random bytes in base64. Pawl makes the file at a first start.
    File(PathBuf),
    /// `env`: the same in the variable `PAWL_ROOT_KEY`.
    Environment,
    /// `passphrase:..`: stretched by Argon2id.
    Passphrase(PassphraseFrom),
    /// `kms:KEY-ARN?endpoint=URL`: a data key that AWS KMS, or what speaks its protocol, has wrapped.
    Kms(KmsKey),
    /// `transit:URL/MOUNT/KEY`: a data key that the transit engine of OpenBao or Vault has wrapped.
    Transit(TransitKey),
    /// `pkcs11:MODULE?token=LABEL&key=LABEL`: a key that a hardware module (or a software one) has wrapped.
    Pkcs11(Pkcs11Key),
}

/// Where a passphrase is read from. Never from an argument: others on the machine see those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassphraseFrom {
    /// The first line of a file.
    File(PathBuf),
    /// The first line of an open file descriptor.
    Descriptor(u32),
    /// The terminal.
    Prompt,
}

/// A KMS key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsKey {
    /// Its ARN.
    pub arn: String,
    /// The ARN's region.
    pub region: String,
    /// Who to ask.
    pub endpoint: String,
    /// A file of credentials in AWS's format; the environment's when none is named.
    pub credentials_file: Option<PathBuf>,
    /// Which of its profiles.
    pub profile: String,
    /// Certificate authorities (PEM) beside the system's.
    pub ca: Option<PathBuf>,
}

/// A key of a transit engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitKey {
    /// The server.
    pub url: String,
    /// Where the engine is mounted.
    pub mount: String,
    /// The key's name.
    pub key: String,
    /// A file that holds a token; `VAULT_TOKEN` when none is named.
    pub token_file: Option<PathBuf>,
    /// The namespace, where there are some.
    pub namespace: Option<String>,
    /// Certificate authorities (PEM) beside the system's.
    pub ca: Option<PathBuf>,
}

/// A key in a PKCS#11 token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Key {
    /// The module: a shared library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The label of an AES key in it.
    pub key: String,
    /// A file that holds the user's PIN; `PAWL_PKCS11_PIN` when none is named.
    pub pin_file: Option<PathBuf>,
}

/// Why a text names no provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not one of the kinds.
    #[error(
        "a root key comes from `file:PATH`, `env`, `passphrase:file=PATH`, `passphrase:fd=N`, `passphrase:prompt`, \
         `kms:KEY-ARN?endpoint=URL`, `transit:URL/MOUNT/KEY` or `pkcs11:MODULE?token=LABEL&key=LABEL`"
    )]
    Kind,
    /// A kind, and not what belongs after it. The text is not repeated: somebody may have written a passphrase there.
    #[error("what stands after `{0}:` is not as it must be: {1}")]
    Place(&'static str, &'static str),
    /// An option that is not known.
    #[error("`{0}` has no option `{1}`")]
    Option(&'static str, String),
}

impl Source {
    /// The kind, as the store's key record has it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => Slot::FILE,
            Self::Environment => "env",
            Self::Passphrase(_) => "passphrase",
            Self::Kms(_) => "kms",
            Self::Transit(_) => "transit",
            Self::Pkcs11(_) => "pkcs11",
        }
    }

    /// Several, separated by blanks.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, SourceError> {
        text.split_ascii_whitespace().map(str::parse).collect()
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        if text == "env" {
            return Ok(Self::Environment);
        }
        let (kind, rest) = text.split_once(':').ok_or(SourceError::Kind)?;
        match kind {
            "file" if rest.is_empty() => Err(SourceError::Place("file", "it must be a path")),
            "file" => Ok(Self::File(rest.into())),
            "passphrase" => passphrase(rest).map(Self::Passphrase),
            "kms" => kms(rest).map(Self::Kms),
            "transit" => transit(rest).map(Self::Transit),
            "pkcs11" => pkcs11(rest).map(Self::Pkcs11),
            _ => Err(SourceError::Kind),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the root key file `{}`", path.display()),
            Self::Environment => f.write_str("the variable PAWL_ROOT_KEY"),
            Self::Passphrase(PassphraseFrom::File(path)) => {
                write!(f, "the passphrase in `{}`", path.display())
            }
            Self::Passphrase(PassphraseFrom::Descriptor(number)) => {
                write!(f, "the passphrase from file descriptor {number}")
            }
            Self::Passphrase(PassphraseFrom::Prompt) => f.write_str("the passphrase from the terminal"),
            Self::Kms(key) => write!(f, "the KMS key {} at {}", key.arn, key.endpoint),
            Self::Transit(key) => write!(f, "the transit key {}/{} at {}", key.mount, key.key, key.url),
            Self::Pkcs11(key) => {
                write!(
                    f,
                    "the key `{}` of the PKCS#11 token `{}` ({})",
                    key.key,
                    key.token,
                    key.module.display()
                )
            }
        }
    }
}

fn passphrase(text: &str) -> Result<PassphraseFrom, SourceError> {
    let wrong = || {
        SourceError::Place(
            "passphrase",
            "it must be `file=PATH`, `fd=N` or `prompt`, never the passphrase itself",
        )
    };
    match text.split_once('=') {
        None if text == "prompt" => Ok(PassphraseFrom::Prompt),
        Some(("file", path)) if !path.is_empty() => Ok(PassphraseFrom::File(path.into())),
        Some(("fd", number)) => match number.parse() {
            // Standard output and error are written to.
            Ok(number) if number == 0 || number > 2 => Ok(PassphraseFrom::Descriptor(number)),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// The options after a place.
struct Options<'a>(&'static str, BTreeMap<&'a str, &'a str>);

impl<'a> Options<'a> {
    fn split(kind: &'static str, text: &'a str) -> Result<(&'a str, Self), SourceError> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let mut options = BTreeMap::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) =
                part.split_once('=').ok_or(SourceError::Place(kind, "options are NAME=VALUE"))?;
            options.insert(name, value);
        }
        Ok((place, Self(kind, options)))
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        self.1.remove(name).filter(|value| !value.is_empty())
    }

    fn end(self) -> Result<(), SourceError> {
        match self.1.into_keys().next() {
            Some(name) => Err(SourceError::Option(self.0, name.to_owned())),
            None => Ok(()),
        }
    }
}

fn kms(text: &str) -> Result<KmsKey, SourceError> {
    let wrong = |why| SourceError::Place("kms", why);
    let (arn, mut options) = Options::split("kms", text)?;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "kms", region, _, resource] = parts[..] else {
        return Err(wrong("it must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID"));
    };
    if region.is_empty() || !resource.starts_with("key/") {
        return Err(wrong(
            "it must be the ARN of a key and not of an alias: an alias can be pointed elsewhere",
        ));
    }
    let endpoint =
        options.take("endpoint").map_or_else(|| format!("https://kms.{region}.amazonaws.com"), str::to_owned);
    let key = KmsKey {
        arn: arn.to_owned(),
        region: region.to_owned(),
        endpoint: url(&endpoint).ok_or(wrong("the endpoint must be http(s)://HOST[:PORT]"))?,
        credentials_file: options.take("credentials").map(PathBuf::from),
        profile: options.take("profile").unwrap_or("default").to_owned(),
        ca: options.take("ca").map(PathBuf::from),
    };
    options.end()?;
    Ok(key)
}

fn transit(text: &str) -> Result<TransitKey, SourceError> {
    let wrong = || SourceError::Place("transit", "it must be http(s)://HOST[:PORT]/MOUNT/KEY");
    let (place, mut options) = Options::split("transit", text)?;
    let (front, key) = place.rsplit_once('/').ok_or_else(wrong)?;
    let after = front.find("://").map(|at| at + 3).ok_or_else(wrong)?;
    let (host, mount) = front.get(after..).and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
    let scheme = front.get(..after).ok_or_else(wrong)?;
    let plain = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        !text.is_empty() && text.bytes().all(allowed) && !text.contains("..")
    };
    if !plain(mount) || !plain(key) {
        return Err(wrong());
    }
    let key = TransitKey {
        url: url(&format!("{scheme}{host}")).ok_or_else(wrong)?,
        mount: mount.to_owned(),
        key: key.to_owned(),
        token_file: options.take("token-file").map(PathBuf::from),
        namespace: options.take("namespace").map(str::to_owned),
        ca: options.take("ca").map(PathBuf::from),
    };
    options.end()?;
    Ok(key)
}

fn pkcs11(text: &str) -> Result<Pkcs11Key, SourceError> {
    let wrong = |why| SourceError::Place("pkcs11", why);
    let (module, mut options) = Options::split("pkcs11", text)?;
    if module.is_empty() {
        return Err(wrong("it must be the path of the module"));
    }
    let key = Pkcs11Key {
        module: module.into(),
        token: options.take("token").ok_or(wrong("it needs `token=LABEL`"))?.to_owned(),
        key: options.take("key").ok_or(wrong("it needs `key=LABEL`"))?.to_owned(),
        pin_file: options.take("pin-file").map(PathBuf::from),
    };
    options.end()?;
    Ok(key)
}

/// A URL of a scheme and a host alone, without a user's name.
fn url(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    (known && bare).then(|| format!("{}://{authority}", uri.scheme_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_writes_is_taken_apart() {
        let parse = |text: &str| text.parse::<Source>();
        assert_eq!(parse("file:/etc/pawl/root-key"), Ok(Source::File("/etc/pawl/root-key".into())));
        assert_eq!(parse("env"), Ok(Source::Environment));
        assert_eq!(parse("passphrase:fd=3"), Ok(Source::Passphrase(PassphraseFrom::Descriptor(3))));
        let arn = "arn:aws:kms:eu-west-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let Ok(Source::Kms(key)) = parse(&format!("kms:{arn}?endpoint=http://127.0.0.1:7295&profile=p"))
        else {
            panic!("a KMS key")
        };
        assert_eq!((key.arn.as_str(), key.region.as_str(), key.profile.as_str()), (arn, "eu-west-1", "p"));
        assert_eq!(key.endpoint, "http://127.0.0.1:7295");
        let Ok(Source::Kms(key)) = parse(&format!("kms:{arn}")) else { panic!("a KMS key") };
        assert_eq!(key.endpoint, "https://kms.eu-west-1.amazonaws.com");
        let Ok(Source::Transit(key)) = parse("transit:https://bao:8200/team/transit/pawl?token-file=/t")
        else {
            panic!("a transit key")
        };
        assert_eq!(
            (key.url.as_str(), key.mount.as_str(), key.key.as_str()),
            ("https://bao:8200", "team/transit", "pawl")
        );
        let Ok(Source::Pkcs11(key)) = parse("pkcs11:/lib/m.so?token=pawl&key=root&pin-file=/pin") else {
            panic!("a PKCS#11 key")
        };
        assert_eq!((key.token.as_str(), key.key.as_str()), ("pawl", "root"));
        assert_eq!(Source::parse_all("file:/a  env").unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_provider_is_refused_without_repeating_it() {
        for text in [
            "",
            "hunter2",
            "file:",
            "passphrase:hunter2",
            "passphrase:fd=1",
            "passphrase:fd=2",
            "kms:alias/x",
            "kms:arn:aws:kms:us-east-1:000000000000:alias/hunter2",
            "kms:arn:aws:kms:us-east-1:000000000000:key/1?endpoint=ftp://hunter2",
            "kms:arn:aws:kms:us-east-1:000000000000:key/1?endpoint=http://u:hunter2@h",
            "transit:https://bao:8200/pawl",
            "transit:https://bao:8200/transit/../hunter2",
            "pkcs11:/lib/m.so?token=a",
            "pkcs11:/lib/m.so?token=a&key=b&pin=hunter2",
            "vault:https://x",
        ] {
            let refused = text.parse::<Source>().unwrap_err();
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }
}
