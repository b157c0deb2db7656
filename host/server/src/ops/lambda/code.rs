//! From what was uploaded to code that may be kept: unpacked, admitted, and within what the operator approved.

use pawl_core::function::{Code, FunctionName, Manifest};
use pawl_runtime::{Admitted, Component};
use pawl_store::{RowMac, StoreError, StoredCode};

use super::Request;
use crate::functions::FunctionError;
use crate::functions::package::{Unpacked, unpack};

/// Code that a function may have.
pub(super) struct Uploaded {
    pub(super) code: Code,
    pub(super) stored: StoredCode,
    /// What the component says of itself.
    pub(super) manifest: Manifest,
}

/// Looks at what was uploaded for the function of this name, in the order of what it costs.
pub(super) async fn upload(
    request: &Request<'_>,
    name: &FunctionName,
    package: Vec<u8>,
) -> Result<Uploaded, FunctionError> {
    let unpacking = tokio::task::spawn_blocking(move || {
        let Unpacked { component, package } = unpack(package)?;
        let ready = Component::new(component.clone());
        Ok::<_, FunctionError>((ready, component, package))
    });
    let (ready, component, package) =
        unpacking.await.map_err(|_| StoreError::Broken("the unpacking of a component"))??;
    let Admitted { manifest, imports } = request.host.runtime.admit(&ready, request.caller.whole()).await?;
    let manifest = match manifest {
        Some(text) => Manifest::parse(&text).map_err(FunctionError::Manifest)?,
        None => Manifest::default(),
    };
    manifest.covers(&imports).map_err(|lacking| FunctionError::Manifest(lacking.join("; ")))?;
    let approval = request.host.app.read_approval(request.caller, request.action(), name).await?;
    let beyond = manifest.grants.beyond(&approval.map(|approval| approval.grants).unwrap_or_default());
    if !beyond.is_empty() {
        return Err(FunctionError::NotApproved { name: name.clone(), beyond });
    }
    let bytes = u64::try_from(component.len()).unwrap_or(u64::MAX);
    let code = Code { digest: ready.digest(), bytes, grants: manifest.grants.clone(), package };
    // What is kept beside the bytes is of the component: others may have uploaded it in another package.
    let document = serde_json::to_string(&Code { package: None, ..code.clone() });
    let document = document.map_err(|_| StoreError::Broken("code that cannot be written"))?;
    Ok(Uploaded {
        stored: StoredCode { digest: code.digest, document, component, mac: RowMac::None },
        code,
        manifest,
    })
}
