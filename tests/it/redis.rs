//! A rotator over connections that the host makes, against a real Redis: a user's password is rotated, the one before it goes on to
//! work, nothing is forgotten when the server starts again, and no accident locks anybody out.

use std::net::TcpListener;
use std::time::Duration;

use pawl_tests::needles::Needles;
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::redis::{Keeps, Redis};
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(90);
/// `limits::FAILED_LOGINS_MAX`, which a test is about: a change of it is to be noticed.
const REFUSALS_MAX: usize = 4;
const FIRST: &str = "first-password-of-the-canary-0123";
const ROTATOR: &str = "arn:aws:lambda:us-east-1:000000000000:function:pawl-redis-acl-user";

/// What an operator writes for the built-in rotator and a server.
fn manifest(port: u16, more: &str) -> String {
    format!(
        r#"[grants]
secrets = ["redis/master"]

[[grants.tcp]]
targets = ["127.0.0.1:{port}"]
tls = "none"
sensitive = true
accepts = ["+OK\r\n"]
refuses = ["-WRONGPASS"]
{more}"#
    )
}

/// A server, and a host that may rotate its users' passwords.
struct Ground {
    redis: Redis,
    pawl: Pawl,
    /// Kept as long as the host runs.
    _functions: Scratch,
}

impl Ground {
    fn new(keeps: Keeps, more: &str, rights: &str) -> Self {
        let redis = Redis::keeping(keeps);
        let functions = Scratch::new("redis-functions");
        std::fs::write(functions.path().join("pawl-redis-acl-user.toml"), manifest(redis.port(), more))
            .unwrap();
        let pawl = Pawl::start(Options {
            functions: Some(functions.path().to_owned()),
            dev_clock: true,
            trace: true,
            ..Options::default()
        });
        let password = format!(">{FIRST}");
        let mut user = vec!["ACL", "SETUSER", "app", "on", &password, "~*"];
        user.extend(rights.split(' '));
        assert_eq!(redis.admin(&user), "+OK");
        let ground = Self { redis, pawl, _functions: functions };
        ground.create("key", &json!({}));
        ground
    }

    fn create(&self, secret: &str, more: &Value) {
        let mut value = json!({
            "engine": "redis", "host": "127.0.0.1", "port": self.redis.port(), "username": "app", "password": FIRST,
            "note": "kept as it is",
        });
        for (name, field) in more.as_object().unwrap() {
            value[name] = field.clone();
        }
        let _ = self.pawl.create(secret, &value.to_string());
    }

    fn rotated(&self, secret: &str) -> String {
        let token = self.pawl.rotate(secret, ROTATOR);
        self.pawl.await_rotation(secret, &token, SOON);
        self.pawl.password(secret, "AWSCURRENT")
    }

    /// Rotates in vain; gives why.
    fn refused(&self, secret: &str) -> String {
        let _ = self.pawl.rotate(secret, ROTATOR);
        let reason = eventually("a failure that is not tried again", SOON, || {
            let rotation = self.pawl.rotation(secret);
            let ended = rotation["Status"] != "Running";
            rotation["Failure"]["Reason"].as_str().filter(|_| ended).map(str::to_owned)
        });
        assert_eq!(self.pawl.password(secret, "AWSCURRENT"), FIRST);
        reason
    }

    /// No password is in what the host, the rotation and the server have said.
    fn is_silent(&self, passwords: &[String]) {
        let needles = Needles::of(passwords);
        for said in
            [self.pawl.log(), self.pawl.printed(), self.pawl.rotation("key").to_string(), self.redis.log()]
        {
            assert_eq!(needles.first_in(said.as_bytes()), None, "{said}");
        }
    }
}

#[test]
fn a_users_password_is_rotated_and_the_one_before_it_works_until_the_next() {
    for keeps in [Keeps::AclFile, Keeps::Configuration] {
        let mut ground = Ground::new(keeps, "", "+@all");
        let mut passwords = vec![FIRST.to_owned()];
        for round in 1..=3 {
            passwords.push(ground.rotated("key"));
            for (age, password) in passwords.iter().rev().enumerate() {
                assert_eq!(ground.redis.knows("app", password), age < 2, "round {round}, {age} ago");
            }
            assert_eq!(ground.redis.hashes("app").len(), 2);
            let (_, value) = ground.pawl.value("key", "AWSCURRENT").unwrap();
            let value: Value = serde_json::from_str(&value).unwrap();
            assert_eq!(
                (value["password"].as_str().map(str::len), &value["note"]),
                (Some(40), &json!("kept as it is"))
            );
        }
        ground.redis.stop();
        ground.redis.resume();
        let last = passwords.last().unwrap();
        assert!(ground.redis.knows("app", last), "{keeps:?}: what applications read is forgotten");
        ground.is_silent(&passwords);
    }
}

#[test]
fn a_user_without_rights_is_changed_by_its_master_whom_nobody_reads() {
    let ground = Ground::new(Keeps::AclFile, "", "+get +ping");
    let (master, its_password) = Redis::administrator();
    let value = json!({"username": master, "password": its_password}).to_string();
    let _ = ground.pawl.create("redis/master", &value);
    // By itself it may not.
    let reason = ground.refused("key");
    assert!(reason.contains("ACL SETUSER: the user may not do that"), "{reason}");
    assert!(ground.redis.knows("app", FIRST));
    ground.create("mastered", &json!({"masterarn": "redis/master"}));
    let new = ground.rotated("mastered");
    assert!(ground.redis.knows("app", &new) && ground.redis.knows("app", FIRST));
    // A user that is not there is not made.
    ground.create("misspelt", &json!({"masterarn": "redis/master", "username": "ap"}));
    let reason = ground.refused("misspelt");
    assert!(reason.contains("the server has no user `ap`"), "{reason}");
    assert!(ground.redis.hashes("ap").is_empty());
    ground.is_silent(&[new, its_password.to_owned()]);
}

#[test]
fn a_server_that_would_forget_the_new_password_is_refused_unless_the_operator_says_so() {
    let ground = Ground::new(Keeps::Nothing, "", "+@all");
    let reason = ground.refused("key");
    assert!(reason.contains("would forget the new password when it starts again"), "{reason}");
    assert!(ground.redis.knows("app", FIRST), "and applications go on");
    let ground = Ground::new(Keeps::Nothing, "\n[environment]\nREDIS_PERSIST = \"none\"\n", "+@all");
    let new = ground.rotated("key");
    assert!(ground.redis.knows("app", &new));
}

#[test]
fn a_server_that_is_away_is_waited_for() {
    let mut ground = Ground::new(Keeps::AclFile, "", "+@all");
    assert_eq!(ground.redis.admin(&["ACL", "SAVE"]), "+OK");
    ground.redis.stop();
    let token = ground.pawl.rotate("key", ROTATOR);
    eventually("a try in vain", SOON, || {
        ground.pawl.rotation("key")["Failure"]["Reason"]
            .as_str()
            .filter(|why| why.contains("takes no connection"))
            .map(|_| ())
    });
    ground.redis.resume();
    ground.pawl.await_rotation("key", &token, SOON);
    let new = ground.pawl.password("key", "AWSCURRENT");
    assert!(new != FIRST && ground.redis.knows("app", &new));
}

#[test]
fn who_edits_the_secret_does_not_decide_where_its_password_is_sent() {
    let ground = Ground::new(Keeps::AclFile, "", "+@all");
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    own.set_nonblocking(true).unwrap();
    let port = own.local_addr().unwrap().port();
    for (secret, place) in [
        ("port", json!({"port": port})),
        ("name", json!({"host": "localhost"})),
        ("metadata", json!({"host": "169.254.169.254"})),
        ("spelling", json!({"host": "127.1"})),
    ] {
        ground.create(secret, &place);
        let reason = ground.refused(secret);
        assert!(reason.contains("do not cover") || reason.contains("usual form"), "{secret}: {reason}");
    }
    assert_eq!(own.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody was connected");
}

#[test]
fn a_password_that_the_server_does_not_take_is_not_tried_until_the_user_is_locked() {
    let ground = Ground::new(Keeps::AclFile, "", "+@all");
    assert_eq!(
        ground.redis.admin(&["ACL", "SETUSER", "app", "resetpass", ">changed-by-hand-0123456"]),
        "+OK"
    );
    let reason = ground.refused("key");
    assert!(reason.contains("does not know the user and password"), "{reason}");
    assert!(ground.redis.refused_logins() > 0);
    // Nobody has looked: each day's window tries again, until that could lock the user.
    let opened = || ground.pawl.cli(&["events", "--after", "0", "--type", "RotationCircuitOpened"]).ok();
    eventually("a person is told", SOON, || {
        let _ = ground.pawl.cli(&["dev", "clock", "advance", "172800s"]).ok();
        (opened().lines().count() == 1).then_some(())
    });
    let refused = ground.redis.refused_logins();
    assert!((2..=REFUSALS_MAX).contains(&refused), "{refused} refused logins");
    for number in 0..2 {
        let _ = ground.pawl.cli(&["dev", "clock", "advance", "172800s"]).ok();
        // Another secret's whole rotation: whatever the scheduler wants to do for the first it has had time for.
        let user = format!("other{number}");
        assert_eq!(
            ground.redis.admin(&["ACL", "SETUSER", &user, "on", &format!(">{FIRST}"), "~*", "+@all"]),
            "+OK"
        );
        ground.create(&user, &json!({"username": user}));
        let _ = ground.rotated(&user);
    }
    assert_eq!(ground.redis.refused_logins(), refused);
}
