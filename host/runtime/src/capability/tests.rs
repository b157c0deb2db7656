//! Every rule of the capabilities, with a store in memory and a database that does as it is told.

mod http;
mod reveal;
mod settle;
mod statements;
mod tcp;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pawl_core::function::{Engine, SecretPattern, Target};
use pawl_core::names::VersionId;
use pawl_core::value::{SecretBytes, SecretValue};

use super::*;
use crate::database::{Driver, LastWord, Login, LoginFailure, Session, StatementFailure, Work};
use crate::dial::Destination;
use crate::port::{Answer, Standing};
use crate::wire::{Change, DatabaseError, LogLevel, LoginError, NewValue, PasswordRules};

const CURRENT: &str =
    r#"{"engine":"postgres","host":"db","port":5432,"username":"app","password":"old-canary","x":"other"}"#;
const PREVIOUS: &str = r#"{"engine":"postgres","host":"db","username":"app","password":"older-canary"}"#;

#[derive(Default)]
struct Memory {
    current: Option<String>,
    pending: Option<String>,
    previous: Option<String>,
    promoted: bool,
    /// Whether the rotation has lost the secret.
    lost: bool,
    /// After so many fences it has lost the secret.
    lost_after: Option<u32>,
    /// Whether it loses it at the next fence, after all that is read before.
    lost_at_fence: bool,
    /// Whether the store is away.
    away: bool,
    fences: u32,
    others: Vec<String>,
    /// Another secret, of this id.
    master: Option<(String, String)>,
    standing: Standing,
    refusals: BTreeMap<Account, u32>,
    notices: Vec<String>,
    /// Whether a pending value was put that is not stored.
    unsettled: bool,
}

#[derive(Default)]
struct MemoryPort(Mutex<Memory>);

impl MemoryPort {
    fn with<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }

    fn checked(&self) -> Result<(), PortError> {
        self.with(|memory| match (memory.lost, memory.away) {
            (true, _) => Err(PortError::Superseded),
            (_, true) => Err(PortError::Unavailable("the store is away".to_owned())),
            _ => Ok(()),
        })
    }
}

fn stored(name: &str, json: &str) -> StoredVersion {
    let id: VersionId = format!("{name:-<32}").parse().unwrap();
    StoredVersion { id, value: SecretValue::text(json.to_owned()).unwrap() }
}

impl SecretsPort for MemoryPort {
    fn token(&self) -> &str {
        "the-token-of-the-rotation"
    }

    fn read(&self, which: Which) -> Answer<'_, Option<StoredVersion>> {
        Box::pin(async move {
            self.checked()?;
            Ok(self.with(|memory| match which {
                Which::Current => memory.current.as_deref().map(|json| stored("current", json)),
                Which::Pending => memory.pending.as_deref().map(|json| stored("pending", json)),
                Which::Previous => memory.previous.as_deref().map(|json| stored("previous", json)),
            }))
        })
    }

    fn put_pending(&self, value: SecretValue) -> Answer<'_, StoredVersion> {
        Box::pin(async move {
            self.checked()?;
            let json = String::from_utf8(value.bytes().expose().to_vec()).unwrap();
            Ok(self.with(|memory| {
                memory.unsettled |= memory.pending.is_none();
                stored("pending", memory.pending.get_or_insert(json))
            }))
        })
    }

    fn settle(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.checked()?;
            self.with(|memory| memory.unsettled = false);
            Ok(())
        })
    }

    fn promote(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.checked()?;
            self.with(|memory| memory.promoted = true);
            Ok(())
        })
    }

    fn others(&self) -> Answer<'_, Vec<StoredVersion>> {
        Box::pin(async move {
            self.checked()?;
            Ok(self.with(|memory| memory.others.iter().map(|json| stored("other", json)).collect()))
        })
    }

    fn open<'a>(
        &'a self,
        secret_id: &'a str,
        granted: &'a BTreeSet<SecretPattern>,
    ) -> Answer<'a, StoredVersion> {
        Box::pin(async move {
            self.checked()?;
            let found = self.with(|memory| memory.master.clone()).filter(|(id, _)| {
                id == secret_id && granted.iter().any(|pattern| pattern.covers(secret_id, ""))
            });
            found.map(|(_, json)| stored("master", &json)).ok_or_else(|| PortError::Refused("no".to_owned()))
        })
    }

    fn standing(&self) -> Answer<'_, Standing> {
        Box::pin(async move {
            self.checked()?;
            Ok(self.with(|memory| memory.standing))
        })
    }

    fn expose(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.with(|memory| memory.lost |= memory.lost_at_fence);
            self.checked()?;
            // What is noted is stored with all that came before it.
            self.with(|memory| (memory.standing.exposed, memory.unsettled) = (true, false));
            Ok(())
        })
    }

    fn refusals<'a>(&'a self, account: &'a Account) -> Answer<'a, u32> {
        Box::pin(async move {
            self.checked()?;
            Ok(self.with(|memory| memory.refusals.get(account).copied().unwrap_or(0)))
        })
    }

    fn note_login<'a>(&'a self, account: &'a Account, refused: bool) -> Answer<'a, ()> {
        Box::pin(async move {
            self.with(|memory| {
                let count = memory.refusals.entry(account.clone()).or_default();
                *count = if refused { *count + 1 } else { 0 };
            });
            self.checked()
        })
    }

    fn notice<'a>(&'a self, text: &'a str) -> Answer<'a, bool> {
        Box::pin(async move {
            self.checked()?;
            Ok(self.with(|memory| {
                let was_there = memory.notices.iter().any(|line| line == text);
                memory.notices.push(text.to_owned());
                was_there
            }))
        })
    }

    fn fence(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.with(|memory| {
                memory.fences += 1;
                memory.lost |=
                    memory.lost_at_fence || memory.lost_after.is_some_and(|fences| memory.fences > fences);
            });
            self.checked()
        })
    }
}

/// A database with one account, whose password it holds.
#[derive(Default)]
struct Scripted {
    password: Mutex<String>,
    /// Other accounts, with their passwords.
    accounts: Mutex<BTreeMap<String, String>>,
    differences: Mutex<Vec<String>>,
    failure: Mutex<Option<LoginFailure>>,
    logins: Mutex<Vec<(String, String)>>,
    /// What is answered to statements, and what was run.
    rows: Mutex<Vec<Vec<Option<String>>>>,
    ran: Mutex<Vec<String>>,
    /// Whether the pending value is stored, as a server might ask when it is spoken to; and what came when it was not.
    store: Mutex<Option<Arc<MemoryPort>>>,
    early: Mutex<Vec<&'static str>>,
}

impl Scripted {
    fn hears(&self, what: &'static str) {
        let store = self.store.lock().unwrap();
        if store.as_ref().is_some_and(|store| store.with(|memory| memory.unsettled)) {
            self.early.lock().unwrap().push(what);
        }
    }
}

struct Connected(Arc<Scripted>);

impl Driver for Connected {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn login<'a>(
        &'a self,
        to: &'a Destination,
        login: &'a Login,
    ) -> Work<'a, Box<dyn Session>, LoginFailure> {
        Box::pin(async move {
            self.0.hears("a login");
            self.0.logins.lock().unwrap().push((to.to_string(), login.username.clone()));
            if let Some(failure) = self.0.failure.lock().unwrap().clone() {
                return Err(failure);
            }
            let own = self.0.password.lock().unwrap().clone();
            let password = self.0.accounts.lock().unwrap().get(&login.username).cloned().unwrap_or(own);
            if password.as_bytes() != login.password.expose() {
                return Err(LoginFailure::Refused(format!("{to} refused `{}`", login.username)));
            }
            Ok(Box::new(Connected(Arc::clone(&self.0))) as Box<dyn Session>)
        })
    }
}

impl Session for Connected {
    fn ping(&self) -> Work<'_, (), StatementFailure> {
        Box::pin(async { Ok(()) })
    }

    fn set_password<'a>(
        &'a self,
        account: &'a str,
        password: &'a SecretBytes,
        last_word: LastWord<'a>,
    ) -> Work<'a, (), StatementFailure> {
        Box::pin(async move {
            self.0.hears("a password");
            if account != "app" {
                return Err(StatementFailure::Rejected("SQLSTATE 42704".to_owned()));
            }
            if !last_word.await {
                return Err(StatementFailure::TakenBack);
            }
            *self.0.password.lock().unwrap() = String::from_utf8(password.expose().to_vec()).unwrap();
            Ok(())
        })
    }

    fn mirror_account<'a>(
        &'a self,
        _: &'a str,
        account: &'a str,
        password: &'a SecretBytes,
        last_word: LastWord<'a>,
    ) -> Work<'a, (), StatementFailure> {
        Box::pin(async move {
            self.0.hears("an account");
            if !last_word.await {
                return Err(StatementFailure::TakenBack);
            }
            let password = String::from_utf8(password.expose().to_vec()).unwrap();
            self.0.accounts.lock().unwrap().insert(account.to_owned(), password);
            Ok(())
        })
    }

    fn execute<'a>(&'a self, text: &'a str, _: &'a [Option<String>]) -> Work<'a, u64, StatementFailure> {
        self.0.ran.lock().unwrap().push(text.to_owned());
        Box::pin(async { Ok(u64::MAX) })
    }

    fn query<'a>(
        &'a self,
        text: &'a str,
        _: &'a [Option<String>],
    ) -> Work<'a, Vec<Vec<Option<String>>>, StatementFailure> {
        self.0.ran.lock().unwrap().push(text.to_owned());
        Box::pin(async { Ok(self.0.rows.lock().unwrap().clone()) })
    }

    fn differences<'a>(&'a self, _: &'a str, _: &'a str) -> Work<'a, Vec<String>, StatementFailure> {
        Box::pin(async { Ok(self.0.differences.lock().unwrap().clone()) })
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let drawn = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *byte = drawn.to_be_bytes()[0];
        }
    }
}

struct World {
    step: Step,
    port: Arc<MemoryPort>,
    database: Arc<Scripted>,
    grants: Grants,
    environment: Environment,
    rehearsal: bool,
    early: EarlyLogin,
}

fn world() -> World {
    let port = MemoryPort::default();
    port.with(|memory| {
        memory.current = Some(CURRENT.to_owned());
        memory.previous = Some(PREVIOUS.to_owned());
    });
    let database = Arc::new(Scripted::default());
    *database.password.lock().unwrap() = "old-canary".to_owned();
    World {
        step: Step::SetSecret,
        port: Arc::new(port),
        database,
        grants: Grants { engines: [Engine::Postgres].into(), own_target: true, ..Grants::default() },
        environment: Environment::new(),
        rehearsal: false,
        early: EarlyLogin::default(),
    }
}

impl World {
    /// A new step.
    fn step(&self) -> Guest {
        let driver: Arc<dyn Driver> = Arc::new(Connected(Arc::clone(&self.database)));
        Guest(Capabilities::new(CapabilityConfig {
            port: Arc::clone(&self.port) as Arc<dyn SecretsPort>,
            grants: Arc::new(self.grants.clone()),
            environment: Arc::new(self.environment.clone()),
            drivers: Arc::new(Drivers::new([driver])),
            egress: Arc::default(),
            tls: crate::database::TlsRoots::load(None).unwrap(),
            step: Some(self.step),
            rng: Arc::new(Counting::default()),
            rehearsal: self.rehearsal,
            early: self.early.clone(),
            patience: limits::TCP_TIMEOUT,
        }))
    }

    fn pend(&self, json: &str) {
        self.port.with(|memory| memory.pending = Some(json.to_owned()));
    }

    fn pending(&self) -> String {
        self.port.with(|memory| memory.pending.clone()).unwrap()
    }

    fn logins(&self) -> usize {
        self.database.logins.lock().unwrap().len()
    }
}

/// Speaks to the capabilities as a worker does. No reply may hold a canary.
struct Guest(Capabilities);

impl Guest {
    async fn call(&mut self, call: Call) -> Reply {
        let reply = self.0.answer(call).await;
        assert!(!format!("{reply:?}").contains("canary"), "{reply:?}");
        reply
    }

    async fn version(&mut self, call: Call) -> Handle {
        let Reply::Version(Ok(Some(version))) = self.call(call).await else { panic!("no version") };
        version.handle
    }

    async fn current(&mut self) -> Handle {
        self.version(Call::Current).await
    }

    async fn pending(&mut self) -> Handle {
        self.version(Call::Pending).await
    }

    async fn sensitive(&mut self, version: Handle, field: &str) -> Option<Handle> {
        let Reply::Sensitive(Ok(handle)) =
            self.call(Call::Sensitive { version, field: field.to_owned() }).await
        else {
            panic!("not a sensitive reply")
        };
        handle
    }

    async fn random(&mut self, rules: PasswordRules) -> Result<Handle, SecretError> {
        let Reply::Sensitive(made) = self.call(Call::RandomPassword(rules)).await else { panic!() };
        made.map(Option::unwrap)
    }

    async fn put(&mut self, base: Handle, changes: Vec<(&str, NewValue)>) -> Result<Handle, SecretError> {
        let changes =
            changes.into_iter().map(|(field, value)| Change { field: field.to_owned(), value }).collect();
        let Reply::Version(put) = self.call(Call::PutPending { base, changes }).await else { panic!() };
        put.map(|version| version.unwrap().handle)
    }

    async fn login(&mut self, version: Handle) -> Result<Handle, LoginError> {
        let Reply::Session(session) = self.call(Call::Login { version }).await else { panic!() };
        session
    }

    async fn ping(&mut self, session: Handle) -> Result<(), DatabaseError> {
        let Reply::Statement(done) = self.call(Call::Ping { session }).await else { panic!() };
        done
    }

    async fn set(&mut self, session: Handle, account: &str, password: Handle) -> Result<(), DatabaseError> {
        let account = account.to_owned();
        let Reply::Statement(done) = self.call(Call::SetPassword { session, account, password }).await else {
            panic!()
        };
        done
    }

    async fn violates(&mut self, call: Call) {
        let reply = self.call(call).await;
        assert!(matches!(reply, Reply::Violation(_)), "{reply:?}");
    }
}

fn with_password(password: &str) -> String {
    CURRENT.replace("old-canary", password)
}

#[tokio::test]
async fn a_single_user_rotation_goes_through_and_may_repeat_every_step() {
    let world = world();
    for _ in 0..2 {
        let mut guest = world.step();
        let current = guest.current().await;
        let password = guest.random(PasswordRules::default()).await.unwrap();
        guest.put(current, vec![("password", NewValue::Sensitive(password))]).await.unwrap();
    }
    let stored = world.pending();
    for round in 0..2 {
        let mut guest = world.step();
        let pending = guest.pending().await;
        let first = guest.login(pending).await;
        if round == 0 {
            assert!(matches!(first, Err(LoginError::Refused(_))), "{first:?}");
            let current = guest.current().await;
            let session = guest.login(current).await.unwrap();
            let password = guest.sensitive(pending, "password").await.unwrap();
            guest.set(session, "app", password).await.unwrap();
        } else {
            guest.ping(first.unwrap()).await.unwrap();
        }
        assert!(!guest.0.was_superseded());
    }
    let mut guest = world.step();
    assert!(matches!(guest.call(Call::Promote).await, Reply::Promoted(Ok(()))));
    assert!(world.port.with(|memory| memory.promoted));
    assert_eq!(world.pending(), stored, "the first pending value stays");
    assert!(!stored.contains("old-canary") && stored.contains(r#""x":"other""#));
    let set = world.database.password.lock().unwrap().clone();
    assert!(serde_json::from_str::<serde_json::Value>(&stored).unwrap()["password"] == set.as_str());
}

#[tokio::test]
async fn texts_are_readable_and_everything_else_is_a_handle() {
    let world = world();
    let mut guest = world.step();
    let current = guest.current().await;
    let text = |field: &str| Call::Text { version: current, field: field.to_owned() };
    assert!(matches!(guest.call(text("port")).await, Reply::Text(Some(port)) if port == "5432"));
    assert!(matches!(guest.call(text("password")).await, Reply::Text(None)));
    assert!(guest.sensitive(current, "password").await.is_some());
    assert!(guest.sensitive(current, "x").await.is_some());
    assert!(guest.sensitive(current, "username").await.is_none());
    assert!(matches!(guest.call(Call::Pending).await, Reply::Version(Ok(None))));
    world.port.with(|memory| (memory.current, memory.previous) = (None, Some("canary [".to_owned())));
    assert!(matches!(guest.call(Call::Current).await, Reply::Version(Err(SecretError::NotFound(_)))));
    assert!(matches!(guest.call(Call::Previous).await, Reply::Version(Err(SecretError::Malformed(_)))));
    world.port.with(|memory| memory.away = true);
    assert!(matches!(guest.call(Call::Current).await, Reply::Version(Err(SecretError::Unavailable(_)))));
}

#[tokio::test]
async fn handles_are_of_one_kind_used_once_and_counted() {
    let world = world();
    let mut guest = world.step();
    let current = guest.current().await;
    let password = guest.sensitive(current, "password").await.unwrap();
    guest.violates(Call::Login { version: password }).await;
    guest.violates(Call::Ping { session: current }).await;
    guest.violates(Call::SetPassword { session: current, account: "app".to_owned(), password }).await;
    guest.violates(Call::Text { version: 99, field: "host".to_owned() }).await;
    let value = NewValue::Sensitive(current);
    let changes = vec![Change { field: "password".to_owned(), value }];
    guest.violates(Call::PutPending { base: current, changes }).await;
    assert!(matches!(guest.call(Call::Drop(password)).await, Reply::Logged));
    guest.violates(Call::Drop(password)).await;
    let again = guest.sensitive(current, "password").await.unwrap();
    assert_ne!(again, password);
    for _ in 2..limits::GUEST_HANDLES_MAX {
        guest.sensitive(current, "x").await.unwrap();
    }
    guest.violates(Call::Sensitive { version: current, field: "x".to_owned() }).await;
}

#[tokio::test]
async fn a_step_makes_only_so_many_calls() {
    let world = world();
    let mut guest = world.step();
    for _ in 0..limits::HOSTCALLS_MAX {
        guest.call(Call::Log { level: LogLevel::Debug, message: String::new() }).await;
    }
    guest.violates(Call::Current).await;
}

#[tokio::test]
async fn the_operator_and_the_floor_rule_over_a_rotators_password_rules() {
    let mut world = world();
    let short = || PasswordRules { length: Some(8), ..PasswordRules::default() };
    assert!(
        matches!(world.step().random(short()).await, Err(SecretError::Refused(text)) if text.contains("bits"))
    );
    let none = PasswordRules { exclude_characters: Some((' '..='~').collect()), ..PasswordRules::default() };
    assert!(matches!(world.step().random(none).await, Err(SecretError::Refused(_))));
    world.environment.insert("PASSWORD_LENGTH".to_owned(), "40".to_owned());
    world.environment.insert("EXCLUDE_PUNCTUATION".to_owned(), "true".to_owned());
    let mut guest = world.step();
    let password = guest.random(short()).await.unwrap();
    let current = guest.current().await;
    guest.put(current, vec![("password", NewValue::Sensitive(password))]).await.unwrap();
    let stored: serde_json::Value = serde_json::from_str(&world.pending()).unwrap();
    let stored = stored["password"].as_str().unwrap();
    assert!(stored.len() == 40 && stored.bytes().all(|c| c.is_ascii_alphanumeric()), "{stored}");
    world.environment.insert("PASSWORD_LENGTH".to_owned(), "long".to_owned());
    let refused = world.step().random(short()).await.unwrap_err();
    assert!(
        matches!(&refused, SecretError::Refused(text) if text.contains("PASSWORD_LENGTH")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_pending_version_differs_only_where_it_may_and_never_in_its_server() {
    let mut world = world();
    world.grants.pending_fields = ["username", "password", "host", "ssl"].map(str::to_owned).into();
    let mut guest = world.step();
    let current = guest.current().await;
    let old = guest.sensitive(current, "password").await.unwrap();
    let previous = guest.version(Call::Previous).await;
    let older = guest.sensitive(previous, "password").await.unwrap();
    let new = guest.random(PasswordRules::default()).await.unwrap();
    let password = || ("password", NewValue::Sensitive(new));
    let text = |value: &str| NewValue::Text(value.to_owned());
    let refused: Vec<Vec<(&str, NewValue)>> = vec![
        vec![],
        vec![("username", text("app_clone"))],
        vec![password(), ("host", text("evil"))],
        vec![password(), ("ssl", text("false"))],
        vec![password(), ("dbname", text("other"))],
        vec![password(), ("x", NewValue::Sensitive(new))],
        vec![("password", text("known"))],
        vec![("username", NewValue::Sensitive(new))],
        vec![("password", NewValue::Sensitive(old))],
        vec![("password", NewValue::Sensitive(older))],
        vec![password(), password()],
    ];
    for changes in refused {
        let named = format!("{changes:?}");
        let put = guest.put(current, changes).await;
        assert!(matches!(put, Err(SecretError::Refused(_))), "{named}: {put:?}");
    }
    assert!(world.port.with(|memory| memory.pending.is_none()));
    // A base that names another server is no way round.
    world.port.with(|memory| memory.previous = Some(PREVIOUS.replace("\"db\"", "\"evil\"")));
    let previous = guest.version(Call::Previous).await;
    let put = guest.put(previous, vec![password()]).await;
    assert!(matches!(&put, Err(SecretError::Refused(text)) if text.contains("host")), "{put:?}");
    guest.put(current, vec![password(), ("username", text("app_clone"))]).await.unwrap();
    assert!(world.pending().contains("app_clone"));
}

#[tokio::test]
async fn no_older_password_comes_back_with_the_version_that_a_pending_one_is_made_of() {
    let mut world = world();
    world.grants.pending_fields = ["username", "password", "x"].map(str::to_owned).into();
    world.port.with(|memory| memory.previous = Some(with_password("older-canary")));
    let mut guest = world.step();
    let current = guest.current().await;
    let previous = guest.version(Call::Previous).await;
    let x = guest.sensitive(current, "x").await.unwrap();
    // Known to whoever has read the secret before, or to a rotator's author who has once had it: and never named here.
    let changes: [Vec<(&str, NewValue)>; 3] = [
        vec![],
        vec![("username", NewValue::Text("app_clone".to_owned()))],
        vec![("x", NewValue::Sensitive(x))],
    ];
    for changes in changes {
        let put = guest.put(previous, changes).await;
        assert!(
            matches!(&put, Err(SecretError::Refused(text)) if text.contains("random-password")),
            "{put:?}"
        );
    }
    assert!(world.port.with(|memory| memory.pending.is_none()));
    // With a password of its own it is as good a base as any.
    let new = guest.random(PasswordRules::default()).await.unwrap();
    let put = guest.put(previous, vec![("password", NewValue::Sensitive(new))]).await.unwrap();
    // And what is stored already may be stored again.
    guest.put(put, vec![]).await.unwrap();
    assert!(!world.pending().contains("canary"));
}

#[tokio::test]
async fn a_login_needs_the_engine_and_the_target() {
    let mut world = world();
    let not_granted = |result: Result<Handle, LoginError>| {
        assert!(matches!(result, Err(LoginError::NotGranted(_))), "{result:?}");
    };
    world.grants.engines = BTreeSet::new();
    let mut guest = world.step();
    let current = guest.current().await;
    not_granted(guest.login(current).await);
    world.grants.engines = [Engine::Postgres].into();
    world.grants.own_target = false;
    let mut guest = world.step();
    let current = guest.current().await;
    not_granted(guest.login(current).await);
    world.grants.targets = [Target::try_from("db:*".to_owned()).unwrap()].into();
    let mut guest = world.step();
    let current = guest.current().await;
    guest.login(current).await.unwrap();
    // What is its own is what AWSCURRENT names, whatever a pending version says.
    world.grants = Grants { engines: [Engine::Postgres].into(), own_target: true, ..Grants::default() };
    for elsewhere in [CURRENT.replace("\"db\"", "\"evil\""), CURRENT.replace("5432", "5433")] {
        world.pend(&elsewhere);
        let mut guest = world.step();
        let pending = guest.pending().await;
        not_granted(guest.login(pending).await);
    }
    assert_eq!(*world.database.logins.lock().unwrap(), [("db:5432".to_owned(), "app".to_owned())]);
    world.pend(&CURRENT.replace("\"db\"", "[]"));
    let mut guest = world.step();
    let pending = guest.pending().await;
    assert!(matches!(guest.login(pending).await, Err(LoginError::Malformed(text)) if text.contains("host")));
}

#[tokio::test]
async fn a_step_holds_only_so_many_sessions() {
    let world = world();
    let mut guest = world.step();
    let current = guest.current().await;
    let mut last = 0;
    for _ in 0..limits::GUEST_SESSIONS_MAX {
        last = guest.login(current).await.unwrap();
    }
    assert!(matches!(guest.login(current).await, Err(LoginError::NotGranted(_))));
    guest.call(Call::Drop(last)).await;
    guest.login(current).await.unwrap();
}

#[tokio::test]
async fn refused_logins_in_a_row_are_counted_over_a_rotations_steps() {
    let world = world();
    world.pend(&with_password("new-canary"));
    // Tries that get as far as a login spend nothing, however many.
    for _ in 0..10 {
        let mut guest = world.step();
        let (pending, current) = (guest.pending().await, guest.current().await);
        assert!(matches!(guest.login(pending).await, Err(LoginError::Refused(_))));
        guest.login(current).await.unwrap();
    }
    // A server that is away refuses nobody.
    *world.database.failure.lock().unwrap() = Some(LoginFailure::Unreachable("away".to_owned()));
    for _ in 0..10 {
        let mut guest = world.step();
        let pending = guest.pending().await;
        assert!(matches!(guest.login(pending).await, Err(LoginError::Unreachable(_))));
    }
    *world.database.failure.lock().unwrap() = None;
    *world.database.password.lock().unwrap() = "changed by hand".to_owned();
    let before = world.logins();
    let mut spent = 0;
    for _ in 0..3 {
        let mut guest = world.step();
        let versions = [guest.pending().await, guest.current().await, guest.version(Call::Previous).await];
        for version in versions {
            match guest.login(version).await {
                Err(LoginError::Refused(_)) => {}
                Err(LoginError::LockoutBudgetSpent(text)) if text.contains("`app`") => spent += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((world.logins() - before, spent), (limits::FAILED_LOGINS_MAX as usize, 5));
}

#[tokio::test]
async fn a_password_reaches_the_database_only_once_it_is_stored() {
    let world = world();
    let mut guest = world.step();
    let current = guest.current().await;
    let session = guest.login(current).await.unwrap();
    let unstored = guest.random(PasswordRules::default()).await.unwrap();
    let old = guest.sensitive(current, "password").await.unwrap();
    let refused = |result: Result<(), DatabaseError>| {
        assert!(matches!(result, Err(DatabaseError::Refused(_))), "{result:?}");
    };
    // There is no pending version yet.
    refused(guest.set(session, "app", unstored).await);
    refused(guest.set(session, "app", old).await);
    guest.put(current, vec![("password", NewValue::Sensitive(unstored))]).await.unwrap();
    let another = guest.random(PasswordRules::default()).await.unwrap();
    let other_field = guest.sensitive(current, "x").await.unwrap();
    refused(guest.set(session, "app", another).await);
    refused(guest.set(session, "app", other_field).await);
    refused(guest.set(session, "postgres", unstored).await);
    refused(guest.set(session, "APP", unstored).await);
    assert_eq!(*world.database.password.lock().unwrap(), "old-canary");
    guest.set(session, "app", unstored).await.unwrap();
    assert_ne!(*world.database.password.lock().unwrap(), "old-canary");
    // Back to a password that is stored: a rotator may undo.
    guest.set(session, "app", old).await.unwrap();
    let previous = guest.version(Call::Previous).await;
    let older = guest.sensitive(previous, "password").await.unwrap();
    guest.set(session, "app", older).await.unwrap();
    assert_eq!(*world.database.password.lock().unwrap(), "older-canary");
}

#[tokio::test]
async fn a_password_is_set_only_on_the_server_that_the_pending_version_names() {
    let mut world = world();
    world.grants.targets = [Target::try_from("standby:*".to_owned()).unwrap()].into();
    world.port.with(|memory| memory.previous = Some(CURRENT.replace("\"db\"", "\"standby\"")));
    world.pend(&with_password("new-canary"));
    let mut guest = world.step();
    let (pending, previous) = (guest.pending().await, guest.version(Call::Previous).await);
    let session = guest.login(previous).await.unwrap();
    let password = guest.sensitive(pending, "password").await.unwrap();
    assert!(
        matches!(guest.set(session, "app", password).await, Err(DatabaseError::Refused(text)) if text.contains("server"))
    );
}

#[tokio::test]
async fn every_database_call_is_fenced_and_a_lost_rotation_sends_nothing() {
    let world = world();
    world.pend(&with_password("new-canary"));
    let mut guest = world.step();
    let (current, pending) = (guest.current().await, guest.pending().await);
    let password = guest.sensitive(pending, "password").await.unwrap();
    let session = guest.login(current).await.unwrap();
    guest.ping(session).await.unwrap();
    guest.set(session, "app", password).await.unwrap();
    assert_eq!(world.port.with(|memory| memory.fences), 4, "a password change asks twice");
    *world.database.password.lock().unwrap() = "old-canary".to_owned();
    let logins = world.logins();

    world.port.with(|memory| memory.away = true);
    assert!(matches!(guest.login(current).await, Err(LoginError::Unreachable(_))));
    assert!(matches!(guest.ping(session).await, Err(DatabaseError::Lost(_))));
    assert!(!guest.0.was_superseded());

    world.port.with(|memory| (memory.away, memory.lost_at_fence) = (false, true));
    assert_eq!(guest.set(session, "app", password).await, Err(DatabaseError::Superseded));
    world.port.with(|memory| memory.lost = false);
    assert_eq!(guest.login(current).await, Err(LoginError::Superseded));
    assert_eq!(world.logins(), logins);
    assert_eq!(*world.database.password.lock().unwrap(), "old-canary");
    assert!(guest.0.was_superseded());

    let mut guest = Guest(Capabilities { superseded: false, ..guest.0 });
    assert_eq!(guest.login(current).await, Err(LoginError::Superseded));
    assert_eq!(guest.ping(session).await, Err(DatabaseError::Superseded));
    assert_eq!(guest.set(session, "app", password).await, Err(DatabaseError::Superseded));
    assert!(matches!(guest.call(Call::Promote).await, Reply::Promoted(Err(SecretError::Superseded))));
    assert!(guest.0.was_superseded());
    assert_eq!(world.logins(), logins);
    assert_eq!(*world.database.password.lock().unwrap(), "old-canary");
}

#[tokio::test]
async fn a_rotation_that_is_lost_during_a_password_change_takes_it_back() {
    let world = world();
    world.pend(&with_password("new-canary"));
    let mut guest = world.step();
    let (current, pending) = (guest.current().await, guest.pending().await);
    let password = guest.sensitive(pending, "password").await.unwrap();
    let session = guest.login(current).await.unwrap();
    world.port.with(|memory| memory.lost_after = Some(memory.fences + 1));
    assert_eq!(guest.set(session, "app", password).await, Err(DatabaseError::Superseded));
    assert_eq!(*world.database.password.lock().unwrap(), "old-canary");
    assert!(guest.0.was_superseded() && guest.0.changed_at.is_none(), "nothing has changed");
}

#[tokio::test]
async fn a_guests_log_is_cut_cleaned_and_counted() {
    let world = world();
    let mut guest = world.step();
    let long = "é".repeat(limits::LOG_LINE_BYTES_MAX);
    for message in ["one\ntwo\u{1b}[31m\u{202e}\u{2028}x", long.as_str()] {
        guest.call(Call::Log { level: LogLevel::Warn, message: message.to_owned() }).await;
    }
    for _ in 0..limits::LOG_LINES_MAX {
        guest.call(Call::Log { level: LogLevel::Info, message: "more".to_owned() }).await;
    }
    let lines = guest.0.take_log();
    assert_eq!(lines[0], LogLine { severity: Severity::Warn, text: "one?two?[31m??x".to_owned() });
    assert_eq!(lines[1].text.len(), limits::LOG_LINE_BYTES_MAX);
    assert_eq!(lines.len(), limits::LOG_LINES_MAX + 1);
    assert_eq!(lines.last().unwrap().text, "2 more lines were not kept");
    assert!(guest.0.take_log().is_empty());
}

#[tokio::test]
async fn what_a_server_may_have_is_noted_before_it_is_sent() {
    let world = world();
    world.pend(&with_password("new-canary"));
    let mut guest = world.step();
    assert!(matches!(guest.call(Call::Exposed).await, Reply::Exposed(Ok(false))));
    let (current, pending) = (guest.current().await, guest.pending().await);
    let password = guest.sensitive(pending, "password").await.unwrap();
    let session = guest.login(current).await.unwrap();
    // The rotation is lost between the note and the last word: the note stays.
    world.port.with(|memory| memory.lost_after = Some(memory.fences + 1));
    assert_eq!(guest.set(session, "app", password).await, Err(DatabaseError::Superseded));
    assert!(world.port.with(|memory| memory.standing.exposed));
    assert!(guest.0.changed_at().is_none());
    world.port.with(|memory| (memory.lost, memory.lost_after) = (false, None));
    guest.set(session, "app", password).await.unwrap();
    assert!(guest.0.changed_at().is_some());
}

#[tokio::test]
async fn nothing_is_promoted_that_the_host_has_not_seen_log_in() {
    let world = world();
    world.pend(&with_password("new-canary"));
    let promote = async |guest: &mut Guest| {
        let Reply::Promoted(promoted) = guest.call(Call::Promote).await else { panic!() };
        promoted
    };
    let mut guest = world.step();
    let refused = promote(&mut guest).await;
    assert!(matches!(&refused, Err(SecretError::Refused(text)) if text.contains("log in")), "{refused:?}");
    assert!(!world.port.with(|memory| memory.promoted));
    // What the database has by now, the host sees for itself; and what testSecret has seen needs no second login.
    *world.database.password.lock().unwrap() = "new-canary".to_owned();
    promote(&mut guest).await.unwrap();
    let logins = world.logins();
    world.port.with(|memory| memory.standing.proof.login = true);
    promote(&mut world.step()).await.unwrap();
    assert_eq!(world.logins(), logins);
    // Another user must also be able to do what the current one can.
    world.pend(&with_password("new-canary").replace("\"app\"", "\"app_clone\""));
    let refused = promote(&mut world.step()).await;
    assert!(
        matches!(&refused, Err(SecretError::Refused(text)) if text.contains("privileges")),
        "{refused:?}"
    );
    world.port.with(|memory| memory.standing.proof.privileges = true);
    promote(&mut world.step()).await.unwrap();
}

const MASTER: &str = r#"{"engine":"postgres","host":"db","port":5432,"username":"admin","password":"master-canary","x":"canary"}"#;

/// A world with alternating users, whose function may use the master secret.
fn alternating() -> World {
    let mut world = world();
    world.grants.secrets = [SecretPattern::try_from("db/master".to_owned()).unwrap()].into();
    world.port.with(|memory| memory.master = Some(("db/master".to_owned(), MASTER.to_owned())));
    world.database.accounts.lock().unwrap().insert("admin".to_owned(), "master-canary".to_owned());
    world.database.accounts.lock().unwrap().insert("app_clone".to_owned(), "nobody knows".to_owned());
    world.pend(&with_password("new-canary").replace("\"app\"", "\"app_clone\""));
    world
}

impl Guest {
    async fn open(&mut self, id: &str) -> Result<Handle, SecretError> {
        let Reply::Version(opened) = self.call(Call::Open { secret_id: id.to_owned() }).await else {
            panic!()
        };
        opened.map(|version| version.unwrap().handle)
    }

    async fn mirror(
        &mut self,
        session: Handle,
        (like, account): (&str, &str),
        password: Handle,
    ) -> Result<(), DatabaseError> {
        let (like, account) = (like.to_owned(), account.to_owned());
        let Reply::Statement(done) =
            self.call(Call::MirrorAccount { session, like, account, password }).await
        else {
            panic!()
        };
        done
    }
}

#[tokio::test]
async fn another_secret_is_for_logging_in_and_for_nothing_else() {
    let mut world = alternating();
    let mut guest = world.step();
    assert!(matches!(guest.open("db/other").await, Err(SecretError::Refused(_))));
    let master = guest.open("db/master").await.unwrap();
    assert_eq!(guest.sensitive(master, "password").await, None);
    assert_eq!(guest.sensitive(master, "x").await, None);
    let new = guest.random(PasswordRules::default()).await.unwrap();
    let put = guest.put(master, vec![("password", NewValue::Sensitive(new))]).await;
    assert!(matches!(put, Err(SecretError::Refused(_))), "{put:?}");
    guest.login(master).await.unwrap();
    assert!(!guest.0.proof().login);
    // One with nothing but user and password is used where AWSCURRENT is.
    let bare = r#"{"username":"admin","password":"master-canary"}"#;
    world.port.with(|memory| memory.master = Some(("db/master".to_owned(), bare.to_owned())));
    let bare = guest.open("db/master").await.unwrap();
    guest.login(bare).await.unwrap();
    // And never anywhere else.
    world.port.with(|memory| {
        memory.master = Some(("db/master".to_owned(), MASTER.replace("\"db\"", "\"evil\"")));
    });
    let elsewhere = guest.open("db/master").await.unwrap();
    assert!(matches!(guest.login(elsewhere).await, Err(LoginError::NotGranted(_))));
    world.grants.secrets = BTreeSet::new();
    assert!(matches!(world.step().open("db/master").await, Err(SecretError::Refused(_))));
}

#[tokio::test]
async fn an_account_is_mirrored_only_within_the_pair_and_by_who_has_a_login_of_it() {
    let world = alternating();
    let mut guest = world.step();
    let (current, pending) = (guest.current().await, guest.pending().await);
    let password = guest.sensitive(pending, "password").await.unwrap();
    let master = guest.open("db/master").await.unwrap();
    let session = guest.login(master).await.unwrap();
    let refused = |result: Result<(), DatabaseError>| {
        assert!(matches!(result, Err(DatabaseError::Refused(_))), "{result:?}");
    };
    // Whoever wrote this secret may only have written the name of somebody else's account.
    refused(guest.mirror(session, ("app", "app_clone"), password).await);
    guest.login(current).await.unwrap();
    refused(guest.mirror(session, ("admin", "app_clone"), password).await);
    refused(guest.mirror(session, ("app", "admin"), password).await);
    refused(guest.mirror(session, ("app", "app"), password).await);
    let old = guest.sensitive(current, "password").await.unwrap();
    refused(guest.mirror(session, ("app", "app_clone"), old).await);
    guest.mirror(session, ("app", "app_clone"), password).await.unwrap();
    assert_eq!(world.database.accounts.lock().unwrap()["app_clone"], "new-canary");
    assert!(!world.port.with(|memory| memory.standing.exposed), "the current user goes on as it was");

    // A secret that rotations have kept needs no login of its own: this is how the superuser heals it.
    let mut guest = world.step();
    *world.database.password.lock().unwrap() = "changed by hand".to_owned();
    let (pending, master) = (guest.pending().await, guest.open("db/master").await.unwrap());
    let (session, password) =
        (guest.login(master).await.unwrap(), guest.sensitive(pending, "password").await.unwrap());
    refused(guest.mirror(session, ("app", "app_clone"), password).await);
    world.port.with(|memory| memory.standing.current_was_rotated = true);
    guest.mirror(session, ("app", "app_clone"), password).await.unwrap();
    // A pair by another rule is none.
    world.pend(&with_password("new-canary").replace("\"app\"", "\"postgres\""));
    refused(guest.mirror(session, ("app", "postgres"), password).await);
}

#[tokio::test]
async fn no_account_outside_of_the_pair_takes_a_password() {
    let world = alternating();
    // The grants let a pending version name any user, and the database would obey its superuser.
    world.pend(&with_password("new-canary").replace("\"app\"", "\"postgres\""));
    let mut guest = world.step();
    let (pending, master) = (guest.pending().await, guest.open("db/master").await.unwrap());
    let (session, password) =
        (guest.login(master).await.unwrap(), guest.sensitive(pending, "password").await.unwrap());
    let set = guest.set(session, "postgres", password).await;
    assert!(matches!(&set, Err(DatabaseError::Refused(text)) if text.contains("alternate")), "{set:?}");
    // The other of the two is within.
    world.pend(&with_password("new-canary").replace("\"app\"", "\"app_clone\""));
    let pending = guest.pending().await;
    let password = guest.sensitive(pending, "password").await.unwrap();
    let set = guest.set(session, "app_clone", password).await;
    assert!(matches!(set, Err(DatabaseError::Rejected(_))), "the database is asked: {set:?}");
}

#[tokio::test]
async fn privileges_are_proved_by_finding_no_difference() {
    let world = alternating();
    let mut guest = world.step();
    let master = guest.open("db/master").await.unwrap();
    let session = guest.login(master).await.unwrap();
    let differences = async |guest: &mut Guest, like: &str, account: &str| {
        let call = Call::Differences { session, like: like.to_owned(), account: account.to_owned() };
        let Reply::Differences(found) = guest.call(call).await else { panic!() };
        found
    };
    *world.database.differences.lock().unwrap() = vec!["it may not log in".to_owned()];
    assert_eq!(differences(&mut guest, "app", "app_clone").await.unwrap(), ["it may not log in"]);
    assert!(!guest.0.proof().privileges);
    *world.database.differences.lock().unwrap() = vec!["x".repeat(400); 1_000];
    let told = differences(&mut guest, "app", "app_clone").await.unwrap();
    assert!(
        told.iter().map(String::len).sum::<usize>() <= limits::DIFFERENCES_BYTES_MAX + 10,
        "{}",
        told.len()
    );
    *world.database.differences.lock().unwrap() = Vec::new();
    assert!(differences(&mut guest, "admin", "app_clone").await.is_err());
    assert!(!guest.0.proof().privileges);
    assert!(differences(&mut guest, "app", "app_clone").await.unwrap().is_empty());
    assert!(guest.0.proof().privileges);
}

#[tokio::test]
async fn a_rehearsal_logs_in_and_leaves_every_account_as_it_is() {
    let world = World { rehearsal: true, ..world() };
    world.pend(r#"{"engine":"postgres","host":"db","port":5432,"username":"app","password":"new-canary"}"#);
    let mut guest = world.step();
    let Reply::Version(Ok(Some(pending))) = guest.call(Call::Pending).await else { panic!() };
    let password = guest.sensitive(pending.handle, "password").await.unwrap();
    let current = guest.current().await;
    let session = guest.login(current).await.unwrap();
    guest.set(session, "app", password).await.unwrap();
    assert!(guest.set(session, "other", password).await.is_err(), "the rules hold as ever");
    assert_eq!(*world.database.password.lock().unwrap(), "old-canary");
    assert!(!world.port.with(|memory| memory.standing.exposed));
    assert_eq!(guest.0.take_would().len(), 1);
    assert!(guest.0.changed_at().is_none());
}
