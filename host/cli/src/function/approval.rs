//! `pawl function approve` and `pawl function grants`: the operator's half of what a rotator may reach.

use std::path::Path;

use pawl_api::pawl::{ApproveFunctionRequest, DescribeFunctionGrantsRequest, FunctionGrantsResponse};
use pawl_core::function::{FunctionName, Grants, Manifest};

use super::inspect::Inspection;
use super::{component, failed};
use crate::CommandError;
use crate::client::Client;
use crate::output::{Format, Printer, plain};

/// Approves what a manifest asks for, and takes back what was approved besides.
pub(super) fn approve(
    client: &Client,
    name: &FunctionName,
    file: &Path,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let grants = text(file)?;
    let answer = client.call(&ApproveFunctionRequest { function_name: name.to_string(), grants })?;
    show(&answer, printer)
}

/// Shows what is approved and what is asked for.
pub(super) fn grants(
    client: &Client,
    name: &FunctionName,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let answer = client.call(&DescribeFunctionGrantsRequest { function_name: name.to_string() })?;
    show(&answer, printer)
}

/// The text of a manifest, seen to be one: of a `pawl.toml`, or of the component that carries it.
fn text(file: &Path) -> Result<String, CommandError> {
    let bytes = component(file)?;
    if bytes.starts_with(b"\0asm") {
        let manifest = Inspection::of(bytes).map_err(|why| failed(file, why))?.into_manifest();
        return toml::to_string(&manifest).map_err(|error| failed(file, error));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| failed(file, "it is neither a manifest nor a component"))?;
    Manifest::parse(&text).map_err(|why| failed(file, why))?;
    Ok(text)
}

fn show(answer: &FunctionGrantsResponse, printer: &mut Printer) -> Result<(), CommandError> {
    match printer.format {
        Format::Json => printer.json(answer)?,
        Format::Text => {
            for line in lines(answer) {
                printer.line(&plain(&line))?;
            }
        }
    }
    Ok(())
}

fn lines(answer: &FunctionGrantsResponse) -> Vec<String> {
    let name = &answer.function_name;
    // A newer server may approve what this program has no words for.
    let words = Manifest::parse(&answer.approved).map_or_else(
        |_| answer.approved.lines().map(str::to_owned).collect(),
        |manifest| manifest.grants.beyond(&Grants::default()),
    );
    let mut lines = if words.is_empty() {
        vec![format!("nothing is approved for {name}: it can reach nothing")]
    } else {
        let by = answer.approved_by.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
        let at = answer.approved_date.map(|at| format!(" on {at}")).unwrap_or_default();
        vec![format!("approved for {name}{at}{by}")]
    };
    lines.extend(words.into_iter().map(|word| format!("  {word}")));
    for version in &answer.versions {
        if version.beyond.is_empty() {
            lines.push(format!("version {} asks for no more", version.version));
        } else {
            lines.push(format!("version {} asks for more, and is not run", version.version));
            lines.extend(version.beyond.iter().map(|word| format!("  {word}")));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use pawl_api::pawl::VersionGrants;

    use super::*;

    #[test]
    fn what_is_approved_and_what_is_not_is_told_in_words() {
        let version = |version: &str, beyond: &[&str]| VersionGrants {
            version: version.to_owned(),
            digest: "sha256:0".to_owned(),
            asked: String::new(),
            beyond: beyond.iter().map(|word| (*word).to_owned()).collect(),
        };
        let answer = FunctionGrantsResponse {
            function_name: "shop".to_owned(),
            approved: "[grants]\nown-target = true\n".to_owned(),
            versions: vec![version("$LATEST", &["targets: reach db:1"]), version("1", &[])],
            ..Default::default()
        };
        let text = lines(&answer).join("\n");
        assert!(text.starts_with("approved for shop\n  own-target: "), "{text}");
        assert!(
            text.contains("version $LATEST asks for more, and is not run\n  targets: reach db:1"),
            "{text}"
        );
        assert!(text.ends_with("version 1 asks for no more"), "{text}");
        let none = FunctionGrantsResponse { function_name: "shop".to_owned(), ..Default::default() };
        assert_eq!(lines(&none), ["nothing is approved for shop: it can reach nothing"]);
    }

    #[test]
    fn only_a_manifest_is_approved() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pawl.toml");
        std::fs::write(&file, "[grants]\nown-target = true\n").unwrap();
        assert_eq!(text(&file).unwrap(), "[grants]\nown-target = true\n");
        std::fs::write(&file, "[grants]\neverything = true\n").unwrap();
        assert!(text(&file).unwrap_err().to_string().contains("everything"));
        std::fs::write(&file, [0xff]).unwrap();
        assert!(text(&file).is_err());
    }
}
