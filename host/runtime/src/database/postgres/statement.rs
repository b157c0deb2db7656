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
    // The server gives up before the host does, so that no statement that waits for a lock has effect after the host has
    // counted it as lost. And where `synchronous_commit` is off, a crash of the server could take an acknowledged password back
    // after AWSCURRENT has moved to it.
    Ok(Zeroizing::new(format!(
        "SET LOCAL statement_timeout = {timeout}; SET LOCAL synchronous_commit = on; ALTER ROLE {role} PASSWORD '{verifier}'",
        timeout = limits::STATEMENT_TIMEOUT.as_millis() * 9 / 10,
        verifier = verifier.as_str(),
    )))
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
    }
}
