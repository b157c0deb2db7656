//! Another secret, as a rotation may log in with it.

use std::collections::BTreeSet;

use pawl_core::function::SecretPattern;
use pawl_runtime::port::{PortError, StoredVersion};

use crate::app::Action;
use crate::error::AppError;
use crate::host::Host;
use crate::identity::Caller;

/// Another secret's current version, if the function's grants cover it and its policy allows the function.
pub(crate) async fn granted(
    host: &Host,
    caller: &Caller,
    secret_id: &str,
    granted: &BTreeSet<SecretPattern>,
) -> Result<StoredVersion, PortError> {
    let refused = || {
        PortError::Refused(format!(
            "the function's grants do not cover the secret `{secret_id}`, or there is none: grant it in the \
             function's manifest (`secrets = [..]`), or mend the secret's `masterarn`"
        ))
    };
    let held = host.app.read(caller, Action::RotationLogin, secret_id).await;
    let held = held.map_err(|error| match error {
        AppError::Store(_) | AppError::LostRace => PortError::from(error),
        _ => refused(),
    })?;
    let (name, arn) = (held.secret.name.as_str(), held.secret.arn.as_str());
    if !granted.iter().any(|pattern| pattern.covers(name, arn)) {
        return Err(refused());
    }
    let current = held
        .secret
        .labels
        .current()
        .ok_or_else(|| PortError::Refused(format!("the secret `{name}` has no AWSCURRENT version")))?;
    let (id, value) = host.app.open_selected(&held, Some(current), None).await?;
    Ok(StoredVersion { id, value })
}
