//! GetSecretValue from hosts that share a PostgreSQL: what one host gives, and whether two give twice as much.
//!
//! On a small machine hosts, store and client share the cores, and two hosts can only give what is left over. So the hosts are
//! kept to a part of a core each, by a control group, and the rest of the machine is there for the store and the client.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pawl_tests::pair::Pair;
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::processor;
use serde_json::json;

use crate::{Row, load, median, read};

const REQUESTS: usize = 30_000;
const ROUNDS: usize = 3;
/// Of one core, for each host that is kept to a part.
const SHARE: f64 = 0.25;

pub(crate) fn run() -> Vec<Row> {
    let pair = Pair::start();
    let options = || Options { store: Store::Shared(pair.url()), ..Options::default() };
    let first = Pawl::start(options());
    let second = Pawl::start(Options { root_key: first.root_key(), ..options() });
    let names = read::fill(&first);
    let signed = |name: &String| first.signed("GetSecretValue", &json!({"SecretId": name})).bytes(true);
    let requests = || Arc::new(names.iter().map(signed).collect::<Vec<_>>());
    for host in [&first, &second] {
        let _ = load::run(host.address(), &requests(), REQUESTS / 4);
    }
    let mut rows = whole(&first, &requests());
    let Some(_quotas) = Quota::on(&first).zip(Quota::on(&second)) else {
        let why = "not measured: no control group for processors can be made here";
        rows.push(Row::new("two hosts / one host, each kept to a part of a core", why, ">= 1.6"));
        return rows;
    };
    let (mut ones, mut twos) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ones.push(together(&[first.address()], &requests(), REQUESTS / 4));
        twos.push(together(&[first.address(), second.address()], &requests(), REQUESTS / 4));
    }
    let (one, two) = (median(ones), median(twos));
    let what = format!("GetSecretValue, {SHARE} of a core for each host");
    rows.push(Row::new(format!("{what}: one host"), format!("{:.1} k/s", one / 1e3), ""));
    rows.push(Row::new(format!("{what}: two hosts"), format!("{:.1} k/s", two / 1e3), ""));
    rows.push(Row::new("two hosts / one host", format!("{:.2}", two / one), ">= 1.6"));
    rows
}

/// One host with the whole machine: how much, and whose processor time it takes.
fn whole(host: &Pawl, requests: &Arc<Vec<Vec<u8>>>) -> Vec<Row> {
    let before = (busy(), host.processor_time(), processor::time_taken(std::process::id()));
    let run = load::run(host.address(), requests, REQUESTS);
    let each = |took: Duration| took.as_secs_f64() * 1e6 / REQUESTS as f64;
    let of_host = each(host.processor_time().saturating_sub(before.1));
    let of_client = each(processor::time_taken(std::process::id()).saturating_sub(before.2));
    let of_rest = each(busy().saturating_sub(before.0)) - of_host - of_client;
    vec![Row::new(
        "GetSecretValue, one host on a synchronous pair of PostgreSQL, compared before each answer",
        format!(
            "{:.1} k/s (p50 {:.0} us, p99 {:.0} us; processor time a read: host {of_host:.0} us, client {of_client:.0} us, \
             store and kernel {of_rest:.0} us)",
            run.per_second / 1e3,
            run.p50.as_secs_f64() * 1e6,
            run.p99.as_secs_f64() * 1e6,
        ),
        "",
    )]
}

/// Answers in a second, of all hosts together.
fn together(hosts: &[SocketAddr], requests: &Arc<Vec<Vec<u8>>>, count: usize) -> f64 {
    std::thread::scope(|scope| {
        let runs: Vec<_> = hosts
            .iter()
            .map(|host| scope.spawn(move || load::run(*host, requests, count).per_second))
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).sum()
    })
}

/// Processor time that the whole machine has taken so far.
fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_ascii_whitespace().skip(1).map(|ticks| ticks.parse().unwrap()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let busy: u64 =
        ticks.iter().enumerate().filter(|(at, _)| ![3, 4].contains(at)).take(6).map(|(_, t)| t).sum();
    Duration::from_millis(busy * 10)
}

/// A control group that keeps one host to its share of a core.
struct Quota(PathBuf);

impl Quota {
    /// None where this process may not make one.
    fn on(host: &Pawl) -> Option<Self> {
        let period = 10_000_u32;
        let name = format!("pawl-bench-{}", host.process());
        let share = (f64::from(period) * SHARE).round();
        for (root, file, text) in [
            ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", format!("{share}")),
            ("/sys/fs/cgroup", "cpu.max", format!("{share} {period}")),
        ] {
            let group = PathBuf::from(root).join(&name);
            if fs::create_dir(&group).is_err() {
                continue;
            }
            let quota = Self(group);
            if file == "cpu.cfs_quota_us" {
                let _ = fs::write(quota.0.join("cpu.cfs_period_us"), period.to_string());
            }
            if fs::write(quota.0.join(file), text).is_ok()
                && fs::write(quota.0.join("cgroup.procs"), host.process().to_string()).is_ok()
            {
                return Some(quota);
            }
        }
        None
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // Its process goes back to the group above, or has ended; an empty group can be removed.
        let members = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        if let Some(parent) = self.0.parent() {
            for process in members.lines() {
                let _ = fs::write(parent.join("cgroup.procs"), process);
            }
        }
        let _ = fs::remove_dir(&self.0);
    }
}
