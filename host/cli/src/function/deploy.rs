//! `pawl function deploy`: a component into a running server, by Lambda's own operations.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_api::ErrorCode;
use pawl_api::lambda::shapes::{AddPermissionResponse, AliasConfiguration, FunctionConfiguration};
use pawl_api::pawl::DescribeFunctionGrantsRequest;
use pawl_core::function::{FunctionName, Grants, Manifest};
use pawl_core::limits;
use serde::Serialize;
use serde_json::json;

use super::build::Built;
use super::inspect::Inspection;
use super::{component, failed, quoted};
use crate::arguments::FunctionDeployArgs;
use crate::client::{Client, ClientError};
use crate::output::{Format, Printer, plain};
use crate::settings::Environment;
use crate::{CommandError, connect};

/// Where Lambda's functions are.
pub(super) const FUNCTIONS: &str = "/2015-03-31/functions";
/// Who must be allowed to invoke a function before a secret is rotated by it.
const ROTATES: &str = "secretsmanager.amazonaws.com";
/// The statement that allows it.
const STATEMENT: &str = "pawl-rotation";
/// What CreateFunction asks for and Pawl does not use: a rotator runs by the rights of its grants.
const HANDLER: &str = "pawl:rotation/steps";
const RUNTIME: &str = "provided.al2023";
const ROLE: &str = "arn:aws:iam::000000000000:role/pawl-function";

/// What is deployed.
struct Package {
    bytes: Vec<u8>,
    name: FunctionName,
    manifest: Manifest,
    /// Where its manifest can be had for an approval.
    approvable: PathBuf,
}

/// What was done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deployed {
    function_arn: String,
    version: String,
    code_sha256: String,
    /// Whether the function is new.
    created: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_arn: Option<String>,
    /// Whether rotations may invoke it.
    permitted: bool,
}

/// Builds if there is something to build, uploads, and says what to do next.
pub(super) fn run(
    args: &FunctionDeployArgs,
    environment: &Environment<'_>,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let package = Package::of(args)?;
    let client = connect(&args.connection, environment)?;
    if printer.format == Format::Text {
        for asked in package.manifest.grants.beyond(&Grants::default()) {
            printer.line(&plain(&format!("asks for  {asked}")))?;
        }
    }
    approved(&client, &package)?;
    let deployed = upload(&client, args, &package)?;
    match printer.format {
        Format::Json => Ok(printer.json(&deployed)?),
        Format::Text => tell(&deployed, args, &package, printer),
    }
}

impl Package {
    fn of(args: &FunctionDeployArgs) -> Result<Self, CommandError> {
        let (bytes, file, manifest, approvable) = if args.what.is_dir() {
            let Built { file, bytes, manifest, .. } = Built::of(&args.what, args.component.as_deref())?;
            (bytes, file, manifest, args.what.join("pawl.toml"))
        } else {
            let bytes = component(&args.what)?;
            let inspection = Inspection::of(bytes.clone()).map_err(|why| failed(&args.what, why))?;
            if let Some(why) = inspection.refused().first() {
                return Err(failed(&args.what, why));
            }
            (bytes, args.what.clone(), inspection.into_manifest(), args.what.clone())
        };
        let name = match &args.name {
            Some(name) => name.clone(),
            None => {
                let stem = file.file_stem().unwrap_or_default().to_string_lossy();
                stem.parse().map_err(|error| failed(&file, format!("{error}; give another with --name")))?
            }
        };
        Ok(Self { bytes, name, manifest, approvable })
    }
}

/// Says before anything is sent what the server would refuse, and what to do about it.
fn approved(client: &Client, package: &Package) -> Result<(), CommandError> {
    let name = &package.name;
    let asked = client.call(&DescribeFunctionGrantsRequest { function_name: name.to_string() });
    let approved = match asked {
        Ok(answer) => Manifest::parse(&answer.approved)
            .map_err(|why| CommandError::Failed(format!("the server's approval is not understood: {why}")))?,
        // Whoever may upload need not see that; the server has the last word anyway.
        Err(error) if error.code() == Some(ErrorCode::AccessDeniedException) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let beyond = package.manifest.grants.beyond(&approved.grants);
    if beyond.is_empty() {
        return Ok(());
    }
    Err(CommandError::Failed(format!(
        "{name} asks for what is not approved:\n  {}\nwhoever runs the server approves it with: pawl function approve {name} {}",
        beyond.join("\n  "),
        quoted(&package.approvable)
    )))
}

fn upload(client: &Client, args: &FunctionDeployArgs, package: &Package) -> Result<Deployed, CommandError> {
    let publish = args.publish || args.alias.is_some();
    let path = format!("{FUNCTIONS}/{}", package.name);
    let code = STANDARD.encode(&package.bytes);
    let there = client.rest::<FunctionConfiguration>("GET", (&format!("{path}/configuration"), ""), None);
    let (created, configuration): (_, FunctionConfiguration) = match there {
        Ok(_) => {
            let body = json!({ "ZipFile": code, "Publish": publish });
            (false, client.rest("PUT", (&format!("{path}/code"), ""), Some(&body))?)
        }
        Err(error) if is(&error, "ResourceNotFoundException") => {
            // Lambda's own default is for functions that talk to nobody.
            let timeout = package.manifest.timeout.unwrap_or(limits::FUNCTION_TIMEOUT_SECONDS_DEPLOYED);
            let body = json!({
                "FunctionName": package.name.as_str(), "Runtime": RUNTIME, "Role": ROLE, "Handler": HANDLER,
                "Timeout": timeout, "Code": { "ZipFile": code }, "Publish": publish,
            });
            (true, client.rest("POST", (FUNCTIONS, ""), Some(&body))?)
        }
        Err(error) => return Err(error.into()),
    };
    let alias = args.alias.as_deref();
    let alias = alias.map(|alias| point(client, &path, alias, &configuration.version)).transpose()?;
    if !args.no_permission {
        permit(client, &path, args.alias.as_deref())?;
    }
    Ok(Deployed {
        function_arn: configuration.function_arn,
        version: configuration.version,
        code_sha256: configuration.code_sha256,
        created,
        alias_arn: alias.map(|alias| alias.alias_arn),
        permitted: !args.no_permission,
    })
}

/// Moves an alias to a version, or makes it.
fn point(
    client: &Client,
    path: &str,
    alias: &str,
    version: &str,
) -> Result<AliasConfiguration, CommandError> {
    let moved = client.rest(
        "PUT",
        (&format!("{path}/aliases/{alias}"), ""),
        Some(&json!({ "FunctionVersion": version })),
    );
    match moved {
        Err(error) if is(&error, "ResourceNotFoundException") => {
            let body = json!({ "Name": alias, "FunctionVersion": version });
            Ok(client.rest("POST", (&format!("{path}/aliases"), ""), Some(&body))?)
        }
        moved => Ok(moved?),
    }
}

/// Lets rotations invoke the function, or its alias.
fn permit(client: &Client, path: &str, alias: Option<&str>) -> Result<(), CommandError> {
    let query = alias.map(|alias| format!("Qualifier={alias}")).unwrap_or_default();
    let body = json!({ "StatementId": STATEMENT, "Action": "lambda:InvokeFunction", "Principal": ROTATES });
    let added: Result<AddPermissionResponse, _> =
        client.rest("POST", (&format!("{path}/policy"), &query), Some(&body));
    match added {
        // It was allowed before.
        Err(error) if is(&error, "ResourceConflictException") => Ok(()),
        added => Ok(added.map(drop)?),
    }
}

/// Whether the server has refused with this code.
pub(super) fn is(error: &ClientError, wanted: &str) -> bool {
    matches!(error, ClientError::Refused { code, .. } if code == wanted)
}

fn tell(
    deployed: &Deployed,
    args: &FunctionDeployArgs,
    package: &Package,
    printer: &mut Printer,
) -> Result<(), CommandError> {
    let Deployed { version, function_arn, .. } = deployed;
    let verb = if deployed.created { "created" } else { "updated" };
    printer.line(&format!("{verb}   {function_arn}, version {version}"))?;
    if let (Some(alias), Some(arn)) = (&args.alias, &deployed.alias_arn) {
        printer.line(&format!("alias     {alias} is version {version}: {arn}"))?;
    }
    if !deployed.permitted {
        return Ok(printer.line(&format!("no secret can be rotated by it before {ROTATES} may invoke it"))?);
    }
    printer.line(&format!("allowed   {ROTATES} may invoke it, to rotate secrets"))?;
    let qualifier = args.alias.as_ref().map(|alias| format!(":{alias}")).unwrap_or_default();
    Ok(printer
        .line(&format!("rotate    pawl rotate SECRET --function {}{qualifier} --wait", package.name))?)
}
