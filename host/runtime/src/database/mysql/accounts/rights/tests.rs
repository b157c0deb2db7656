use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::{select, subsequence};

use super::super::dialect::Family;
use super::*;

const MARIADB: Dialect = Dialect { family: Family::Mariadb, version: (10, 11, 14) };
const MYSQL: Dialect = Dialect { family: Family::Mysql, version: (8, 0, 36) };

fn like() -> Identity {
    Identity::new("app", "%")
}

fn own() -> Identity {
    Identity::new("app_clone", "%")
}

fn known() -> BTreeSet<String> {
    [
        "SELECT",
        "INSERT",
        "DELETE",
        "DELETE HISTORY",
        "EXECUTE",
        "ALTER ROUTINE",
        "SUPER",
        "GRANT OPTION",
        "USAGE",
        "PROXY",
    ]
    .map(str::to_owned)
    .into()
}

fn whole(name: &str) -> Privilege {
    Privilege { name: name.to_owned(), column: None }
}

fn found(own_rights: &Rights, its: &Rights, dialect: Dialect) -> Vec<Difference> {
    let (like, own, known) = (like(), own(), known());
    Pair { like: &like, of: &own, dialect, known: &known }.differences(own_rights, its)
}

/// A server's account under one change: what MariaDB 10.11 was seen to do, and what MySQL's manual says.
fn apply(rights: &mut Rights, change: &Change) {
    match change.clone() {
        Change::Grant(scope, privileges, option) => {
            let held = rights.held.entry(scope).or_default();
            held.privileges.extend(privileges);
            held.grant_option |= option;
            if held.privileges.contains(&whole(ALL)) {
                held.privileges.retain(|it| it.name == ALL || it.column.is_some());
            }
        }
        Change::Revoke(scope, privileges) => {
            let Some(held) = rights.held.get_mut(&scope) else { panic!("nothing to revoke at {scope}") };
            for it in privileges {
                if it.column.is_none() && held.privileges.remove(&whole(ALL)) && it.name != ALL {
                    let names = known().into_iter().filter(|name| is_part_of_all(&scope, name));
                    // One that nobody has told us about.
                    held.privileges
                        .extend(names.chain(["NEWLY INVENTED".to_owned()]).map(|name| whole(&name)));
                }
                // With the privilege on a table go those on its columns.
                held.privileges
                    .retain(|has| !(has.name == it.name && (it.column.is_none() || has.column == it.column)));
            }
        }
        Change::RevokeGrantOption(scope) => {
            if scope == Scope::Global {
                rights.dynamic.values_mut().for_each(|option| *option = false);
            }
            if let Some(held) = rights.held.get_mut(&scope) {
                held.grant_option = false;
            }
        }
        Change::GrantDynamic(name, option) => *rights.dynamic.entry(name).or_default() |= option,
        Change::RevokeDynamic(name) => drop(rights.dynamic.remove(&name).unwrap()),
        Change::Restrict(database, names) => {
            let global = &rights.held.get(&Scope::Global).unwrap().privileges;
            assert!(
                names.iter().all(|name| global.contains(&whole(ALL)) || global.contains(&whole(name))),
                "only what is held can be restricted"
            );
            rights.restricted.entry(database).or_default().extend(names);
        }
        Change::Unrestrict(database, names) => {
            rights.restricted.get_mut(&database).unwrap().retain(|name| !names.contains(name));
        }
        Change::GrantRole(role, admin) => *rights.roles.entry(role).or_default() |= admin,
        Change::RevokeRole(role) => {
            rights.roles.remove(&role).unwrap();
            rights.default_roles.remove(&role);
        }
        Change::RevokeAdminOption(role) => *rights.roles.get_mut(&role).unwrap() = false,
        Change::GrantProxy(proxied, option) => drop(rights.proxied.insert(proxied, option)),
        Change::RevokeProxy(proxied) => drop(rights.proxied.remove(&proxied).unwrap()),
        Change::DefaultRoles(roles) => {
            assert!(
                roles.iter().all(|role| rights.roles.contains_key(role)),
                "a default role that is not granted"
            );
            rights.default_roles = roles;
        }
        Change::Terms(_) | Change::Lock | Change::DiscardOldPassword => unreachable!(),
    }
    let global = rights.held.get(&Scope::Global).cloned().unwrap_or_default().privileges;
    for names in rights.restricted.values_mut() {
        names.retain(|name| global.contains(&whole(ALL)) || global.contains(&whole(name)));
    }
    rights.restricted.retain(|_, names| !names.is_empty());
    rights.held.retain(|_, held| *held != Held::default());
}

/// What both hold, at each scope.
fn common(one: &Rights, other: &Rights) -> BTreeMap<Scope, BTreeSet<Privilege>> {
    let both = one.held.iter().filter_map(|(scope, held)| {
        Some((scope.clone(), &held.privileges & &other.held.get(scope)?.privileges))
    });
    both.filter(|(_, privileges)| !privileges.is_empty()).collect()
}

fn any_rights(dialect: Dialect) -> impl Strategy<Value = Rights> {
    let names = vec!["SELECT", "INSERT", "DELETE", ALL];
    let held = (subsequence(names, 0..4), subsequence(vec!["a", "b"], 0..2), any::<bool>());
    let scopes = vec![
        Scope::Global,
        Scope::Database("d".to_owned()),
        Scope::Table("d".to_owned(), "t".to_owned()),
        Scope::Table("d".to_owned(), "x TO y".to_owned()),
    ];
    let held = proptest::collection::btree_map(select(scopes), held, 0..4);
    let others = vec!["r1", "r2", "r3"];
    let named = || proptest::collection::btree_map(select(others.clone()), any::<bool>(), 0..3);
    let dynamic =
        proptest::collection::btree_map(select(vec!["A_ADMIN", "B_ADMIN", "C_ADMIN"]), any::<bool>(), 0..3);
    let restricted = any::<bool>();
    (held, named(), named(), dynamic, any::<bool>(), restricted).prop_map(
        move |(held, roles, proxied, dynamic, with_default, restricted)| {
            let identity = |name: &str| Identity::new(name, if dialect.is_mariadb() { "" } else { "%" });
            let mut rights = Rights::default();
            for (scope, (names, columns, grant_option)) in held {
                let mut privileges: BTreeSet<_> = names.iter().map(|name| whole(name)).collect();
                if privileges.contains(&whole(ALL)) {
                    privileges = [whole(ALL)].into();
                }
                if matches!(scope, Scope::Table(..)) {
                    let column =
                        |name: &str| Privilege { name: "SELECT".to_owned(), column: Some(name.to_owned()) };
                    privileges.extend(columns.iter().map(|name| column(name)));
                }
                let held = Held { privileges, grant_option };
                if held != Held::default() {
                    rights.held.insert(scope, held);
                }
            }
            rights.roles = roles.iter().map(|(name, admin)| (identity(name), *admin)).collect();
            rights.proxied =
                proxied.iter().map(|(name, option)| (Identity::new(*name, "%"), *option)).collect();
            if with_default {
                rights.default_roles = rights.roles.keys().take(1).cloned().collect();
            }
            if !dialect.is_mariadb() {
                rights.dynamic = dynamic.iter().map(|(name, option)| ((*name).to_owned(), *option)).collect();
                let global = rights.held.get(&Scope::Global);
                if restricted && global.is_some_and(|held| held.privileges.contains(&whole("SELECT"))) {
                    rights.restricted.insert("mysql".to_owned(), ["SELECT".to_owned()].into());
                }
            }
            rights
        },
    )
}

fn converges(mut own: Rights, its: &Rights, dialect: Dialect) {
    let kept = common(&own, its);
    for round in 0.. {
        let found = found(&own, its, dialect);
        if found.is_empty() {
            break;
        }
        assert!(round < 3, "{found:?}");
        for statement in found.iter().flat_map(|difference| &difference.cure) {
            apply(&mut own, &statement.change);
            // What both had stays, in every moment: whoever uses the account misses nothing. Columns apart, where the table's own
            // privilege goes: no server has a statement for that.
            for (scope, privileges) in &kept {
                let has = own.held.get(scope).map(|held| &held.privileges);
                let all = has.is_some_and(|has| has.contains(&whole(ALL)));
                for it in privileges.iter().filter(|it| it.column.is_none()) {
                    assert!(all || has.is_some_and(|has| has.contains(it)), "{scope} {it:?} {statement:?}");
                }
            }
        }
    }
    assert_eq!(&own, its);
}

proptest! {
    #[test]
    fn what_the_differences_say_makes_two_accounts_equal(own in any_rights(MARIADB), its in any_rights(MARIADB)) {
        converges(own, &its, MARIADB);
    }

    #[test]
    fn what_the_differences_say_makes_two_accounts_of_mysql_equal(own in any_rights(MYSQL), its in any_rights(MYSQL)) {
        converges(own, &its, MYSQL);
    }

    #[test]
    fn equals_differ_in_nothing_and_others_in_something(own in any_rights(MYSQL), its in any_rights(MYSQL)) {
        prop_assert!(found(&its, &its, MYSQL).is_empty());
        prop_assert_eq!(found(&own, &its, MYSQL).is_empty(), own == its);
    }

    #[test]
    fn every_statement_is_about_the_account_and_never_about_the_other(own in any_rights(MYSQL), its in any_rights(MYSQL)) {
        for statement in found(&own, &its, MYSQL).iter().flat_map(|difference| &difference.cure) {
            let text = statement.render(MYSQL);
            prop_assert!(text.contains("`app_clone`@`%`") && !text.contains("`app`"), "{}", text);
        }
    }
}

fn collected(rows: &[&str], dialect: Dialect) -> Result<Rights, NotUnderstood> {
    Rights::collect(rows.iter().copied(), &like(), dialect, BTreeSet::new(), BTreeMap::new())
}

/// In the form of MySQL's manual; not run against the real server.
#[test]
fn dynamic_privileges_keep_their_own_grant_option() {
    let rows = [
        "GRANT SELECT ON *.* TO `app`@`%`",
        "GRANT BACKUP_ADMIN,XA_RECOVER_ADMIN ON *.* TO `app`@`%` WITH GRANT OPTION",
        "GRANT ROLE_ADMIN ON *.* TO `app`@`%`",
        "REVOKE SELECT ON `mysql`.* FROM `app`@`%`",
    ];
    let rights = collected(&rows, MYSQL).unwrap();
    let dynamic = [("BACKUP_ADMIN", true), ("ROLE_ADMIN", false), ("XA_RECOVER_ADMIN", true)];
    assert_eq!(rights.dynamic, dynamic.map(|(name, option)| (name.to_owned(), option)).into());
    assert_eq!(
        rights.held[&Scope::Global],
        Held { privileges: [whole("SELECT")].into(), grant_option: false }
    );
    let texts: Vec<_> = found(&Rights::default(), &rights, MYSQL)
        .iter()
        .flat_map(|difference| &difference.cure)
        .map(|statement| statement.render(MYSQL))
        .collect();
    assert_eq!(
        texts,
        [
            "GRANT SELECT ON *.* TO `app_clone`@`%`",
            "GRANT BACKUP_ADMIN ON *.* TO `app_clone`@`%` WITH GRANT OPTION",
            "GRANT ROLE_ADMIN ON *.* TO `app_clone`@`%`",
            "GRANT XA_RECOVER_ADMIN ON *.* TO `app_clone`@`%` WITH GRANT OPTION",
            "REVOKE SELECT ON `mysql`.* FROM `app_clone`@`%`",
        ]
    );
    // MariaDB has a static privilege with that sign in its name.
    let rights = collected(&["GRANT READ_ONLY ADMIN ON *.* TO `app`@`%`"], MARIADB).unwrap();
    assert!(rights.dynamic.is_empty() && rights.held.contains_key(&Scope::Global));
}

#[test]
fn rows_that_are_not_understood_are_told_by_their_number() {
    let rows = ["GRANT SELECT ON *.* TO `app`@`%`", "GRANT SELECT ON `d`.* TO `app`@`%` ON SUNDAYS"];
    assert_eq!(collected(&rows, MARIADB), Err(NotUnderstood(2)));
    // A proxy that the table does not know of.
    let rows = ["GRANT USAGE ON *.* TO `app`@`%`", "GRANT PROXY ON 'a'@'%' TO 'app'@'%'"];
    assert_eq!(collected(&rows, MARIADB), Err(NotUnderstood(2)));
}

#[test]
fn differences_are_told_in_words() {
    let rows = [
        "GRANT `r1` TO `app`@`%` WITH ADMIN OPTION",
        "GRANT USAGE ON *.* TO `app`@`%`",
        "GRANT SELECT, INSERT ON `d`.* TO `app`@`%` WITH GRANT OPTION",
        "SET DEFAULT ROLE `r1` FOR `app`@`%`",
    ];
    let its = collected(&rows, MARIADB).unwrap();
    let words = |own: &Rights| found(own, &its, MARIADB).into_iter().map(|it| it.words).collect::<Vec<_>>();
    assert_eq!(
        words(&Rights::default()),
        [
            "`app_clone`@`%` lacks INSERT, SELECT on `d`.*",
            "`app_clone`@`%` may not pass on what it has on `d`.* (GRANT OPTION)",
            "`app_clone`@`%` lacks the role `r1`",
            "`app_clone`@`%` begins with no role, and `app`@`%` with `r1`",
        ]
    );
    let mut own = its.clone();
    own.held.insert(
        Scope::Database("e".to_owned()),
        Held { privileges: [whole(ALL)].into(), grant_option: false },
    );
    assert_eq!(
        words(&own),
        [
            "`app_clone`@`%` has ALTER ROUTINE, DELETE, DELETE HISTORY, EXECUTE, INSERT, SELECT on `e`.*, which `app`@`%` has not"
        ]
    );
}
