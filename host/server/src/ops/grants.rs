//! What an operator approves for functions: the other half of what their manifests ask.

use pawl_api::pawl::{
    ApproveFunctionRequest, DescribeFunctionGrantsRequest, FunctionGrantsResponse, VersionGrants,
};
use pawl_core::function::{Approval, Function, FunctionName, FunctionRef, Grants, Manifest, Qualifier};

use super::Answer;
use super::lambda::every;
use crate::error::AppError;
use crate::functions::{FunctionError, Stored};
use crate::host::Host;
use crate::identity::Caller;

const APPROVE: &str = "pawl:ApproveFunction";
const DESCRIBE: &str = "pawl:DescribeFunctionGrants";

/// `Pawl.ApproveFunction`
pub(super) async fn approve_function(
    host: &Host,
    caller: &Caller,
    input: ApproveFunctionRequest,
) -> Answer<ApproveFunctionRequest> {
    let name = named(host, caller, &input.function_name)?;
    let manifest = Manifest::parse(&input.grants)
        .map_err(|why| FunctionError::invalid(format!("the grants are not the text of a manifest: {why}")))?;
    let approval = Approval {
        region: caller.region.clone(),
        name: name.clone(),
        grants: manifest.grants,
        approved_at: host.app.clock().now(),
        approved_by: caller.principal.clone(),
    };
    // To approve nothing is to have approved nothing.
    let approval = Some(approval).filter(|approval| approval.grants != Grants::default());
    host.app.approve_function(caller, APPROVE, &name, approval.as_ref()).await?;
    Ok(shown(host, caller, APPROVE, &name).await?)
}

/// `Pawl.DescribeFunctionGrants`
pub(super) async fn describe_function_grants(
    host: &Host,
    caller: &Caller,
    input: DescribeFunctionGrantsRequest,
) -> Answer<DescribeFunctionGrantsRequest> {
    let name = named(host, caller, &input.function_name)?;
    Ok(shown(host, caller, DESCRIBE, &name).await?)
}

fn named(host: &Host, caller: &Caller, text: &str) -> Result<FunctionName, FunctionError> {
    let of = FunctionRef::parse(text)?;
    if !of.is_in(&caller.region, host.app.account()) {
        return Err(FunctionError::invalid(
            "an approval is of the region and account in which it is asked for",
        ));
    }
    match of.qualifier {
        None | Some(Qualifier::Latest) => Ok(of.name),
        Some(_) => Err(FunctionError::Qualified),
    }
}

async fn shown(
    host: &Host,
    caller: &Caller,
    action: &'static str,
    name: &FunctionName,
) -> Result<FunctionGrantsResponse, FunctionError> {
    let approval = host.app.read_approval(caller, action, name).await?;
    let (date, by) =
        approval.as_ref().map(|approval| (approval.approved_at.into(), approval.approved_by.clone())).unzip();
    let approved = approval.map(|approval| approval.grants).unwrap_or_default();
    let function = host.app.read_function(caller, action, name).await?;
    let versions = function.map(|Stored { function, .. }| asked(&function, &approved)).transpose()?;
    Ok(FunctionGrantsResponse {
        function_name: name.to_string(),
        function_arn: host.app.function_arn(caller, name).to_string(),
        approved: text(&approved)?,
        versions: versions.unwrap_or_default(),
        approved_date: date,
        approved_by: by,
    })
}

/// What each version asks, and what of it is not approved.
fn asked(function: &Function, approved: &Grants) -> Result<Vec<VersionGrants>, FunctionError> {
    let releases =
        every(function).filter_map(|version| function.release(version).map(|release| (version, release)));
    releases
        .map(|(version, release)| {
            Ok(VersionGrants {
                version: version.to_string(),
                digest: release.code.digest.to_string(),
                asked: text(&release.code.grants)?,
                beyond: release.code.grants.beyond(approved),
            })
        })
        .collect()
}

/// Grants as the text of a manifest; nothing for none.
fn text(grants: &Grants) -> Result<String, FunctionError> {
    if *grants == Grants::default() {
        return Ok(String::new());
    }
    let manifest = Manifest { grants: grants.clone(), ..Manifest::default() };
    toml::to_string(&manifest)
        .map_err(|_| FunctionError::Store(pawl_store::StoreError::Broken("grants that cannot be written")))
}

impl From<FunctionError> for AppError {
    fn from(error: FunctionError) -> Self {
        match error {
            FunctionError::Store(source) => Self::Store(source),
            other => Self::Api(other.into_api()),
        }
    }
}
