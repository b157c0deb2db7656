//! `pawl secret`.

use std::io::Read;
use std::path::Path;

use pawl_api::EpochSeconds;
use pawl_api::pawl::{DescribeRotationRequest, DescribeRotationResponse};
use pawl_api::secrets_manager::shapes::{
    CreateSecretRequest, DeleteSecretRequest, DescribeSecretRequest, DescribeSecretResponse,
    GetRandomPasswordRequest, GetSecretValueRequest, GetSecretValueResponse, ListSecretsRequest,
    ListSecretsResponse, RotationRules, SecretListEntry, Tag,
};
use pawl_api::sensitive::{SecretBlob, SecretText};
use pawl_core::limits;
use pawl_core::value::SecretBytes;
use pawl_server::world::{SystemRng, uuid};
use zeroize::Zeroizing;

use crate::arguments::{CreateArgs, DeleteArgs, GetArgs, ListArgs, NamedArgs, SecretCommand};
use crate::client::Client;
use crate::output::{Format, Printer, plain, table};
use crate::settings::Environment;
use crate::{CommandError, connect};

/// Runs one of the commands.
pub(crate) fn run(
    command: SecretCommand,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    match command {
        SecretCommand::Create(args) => create(args, environment, printer),
        SecretCommand::Get(args) => get(args, environment, printer),
        SecretCommand::List(args) => list(&args, environment, printer),
        SecretCommand::Describe(args) => describe(args, environment, printer),
        SecretCommand::Delete(args) => delete(args, environment, printer),
    }
}

fn create(
    args: CreateArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let (secret_string, secret_binary) = if args.generate {
        let made = client.call(&GetRandomPasswordRequest::default())?;
        (made.random_password, None)
    } else {
        let bytes = match (args.value, &args.value_file) {
            (Some(value), _) => Some(SecretBytes::from(value)),
            (None, Some(path)) => Some(read_value(path)?),
            (None, None) if args.value_stdin => Some(read_standard_input()?),
            (None, None) => None,
        };
        bytes.map_or((None, None), by_kind)
    };
    let tags = args
        .tags
        .into_iter()
        .map(|(key, value)| Tag { key: Some(key), value: Some(value) })
        .collect::<Vec<_>>();
    let created = client.call(&CreateSecretRequest {
        name: args.name,
        client_request_token: Some(uuid(&SystemRng)),
        description: args.description,
        secret_string,
        secret_binary,
        tags: (!tags.is_empty()).then_some(tags),
        ..Default::default()
    })?;
    match printer.format {
        Format::Json => printer.json(&created)?,
        Format::Text => {
            printer.line(&format!("created {}", created.name))?;
            printer.line(&format!("  {}", created.arn))?;
            match created.version_id {
                Some(version) => printer.line(&format!("  AWSCURRENT is version {version}"))?,
                None => printer.line("  without a value yet")?,
            }
        }
    }
    Ok(())
}

/// Text if it is UTF-8, as AWS's tools store it; bytes otherwise.
fn by_kind(bytes: SecretBytes) -> (Option<SecretText>, Option<SecretBlob>) {
    if std::str::from_utf8(bytes.expose()).is_ok() {
        (Some(bytes.into()), None)
    } else {
        (None, Some(bytes.into()))
    }
}

fn read_value(path: &Path) -> Result<SecretBytes, CommandError> {
    std::fs::File::open(path)
        .and_then(read_bounded)
        .map_err(|error| CommandError::Failed(format!("`{}` could not be read: {error}", path.display())))
}

fn read_standard_input() -> Result<SecretBytes, CommandError> {
    let bytes = read_bounded(std::io::stdin())
        .map_err(|error| CommandError::Failed(format!("standard input could not be read: {error}")))?;
    match bytes.expose().strip_suffix(b"\n") {
        Some(line) => Ok(SecretBytes::new(line.to_vec())),
        None => Ok(bytes),
    }
}

/// What `from` holds, if a secret can. The room is reserved at once: a vector that grows leaves copies behind.
fn read_bounded(from: impl Read) -> std::io::Result<SecretBytes> {
    let most = limits::VALUE_BYTES_MAX + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
    from.take(u64::try_from(most + 1).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(std::io::Error::other(format!("it holds more than {} bytes", limits::VALUE_BYTES_MAX)));
    }
    Ok(SecretBytes::new(std::mem::take(&mut *bytes)))
}

fn get(args: GetArgs, environment: &Environment<'_>, printer: &mut Printer) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let found = client.call(&GetSecretValueRequest {
        secret_id: args.name,
        version_id: args.version_id,
        version_stage: args.version_stage,
    })?;
    match (args.field, printer.format) {
        (Some(field), _) => printer.raw(field_of(&found, &field)?.expose())?,
        (None, Format::Json) => printer.json(&found)?,
        (None, Format::Text) => {
            let text = found.secret_string.as_ref().map(SecretText::bytes);
            match text.or_else(|| found.secret_binary.as_ref().map(SecretBlob::bytes)) {
                Some(bytes) => printer.raw(bytes.expose())?,
                None => return Err(CommandError::Failed("the version holds no value".to_owned())),
            }
        }
    }
    Ok(())
}

/// One field of a value that is a JSON object: a string as it is, anything else as JSON.
fn field_of(found: &GetSecretValueResponse, field: &str) -> Result<SecretBytes, CommandError> {
    let not_an_object = || {
        CommandError::Failed(format!("the value of {} is not a JSON object, so it has no fields", found.name))
    };
    let text = found.secret_string.as_ref().ok_or_else(not_an_object)?;
    // Serde's own errors would quote the value.
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(text.bytes().expose()).map_err(|_| not_an_object())?;
    match fields.get(field) {
        Some(serde_json::Value::String(text)) => Ok(SecretBytes::from(text.clone())),
        Some(other) => Ok(SecretBytes::from(other.to_string())),
        None => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            let names = names.join(", ");
            Err(CommandError::Failed(format!(
                "the value of {} has no field `{field}`; it has: {names}",
                found.name
            )))
        }
    }
}

fn list(args: &ListArgs, environment: &Environment<'_>, printer: &mut Printer) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let mut all = ListSecretsResponse::default();
    let mut next_token = None;
    loop {
        let page = client.call(&ListSecretsRequest {
            include_planned_deletion: args.include_deleted.then_some(true),
            next_token,
            ..Default::default()
        })?;
        all.secret_list.extend(page.secret_list);
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    match printer.format {
        Format::Json => printer.json(&all)?,
        Format::Text if all.secret_list.is_empty() => printer.line("no secrets in this region")?,
        Format::Text => {
            let rows: Vec<Vec<String>> = all.secret_list.iter().map(row).collect();
            for line in table(&["NAME", "CHANGED", "ROTATES", "DESCRIPTION"], &rows) {
                printer.line(&line)?;
            }
        }
    }
    Ok(())
}

fn row(secret: &SecretListEntry) -> Vec<String> {
    let rotates = match (secret.deleted_date, secret.rotation_enabled, secret.next_rotation_date) {
        (Some(at), ..) => format!("deleted on {}", at.0.utc().format("%Y-%m-%d")),
        (None, Some(true), Some(next)) => format!("by {}", minute(next)),
        (None, Some(true), None) => "on demand".to_owned(),
        (None, ..) => "no".to_owned(),
    };
    let changed = secret.last_changed_date.map(minute).unwrap_or_default();
    let description = secret.description.as_deref().unwrap_or_default();
    let description: String = plain(description).replace('\n', " ").chars().take(60).collect();
    vec![secret.name.clone(), changed, rotates, description]
}

fn minute(at: EpochSeconds) -> String {
    at.0.utc().format("%Y-%m-%d %H:%M").to_string()
}

fn describe(
    args: NamedArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let secret = client.call(&DescribeSecretRequest { secret_id: args.name })?;
    match printer.format {
        Format::Json => printer.json(&secret)?,
        Format::Text => {
            let rotation = last_rotation(&client, &secret);
            for line in description(&secret, rotation.as_ref()) {
                printer.line(&line)?;
            }
        }
    }
    Ok(())
}

/// The last rotation, where there was one and the caller may see it.
fn last_rotation(client: &Client, secret: &DescribeSecretResponse) -> Option<DescribeRotationResponse> {
    secret.rotation_lambda_arn.as_ref()?;
    client.call(&DescribeRotationRequest { secret_id: secret.arn.clone(), version_id: None }).ok()
}

fn description(secret: &DescribeSecretResponse, rotation: Option<&DescribeRotationResponse>) -> Vec<String> {
    let mut rows: Vec<(&str, String)> = vec![("name", secret.name.clone()), ("ARN", secret.arn.clone())];
    let mut date = |label, at: Option<EpochSeconds>| {
        if let Some(at) = at {
            rows.push((label, at.to_string()));
        }
    };
    date("deleted on", secret.deleted_date);
    date("created", secret.created_date);
    date("changed", secret.last_changed_date);
    date("rotated", secret.last_rotated_date);
    date("rotates by", secret.next_rotation_date);
    if let Some(at) = secret.last_accessed_date {
        rows.push(("read on", at.0.utc().format("%Y-%m-%d").to_string()));
    }
    if let Some(text) = &secret.description {
        rows.push(("description", text.clone()));
    }
    if let Some(key) = &secret.kms_key_id {
        rows.push(("key", key.clone()));
    }
    if let Some(function) = &secret.rotation_lambda_arn {
        rows.push(("function", function.clone()));
        let schedule = match &secret.rotation_rules {
            _ if secret.rotation_enabled != Some(true) => "off".to_owned(),
            Some(rules) => schedule(rules),
            None => "on demand".to_owned(),
        };
        rows.push(("schedule", schedule));
    }
    if let Some(rotation) = rotation {
        let mut text = format!("{:?}, version {}", rotation.status, rotation.version_id);
        if let Some(failure) = &rotation.failure {
            text.push_str(&format!(" ({}: {})", failure.step, failure.reason));
        }
        rows.push(("last rotation", text));
    }
    for tag in secret.tags.iter().flatten() {
        let of = |part: &Option<String>| part.clone().unwrap_or_default();
        rows.push(("tag", format!("{}={}", of(&tag.key), of(&tag.value))));
    }
    for (version, labels) in secret.version_ids_to_stages.iter().flatten() {
        rows.push(("version", format!("{version}  {}", labels.join(", "))));
    }
    rows.into_iter().map(|(label, text)| format!("{label:<14}{}", plain(&text).replace('\n', " "))).collect()
}

fn schedule(rules: &RotationRules) -> String {
    let every = rules.automatically_after_days.map(|days| match days {
        1 => "every day".to_owned(),
        days => format!("every {days} days"),
    });
    every.or_else(|| rules.schedule_expression.clone()).unwrap_or_else(|| "on demand".to_owned())
}

fn delete(
    args: DeleteArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let deleted = client.call(&DeleteSecretRequest {
        secret_id: args.name,
        recovery_window_in_days: args.recovery_days,
        force_delete_without_recovery: args.force.then_some(true),
    })?;
    match printer.format {
        Format::Json => printer.json(&deleted)?,
        Format::Text if args.force => printer.line(&format!("deleted {}", deleted.name))?,
        Format::Text => printer.line(&format!(
            "{} can no longer be read, and will be deleted on {}; until then RestoreSecret takes that back",
            deleted.name, deleted.deletion_date
        ))?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use pawl_core::world::Timestamp;

    use super::*;

    fn value(text: &str) -> GetSecretValueResponse {
        GetSecretValueResponse {
            name: "prod/db".to_owned(),
            secret_string: Some(SecretText::from(text.to_owned())),
            ..Default::default()
        }
    }

    #[test]
    fn a_field_comes_alone_and_errors_do_not_quote_the_value() {
        let found = value(r#"{"password":"pä\"ss","port":5432,"ssl":false}"#);
        assert_eq!(field_of(&found, "password").unwrap().expose(), "pä\"ss".as_bytes());
        assert_eq!(field_of(&found, "port").unwrap().expose(), b"5432");
        let error = field_of(&found, "user").unwrap_err().to_string();
        assert_eq!(error, "the value of prod/db has no field `user`; it has: password, port, ssl");
        for text in ["canary", r#"["canary"]"#, r#"{"a":"canary"#] {
            let error = field_of(&value(text), "a").unwrap_err().to_string();
            assert!(!error.contains("canary") && error.contains("not a JSON object"), "{error}");
        }
    }

    #[test]
    fn a_value_is_text_when_it_can_be_and_never_too_long() {
        assert!(matches!(by_kind(SecretBytes::new(b"a".to_vec())), (Some(_), None)));
        assert!(matches!(by_kind(SecretBytes::new(vec![0xff])), (None, Some(_))));
        let longest = vec![b'x'; limits::VALUE_BYTES_MAX];
        assert_eq!(read_bounded(longest.as_slice()).unwrap().len(), limits::VALUE_BYTES_MAX);
        let longer = vec![b'x'; limits::VALUE_BYTES_MAX + 2];
        assert!(read_bounded(longer.as_slice()).is_err());
    }

    #[test]
    fn a_description_says_what_there_is_and_no_more() {
        let at = |millis| Some(EpochSeconds(Timestamp::from_millis(millis)));
        let secret = DescribeSecretResponse {
            arn: "arn:aws:secretsmanager:us-east-1:000000000000:secret:prod/db-a1b2c3".to_owned(),
            name: "prod/db".to_owned(),
            created_date: at(1_785_000_000_123),
            next_rotation_date: at(1_787_592_000_000),
            rotation_enabled: Some(true),
            rotation_lambda_arn: Some("arn:f".to_owned()),
            rotation_rules: Some(RotationRules { automatically_after_days: Some(30), ..Default::default() }),
            tags: Some(vec![Tag { key: Some("team".to_owned()), value: Some("a".to_owned()) }]),
            version_ids_to_stages: Some([("v1".to_owned(), vec!["AWSCURRENT".to_owned()])].into()),
            ..Default::default()
        };
        assert_eq!(
            description(&secret, None),
            [
                "name          prod/db",
                "ARN           arn:aws:secretsmanager:us-east-1:000000000000:secret:prod/db-a1b2c3",
                "created       2026-07-25T17:20:00.123Z",
                "rotates by    2026-08-24T17:20:00.000Z",
                "function      arn:f",
                "schedule      every 30 days",
                "tag           team=a",
                "version       v1  AWSCURRENT",
            ]
        );
    }
}
