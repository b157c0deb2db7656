//! The conformance suite: cases as data (`cases/`), each with the source of its expectation, judged by AWS's own clients.
//!
//! Every case has a region of its own, and so a Secrets Manager of its own. `PAWL_TEST_CASES=text` runs only the cases whose
//! file or name has the text in it.

mod clients;
mod coverage;
mod script;
mod values;

use std::collections::BTreeSet;
use std::time::Duration;

use clients::{Boto3, Client, CommandLine, NEWER, Node, Reply, RustSdk, Wire};
use coverage::Pair;
use pawl_tests::pawl::{Options, POSTGRES_ROTATOR, Pawl, REGION};
use pawl_tests::postgres::Postgres;
use pawl_tests::wait::eventually;
use script::{Call, Case, Expected, Message, Step};
use values::Known;

/// The files of `cases/`.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("cases/", $name, ".case")))),*]
    };
}

const FILES: &[(&str, &str)] = &files![
    "wire",
    "ids",
    "limits",
    "tokens",
    "secrets",
    "labels",
    "deletion",
    "tags",
    "passwords",
    "batch",
    "lists",
    "policies",
    "replication",
    "rotation",
];

/// Roles of the database for the cases of rotation: each for one case.
const ROLES: [&str; 6] = ["r1", "r2", "r3", "r4", "r5", "r6"];

/// How long what happens by itself may take.
const AWAIT_LIMIT: Duration = Duration::from_secs(60);

fn cases() -> Vec<Case> {
    let all: Vec<Case> = FILES.iter().flat_map(|(file, text)| script::read(file, text)).collect();
    let mut names = BTreeSet::new();
    for case in &all {
        assert!(names.insert(&case.name), "two cases are called `{}`", case.name);
    }
    let wanted = wanted();
    all.into_iter().filter(|case| case.file.contains(&wanted) || case.name.contains(&wanted)).collect()
}

#[expect(clippy::disallowed_methods, reason = "a tester's own choice, not a setting of the product")]
fn wanted() -> String {
    std::env::var("PAWL_TEST_CASES").unwrap_or_default()
}

/// Plays cases through one client, and keeps what they showed.
struct Stage<'a> {
    pawl: &'a Pawl,
    client: &'a mut dyn Client,
    wire: Wire,
    provoked: BTreeSet<Pair>,
    /// What the client could not say, and the wire said instead.
    unsayable: BTreeSet<String>,
    ahead: u64,
    regions: usize,
    database: Option<Postgres>,
}

impl<'a> Stage<'a> {
    fn new(pawl: &'a Pawl, client: &'a mut dyn Client) -> Self {
        let (wire, provoked, unsayable) = (Wire::to(pawl), BTreeSet::new(), BTreeSet::new());
        Self { pawl, client, wire, provoked, unsayable, ahead: 0, regions: 0, database: None }
    }

    /// Plays all of them; gives what was not as it must be.
    fn play<'c>(&mut self, cases: impl IntoIterator<Item = &'c Case>) -> Vec<String> {
        cases.into_iter().filter_map(|case| self.play_one(case).err()).collect()
    }

    fn play_one(&mut self, case: &Case) -> Result<(), String> {
        self.regions += 1;
        let number = self.regions;
        let mut known = Known::new(&format!("xa-case-{number}"), &format!("xb-case-{number}"));
        known.bind("third", &format!("xc-case-{number}").into());
        known.bind("rotator", &POSTGRES_ROTATOR.replace(REGION, &format!("xa-case-{number}")).into());
        if case.file == "rotation" {
            self.bind_databases(&mut known);
        }
        for step in &case.steps {
            match step {
                Step::Advance(hours) => {
                    let _ = self.pawl.cli(&["dev", "clock", "advance", &format!("{hours}h")]).ok();
                    self.ahead += hours * 3600;
                }
                Step::Call(call) => {
                    known.ahead = self.ahead;
                    self.play_call(call, &mut known).map_err(|why| {
                        format!(
                            "{}.case:{} {}\n  {} ({}): {why}\n",
                            case.file, call.line, case.name, call.operation, case.source
                        )
                    })?;
                }
            }
        }
        Ok(())
    }

    /// `{unreachable}`, and `{database_r1}` to `{database_r6}`: secrets for roles of a real PostgreSQL.
    fn bind_databases(&mut self, known: &mut Known) {
        let postgres = self.database.get_or_insert_with(|| {
            let postgres = Postgres::start();
            for role in ROLES {
                postgres.create_role(role, "first-password");
            }
            postgres
        });
        for role in ROLES {
            let secret = crate::database_secret(postgres.port(), role, "first-password");
            known.bind(&format!("database_{role}"), &secret.into());
        }
        // Nobody listens on port 1.
        known.bind("unreachable", &crate::database_secret(1, "nobody", "first-password").into());
    }

    fn play_call(&mut self, call: &Call, known: &mut Known) -> Result<(), String> {
        for n in 0..call.repeat {
            known.bind("n", &n.into());
            let region = known.filled(call.region.as_deref().unwrap_or("{region}"));
            if call.awaits {
                let mut last = String::new();
                let limit = std::time::Instant::now() + AWAIT_LIMIT;
                eventually("an answer that fits, or the limit", AWAIT_LIMIT * 2, || {
                    let input = known.made(&call.input);
                    let reply = self.ask(call, &region, &input);
                    last = judge(&call.expected, &reply, known).err().unwrap_or_default();
                    (last.is_empty() || std::time::Instant::now() > limit).then_some(())
                });
                if !last.is_empty() {
                    return Err(format!("awaited in vain: {last}"));
                }
            } else {
                let input = known.made(&call.input);
                let reply = self.ask(call, &region, &input);
                judge(&call.expected, &reply, known)?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, call: &Call, region: &str, input: &serde_json::Value) -> Reply {
        let mut reply = if call.raw {
            self.wire.send(region, &call.operation, input)
        } else {
            self.client.call(region, &call.operation, input)
        };
        if let Reply::Unsayable(what) = &reply {
            self.unsayable.insert(what.clone());
            reply = self.wire.call(region, &call.operation, input);
        }
        let what = match &reply {
            Reply::Failure { code, .. } => code.as_str(),
            _ => "-",
        };
        self.provoked.insert((call.operation.clone(), what.to_owned()));
        reply
    }
}

/// Holds an answer against what was expected.
fn judge(expected: &Expected, reply: &Reply, known: &mut Known) -> Result<(), String> {
    match (expected, reply) {
        (Expected::Success, Reply::Success(_)) => Ok(()),
        (Expected::Whole(wanted), Reply::Success(got)) => known.meets(wanted, got, true),
        (Expected::Part(wanted), Reply::Success(got)) => known.meets(wanted, got, false),
        (Expected::Failure { codes, .. }, Reply::Success(got)) => {
            Err(format!("{} is wanted, it succeeded with {got}", codes.join(" or ")))
        }
        (Expected::Failure { codes, message: wanted }, Reply::Failure { code, message, status }) => {
            let right = match wanted {
                None => true,
                Some(Message::Is(text)) => known.filled(text) == *message,
                Some(Message::Has(text)) => message.contains(&known.filled(text)),
            };
            if codes.contains(code) && right && *status == 400 {
                return Ok(());
            }
            let wanted = match wanted {
                Some(Message::Is(text) | Message::Has(text)) => known.filled(text),
                None => String::new(),
            };
            let codes = codes.join(" or ");
            Err(format!("wanted {codes} \"{wanted}\"\n    came {status} {code} \"{message}\""))
        }
        (_, Reply::Failure { code, message, .. }) => Err(format!("it failed with {code} \"{message}\"")),
        (_, Reply::Unsayable(what)) => Err(format!("the client cannot say {what}")),
    }
}

fn report(client: &str, count: usize, wrong: &[String]) {
    assert!(wrong.is_empty(), "{client}: {} of {count} cases failed\n\n{}", wrong.len(), wrong.join("\n"));
}

/// Plays all cases, those that move the clock on a server of their own.
fn play_all(
    make: &mut dyn FnMut(&Pawl) -> Box<dyn Client>,
) -> (Vec<String>, BTreeSet<Pair>, BTreeSet<String>) {
    let cases = cases();
    let (moving, still): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.moves_clock());
    let (mut wrong, mut provoked, mut unsayable) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (dev_clock, cases) in [(false, still), (true, moving)] {
        if cases.is_empty() {
            continue;
        }
        let pawl = Pawl::start(Options { dev_clock, ..Options::default() });
        let mut client = make(&pawl);
        let mut stage = Stage::new(&pawl, &mut *client);
        let failed = stage.play(cases.iter().copied());
        wrong.extend(failed);
        wrong.extend(stage.wire.wrong.iter().map(|what| format!("on the wire: {what}")));
        provoked.append(&mut stage.provoked);
        unsayable.append(&mut stage.unsayable);
    }
    (wrong, provoked, unsayable)
}

#[test]
fn every_case_holds_on_the_wire() {
    let (wrong, _, _) = play_all(&mut |pawl| Box::new(Wire::to(pawl)));
    report("HTTP", cases().len(), &wrong);
}

#[test]
fn every_case_holds_with_boto3() {
    let (mut wrong, provoked, unsayable) = play_all(&mut |pawl| Box::new(Boto3::to(pawl)));
    if wanted().is_empty() {
        wrong.extend(coverage::check(&provoked));
    }
    let is_newer = |what: &String| NEWER.iter().any(|newer| what.ends_with(newer));
    wrong.extend(unsayable.iter().filter(|what| !is_newer(what)).map(|what| format!("it cannot say {what}")));
    report("boto3", cases().len(), &wrong);
}

#[test]
fn every_case_holds_with_the_sdk_for_javascript() {
    let (wrong, _, _) = play_all(&mut |pawl| Box::new(Node::to(pawl)));
    report("@aws-sdk/client-secrets-manager", cases().len(), &wrong);
}

#[test]
fn every_case_holds_with_the_sdk_for_rust() {
    let (wrong, _, _) = play_all(&mut |pawl| Box::new(RustSdk::to(pawl)));
    report("aws-sdk-secretsmanager", cases().len(), &wrong);
}

#[test]
fn the_model_of_boto3_is_the_one_that_is_covered() {
    let pawl = Pawl::start(Options::default());
    let model = Boto3::to(&pawl).model();
    let known = coverage::model();
    for (operation, errors) in model.as_object().unwrap() {
        for error in errors.as_array().unwrap() {
            let pair = (operation.clone(), error.as_str().unwrap().to_owned());
            assert!(known.contains(&pair), "operations.txt lacks {pair:?}");
        }
    }
}

#[test]
fn every_subcommand_of_the_aws_command_line_runs() {
    let pawl = Pawl::start(Options::default());
    let story = script::read("command_line", include_str!("cases/command_line.case"));
    let mut client = CommandLine(&pawl);
    let (there, mut run) = (client.subcommands(), BTreeSet::new());
    for call in story.iter().flat_map(Case::calls) {
        run.insert(clients::kebab(&call.operation));
    }
    assert_eq!(
        there,
        run.into_iter().collect::<Vec<_>>(),
        "what `aws secretsmanager` has, and what the story runs"
    );
    assert_eq!(there.len(), 23);
    let mut stage = Stage::new(&pawl, &mut client);
    let wrong = stage.play(&story);
    assert!(stage.unsayable.is_empty(), "{:?}", stage.unsayable);
    report("aws", story.len(), &wrong);
}
