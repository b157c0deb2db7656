//! `pawl restore`.

use pawl_server::backup::{self, Drift, Reason, Restored};
use pawl_server::root_key::Source;
use serde::Serialize;

use crate::CommandError;
use crate::arguments::RestoreArgs;
use crate::backup::Content;
use crate::output::{Format, Printer, plain};
use crate::place::{self, Found};
use crate::settings::Environment;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary<'a> {
    store: String,
    backup_created: String,
    #[serde(flatten)]
    content: Content<'a>,
    rotation_drift: &'a [Drift],
}

/// Restores a backup.
pub(crate) fn run(
    args: &RestoreArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let found = args.place.find(environment)?;
    let store = found.place()?;
    let witness = found.data_dir.as_deref();
    let restored = place::run(|progress| {
        let verify = !args.no_verify;
        place::wait(backup::restore(&store, witness, &found.roots, &args.file, verify, progress))
    })?;
    match printer.format {
        Format::Json => printer.json(&Summary {
            store: store.to_string(),
            backup_created: restored.header.created_at.to_string(),
            content: Content::of(&restored.counts),
            rotation_drift: &restored.drift,
        })?,
        Format::Text => {
            for line in lines(&store.to_string(), &found, &restored) {
                printer.line(&plain(&line))?;
            }
        }
    }
    Ok(())
}

fn lines(store: &str, found: &Found, restored: &Restored) -> Vec<String> {
    let mut lines = vec![
        format!("restored to {store}: {}", Content::text(&restored.counts)),
        format!("  as it was at {}; what was written since is not in it", restored.header.created_at),
        "  read back: the store holds what the backup holds".to_owned(),
    ];
    let usual = found.data_dir.as_ref().map(|dir| Source::File(dir.join("root-key")));
    if found.roots.first() != usual.as_ref() {
        lines.push(format!("  serve it with the same root key: {}", found.roots.describe()));
    }
    if found.database.is_some() {
        lines.push(
            "  every other host of this store reports the restoration until it is accepted there: stop the host, remove \
             `store-epoch` in its data directory, start it again"
                .to_owned(),
        );
    }
    if restored.drift.is_empty() {
        lines.push("no secret in it rotates".to_owned());
        return lines;
    }
    lines.push(
        "these secrets rotate; if one was rotated after the backup, its database has a newer password than AWSCURRENT:"
            .to_owned(),
    );
    lines.extend(restored.drift.iter().map(drift));
    lines.push(
        "check each when the server runs: `aws secretsmanager rotate-secret --secret-id ARN --no-rotate-immediately` tries the \
         password and changes nothing; where it fails, set the database's password to AWSCURRENT's by hand"
            .to_owned(),
    );
    lines
}

fn drift(drift: &Drift) -> String {
    let why = match drift.reason {
        Reason::Rotating => "a rotation was under way in the backup, and goes on",
        Reason::Due => "its schedule was due after the backup; it is rotated at once when the server starts",
        Reason::Possible => "it may have been rotated by hand",
    };
    let last =
        drift.last_rotated.map_or_else(|| "never rotated".to_owned(), |at| format!("last rotated {at}"));
    format!("  {} ({}), {last}: {why}", drift.name, drift.region)
}
