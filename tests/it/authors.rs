//! docs/writing-a-rotator.md as it stands: its files are written, its commands are typed, and what they print is compared with what
//! it says. The ports are others, and numbers may differ.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pawl_tests::artifacts;
use pawl_tests::postgres::Postgres;
use pawl_tests::scratch::Scratch;

mod languages;

/// The longest that a command may take: it may build an SDK on a busy machine.
const LIMIT: Duration = Duration::from_secs(900);
/// What comes after the output of a command, with its exit code behind it.
const MARK: char = '\u{1}';

fn document() -> String {
    std::fs::read_to_string(artifacts::repository().join("docs/writing-a-rotator.md")).unwrap()
}

/// What a block is for, by what stands before it.
#[derive(Debug, PartialEq, Eq)]
enum Use {
    /// The content of a file: the sentence before ends with its path in backticks, and a colon.
    File(String),
    /// Commands and what they print.
    Commands,
    /// The same in a terminal of its own, in which they go on running.
    Server,
    /// Only to be read.
    Shown,
}

#[derive(Debug)]
struct Block {
    heading: String,
    r#use: Use,
    lines: Vec<String>,
}

/// A command, and the lines that it prints by the document.
#[derive(Debug, Default)]
struct Typed {
    command: String,
    printed: Vec<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut heading, mut before) = (Vec::new(), String::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut heading);
        }
        if let Some(language) = line.strip_prefix("```") {
            let lines: Vec<String> =
                lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect();
            let path = before.strip_suffix("`:").and_then(|rest| rest.rsplit_once('`')).map(|(_, path)| path);
            let r#use = match (language, path) {
                ("console", _) if before.to_lowercase().contains("a terminal of its own") => Use::Server,
                ("console", _) => Use::Commands,
                (_, Some(path)) => Use::File(path.to_owned()),
                (_, None) => Use::Shown,
            };
            blocks.push(Block { heading: heading.clone(), r#use, lines });
        } else if !line.is_empty() {
            line.clone_into(&mut before);
        }
    }
    blocks
}

fn typed(lines: &[String]) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            all.push(Typed { command: command.to_owned(), printed: Vec::new() });
            goes_on = command.ends_with('\\');
        } else if let Some(last) = all.last_mut() {
            if goes_on {
                last.command = format!("{}\n{line}", last.command);
                goes_on = line.ends_with('\\');
            } else {
                last.printed.push(line.clone());
            }
        } else {
            panic!("a block of commands begins with `{line}`");
        }
    }
    all
}

/// A line without what differs from one run to the next: numbers, ids, units of time, columns' widths.
fn plain(line: &str) -> String {
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        // What AWS puts behind a secret's name are letters.
        let word = if word.contains(":secret:") {
            word.rsplit_once('-').map_or(word, |(name, _)| name)
        } else {
            word
        };
        let mut plain = String::new();
        for piece in word.split_inclusive(|c: char| !c.is_ascii_hexdigit() && c != '-' && c != '.') {
            let stem = piece.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
            let id = stem.len() >= 8 && stem.chars().any(|c| c.is_ascii_digit());
            if id {
                plain.push('#');
                plain.push_str(&piece[stem.len()..]);
            } else {
                let mut last_digit = false;
                for (at, c) in piece.char_indices() {
                    let inside =
                        c == '.' && last_digit && piece[at + 1..].starts_with(|c: char| c.is_ascii_digit());
                    if c.is_ascii_digit() {
                        if !last_digit {
                            plain.push('#');
                        }
                        last_digit = true;
                    } else if !inside {
                        plain.push(c);
                        last_digit = false;
                    }
                }
            }
        }
        words.push(plain);
    }
    let text = words.join(" ");
    ["# ms", "# min", "# us"].iter().fold(text, |text, unit| text.replace(unit, "# s"))
}

/// Whether what was printed is what the document says, where a line of three dots stands for any others.
fn is_as_said(said: &[String], printed: &[String]) -> bool {
    match said.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first.trim() == "..." => {
            (0..=printed.len()).any(|skipped| is_as_said(rest, &printed[skipped..]))
        }
        Some((first, rest)) => {
            printed.first().is_some_and(|line| plain(line) == plain(first)) && is_as_said(rest, &printed[1..])
        }
    }
}

/// A reader's terminal: one shell from the first command to the last.
struct Terminal {
    shell: Child,
    keys: ChildStdin,
    screen: Receiver<String>,
    errors: PathBuf,
    servers: Vec<Child>,
    folder: PathBuf,
    pawl_port: u16,
}

#[expect(clippy::disallowed_methods, reason = "a reader's environment is the tester's")]
fn command(program: &str, folder: &Path, pawl_port: u16) -> Command {
    let path = std::env::join_paths(
        std::iter::once(folder.join("bin"))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let mut command = Command::new(program);
    let mine = ["AWS_", "PAWL_", "CARGO_", "RUST"];
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if mine.iter().any(|prefix| text.starts_with(prefix)) && text != "CARGO_HOME" && text != "RUSTUP_HOME"
        {
            command.env_remove(&name);
        }
    }
    command
        .current_dir(folder)
        .env("PATH", path.unwrap())
        .env("PAWL_LISTEN", format!("127.0.0.1:{pawl_port}"))
        // What a reader's Cargo fetches is here already.
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", built())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Where projects are built: kept from one run to the next, for the SDK takes a while.
fn built() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    executable.ancestors().nth(3).unwrap().join("document-rotators")
}

fn follow(out: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

impl Terminal {
    fn open(folder: &Path, pawl_port: u16) -> Self {
        std::fs::create_dir(folder.join("bin")).unwrap();
        std::os::unix::fs::symlink(artifacts::pawl(), folder.join("bin/pawl")).unwrap();
        let home = folder.join("shop");
        std::fs::create_dir(&home).unwrap();
        let errors = folder.join("errors");
        let mut shell = command("bash", folder, pawl_port)
            .args(["--noprofile", "--norc"])
            .current_dir(&home)
            .stderr(std::fs::File::create(folder.join("shell")).unwrap())
            .spawn()
            .unwrap();
        let (keys, screen) = (shell.stdin.take().unwrap(), follow(shell.stdout.take().unwrap()));
        Self { shell, keys, screen, errors, servers: Vec::new(), folder: folder.to_path_buf(), pawl_port }
    }

    fn home(&self) -> PathBuf {
        self.folder.join("shop")
    }

    /// Types a command, and gives its exit code, what it printed, and what it told as an error of its own.
    fn r#type(&mut self, command: &str) -> (i32, Vec<String>) {
        let errors = self.errors.display();
        write!(self.keys, "{{ {command}\n}} 2>{errors}; printf '\\n\\001%s\\n' $?\n").unwrap();
        self.keys.flush().unwrap();
        let mut printed = Vec::new();
        let code = loop {
            let line = self.screen.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("`{command}` does not end"));
            match line.strip_prefix(MARK) {
                Some(code) => break code.parse().unwrap(),
                None => printed.push(line),
            }
        };
        // The empty line before the mark.
        assert_eq!(printed.pop().as_deref(), Some(""));
        let errors = std::fs::read_to_string(&self.errors).unwrap();
        printed.extend(errors.lines().skip_while(|line| !line.starts_with("pawl: ")).map(str::to_owned));
        if code != 0 {
            println!("exit code {code} of `{command}`:\n{errors}");
        }
        (code, printed)
    }

    /// Starts what goes on running, and waits until it has said what it says by the document.
    fn leave_running(&mut self, typed: &Typed) {
        let mut server = command("bash", &self.folder, self.pawl_port)
            .current_dir(self.home())
            .args(["-c", &format!("exec {}", typed.command)])
            .spawn()
            .unwrap();
        let screen = follow(server.stdout.take().unwrap());
        self.servers.push(server);
        for said in &typed.printed {
            let line =
                screen.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("`{}` says nothing", typed.command));
            assert_eq!(&line, said, "`{}`", typed.command);
        }
    }

    /// Does what a block says; what is otherwise than it says.
    fn does(&mut self, block: &Block) -> Vec<String> {
        let mut wrong = Vec::new();
        match &block.r#use {
            Use::File(path) => {
                std::fs::write(self.home().join(path), block.lines.join("\n") + "\n").unwrap();
            }
            Use::Server => typed(&block.lines).iter().for_each(|typed| self.leave_running(typed)),
            Use::Commands => {
                for Typed { command, printed: said } in typed(&block.lines) {
                    let (code, printed) = self.r#type(&command);
                    println!("$ {command}\n{}", printed.join("\n"));
                    let may_fail = said.iter().any(|line| line.starts_with("pawl: "));
                    if (code == 0) == may_fail || !is_as_said(&said, &printed) {
                        wrong.push(format!(
                            "$ {command}\nsaid:\n{}\nprinted:\n{}\n",
                            said.join("\n"),
                            printed.join("\n")
                        ));
                    }
                }
            }
            Use::Shown => {}
        }
        wrong
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        for child in self.servers.iter_mut().chain([&mut self.shell]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Does the blocks under these headings, in their order.
fn follow_the_document(text: &str, wanted: impl Fn(&str) -> bool, pawl_port: u16) {
    let scratch = Scratch::new("author");
    let mut terminal = Terminal::open(scratch.path(), pawl_port);
    let mut wrong = Vec::new();
    for block in blocks(text).iter().filter(|block| wanted(&block.heading)) {
        wrong.extend(terminal.does(block));
    }
    assert!(wrong.is_empty(), "the document says otherwise than it is:\n\n{}", wrong.join("\n"));
}

const DATABASE: &str = "A database instead";
const PATH: [&str; 6] =
    ["", "Something to rotate", "The rotator", "Does it hold?", "Into a server", "On a schedule"];

#[test]
fn a_rotator_is_written_tested_deployed_and_scheduled_as_the_document_says() {
    let (pawl, service) = (free_port(), free_port());
    let text = document().replace("7295", &pawl.to_string()).replace("8081", &service.to_string());
    follow_the_document(&text, |heading| PATH.contains(&heading), pawl);
}

#[test]
fn a_rotator_of_a_database_is_tested_as_the_document_says() {
    let postgres = Postgres::start();
    let place = "postgres://postgres:PASSWORD@127.0.0.1:5432/postgres?sslmode=disable";
    let text = document();
    assert_eq!(text.matches(place).count(), 1);
    let text = text.replace(place, &format!("{}?sslmode=disable", postgres.superuser_url("postgres")));
    follow_the_document(&text, |heading| heading == DATABASE, free_port());
    let roles = postgres.admin("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pawl_test_%'");
    assert_eq!(roles.trim(), "0", "the test's account is left behind");
}

/// What is done to the document's rotator, and the check that must find it.
const FAULTS: [(&str, &str, &str); 3] = [
    (
        "Ok(Request::get(KEY).bearer(&new).status()?.success(\"asking with the new key\")?)",
        "{ let _ = new; Ok(()) }",
        "FAILED   testSecret before setSecret fails",
    ),
    (
        "    fn test(",
        "    fn finish(_: &Rotation) -> Result<(), Failure> { Ok(()) }\n\n    fn test(",
        "FAILED   finishSecret before testSecret is refused",
    ),
    ("if rotation.exposed()? &&", "if false &&", "FAILED   setSecret again, after a crash, does no harm"),
];

#[test]
fn a_rotator_that_does_not_hold_fails_its_test() {
    let service = free_port();
    let text = document().replace("8081", &service.to_string());
    let scratch = Scratch::new("author");
    let mut terminal = Terminal::open(scratch.path(), free_port());
    let begun = terminal.r#type("pawl function new shop-keys");
    assert_eq!(begun.0, 0, "{begun:?}");
    for block in blocks(&text).iter().filter(|block| PATH.contains(&block.heading.as_str())) {
        let ours = matches!(block.r#use, Use::File(_)) || block.heading == PATH[1];
        if ours {
            assert_eq!(terminal.does(block), [""; 0]);
        }
    }
    let (source, opens) = (terminal.home().join("shop-keys/src/lib.rs"), terminal.home().join("shop.json"));
    let sound = std::fs::read_to_string(&source).unwrap();
    for (from, to, finding) in FAULTS {
        assert_eq!(sound.matches(from).count(), 1, "{from}");
        std::fs::write(&source, sound.replace(from, to)).unwrap();
        let (code, printed) = terminal.r#type("pawl function test shop-keys --secret shop.json");
        println!("{}", printed.join("\n"));
        assert_eq!(code, 1, "a rotator with `{to}` passes");
        assert!(printed.iter().any(|line| line == finding), "`{to}` is found otherwise");
        // A test that broke off after setSecret leaves what opens the service beside what did.
        let pending = opens.with_extension("pending.json");
        let kept = std::fs::read_to_string(&pending).unwrap();
        assert!(kept.contains("api_key"), "{kept}");
        if !finding.contains("testSecret before") {
            std::fs::rename(&pending, &opens).unwrap();
        }
    }
}

#[test]
fn no_command_of_the_document_is_left_out() {
    for block in blocks(&document()) {
        let heading = block.heading.as_str();
        let run = PATH.contains(&heading) || heading == DATABASE || languages::CHAPTERS.contains(&heading);
        assert!(
            run || block.r#use == Use::Shown,
            "nobody runs the block under `{}`: {block:?}",
            block.heading
        );
    }
}

#[test]
fn what_differs_from_run_to_run_is_left_out_and_nothing_else() {
    let same = |one: &str, other: &str| plain(one) == plain(other);
    assert!(same("rotated shop/key in 526 ms", "rotated shop/key  in 1.2 s"));
    assert!(same(
        "version 66bbbeb9-5bfe-4605-9d86-c8d78290eb8b.",
        "version dd19b4cd-a129-4815-b9cb-0ba8df84ec28."
    ));
    assert!(same("at any of its 4 calls", "at any of its 12 calls"));
    assert!(!same("ok  testSecret", "FAILED  testSecret"));
    assert!(!same("the account shop", "the account shed"));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(is_as_said(&lines("a\n...\nc 1"), &lines("a\nb\nb\nc 2")));
    assert!(is_as_said(&lines("...\nc"), &lines("c")));
    assert!(!is_as_said(&lines("a\n...\nc"), &lines("a\nb")));
    assert!(!is_as_said(&[], &lines("a")));
}
