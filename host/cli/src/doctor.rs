//! `pawl doctor`: what is right, what is not, and what to do about it.

use std::time::Duration;

use chrono::DateTime;
use pawl_api::ErrorCode;
use pawl_api::pawl::{
    CertificateView, DescribeHostRequest, DescribeHostResponse, RotationStatesView, StoreView,
};
use pawl_core::limits;
use pawl_core::world::Timestamp;
use pawl_server::{Certificate, TlsSettings};
use serde::Serialize;

use crate::arguments::DoctorArgs;
use crate::client::{Client, ClientError};
use crate::output::{Format, Printer, plain};
use crate::settings::Environment;
use crate::{CommandError, connect, span};

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    state: State,
    what: String,
    #[serde(rename = "Do", skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    checks: Vec<Check>,
}

fn ok(what: impl Into<String>) -> Check {
    Check { state: State::Ok, what: what.into(), remedy: None }
}

fn warn(what: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check { state: State::Warn, what: what.into(), remedy: Some(remedy.into()) }
}

fn fail(what: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check { state: State::Fail, what: what.into(), remedy: Some(remedy.into()) }
}

/// Looks at everything that it can reach; fails when anything is wrong.
pub(crate) fn run(
    args: &DoctorArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let mut checks: Vec<Check> = files(args).map(|files| read(&files, client.wall())).into_iter().collect();
    checks.extend(examine(&client));
    let failed = checks.iter().any(|check| check.state == State::Fail);
    match printer.format {
        Format::Json => printer.json(&Report { checks })?,
        Format::Text => {
            for line in checks.iter().flat_map(lines) {
                printer.line(&line)?;
            }
        }
    }
    if failed { Err(CommandError::Reported) } else { Ok(()) }
}

/// The files that a server is to be given.
fn files(args: &DoctorArgs) -> Option<TlsSettings> {
    let (certificate, key) = args.tls_cert.clone().zip(args.tls_key.clone())?;
    Some(TlsSettings { certificate, key, client_ca: args.tls_client_ca.clone() })
}

/// Looks at them as a server would.
fn read(files: &TlsSettings, now: Timestamp) -> Check {
    let shown = files.certificate.display();
    match Certificate::read(files) {
        Err(error) => fail(error.to_string(), "a server would not take these files"),
        Ok(Certificate { subject, begins_at, ends_at }) => {
            let what = format!("the certificate in `{shown}`, of {subject}, whose key fits,");
            lasts(&what, begins_at, ends_at, now)
        }
    }
}

/// Whether a certificate is valid, and for how long.
fn lasts(what: &str, begins_at: Timestamp, ends_at: Timestamp, now: Timestamp) -> Check {
    let remedy =
        "put a new one and its key into the server's files: it is taken into force without a restart";
    if begins_at > now {
        let until = Duration::from_millis(begins_at.millis_since(now));
        return fail(format!("{what} is not valid yet, for {}", span::show(until)), "look at the clocks");
    }
    if ends_at <= now {
        let since = Duration::from_millis(now.millis_since(ends_at));
        return fail(format!("{what} has EXPIRED, {} ago", span::show(since)), remedy);
    }
    let left = ends_at.millis_since(now);
    let text = format!("{what} ends in {}, on {}", span::show(Duration::from_millis(left)), ends_at.utc());
    let share = ends_at.millis_since(begins_at) / limits::CERTIFICATE_SHARE_LEFT;
    let soon = u64::try_from(limits::CERTIFICATE_ENDS_SOON.as_millis()).unwrap_or(u64::MAX);
    if left < share.min(soon) { warn(text, remedy) } else { ok(text) }
}

/// The certificate that a server serves, and what it would do with what its files hold now.
fn certificate(view: &CertificateView, now: Timestamp) -> Vec<Check> {
    let what = format!("the certificate that is served, of {},", view.subject);
    let mut checks = vec![lasts(&what, view.begins_at.0, view.ends_at.0, now)];
    if let Some(problem) = &view.problem {
        checks.push(fail(
            format!("its files hold something else now, which the server does not take: {problem}"),
            "the certificate from before stays in force until it ends; put a certificate there, and the key that is its own",
        ));
    }
    checks
}

fn lines(check: &Check) -> Vec<String> {
    let state = match check.state {
        State::Ok => "ok",
        State::Warn => "warn",
        State::Fail => "FAIL",
    };
    let mut lines = vec![plain(&format!("{state:<5} {}", check.what))];
    lines.extend(check.remedy.as_ref().map(|remedy| plain(&format!("      -> {remedy}"))));
    lines
}

fn examine(client: &Client) -> Vec<Check> {
    let mut checks = Vec::new();
    match client.health("/healthz") {
        Ok(health) if health.status == 200 => {
            checks.push(ok(format!("a server answers at {} ({})", client.url(), span::show(health.took))));
            checks.extend(health.date.and_then(|date| clocks(&date, client.wall())));
            if client.is_heard_by_others() {
                checks.push(warn(
                    "secrets cross the network in clear between this command and the server",
                    "give the server a certificate (--tls-cert, --tls-key), or use a tunnel",
                ));
            }
        }
        Ok(health) => checks.push(fail(
            format!("{} answers /healthz with status {}", client.url(), health.status),
            "is this Pawl's address? Give the right one with --endpoint-url or PAWL_ENDPOINT_URL",
        )),
        Err(error @ ClientError::Distrust { .. }) => {
            checks.push(fail(error.to_string(), "a server is there; make the two trust each other first"));
            checks.extend(identity(client));
            return checks;
        }
        Err(error) => {
            checks.push(fail(
                error.to_string(),
                "start it with `pawl serve --data-dir DIR`, or give its address with --endpoint-url or PAWL_ENDPOINT_URL",
            ));
            checks.extend(identity(client));
            return checks;
        }
    }
    match client.health("/readyz") {
        Ok(health) if health.status == 200 => checks.push(ok("it is ready")),
        Ok(_) | Err(_) => checks.push(fail("it is not ready", "its log says what it waits for")),
    }
    checks.extend(identity(client));
    if client.credentials().is_some() {
        match client.call(&DescribeHostRequest {}) {
            Ok(host) => checks.extend(of_host(&host)),
            Err(error) => checks.push(refused(&error)),
        }
    }
    checks
}

fn identity(client: &Client) -> Option<Check> {
    Some(match client.credentials() {
        Some(found) => ok(format!("access key {}, from {}", found.access_key_id, found.source)),
        None => fail(
            "no credentials",
            "give --data-dir DIR (the server's, for its root key) or --profile NAME, or set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY",
        ),
    })
}

/// Compares the server's header `Date` with this machine's clock.
fn clocks(date: &str, wall: Timestamp) -> Option<Check> {
    let server = Timestamp::from(DateTime::parse_from_rfc2822(date).ok()?.to_utc());
    let apart = Duration::from_millis(server.millis_since(wall).max(wall.millis_since(server)));
    let remedy = "set both machines' clocks by NTP; signatures are refused when they are too far apart";
    // The header has whole seconds.
    let text = format!("the server's clock and this machine's are {} apart", span::show(apart));
    Some(if apart >= limits::SIGNATURE_SKEW_MAX {
        fail(text, remedy)
    } else if apart >= limits::CLOCK_SKEW_WARN {
        warn(text, remedy)
    } else {
        ok("the server's clock and this machine's agree")
    })
}

fn refused(error: &ClientError) -> Check {
    let remedy = match error.code() {
        Some(ErrorCode::UnrecognizedClientException) => {
            "this server does not know the access key: take the one in DIR/root-credentials (--data-dir DIR)"
        }
        Some(ErrorCode::InvalidSignatureException) => {
            "the secret key is wrong, or the clocks are too far apart, or something between changes the request"
        }
        Some(ErrorCode::AccessDeniedException) => "ask for a policy that allows pawl:DescribeHost",
        Some(ErrorCode::UnknownOperationException) => {
            "the server is no Pawl, or an older one than this command"
        }
        _ => "the server's log says more, under the same time",
    };
    fail(error.to_string(), remedy)
}

fn of_host(host: &DescribeHostResponse) -> Vec<Check> {
    let mut checks = vec![ok(format!("signed calls work: account {}, region {}", host.account, host.region))];
    let ours = env!("CARGO_PKG_VERSION");
    checks.push(if host.version == ours {
        ok(format!("server and command are version {ours}"))
    } else {
        warn(
            format!("the server is version {}, and this command is {ours}", host.version),
            "use the command that came with the server",
        )
    });
    checks.push(match host.clock.kind.as_str() {
        "System" => ok("it runs by the system's clock"),
        _ => warn(
            format!(
                "it runs by a development clock, moved by {}",
                span::show(Duration::from_secs(host.clock.advanced_seconds))
            ),
            "in production, start it without --dev-clock",
        ),
    });
    checks.extend(host.certificate.iter().flat_map(|view| certificate(view, host.clock.wall.0)));
    checks.extend(store(&host.store));
    checks.extend(leases(host));
    checks.extend(host.store.rotations.iter().flat_map(rotations));
    let key = host.keyring.key_id.as_deref().map(|id| format!(", key {id}")).unwrap_or_default();
    checks.push(ok(format!("keyring: {}{key}", host.keyring.kind)));
    if host.functions.is_empty() {
        let remedy = "this build has none built in; give some with --functions-dir";
        checks.push(warn("no rotation function is ready", remedy));
    }
    for function in &host.functions {
        let engines = function.engines.join(", ");
        checks.push(ok(format!("function {} ({engines}) {}", function.function_arn, function.digest)));
    }
    checks
}

fn store(store: &StoreView) -> Vec<Check> {
    let place = store.location.as_deref().map(|at| format!(" at {at}")).unwrap_or_default();
    let secrets = store.secrets.map(|count| format!(", {count} secrets")).unwrap_or_default();
    let mut checks = vec![ok(format!("store: {}{place}{secrets}", store.kind))];
    checks.extend(store.durability.as_ref().map(|how| ok(format!("what is acknowledged is durable: {how}"))));
    for problem in store.problems.iter().flatten() {
        checks.push(fail(format!("store: {problem}"), "mend it, or restore the store from a backup"));
    }
    if let Some(ahead) = store.clock_ahead_milliseconds {
        let apart = Duration::from_millis(ahead.unsigned_abs());
        let text = format!("the store's clock and the server's are {} apart", span::show(apart));
        // Leases live by the store's clock alone; schedules by the host's.
        checks.push(if apart >= limits::CLOCK_SKEW_WARN {
            warn(text, "set both machines' clocks by NTP; rotations would begin early or late by as much")
        } else {
            ok("the store's clock and the server's agree")
        });
    }
    checks
}

/// How the rotations stand; those that wait for a person are named.
fn rotations(states: &RotationStatesView) -> Vec<Check> {
    let RotationStatesView { running, waiting, failed, stranded, .. } = states;
    let mut checks = vec![ok(format!("rotations on their way: {running}"))];
    if *waiting > 0 {
        checks.push(warn(
            format!(
                "rotations that wait after a failure: {waiting}{}",
                some(&states.waiting_secrets, *waiting)
            ),
            "they are tried again by themselves; `pawl rotate NAME --history` says why each waits",
        ));
    }
    if *failed > 0 {
        checks.push(fail(
            format!("rotations that have failed: {failed}{}", some(&states.failed_secrets, *failed)),
            "`pawl rotate NAME --history` says why; put that right, then run `pawl rotate NAME --wait`",
        ));
    }
    if *stranded > 0 {
        checks.push(fail(
            format!("rotations that are STRANDED: {stranded}{}", some(&states.stranded_secrets, *stranded)),
            "applications may be locked out: AWSPENDING holds the password that works. `pawl rotate NAME --history` says \
             why; put that right, then run `pawl rotate NAME --wait`, which goes on with the same password",
        ));
    }
    checks
}

/// The names of some of `all`.
fn some(named: &[String], all: u64) -> String {
    let more = all.saturating_sub(u64::try_from(named.len()).unwrap_or(u64::MAX));
    match (named.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(" ({})", named.join(", ")),
        (false, more) => format!(" ({} and {more} more)", named.join(", ")),
    }
}

fn leases(host: &DescribeHostResponse) -> Vec<Check> {
    let Some(leases) = &host.store.leases else { return Vec::new() };
    let own = leases.iter().filter(|lease| Some(&lease.host) == host.host_id.as_ref()).count();
    let id = host.host_id.as_deref().unwrap_or("unknown");
    let mut checks = vec![ok(format!(
        "host {id}; rotations claimed: {own} by it, {} by other hosts of this store",
        leases.len().saturating_sub(own)
    ))];
    for lease in leases.iter().filter(|lease| lease.milliseconds_left < 0) {
        let since = span::show(Duration::from_millis(lease.milliseconds_left.unsigned_abs()));
        checks.push(warn(
            format!(
                "the lease of host {} on {} ended {since} ago, and nobody has claimed it",
                lease.host, lease.secret_arn
            ),
            "a serving host claims it within seconds; look at the hosts' logs if this stays",
        ));
    }
    checks
}

#[cfg(test)]
mod tests {
    use pawl_api::pawl::{ClockView, FunctionView, KeyringView, LeaseView};

    use super::*;

    #[test]
    fn clocks_may_be_a_little_apart() {
        let wall = Timestamp::from_millis(1_785_000_000_400);
        let state = |date: &str| clocks(date, wall).map(|check| check.state);
        assert_eq!(state("Sat, 25 Jul 2026 17:20:00 GMT"), Some(State::Ok));
        assert_eq!(state("Sat, 25 Jul 2026 17:18:50 GMT"), Some(State::Warn));
        assert_eq!(state("Sat, 25 Jul 2026 17:26:00 GMT"), Some(State::Fail));
        assert_eq!(state("now"), None);
    }

    fn lease(host: &str, milliseconds_left: i64) -> LeaseView {
        LeaseView { secret_arn: "arn:s".to_owned(), host: host.to_owned(), epoch: 1, milliseconds_left }
    }

    #[test]
    fn a_host_is_judged_line_by_line() {
        let host = DescribeHostResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            clock: ClockView {
                kind: "Development".to_owned(),
                advanced_seconds: 2_592_000,
                ..Default::default()
            },
            host_id: Some("h1".to_owned()),
            store: StoreView {
                kind: "PostgreSQL".to_owned(),
                location: Some("`postgres://db/pawl`".to_owned()),
                secrets: Some(3),
                durability: Some("synchronous_commit=on".to_owned()),
                problems: Some(vec!["fsync is off".to_owned()]),
                clock_ahead_milliseconds: Some(-90_000),
                leases: Some(vec![lease("h1", 4_000), lease("h2", -7_000)]),
                rotations: Some(RotationStatesView {
                    running: 2,
                    failed: 3,
                    stranded: 1,
                    failed_secrets: vec!["arn:s1".to_owned(), "arn:s2".to_owned()],
                    stranded_secrets: vec!["arn:s3".to_owned()],
                    ..Default::default()
                }),
                ..Default::default()
            },
            keyring: KeyringView { kind: "File".to_owned(), key_id: Some("k1".to_owned()) },
            functions: vec![FunctionView {
                function_arn: "arn:f".to_owned(),
                digest: "sha256:00".to_owned(),
                engines: vec!["postgres".to_owned()],
            }],
            ..Default::default()
        };
        let lines: Vec<String> = of_host(&host).iter().flat_map(lines).collect();
        assert_eq!(
            lines.join("\n"),
            format!(
                "ok    signed calls work: account 000000000000, region us-east-1
ok    server and command are version {version}
warn  it runs by a development clock, moved by 30 d
      -> in production, start it without --dev-clock
ok    store: PostgreSQL at `postgres://db/pawl`, 3 secrets
ok    what is acknowledged is durable: synchronous_commit=on
FAIL  store: fsync is off
      -> mend it, or restore the store from a backup
warn  the store's clock and the server's are 1 min 30 s apart
      -> set both machines' clocks by NTP; rotations would begin early or late by as much
ok    host h1; rotations claimed: 1 by it, 1 by other hosts of this store
warn  the lease of host h2 on arn:s ended 7.0 s ago, and nobody has claimed it
      -> a serving host claims it within seconds; look at the hosts' logs if this stays
ok    rotations on their way: 2
FAIL  rotations that have failed: 3 (arn:s1, arn:s2 and 1 more)
      -> `pawl rotate NAME --history` says why; put that right, then run `pawl rotate NAME --wait`
FAIL  rotations that are STRANDED: 1 (arn:s3)
      -> applications may be locked out: AWSPENDING holds the password that works. `pawl rotate NAME --history` says why; put that right, then run `pawl rotate NAME --wait`, which goes on with the same password
ok    keyring: File, key k1
ok    function arn:f (postgres) sha256:00",
                version = env!("CARGO_PKG_VERSION")
            )
        );
    }

    #[test]
    fn a_certificate_is_judged_by_what_is_left_of_it() {
        const DAY: u64 = 86_400;
        let begins = Timestamp::from_millis(1_785_000_000_000);
        let state = |days: u64, day: u64| {
            let check = lasts("it", begins, begins.plus_seconds(days * DAY), begins.plus_seconds(day * DAY));
            check.state
        };
        assert_eq!(
            [state(90, 1), state(90, 75), state(90, 77), state(90, 90)],
            [State::Ok, State::Ok, State::Warn, State::Fail]
        );
        // One of a week has a day and a half left when it should have been renewed.
        assert_eq!([state(7, 1), state(7, 5), state(7, 6)], [State::Ok, State::Ok, State::Warn]);
        assert_eq!(lasts("it", begins.plus_seconds(9), begins.plus_seconds(99), begins).state, State::Fail);
        let view = CertificateView {
            subject: "CN=pawl".to_owned(),
            begins_at: begins.into(),
            ends_at: begins.plus_seconds(90 * DAY).into(),
            problem: Some("the key in `k` is not that of the certificate in `c`".to_owned()),
        };
        let lines: Vec<String> =
            certificate(&view, begins.plus_seconds(80 * DAY)).iter().flat_map(lines).collect();
        assert_eq!(
            lines.join("\n"),
            "warn  the certificate that is served, of CN=pawl, ends in 10 d, on 2026-10-23 17:20:00 UTC
      -> put a new one and its key into the server's files: it is taken into force without a restart
FAIL  its files hold something else now, which the server does not take: the key in `k` is not that of the certificate in `c`
      -> the certificate from before stays in force until it ends; put a certificate there, and the key that is its own"
        );
    }

    #[test]
    fn a_refusal_comes_with_its_remedy() {
        let error =
            ClientError::Refused { code: "AccessDeniedException".to_owned(), message: "no".to_owned() };
        assert_eq!(
            refused(&error),
            fail("no (AccessDeniedException)", "ask for a policy that allows pawl:DescribeHost")
        );
    }
}
