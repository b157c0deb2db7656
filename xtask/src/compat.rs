//! `cargo xtask compat`: docs/aws-compat.md, from the table of AWS's model.

use crate::stage;

/// Writes the document.
pub(crate) fn run() -> Result<(), String> {
    let path = stage::root().join("docs/aws-compat.md");
    std::fs::write(&path, pawl_api::secrets_manager::compat::document())
        .map_err(|error| format!("{}: {error}", path.display()))?;
    println!("docs/aws-compat.md is written");
    Ok(())
}
