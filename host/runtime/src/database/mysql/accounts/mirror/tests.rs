//! The whole of it against what MySQL 8's manual says that a server answers; not run against the real server. MariaDB, which is
//! real, is in `tests/mariadb_accounts.rs`.

use std::sync::Mutex;

use super::super::Fields;
use super::*;
use crate::database::Work;

/// A server with the user `app`, and `app_clone` as the statements have made it: GRANT and REVOKE are what SHOW GRANTS shows.
#[derive(Default)]
struct StandIn {
    version: &'static str,
    said: Mutex<Vec<String>>,
    /// Refuses the statement that begins so.
    refuses: Option<(&'static str, u16)>,
    /// A row of SHOW GRANTS for `app` more.
    strange: Option<&'static str>,
}

const ATTRIBUTES: &str = r#"{"Password_locking": {"failed_login_attempts": 3, "password_lock_time_days": 2}, "additional_password": "$A"}"#;
const GRANTS: [&str; 5] = [
    "GRANT SELECT, CREATE ROLE ON *.* TO `app`@`%`",
    "GRANT BACKUP_ADMIN,XA_RECOVER_ADMIN ON *.* TO `app`@`%` WITH GRANT OPTION",
    "REVOKE SELECT ON `mysql`.* FROM `app`@`%`",
    "GRANT INSERT ON `shop`.* TO `app`@`%` WITH GRANT OPTION",
    "GRANT `r1`@`%`,`r2`@`%` TO `app`@`%` WITH ADMIN OPTION",
];

fn row(fields: &[Option<&str>]) -> Fields {
    fields.iter().map(|field| field.map(|text| text.to_owned().into())).collect()
}

fn texts(fields: &[&str]) -> Fields {
    row(&fields.iter().copied().map(Some).collect::<Vec<_>>())
}

impl StandIn {
    fn has_said(&self, text: &str) -> bool {
        self.said.lock().unwrap().iter().any(|said| said.contains(text))
    }

    fn account(&self, user: &str) -> Vec<Fields> {
        let clone = user == "app_clone";
        if clone && !self.has_said("CREATE USER `app_clone`") {
            return Vec::new();
        }
        let like = !clone || self.has_said("REQUIRE SSL");
        let locked = clone && !self.has_said("ACCOUNT UNLOCK");
        let attributes = if like { ATTRIBUTES } else { r#"{"additional_password": "$A"}"# };
        let attributes = if self.has_said("DISCARD") && clone {
            attributes.replace(r#""additional_password": "$A""#, r#""metadata": {}"#)
        } else {
            attributes.to_owned()
        };
        let tls = if like { "ANY" } else { "" };
        let (queries, history) = if like { ("5", Some("4")) } else { ("0", None) };
        vec![row(&[
            Some(user),
            Some("%"),
            Some("caching_sha2_password"),
            Some(tls),
            Some(""),
            Some(""),
            Some(""),
            Some(queries),
            Some("0"),
            Some("0"),
            Some("0"),
            None,
            Some(if locked { "Y" } else { "N" }),
            history,
            None,
            None,
            Some(&attributes),
        ])]
    }

    fn grants(&self, user: &str) -> Vec<Fields> {
        if user == "app" {
            return GRANTS.into_iter().chain(self.strange).map(|grant| texts(&[grant])).collect();
        }
        let said = self.said.lock().unwrap();
        let rights = said.iter().filter(|said| said.starts_with("GRANT ") || said.starts_with("REVOKE "));
        std::iter::once("GRANT USAGE ON *.* TO `app_clone`@`%`")
            .chain(rights.map(String::as_str))
            .map(|text| texts(&[text]))
            .collect()
    }

    fn answer(&self, statement: &str) -> Vec<Fields> {
        let user = if statement.contains(&hex::encode("app_clone")) || statement.contains("`app_clone`") {
            "app_clone"
        } else {
            "app"
        };
        if statement == "SELECT VERSION()" {
            vec![texts(&[self.version])]
        } else if statement == "SHOW PRIVILEGES" {
            ["Select", "Insert", "Create role", "BACKUP_ADMIN"]
                .iter()
                .map(|name| texts(&[name, "", ""]))
                .collect()
        } else if statement.contains("mysql.default_roles") {
            let has = user == "app" || self.has_said("DEFAULT ROLE");
            if has { vec![texts(&["%", "r1", "%"])] } else { Vec::new() }
        } else if statement.contains("mysql.user") {
            self.account(user)
        } else if statement.starts_with("SHOW GRANTS FOR") {
            self.grants(user)
        } else {
            assert!(statement.contains("mysql.proxies_priv"), "{statement}");
            Vec::new()
        }
    }
}

impl Talk for StandIn {
    fn execute<'a>(&'a self, statement: &'a str) -> Work<'a, (), Refusal> {
        let refused = self.refuses.filter(|(begin, _)| statement.starts_with(begin));
        Box::pin(async move {
            if let Some((_, code)) = refused {
                return Err(Refusal::Code(code));
            }
            self.said.lock().unwrap().push(statement.to_owned());
            Ok(())
        })
    }

    fn rows<'a>(&'a self, statement: &'a str) -> Work<'a, Vec<Fields>, Refusal> {
        Box::pin(async move { Ok(self.answer(statement)) })
    }

    fn finally<'a>(&'a self, statement: &'a str, last_word: LastWord<'a>) -> Work<'a, (), StatementFailure> {
        Box::pin(async move {
            if !last_word.await {
                return Err(StatementFailure::TakenBack);
            }
            self.said.lock().unwrap().push(statement.to_owned());
            Ok(())
        })
    }
}

async fn mirrored(server: &StandIn, word: bool) -> Result<(), StatementFailure> {
    let password = SecretBytes::from("canary".to_owned());
    mirror(server, "app", "app_clone", &password, Box::pin(async move { word })).await
}

#[tokio::test]
async fn a_user_of_mysql_is_made_locked_then_given_its_rights_and_its_password_last() {
    let server = StandIn { version: "8.0.36", ..StandIn::default() };
    mirrored(&server, true).await.unwrap();
    let said = server.said.lock().unwrap().clone();
    assert!(!said.concat().contains("canary"));
    let hidden = |text: &str| match text.split_once(" AS '$A$005$") {
        Some((before, after)) => {
            assert_eq!(after.find('\''), Some(63), "{after}");
            format!("{before} AS HASH{}", after.get(64..).unwrap())
        }
        None => text.to_owned(),
    };
    assert_eq!(
        said.iter().map(|text| hidden(text)).collect::<Vec<_>>(),
        [
            "SET SESSION sql_mode = ''",
            "SET SESSION sql_quote_show_create = 1",
            "CREATE USER `app_clone`@`%` IDENTIFIED WITH caching_sha2_password AS HASH ACCOUNT LOCK",
            "GRANT CREATE ROLE, SELECT ON *.* TO `app_clone`@`%`",
            "GRANT INSERT ON `shop`.* TO `app_clone`@`%`",
            "GRANT USAGE ON `shop`.* TO `app_clone`@`%` WITH GRANT OPTION",
            "GRANT BACKUP_ADMIN ON *.* TO `app_clone`@`%` WITH GRANT OPTION",
            "GRANT XA_RECOVER_ADMIN ON *.* TO `app_clone`@`%` WITH GRANT OPTION",
            "REVOKE SELECT ON `mysql`.* FROM `app_clone`@`%`",
            "GRANT `r1`@`%` TO `app_clone`@`%` WITH ADMIN OPTION",
            "GRANT `r2`@`%` TO `app_clone`@`%` WITH ADMIN OPTION",
            "ALTER USER `app_clone`@`%` DEFAULT ROLE `r1`@`%`",
            "ALTER USER `app_clone`@`%` REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 5 PASSWORD HISTORY 4 \
             FAILED_LOGIN_ATTEMPTS 3 PASSWORD_LOCK_TIME 2",
            "ALTER USER `app_clone`@`%` DISCARD OLD PASSWORD",
            "ALTER USER `app_clone`@`%` IDENTIFIED WITH caching_sha2_password AS HASH ACCOUNT UNLOCK",
        ]
    );
}

#[tokio::test]
async fn without_the_last_word_a_user_stays_locked_and_the_differences_say_so() {
    let server = StandIn { version: "8.4.3", ..StandIn::default() };
    assert_eq!(differences(&server, "app", "app_clone").await.unwrap(), ["there is no `app_clone`@`%`"]);
    assert_eq!(mirrored(&server, false).await, Err(StatementFailure::TakenBack));
    assert_eq!(
        differences(&server, "app", "app_clone").await.unwrap(),
        ["`app_clone`@`%` is locked, and `app`@`%` is not"]
    );
    mirrored(&server, true).await.unwrap();
    assert!(differences(&server, "app", "app_clone").await.unwrap().is_empty());
    let created = |text: &String| text.starts_with("CREATE USER");
    assert_eq!(server.said.lock().unwrap().iter().filter(|text| created(text)).count(), 1);
}

#[tokio::test]
async fn what_is_not_understood_or_not_allowed_stops_it_before_the_password() {
    let changes = |server: &StandIn| {
        server
            .said
            .lock()
            .unwrap()
            .iter()
            .filter(|text| !text.starts_with("SET "))
            .cloned()
            .collect::<Vec<_>>()
    };
    let strange = Some("GRANT SELECT ON `shop`.* TO `app`@`%` ON SUNDAYS");
    let server = StandIn { version: "8.0.36", strange, ..StandIn::default() };
    let unfit = mirrored(&server, true).await.unwrap_err();
    assert!(
        matches!(&unfit, StatementFailure::Unfit(text) if text.contains("row 6 of SHOW GRANTS")),
        "{unfit}"
    );
    assert!(changes(&server).is_empty());

    let server = StandIn { version: "5.6.51", ..StandIn::default() };
    assert!(matches!(mirrored(&server, true).await.unwrap_err(), StatementFailure::Unfit(_)));

    let refuses = Some(("GRANT BACKUP_ADMIN", 1227));
    let server = StandIn { version: "8.0.36", refuses, ..StandIn::default() };
    let rejected = mirrored(&server, true).await.unwrap_err();
    assert!(rejected.to_string().contains("needs BACKUP_ADMIN ON *.* WITH GRANT OPTION"), "{rejected}");
    assert!(!server.has_said("UNLOCK"));
}
