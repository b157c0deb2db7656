//! A private Redis: its own directory, port and users, gone when dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::postgres::{free_port, other_user, unprivileged};
use crate::scratch::Scratch;
use crate::wait::eventually;

const BOOT_LIMIT: Duration = Duration::from_secs(30);
const TALK_LIMIT: Duration = Duration::from_secs(10);
const ADMIN: &str = "pawl_admin";
const ADMIN_PASSWORD: &str = "the-administrators-own-password";

/// How a server keeps its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// In an ACL file.
    AclFile,
    /// In its configuration.
    Configuration,
    /// Not at all.
    Nothing,
}

/// A running (or stopped) server.
#[derive(Debug)]
pub struct Redis {
    scratch: Scratch,
    port: u16,
    keeps: Keeps,
    server: Option<Child>,
}

impl Redis {
    /// Starts one that keeps its users in an ACL file.
    #[must_use]
    pub fn start() -> Self {
        Self::keeping(Keeps::AclFile)
    }

    /// Starts one.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn keeping(keeps: Keeps) -> Self {
        let scratch = Scratch::new("redis");
        let admin = format!("user {ADMIN} on >{ADMIN_PASSWORD} ~* &* +@all\n");
        let (acl, configuration) = (scratch.path().join("users.acl"), scratch.path().join("redis.conf"));
        match keeps {
            Keeps::AclFile => std::fs::write(&acl, admin).unwrap(),
            Keeps::Configuration | Keeps::Nothing => std::fs::write(&configuration, admin).unwrap(),
        }
        if let Some((user, group)) = other_user() {
            chown(scratch.path(), Some(user), Some(group)).unwrap();
            for file in [&acl, &configuration].into_iter().filter(|file| file.exists()) {
                chown(file, Some(user), Some(group)).unwrap();
            }
        }
        let mut redis = Self { scratch, port: free_port(), keeps, server: None };
        redis.resume();
        redis
    }

    /// Starts it again on the same port, with the users that it has kept.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&mut self) {
        let here = self.scratch.path();
        let log = std::fs::File::options().create(true).append(true).open(here.join("log")).unwrap();
        let mut command = unprivileged(&program("redis-server"));
        match self.keeps {
            Keeps::AclFile => command.arg("--aclfile").arg(here.join("users.acl")),
            Keeps::Configuration => command.arg(here.join("redis.conf")),
            Keeps::Nothing => {
                command.args(["--user", ADMIN, "on", &format!(">{ADMIN_PASSWORD}"), "~*", "&*", "+@all"])
            }
        };
        command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(here);
        command.current_dir(here).stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
        let mut server = command.spawn().expect("redis-server can be run");
        eventually("Redis has started", BOOT_LIMIT, || {
            assert!(server.try_wait().unwrap().is_none(), "Redis ended: {}", self.log());
            self.try_say(ADMIN, ADMIN_PASSWORD, &["PING"]).filter(|said| said == "+PONG").map(|_| ())
        });
        self.server = Some(server);
    }

    /// Stops it, as a crash does.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }

    /// Whether it takes this user and password.
    #[must_use]
    pub fn knows(&self, user: &str, password: &str) -> bool {
        self.try_say(user, password, &["PING"]).is_some()
    }

    /// What it answers to a command of the administrator's: all lines of it, as far as they come at once.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn admin(&self, words: &[&str]) -> String {
        self.try_say(ADMIN, ADMIN_PASSWORD, words).expect("Redis answers its administrator")
    }

    /// The administrator's name and password.
    #[must_use]
    pub const fn administrator() -> (&'static str, &'static str) {
        (ADMIN, ADMIN_PASSWORD)
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own client, not a guest's")]
    fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(TALK_LIMIT)).unwrap();
        Some(stream)
    }

    /// The first line of its answer to a command; none when it does not know the user.
    fn try_say(&self, user: &str, password: &str, words: &[&str]) -> Option<String> {
        let mut stream = self.connect()?;
        stream.write_all(command(&["AUTH", user, password]).as_bytes()).ok()?;
        stream.write_all(command(words).as_bytes()).ok()?;
        let mut lines = BufReader::new(stream);
        let login = line(&mut lines)?;
        (login == "+OK").then(|| line(&mut lines))?
    }

    /// A user's passwords, as hashes in the order in which it has taken them.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn hashes(&self, user: &str) -> Vec<String> {
        let said = self.whole(&["ACL", "LIST"]);
        let line = said.lines().find(|line| line.starts_with(&format!("user {user} "))).unwrap_or_default();
        line.split(' ').filter_map(|word| word.strip_prefix('#')).map(str::to_owned).collect()
    }

    /// How many logins it has refused since it was started.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn refused_logins(&self) -> usize {
        let said = self.whole(&["INFO", "commandstats"]);
        let line = said.lines().find(|line| line.starts_with("cmdstat_auth:")).unwrap_or_default();
        let count = line.split(',').find_map(|field| field.strip_prefix("failed_calls="));
        count.and_then(|count| count.parse().ok()).expect("Redis counts logins that fail")
    }

    /// All that it answers its administrator.
    fn whole(&self, words: &[&str]) -> String {
        let mut stream = self.connect().unwrap();
        for words in [&["AUTH", ADMIN, ADMIN_PASSWORD][..], words, &["QUIT"]] {
            stream.write_all(command(words).as_bytes()).unwrap();
        }
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

fn command(words: &[&str]) -> String {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    text
}

fn line(from: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    let read = from.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

/// Redis's program: in the path.
#[expect(clippy::disallowed_methods, reason = "the harness finds its tools as a shell would")]
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not installed: `cargo xtask test` installs it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_users_where_it_was_told_to() {
        for keeps in [Keeps::AclFile, Keeps::Configuration, Keeps::Nothing] {
            let mut redis = Redis::keeping(keeps);
            assert_eq!(redis.admin(&["ACL", "SETUSER", "app", "on", ">one", "+@all"]), "+OK");
            assert!(redis.knows("app", "one") && !redis.knows("app", "two"), "{keeps:?}");
            assert_eq!(redis.hashes("app").len(), 1);
            let saved =
                redis.admin(&["ACL", "SAVE"]) == "+OK" || redis.admin(&["CONFIG", "REWRITE"]) == "+OK";
            assert_eq!(saved, keeps != Keeps::Nothing, "{keeps:?}");
            redis.stop();
            redis.resume();
            assert_eq!(redis.knows("app", "one"), saved, "{keeps:?}");
        }
    }
}
