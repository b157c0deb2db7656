//! `pawl migrate`.

use std::time::Instant;

use pawl_server::backup;
use serde::Serialize;

use crate::CommandError;
use crate::arguments::MigrateArgs;
use crate::backup::Content;
use crate::output::{Format, Printer};
use crate::settings::{Environment, SettingsError};
use crate::{place, span};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary<'a> {
    from: String,
    to: String,
    equal: bool,
    seconds: f64,
    #[serde(flatten)]
    content: Content<'a>,
}

/// Moves a store.
pub(crate) fn run(
    args: &MigrateArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let found = args.place.find(environment)?;
    let dir = found.data_dir.as_ref().ok_or(SettingsError::NoDataDir)?;
    let to = found.database.as_ref().ok_or_else(|| {
        CommandError::Failed(
            "where to? Name the PostgreSQL with --database-url or PAWL_DATABASE_URL".to_owned(),
        )
    })?;
    let since = Instant::now();
    let migrated = place::run(|progress| place::wait(backup::migrate(dir, to, &found.roots, progress)))?;
    let took = since.elapsed();
    let counts = &migrated.counts;
    match printer.format {
        Format::Json => printer.json(&Summary {
            from: dir.display().to_string(),
            to: to.to_string(),
            equal: true,
            seconds: took.as_secs_f64(),
            content: Content::of(counts),
        })?,
        Format::Text => {
            printer.line(&format!("moved to {to} in {}: {}", span::show(took), Content::text(counts)))?;
            printer.line(&format!("  both stores were read and hold the same: sha256 {}", counts.digest))?;
            printer.line(&format!(
                "  start the server with --data-dir {} --database-url URL; the store in the directory is kept, and is not served \
                 any more",
                dir.display()
            ))?;
        }
    }
    Ok(())
}
