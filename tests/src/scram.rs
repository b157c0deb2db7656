//! SCRAM-SHA-256 verifiers: which password a database was given, without the database being given one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// Whether `verifier` (`SCRAM-SHA-256$iterations:salt$stored:server`) is that of `password`, which must be ASCII.
///
/// # Panics
/// When `verifier` is none.
#[must_use]
pub fn is_of(verifier: &str, password: &str) -> bool {
    let parts: Vec<&str> = verifier.split(['$', ':']).collect();
    let [scheme, iterations, salt, stored, _server] = parts.as_slice() else {
        panic!("`{verifier}` is no SCRAM verifier");
    };
    assert_eq!(*scheme, "SCRAM-SHA-256", "`{verifier}` is no SCRAM verifier");
    let mut salt = STANDARD.decode(salt).expect("a salt in base64");
    salt.extend([0, 0, 0, 1]);
    let mut block = hmac(password.as_bytes(), &salt);
    let mut salted = block;
    for _ in 1..iterations.parse().expect("a count of iterations") {
        block = hmac(password.as_bytes(), &block);
        for (sum, byte) in salted.iter_mut().zip(block) {
            *sum ^= byte;
        }
    }
    let key = hmac(&salted, b"Client Key");
    STANDARD.encode(Sha256::digest(key)) == *stored
}

/// The verifier in a statement that sets a password, if it holds one.
#[must_use]
pub fn in_statement(sql: &str) -> Option<String> {
    let from = sql.find("SCRAM-SHA-256$")?;
    let rest = sql.get(from..)?;
    Some(rest.chars().take_while(|c| *c != '\'').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_tells_its_password_from_others() {
        // RFC 7677, section 3: user "user", password "pencil", 4096 iterations.
        let verifier = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
                        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert!(is_of(verifier, "pencil"));
        assert!(!is_of(verifier, "pencil2"));
        let sql = format!("ALTER ROLE \"a\" PASSWORD '{verifier}'");
        assert_eq!(in_statement(&sql).as_deref(), Some(verifier));
    }
}
