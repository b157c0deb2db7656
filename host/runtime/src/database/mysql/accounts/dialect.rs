//! Which server of the family it is.

/// The two families, whose account statements differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// MariaDB.
    Mariadb,
    /// MySQL, and what is made of it (Aurora).
    Mysql,
}

/// A server's family and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    /// The family.
    pub(super) family: Family,
    /// Major, minor and patch.
    pub(super) version: (u16, u16, u16),
}

/// The first of MariaDB that can lock an account and keeps all that belongs to one in one place.
const MARIADB_LEAST: (u16, u16, u16) = (10, 4, 2);
/// The first of MySQL 5.7 that changes accounts by ALTER USER throughout.
const MYSQL_5_LEAST: (u16, u16, u16) = (5, 7, 8);
/// The first of MySQL 8 that has all of what is read here.
const MYSQL_8_LEAST: (u16, u16, u16) = (8, 0, 16);

impl Dialect {
    /// Reads what `SELECT VERSION()` answers; none for a server that is too old, or whose answer is not understood.
    pub(super) fn parse(version: &str) -> Option<Self> {
        let family = match version.to_ascii_lowercase().contains("mariadb") {
            true => Family::Mariadb,
            false => Family::Mysql,
        };
        // MariaDB's own name for itself where clients expect an old MySQL.
        let number = version.strip_prefix("5.5.5-").unwrap_or(version);
        let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u16>);
        let mut part = || parts.next().and_then(Result::ok);
        let version = (part()?, part()?, part()?);
        let dialect = Self { family, version };
        let least = match family {
            Family::Mariadb => MARIADB_LEAST,
            Family::Mysql if version.0 < 8 => MYSQL_5_LEAST,
            Family::Mysql => MYSQL_8_LEAST,
        };
        (version >= least).then_some(dialect)
    }

    pub(super) const fn is_mariadb(self) -> bool {
        matches!(self.family, Family::Mariadb)
    }

    /// MySQL 8 and later: roles, dynamic privileges, password reuse.
    pub(super) fn is_mysql_8(self) -> bool {
        !self.is_mariadb() && self.version.0 >= 8
    }

    /// Characters of a user's name, most.
    pub(super) const fn user_chars_max(self) -> usize {
        match self.family {
            Family::Mariadb => 80,
            Family::Mysql => 32,
        }
    }

    /// The SQL mode under which this module's statements mean what it thinks. Where GRANT makes an account that is not there
    /// (with no password at all), it must not.
    pub(super) fn sql_mode(self) -> &'static str {
        if self.is_mysql_8() { "" } else { "NO_AUTO_CREATE_USER" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        let dialect = |text| Dialect::parse(text).map(|it| (it.family, it.version));
        assert_eq!(dialect("10.11.14-MariaDB-0+deb12u2"), Some((Family::Mariadb, (10, 11, 14))));
        assert_eq!(dialect("5.5.5-10.6.1-MariaDB"), Some((Family::Mariadb, (10, 6, 1))));
        assert_eq!(dialect("8.0.36"), Some((Family::Mysql, (8, 0, 36))));
        assert_eq!(dialect("8.4.3-commercial"), Some((Family::Mysql, (8, 4, 3))));
        assert_eq!(dialect("5.7.44-log"), Some((Family::Mysql, (5, 7, 44))));
        for bad in ["10.3.39-MariaDB", "5.6.51", "8.0.15", "", "eight", "8"] {
            assert_eq!(dialect(bad), None, "{bad}");
        }
    }
}
