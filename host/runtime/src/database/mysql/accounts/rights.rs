//! What an account may do, and how the rights of two accounts differ.

use std::collections::{BTreeMap, BTreeSet};

use super::dialect::Dialect;
use super::grant::{ALL, Held, Listed, Privilege, Row, Scope};
use super::spelling::Identity;
use super::statement::{Change, Role, Statement, joined};

/// Everything that one account may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights {
    /// Privileges by where they are held. No entry is empty.
    pub(super) held: BTreeMap<Scope, Held>,
    /// MySQL's dynamic privileges, and whether each may be passed on.
    pub(super) dynamic: BTreeMap<String, bool>,
    /// Databases in which some of what is held everywhere is not.
    pub(super) restricted: BTreeMap<String, BTreeSet<String>>,
    /// Roles, and whether each may be passed on.
    pub(super) roles: BTreeMap<Identity, bool>,
    /// The roles that a login begins with.
    pub(super) default_roles: BTreeSet<Identity>,
    /// Accounts that it may act as, and whether it may pass that on.
    pub(super) proxied: BTreeMap<Identity, bool>,
}

/// A row of SHOW GRANTS that is not understood, by its number. A copy without it would be a silent loss or gain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotUnderstood(pub(super) usize);

impl Rights {
    /// Collects the rows of SHOW GRANTS for `grantee`. What one may act as, and MySQL's default roles, are read from tables, and
    /// given in `proxied` and `default_roles`.
    pub(super) fn collect<'a>(
        rows: impl IntoIterator<Item = &'a str>,
        grantee: &Identity,
        dialect: Dialect,
        default_roles: BTreeSet<Identity>,
        proxied: BTreeMap<Identity, bool>,
    ) -> Result<Self, NotUnderstood> {
        let mut rights = Self { default_roles, proxied, ..Self::default() };
        let mut proxies = 0;
        let mut count = 0;
        for row in rows {
            count += 1;
            match Row::parse(row, grantee, dialect).ok_or(NotUnderstood(count))? {
                Row::Held(scope, held) => rights.hold(scope, held, dialect),
                Row::Restricted(database, names) => {
                    rights.restricted.entry(database).or_default().extend(names);
                }
                Row::Roles(roles, admin) => rights.roles.extend(roles.into_iter().map(|role| (role, admin))),
                Row::DefaultRole(role) => drop(rights.default_roles.insert(role)),
                Row::Proxy => proxies += 1,
                Row::Public => {}
            }
        }
        // Tables that somebody has edited by hand are not what the server goes by.
        if proxies == rights.proxied.len() { Ok(rights) } else { Err(NotUnderstood(count)) }
    }

    fn hold(&mut self, scope: Scope, held: Held, dialect: Dialect) {
        let (dynamic, fixed): (BTreeSet<_>, BTreeSet<_>) = held
            .privileges
            .into_iter()
            .partition(|it| scope == Scope::Global && !dialect.is_mariadb() && it.name.contains('_'));
        // Rows of dynamic privileges hold nothing else, and their GRANT OPTION is about them alone.
        let only_dynamic = !dynamic.is_empty() && fixed.is_empty();
        self.dynamic.extend(dynamic.into_iter().map(|it| (it.name, held.grant_option)));
        if only_dynamic || (fixed.is_empty() && !held.grant_option) {
            return;
        }
        let entry = self.held.entry(scope).or_default();
        entry.privileges.extend(fixed);
        entry.grant_option |= held.grant_option;
    }
}

/// One thing that an account can or cannot do otherwise than the one that it should be like.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// The thing, for people.
    pub(super) words: String,
    /// What puts it right, in this order.
    pub(super) cure: Vec<Statement>,
}

/// Two accounts that should have the same rights.
pub(super) struct Pair<'a> {
    /// The one that is right.
    pub(super) like: &'a Identity,
    /// The one that should be like it.
    pub(super) of: &'a Identity,
    /// Their server.
    pub(super) dialect: Dialect,
    /// The privileges that the server knows, by SHOW PRIVILEGES: what ALL PRIVILEGES can be taken apart into.
    pub(super) known: &'a BTreeSet<String>,
}

impl Pair<'_> {
    /// How `own` differs from `like`. In the order in which the cures may be sent: what is missing is given before anything is
    /// taken away, so that whoever uses the account loses nothing that it is to keep.
    pub(super) fn differences(&self, own: &Rights, like: &Rights) -> Vec<Difference> {
        let mut found = Vec::new();
        self.missing_privileges(own, like, &mut found);
        self.dynamic(own, like, &mut found);
        self.restrictions(own, like, &mut found);
        self.proxies(own, like, &mut found);
        self.roles(own, like, &mut found);
        self.surplus_privileges(own, like, &mut found);
        found
    }

    fn note(&self, found: &mut Vec<Difference>, words: &str, cure: impl IntoIterator<Item = Change>) {
        let cure = cure.into_iter().map(|change| Statement { of: self.of.clone(), change }).collect();
        found.push(Difference { words: format!("{} {words}", self.of), cure });
    }

    fn missing_privileges(&self, own: &Rights, like: &Rights, found: &mut Vec<Difference>) {
        let nothing = Held::default();
        for (scope, its) in &like.held {
            let held = own.held.get(scope).unwrap_or(&nothing);
            let missing = missing(&held.privileges, &its.privileges);
            if !missing.is_empty() {
                let words = format!("lacks {} on {scope}", Listed(&missing));
                self.note(found, &words, [Change::Grant(scope.clone(), missing, false)]);
            }
            if its.grant_option && !held.grant_option {
                let words = format!("may not pass on what it has on {scope} (GRANT OPTION)");
                self.note(found, &words, [Change::Grant(scope.clone(), BTreeSet::new(), true)]);
            }
        }
    }

    fn surplus_privileges(&self, own: &Rights, like: &Rights, found: &mut Vec<Difference>) {
        let nothing = Held::default();
        for (scope, held) in &own.held {
            let its = like.held.get(scope).unwrap_or(&nothing);
            let surplus = self.surplus(scope, &held.privileges, &its.privileges);
            if !surplus.is_empty() {
                let words = format!("has {} on {scope}, which {} has not", Listed(&surplus), self.like);
                self.note(found, &words, [Change::Revoke(scope.clone(), surplus)]);
            }
            if held.grant_option && !its.grant_option {
                let words =
                    format!("may pass on what it has on {scope} (GRANT OPTION), which {} may not", self.like);
                self.note(found, &words, [Change::RevokeGrantOption(scope.clone())]);
            }
        }
    }

    /// What is held beyond `its`. The server tells a whole set of privileges by one word; of that, the names that make it up and
    /// are too much. What is not known by name comes to light when the others are gone and the server has to name the rest.
    fn surplus(
        &self,
        scope: &Scope,
        own: &BTreeSet<Privilege>,
        its: &BTreeSet<Privilege>,
    ) -> BTreeSet<Privilege> {
        let all = Privilege { name: ALL.to_owned(), column: None };
        let its_all = its.contains(&all);
        let mut surplus: BTreeSet<_> =
            own.difference(its).filter(|it| !(its_all && it.column.is_none())).cloned().collect();
        if surplus.remove(&all) {
            let names = self.known.iter().filter(|name| is_part_of_all(scope, name));
            let whole = names.map(|name| Privilege { name: name.clone(), column: None });
            surplus.extend(whole.filter(|it| !its.contains(it)));
            if surplus.is_empty() {
                surplus.insert(all);
            }
        }
        surplus
    }

    fn dynamic(&self, own: &Rights, like: &Rights, found: &mut Vec<Difference>) {
        for (name, option) in &like.dynamic {
            let grant = || [Change::GrantDynamic(name.clone(), *option)];
            match own.dynamic.get(name) {
                None => self.note(found, &format!("lacks {name}"), grant()),
                Some(false) if *option => self.note(found, &format!("may not pass on {name}"), grant()),
                // Taken from all dynamic privileges and from the static ones; who should keep it gets it back.
                Some(true) if !option => {
                    let words = format!("may pass on {name}, which {} may not", self.like);
                    let keep = like
                        .dynamic
                        .iter()
                        .filter(|(name, option)| **option && own.dynamic.contains_key(*name));
                    let keep = keep.map(|(name, _)| Change::GrantDynamic(name.clone(), true));
                    let fixed = like.held.get(&Scope::Global).is_some_and(|held| held.grant_option);
                    let fixed = fixed.then_some(Change::Grant(Scope::Global, BTreeSet::new(), true));
                    let revoke = [Change::RevokeGrantOption(Scope::Global)];
                    self.note(found, &words, revoke.into_iter().chain(keep).chain(fixed));
                }
                Some(_) => {}
            }
        }
        for name in own.dynamic.keys().filter(|name| !like.dynamic.contains_key(*name)) {
            let words = format!("has {name}, which {} has not", self.like);
            self.note(found, &words, [Change::RevokeDynamic(name.clone())]);
        }
    }

    fn restrictions(&self, own: &Rights, like: &Rights, found: &mut Vec<Difference>) {
        let none = BTreeSet::new();
        for (database, its) in &like.restricted {
            let missing = its - own.restricted.get(database).unwrap_or(&none);
            if !missing.is_empty() {
                let words = format!(
                    "has {} in the database `{database}` too, which {} has not",
                    joined(&missing),
                    self.like
                );
                self.note(found, &words, [Change::Restrict(database.clone(), missing)]);
            }
        }
        // What is not held everywhere any more is not restricted any more either.
        let global = like.held.get(&Scope::Global).map(|held| &held.privileges);
        for (database, own) in &own.restricted {
            let mut surplus = own - like.restricted.get(database).unwrap_or(&none);
            surplus.retain(|name| {
                global.is_some_and(|held| held.iter().any(|it| it.name == ALL || it.name == *name))
            });
            if !surplus.is_empty() {
                let words = format!("lacks {} in the database `{database}`", joined(&surplus));
                self.note(found, &words, [Change::Unrestrict(database.clone(), surplus)]);
            }
        }
    }

    fn proxies(&self, own: &Rights, like: &Rights, found: &mut Vec<Difference>) {
        for (proxied, option) in &like.proxied {
            let grant = Change::GrantProxy(proxied.clone(), *option);
            match own.proxied.get(proxied) {
                None => self.note(found, &format!("may not act as {proxied} (PROXY)"), [grant]),
                Some(has) if has != option => {
                    let words = format!(
                        "may act as {proxied} (PROXY) with{} GRANT OPTION",
                        if *has { "" } else { "out" }
                    );
                    self.note(found, &words, [Change::RevokeProxy(proxied.clone()), grant]);
                }
                Some(_) => {}
            }
        }
        for proxied in own.proxied.keys().filter(|proxied| !like.proxied.contains_key(*proxied)) {
            let words = format!("may act as {proxied} (PROXY), which {} may not", self.like);
            self.note(found, &words, [Change::RevokeProxy(proxied.clone())]);
        }
    }

    fn roles(&self, own: &Rights, like: &Rights, found: &mut Vec<Difference>) {
        for (role, admin) in &like.roles {
            let name = Role(role, self.dialect);
            let grant = Change::GrantRole(role.clone(), *admin);
            match own.roles.get(role) {
                None => self.note(found, &format!("lacks the role {name}"), [grant]),
                Some(false) if *admin => {
                    self.note(found, &format!("may not pass on the role {name} (ADMIN OPTION)"), [grant]);
                }
                Some(true) if !admin => {
                    let words =
                        format!("may pass on the role {name} (ADMIN OPTION), which {} may not", self.like);
                    // MySQL has no statement that takes the option alone.
                    match self.dialect.is_mariadb() {
                        true => self.note(found, &words, [Change::RevokeAdminOption(role.clone())]),
                        false => self.note(found, &words, [Change::RevokeRole(role.clone()), grant]),
                    }
                }
                Some(_) => {}
            }
        }
        if own.default_roles != like.default_roles {
            let list = |roles: &BTreeSet<Identity>| {
                let names: Vec<_> = roles.iter().map(|role| Role(role, self.dialect).to_string()).collect();
                if names.is_empty() { "no role".to_owned() } else { names.join(", ") }
            };
            let words = format!(
                "begins with {}, and {} with {}",
                list(&own.default_roles),
                self.like,
                list(&like.default_roles)
            );
            self.note(found, &words, [Change::DefaultRoles(like.default_roles.clone())]);
        }
        for role in own.roles.keys().filter(|role| !like.roles.contains_key(*role)) {
            let words = format!("has the role {}, which {} has not", Role(role, self.dialect), self.like);
            self.note(found, &words, [Change::RevokeRole(role.clone())]);
        }
    }
}

/// What `own` lacks of `its`. ALL PRIVILEGES holds every one, but none on single columns: that is kept beside it.
fn missing(own: &BTreeSet<Privilege>, its: &BTreeSet<Privilege>) -> BTreeSet<Privilege> {
    let all = own.iter().any(|it| it.name == ALL);
    its.difference(own).filter(|it| !(all && it.column.is_none())).cloned().collect()
}

/// Privileges that can be held on a database.
const OF_DATABASES: [&str; 19] = [
    "ALTER",
    "ALTER ROUTINE",
    "CREATE",
    "CREATE ROUTINE",
    "CREATE TEMPORARY TABLES",
    "CREATE VIEW",
    "DELETE",
    "DELETE HISTORY",
    "DROP",
    "EVENT",
    "EXECUTE",
    "INDEX",
    "INSERT",
    "LOCK TABLES",
    "REFERENCES",
    "SELECT",
    "SHOW VIEW",
    "TRIGGER",
    "UPDATE",
];
/// Those of them that can be held on a table.
const OF_TABLES: [&str; 13] = [
    "ALTER",
    "CREATE",
    "CREATE VIEW",
    "DELETE",
    "DELETE HISTORY",
    "DROP",
    "INDEX",
    "INSERT",
    "REFERENCES",
    "SELECT",
    "SHOW VIEW",
    "TRIGGER",
    "UPDATE",
];
/// Those that can be held on a routine.
const OF_ROUTINES: [&str; 2] = ["ALTER ROUTINE", "EXECUTE"];

/// Whether ALL PRIVILEGES at this scope holds the privilege.
fn is_part_of_all(scope: &Scope, name: &str) -> bool {
    match scope {
        Scope::Global => !matches!(name, "GRANT OPTION" | "PROXY" | "USAGE"),
        Scope::Database(_) => OF_DATABASES.contains(&name),
        Scope::Table(..) => OF_TABLES.contains(&name),
        Scope::Routine(..) => OF_ROUTINES.contains(&name),
    }
}

#[cfg(test)]
mod tests;
