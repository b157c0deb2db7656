//! How calls are recorded.

use std::path::PathBuf;

use clap::Args;
use pawl_core::limits;
use pawl_server::AuditSettings;

use super::{Environment, SettingsError};

/// Arguments of `pawl serve` about the audit log.
#[derive(Args, Default)]
#[command(next_help_heading = "Audit log")]
pub(crate) struct AuditArgs {
    /// Where calls are recorded: best on a disk of its own; `audit` in the data directory when nothing is said. [env: PAWL_AUDIT_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) audit_dir: Option<PathBuf>,
    /// Days for which records are kept, 365 when nothing is said; 0 keeps them for ever. [env: PAWL_AUDIT_RETENTION_DAYS]
    #[arg(long, value_name = "DAYS")]
    pub(crate) audit_retention_days: Option<String>,
    /// `off` records nothing. For benches, which measure what recording costs: never for secrets that matter. [env: PAWL_AUDIT]
    #[arg(long, value_name = "on|off", hide = true)]
    pub(crate) audit: Option<String>,
}

pub(super) fn settings(
    args: &AuditArgs,
    env: Environment<'_>,
    (dir, days): (Option<PathBuf>, Option<u32>),
) -> Result<AuditSettings, SettingsError> {
    let days: u32 = super::parsed(
        env,
        "audit-retention-days",
        args.audit_retention_days.as_deref(),
        days.map(|days| days.to_string()),
        &limits::AUDIT_RETENTION_DAYS.to_string(),
    )?;
    let is_on =
        match args.audit.clone().map_or_else(|| env.text("PAWL_AUDIT"), |text| Ok(Some(text)))?.as_deref() {
            None | Some("on") => true,
            Some("off") => false,
            Some(_) => {
                let (from, why) = ("--audit".to_owned(), "it must be `on` or `off`".to_owned());
                return Err(SettingsError::Wrong { from, why });
            }
        };
    Ok(AuditSettings {
        is_on,
        dir: args.audit_dir.clone().or_else(|| env.path("PAWL_AUDIT_DIR")).or(dir),
        retention_days: Some(days).filter(|days| *days > 0),
        segment_bytes: limits::AUDIT_SEGMENT_BYTES,
    })
}
