//! Texts of statements. Every session has `sql_mode = ''` and `utf8mb4` before one of these is sent, so that a backslash and a
//! quotation mark mean what they mean here.

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use zeroize::Zeroizing;

use super::method::{ed25519_hash, native_hash};

/// What a session begins with. The first of it means the same in every `sql_mode` and character set that a server can have.
pub(super) const SESSION: &str =
    "SET NAMES utf8mb4, SESSION sql_mode = '', SESSION autocommit = 1, SESSION sql_quote_show_create = 1";

/// Whose session it is, on what, and whether that takes changes.
pub(super) const WHO: &str = "SELECT CURRENT_USER(), VERSION()";

/// Why there is no statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("a password can neither be empty nor hold a NUL character, and must be UTF-8")]
    Password,
    #[error(
        "the account logs in by a plugin whose password Pawl cannot change; on MariaDB it changes those of \
         mysql_native_password and ed25519"
    )]
    Plugin,
    #[error(
        "the account has several login methods, and can change only the first by itself: the old password would go on \
         working. Leave it one method, or rotate it with alternating users"
    )]
    SeveralMethods,
}

/// A text as a quoted literal.
pub(super) fn literal(text: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::with_capacity(text.len() * 2 + 2));
    quoted.push('\'');
    for character in text.chars() {
        match character {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '\0' => quoted.push_str("\\0"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// The password as text.
pub(super) fn password_text(password: &SecretBytes) -> Result<&str, Unfit> {
    let text = std::str::from_utf8(password.expose()).map_err(|_| Unfit::Password)?;
    if text.is_empty() || text.contains('\0') { Err(Unfit::Password) } else { Ok(text) }
}

/// How long the server waits: for the next statement, and for a lock. It ends a session that falls silent, and refuses a
/// statement that would have to wait, so that whatever changes has changed before somebody else can claim the rotation.
pub(super) fn hurried(mariadb: bool) -> String {
    let within = limits::LAST_WORD_STATEMENT;
    let statement = if mariadb {
        format!(", SESSION max_statement_time = {}.{:03}", within.as_secs(), within.subsec_millis())
    } else {
        String::new()
    };
    format!(
        "SET SESSION wait_timeout = {}, SESSION lock_wait_timeout = {}, SESSION innodb_lock_wait_timeout = {}{statement}",
        limits::LAST_WORD_SILENCE.as_secs(),
        limits::LAST_WORD_LOCK_WAIT.as_secs(),
        limits::LAST_WORD_LOCK_WAIT.as_secs(),
    )
}

/// The end of the hurry: what the server gives to sessions by itself.
pub(super) fn unhurried(mariadb: bool) -> String {
    let statement = if mariadb { ", SESSION max_statement_time = DEFAULT" } else { "" };
    format!(
        "SET SESSION wait_timeout = DEFAULT, SESSION lock_wait_timeout = DEFAULT, \
         SESSION innodb_lock_wait_timeout = DEFAULT{statement}"
    )
}

/// How a MariaDB account logs in, for which a hash can be made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Native,
    Ed25519,
}

impl Kept {
    /// Reads what `SHOW CREATE USER` answers.
    pub(super) fn of(definition: &str) -> Result<Self, Unfit> {
        let account = definition.strip_prefix("CREATE USER ").ok_or(Unfit::Plugin)?;
        let rest = after_quoted(account, '`').and_then(|rest| after_quoted(rest.strip_prefix('@')?, '`'));
        let rest = rest.ok_or(Unfit::Plugin)?;
        if rest.starts_with(" IDENTIFIED BY PASSWORD '") {
            return Ok(Self::Native);
        }
        let methods = rest.strip_prefix(" IDENTIFIED VIA ").ok_or(Unfit::Plugin)?;
        let (plugin, mut rest) = methods.split_once(' ').unwrap_or((methods, ""));
        if let Some(kept) = rest.strip_prefix("USING ") {
            rest = after_quoted(kept, '\'').ok_or(Unfit::Plugin)?.trim_start();
        }
        if rest.starts_with("OR ") {
            return Err(Unfit::SeveralMethods);
        }
        match plugin {
            "mysql_native_password" => Ok(Self::Native),
            "ed25519" => Ok(Self::Ed25519),
            _ => Err(Unfit::Plugin),
        }
    }

    /// What such an account is to keep of `password`.
    pub(super) fn hash(self, password: &SecretBytes) -> String {
        match self {
            Self::Native => native_hash(password),
            Self::Ed25519 => ed25519_hash(password),
        }
    }
}

/// What follows the quoted text at the beginning. A doubled quote is a part of it, and so is, but in backticks, what a backslash
/// escapes.
fn after_quoted(text: &str, quote: char) -> Option<&str> {
    let mut characters = text.strip_prefix(quote)?.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && quote == '\'' {
            characters.next()?;
        } else if character == quote {
            let rest = characters.as_str();
            match rest.strip_prefix(quote) {
                Some(further) => characters = further.chars(),
                None => return Some(rest),
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn the_way_in_which_an_account_logs_in_is_read_from_its_definition() {
        for (definition, expected) in [
            ("CREATE USER `app`@`%` IDENTIFIED BY PASSWORD '*D8'", Ok(Kept::Native)),
            ("CREATE USER `a``@``b`@`%` IDENTIFIED BY PASSWORD '*D8' REQUIRE SSL", Ok(Kept::Native)),
            ("CREATE USER `ed`@`%` IDENTIFIED VIA ed25519 USING 'vR+Q'", Ok(Kept::Ed25519)),
            ("CREATE USER `ed`@`%` IDENTIFIED VIA ed25519 USING 'vR' PASSWORD EXPIRE", Ok(Kept::Ed25519)),
            ("CREATE USER `n`@`%` IDENTIFIED VIA mysql_native_password USING '*D8'", Ok(Kept::Native)),
            (
                "CREATE USER `m`@`%` IDENTIFIED VIA ed25519 USING 'vR' OR mysql_native_password USING '*B'",
                Err(Unfit::SeveralMethods),
            ),
            (
                "CREATE USER `m`@`%` IDENTIFIED VIA unix_socket OR ed25519 USING 'x'",
                Err(Unfit::SeveralMethods),
            ),
            ("CREATE USER `p`@`%` IDENTIFIED VIA pam", Err(Unfit::Plugin)),
            ("CREATE USER `p`@`%` IDENTIFIED VIA pam USING 'a''b\\' OR ' REQUIRE SSL", Err(Unfit::Plugin)),
            ("CREATE USER `p`@`%`", Err(Unfit::Plugin)),
            ("CREATE USER `p", Err(Unfit::Plugin)),
        ] {
            assert_eq!(Kept::of(definition), expected, "{definition}");
        }
    }

    #[test]
    fn the_limits_of_the_last_word_hold_together() {
        assert_eq!(
            hurried(true),
            "SET SESSION wait_timeout = 2, SESSION lock_wait_timeout = 1, SESSION innodb_lock_wait_timeout = 1, \
             SESSION max_statement_time = 2.900"
        );
        assert!(!hurried(false).contains("max_statement_time"));
        assert!(limits::LAST_WORD_SILENCE + limits::LAST_WORD_STATEMENT < limits::FENCE_MARGIN);
        assert!(limits::LAST_WORD_LOCK_WAIT < limits::LAST_WORD_STATEMENT);
    }

    proptest! {
        #[test]
        fn a_literal_ends_where_it_should(text in any::<String>()) {
            let followed = format!("{} x", *literal(&text));
            prop_assert_eq!(after_quoted(&followed, '\''), Some(" x"));
        }

        #[test]
        fn a_name_in_backticks_ends_where_it_should(name in any::<String>()) {
            let followed = format!("`{}`@x", name.replace('`', "``"));
            prop_assert_eq!(after_quoted(&followed, '`'), Some("@x"));
        }
    }
}
