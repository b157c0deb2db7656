//! The `pawl` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A process that runs or compiles guests starts nothing of the rest: no threads, no parser, no settings.
    match std::env::args_os().nth(1).as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("worker") => pawl_runtime::worker_main(),
        Some("compile") => pawl_runtime::compile_main(),
        _ => pawl_cli::run(),
    }
}
