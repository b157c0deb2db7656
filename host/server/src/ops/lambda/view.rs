//! A function as callers see it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_api::lambda::shapes::{
    AliasConfiguration, AliasRouting, Environment, EphemeralStorage, FunctionConfiguration, LoggingConfig,
    SnapStart, TracingConfig,
};
use pawl_core::function::{
    Alias, AliasName, Digest, Function, FunctionArn, FunctionVersion, LATEST, Qualifier,
};
use pawl_core::limits;
use pawl_core::world::Timestamp;

use super::Request;
use crate::functions;

/// A version of an uploaded function, under the ARN by which it was asked for.
pub(super) fn configuration(
    function: &Function,
    version: FunctionVersion,
    arn: &FunctionArn,
) -> FunctionConfiguration {
    let release = function.release(version).unwrap_or(&function.latest);
    let (configuration, uploaded) = (&release.configuration, release.code.uploaded());
    let environment = &configuration.environment;
    FunctionConfiguration {
        function_name: function.name.to_string(),
        function_arn: arn.to_string(),
        code_size: uploaded.bytes,
        description: function.description(version).unwrap_or_default().to_owned(),
        timeout: configuration.timeout.get(),
        memory_size: configuration.memory.get(),
        last_modified: last_modified(release.last_modified),
        code_sha256: sha256(&uploaded.digest),
        version: version.to_string(),
        revision_id: release.revision_id.to_string(),
        runtime: configuration.runtime.clone(),
        role: configuration.role.clone(),
        handler: configuration.handler.clone(),
        environment: (!environment.is_empty()).then(|| Environment { variables: Some(environment.clone()) }),
        state: Some("Active".to_owned()),
        last_update_status: Some("Successful".to_owned()),
        ..of_every_function(function.name.as_str())
    }
}

/// A function of the host's.
pub(super) fn own(function: &functions::Function, arn: &FunctionArn) -> FunctionConfiguration {
    let digest = function.digest();
    let environment = &*function.environment;
    let builtin = pawl_rotators::Builtin::named(&function.name);
    FunctionConfiguration {
        function_name: function.name.clone(),
        function_arn: arn.to_string(),
        code_size: u64::try_from(function.component.bytes().len()).unwrap_or(u64::MAX),
        description: builtin.map(|builtin| builtin.description.to_owned()).unwrap_or_default(),
        timeout: u32::try_from(limits::STEP_WALL.as_secs()).unwrap_or(u32::MAX),
        memory_size: u32::try_from(limits::GUEST_MEMORY_BYTES_MAX >> 20).unwrap_or(u32::MAX),
        // It was never modified: another host has another one.
        last_modified: last_modified(Timestamp::from_millis(0)),
        code_sha256: sha256(&digest),
        version: LATEST.to_owned(),
        revision_id: digest.to_string(),
        environment: (!environment.is_empty()).then(|| Environment { variables: Some(environment.clone()) }),
        state: Some("Active".to_owned()),
        last_update_status: Some("Successful".to_owned()),
        ..of_every_function(&function.name)
    }
}

/// What is the same of all.
fn of_every_function(name: &str) -> FunctionConfiguration {
    FunctionConfiguration {
        tracing_config: TracingConfig { mode: "PassThrough".to_owned() },
        package_type: "Zip".to_owned(),
        architectures: vec!["x86_64".to_owned()],
        ephemeral_storage: EphemeralStorage { size: 512 },
        snap_start: SnapStart { apply_on: "None".to_owned(), optimization_status: "Off".to_owned() },
        logging_config: LoggingConfig {
            log_format: "Text".to_owned(),
            log_group: format!("/aws/lambda/{name}"),
        },
        ..FunctionConfiguration::default()
    }
}

/// This, as lists have it: AWS leaves out what its lists do not look up.
pub(super) fn listed(configuration: FunctionConfiguration) -> FunctionConfiguration {
    FunctionConfiguration { state: None, last_update_status: None, ..configuration }
}

/// An alias of a function.
pub(super) fn alias(
    request: &Request<'_>,
    function: &Function,
    name: &AliasName,
    alias: &Alias,
) -> AliasConfiguration {
    let weights = |routing: pawl_core::function::Routing| {
        Some([(routing.version.to_string(), routing.weight.fraction())].into())
    };
    AliasConfiguration {
        alias_arn: request.arn_of(&function.name, &Qualifier::Alias(name.clone())).to_string(),
        name: name.to_string(),
        function_version: alias.version.to_string(),
        description: alias.description.clone(),
        revision_id: alias.revision_id.to_string(),
        routing_config: alias.routing.map(|to| AliasRouting { additional_version_weights: weights(to) }),
    }
}

/// AWS's form of a digest.
fn sha256(digest: &Digest) -> String {
    STANDARD.encode(digest.as_bytes())
}

/// AWS's form of a moment: `2026-01-31T00:00:00.000+0000`.
fn last_modified(at: Timestamp) -> String {
    at.utc().format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_digests_have_awss_form() {
        assert_eq!(last_modified(Timestamp::from_millis(1_586_545_592_563)), "2020-04-10T19:06:32.563+0000");
        assert_eq!(last_modified(Timestamp::from_millis(0)), "1970-01-01T00:00:00.000+0000");
        assert_eq!(sha256(&Digest::from_bytes([0; 32])), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    }
}
