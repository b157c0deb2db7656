//! What is between the matrix and the shim (tests/shim/shim.c) that a host is loaded with: orders one way, news the other.
//! Both sides see one file; the offsets here and the struct there must agree.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use pawl_tests::artifacts;
use sha2::{Digest, Sha256};

/// Calls that write to files, force files to the disk, send to databases, and send to workers: all by which a host makes
/// something last or makes somebody else do something, its answers to clients left out.
pub(crate) const DEEDS: u64 = 1 | 2 | 4 | 8;
/// Answers to clients.
pub(crate) const ANSWERS: u64 = 16;
/// Writes to files alone.
pub(crate) const FILES: u64 = 1;

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Nothing: it is counted.
    Count = 0,
    /// The process kills itself before the call is made.
    KillBefore = 1,
    /// The same when it has been made, before the process knows what came of it.
    KillAfter = 2,
    /// The thread stands still before the call, until [`Board::go_on`].
    StopBefore = 3,
    /// The same after the call.
    StopAfter = 4,
    /// From here on, writes to files find the disk full.
    DiskFull = 5,
}

/// Where on the board a word stands.
#[derive(Clone, Copy)]
enum Word {
    ClockSeconds = 0,
    ListenPort = 8,
    Mask = 16,
    Action = 24,
    FullCalls = 32,
    GoOn = 40,
    Fired = 48,
    Counted = 56,
    Countdown = 64,
}

const TRACE_AT: u64 = 72;
const TRACE_BYTES: usize = 1024;
const LINE_AT: u64 = LINE_ARMED_AT + 8;
const LINE_ARMED_AT: u64 = TRACE_AT + TRACE_BYTES as u64;
const LINE_BYTES: usize = 64;

/// One host's board.
#[derive(Debug)]
pub(crate) struct Board {
    path: PathBuf,
    file: File,
}

impl Board {
    /// A board on which nothing stands, in a file of this name.
    pub(crate) fn new(path: PathBuf) -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .expect("a board's file");
        file.set_len(LINE_AT + LINE_BYTES as u64).unwrap();
        Self { path, file }
    }

    /// The environment of a host that is to have this board.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        vec![("LD_PRELOAD", text(shim())), ("PAWL_SHIM_BOARD", text(&self.path))]
    }

    fn put(&self, word: Word, value: u64) {
        self.file.write_all_at(&value.to_ne_bytes(), word as u64).unwrap();
    }

    fn get(&self, word: Word) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, word as u64).unwrap();
        u64::from_ne_bytes(bytes)
    }

    /// Connections at this port are clients'.
    pub(crate) fn listens_at(&self, port: u16) {
        self.put(Word::ListenPort, u64::from(port));
    }

    /// Moves the host's time of day.
    pub(crate) fn shift_clock(&self, seconds: i64) {
        self.put(Word::ClockSeconds, seconds.cast_unsigned());
    }

    /// Has something happen at the nth call of these kinds from now on.
    pub(crate) fn arm(&self, mask: u64, nth: u64, act: Act) {
        self.disarm();
        for word in [Word::GoOn, Word::Fired, Word::Counted] {
            self.put(word, 0);
        }
        self.put(Word::Mask, mask);
        self.put(Word::Action, act as u64);
        // The disk is full until somebody makes room.
        self.put(Word::FullCalls, if act == Act::DiskFull { i64::MAX.cast_unsigned() } else { 0 });
        self.put(Word::Countdown, nth);
    }

    /// Has the process kill itself when it is about to write a line with this text to its log, or with none no more.
    pub(crate) fn set_line(&self, text: Option<&str>) {
        if let Some(text) = text {
            self.put(Word::Fired, 0);
            let mut line = [0; LINE_BYTES];
            line[..text.len()].copy_from_slice(text.as_bytes());
            self.file.write_all_at(&line, LINE_AT).unwrap();
        }
        self.file.write_all_at(&i64::from(text.is_some()).to_ne_bytes(), LINE_ARMED_AT).unwrap();
    }

    /// Nothing is to happen any more, who stands still goes on, and there is room on the disk.
    pub(crate) fn disarm(&self) {
        self.put(Word::Countdown, 0);
        self.put(Word::FullCalls, 0);
        self.set_line(None);
        self.go_on();
    }

    /// Lets a thread that stands still go on.
    pub(crate) fn go_on(&self) {
        self.put(Word::GoOn, 1);
    }

    /// Whether it has happened since the board was armed.
    pub(crate) fn fired(&self) -> bool {
        self.get(Word::Fired) != 0
    }

    /// How many calls have counted since the board was armed.
    pub(crate) fn counted(&self) -> u64 {
        self.get(Word::Counted)
    }

    /// The calls that have counted, a letter each: file, Sync, database, worker, client.
    pub(crate) fn trace(&self) -> String {
        let mut kinds = [0; TRACE_BYTES];
        self.file.read_exact_at(&mut kinds, TRACE_AT).unwrap();
        let letter = |kind: &u8| match kind {
            1 => 'f',
            2 => 'S',
            4 => 'd',
            8 => 'w',
            16 => 'c',
            _ => '?',
        };
        kinds.iter().take(usize::try_from(self.counted()).unwrap_or(TRACE_BYTES)).map(letter).collect()
    }
}

/// The shim, compiled by the C compiler that Rust links with, beside this executable.
fn shim() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = artifacts::repository().join("tests/shim/shim.c");
        let digest = hex::encode(Sha256::digest(std::fs::read(&source).expect("the shim's source")));
        let executable = std::env::current_exe().expect("the path of this executable");
        let library = executable.with_file_name(format!("shim-{}.so", digest.get(..16).unwrap_or_default()));
        if library.is_file() {
            return library;
        }
        let unfinished = library.with_extension(format!("{}", std::process::id()));
        let output = Command::new("cc")
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-shared", "-x", "c"])
            .arg(&source)
            .args(["-x", "none", "-ldl", "-o"])
            .arg(&unfinished)
            .output()
            .expect("cc can be run: Rust links with it");
        assert!(
            output.status.success(),
            "the shim does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::fs::rename(&unfinished, &library).expect("room beside this executable");
        library
    })
}
