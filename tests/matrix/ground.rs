//! What the runs of one lane stand on, for as long as it lasts: a database with a wire before it, a host of its own store, and two
//! hosts of a shared one once somebody needs them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pawl_tests::aws;
use pawl_tests::pawl::Store;
use pawl_tests::wait::pace;
use serde_json::{Value, json};

use super::board::{Act, DEEDS, FILES};
use super::engine::{Engine, Kind, Strategy};
use super::errand::{Errand, Order};
use super::fault::Moments;
use super::host::{Caller, Host};
use super::judge::{Credentials, Subject};
use super::run::tail;
use super::wire::{Stage, Wire};

/// The secret of the database's master.
const MASTER: &str = "matrix/master";
/// The first password of every account.
const FIRST_PASSWORD: &str = "the-first-password";
/// How long an undisturbed rotation may take.
const CALM_LIMIT: Duration = Duration::from_secs(30);

/// One lane's ground.
pub(crate) struct Ground {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) version: String,
    pub(crate) wire: Wire,
    alone: Option<Host>,
    pair: Option<[Host; 2]>,
    /// What undisturbed rotations are like: of a strategy, on hosts of a shared store or not, after another rotation or not.
    moments: Vec<((Strategy, bool, bool), Moments)>,
    made: u64,
}

impl Ground {
    pub(crate) fn new(kind: Kind) -> Self {
        let mut engine = kind.start();
        let wire = Wire::start(engine.port(), engine.protocol());
        let version = engine.version();
        Self { engine, version, wire, alone: None, pair: None, moments: Vec::new(), made: 0 }
    }

    /// Makes the hosts that are missing.
    fn furnish_hosts(&mut self, shared: bool) {
        let function = self.engine.function(Strategy::Alternating);
        if shared && self.pair.is_none() {
            let first = Host::start(Store::Private, None, function, MASTER);
            let url = first.pawl.database().expect("a database of its own").url().to_owned();
            let second = Host::start(Store::Shared(url), first.pawl.root_key(), function, MASTER);
            self.keep_master(&first.caller());
            self.pair = Some([first, second]);
        }
        if !shared && self.alone.is_none() {
            let host = Host::start(Store::Embedded, None, function, MASTER);
            self.keep_master(&host.caller());
            self.alone = Some(host);
        }
    }

    fn keep_master(&self, caller: &Caller) {
        let value = self.engine.master(self.wire.port()).to_string();
        let body = json!({"Name": MASTER, "SecretString": value, "ClientRequestToken": aws::token()});
        let made = caller.call("CreateSecret", &body).expect("an answer");
        assert_eq!(made.status, 200, "{}", made.body);
    }

    /// The hosts of a run; the first is the one that is asked.
    pub(crate) fn hosts(&mut self, shared: bool) -> Vec<&mut Host> {
        self.furnish_hosts(shared);
        match (shared, &mut self.alone, &mut self.pair) {
            (true, _, Some(pair)) => pair.iter_mut().collect(),
            (_, Some(alone), _) => vec![alone],
            _ => Vec::new(),
        }
    }

    pub(crate) fn callers(&mut self, shared: bool) -> Vec<Caller> {
        self.hosts(shared).into_iter().map(|host| host.caller()).collect()
    }

    /// The database and the host that is asked, at once.
    pub(crate) fn both(&mut self, shared: bool) -> (&mut dyn Engine, &Wire, &mut Host) {
        self.furnish_hosts(shared);
        let host = if shared { self.pair.as_mut().map(|pair| &mut pair[0]) } else { self.alone.as_mut() };
        (&mut *self.engine, &self.wire, host.expect("it was furnished"))
    }

    /// Hosts after a run that went wrong are not trusted with the next.
    pub(crate) fn forget_hosts(&mut self, shared: bool) {
        if shared {
            self.pair = None;
        } else {
            self.alone = None;
        }
    }

    /// Makes an account and its secret.
    pub(crate) fn subject(&mut self, strategy: Strategy, shared: bool, settled: bool) -> (Subject, Order) {
        self.made += 1;
        let account = format!("app{}", self.made);
        self.engine.furnish(&account, FIRST_PASSWORD);
        let caller = self.callers(shared).remove(0);
        let mut value = self.engine.secret(self.wire.port(), &account, FIRST_PASSWORD);
        let function = self.engine.function(strategy);
        if strategy == Strategy::Alternating {
            value["masterarn"] = json!(MASTER);
        }
        let secret = format!("matrix/{account}");
        let body =
            json!({"Name": secret, "SecretString": value.to_string(), "ClientRequestToken": aws::token()});
        let made = caller.call("CreateSecret", &body).unwrap_or_else(|error| {
            let host = self.both(shared).2;
            panic!("the host does not answer: {error}\n{}", tail(&host.pawl.log()))
        });
        assert_eq!(made.status, 200, "{}", made.body);
        let first = made.json()["VersionId"].as_str().expect("a version").to_owned();
        let order = Order::new(&secret, function);
        let mut subject = Subject {
            strategy,
            secret,
            token: order.token.clone(),
            before: BTreeSet::from([first]),
            old: Credentials { user: account.clone(), password: FIRST_PASSWORD.to_owned() },
            abilities: String::new(),
            account,
        };
        if settled {
            let before = Order::new(&subject.secret, function);
            self.rotate_calmly(shared, &before);
            subject.before.insert(before.token);
            subject.old = current(&caller, &subject.secret);
        }
        if strategy == Strategy::Alternating {
            let old = &subject.old;
            subject.abilities = self.engine.abilities(&old.user, &old.password, &subject.account);
        }
        (subject, order)
    }

    fn rotate_calmly(&mut self, shared: bool, order: &Order) {
        let state = self.rotate(shared, order);
        assert_eq!(state["Status"], "Succeeded", "an undisturbed rotation: {state}");
    }

    /// Has a secret rotated without disturbance; how the rotation stands when it has ended.
    pub(crate) fn rotate(&mut self, shared: bool, order: &Order) -> Value {
        let errand = Errand::start(self.callers(shared), order.clone());
        let began = Instant::now();
        while !errand.has_ended() {
            assert!(
                began.elapsed() < CALM_LIMIT,
                "an undisturbed rotation does not end: {:?}",
                errand.heard()
            );
            pace(Duration::from_millis(1));
        }
        errand.heard().ended.expect("it has ended").1
    }

    /// How many moments an undisturbed rotation has here; the first of a host compiles its function, and is not like the others.
    pub(crate) fn moments(&mut self, strategy: Strategy, shared: bool, settled: bool) -> Moments {
        if let Some((_, known)) = self.moments.iter().find(|(of, _)| *of == (strategy, shared, settled)) {
            return *known;
        }
        let _ = self.subject(strategy, shared, true);
        let mut found = Moments::default();
        for mask in [DEEDS, FILES] {
            let (_, order) = self.subject(strategy, shared, settled);
            self.wire.begin();
            self.both(shared).2.board.arm(mask, i64::MAX.cast_unsigned(), Act::Count);
            self.rotate_calmly(shared, &order);
            let board = &self.both(shared).2.board;
            board.disarm();
            if mask == DEEDS { found.deeds = board.counted() } else { found.files = board.counted() }
        }
        let (events, changes) = (self.wire.events(), self.engine.protocol().changes);
        found.events = events.len() as u64;
        let is_change = |(stage, sql): &(Stage, &str)| *stage == Stage::Asked && changes(sql);
        found.changes =
            events.iter().filter_map(|event| event.what.statement()).filter(is_change).count() as u64;
        assert!(
            found.deeds > 0 && (shared || found.files > 0) && found.changes > 0,
            "the shim sees nothing: {found:?}"
        );
        let found = found.rounded();
        self.moments.push(((strategy, shared, settled), found));
        found
    }

    /// Waits until nobody uses the database any more: whoever was late has done what he was about to do.
    pub(crate) fn settle(&self, limit: Duration) {
        let began = Instant::now();
        while self.wire.open() > 0 && began.elapsed() < limit {
            pace(Duration::from_millis(2));
        }
    }
}

/// The login that a secret's current version is.
fn current(caller: &Caller, secret: &str) -> Credentials {
    let answer = caller.call("GetSecretValue", &json!({"SecretId": secret})).expect("an answer").json();
    let value: Value = serde_json::from_str(answer["SecretString"].as_str().expect("a value")).expect("JSON");
    let text = |field: &str| value[field].as_str().expect("a text").to_owned();
    Credentials { user: text("username"), password: text("password") }
}
