//! A `pawl serve` with the shim in it, and its clients.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pawl_tests::aws::{self, Signer};
use pawl_tests::http::Answer;
use pawl_tests::pawl::{Options, Pawl, Store};
use pawl_tests::process::Server;
use pawl_tests::scratch::Scratch;
use pawl_tests::wait::eventually;
use serde_json::Value;

use super::board::Board;

/// A host of its own store, or of one that several share.
pub(crate) struct Host {
    pub(crate) pawl: Pawl,
    pub(crate) board: Board,
    /// Its board's file, and what the operator has granted.
    _scratch: Scratch,
    address: Arc<Mutex<SocketAddr>>,
    shift_seconds: i64,
}

/// Calls a host, wherever it listens now, with the time that the host believes it is.
#[derive(Clone)]
pub(crate) struct Caller {
    address: Arc<Mutex<SocketAddr>>,
    signer: Signer,
    shift_seconds: i64,
}

/// How long a call waits for its answer: a host may stand still in the middle of one.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Who makes a new host ready.
static FURNISHING: Mutex<()> = Mutex::new(());
/// How long a new host may take until it can rotate.
const COMPILED_WITHIN: Duration = Duration::from_secs(120);

/// How many rotators a host has compiled.
fn compiled(pawl: &Pawl) -> usize {
    let kept = std::fs::read_dir(pawl.data_dir().join("artifacts"));
    let names = kept.into_iter().flatten().flatten().map(|entry| entry.path());
    names.filter(|path| path.extension().is_some_and(|ending| ending == "cwasm")).count()
}

impl Caller {
    /// Calls an operation of Secrets Manager.
    pub(crate) fn call(&self, operation: &str, body: &Value) -> std::io::Result<Answer> {
        self.ask("secretsmanager", &format!("secretsmanager.{operation}"), body)
    }

    /// Calls an operation of Pawl's own.
    pub(crate) fn call_pawl(&self, operation: &str, body: &Value) -> std::io::Result<Answer> {
        self.ask("pawl", &format!("Pawl.{operation}"), body)
    }

    fn ask(&self, service: &str, target: &str, body: &Value) -> std::io::Result<Answer> {
        let to = *self.address.lock().unwrap();
        let request = aws::request(&to.to_string(), target, body.to_string().as_bytes());
        let signer = Signer { service: service.to_owned(), ..self.signer.clone() };
        let at = aws::now().saturating_add_signed(self.shift_seconds);
        signer.sign(request, at).try_send_within(to, PATIENCE)
    }
}

impl Host {
    /// Starts one, whose `function` may use the secret `master`.
    pub(crate) fn start(store: Store, root_key: Option<Vec<u8>>, function: &str, master: &str) -> Self {
        let scratch = Scratch::new("board");
        let functions = scratch.path().join("functions");
        std::fs::create_dir(&functions).unwrap();
        let grants = format!("[grants]\nsecrets = [\"{master}\"]\n");
        std::fs::write(functions.join(format!("{function}.toml")), grants).unwrap();
        let board = Board::new(scratch.path().join("board"));
        let environment = board.environment();
        // One after the other: a new host compiles its rotators with what the others leave of the processors, and a dozen of
        // them at once leave each other nothing while runs go on.
        let turn = FURNISHING.lock().unwrap_or_else(PoisonError::into_inner);
        let pawl = Pawl::start(Options {
            store,
            root_key,
            environment,
            functions: Some(functions),
            ..Options::default()
        });
        let programs: BTreeSet<&[u8]> = pawl_rotators::ALL.iter().map(|rotator| rotator.bytes).collect();
        let programs = programs.len();
        eventually("the built-in rotators are compiled", COMPILED_WITHIN, || {
            (compiled(&pawl) >= programs).then_some(())
        });
        drop(turn);
        board.listens_at(pawl.address().port());
        let address = Arc::new(Mutex::new(pawl.address()));
        Self { pawl, board, _scratch: scratch, address, shift_seconds: 0 }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller {
            address: Arc::clone(&self.address),
            signer: self.pawl.signer(),
            shift_seconds: self.shift_seconds,
        }
    }

    /// Sees off a process that was killed or has killed itself.
    pub(crate) fn bury(&mut self) {
        self.pawl.kill9();
        self.board.disarm();
    }

    /// Starts it again with another time of day, or the same.
    ///
    /// # Errors
    /// What it has logged, when it does not come up.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.bury();
        self.pawl.try_resume()?;
        self.board.listens_at(self.pawl.address().port());
        *self.address.lock().unwrap() = self.pawl.address();
        Ok(())
    }

    /// Has it run with a clock that is off by so much.
    ///
    /// # Errors
    /// What it has logged, when it does not come up.
    pub(crate) fn set_clock(&mut self, shift_seconds: i64) -> Result<(), String> {
        if shift_seconds == self.shift_seconds {
            return Ok(());
        }
        self.bury();
        self.shift_seconds = shift_seconds;
        self.board.shift_clock(shift_seconds);
        self.restart()
    }

    pub(crate) fn server(&self) -> Server {
        self.pawl.server()
    }
}
