//! `pawl rotate NAME --check`: whether what a secret holds is what its database has, and its healing.

use std::time::Instant;

use pawl_api::pawl::{
    CheckSecretRequest, CheckSecretResponse, CheckedVersion, DescribeRotationRequest, Drift, LoginOutcome,
};
use pawl_api::secrets_manager::shapes::RotateSecretRequest;
use pawl_core::limits;
use pawl_server::world::{SystemRng, uuid};

use super::follow::{ServerWatch, follow};
use crate::arguments::RotateArgs;
use crate::output::{Format, Printer};
use crate::settings::Environment;
use crate::{CommandError, connect};

/// Looks, says what was found, and heals what has drifted unless it is told not to.
pub(super) fn run(
    args: &RotateArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let client = connect(&args.connection, environment)?;
    let found = client.call(&CheckSecretRequest { secret_id: args.name.clone() })?;
    match printer.format {
        Format::Json => printer.json(&found)?,
        Format::Text => {
            for line in lines(&found) {
                printer.line(&line)?;
            }
        }
    }
    let heals = match found.drift {
        Drift::None | Drift::Rotating => return Ok(()),
        Drift::Unknown => {
            return Err(CommandError::Failed(format!(
                "whether {} has drifted is not known: its database could not be asked",
                found.name
            )));
        }
        Drift::Drifted | Drift::LockedOut => !args.no_repair,
    };
    if !heals {
        return Err(CommandError::Failed(format!(
            "{} has drifted; run this again without --no-repair to heal it",
            found.name
        )));
    }
    if printer.format == Format::Text {
        printer.line("healing it by a rotation:")?;
    }
    let request = RotateSecretRequest {
        secret_id: args.name.clone(),
        client_request_token: Some(uuid(&SystemRng)),
        ..Default::default()
    };
    let version_id = match client.call(&request) {
        Ok(answer) => answer.version_id,
        Err(error) if super::now::is_incomplete(&error) => None,
        Err(error) => return Err(error.into()),
    };
    let mut watch = ServerWatch {
        client: &client,
        request: DescribeRotationRequest { secret_id: args.name.clone(), version_id },
        since: Instant::now(),
    };
    follow(&mut watch, &args.name, args.timeout.unwrap_or(limits::ROTATION_WAIT_DEFAULT), printer)
}

fn lines(found: &CheckSecretResponse) -> Vec<String> {
    let verdict = match found.drift {
        Drift::None => "in order: AWSCURRENT logs in",
        Drift::Drifted => "drifted: AWSCURRENT does not log in",
        Drift::LockedOut => "locked out: no version that the secret holds logs in",
        Drift::Unknown => "not known: the database could not be asked",
        Drift::Rotating => "a rotation is on its way; it looks by itself",
    };
    let mut lines = vec![format!("{}: {verdict}", found.name)];
    lines.extend(found.versions.iter().map(line));
    lines
}

fn line(version: &CheckedVersion) -> String {
    let login = match version.login {
        LoginOutcome::Accepted => "logs in",
        LoginOutcome::Refused => "is refused",
        LoginOutcome::Unreachable => "was not answered",
        LoginOutcome::NotTried => "was not tried",
    };
    let stages = match version.version_stages.join(", ") {
        none if none.is_empty() => "no label".to_owned(),
        stages => stages,
    };
    let user = version.username.as_ref().map(|user| format!(" as `{user}`")).unwrap_or_default();
    let reason = version.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("  {}  {stages}  {login}{user}{reason}", version.version_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_said_version_by_version() {
        let version = CheckedVersion {
            version_id: "v1".to_owned(),
            version_stages: vec!["AWSCURRENT".to_owned()],
            login: LoginOutcome::Refused,
            username: Some("app".to_owned()),
            reason: Some("the database refused it".to_owned()),
        };
        let bare = CheckedVersion { version_id: "v2".to_owned(), ..Default::default() };
        let found = CheckSecretResponse {
            name: "a".to_owned(),
            drift: Drift::LockedOut,
            versions: vec![version, bare],
            ..Default::default()
        };
        assert_eq!(
            lines(&found),
            [
                "a: locked out: no version that the secret holds logs in",
                "  v1  AWSCURRENT  is refused as `app`: the database refused it",
                "  v2  no label  was not tried",
            ]
        );
    }
}
