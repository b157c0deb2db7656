//! Names that exist are valid.

use crate::limits;

/// Why a text is no name of its kind.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// A secret's name with a character that AWS does not allow, or of no valid length.
    #[error(
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
    )]
    SecretName,
    /// A version id or token of no valid length.
    #[error("a version id has 32 to 64 characters")]
    VersionId,
    /// A label of no valid length.
    #[error("a staging label has 1 to 256 characters")]
    Label,
    /// Not a region's name.
    #[error("`{0}` is not a region, such as us-east-1")]
    Region(String),
    /// Not twelve digits.
    #[error("`{0}` is not an account id of 12 digits")]
    AccountId(String),
}

/// A name: text that is valid since it is parsed, by the type's own `TryFrom<String>`.
macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $error:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text of it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::try_from(text.to_owned())
            }
        }
    };
}
pub(crate) use text_newtype;

text_newtype! {
    /// A secret's name: 1 to 512 of `A-Za-z0-9/_+=.@!-` (AWS's CreateSecret; `!` is for names that services own).
    SecretName, NameError
}
text_newtype! {
    /// A version's id, which is the ClientRequestToken that made it: 32 to 64 characters.
    VersionId, NameError
}
text_newtype! {
    /// A staging label: 1 to 256 characters.
    Label, NameError
}
text_newtype! {
    /// A region: a namespace of secrets, selected by the scope of a request's signature.
    Region, NameError
}
text_newtype! {
    /// An account: twelve digits.
    AccountId, NameError
}

impl TryFrom<String> for SecretName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let valid = |c: u8| c.is_ascii_alphanumeric() || b"/_+=.@!-".contains(&c);
        if text.is_empty() || text.len() > limits::NAME_CHARS_MAX || !text.bytes().all(valid) {
            return Err(NameError::SecretName);
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for VersionId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let chars = text.chars().count();
        if !(limits::VERSION_ID_CHARS_MIN..=limits::VERSION_ID_CHARS_MAX).contains(&chars) {
            return Err(NameError::VersionId);
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Label {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if text.is_empty() || text.chars().count() > limits::LABEL_CHARS_MAX {
            return Err(NameError::Label);
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Region {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        // The model's pattern: ([a-z]+-)+\d+
        let valid = text.len() <= 128
            && text.rsplit_once('-').is_some_and(|(words, number)| {
                !number.is_empty()
                    && number.bytes().all(|c| c.is_ascii_digit())
                    && words.split('-').all(|w| !w.is_empty() && w.bytes().all(|c| c.is_ascii_lowercase()))
            });
        if valid { Ok(Self(text)) } else { Err(NameError::Region(text)) }
    }
}

impl TryFrom<String> for AccountId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if text.len() == 12 && text.bytes().all(|c| c.is_ascii_digit()) {
            Ok(Self(text))
        } else {
            Err(NameError::AccountId(text))
        }
    }
}

impl Region {
    /// The partition of AWS's that the region is in, as ARNs begin with it.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        match self.0.split('-').next() {
            Some("cn") => "aws-cn",
            Some("us") if self.0.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }
}

impl Label {
    /// The version that applications read.
    #[must_use]
    pub fn current() -> Self {
        Self("AWSCURRENT".to_owned())
    }

    /// The version that a rotation is making.
    #[must_use]
    pub fn pending() -> Self {
        Self("AWSPENDING".to_owned())
    }

    /// The version that applications read before.
    #[must_use]
    pub fn previous() -> Self {
        Self("AWSPREVIOUS".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_model() {
        for good in ["a", "prod/db-1", "a_b+c=d.e@f", "events!connection/x"] {
            assert!(good.parse::<SecretName>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a:b", "a*", "é", &"x".repeat(513)] {
            assert_eq!(bad.parse::<SecretName>(), Err(NameError::SecretName), "{bad}");
        }
        for good in ["us-east-1", "ap-southeast-2", "us-gov-west-1"] {
            assert!(good.parse::<Region>().is_ok(), "{good}");
        }
        for bad in ["", "us", "us-east-", "-1", "US-east-1", "us--east-1", "us-east-1a"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
        for (region, partition) in
            [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
        {
            assert_eq!(region.parse::<Region>().unwrap().partition(), partition);
        }
        assert!("000000000000".parse::<AccountId>().is_ok());
        assert!("00000000000x".parse::<AccountId>().is_err());
    }
}
