//! Every check there is, from what a machine lacks to the last end-to-end test. What CI runs.

use std::process::Command;
use std::time::Instant;

use crate::machine::{self, GUEST_TARGET};
use crate::metadata::{self, Member};
use crate::stage;
use crate::tidy;

/// Stops at the first stage that fails, and says how to run that one again.
pub(crate) fn run() -> Result<(), String> {
    let from = Instant::now();
    machine::guest_target()?;
    machine::postgres()?;
    machine::mariadb()?;
    machine::redis()?;
    machine::softhsm()?;
    machine::node()?;
    let path = machine::clients()?;
    let members = metadata::members()?;
    let (guests, host): (Vec<&Member>, Vec<&Member>) = members.iter().partition(|member| member.is_guest);

    stage::run(stage::cargo().args(["fmt", "--all", "--check"]))?;
    println!("\n== cargo xtask tidy");
    tidy::run()?;
    let mut clippy = stage::cargo();
    stage::run(chosen(clippy.args(["clippy", "--all-targets"]), &host).args(["--", "--deny", "warnings"]))?;
    let mut clippy = stage::cargo();
    clippy.args(["clippy", "--target", GUEST_TARGET, "--profile", "guest"]);
    stage::run(chosen(&mut clippy, &guests).args(["--", "--deny", "warnings"]))?;
    dependencies()?;

    let mut tests = stage::cargo();
    tests.env("PATH", path).args(["test", "--no-fail-fast"]);
    let (count, done) = stage::run_counted(chosen(&mut tests, &host));
    println!("\ncargo xtask test took {:.0} s", from.elapsed().as_secs_f64());
    println!("{} passed, {} failed", count.passed, count.failed);
    done
}

fn chosen<'a>(command: &'a mut Command, members: &[&Member]) -> &'a mut Command {
    for member in members {
        command.args(["--package", &member.name]);
    }
    command
}

/// Licences, banned crates and sources, where the tool for it is there.
fn dependencies() -> Result<(), String> {
    let installed =
        stage::cargo().args(["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if !installed {
        println!(
            "\n== cargo-deny is not installed: licences, bans and sources of dependencies were NOT checked"
        );
        return Ok(());
    }
    stage::run(stage::cargo().args(["deny", "check", "bans", "licenses", "sources"]))
}
