use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};

use super::super::dialect::Family;
use super::super::statement::{Change, Statement};
use super::*;

const MARIADB: Dialect = Dialect { family: Family::Mariadb, version: (10, 11, 14) };
const MYSQL: Dialect = Dialect { family: Family::Mysql, version: (8, 0, 36) };

fn app() -> Identity {
    Identity::new("app", "%")
}

fn read(row: &str, dialect: Dialect) -> Option<Row> {
    Row::parse(row, &app(), dialect)
}

fn names(names: &[&str]) -> BTreeSet<Privilege> {
    names.iter().map(|&name| Privilege { name: name.to_owned(), column: None }).collect()
}

fn held(scope: Scope, privileges: &[&str], grant_option: bool) -> Option<Row> {
    Some(Row::Held(scope, Held { privileges: names(privileges), grant_option }))
}

fn database(name: &str) -> Scope {
    Scope::Database(name.to_owned())
}

fn table(database: &str, name: &str) -> Scope {
    Scope::Table(database.to_owned(), name.to_owned())
}

fn routine(routine: Routine, name: &str) -> Scope {
    Scope::Routine(routine, "app_db".to_owned(), name.to_owned())
}

fn role(name: &str) -> Identity {
    Identity::new(name, "")
}

/// Rows as MariaDB 10.11.14 has shown them.
#[test]
fn rows_of_mariadb_are_read() {
    let read = |row| read(row, MARIADB);
    assert_eq!(
        read(
            "GRANT RELOAD, PROCESS, FILE, SUPER ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD \
             '*2B602296A79E0A8784ACC5C88D92E46588CCA3C3' REQUIRE SSL WITH GRANT OPTION MAX_QUERIES_PER_HOUR 5 \
             MAX_UPDATES_PER_HOUR 6 MAX_CONNECTIONS_PER_HOUR 7 MAX_USER_CONNECTIONS 8 MAX_STATEMENT_TIME 1.500000"
        ),
        held(Scope::Global, &["RELOAD", "PROCESS", "FILE", "SUPER"], true)
    );
    // Nothing is escaped in these texts: the first apostrophe in the issuer is a part of it.
    assert_eq!(
        read(
            "GRANT SELECT ON *.* TO `app`@`%` IDENTIFIED VIA mysql_native_password USING '*6BB4' OR ed25519 USING 'ZIgU' \
             OR unix_socket REQUIRE ISSUER 'a'b\\c' SUBJECT '/CN=' WITH GRANT OPTION' CIPHER 'y'"
        ),
        held(Scope::Global, &["SELECT"], false)
    );
    assert_eq!(
        read(
            "GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED VIA unix_socket OR pam REQUIRE X509 WITH GRANT OPTION"
        ),
        held(Scope::Global, &[], true)
    );
    assert_eq!(
        read("GRANT ALL PRIVILEGES ON `x TO y`.* TO `app`@`%` WITH GRANT OPTION"),
        held(database("x TO y"), &[ALL], true)
    );
    assert_eq!(
        read("GRANT ALL PRIVILEGES ON `app\\_%`.* TO `app`@`%`"),
        held(database("app\\_%"), &[ALL], false)
    );
    assert_eq!(
        read("GRANT ALL PRIVILEGES ON `x TO y`.`t TO u` TO `app`@`%`"),
        held(table("x TO y", "t TO u"), &[ALL], false)
    );
    assert_eq!(
        read("GRANT READ_ONLY ADMIN, BINLOG ADMIN ON *.* TO `app`@`%`"),
        held(Scope::Global, &["READ_ONLY ADMIN", "BINLOG ADMIN"], false)
    );
    let columns = ["x,y", "a", "q)(", "b c", "d`e"];
    let mut expected = names(&["REFERENCES"]);
    expected.extend(columns.map(|it| Privilege { name: "SELECT".to_owned(), column: Some(it.to_owned()) }));
    expected.insert(Privilege { name: "INSERT".to_owned(), column: Some("a".to_owned()) });
    assert_eq!(
        read(
            "GRANT SELECT (`x,y`, `a`, `q)(`, `b c`, `d``e`), INSERT (`a`), REFERENCES ON `app_db`.`t` TO `app`@`%`"
        ),
        Some(Row::Held(table("app_db", "t"), Held { privileges: expected, grant_option: false }))
    );
    for (row, kind, name) in [
        ("GRANT EXECUTE ON PROCEDURE `app_db`.`p` TO `app`@`%`", Routine::Procedure, "p"),
        ("GRANT EXECUTE ON FUNCTION `app_db`.`f ON g` TO `app`@`%`", Routine::Function, "f ON g"),
        ("GRANT EXECUTE ON PACKAGE `app_db`.`pp` TO `app`@`%`", Routine::Package, "pp"),
        ("GRANT EXECUTE ON PACKAGE BODY `app_db`.`pp` TO `app`@`%`", Routine::PackageBody, "pp"),
    ] {
        assert_eq!(read(row), held(routine(kind, name), &["EXECUTE"], false), "{row}");
    }
    assert_eq!(read("GRANT SELECT ON `app_db`.* TO PUBLIC"), Some(Row::Public));
    let roles = |roles: &[&str], admin| Some(Row::Roles(roles.iter().map(|it| role(it)).collect(), admin));
    assert_eq!(read("GRANT `r1` TO `app`@`%` WITH ADMIN OPTION"), roles(&["r1"], true));
    assert_eq!(read("GRANT `r o``le` TO `app`@`%`"), roles(&["r o`le"], false));
    assert_eq!(read("SET DEFAULT ROLE `r1` FOR `app`@`%`"), Some(Row::DefaultRole(role("r1"))));
    assert_eq!(read("GRANT PROXY ON 'we`i'r\"d\\'@'%' TO 'app'@'%' WITH GRANT OPTION"), Some(Row::Proxy));
}

/// Rows in the forms of MySQL's manual ("SHOW GRANTS Statement", "Privilege Restriction Using Partial Revokes", "Using Roles").
/// Not run against the real server.
#[test]
fn rows_of_mysql_are_read() {
    let read = |row| read(row, MYSQL);
    assert_eq!(
        read("GRANT SELECT, INSERT, CREATE ROLE, DROP ROLE ON *.* TO `app`@`%` WITH GRANT OPTION"),
        held(Scope::Global, &["SELECT", "INSERT", "CREATE ROLE", "DROP ROLE"], true)
    );
    assert_eq!(
        read(
            "GRANT APPLICATION_PASSWORD_ADMIN,BACKUP_ADMIN,XA_RECOVER_ADMIN ON *.* TO `app`@`%` WITH GRANT OPTION"
        ),
        held(Scope::Global, &["APPLICATION_PASSWORD_ADMIN", "BACKUP_ADMIN", "XA_RECOVER_ADMIN"], true)
    );
    assert_eq!(read("GRANT USAGE ON *.* TO `app`@`%`"), held(Scope::Global, &[], false));
    let both = BTreeSet::from(["INSERT".to_owned(), "UPDATE".to_owned()]);
    assert_eq!(
        read("REVOKE INSERT, UPDATE ON `world`.* FROM `app`@`%`"),
        Some(Row::Restricted("world".to_owned(), both))
    );
    let roles = vec![Identity::new("r1", "%"), Identity::new("r2", "localhost")];
    assert_eq!(read("GRANT `r1`@`%`,`r2`@`localhost` TO `app`@`%`"), Some(Row::Roles(roles.clone(), false)));
    assert_eq!(
        read("GRANT `r1`@`%`,`r2`@`localhost` TO `app`@`%` WITH ADMIN OPTION"),
        Some(Row::Roles(roles, true))
    );
    assert_eq!(read("GRANT PROXY ON ``@`` TO `app`@`%` WITH GRANT OPTION"), Some(Row::Proxy));
    assert_eq!(read("GRANT PROXY ON ''@'' TO 'app'@'%' WITH GRANT OPTION"), Some(Row::Proxy));
    assert_eq!(
        read("GRANT EXECUTE, ALTER ROUTINE ON PROCEDURE `app_db`.`p` TO `app`@`%`"),
        held(routine(Routine::Procedure, "p"), &["EXECUTE", "ALTER ROUTINE"], false)
    );
    // MySQL 5.7: apostrophes, in which nothing is escaped, and columns without quotes.
    assert_eq!(
        read("GRANT ALL PRIVILEGES ON *.* TO 'app'@'%' WITH GRANT OPTION"),
        held(Scope::Global, &[ALL], true)
    );
    let columns = ["a", "b_1"].map(|it| Privilege { name: "SELECT".to_owned(), column: Some(it.to_owned()) });
    assert_eq!(
        read("GRANT SELECT (a, b_1) ON `d`.`t` TO 'app'@'%'"),
        Some(Row::Held(table("d", "t"), Held { privileges: columns.into(), grant_option: false }))
    );
    let hostile = Identity::new("a'b` TO c", "%");
    assert!(Row::parse("GRANT USAGE ON *.* TO 'a'b` TO c'@'%'", &hostile, MYSQL).is_some());
}

#[test]
fn a_row_that_is_not_understood_to_its_end_is_not_read_at_all() {
    for row in [
        "",
        "GRANT",
        "GRANT SELECT ON `d`.* TO `other`@`%`",
        "GRANT SELECT ON `d`.* TO `app`@`10.%`",
        "GRANT SELECT ON `d`.* TO `app`@`%` WITH SOMETHING",
        "GRANT SELECT ON `d`.* TO `app`@`%` MAX_QUERIES_PER_HOUR 5",
        "GRANT SELECT ON `d`.* TO `app`@`%` IDENTIFIED BY PASSWORD '*2B'",
        "GRANT SELECT ON *.* TO `app`@`%` UNLESS 'x'",
        "GRANT SELECT ON *.* TO `app`@`%` REQUIRE SUBJECT 'x' EXCEPT ON MONDAYS",
        "GRANT SELECT ON *.* TO `app`@`%` MAX_QUERIES_PER_HOUR many",
        "GRANT select ON `d`.* TO `app`@`%`",
        "GRANT SELECT ON d.* TO `app`@`%`",
        "GRANT SELECT ON `d`.`t TO `app`@`%`",
        "GRANT SELECT (`a` ON `d`.`t` TO `app`@`%`",
        "GRANT `r1` TO `app`@`%` WITH ADMIN OPTION AND MORE",
        "DENY SELECT ON `d`.* TO `app`@`%`",
        "SET DEFAULT ROLE `r1` FOR `other`@`%`",
        "REVOKE SELECT ON `d`.`t` FROM `app`@`%`",
        "REVOKE SELECT ON `d`.* FROM `app`@`%` UNTIL TOMORROW",
    ] {
        assert_eq!(read(row, MARIADB), None, "{row}");
        assert_eq!(read(row, MYSQL), None, "{row}");
    }
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just("x TO y".to_owned()),
        Just("` TO `app`@`%` WITH GRANT OPTION".to_owned()),
        Just("a'b\"c\\".to_owned()),
        Just("d ON e".to_owned()),
    ]
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let kind = prop_oneof![
        Just(Routine::Procedure),
        Just(Routine::Function),
        Just(Routine::Package),
        Just(Routine::PackageBody),
        Just(Routine::Library)
    ];
    prop_oneof![
        Just(Scope::Global),
        any_name().prop_map(Scope::Database),
        // A table called `*` would be written the same as all of them without its quotes.
        (any_name(), prop_oneof![any_name(), Just("*".to_owned())]).prop_map(|(d, t)| Scope::Table(d, t)),
        (kind, any_name(), any_name()).prop_map(|(kind, d, r)| Scope::Routine(kind, d, r)),
    ]
}

fn any_privilege() -> impl Strategy<Value = Privilege> {
    let word = prop_oneof![
        Just("SELECT"),
        Just("INSERT"),
        Just("ALL PRIVILEGES"),
        Just("CREATE TEMPORARY TABLES"),
        Just("READ_ONLY ADMIN")
    ];
    let column = proptest::option::of(any_name());
    (word, column).prop_map(|(name, column)| Privilege { name: name.to_owned(), column })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        user in any_name(),
        host in any_name(),
        scope in any_scope(),
        privileges in proptest::collection::btree_set(any_privilege(), 0..5),
        option in any::<bool>(),
    ) {
        let of = Identity::new(user, host);
        let statement = Statement { of: of.clone(), change: Change::Grant(scope.clone(), privileges.clone(), option) };
        for dialect in [MARIADB, MYSQL] {
            let held = Held { privileges: privileges.clone(), grant_option: option };
            let read = Row::parse(&statement.render(dialect), &of, dialect);
            prop_assert_eq!(read, Some(Row::Held(scope.clone(), held)));
        }
    }

    #[test]
    fn written_roles_are_read_again(user in any_name(), name in any_name(), host in any_name(), admin in any::<bool>()) {
        let of = Identity::new(user, "%");
        for dialect in [MARIADB, MYSQL] {
            let role = Identity::new(name.clone(), if dialect.is_mariadb() { "" } else { &host });
            let grant = Statement { of: of.clone(), change: Change::GrantRole(role.clone(), admin) };
            let read = Row::parse(&grant.render(dialect), &of, dialect);
            prop_assert_eq!(read, Some(Row::Roles(vec![role.clone()], admin)));
        }
        let default = Statement { of: of.clone(), change: Change::DefaultRoles([role(&name)].into()) };
        let read = Row::parse(&default.render(MARIADB), &of, MARIADB);
        prop_assert_eq!(read, Some(Row::DefaultRole(role(&name))));
    }

    #[test]
    fn no_row_panics(row in "(GRANT|REVOKE|SET DEFAULT ROLE) [ `'@.*,()A-Z]*|.*") {
        let _ = read(&row, MARIADB);
        let _ = read(&row, MYSQL);
    }
}
