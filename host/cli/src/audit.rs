//! `pawl audit`: works on the files of a data directory, while the server runs or without one.

mod files;
mod query;
mod tail;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::CommandError;
use crate::output::Printer;
use crate::settings::{Environment, SettingsError};

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Prove that the audit log is what was written: every line is chained to the one before, and signed checkpoints cover them. Names
    /// the file and line of whatever was changed, put in or taken out. Exit code 1 when there is anything.
    Verify(VerifyArgs),
    /// Print the records that match, the oldest first: a table, or with --output json one record of CloudTrail's form a line.
    Query(QueryArgs),
    /// Print the latest records, and with --follow those to come.
    Tail(TailArgs),
}

/// Where the log is.
#[derive(Args)]
#[command(next_help_heading = "Audit log")]
pub(crate) struct LogArgs {
    /// The server's data directory. [env: PAWL_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The directory of the audit log itself, where it is not `audit` in the data directory. [env: PAWL_AUDIT_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) audit_dir: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// Segments to verify instead of a whole directory, as copied from a server. That others are missing is not told then.
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// The public key by which the checkpoints are verified: a file, or 64 hexadecimal digits; may be given several times. Without it the
    /// one that lies beside the log is taken, which whoever can change the log can change as well: keep a copy elsewhere.
    #[arg(long, value_name = "FILE|HEX")]
    pub(crate) public_key: Vec<String>,
    /// The PostgreSQL database that holds the store, as for `pawl serve`: the store knows how far the log has been written, so that an
    /// end that was cut off is noticed. [env: PAWL_DATABASE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(Args)]
pub(crate) struct QueryArgs {
    /// About this secret, by its name or ARN; or another resource, by its ARN.
    #[arg(long, value_name = "NAME|ARN")]
    pub(crate) secret: Option<String>,
    /// By this principal: an ARN, the name of a user, role or session, or an access key's id.
    #[arg(long, value_name = "NAME|ARN|KEY")]
    pub(crate) principal: Option<String>,
    /// Of this event: GetSecretValue, RotationSucceeded, ...
    #[arg(long, value_name = "NAME")]
    pub(crate) event: Option<String>,
    /// Not before this moment: 2026-11-23, or 2026-11-23T20:00:00Z (UTC).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: Option<String>,
    /// Before this moment.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) to: Option<String>,
    /// What came of it.
    #[arg(long, value_enum)]
    pub(crate) outcome: Option<OutcomeArg>,
    /// Of this request, by the id that was answered.
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum OutcomeArg {
    /// It was done.
    Ok,
    /// The caller may not, or did not prove to be anybody.
    Denied,
    /// It was refused for another reason, or failed.
    Error,
}

#[derive(Args)]
pub(crate) struct TailArgs {
    /// Print records as they are written, until Ctrl-C.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Begin with so many of the latest.
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 10)]
    pub(crate) lines: usize,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// Runs one of them.
pub(crate) fn run(
    command: &AuditCommand,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    match command {
        AuditCommand::Verify(args) => verify::run(args, environment, printer),
        AuditCommand::Query(args) => query::run(args, environment, printer),
        AuditCommand::Tail(args) => tail::run(args, environment, printer),
    }
}

impl LogArgs {
    fn data_dir(&self, environment: &Environment<'_>) -> Option<PathBuf> {
        self.data_dir.clone().or_else(|| environment.path("PAWL_DATA_DIR"))
    }

    fn dir(&self, environment: &Environment<'_>) -> Result<PathBuf, CommandError> {
        let own = self.audit_dir.clone().or_else(|| environment.path("PAWL_AUDIT_DIR"));
        let of_data = || self.data_dir(environment).map(|dir| dir.join("audit"));
        Ok(own.or_else(of_data).ok_or(SettingsError::NoDataDir)?)
    }
}

/// A moment as records have it.
fn moment(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is no moment; write 2026-11-23, or 2026-11-23T20:00:00Z");
    if let Ok(day) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(day.format("%Y-%m-%dT00:00:00Z").to_string());
    }
    let at = chrono::DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?;
    Ok(at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_records_have_them() {
        assert_eq!(moment("2026-11-23").as_deref(), Ok("2026-11-23T00:00:00Z"));
        assert_eq!(moment("2026-11-23T21:00:00+01:00").as_deref(), Ok("2026-11-23T20:00:00Z"));
        assert!(moment("yesterday").is_err());
    }
}
