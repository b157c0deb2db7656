//! `pawl function list` and `pawl function delete`.

use pawl_api::lambda::shapes::{FunctionConfiguration, ListFunctionsResponse, ListVersionsResponse};
use pawl_core::function::FunctionName;

use super::deploy::FUNCTIONS;
use crate::CommandError;
use crate::client::Client;
use crate::output::{Format, Printer, plain, table};

/// Characters of a description that are shown.
const DESCRIPTION_CHARS: usize = 60;

/// Lists the functions of the region, or the versions of one.
pub(super) fn list(
    client: &Client,
    versions_of: Option<&FunctionName>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let mut all = Vec::new();
    let mut query = String::new();
    loop {
        let (page, next): (Vec<FunctionConfiguration>, _) = match versions_of {
            None => {
                let page: ListFunctionsResponse = client.rest("GET", (FUNCTIONS, &query), None)?;
                (page.functions, page.next_marker)
            }
            Some(name) => {
                let path = format!("{FUNCTIONS}/{name}/versions");
                let page: ListVersionsResponse = client.rest("GET", (&path, &query), None)?;
                (page.versions, page.next_marker)
            }
        };
        all.extend(page);
        let Some(marker) = next.filter(|marker| !marker.is_empty()) else { break };
        query = format!("Marker={}", encoded(&marker));
    }
    match printer.format {
        Format::Json => printer.json(&all)?,
        Format::Text => {
            let rows: Vec<Vec<String>> = all.iter().map(row).collect();
            for line in table(&["NAME", "VERSION", "BYTES", "CHANGED", "DESCRIPTION"], &rows) {
                printer.line(&line)?;
            }
        }
    }
    Ok(())
}

fn row(function: &FunctionConfiguration) -> Vec<String> {
    let description = plain(&function.description).replace('\n', " ");
    vec![
        function.function_name.clone(),
        function.version.clone(),
        function.code_size.to_string(),
        changed(&function.last_modified),
        description.chars().take(DESCRIPTION_CHARS).collect(),
    ]
}

/// A date to the minute; of a built-in function, which has none, words.
fn changed(date: &str) -> String {
    match date.strip_prefix("1970-01-01") {
        Some(_) => "with the host".to_owned(),
        None => date.chars().take("2026-11-23T13:00".len()).collect(),
    }
}

/// Percent-encoded, as a signature has it.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Deletes a function, or one version of it.
pub(super) fn delete(
    client: &Client,
    name: &FunctionName,
    version: Option<u64>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let query = version.map(|version| format!("Qualifier={version}")).unwrap_or_default();
    client.rest::<serde_json::Value>("DELETE", (&format!("{FUNCTIONS}/{name}"), &query), None)?;
    match (printer.format, version) {
        (Format::Json, _) => Ok(()),
        (Format::Text, None) => Ok(printer.line(&format!(
            "deleted {name}; rotations that run go on with what they began with, and what is approved for the name stays"
        ))?),
        (Format::Text, Some(version)) => Ok(printer.line(&format!("deleted version {version} of {name}"))?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_in_function_has_no_date() {
        assert_eq!(changed("2026-11-23T14:01:24.074+0000"), "2026-11-23T14:01");
        assert_eq!(changed("1970-01-01T00:00:00.000+0000"), "with the host");
    }

    #[test]
    fn a_marker_is_written_as_it_is_signed() {
        assert_eq!(encoded("aZ09-._~"), "aZ09-._~");
        assert_eq!(encoded("a+b/c=ä"), "a%2Bb%2Fc%3D%C3%A4");
    }
}
