//! What a rotator tries over connections that the host makes.

use std::cell::RefCell;

use pawl_guest::tcp::{Connection, Message};
use pawl_guest::{Failure, Rotation};

use crate::ALLOWED;

thread_local! {
    static KEPT: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn attack(name: &str, rotation: &Rotation) -> Result<String, Failure> {
    match name {
        "tcp-dial" => Ok(dial()),
        "tcp-echo" => echo(rotation),
        "tcp-guess" => guess(rotation),
        "tcp-flood" => Ok(flood()),
        "tcp-hoard" => Ok(hoard()),
        "tcp-silence" => Ok(silence()),
        "tcp-again" => Ok(again()),
        other => Ok(format!("{other} is no attack")),
    }
}

/// The server that it was granted, which its author runs.
fn granted() -> (String, u16) {
    let place = std::env::var("PLACE").unwrap_or_default();
    let (host, port) = place.rsplit_once(':').unwrap_or_default();
    (host.to_owned(), port.parse().unwrap_or_default())
}

fn open() -> Result<Connection, Failure> {
    let (host, port) = granted();
    Ok(Connection::open(&host, port)?)
}

/// Every other way to a place.
fn dial() -> String {
    let (_, port) = granted();
    let places = [
        ("localhost", port),
        ("127.0.0.2", port),
        ("127.1", port),
        ("2130706433", port),
        ("::1", port),
        ("::ffff:127.0.0.1", port),
        ("127.0.0.1", port.wrapping_add(1)),
        ("127.0.0.1", 0),
        ("169.254.169.254", 80),
        ("fd00:ec2::254", 80),
        ("metadata.google.internal", 80),
        ("evil.example", port),
        ("evil.example\u{0}.127.0.0.1", port),
    ];
    let mut told = String::new();
    for (host, port) in places {
        let answer = match Connection::open(host, port) {
            Ok(_) => ALLOWED.to_owned(),
            Err(error) => format!("{error:?}").split('(').next().unwrap_or_default().to_owned(),
        };
        told.push_str(&format!("{host}:{port} {answer}; "));
    }
    told
}

/// Has the password sent, and reads what comes back, a byte at a time.
fn echo(rotation: &Rotation) -> Result<String, Failure> {
    let (password, connection) = (rotation.current()?.sensitive("password")?, open()?);
    connection.send(&Message::from("ECHO ").sensitive(&password).text("\n"))?;
    let mut heard = Vec::new();
    loop {
        let piece = connection.receive(1)?;
        if piece.is_empty() {
            return Ok(format!("{ALLOWED}: {}", String::from_utf8_lossy(&heard)));
        }
        heard.extend(piece);
    }
}

/// Has it sent, and asks how what comes back begins, letter by letter.
fn guess(rotation: &Rotation) -> Result<String, Failure> {
    let password = rotation.current()?.sensitive("password")?;
    let mut known = String::new();
    let letters: Vec<char> = ('a'..='z').chain(['-']).collect();
    'place: while known.len() < 12 {
        for some in letters.chunks(8) {
            let connection = open()?;
            connection.send(&Message::new().sensitive(&password).text("\n"))?;
            let begin: Vec<String> = some.iter().map(|letter| format!("{known}{letter}")).collect();
            if let Some(guessed) = connection.expect(&begin, "\n")?.and_then(|which| begin.get(which)) {
                known.clone_from(guessed);
                continue 'place;
            }
        }
        break;
    }
    Ok(format!("{ALLOWED}: {known}"))
}

/// Says more than it may.
fn flood() -> String {
    let mut sent = 0_u32;
    let connection = match open() {
        Ok(connection) => connection,
        Err(error) => return format!("refused: {error:?}"),
    };
    loop {
        match connection.send(&Message::new().bytes(vec![b'x'; 60 * 1024])) {
            Ok(()) => sent += 1,
            Err(error) => return format!("after {sent}: refused: {error:?}"),
        }
    }
}

/// Opens more than it may, and lets none go.
fn hoard() -> String {
    let mut kept = Vec::new();
    loop {
        match open() {
            Ok(connection) => kept.push(connection),
            Err(error) => return format!("after {}: refused: {error:?}", kept.len()),
        }
    }
}

/// Waits for a server that says nothing.
fn silence() -> String {
    match open().and_then(|connection| Ok(connection.receive(1)?)) {
        Ok(_) => ALLOWED.to_owned(),
        Err(error) => format!("refused: {error:?}"),
    }
}

/// Uses what an earlier step has left open.
fn again() -> String {
    let left = KEPT.with_borrow(Vec::len);
    let opened = open().map(|connection| KEPT.with_borrow_mut(|kept| kept.push(connection)));
    format!("{left} were left; {}", if opened.is_ok() { "one is open" } else { "none is open" })
}
