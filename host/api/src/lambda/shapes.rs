//! The shapes of Lambda's operations.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::body::{Package, bodies};
use crate::shape::shapes;

/// The variables of a function's environment.
#[derive(Clone, Debug, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Environment {
    /// By name.
    #[serde(default)]
    pub variables: Option<BTreeMap<String, String>>,
}

/// Where an alias sends a part of its invocations.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, serde::Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct AliasRouting {
    /// The other version, and which part.
    #[serde(default)]
    pub additional_version_weights: Option<BTreeMap<String, f64>>,
}

bodies! {
    /// `CreateFunction` takes this.
    CreateFunctionRequest {
        function_name: String,
        runtime: String,
        role: String,
        handler: String,
        code: FunctionCode,
        description: String,
        timeout: i64,
        memory_size: i64,
        publish: bool,
        environment: Environment,
        tags: BTreeMap<String, String>,
    }

    /// A package.
    FunctionCode {
        zip_file: Package,
    }

    /// `UpdateFunctionCode` takes this.
    UpdateFunctionCodeRequest {
        zip_file: Package,
        publish: bool,
        dry_run: bool,
        revision_id: String,
    }

    /// `UpdateFunctionConfiguration` takes this.
    UpdateFunctionConfigurationRequest {
        runtime: String,
        role: String,
        handler: String,
        description: String,
        timeout: i64,
        memory_size: i64,
        environment: Environment,
        revision_id: String,
    }

    /// `PublishVersion` takes this.
    PublishVersionRequest {
        code_sha256: String,
        description: String,
        revision_id: String,
    }

    /// `CreateAlias` takes this.
    CreateAliasRequest {
        name: String,
        function_version: String,
        description: String,
        routing_config: AliasRouting,
    }

    /// `UpdateAlias` takes this.
    UpdateAliasRequest {
        function_version: String,
        description: String,
        routing_config: AliasRouting,
        revision_id: String,
    }

    /// `AddPermission` takes this.
    AddPermissionRequest {
        statement_id: String,
        action: String,
        principal: String,
        source_arn: String,
        source_account: String,
        event_source_token: String,
        revision_id: String,
        #[serde(rename = "PrincipalOrgID")]
        principal_org_id: String,
    }

    /// `PutFunctionConcurrency` takes this.
    PutFunctionConcurrencyRequest {
        reserved_concurrent_executions: i64,
    }

    /// `TagResource` takes this.
    TagResourceRequest {
        tags: BTreeMap<String, String>,
    }
}

shapes! {
    /// A function, or a version of one.
    FunctionConfiguration {
        required {
            function_name: String,
            function_arn: String,
            code_size: u64,
            description: String,
            timeout: u32,
            memory_size: u32,
            last_modified: String,
            code_sha256: String,
            version: String,
            tracing_config: TracingConfig,
            revision_id: String,
            package_type: String,
            architectures: Vec<String>,
            ephemeral_storage: EphemeralStorage,
            snap_start: SnapStart,
            logging_config: LoggingConfig,
        }
        optional {
            runtime: String,
            role: String,
            handler: String,
            environment: Environment,
            state: String,
            last_update_status: String,
        }
    }

    /// Whether it is traced.
    TracingConfig {
        required { mode: String, }
    }

    /// Room for files.
    EphemeralStorage {
        required { size: u32, }
    }

    /// Whether it starts from a snapshot.
    SnapStart {
        required { apply_on: String, optimization_status: String, }
    }

    /// Where it logs.
    LoggingConfig {
        required { log_format: String, log_group: String, }
    }

    /// `GetFunction` answers this.
    GetFunctionResponse {
        required { configuration: FunctionConfiguration, code: CodeLocation, }
        optional { tags: BTreeMap<String, String>, concurrency: Concurrency, }
    }

    /// Where the code is.
    CodeLocation {
        required { repository_type: String, }
    }

    /// How many invocations may run at once.
    Concurrency {
        optional { reserved_concurrent_executions: u32, }
    }

    /// `ListFunctions` answers this.
    ListFunctionsResponse {
        required { functions: Vec<FunctionConfiguration>, }
        optional { next_marker: String, }
    }

    /// `ListVersionsByFunction` answers this.
    ListVersionsResponse {
        required { versions: Vec<FunctionConfiguration>, }
        optional { next_marker: String, }
    }

    /// An alias.
    AliasConfiguration {
        required {
            alias_arn: String,
            name: String,
            function_version: String,
            description: String,
            revision_id: String,
        }
        optional { routing_config: AliasRouting, }
    }

    /// `ListAliases` answers this.
    ListAliasesResponse {
        required { aliases: Vec<AliasConfiguration>, }
        optional { next_marker: String, }
    }

    /// `AddPermission` answers this.
    AddPermissionResponse {
        required { statement: String, }
    }

    /// `GetPolicy` answers this.
    GetPolicyResponse {
        required { policy: String, revision_id: String, }
    }

    /// `ListTags` answers this.
    ListTagsResponse {
        required { tags: BTreeMap<String, String>, }
    }

    /// `GetFunctionCodeSigningConfig` answers this.
    GetCodeSigningResponse {
        required { code_signing_config_arn: String, function_name: String, }
    }

    /// `GetFunctionRecursionConfig` answers this.
    GetRecursionResponse {
        required { recursive_loop: String, }
    }

    /// `GetRuntimeManagementConfig` answers this.
    GetRuntimeManagementResponse {
        required { update_runtime_on: String, function_arn: String, }
    }

    /// `GetAccountSettings` answers this.
    GetAccountSettingsResponse {
        required { account_limit: AccountLimit, account_usage: AccountUsage, }
    }

    /// What the account may have.
    AccountLimit {
        required {
            total_code_size: u64,
            code_size_unzipped: u64,
            code_size_zipped: u64,
            concurrent_executions: u32,
            unreserved_concurrent_executions: u32,
        }
    }

    /// What the account has.
    AccountUsage {
        required { total_code_size: u64, function_count: u64, }
    }
}
