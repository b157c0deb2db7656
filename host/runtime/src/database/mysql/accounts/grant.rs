//! What one row of SHOW GRANTS says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::dialect::Dialect;
use super::spelling::{Identity, Name, Reader};

/// Everything at a scope but GRANT OPTION.
pub(super) const ALL: &str = "ALL PRIVILEGES";
/// No privilege: the word that stands where the grammar wants one.
const USAGE: &str = "USAGE";

/// A privilege, on whole objects of its scope or on one column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Privilege {
    /// In capitals, as the server writes it.
    pub(super) name: String,
    /// The column.
    pub(super) column: Option<String>,
}

/// Where a privilege is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Everywhere.
    Global,
    /// In the databases of this pattern, with its escapes as the server has them.
    Database(String),
    /// On a table or view.
    Table(String, String),
    /// On a stored routine.
    Routine(Routine, String, String),
}

/// A kind of stored routine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Routine {
    Procedure,
    Function,
    Package,
    PackageBody,
    Library,
}

/// Longer words first, so that none is taken for the beginning of another.
const ROUTINES: [(Routine, &str); 5] = [
    (Routine::PackageBody, "PACKAGE BODY"),
    (Routine::Package, "PACKAGE"),
    (Routine::Procedure, "PROCEDURE"),
    (Routine::Function, "FUNCTION"),
    (Routine::Library, "LIBRARY"),
];

impl Scope {
    /// Whether the statements on it exist only in MariaDB's ORACLE mode.
    pub(super) const fn is_of_oracle_mode(&self) -> bool {
        matches!(self, Self::Routine(Routine::Package | Routine::PackageBody, ..))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("*.*"),
            Self::Database(database) => write!(f, "{}.*", Name(database)),
            Self::Table(database, table) => write!(f, "{}.{}", Name(database), Name(table)),
            Self::Routine(routine, database, name) => {
                let word = ROUTINES.iter().find(|(kind, _)| kind == routine).map_or("", |(_, word)| word);
                write!(f, "{word} {}.{}", Name(database), Name(name))
            }
        }
    }
}

/// What is held at one scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// The privileges.
    pub(super) privileges: BTreeSet<Privilege>,
    /// Whether they may be passed on.
    pub(super) grant_option: bool,
}

/// A list of privileges as GRANT and REVOKE have it, the columns of one privilege together.
pub(super) struct Listed<'a>(pub(super) &'a BTreeSet<Privilege>);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut columns: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut words = Vec::new();
        for Privilege { name, column } in self.0 {
            match column {
                None => words.push(name.clone()),
                Some(column) => columns.entry(name).or_default().push(Name(column).to_string()),
            }
        }
        words.extend(columns.iter().map(|(name, columns)| format!("{name} ({})", columns.join(", "))));
        if words.is_empty() {
            words.push(USAGE.to_owned());
        }
        f.write_str(&words.join(", "))
    }
}

/// A row of SHOW GRANTS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// Privileges at a scope; those of MySQL's dynamic kind come in rows of their own.
    Held(Scope, Held),
    /// Privileges that are held everywhere but in this database (MySQL's partial revokes).
    Restricted(String, BTreeSet<String>),
    /// Roles, and whether they may be passed on.
    Roles(Vec<Identity>, bool),
    /// The role that a login begins with (MariaDB; MySQL keeps it in a table).
    DefaultRole(Identity),
    /// What everybody has (MariaDB): no account's own.
    Public,
    /// The right to act as another account. Names are not escaped in these rows: what they say is read from
    /// `mysql.proxies_priv`.
    Proxy,
}

impl Row {
    /// Reads a row about `grantee`; none when it holds anything that is not understood.
    pub(super) fn parse(row: &str, grantee: &Identity, dialect: Dialect) -> Option<Self> {
        let mut reader = Reader::new(row);
        let reader = &mut reader;
        if reader.take("SET DEFAULT ROLE ") {
            let role = reader.role()?;
            let complete = reader.take(" FOR ") && reader.this(grantee) && reader.rest().is_empty();
            return complete.then_some(Self::DefaultRole(role));
        }
        if reader.take("REVOKE ") {
            let privileges = privileges(reader)?;
            let Scope::Database(database) = scope(reader)? else { return None };
            let complete = reader.take(" FROM ") && reader.this(grantee) && reader.rest().is_empty();
            let whole = |it: Privilege| it.column.is_none().then_some(it.name);
            let privileges = privileges.into_iter().map(whole).collect::<Option<_>>()?;
            return complete.then_some(Self::Restricted(database, privileges));
        }
        if !reader.take("GRANT ") {
            return None;
        }
        if reader.take("PROXY ON ") {
            return Some(Self::Proxy);
        }
        // A name would end with its quote. Only a session's own user is shown these.
        if reader.rest().ends_with(" TO PUBLIC") {
            return Some(Self::Public);
        }
        if reader.rest().starts_with('`') {
            return roles(reader, grantee, dialect);
        }
        let privileges = privileges(reader)?;
        let scope = scope(reader)?;
        if !(reader.take(" TO ") && reader.this(grantee)) {
            return None;
        }
        let grant_option = tail(reader.rest(), scope == Scope::Global)?;
        Some(Self::Held(scope, Held { privileges, grant_option }))
    }
}

fn roles(reader: &mut Reader<'_>, grantee: &Identity, dialect: Dialect) -> Option<Row> {
    let mut roles = Vec::new();
    loop {
        roles.push(if dialect.is_mariadb() { reader.role()? } else { reader.identity()? });
        if !(reader.take(", ") || reader.take(",")) {
            break;
        }
    }
    if !(reader.take(" TO ") && reader.this(grantee)) {
        return None;
    }
    let admin = reader.take(" WITH ADMIN OPTION");
    reader.rest().is_empty().then_some(Row::Roles(roles, admin))
}

/// Privileges up to and with ` ON `.
fn privileges(reader: &mut Reader<'_>) -> Option<BTreeSet<Privilege>> {
    let mut privileges = BTreeSet::new();
    loop {
        let name = privilege_name(reader)?;
        match reader.take(" (") {
            false if name == USAGE => {}
            false => drop(privileges.insert(Privilege { name, column: None })),
            true => loop {
                let column = Some(column(reader)?);
                privileges.insert(Privilege { name: name.clone(), column });
                if reader.take(")") {
                    break;
                }
                reader.take(", ").then_some(())?;
            },
        }
        if reader.take(" ON ") {
            return Some(privileges);
        }
        (reader.take(", ") || reader.take(",")).then_some(())?;
    }
}

/// Words in capitals up to ` ON `, ` (` or a comma.
fn privilege_name(reader: &mut Reader<'_>) -> Option<String> {
    let mut name = String::new();
    loop {
        let word = reader.run(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')?;
        name.push_str(word);
        let rest = reader.rest();
        if rest.starts_with(" ON ") || rest.starts_with(" (") || !reader.take(" ") {
            return Some(name);
        }
        name.push(' ');
    }
}

/// A column's name: MySQL before 8 does not quote those that need no quotes.
fn column(reader: &mut Reader<'_>) -> Option<String> {
    if reader.rest().starts_with('`') {
        return reader.name();
    }
    reader.run(|c| c.is_alphanumeric() || matches!(c, '_' | '$')).map(str::to_owned)
}

fn scope(reader: &mut Reader<'_>) -> Option<Scope> {
    if reader.take("*.*") {
        return Some(Scope::Global);
    }
    let routine = ROUTINES.iter().find(|(_, word)| reader.take(&format!("{word} "))).map(|(kind, _)| *kind);
    let database = reader.name()?;
    reader.take(".").then_some(())?;
    match routine {
        Some(routine) => Some(Scope::Routine(routine, database, reader.name()?)),
        None if reader.take("*") => Some(Scope::Database(database)),
        None => Some(Scope::Table(database, reader.name()?)),
    }
}

/// Whether what follows the grantee holds GRANT OPTION; none when it is not understood.
///
/// MariaDB's row for `*.*` tells the whole account there, with texts in which it escapes nothing: `REQUIRE SUBJECT 'a'b'`. All
/// of that is read from a table. GRANT OPTION stands behind the last text, in a part that holds words and numbers only.
fn tail(tail: &str, is_global: bool) -> Option<bool> {
    let words = match tail.rsplit_once('\'') {
        None => tail,
        Some((texts, words)) if is_global => {
            let known = texts.starts_with(" IDENTIFIED ") || texts.starts_with(" REQUIRE ");
            known.then_some(words)?
        }
        Some(_) => return None,
    };
    let mut grant_option = false;
    let mut words = words.split_ascii_whitespace().peekable();
    while let Some(word) = words.next() {
        match word {
            "GRANT" if words.next_if_eq(&"OPTION").is_some() => grant_option = true,
            "WITH" => {}
            _ if !is_global => return None,
            "IDENTIFIED" if words.next_if_eq(&"VIA").is_some() => drop(words.next().filter(plugin)?),
            "OR" => drop(words.next().filter(plugin)?),
            "REQUIRE" if words.next_if(|next| matches!(*next, "SSL" | "X509" | "NONE")).is_some() => {}
            "MAX_QUERIES_PER_HOUR"
            | "MAX_UPDATES_PER_HOUR"
            | "MAX_CONNECTIONS_PER_HOUR"
            | "MAX_USER_CONNECTIONS"
            | "MAX_STATEMENT_TIME" => {
                words.next().filter(|number| number.parse::<f64>().is_ok())?;
            }
            _ => return None,
        }
    }
    Some(grant_option)
}

fn plugin(word: &&str) -> bool {
    word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests;
