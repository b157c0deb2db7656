//! A password as an account statement has it: the hash that the server would keep of it, so that the password itself reaches
//! neither the statement nor any log.

use pawl_core::value::SecretBytes;
use rustls::crypto::ring;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::super::method::{ed25519_hash, native_hash};
use super::dialect::Dialect;
use super::spelling::Text;
use crate::database::StatementFailure;

/// `IDENTIFIED ...` for one account.
pub(super) struct Credential(Zeroizing<String>);

impl Credential {
    /// The password for an account that logs in by these plugins. Where there are several, each takes it.
    pub(super) fn new(
        plugins: &[String],
        password: &SecretBytes,
        dialect: Dialect,
    ) -> Result<Self, StatementFailure> {
        if password.is_empty() || password.expose().contains(&0) {
            let text = "an empty password, or one with a NUL character, cannot be set";
            return Err(StatementFailure::Unfit(text.to_owned()));
        }
        let mut text = Zeroizing::new(String::new());
        for plugin in plugins {
            let hash = hash(plugin, password, dialect).ok_or_else(|| {
                StatementFailure::Unfit(format!(
                    "the user to be copied logs in by the plugin `{plugin}`, by which Pawl sets no passwords"
                ))
            })?;
            let before = match (text.is_empty(), dialect.is_mariadb()) {
                (true, true) => "IDENTIFIED VIA ",
                (true, false) => "IDENTIFIED WITH ",
                (false, _) => " OR ",
            };
            text.push_str(before);
            text.push_str(plugin);
            text.push_str(if dialect.is_mariadb() { " USING " } else { " AS " });
            text.push_str(&Text(&hash).to_string());
        }
        Ok(Self(text))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

fn hash(plugin: &str, password: &SecretBytes, dialect: Dialect) -> Option<String> {
    match (plugin, dialect.is_mariadb()) {
        ("mysql_native_password", _) => Some(native_hash(password)),
        ("ed25519", true) => Some(ed25519_hash(password)),
        ("caching_sha2_password", false) => caching_sha2_hash(password, &salt()?),
        ("sha256_password", false) => sha256_hash(password, &salt()?),
        _ => None,
    }
}

/// Bytes of a salt of MySQL's.
const SALT: usize = 20;
/// What crypt writes its numbers with.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new salt, in characters that no quoting touches. From the source that the TLS of the same login takes.
fn salt() -> Option<[u8; SALT]> {
    let mut salt = [0; SALT];
    ring::default_provider().secure_random.fill(&mut salt).ok()?;
    Some(salt.map(digit))
}

fn digit(bits: u8) -> u8 {
    ALPHABET.get(usize::from(bits & 0x3f)).copied().unwrap_or(b'.')
}

/// What a server keeps of a password for `caching_sha2_password`: 5 times 1,000 rounds.
fn caching_sha2_hash(password: &SecretBytes, salt: &[u8; SALT]) -> Option<String> {
    Some(format!("$A$005${}{}", std::str::from_utf8(salt).ok()?, crypt(password.expose(), salt)))
}

/// What a server keeps of a password for `sha256_password`.
fn sha256_hash(password: &SecretBytes, salt: &[u8; SALT]) -> Option<String> {
    Some(format!("$5${}${}", std::str::from_utf8(salt).ok()?, crypt(password.expose(), salt)))
}

const ROUNDS: usize = 5_000;

/// The digest of SHA-256 crypt (as glibc has it, but for MySQL's longer salt), in 43 characters.
fn crypt(password: &[u8], salt: &[u8]) -> String {
    let inner = Sha256::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut context = Sha256::new().chain_update(password).chain_update(salt);
    context.update(stretched(&inner, password.len()));
    let mut length = password.len();
    while length > 0 {
        context.update(if length & 1 == 1 { inner.as_slice() } else { password });
        length >>= 1;
    }
    let mut digest = context.finalize();

    let many = |bytes: &[u8], times: usize| {
        (0..times).fold(Sha256::new(), |context, _| context.chain_update(bytes)).finalize()
    };
    let password_part = stretched(&many(password, password.len()), password.len());
    let first = digest.first().copied().map_or(0, usize::from);
    let salt_part = stretched(&many(salt, 16 + first), salt.len());
    for round in 0..ROUNDS {
        let mut context = Sha256::new();
        let (before, after) = match round & 1 == 1 {
            true => (password_part.as_slice(), digest.as_slice()),
            false => (digest.as_slice(), password_part.as_slice()),
        };
        context.update(before);
        if round % 3 != 0 {
            context.update(&salt_part);
        }
        if round % 7 != 0 {
            context.update(&password_part);
        }
        context.update(after);
        digest = context.finalize();
    }
    encoded(&digest)
}

/// `digest` again and again, `length` bytes of it.
fn stretched(digest: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(digest.iter().copied().cycle().take(length).collect())
}

/// Crypt's own order of bytes and digits: three bytes of the digest in four digits, the lowest first.
fn encoded(digest: &[u8]) -> String {
    let byte = |index: usize| digest.get(index).copied().map_or(0, u32::from);
    let mut text = String::with_capacity(43);
    let mut push = |mut bits: u32, digits: usize| {
        for _ in 0..digits {
            text.push(char::from(digit((bits & 0x3f).try_into().unwrap_or(0))));
            bits >>= 6;
        }
    };
    // Each group of three takes one byte of each third of the digest, and every next one begins in another third.
    let (mut a, mut b, mut c) = (0, 10, 20);
    for _ in 0..10 {
        push(byte(a) << 16 | byte(b) << 8 | byte(c), 4);
        (a, b, c) = (c + 1, a + 1, b + 1);
    }
    push(byte(31) << 8 | byte(30), 3);
    text
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Family;
    use super::*;

    const MARIADB: Dialect = Dialect { family: Family::Mariadb, version: (10, 11, 14) };
    const MYSQL: Dialect = Dialect { family: Family::Mysql, version: (8, 4, 0) };

    fn secret(text: &str) -> SecretBytes {
        SecretBytes::from(text.to_owned())
    }

    #[test]
    fn a_hash_of_caching_sha2_is_the_one_that_hashcat_publishes() {
        // Its example of mode 7401: the password is "hashcat".
        let salt = hex::decode("F9CC98CE08892924F50A213B6BC571A2C11778C5").unwrap();
        let digest = hex::decode(
            "625479393559393965414D45316477456B484F41316E64484742577A2E3162785353526B7554584647562F",
        )
        .unwrap();
        assert_eq!(crypt(b"hashcat", &salt).as_bytes(), digest);
    }

    #[test]
    fn sha256_crypt_is_glibcs() {
        // From the specification of SHA-crypt (rounds=5000, and a salt of 16 bytes).
        assert_eq!(crypt(b"Hello world!", b"saltstring"), "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
    }

    #[test]
    fn a_credential_holds_hashes_and_not_the_password() {
        let text = |plugins: &[&str], dialect| {
            let plugins: Vec<_> = plugins.iter().map(|&plugin| plugin.to_owned()).collect();
            Credential::new(&plugins, &secret("canary"), dialect)
                .map(|credential| credential.text().to_owned())
        };
        let two = text(&["mysql_native_password", "ed25519"], MARIADB).unwrap();
        assert!(two.starts_with("IDENTIFIED VIA mysql_native_password USING '*"), "{two}");
        assert!(two.contains("' OR ed25519 USING '"), "{two}");
        let one = text(&["caching_sha2_password"], MYSQL).unwrap();
        assert!(one.starts_with("IDENTIFIED WITH caching_sha2_password AS '$A$005$"), "{one}");
        assert_eq!(one.len(), "IDENTIFIED WITH caching_sha2_password AS ''".len() + 7 + 20 + 43);
        assert!(!two.contains("canary") && !one.contains("canary"));
        assert_ne!(one, text(&["caching_sha2_password"], MYSQL).unwrap(), "every salt is new");
        for (plugin, dialect) in [
            ("unix_socket", MARIADB),
            ("caching_sha2_password", MARIADB),
            ("ed25519", MYSQL),
            ("auth_socket", MYSQL),
        ] {
            assert!(matches!(text(&[plugin], dialect), Err(StatementFailure::Unfit(_))), "{plugin}");
        }
        for bad in ["", "a\0b"] {
            assert!(Credential::new(&["ed25519".to_owned()], &secret(bad), MARIADB).is_err());
        }
    }
}
