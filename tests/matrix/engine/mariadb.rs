//! MariaDB, with accounts of `mysql_native_password`.

mod session;

use pawl_tests::mariadb::MariaDb;
use pawl_tests::postgres::Login;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use self::session::{Refusal, Session};
use super::super::wire::{self, Protocol};
use super::{End, Engine, Strategy};

const MASTER: &str = "matrix_master";
const MASTER_PASSWORD: &str = "the-masters-own-password";

/// A server.
pub(crate) struct Server {
    mariadb: MariaDb,
    master: Option<Session>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mariadb = MariaDb::start();
        let _ = mariadb.admin(&format!(
            "CREATE USER {MASTER}@'%' IDENTIFIED BY '{MASTER_PASSWORD}';
             GRANT ALL ON *.* TO {MASTER}@'%' WITH GRANT OPTION; CREATE DATABASE matrix;"
        ));
        Self { mariadb, master: None }
    }

    fn run(&mut self, sql: &str) -> Vec<String> {
        let mut last = String::new();
        // A session that was idle while its server died is found out by using it.
        for _ in 0..2 {
            let session = self.master.take();
            let session =
                session.map_or_else(|| Session::open(self.mariadb.port(), MASTER, MASTER_PASSWORD), Ok);
            match session.and_then(|mut session| session.query(sql).map(|rows| (session, rows))) {
                Ok((session, rows)) => {
                    self.master = Some(session);
                    return rows;
                }
                Err(Refusal::Code(code, text)) => panic!("{sql}: {code} {text}"),
                Err(Refusal::Lost(why)) => last = why,
            }
        }
        panic!("{sql}: {last}")
    }
}

/// What MariaDB keeps of a password for `mysql_native_password`.
fn native_hash(password: &str) -> String {
    format!("*{}", hex::encode_upper(Sha1::digest(Sha1::digest(password))))
}

impl Engine for Server {
    fn port(&self) -> u16 {
        self.mariadb.port()
    }

    fn protocol(&self) -> Protocol {
        wire::mysql::PROTOCOL
    }

    fn version(&mut self) -> String {
        let full = self.run("SELECT VERSION()").concat();
        format!("MariaDB {}", full.split('-').next().unwrap_or_default())
    }

    fn stop(&mut self, _how: End) {
        self.master = None;
        self.mariadb.stop();
    }

    fn resume(&mut self) {
        self.mariadb.resume();
    }

    fn furnish(&mut self, account: &str, password: &str) {
        for sql in [
            format!("CREATE USER '{account}'@'%' WITH MAX_USER_CONNECTIONS 20"),
            format!("CREATE TABLE matrix.`own {account}` (n integer)"),
            format!("CREATE TABLE matrix.`read {account}` (n integer)"),
            format!("CREATE TABLE matrix.`no {account}` (n integer)"),
            format!("GRANT ALL ON matrix.`own {account}` TO '{account}'@'%'"),
            format!("GRANT SELECT ON matrix.`read {account}` TO '{account}'@'%'"),
        ] {
            let _ = self.run(&sql);
        }
        self.change(account, password);
    }

    fn login(&mut self, user: &str, password: &str) -> Login {
        match Session::open(self.mariadb.port(), user, password) {
            Ok(_) => Login::Accepted,
            Err(Refusal::Code(1045, _)) => Login::Refused,
            Err(why) => Login::Failed(format!("{why:?}")),
        }
    }

    fn abilities(&mut self, user: &str, password: &str, account: &str) -> String {
        let mut session = match Session::open(self.mariadb.port(), user, password) {
            Ok(session) => session,
            Err(why) => return format!("no login: {why:?}"),
        };
        let attempts = [
            format!("INSERT INTO matrix.`own {account}` VALUES (1)"),
            format!("ALTER TABLE matrix.`own {account}` ADD COLUMN more integer"),
            format!("ALTER TABLE matrix.`own {account}` DROP COLUMN more"),
            format!("SELECT * FROM matrix.`read {account}`"),
            format!("INSERT INTO matrix.`read {account}` VALUES (1)"),
            format!("SELECT * FROM matrix.`no {account}`"),
        ];
        let mut outcome = |sql: &String| match session.query(sql) {
            Ok(_) => "yes".to_owned(),
            Err(Refusal::Code(code, _)) => code.to_string(),
            Err(Refusal::Lost(why)) => why,
        };
        let mut told: Vec<String> = attempts.iter().map(&mut outcome).collect();
        let sql = format!("SELECT max_user_connections FROM mysql.user WHERE User = '{user}'");
        told.push(self.run(&sql).concat());
        let grants = self.run(&format!("SHOW GRANTS FOR '{user}'@'%'"));
        // Without the account's own line, which holds its name and its hash.
        let mut grants: Vec<&str> =
            grants.iter().filter_map(|line| Some(line.split_once(" TO ")?.0)).collect();
        grants.sort_unstable();
        format!("{}; {}", told.join(" "), grants.join(", "))
    }

    fn kept(&mut self, user: &str) -> Option<String> {
        self.run(&format!("SELECT authentication_string FROM mysql.user WHERE User = '{user}'")).pop()
    }

    fn change(&mut self, user: &str, password: &str) {
        let _ = self.run(&format!("ALTER USER '{user}'@'%' IDENTIFIED BY '{password}'"));
    }

    fn in_statement(&self, sql: &str) -> Option<String> {
        let starts = sql.match_indices("'*").map(|(at, _)| at + 1);
        let hashes = starts.filter_map(|at| sql.get(at..at + 41));
        hashes.filter(|hash| hash.chars().skip(1).all(|c| c.is_ascii_hexdigit())).last().map(str::to_owned)
    }

    fn is_of(&self, kept: &str, password: &str) -> bool {
        kept.eq_ignore_ascii_case(&native_hash(password))
    }

    fn secret(&self, port: u16, user: &str, password: &str) -> Value {
        json!({"engine": "mariadb", "host": "127.0.0.1", "port": port, "username": user, "password": password,
               "ssl": false})
    }

    fn master(&self, port: u16) -> Value {
        self.secret(port, MASTER, MASTER_PASSWORD)
    }

    fn function(&self, strategy: Strategy) -> &'static str {
        match strategy {
            Strategy::Single => "pawl-mariadb-single-user",
            Strategy::Alternating => "pawl-mariadb-alternating-users",
        }
    }
}
