//! `pawl function inspect`: what a component is, imports, and asks for.

use std::path::Path;

use pawl_core::function::{Grants, Manifest};
use pawl_runtime::{Admitted, Component};
use serde::Serialize;

use super::{component, failed};
use crate::CommandError;
use crate::output::{Format, Printer, plain};

/// What there is to say of a component.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inspection {
    /// SHA-256 of it.
    digest: String,
    /// Its length in bytes.
    size: usize,
    imports: Vec<String>,
    /// None when it carries none: then it asks for nothing.
    manifest: Option<Manifest>,
    /// What it asks for, in words.
    asks: Vec<String>,
    /// Why a server would not take it, if it would not.
    refused: Vec<String>,
}

impl Inspection {
    /// Looks at a component's bytes.
    ///
    /// # Errors
    /// When they are no rotator, or its manifest is not understood.
    pub(super) fn of(bytes: Vec<u8>) -> Result<Self, String> {
        let Admitted { manifest, imports } = Admitted::read(&bytes).map_err(|error| error.to_string())?;
        let manifest = manifest
            .map(|text| {
                Manifest::parse(&text).map_err(|error| format!("its manifest is not understood: {error}"))
            })
            .transpose()?;
        let asked = manifest.clone().unwrap_or_default();
        let component = Component::new(bytes);
        Ok(Self {
            digest: component.digest().to_string(),
            size: component.bytes().len(),
            asks: asked.grants.beyond(&Grants::default()),
            refused: asked.covers(&imports).err().unwrap_or_default(),
            imports,
            manifest,
        })
    }

    /// Why a server would not take it.
    pub(super) fn refused(&self) -> &[String] {
        &self.refused
    }

    /// What it says of itself and asks for; of one that carries no manifest, nothing.
    pub(super) fn into_manifest(self) -> Manifest {
        self.manifest.unwrap_or_default()
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("digest    {}", self.digest), format!("size      {} bytes", self.size)];
        match &self.manifest {
            None => lines
                .push("manifest  none: it asks for nothing, and `pawl function build` embeds one".to_owned()),
            Some(manifest) => {
                if let Some(description) = &manifest.description {
                    lines.push(format!("says      {description}"));
                }
                lines.extend(manifest.timeout.map(|seconds| format!("timeout   {seconds} s")));
                lines.extend(manifest.memory.map(|mb| format!("memory    {mb} MB")));
            }
        }
        let listed = |lines: &mut Vec<String>, title: &str, texts: &[String]| {
            if !texts.is_empty() {
                lines.push(title.to_owned());
                lines.extend(texts.iter().map(|text| format!("  {text}")));
            }
        };
        listed(&mut lines, "asks for", &self.asks);
        listed(&mut lines, "imports", &self.imports);
        listed(&mut lines, "would be refused", &self.refused);
        lines
    }
}

/// Prints it.
pub(super) fn run(file: &Path, printer: &mut Printer) -> Result<(), CommandError> {
    let inspection = Inspection::of(component(file)?).map_err(|why| failed(file, why))?;
    match printer.format {
        Format::Json => printer.json(&inspection)?,
        Format::Text => {
            for line in inspection.lines() {
                printer.line(&plain(&line))?;
            }
        }
    }
    Ok(())
}
