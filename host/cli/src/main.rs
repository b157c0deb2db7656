//! The `pawl` binary.

use std::process::ExitCode;

/// A read allocates some fifty times and gives all of it back, often on another thread: glibc's allocator takes a tenth of the
/// server's time for that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // A process that runs or compiles guests starts nothing of the rest: no threads, no parser, no settings.
    match std::env::args_os().nth(1).as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("worker") => pawl_runtime::worker_main(),
        Some("compile") => pawl_runtime::compile_main(),
        _ => pawl_cli::run(),
    }
}
