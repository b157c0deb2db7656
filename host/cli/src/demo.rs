//! `pawl demo`: a PostgreSQL role's password, rotated before one's eyes, on servers that are there for nothing else.

mod postgres;
mod programs;
mod stage;

use std::path::PathBuf;
use std::time::Instant;

use pawl_api::secrets_manager::shapes::GetSecretValueRequest;
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use rustix::process::Signal;
use serde::Deserialize;

use self::postgres::{Login, Postgres, log_file};
use self::programs::{Programs, typed};
use self::stage::{Stage, failed, pause, read};
use crate::arguments::{CreateArgs, DemoArgs, RotateArgs, SecretCommand};
use crate::client::Client;
use crate::output::{Format, Printer};
use crate::settings::{ConnectionArgs, Environment};
use crate::{CommandError, connect, rotate, secret, span};

const SECRET: &str = "demo/shop";
const ROLE: &str = "shop";
const FIRST_PASSWORD: &str = "kept-in-a-wiki-since-2019";
const ROTATOR: &str = "pawl-postgres-single-user";
const REGION: &str = "us-east-1";
/// How the statement begins that gives a role its password.
const STATEMENT: &str = "ALTER ROLE";
/// Characters of that statement that are shown.
const STATEMENT_CHARS: usize = 100;

/// Plays the demo. Whatever comes of it, its servers and its directory are gone afterwards.
pub(crate) fn run(args: &DemoArgs, environment: &Environment<'_>) -> Result<(), CommandError> {
    let programs = Programs::of_machine()?;
    let stage = Stage::build()?;
    let _cleared = Cleared(&stage);
    let mut demo = Demo { stage: &stage, programs, environment, printer: Printer::of_process(Format::Text) };
    let servers = demo.play()?;
    if args.keep { demo.keep(&servers) } else { Ok(()) }
}

/// Clears the stage at the end, whichever end it is.
struct Cleared<'a>(&'a Stage);

impl Drop for Cleared<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// The two servers.
struct Servers {
    postgres: Postgres,
    endpoint: String,
}

struct Demo<'a> {
    stage: &'a Stage,
    programs: Programs,
    environment: &'a Environment<'a>,
    printer: Printer,
}

impl Demo<'_> {
    /// From nothing to a rotated password, and the proof of it.
    fn play(&mut self) -> Result<Servers, CommandError> {
        let from = Instant::now();
        self.printer.line("starting a PostgreSQL and a Pawl of their own ...")?;
        let postgres = Postgres::start(self.stage, &self.programs)?;
        let endpoint = start_pawl(self.stage)?;
        let servers = Servers { postgres, endpoint };
        let postgres = &servers.postgres;
        postgres.admin(self.stage, &format!("CREATE ROLE \"{ROLE}\" LOGIN PASSWORD '{FIRST_PASSWORD}'"))?;
        let version = postgres.admin(self.stage, "SHOW server_version")?;
        let old = SecretBytes::from(FIRST_PASSWORD.to_owned());
        self.say(&format!(
            "PostgreSQL {version}, scram-sha-256, on 127.0.0.1:{}: role `{ROLE}`, password {}",
            postgres.port(),
            hint(&old)
        ))?;
        self.say(&format!("pawl serve, on {}", servers.endpoint))?;

        self.rotate(&servers)?;
        let client = connect(&self.connection(&servers.endpoint), self.environment)?;
        let right = self.prove(postgres, &client, &old)?;
        self.say(&format!("\n{} in all", span::show(from.elapsed())))?;
        if right {
            Ok(servers)
        } else {
            Err(CommandError::Failed("something is not as it should be: see above".to_owned()))
        }
    }

    /// What a person would do, by the same commands.
    fn rotate(&mut self, servers: &Servers) -> Result<(), CommandError> {
        let value = serde_json::json!({
            "engine": "postgres", "host": "127.0.0.1", "port": servers.postgres.port(), "username": ROLE,
            "password": FIRST_PASSWORD, "dbname": "postgres", "ssl": false,
        });
        self.say(&format!("\n$ pawl secret create {SECRET} --value-stdin"))?;
        let create = CreateArgs {
            name: SECRET.to_owned(),
            value: Some(value.to_string()),
            value_file: None,
            value_stdin: false,
            generate: false,
            description: None,
            tags: Vec::new(),
            connection: self.connection(&servers.endpoint),
        };
        secret::run(SecretCommand::Create(create), self.environment, &mut self.printer)?;
        self.say(&format!("\n$ pawl rotate {SECRET} --function {ROTATOR} --wait"))?;
        let rotate = RotateArgs {
            check: false,
            no_repair: false,
            name: SECRET.to_owned(),
            plan: false,
            days: None,
            function: Some(ROTATOR.to_owned()),
            schedule: None,
            every: None,
            wait: true,
            timeout: None,
            history: false,
            last: 1,
            details: false,
            connection: self.connection(&servers.endpoint),
        };
        rotate::run(&rotate, self.environment, &mut self.printer)
    }

    /// Whether all is as it should be, by what PostgreSQL itself says; each finding is shown.
    fn prove(
        &mut self,
        postgres: &Postgres,
        client: &Client,
        old: &SecretBytes,
    ) -> Result<bool, CommandError> {
        let new = password(client, "AWSCURRENT")?;
        let previous = password(client, "AWSPREVIOUS")?;
        let old_login = postgres.login(self.stage, ROLE, old)?;
        let new_login = postgres.login(self.stage, ROLE, &new)?;
        let is_kept = previous.expose() == old.expose();
        self.say("\nwhat psql is told now")?;
        self.say(&format!("  with the old password {}  {}", hint(old), old_login.text()))?;
        self.say(&format!("  with the new password {}  {}", hint(&new), new_login.text()))?;
        let kept = if is_kept { "the old password" } else { "something else" };
        self.say(&format!("  AWSPREVIOUS holds {kept}, {}", hint(&previous)))?;

        let log = read(&log_file(self.stage))?;
        let statement = log.lines().rev().find_map(|line| line.split_once(STATEMENT));
        let shown: String = match statement {
            Some((_, rest)) => STATEMENT.chars().chain(rest.chars()).take(STATEMENT_CHARS).collect(),
            None => "no such statement".to_owned(),
        };
        let leaked = [old, &new].into_iter().any(|password| log.contains(&*text(password)));
        self.say("\nwhat PostgreSQL's log has of it (log_statement = all)")?;
        self.say(&format!("  {shown}…"))?;
        let found = if leaked { "a password is in this log" } else { "neither password is in this log" };
        self.say(&format!("  {found}"))?;
        let logins_are_right = matches!((old_login, new_login), (Login::Refused, Login::Accepted));
        Ok(logins_are_right && is_kept && !leaked && statement.is_some())
    }

    /// Leaves everything running until a signal ends the process, or a server ends by itself.
    fn keep(&mut self, servers: &Servers) -> Result<(), CommandError> {
        let pawl = typed(&own()?);
        let (port, endpoint) = (servers.postgres.port(), &servers.endpoint);
        let credentials = self.data_dir().join("root-credentials");
        self.say("\nThis is left running. To play with it, in another terminal:\n")?;
        self.say("  unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN")?;
        // Each of AWS's tools reads one of the two.
        self.say(&format!(
            "  export AWS_ENDPOINT_URL={endpoint} AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}"
        ))?;
        self.say(&format!("  export AWS_SHARED_CREDENTIALS_FILE={}", credentials.display()))?;
        self.say(&format!("  {pawl} secret describe {SECRET}"))?;
        self.say(&format!("  {pawl} rotate {SECRET} --wait"))?;
        self.say(&format!("  aws secretsmanager get-secret-value --secret-id {SECRET}"))?;
        self.say(&format!(
            "  PGPASSWORD=$({pawl} secret get {SECRET} --field password) \
             psql -h 127.0.0.1 -p {port} -U {ROLE} -d postgres"
        ))?;
        self.say(&format!("  tail -f {}", log_file(self.stage).display()))?;
        self.say(&format!("\nCtrl-C ends it and removes {}", self.stage.dir().display()))?;
        self.stage.done();
        loop {
            if let Some(name) = self.stage.ended() {
                return Err(CommandError::Failed(format!("{name} has ended by itself")));
            }
            pause(limits::ROTATION_POLL);
        }
    }

    fn connection(&self, endpoint: &str) -> ConnectionArgs {
        ConnectionArgs {
            endpoint_url: Some(endpoint.to_owned()),
            region: Some(REGION.to_owned()),
            profile: None,
            data_dir: Some(self.data_dir()),
            ..ConnectionArgs::default()
        }
    }

    fn data_dir(&self) -> PathBuf {
        data_dir(self.stage)
    }

    fn say(&mut self, line: &str) -> Result<(), CommandError> {
        Ok(self.printer.line(line)?)
    }
}

/// Enough of a password to tell it from another.
fn hint(password: &SecretBytes) -> String {
    let shown: String = text(password).chars().take(3).collect();
    format!("{shown}…")
}

fn text(password: &SecretBytes) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(password.expose())
}

/// The password of the version that has a label.
fn password(client: &Client, label: &str) -> Result<SecretBytes, CommandError> {
    let found = client.call(&GetSecretValueRequest {
        secret_id: SECRET.to_owned(),
        version_id: None,
        version_stage: Some(label.to_owned()),
    })?;
    // Serde's own errors would quote the value.
    let fields = found.secret_string.and_then(|value| serde_json::from_slice(value.bytes().expose()).ok());
    let Fields { password } =
        fields.ok_or_else(|| CommandError::Failed(format!("the version with {label} holds no password")))?;
    Ok(SecretBytes::from(password))
}

/// What the demo wants of a value.
#[derive(Deserialize)]
struct Fields {
    password: String,
}

fn data_dir(stage: &Stage) -> PathBuf {
    stage.dir().join("pawl")
}

/// This program.
fn own() -> Result<PathBuf, CommandError> {
    std::env::current_exe().map_err(|error| failed("could not find the pawl binary itself", &error))
}

/// Starts `pawl serve`; its address.
fn start_pawl(stage: &Stage) -> Result<String, CommandError> {
    let mut server = stage.program(&own()?);
    server.args(["serve", "--listen", "127.0.0.1:0", "--region", REGION, "--data-dir"]).arg(data_dir(stage));
    stage.start("pawl serve", server, Signal::TERM, &stage.dir().join("pawl.log"), "pawl: listening on ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_told_by_three_characters() {
        let of = |password: &str| hint(&SecretBytes::from(password.to_owned()));
        assert_eq!(of(FIRST_PASSWORD), "kep…");
        assert_eq!(of("pässword"), "päs…");
        assert_eq!(of(""), "…");
    }
}
