//! `pawl backup`.

use pawl_server::backup::{self, Counts};
use serde::Serialize;

use crate::CommandError;
use crate::arguments::BackupArgs;
use crate::output::{Format, Printer};
use crate::place;
use crate::settings::Environment;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary<'a> {
    file: String,
    bytes: u64,
    created: String,
    store: Option<&'a str>,
    verified: bool,
    #[serde(flatten)]
    content: Content<'a>,
}

/// What a store or a backup holds.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Content<'a> {
    secrets: u64,
    versions: u64,
    audit_records: u64,
    events: u64,
    digest: &'a str,
}

impl<'a> Content<'a> {
    pub(crate) fn of(counts: &'a Counts) -> Self {
        Self {
            secrets: counts.secrets,
            versions: counts.versions,
            audit_records: counts.audit,
            events: counts.events,
            digest: &counts.digest,
        }
    }

    /// The same in words.
    pub(crate) fn text(counts: &Counts) -> String {
        format!(
            "{} secrets with {} values, {} audit records, {} events",
            counts.secrets, counts.versions, counts.audit, counts.events
        )
    }
}

/// Makes a backup.
pub(crate) fn run(
    args: &BackupArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let found = args.place.find(environment)?;
    let store = found.place()?;
    let taken = place::run(|progress| {
        place::wait(backup::backup(&store, &found.roots, &args.file, !args.no_verify, progress))
    })?;
    let file = args.file.display().to_string();
    let header = &taken.header;
    match printer.format {
        Format::Json => printer.json(&Summary {
            file,
            bytes: taken.bytes,
            created: header.created_at.to_string(),
            store: header.store.as_ref().map(|store| store.id.as_str()),
            verified: taken.verified,
            content: Content::of(&taken.counts),
        })?,
        Format::Text => {
            printer.line(&format!("{file}: {}, {} bytes", Content::text(&taken.counts), taken.bytes))?;
            printer.line(if taken.verified {
                "  verified: it was read back, and every value in it opens"
            } else {
                "  not verified: it was not read back"
            })?;
            printer.line(&format!(
                "  the root key is not in it, and without it the backup is worth nothing: keep what {} needs elsewhere",
                found.roots.describe()
            ))?;
        }
    }
    Ok(())
}
