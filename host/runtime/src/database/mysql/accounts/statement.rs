//! The statements that change accounts' rights. None of them holds a password.

use std::collections::BTreeSet;
use std::fmt;

use super::dialect::Dialect;
use super::grant::{Listed, Privilege, Scope};
use super::spelling::{Identity, Name};
use super::terms::Clause;

/// One change of one account.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    /// The account.
    pub(super) of: Identity,
    /// What becomes of it.
    pub(super) change: Change,
}

/// What becomes of an account.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// It is given these privileges, and may pass on what it has at this scope where that is said.
    Grant(Scope, BTreeSet<Privilege>, bool),
    /// It loses these privileges.
    Revoke(Scope, BTreeSet<Privilege>),
    /// It may not pass on any more what it has at this scope.
    RevokeGrantOption(Scope),
    /// It is given one of MySQL's dynamic privileges, to be passed on or not.
    GrantDynamic(String, bool),
    /// It loses a dynamic privilege.
    RevokeDynamic(String),
    /// What it holds everywhere does not hold in this database.
    Restrict(String, BTreeSet<String>),
    /// It does again.
    Unrestrict(String, BTreeSet<String>),
    /// It is given a role, to be passed on or not.
    GrantRole(Identity, bool),
    /// It loses a role.
    RevokeRole(Identity),
    /// It may not pass on the role any more (MariaDB).
    RevokeAdminOption(Identity),
    /// It may act as this account, and pass that on or not.
    GrantProxy(Identity, bool),
    /// It may not act as this account any more.
    RevokeProxy(Identity),
    /// Its logins begin with these roles.
    DefaultRoles(BTreeSet<Identity>),
    /// The conditions of its logins.
    Terms(Vec<Clause>),
    /// Nobody logs in to it.
    Lock,
    /// A second password that MySQL still takes is forgotten.
    DiscardOldPassword,
}

impl Statement {
    /// The statement, for a session in `Dialect::sql_mode`.
    pub(super) fn render(&self, dialect: Dialect) -> String {
        let of = &self.of;
        let role = |role: &Identity| Role(role, dialect).to_string();
        match &self.change {
            Change::Grant(scope, privileges, option) => {
                format!("GRANT {} ON {scope} TO {of}{}", Listed(privileges), with(*option, "GRANT"))
            }
            Change::Revoke(scope, privileges) => {
                format!("REVOKE {} ON {scope} FROM {of}", Listed(privileges))
            }
            Change::RevokeGrantOption(scope) => format!("REVOKE GRANT OPTION ON {scope} FROM {of}"),
            Change::GrantDynamic(name, option) => {
                format!("GRANT {name} ON *.* TO {of}{}", with(*option, "GRANT"))
            }
            Change::RevokeDynamic(name) => format!("REVOKE {name} ON *.* FROM {of}"),
            Change::Restrict(database, names) => {
                format!("REVOKE {} ON {}.* FROM {of}", joined(names), Name(database))
            }
            Change::Unrestrict(database, names) => {
                format!("GRANT {} ON {}.* TO {of}", joined(names), Name(database))
            }
            Change::GrantRole(it, option) => {
                format!("GRANT {} TO {of}{}", role(it), with(*option, "ADMIN"))
            }
            Change::RevokeRole(it) => format!("REVOKE {} FROM {of}", role(it)),
            Change::RevokeAdminOption(it) => format!("REVOKE ADMIN OPTION FOR {} FROM {of}", role(it)),
            Change::GrantProxy(proxied, option) => {
                format!("GRANT PROXY ON {proxied} TO {of}{}", with(*option, "GRANT"))
            }
            Change::RevokeProxy(proxied) => format!("REVOKE PROXY ON {proxied} FROM {of}"),
            Change::DefaultRoles(roles) => {
                let roles: Vec<_> = roles.iter().map(role).collect();
                let roles = if roles.is_empty() { "NONE".to_owned() } else { roles.join(", ") };
                match dialect.is_mariadb() {
                    true => format!("SET DEFAULT ROLE {roles} FOR {of}"),
                    false => format!("ALTER USER {of} DEFAULT ROLE {roles}"),
                }
            }
            Change::Terms(clauses) => format!("ALTER USER {of}{}", Clause::listed(clauses)),
            Change::Lock => format!("ALTER USER {of} ACCOUNT LOCK"),
            Change::DiscardOldPassword => format!("ALTER USER {of} DISCARD OLD PASSWORD"),
        }
    }

    /// Whether it takes something away, so that a server that says it was not there has nothing left to do.
    pub(super) const fn takes_away(&self) -> bool {
        matches!(
            self.change,
            Change::Revoke(..)
                | Change::RevokeGrantOption(_)
                | Change::RevokeDynamic(_)
                | Change::RevokeRole(_)
                | Change::RevokeAdminOption(_)
                | Change::RevokeProxy(_)
        )
    }

    /// Whether it exists only in MariaDB's ORACLE mode.
    pub(super) const fn is_of_oracle_mode(&self) -> bool {
        match &self.change {
            Change::Grant(scope, ..) | Change::Revoke(scope, _) | Change::RevokeGrantOption(scope) => {
                scope.is_of_oracle_mode()
            }
            _ => false,
        }
    }

    /// What the login that sends it must be allowed to do, in the server's words.
    pub(super) fn needs(&self, dialect: Dialect) -> String {
        let role = |role: &Identity| Role(role, dialect).to_string();
        match &self.change {
            Change::Grant(scope, privileges, _) | Change::Revoke(scope, privileges) => {
                format!("{} ON {scope} WITH GRANT OPTION", Listed(privileges))
            }
            Change::RevokeGrantOption(scope) => format!("GRANT OPTION ON {scope}"),
            Change::GrantDynamic(name, _) | Change::RevokeDynamic(name) => {
                format!("{name} ON *.* WITH GRANT OPTION")
            }
            Change::Restrict(database, names) | Change::Unrestrict(database, names) => {
                format!("{} ON {}.* WITH GRANT OPTION", joined(names), Name(database))
            }
            Change::GrantRole(it, _) | Change::RevokeRole(it) | Change::RevokeAdminOption(it) => {
                let or = if dialect.is_mariadb() { "" } else { ", or ROLE_ADMIN" };
                format!("the role {} WITH ADMIN OPTION{or}", role(it))
            }
            Change::GrantProxy(proxied, _) | Change::RevokeProxy(proxied) => {
                format!("PROXY ON {proxied} WITH GRANT OPTION")
            }
            Change::DefaultRoles(_) if dialect.is_mariadb() => {
                "CREATE USER, or UPDATE ON `mysql`.*".to_owned()
            }
            Change::DefaultRoles(_) | Change::Terms(_) | Change::Lock | Change::DiscardOldPassword => {
                "CREATE USER".to_owned()
            }
        }
    }
}

/// A role by the name that its server knows it by: MariaDB's have no host.
pub(super) struct Role<'a>(pub(super) &'a Identity, pub(super) Dialect);

impl fmt::Display for Role<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1.is_mariadb() { Name(&self.0.user).fmt(f) } else { self.0.fmt(f) }
    }
}

fn with(option: bool, word: &str) -> String {
    if option { format!(" WITH {word} OPTION") } else { String::new() }
}

pub(super) fn joined(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
