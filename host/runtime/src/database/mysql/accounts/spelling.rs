//! How names and texts are written in statements, and read out of the server's rows.

use std::fmt;

/// One row of the server's accounts: a user name, and the pattern of the hosts that it is for. A role of MariaDB has no host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    /// The user's or role's name.
    pub(super) user: String,
    /// The host, as the server has it.
    pub(super) host: String,
}

impl Identity {
    pub(super) fn new(user: impl Into<String>, host: impl Into<String>) -> Self {
        Self { user: user.into(), host: host.into() }
    }
}

/// In backticks, which every server of the family takes in any SQL mode and where only the backtick itself means anything.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", Name(&self.user), Name(&self.host))
    }
}

/// A quoted name.
pub(super) struct Name<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.replace('`', "``"))
    }
}

/// A quoted text, for sessions whose SQL mode lacks NO_BACKSLASH_ESCAPES.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\\', "\\\\").replace('\'', "''"))
    }
}

/// Bytes as a literal that means the same in every SQL mode and character set.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

/// Reads a row from left to right. What returns a bool or an option has moved on only when it gave true or something.
pub(super) struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    pub(super) const fn new(row: &'a str) -> Self {
        Self(row)
    }

    /// What is left.
    pub(super) const fn rest(&self) -> &'a str {
        self.0
    }

    /// Takes exactly this text.
    pub(super) fn take(&mut self, text: &str) -> bool {
        self.0.strip_prefix(text).map(|rest| self.0 = rest).is_some()
    }

    /// Takes a name in backticks.
    pub(super) fn name(&mut self) -> Option<String> {
        let mut chars = self.0.strip_prefix('`')?.chars();
        let mut name = String::new();
        loop {
            match chars.next()? {
                '`' => match chars.as_str().strip_prefix('`') {
                    Some(rest) => {
                        name.push('`');
                        chars = rest.chars();
                    }
                    None => break,
                },
                other => name.push(other),
            }
        }
        self.0 = chars.as_str();
        Some(name)
    }

    /// Takes one or more of the characters that `is_part` tells.
    pub(super) fn run(&mut self, is_part: impl Fn(char) -> bool) -> Option<&'a str> {
        let end = self.0.find(|c| !is_part(c)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at_checked(end)?;
        if run.is_empty() {
            return None;
        }
        self.0 = rest;
        Some(run)
    }

    /// Takes `name`@`host`.
    pub(super) fn identity(&mut self) -> Option<Identity> {
        let before = self.0;
        let identity = (|| {
            let user = self.name()?;
            self.take("@").then_some(())?;
            Some(Identity { user, host: self.name()? })
        })();
        if identity.is_none() {
            self.0 = before;
        }
        identity
    }

    /// Takes exactly this account, in the quotes of any version. In MySQL 5.7's apostrophes nothing is escaped, so that a name
    /// can only be compared there and never read.
    pub(super) fn this(&mut self, identity: &Identity) -> bool {
        self.take(&identity.to_string()) || self.take(&format!("'{}'@'{}'", identity.user, identity.host))
    }

    /// Takes this role of MariaDB's, which has no host.
    pub(super) fn role(&mut self) -> Option<Identity> {
        Some(Identity::new(self.name()?, ""))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn every_name_is_read_as_it_was_written(user in any::<String>(), host in any::<String>(), after in "[^`].*|") {
            let identity = Identity::new(user, host);
            let row = format!("{identity}{after}");
            let mut reader = Reader::new(&row);
            prop_assert_eq!(reader.identity(), Some(identity.clone()));
            prop_assert_eq!(reader.rest(), &after);
            let mut reader = Reader::new(&row);
            assert!(reader.this(&identity));
            prop_assert_eq!(reader.rest(), &after);
        }

        #[test]
        fn every_text_ends_where_it_should(text in r"['\\a]*|\PC*") {
            let written = Text(&text).to_string();
            let inner = written.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap();
            // As the server reads it.
            let (mut read, mut chars) = (String::new(), inner.chars());
            while let Some(c) = chars.next() {
                match c {
                    '\\' => read.push(chars.next().unwrap()),
                    '\'' => { assert_eq!(chars.next(), Some('\'')); read.push('\''); }
                    other => read.push(other),
                }
            }
            prop_assert_eq!(read, text);
        }

        #[test]
        fn no_row_makes_a_reader_stumble(row in any::<String>()) {
            let mut reader = Reader::new(&row);
            let before = reader.rest();
            if reader.identity().is_none() {
                prop_assert_eq!(reader.rest(), before);
            }
            reader.name();
            reader.run(char::is_alphanumeric);
        }
    }
}
