//! How a function, a version of it and an alias are named.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::FunctionArn;
use crate::limits;
use crate::names::{AccountId, Region, text_newtype};

/// Why a text names no function, alias or version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionNameError {
    /// No function's name.
    #[error("`{0}` is not a function's name: 1 to 64 letters, digits, hyphens and underscores")]
    Name(String),
    /// No alias's name.
    #[error(
        "`{0}` is not an alias's name: 1 to 128 letters, digits, hyphens and underscores, and not digits alone"
    )]
    Alias(String),
    /// Neither `$LATEST`, nor a version's number, nor an alias's name.
    #[error("`{0}` is not a qualifier: $LATEST, the number of a version, or the name of an alias")]
    Qualifier(String),
    /// It begins as an ARN and is not one of a function.
    #[error(
        "`{0}` is not the ARN of a function, such as arn:aws:lambda:us-east-1:000000000000:function:NAME"
    )]
    Arn(String),
    /// The name says one qualifier, and the caller another one.
    #[error("The derived qualifier from the function name does not match the specified qualifier.")]
    TwoQualifiers,
}

fn is_plain(text: &str, chars_max: usize) -> bool {
    let valid = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    !text.is_empty() && text.len() <= chars_max && text.bytes().all(valid)
}

text_newtype! {
    /// A function's name: 1 to 64 of `A-Za-z0-9-_` (AWS's CreateFunction).
    FunctionName, FunctionNameError
}
text_newtype! {
    /// An alias's name: 1 to 128 of `A-Za-z0-9-_`, and not digits alone (AWS's CreateAlias).
    AliasName, FunctionNameError
}

impl TryFrom<String> for FunctionName {
    type Error = FunctionNameError;

    fn try_from(text: String) -> Result<Self, FunctionNameError> {
        if is_plain(&text, limits::FUNCTION_NAME_CHARS_MAX) {
            Ok(Self(text))
        } else {
            Err(FunctionNameError::Name(text))
        }
    }
}

impl TryFrom<String> for AliasName {
    type Error = FunctionNameError;

    fn try_from(text: String) -> Result<Self, FunctionNameError> {
        let digits = text.bytes().all(|c| c.is_ascii_digit());
        if is_plain(&text, limits::ALIAS_NAME_CHARS_MAX) && !digits {
            Ok(Self(text))
        } else {
            Err(FunctionNameError::Alias(text))
        }
    }
}

/// The number of a published version, from 1. A number is never given twice by the same function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionNumber(NonZeroU32);

impl VersionNumber {
    /// The first.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The number after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for VersionNumber {
    type Err = FunctionNameError;

    fn from_str(text: &str) -> Result<Self, FunctionNameError> {
        // `+1` and `01` are not how a version is named.
        let plain = text.bytes().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
        let number = text.parse().ok().filter(|_| plain);
        number.map(Self).ok_or_else(|| FunctionNameError::Qualifier(text.to_owned()))
    }
}

/// `$LATEST`, as AWS writes it.
pub const LATEST: &str = "$LATEST";

/// One version of a function: what a qualifier comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FunctionVersion {
    /// `$LATEST`: what is changed, and what is published from.
    Latest,
    /// A published version, which never changes.
    Published(VersionNumber),
}

impl fmt::Display for FunctionVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str(LATEST),
            Self::Published(number) => fmt::Display::fmt(number, f),
        }
    }
}

impl FromStr for FunctionVersion {
    type Err = FunctionNameError;

    fn from_str(text: &str) -> Result<Self, FunctionNameError> {
        if text == LATEST { Ok(Self::Latest) } else { text.parse().map(Self::Published) }
    }
}

/// Which version of a function is meant: `$LATEST`, a number, or an alias.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Qualifier {
    /// `$LATEST`.
    Latest,
    /// A published version.
    Version(VersionNumber),
    /// What an alias stands for.
    Alias(AliasName),
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str(LATEST),
            Self::Version(number) => fmt::Display::fmt(number, f),
            Self::Alias(name) => fmt::Display::fmt(name, f),
        }
    }
}

impl FromStr for Qualifier {
    type Err = FunctionNameError;

    fn from_str(text: &str) -> Result<Self, FunctionNameError> {
        if text == LATEST {
            return Ok(Self::Latest);
        }
        let wrong = |_| FunctionNameError::Qualifier(text.to_owned());
        match text.parse().map(Self::Version) {
            Ok(version) => Ok(version),
            Err(_) => text.parse().map(Self::Alias).map_err(wrong),
        }
    }
}

impl From<FunctionVersion> for Qualifier {
    fn from(version: FunctionVersion) -> Self {
        match version {
            FunctionVersion::Latest => Self::Latest,
            FunctionVersion::Published(number) => Self::Version(number),
        }
    }
}

macro_rules! written_as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = FunctionNameError;

            fn try_from(text: String) -> Result<Self, FunctionNameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(named: $name) -> Self {
                named.to_string()
            }
        }
    };
}

written_as_text!(FunctionVersion);
written_as_text!(Qualifier);
written_as_text!(VersionNumber);

impl Serialize for VersionNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VersionNumber {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A function as a caller names it: `NAME`, `NAME:QUALIFIER`, `ACCOUNT:function:NAME`, or an ARN, each with a qualifier or
/// without. What the caller did not say is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRef {
    /// Its region, when an ARN said so.
    pub region: Option<Region>,
    /// Its account, when an ARN or a part of one said so.
    pub account: Option<AccountId>,
    /// Its name.
    pub name: FunctionName,
    /// Which version, when the text said so.
    pub qualifier: Option<Qualifier>,
}

impl FunctionRef {
    /// Reads a name, a part of an ARN, or an ARN.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, FunctionNameError> {
        let arn = |_| FunctionNameError::Arn(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let (region, account, rest) = match parts.as_slice() {
            ["arn", partition, "lambda", region, account, "function", rest @ ..] => {
                let region: Region = region.parse().map_err(arn)?;
                if region.partition() != *partition {
                    return Err(FunctionNameError::Arn(text.to_owned()));
                }
                (Some(region), Some(account.parse().map_err(arn)?), rest)
            }
            ["arn", ..] => return Err(FunctionNameError::Arn(text.to_owned())),
            [region, account, "function", rest @ ..] if !rest.is_empty() => {
                (Some(region.parse().map_err(arn)?), Some(account.parse().map_err(arn)?), rest)
            }
            [account, "function", rest @ ..] if !rest.is_empty() => {
                (None, Some(account.parse().map_err(arn)?), rest)
            }
            // The model's pattern reads the word before a colon as this one, never as a function's name.
            ["function", rest @ ..] if !rest.is_empty() => (None, None, rest),
            rest => (None, None, rest),
        };
        let (name, qualifier) = match rest {
            [name] => (name, None),
            [name, qualifier] => (name, Some(qualifier.parse()?)),
            _ => return Err(FunctionNameError::Arn(text.to_owned())),
        };
        Ok(Self { region, account, name: name.parse()?, qualifier })
    }

    /// The same function by the qualifier that the caller gave beside its name.
    ///
    /// # Errors
    /// When the name says another one.
    pub fn qualified_by(mut self, given: Option<Qualifier>) -> Result<Self, FunctionNameError> {
        match (&self.qualifier, &given) {
            (Some(named), Some(given)) if named != given => Err(FunctionNameError::TwoQualifiers),
            (_, None) => Ok(self),
            (_, Some(_)) => {
                self.qualifier = given;
                Ok(self)
            }
        }
    }

    /// Whether what was said of region and account is this one.
    #[must_use]
    pub fn is_in(&self, region: &Region, account: &AccountId) -> bool {
        self.region.as_ref().is_none_or(|said| said == region)
            && self.account.as_ref().is_none_or(|said| said == account)
    }
}

impl FromStr for FunctionRef {
    type Err = FunctionNameError;

    fn from_str(text: &str) -> Result<Self, FunctionNameError> {
        Self::parse(text)
    }
}

impl FunctionArn {
    /// The ARN of one version or alias of function `name`.
    #[must_use]
    pub fn qualified(region: &Region, account: &AccountId, name: &str, qualifier: &Qualifier) -> Self {
        let unqualified = Self::new(region, account, name);
        Self::given(format!("{unqualified}:{qualifier}"))
    }

    /// What it names.
    ///
    /// # Errors
    /// When it is no function's: RotateSecret keeps what its caller wrote.
    pub fn parse(&self) -> Result<FunctionRef, FunctionNameError> {
        FunctionRef::parse(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> FunctionRef {
        FunctionRef::parse(text).unwrap()
    }

    #[test]
    fn names_follow_the_model() {
        for good in ["f", "a-B_9", "7", &"x".repeat(64)] {
            assert!(good.parse::<FunctionName>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a.b", "a:b", "é", "$LATEST", &"x".repeat(65)] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad}");
        }
        for good in ["live", "1a", &"x".repeat(128)] {
            assert!(good.parse::<AliasName>().is_ok(), "{good}");
        }
        for bad in ["", "1", "007", "$LATEST", "a.b", &"x".repeat(129)] {
            assert!(bad.parse::<AliasName>().is_err(), "{bad}");
        }
        for bad in ["0", "01", "+1", "-1", "", "4294967296", "$LATESTS"] {
            assert!(bad.parse::<FunctionVersion>().is_err(), "{bad}");
        }
        assert_eq!("01".parse::<Qualifier>(), Err(FunctionNameError::Qualifier("01".to_owned())));
    }

    #[test]
    fn a_function_is_found_by_name_part_and_whole_arn() {
        let (region, account): (Region, AccountId) =
            ("us-east-1".parse().unwrap(), "000000000000".parse().unwrap());
        let whole = "arn:aws:lambda:us-east-1:000000000000:function:rotator";
        let of = parsed(whole);
        assert_eq!((of.name.as_str(), &of.region, &of.qualifier), ("rotator", &Some(region.clone()), &None));
        assert_eq!(of.account, Some(account.clone()));
        assert_eq!(parsed(&format!("{whole}:$LATEST")).qualifier, Some(Qualifier::Latest));
        assert_eq!(parsed(&format!("{whole}:12")).qualifier.unwrap().to_string(), "12");
        assert_eq!(parsed("000000000000:function:rotator:live").qualifier.unwrap().to_string(), "live");
        assert_eq!(parsed("rotator").account, None);
        assert_eq!(parsed("rotator:1").qualifier.unwrap().to_string(), "1");
        assert_eq!(parsed("function:rotator").name.as_str(), "rotator");
        assert_eq!(parsed("function").name.as_str(), "function");
        assert_eq!(parsed("us-east-1:000000000000:function:f").region, Some(region.clone()));
        for bad in [
            "",
            "a b",
            "a:b:c",
            "arn:aws:lambda:us-east-1:000000000000:function:",
            "arn:aws:lambda:us-east-1:000000000000:function",
            "arn:aws-cn:lambda:us-east-1:000000000000:function:f",
            "arn:aws:lambda:us-east-1:0:function:f",
            "arn:aws:s3:::bucket",
            "arn:aws:lambda:us-east-1:000000000000:function:f:1:2",
            "rotator:",
            "rotator:0",
        ] {
            assert!(FunctionRef::parse(bad).is_err(), "{bad}");
        }
        let other: Region = "eu-central-1".parse().unwrap();
        assert!(parsed(whole).is_in(&region, &account) && !parsed(whole).is_in(&other, &account));
        assert!(parsed("rotator").is_in(&other, &account));
    }

    #[test]
    fn two_qualifiers_must_be_the_same() {
        let live: Qualifier = "live".parse().unwrap();
        let by =
            |text: &str, given: Option<Qualifier>| parsed(text).qualified_by(given).map(|of| of.qualifier);
        assert_eq!(by("f", Some(live.clone())), Ok(Some(live.clone())));
        assert_eq!(by("f:live", None), Ok(Some(live.clone())));
        assert_eq!(by("f:live", Some(live.clone())), Ok(Some(live.clone())));
        assert_eq!(by("f:1", Some(live)), Err(FunctionNameError::TwoQualifiers));
    }

    proptest! {
        #[test]
        fn an_arn_is_read_as_it_was_made(name in "[A-Za-z0-9_-]{1,64}", qualifier in "(\\$LATEST|[1-9][0-9]{0,8}|[a-z][a-z0-9_-]{0,20})") {
            let (region, account) = ("cn-north-1".parse().unwrap(), "123456789012".parse().unwrap());
            let qualifier: Qualifier = qualifier.parse().unwrap();
            let read = FunctionArn::qualified(&region, &account, &name, &qualifier).parse().unwrap();
            prop_assert_eq!(read.name.as_str(), name.as_str());
            prop_assert_eq!(read.qualifier.as_ref(), Some(&qualifier));
            prop_assert_eq!((read.region, read.account), (Some(region), Some(account)));
            let written = serde_json::to_string(&qualifier).unwrap();
            prop_assert_eq!(serde_json::from_str::<Qualifier>(&written).unwrap(), qualifier);
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[a-z0-9:$_-]{0,60}|arn:aws:lambda:.{0,60}") {
            if let Ok(read) = FunctionRef::parse(&text) {
                prop_assert!(text.contains(read.name.as_str()));
            }
        }
    }
}
