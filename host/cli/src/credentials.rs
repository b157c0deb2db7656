//! Credentials files as AWS's tools write them.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use zeroize::Zeroizing;

use crate::settings::SettingsError;

/// An access key, and where it comes from.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret: SecretBytes,
    pub(crate) session_token: Option<SecretBytes>,
    pub(crate) source: Source,
}

/// Where an access key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Environment,
    File { path: PathBuf, profile: String },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("AWS_ACCESS_KEY_ID in the environment"),
            Self::File { path, profile } => write!(f, "profile `{profile}` of `{}`", path.display()),
        }
    }
}

impl Credentials {
    /// The key of `profile` in the file at `path`.
    pub(crate) fn from_file(path: &Path, profile: &str) -> Result<Self, SettingsError> {
        let text = read_file(path)?;
        let source = Source::File { path: path.to_owned(), profile: profile.to_owned() };
        parse(&text, profile, source)
            .ok_or_else(|| SettingsError::NoSuchProfile(path.to_owned(), profile.to_owned()))
    }
}

/// A file of settings or credentials, wiped after use.
pub(crate) fn read_file(path: &Path) -> Result<Zeroizing<String>, SettingsError> {
    let read = || -> std::io::Result<Zeroizing<String>> {
        let file = File::open(path)?;
        // Reserved at once: a text that grows leaves copies of itself behind.
        let expected =
            usize::try_from(file.metadata()?.len().min(limits::SETTINGS_FILE_BYTES_MAX)).unwrap_or(0);
        let mut text = Zeroizing::new(String::with_capacity(expected + 1));
        file.take(limits::SETTINGS_FILE_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|error| SettingsError::Unreadable { path: path.to_owned(), why: error.to_string() })
}

fn parse(text: &str, profile: &str, source: Source) -> Option<Credentials> {
    let mut here = false;
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            here = section.0.trim() == profile;
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| here) else { continue };
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            _ if value.is_empty() => {}
            "aws_access_key_id" => id = Some(value.to_owned()),
            "aws_secret_access_key" => secret = Some(SecretBytes::new(value.as_bytes().to_vec())),
            "aws_session_token" => token = Some(SecretBytes::new(value.as_bytes().to_vec())),
            _ => {}
        }
    }
    Some(Credentials { access_key_id: id?, secret: secret?, session_token: token, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# comment
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key=a/b+c=d
region = us-east-1

[ team ] ; comment
AWS_ACCESS_KEY_ID=AKIATEAM
; aws_secret_access_key = wrong
aws_secret_access_key = canary
aws_session_token = t=

[half]
aws_access_key_id = AKIAHALF
aws_secret_access_key =
";

    fn of(profile: &str) -> Option<Credentials> {
        parse(FILE, profile, Source::Environment)
    }

    #[test]
    fn a_profile_is_read_as_aws_tools_read_it() {
        let found = of("default").unwrap();
        assert_eq!(
            (found.access_key_id.as_str(), found.secret.expose()),
            ("AKIADEFAULT", b"a/b+c=d".as_slice())
        );
        assert!(found.session_token.is_none());
        let found = of("team").unwrap();
        assert_eq!((found.access_key_id.as_str(), found.secret.expose()), ("AKIATEAM", b"canary".as_slice()));
        assert_eq!(found.session_token.as_ref().unwrap().expose(), b"t=");
        assert!(!format!("{found:?}").contains("canary"));
        assert!(of("half").is_none());
        assert!(of("absent").is_none());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Credentials::from_file(Path::new("/nonexistent/credentials"), "default").unwrap_err();
        assert!(error.to_string().starts_with("`/nonexistent/credentials` could not be read"), "{error}");
    }
}
