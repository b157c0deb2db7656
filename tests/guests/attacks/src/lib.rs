//! A rotator that means no good: what it tries is the variable `ATTACK` of its environment.
//!
//! Attacks that crash or flood do so in whatever step is run. Those that want a password end with `permanent` and what they
//! got: the test looks for the password in it.

use std::hint::black_box;

use pawl_guest::{Failure, Rotation, Rotator, Rules, Session, Version, export, log};

struct Attacks;

/// Where a field could hold a password in clear, if anything let it.
const FIELDS: [&str; 8] =
    ["password", "Password", "PASSWORD", " password", "password\0", "SecretString", "$", "note"];

fn attack(rotation: &Rotation) -> Result<(), Failure> {
    let name = std::env::var("ATTACK").unwrap_or_default();
    match name.as_str() {
        "loop" => loop {
            black_box(());
        },
        "panic" => crash(),
        "exit" => std::process::exit(0),
        "memory" => hoard(),
        "recursion" => {
            black_box(recurse(1));
            Ok(())
        }
        "call-flood" => loop {
            let _ = rotation.pending();
        },
        "log-flood" => loop {
            log!("{}", "x".repeat(64 * 1024));
        },
        "log-giant" => {
            log!("{}", "x".repeat(8 * 1024 * 1024));
            Ok(())
        }
        "stderr-flood" => loop {
            eprintln!("{}", "x".repeat(4 * 1024));
        },
        "list-giant" => {
            let draft =
                (0..200_000).fold(rotation.current()?.with("a", "b"), |draft, _| draft.with("a", "b"));
            rotation.put_pending(&draft)?;
            Ok(())
        }
        "handle-leak" => {
            let version = rotation.current()?;
            let mut kept = Vec::new();
            loop {
                kept.push(version.sensitive("password")?);
            }
        }
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_secs(3_600));
            Ok(())
        }
        "read" => told(read(rotation)?),
        "move-to-readable" => told(move_to_readable(rotation)?),
        "plant" => {
            told(refusal(rotation.put_pending(&rotation.current()?.with("password", "known to the author"))))
        }
        "weak-rules" => {
            told(refusal(rotation.random_password(&Rules { length: Some(4), ..Rules::default() })))
        }
        "reuse" => {
            let current = rotation.current()?;
            let password = current.sensitive("password")?;
            told(refusal(rotation.put_pending(&current.with("password", password))))
        }
        "redirect" => told(redirect(rotation)?),
        "other-secret" => told(refusal(rotation.open("another"))),
        "login" => told(refusal(Session::login(&rotation.current()?))),
        "host" => told(host()),
        other => told(format!("{other} is no attack")),
    }
}

#[expect(clippy::panic, reason = "the attack itself")]
fn crash() -> ! {
    panic!("this guest panics on purpose")
}

fn hoard() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1024 * 1024]));
    }
}

fn recurse(depth: u64) -> u64 {
    let here = black_box([depth; 64]);
    here.iter().sum::<u64>().wrapping_add(recurse(black_box(depth.wrapping_add(1))))
}

fn told(text: String) -> Result<(), Failure> {
    log!("{text}");
    Err(Failure::Permanent(text))
}

fn refusal<T>(result: Result<T, impl std::fmt::Debug>) -> String {
    match result {
        Ok(_) => "it was allowed".to_owned(),
        Err(error) => format!("refused: {error:?}"),
    }
}

fn look_at(version: &Version) -> String {
    FIELDS.iter().map(|field| format!("{field:?} = {:?}; ", version.find_text(field))).collect()
}

/// Every way to a text.
fn read(rotation: &Rotation) -> Result<String, Failure> {
    let current = rotation.current()?;
    let password = current.sensitive("password")?;
    // To log in is a rotator's right, and tells nothing. So does what a statement says that fails.
    let session = Session::login(&current)?;
    let change = refusal(session.set_password("no such account", &password));
    Ok(format!("{} {password:?} {change}", look_at(&current)))
}

/// The password in a field that can be read.
fn move_to_readable(rotation: &Rotation) -> Result<String, Failure> {
    let mut answers = String::new();
    for field in ["note", "username", "host", "dbname", "engine"] {
        let current = rotation.current()?;
        let old = current.sensitive("password")?;
        let new = rotation.random_password(&Rules::default())?;
        let put = rotation.put_pending(&current.with("password", new).with(field, old));
        answers.push_str(&match put {
            Ok(version) => format!("{field} took it: {:?} {}; ", version.find_text(field), look_at(&version)),
            Err(error) => format!("{field} refused: {error:?}; "),
        });
    }
    Ok(answers)
}

/// A pending version that logs in at a server of the guest's own.
fn redirect(rotation: &Rotation) -> Result<String, Failure> {
    let mut answers = String::new();
    for (field, value) in [("host", "evil.example"), ("port", "1"), ("ssl", "false"), ("engine", "mysql")] {
        let draft = rotation.current()?.with("password", rotation.random_password(&Rules::default())?);
        let put = rotation.put_pending(&draft.with(field, value)).map(drop);
        answers.push_str(&format!("{field}: {}; ", refusal(put)));
    }
    Ok(answers)
}

/// What a guest could see of the machine that it runs on. Files and sockets are not even named here: a component that does is
/// refused before it runs.
fn host() -> String {
    let thread = std::thread::Builder::new().spawn(|| ()).map(drop);
    let variables = std::env::vars().map(|(name, _)| name).collect::<Vec<_>>();
    let mut input = String::new();
    let read = std::io::Read::read_to_string(&mut std::io::stdin(), &mut input);
    format!("{thread:?} {read:?} {input:?} {:?} {variables:?}", std::env::args().collect::<Vec<_>>())
}

impl Rotator for Attacks {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        attack(rotation)
    }

    fn set(rotation: &Rotation) -> Result<(), Failure> {
        attack(rotation)
    }

    fn test(rotation: &Rotation) -> Result<(), Failure> {
        attack(rotation)
    }

    fn finish(rotation: &Rotation) -> Result<(), Failure> {
        attack(rotation)
    }
}

export!(Attacks);
