//! Three hosts, one synchronous pair, a wire between each host and each server, and the clock that everybody's records share.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pawl_tests::aws::{self, Signer};
use pawl_tests::cut::{Cut, State};
use pawl_tests::http::{Answer, Request};
use pawl_tests::pair::{DATABASE, Pair};
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::wait::eventually;
use serde_json::Value;

/// How long a host may take to do its work again after the store's own failover (the number).
pub(super) const BACK_WITHIN: Duration = Duration::from_secs(5);
/// How long a host that is cut off from its store may say that it is ready.
pub(super) const NOTICED_WITHIN: Duration = Duration::from_secs(15);
/// For what has no number.
pub(super) const SOON: Duration = Duration::from_secs(90);

/// The hosts as clients see them: addresses that change with a restart, faults that excuse errors, and what was done so far.
pub(super) struct Front {
    began: Instant,
    addresses: Vec<Mutex<SocketAddr>>,
    signer: Signer,
    windows: Mutex<Vec<Window>>,
    /// Writes that were acknowledged: the measure of progress.
    pub acknowledged: AtomicUsize,
    /// Clients that are to wait before their next call, and those who do.
    pub hold: AtomicBool,
    pub waiting: AtomicUsize,
    /// Clients that are to end.
    pub over: AtomicBool,
}

/// A fault: calls of these hosts may fail while it lasts.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub what: String,
    pub hosts: Vec<usize>,
    pub from: Duration,
    pub to: Option<Duration>,
}

/// A call that did not end well.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub host: usize,
    pub from: Duration,
    pub to: Duration,
    pub what: String,
}

impl Front {
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) const fn hosts(&self) -> usize {
        self.addresses.len()
    }

    pub(super) fn address(&self, host: usize) -> SocketAddr {
        *self.addresses[host].lock().unwrap()
    }

    /// Calls an operation of a host; the trouble is a broken connection, silence for `limit`, or a 5xx.
    pub(super) fn call(
        &self,
        host: usize,
        operation: &str,
        input: &Value,
        limit: Duration,
    ) -> Result<Answer, Trouble> {
        let (from, to) = (self.now(), self.address(host));
        let target = format!("secretsmanager.{operation}");
        let request = aws::request(&to.to_string(), &target, input.to_string().as_bytes());
        let outcome = self.signer.sign(request, aws::now()).try_send_within(to, limit);
        let trouble = |what| Trouble { host, from, to: self.now(), what };
        let answer = outcome.map_err(|error| trouble(format!("{operation}: {error}")))?;
        if answer.status >= 500 {
            return Err(trouble(format!("{operation}: {} {}", answer.status, answer.body)));
        }
        Ok(answer)
    }

    /// What a host's `/readyz` says within `limit`.
    pub(super) fn readiness(&self, host: usize, limit: Duration) -> std::io::Result<Answer> {
        let to = self.address(host);
        let request = Request {
            method: "GET".to_owned(),
            path: "/readyz".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        request.header("host", &to.to_string()).try_send_within(to, limit)
    }

    pub(super) fn is_ready(&self, host: usize) -> bool {
        self.readiness(host, Duration::from_secs(2)).is_ok_and(|answer| answer.status == 200)
    }

    fn windows(&self) -> Vec<Window> {
        self.windows.lock().unwrap().clone()
    }

    /// Of these, the troubles that no fault explains. Clients may still hear of a fault this long after its end.
    pub(super) fn unexplained(&self, troubles: Vec<Trouble>, grace: Duration) -> Vec<Trouble> {
        let windows = self.windows();
        let explained = |trouble: &Trouble| {
            windows.iter().any(|window| {
                window.hosts.contains(&trouble.host)
                    && window.from <= trouble.to
                    && window.to.is_none_or(|to| trouble.from <= to + grace)
            })
        };
        troubles.into_iter().filter(|trouble| !explained(trouble)).collect()
    }
}

/// The ground under the clients.
pub(super) struct Field {
    pub pair: Pair,
    pub hosts: Vec<Pawl>,
    pub front: Arc<Front>,
    wires: Vec<[Cut; 2]>,
}

/// How many hosts there are.
pub(super) const HOSTS: usize = 3;

impl Field {
    pub(super) fn new() -> Self {
        let pair = Pair::start();
        let wires: Vec<[Cut; 2]> = (0..HOSTS).map(|_| pair.ports().map(Cut::start)).collect();
        let mut hosts: Vec<Pawl> = Vec::new();
        for wire in &wires {
            let url = pair.url_through([wire[0].port(), wire[1].port()]);
            let root_key = hosts.first().and_then(Pawl::root_key);
            hosts.push(Pawl::start(Options { store: Store::Shared(url), root_key, ..Options::default() }));
        }
        let front = Arc::new(Front {
            began: Instant::now(),
            addresses: hosts.iter().map(|host| Mutex::new(host.address())).collect(),
            signer: hosts[0].signer(),
            windows: Mutex::default(),
            acknowledged: AtomicUsize::new(0),
            hold: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        Self { pair, hosts, front, wires }
    }

    fn say(&self, what: &str) {
        println!("{:8.3} {what}", self.front.now().as_secs_f64());
    }

    /// Errors of these hosts are explained from now on.
    fn open_window(&self, what: &str, hosts: &[usize]) -> usize {
        self.say(what);
        let mut windows = self.front.windows.lock().unwrap();
        let from = self.front.now();
        windows.push(Window { what: what.to_owned(), hosts: hosts.to_vec(), from, to: None });
        windows.len() - 1
    }

    fn close_window(&self, window: usize) {
        let mut windows = self.front.windows.lock().unwrap();
        windows[window].to = Some(self.front.now());
        let what = windows[window].what.clone();
        drop(windows);
        self.say(&format!("healed: {what}"));
    }

    /// Waits until so many more writes were acknowledged.
    pub(super) fn progress(&self, writes: usize) {
        let goal = self.front.acknowledged.load(Ordering::SeqCst) + writes;
        eventually("clients get on with their work", SOON, || {
            (self.front.acknowledged.load(Ordering::SeqCst) >= goal).then_some(())
        });
    }

    fn await_ready(&self, host: usize) {
        eventually(&format!("host {host} is ready"), SOON, || self.front.is_ready(host).then_some(()));
    }

    /// `kill -9` of a host, some work without it, and its return.
    pub(super) fn kill(&mut self, host: usize, writes: usize) {
        let window = self.open_window(&format!("host {host} is killed"), &[host]);
        self.hosts[host].kill9();
        self.progress(writes);
        self.hosts[host].resume();
        *self.front.addresses[host].lock().unwrap() = self.hosts[host].address();
        self.await_ready(host);
        self.close_window(window);
    }

    /// A host loses its store, and finds it again.
    pub(super) fn cut(&self, host: usize, how: State, writes: usize) {
        let window = self.open_window(&format!("host {host} is cut off: {how:?}"), &[host]);
        let from = Instant::now();
        for wire in &self.wires[host] {
            wire.set(how);
        }
        eventually("a host without a store says that it is not ready", NOTICED_WITHIN, || {
            let answer = self.front.readiness(host, NOTICED_WITHIN).ok()?;
            (answer.status == 503).then_some(())
        });
        self.say(&format!("host {host} says so after {:?}", from.elapsed()));
        self.progress(writes);
        let healed = Instant::now();
        for wire in &self.wires[host] {
            wire.set(State::Open);
        }
        self.await_ready(host);
        self.say(&format!("host {host} is ready again {:?} after its store was back", healed.elapsed()));
        self.close_window(window);
    }

    /// Which host a lease's owner is.
    fn host_of(&self, owner: &str) -> Option<usize> {
        self.hosts.iter().position(|host| {
            let id = std::fs::read_to_string(host.data_dir().join("host-id")).unwrap_or_default();
            !id.trim().is_empty() && owner.contains(id.trim())
        })
    }

    /// The secrets whose rotation is claimed, and the hosts that have claimed them.
    pub(super) fn leases(&self) -> Vec<(String, usize)> {
        let listed = "SELECT name || ' ' || lease_owner FROM secrets WHERE lease_owner IS NOT NULL";
        let found = self.pair.try_admin(DATABASE, &[listed]).unwrap_or_default();
        let parts = found.lines().filter_map(|line| line.split_once(' '));
        parts
            .map(|(name, owner)| {
                let host = self.host_of(owner).unwrap_or_else(|| panic!("who is `{owner}`?"));
                (name.to_owned(), host)
            })
            .collect()
    }

    /// A host stands still for longer than its lease on a rotation, and goes on after another has taken it. `caught` is called when
    /// it does not move any more.
    pub(super) fn pause_a_rotating_host(&self, caught: impl FnOnce()) -> usize {
        let (name, host) = eventually("a host has claimed a rotation", SOON, || self.leases().pop());
        let window =
            self.open_window(&format!("host {host} stands still, with the rotation of {name}"), &[host]);
        self.hosts[host].server().pause();
        caught();
        eventually("another host takes the rotation, or it had ended", SOON, || {
            let leases = self.leases();
            (!leases.contains(&(name.clone(), host))).then_some(())
        });
        self.say(&format!("the rotation of {name} has left it"));
        self.progress(5);
        self.hosts[host].server().go_on();
        self.await_ready(host);
        self.close_window(window);
        host
    }

    /// The primary dies, the standby takes its place, and every host finds it; gives how long the slowest took after that.
    pub(super) fn fail_over(&mut self) -> Duration {
        let window = self.open_window("the primary is killed", &[0, 1, 2]);
        self.pair.kill9_primary();
        let writable = self.pair.promote();
        self.say("the standby takes writes");
        let front = &*self.front;
        let times: Vec<Duration> = std::thread::scope(|scope| {
            let probes: Vec<_> =
                (0..HOSTS).map(|host| scope.spawn(move || first_success(front, host, writable))).collect();
            probes.into_iter().map(|probe| probe.join().unwrap()).collect()
        });
        self.say(&format!("the hosts have written and read {times:?} after that"));
        self.close_window(window);
        times.into_iter().max().unwrap()
    }

    /// Makes the dead server the standby of the other.
    pub(super) fn rejoin(&mut self) {
        self.pair.rejoin();
        self.say("the pair is a pair again");
    }
}

/// The time since `from` at which a host has done a write and a read that were asked of it after that.
fn first_success(front: &Front, host: usize, from: Instant) -> Duration {
    let limit = Duration::from_secs(1);
    eventually("a host finds the new primary", SOON, || {
        let token = aws::token();
        let name = format!("probe-{host}");
        let input = serde_json::json!({"SecretId": name, "SecretString": token, "ClientRequestToken": token});
        let written = front.call(host, "PutSecretValue", &input, limit).ok()?;
        assert!(written.status == 200 || written.code() == "ThrottlingException", "{}", written.body);
        let read = front.call(host, "GetSecretValue", &serde_json::json!({"SecretId": name}), limit).ok()?;
        (written.status == 200 && read.status == 200).then(|| from.elapsed())
    })
}
