//! The one statement that carries a password, in the form that carries none.

use pawl_core::limits;
use pawl_core::value::SecretBytes;
use zeroize::Zeroizing;

/// Why there is no such statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("a role's name can neither be empty nor hold a NUL character")]
    Name,
    #[error("a password can neither be empty nor hold a NUL character")]
    Password,
}

/// `name` as a quoted identifier.
pub(crate) fn quoted(name: &str) -> Result<String, Unfit> {
    if name.is_empty() || name.contains('\0') {
        return Err(Unfit::Name);
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// `text` as a literal, whatever the session has made of backslashes.
pub(crate) fn literal(text: &str) -> Result<String, Unfit> {
    if text.contains('\0') {
        return Err(Unfit::Name);
    }
    let text = text.replace('\'', "''");
    Ok(if text.contains('\\') { format!("E'{}'", text.replace('\\', "\\\\")) } else { format!("'{text}'") })
}

/// What gives `account` the password `password`. It holds a SCRAM verifier, so neither the server's log nor its
/// `pg_stat_activity` ever sees the password.
pub(crate) fn set_password(account: &str, password: &SecretBytes) -> Result<Zeroizing<String>, Unfit> {
    if password.is_empty() || password.expose().contains(&0) {
        return Err(Unfit::Password);
    }
    let role = quoted(account)?;
    // It prepares the text as servers and drivers do (SASLprep, or the bytes as they are where that is not defined), and gives
    // only letters, digits and `$+/:=-`.
    let verifier = Zeroizing::new(postgres_protocol::password::scram_sha_256(password.expose()));
    Ok(Zeroizing::new(format!("{}; ALTER ROLE {role} PASSWORD '{}'", precautions(), verifier.as_str())))
}

/// What a transaction that changes a role begins with.
///
/// The server gives up before the host does, so that no statement that waits for a lock has effect after the host has counted it
/// as lost. And where `synchronous_commit` is off, a crash of the server could take an acknowledged password back after
/// AWSCURRENT has moved to it.
pub(crate) fn precautions() -> String {
    let timeout = limits::STATEMENT_TIMEOUT.as_millis() * 9 / 10;
    format!("SET LOCAL statement_timeout = {timeout}; SET LOCAL synchronous_commit = on")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn a_statement_holds_a_verifier_and_not_the_password() {
        let statement = set_password("a\"b", &SecretBytes::from("canary-password".to_owned())).unwrap();
        assert!(statement.contains("ALTER ROLE \"a\"\"b\" PASSWORD 'SCRAM-SHA-256$4096:"), "{}", *statement);
        assert!(!statement.contains("canary"));
        for bad in ["", "a\0b"] {
            let text = SecretBytes::from(bad.to_owned());
            assert_eq!(set_password("app", &text).unwrap_err(), Unfit::Password);
            assert_eq!(set_password(bad, &SecretBytes::from("pw".to_owned())).unwrap_err(), Unfit::Name);
        }
    }

    proptest! {
        #[test]
        fn a_quoted_name_ends_where_it_should(name in any::<String>()) {
            if let Ok(quoted) = quoted(&name) {
                let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
                prop_assert!(inner.replace("\"\"", "").find('"').is_none());
                prop_assert_eq!(inner.replace("\"\"", "\""), name);
            }
        }

        #[test]
        fn a_literal_is_its_text_and_ends_where_it_should(text in any::<String>()) {
            if let Ok(literal) = literal(&text) {
                let (escapes, inner) = literal.strip_prefix('E').map_or((false, &*literal), |inner| (true, inner));
                prop_assert_eq!(escapes, text.contains('\\'));
                let inner = inner.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap();
                let mut read = String::new();
                let mut rest = inner.chars();
                while let Some(char) = rest.next() {
                    if char == '\'' || char == '\\' {
                        prop_assert_eq!(rest.next(), Some(char));
                    }
                    read.push(char);
                }
                prop_assert_eq!(read, text);
            }
        }
    }
}
