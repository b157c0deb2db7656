//! The commands and their arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};
use pawl_core::function::{AliasName, FunctionName};
use pawl_core::limits;

use crate::audit::AuditCommand;
use crate::function::Language;
use crate::key::KeyCommand;
use crate::output::Format;
use crate::place::PlaceArgs;
use crate::settings::{ConnectionArgs, ServeArgs};
use crate::span;

/// Secrets that rotate themselves, over AWS's own wire protocols.
#[derive(Parser)]
#[command(name = "pawl", version, max_term_width = 110)]
pub(crate) struct Cli {
    /// How to print: `text` for people, `json` for machines.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(Box<ServeArgs>),
    /// Create, read and delete secrets.
    Secret {
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// Rotate a secret now, and set how it rotates from now on.
    Rotate(RotateArgs),
    /// Write rotators: begin a project, build it, look at what a component asks for.
    Function {
        #[command(subcommand)]
        command: FunctionCommand,
    },
    /// The root key: move the store to a new one, see how far that is.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Print what happened to secrets, and with --follow what happens.
    Events(EventsArgs),
    /// Look through the audit log, and prove that it is whole. Needs no server.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Check the server, the credentials and the clocks, and say what to do about each.
    Doctor(DoctorArgs),
    /// Write everything that a store holds, sealed as it is, to a file; the server may go on meanwhile.
    Backup(BackupArgs),
    /// Fill an empty store with what a backup holds.
    Restore(RestoreArgs),
    /// Move everything from a data directory to an empty PostgreSQL, and prove that both hold the same. The server must be stopped.
    Migrate(MigrateArgs),
    /// Rotate a real password before your eyes: a PostgreSQL and a Pawl of their own, gone afterwards.
    Demo(DemoArgs),
    /// For developing against Pawl.
    Dev {
        #[command(subcommand)]
        command: DevCommand,
    },
    /// Print the completions of a shell.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Run guests (for Pawl itself).
    #[command(hide = true)]
    Worker,
    /// Compile a component (for Pawl itself).
    #[command(hide = true)]
    Compile,
}

#[derive(Subcommand)]
pub(crate) enum SecretCommand {
    /// Make a secret.
    Create(CreateArgs),
    /// Print a secret's value, and nothing else.
    Get(GetArgs),
    /// List the secrets.
    List(ListArgs),
    /// Print everything about a secret but its value.
    Describe(NamedArgs),
    /// Delete a secret, after a time in which it can be restored.
    Delete(DeleteArgs),
}

#[derive(Args)]
#[command(group = ArgGroup::new("source").multiple(false))]
pub(crate) struct CreateArgs {
    /// The secret's name.
    pub(crate) name: String,
    /// The value itself. Others on this machine can see it in the list of processes: prefer --value-stdin.
    #[arg(long, group = "source")]
    pub(crate) value: Option<String>,
    /// A file that holds the value, byte for byte.
    #[arg(long, group = "source", value_name = "FILE")]
    pub(crate) value_file: Option<PathBuf>,
    /// Read the value from standard input; one line feed at its end is dropped.
    #[arg(long, group = "source")]
    pub(crate) value_stdin: bool,
    /// Have the server make a password for the value.
    #[arg(long, group = "source")]
    pub(crate) generate: bool,
    /// What the secret is for.
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// A tag; may be given several times.
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tags: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
pub(crate) struct GetArgs {
    /// The secret's name or ARN.
    pub(crate) name: String,
    /// The label of the version to read, AWSCURRENT when nothing is said.
    #[arg(long, value_name = "LABEL")]
    pub(crate) version_stage: Option<String>,
    /// The id of the version to read.
    #[arg(long, value_name = "ID")]
    pub(crate) version_id: Option<String>,
    /// Print only this field of a value that is a JSON object.
    #[arg(long)]
    pub(crate) field: Option<String>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// List those too that are scheduled for deletion.
    #[arg(long)]
    pub(crate) include_deleted: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
pub(crate) struct NamedArgs {
    /// The secret's name or ARN.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// The secret's name or ARN.
    pub(crate) name: String,
    /// Days in which it can be restored, 7 to 30; 30 when nothing is said.
    #[arg(long, value_name = "DAYS", conflicts_with = "force")]
    pub(crate) recovery_days: Option<i64>,
    /// Delete it at once and for ever.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
pub(crate) struct RotateArgs {
    /// The secret's name or ARN.
    #[arg(required = false, required_unless_present = "plan", default_value_if("plan", "true", ""))]
    pub(crate) name: String,
    /// Show what the schedules will rotate, in order of time, with warnings; begin nothing.
    #[arg(long, conflicts_with_all = ["name", "function", "schedule", "every", "wait", "check"])]
    pub(crate) plan: bool,
    /// Of the plan, so many days; 30 when nothing is said.
    #[arg(long, value_name = "NUMBER", requires = "plan", conflicts_with = "name",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::PLAN_DAYS_MAX)))]
    pub(crate) days: Option<u32>,
    /// The rotation function: its ARN, or its name in the secret's region and account. Needed once.
    #[arg(long, value_name = "ARN|NAME")]
    pub(crate) function: Option<String>,
    /// From now on rotate by this schedule: `rate(30 days)` or `cron(0 4 1 * ? *)`.
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "every")]
    pub(crate) schedule: Option<String>,
    /// From now on rotate this often: `30d`, `12h`.
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    pub(crate) every: Option<Duration>,
    /// Look whether what the secret holds is what the database has; if it is not, heal it by a rotation, and wait for that.
    #[arg(long, group = "followed", conflicts_with_all = ["function", "schedule", "every"])]
    pub(crate) check: bool,
    /// With --check: look, and change nothing. Exit code 1 when the secret has drifted.
    #[arg(long, requires = "check")]
    pub(crate) no_repair: bool,
    /// Wait for the rotation's end and show each step.
    #[arg(long, group = "followed")]
    pub(crate) wait: bool,
    /// How long to wait. The rotation itself goes on after that.
    #[arg(long, value_name = "TIME", value_parser = span::parse, requires = "followed")]
    pub(crate) timeout: Option<Duration>,
    /// Show the rotations that there were, the newest first, and begin none.
    #[arg(long, conflicts_with_all = ["function", "schedule", "every", "wait", "check"])]
    pub(crate) history: bool,
    /// Of the history, so many.
    #[arg(long, value_name = "NUMBER", requires = "history", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) last: u32,
    /// Of the history, each with its steps and what they wrote.
    #[arg(long, requires = "history")]
    pub(crate) details: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
pub(crate) struct EventsArgs {
    /// Print each event as it comes, until Ctrl-C.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Begin after the event of this number; 0 is before the oldest. Without it: the latest ones, or with --follow those to come.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) after: Option<u64>,
    /// Only events of this type, such as RotationFailed; may be given several times.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Only events of this secret, by its name or ARN.
    #[arg(long, value_name = "NAME")]
    pub(crate) secret: Option<String>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// Look at a certificate before a server is given it, too: this file, as PEM ...
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// ... and its key, as PEM ...
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// ... and the authorities by which clients' certificates are to be verified.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
pub(crate) struct BackupArgs {
    /// The file to be written. It must not exist.
    pub(crate) file: PathBuf,
    /// Do not read the backup back and open every value in it.
    #[arg(long)]
    pub(crate) no_verify: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// The backup.
    pub(crate) file: PathBuf,
    /// Restore it even if a value in it does not open. That it was not changed is verified all the same.
    #[arg(long)]
    pub(crate) no_verify: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Leave everything running until Ctrl-C, and say how to play with it.
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Subcommand)]
pub(crate) enum FunctionCommand {
    /// Begin a rotator in a new directory of its name. Needs no checkout of Pawl: the SDK is written into it.
    New {
        /// The function's name.
        name: FunctionName,
        /// The language that it is written in.
        #[arg(long, value_enum, default_value_t = Language::Rust)]
        lang: Language,
    },
    /// Build a project, and write the component with its manifest, `pawl.toml`, beside that.
    Build(FunctionBuildArgs),
    /// Run the four steps against a throw-away target, each twice and with crashes, in a host's own sandbox, and report like a test
    /// runner. Starts no server and needs none.
    Test(FunctionTestArgs),
    /// Upload a component to a server as a function, or as a new version of one, and let it rotate secrets.
    Deploy(FunctionDeployArgs),
    /// List the functions of a server.
    List {
        /// List the versions of this function.
        #[arg(long, value_name = "NAME")]
        versions_of: Option<FunctionName>,
        #[command(flatten)]
        connection: ConnectionArgs,
    },
    /// Delete a function. A rotation that runs goes on with what it began with.
    Delete {
        /// The function.
        name: FunctionName,
        /// Only this version of it.
        #[arg(long, value_name = "NUMBER")]
        version: Option<u64>,
        #[command(flatten)]
        connection: ConnectionArgs,
    },
    /// Approve what functions of a name may reach: what the manifest asks for, and no longer anything else.
    Approve {
        /// The function, which need not exist yet.
        name: FunctionName,
        /// A `pawl.toml`, or a component that carries one.
        file: PathBuf,
        #[command(flatten)]
        connection: ConnectionArgs,
    },
    /// Show what is approved for a function, and what its versions ask for.
    Grants {
        /// The function.
        name: FunctionName,
        #[command(flatten)]
        connection: ConnectionArgs,
    },
    /// Print what a function has written, and what each step of it took.
    Logs {
        /// The function.
        name: FunctionName,
        /// Print each line as it comes, until Ctrl-C.
        #[arg(long)]
        follow: bool,
        #[command(flatten)]
        connection: ConnectionArgs,
    },
    /// Show what a component imports and asks for, and whether a server would take it.
    Inspect {
        /// The component.
        file: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct FunctionBuildArgs {
    /// The project's directory, where its `pawl.toml` is.
    #[arg(default_value = ".")]
    pub(crate) project: PathBuf,
    /// A component that something else has built.
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct FunctionDeployArgs {
    /// A project's directory, which is built, or a component.
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    pub(crate) what: PathBuf,
    /// A component that something else has built, to be given the project's manifest.
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// The function's name; that of the component when nothing is said.
    #[arg(long)]
    pub(crate) name: Option<FunctionName>,
    /// Publish it as a version with a number.
    #[arg(long)]
    pub(crate) publish: bool,
    /// Publish it, and point this alias to the version.
    #[arg(long, value_name = "NAME", value_parser = alias)]
    pub(crate) alias: Option<String>,
    /// Do not allow secretsmanager.amazonaws.com to invoke it. No secret can be rotated by it without.
    #[arg(long)]
    pub(crate) no_permission: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
#[command(group = ArgGroup::new("target").multiple(false))]
pub(crate) struct FunctionTestArgs {
    /// The project's directory, where its `pawl.toml` is.
    #[arg(default_value = ".")]
    pub(crate) project: PathBuf,
    /// A component that something else has built.
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// A throw-away PostgreSQL, by a login that may make roles: postgres://ADMIN:PASSWORD@HOST:PORT/DATABASE. The test makes an account
    /// there and removes it. [env: PAWL_TEST_DATABASE]
    #[arg(long, value_name = "URL", group = "target")]
    pub(crate) database: Option<String>,
    /// A file with the secret's first value, such as a login that works at a service of yours. The test rotates it, and leaves the
    /// value that works then in the file.
    #[arg(long, value_name = "FILE", group = "target")]
    pub(crate) secret: Option<PathBuf>,
    /// Certificate authorities (PEM) that the database is verified by, besides the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) database_ca: Option<PathBuf>,
    /// A variable of the rotator's environment; may be given several times.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) variables: Vec<(String, String)>,
    /// Test where the kernel cannot confine a worker process, too.
    #[arg(long)]
    pub(crate) unconfined_workers: bool,
}

#[derive(Subcommand)]
pub(crate) enum DevCommand {
    /// The development clock.
    Clock {
        #[command(subcommand)]
        command: ClockCommand,
    },
}

#[derive(Subcommand)]
pub(crate) enum ClockCommand {
    /// Move the clock of a server that was started with --dev-clock.
    Advance {
        /// How far: `30d`, `12h`, `90s`.
        #[arg(value_name = "TIME", value_parser = span::parse)]
        by: Duration,
        #[command(flatten)]
        connection: ConnectionArgs,
    },
}

fn alias(text: &str) -> Result<String, String> {
    text.parse::<AliasName>().map(|name| name.to_string()).map_err(|error| error.to_string())
}

fn variable(text: &str) -> Result<(String, String), String> {
    tag(text).map_err(|_| "a variable is NAME=VALUE".to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a tag is KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_are_taken_where_they_belong() {
        let cli = parse(
            "pawl rotate prod/db --function pawl-postgres-single-user --every 30d --wait --timeout 90s",
        )
        .unwrap();
        let Command::Rotate(args) = cli.command else { panic!("not rotate") };
        assert_eq!(args.every, Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(args.timeout, Some(Duration::from_secs(90)));
        assert!(args.wait);

        let Command::Rotate(args) = parse("pawl rotate --plan --days 7").unwrap().command else {
            panic!("not rotate")
        };
        assert_eq!((args.plan, args.days, args.name.as_str()), (true, Some(7), ""));

        let cli = parse("pawl secret create a --tag k=v --tag e= --generate --output json").unwrap();
        assert_eq!(cli.output, Format::Json);
        let Command::Secret { command: SecretCommand::Create(args) } = cli.command else {
            panic!("not create")
        };
        assert_eq!(args.tags, [("k".to_owned(), "v".to_owned()), ("e".to_owned(), String::new())]);

        let cli = parse("pawl dev clock advance 30d --endpoint-url http://127.0.0.1:1").unwrap();
        let Command::Dev { command: DevCommand::Clock { command: ClockCommand::Advance { by, connection } } } =
            cli.command
        else {
            panic!("not advance")
        };
        assert_eq!(by, Duration::from_secs(30 * 86_400));
        assert_eq!(connection.endpoint_url.as_deref(), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in [
            "pawl secret create a --value x --generate",
            "pawl secret create a --value-stdin --value-file f",
            "pawl secret create a --tag =v",
            "pawl secret delete a --force --recovery-days 7",
            "pawl rotate a --every 30d --schedule rate(1day)",
            "pawl rotate a --timeout 9s",
            "pawl rotate a --last 3",
            "pawl rotate a --history --wait",
            "pawl rotate a --history --last 0",
            "pawl rotate",
            "pawl rotate a --plan",
            "pawl rotate a --check --wait",
            "pawl rotate a --no-repair",
            "pawl rotate --plan --wait",
            "pawl rotate --plan --days 0",
            "pawl rotate a --days 3",
            "pawl rotate a --every soon",
            "pawl dev clock advance 0s",
            "pawl backup",
            "pawl restore --data-dir d",
            "pawl migrate file --data-dir d",
            "pawl function test --database postgres://a@b/c --secret f",
            "pawl function test --variable =v",
            "pawl",
            "pawl nothing",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
