//! Every WebAssembly guest of the repository, built, with its digest.

use sha2::{Digest, Sha256};

use crate::machine::{self, GUEST_TARGET};
use crate::metadata;
use crate::stage;

/// Builds them all and prints what came out.
pub(crate) fn run() -> Result<(), String> {
    machine::guest_target()?;
    let guests: Vec<String> =
        metadata::members()?.into_iter().filter(|member| member.is_guest).map(|member| member.name).collect();
    let mut command = stage::cargo();
    command.args([
        "build",
        "--target",
        GUEST_TARGET,
        "--profile",
        "guest",
        "--message-format",
        "json-render-diagnostics",
    ]);
    for guest in &guests {
        command.args(["--package", guest]);
    }
    println!("== {}", stage::typed(&command));
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err("the guests do not build".to_owned());
    }
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let files = message.get("filenames").and_then(serde_json::Value::as_array).into_iter().flatten();
        for file in files.filter_map(serde_json::Value::as_str).filter(|file| file.ends_with(".wasm")) {
            let bytes = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
            let name =
                std::path::Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
            println!("{name:<28} {:>8} bytes  sha256:{}", bytes.len(), hex::encode(Sha256::digest(&bytes)));
        }
    }
    Ok(())
}
