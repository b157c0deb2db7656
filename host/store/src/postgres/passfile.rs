//! A password from a file in the form of PostgreSQL's own clients: lines of `host:port:database:user:password`, of which the first
//! that fits counts. `*` fits everything, and a backslash takes the meaning from a colon or a backslash after it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pawl_core::limits;
use pawl_core::value::SecretBytes;

use crate::error::{Outage, StoreError};

/// What a line is compared with.
pub(super) struct Login<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The text of the file.
pub(super) fn read(path: &Path) -> Result<SecretBytes, StoreError> {
    let unreadable = |_| StoreError::Unavailable(Outage::PasswordFile);
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(limits::STORE_PG_PASSWORD_FILE_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(SecretBytes::from(text))
}

/// The password for a login; none when no line fits.
pub(super) fn find(text: &SecretBytes, login: &Login<'_>) -> Option<SecretBytes> {
    let text = str::from_utf8(text.expose()).ok()?;
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = Fields(Some(line));
        let port = login.port.to_string();
        let fits = [login.host, &port, login.database, login.user].into_iter().all(|wanted| {
            // A field that was escaped is no wildcard.
            fields.next().is_some_and(|(field, is_plain)| field == wanted || (is_plain && field == "*"))
        });
        let (password, _) = fields.next().filter(|_| fits)?;
        Some(SecretBytes::from(password))
    })
}

/// The fields of a line, and whether each stands there as it is.
struct Fields<'a>(Option<&'a str>);

impl Iterator for Fields<'_> {
    type Item = (String, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.0.take()?;
        let (mut field, mut is_plain) = (String::new(), true);
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match character {
                ':' => {
                    self.0 = Some(characters.as_str());
                    break;
                }
                '\\' => {
                    is_plain = false;
                    field.extend(characters.next());
                }
                other => field.push(other),
            }
        }
        Some((field, is_plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let text = "# one:5432:d:u:no\none:5432:d:u:first\none:*:*:u:any port\n*:*:*:*:a\\:b\\\\c\nodd\n";
        let text = SecretBytes::from(text.to_owned());
        let password = |host, port, database, user| {
            let found = find(&text, &Login { host, port, database, user });
            found.map(|password| String::from_utf8(password.expose().to_vec()).unwrap())
        };
        assert_eq!(password("one", 5432, "d", "u").unwrap(), "first");
        assert_eq!(password("one", 5433, "d", "u").unwrap(), "any port");
        assert_eq!(password("two", 5433, "d", "v").unwrap(), "a:b\\c");
        let text = SecretBytes::from("\\*:*:*:*:escaped\nshort:1\n".to_owned());
        assert!(find(&text, &Login { host: "h", port: 1, database: "d", user: "u" }).is_none());
        assert!(find(&text, &Login { host: "*", port: 1, database: "d", user: "u" }).is_some());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told() {
        let missing = StoreError::Unavailable(Outage::PasswordFile);
        assert_eq!(read(Path::new("/nonexistent/passfile")).unwrap_err(), missing);
    }
}
