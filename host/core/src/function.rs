//! Rotation functions: their names, their code's digest, and what they may reach.

mod alias;
mod approval;
mod grants;
mod http;
mod manifest;
mod name;
mod permission;
mod release;
mod slot;
mod stored;
mod tcp;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::alias::{Alias, AliasError, AliasRequest, Routing, Weight};
pub use self::approval::Approval;
pub use self::grants::{Engine, Grants, SecretPattern, Target};
pub use self::http::{HttpGrant, Method, Origin, PathPattern, Url, UrlError};
pub use self::manifest::Manifest;
pub use self::name::{
    AliasName, FunctionName, FunctionNameError, FunctionRef, FunctionVersion, LATEST, Qualifier,
    VersionNumber,
};
pub use self::permission::{Invocation, Permission, PermissionError, Policy, StatementId};
pub use self::release::{
    Code, Configuration, Memory, Package, Release, ReservedConcurrency, RevisionId, SettingError, Timeout,
    checked_description, checked_environment,
};
pub use self::slot::{Place, Slot, is_header_name};
pub use self::stored::{
    DeleteVersionError, Function, PublishError, PublishRequest, ResolveError, Resolved, TagError,
    UpdateError, Version,
};
pub use self::tcp::{Signal, TcpGrant, TcpPlace, TcpTls};
use crate::names::{AccountId, Region};

/// The ARN of a function, `arn:aws:lambda:REGION:ACCOUNT:function:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FunctionArn(String);

impl FunctionArn {
    /// The ARN of function `name`.
    #[must_use]
    pub fn new(region: &Region, account: &AccountId, name: &str) -> Self {
        let partition = region.partition();
        Self(format!("arn:{partition}:lambda:{region}:{account}:function:{name}"))
    }

    /// An ARN as a caller wrote it. Whether such a function exists is asked when it is used.
    #[must_use]
    pub const fn given(text: String) -> Self {
        Self(text)
    }

    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 of a component.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut bytes = [0; 32];
        text.strip_prefix("sha256:")
            .and_then(|hex| hex::decode_to_slice(hex, &mut bytes).ok())
            .ok_or_else(|| format!("`{text}` is not a digest, sha256: and 64 hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}

/// A function's environment, as the operator set it.
pub type Environment = BTreeMap<String, String>;
