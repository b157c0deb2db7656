//! A database that costs nothing: it takes every password and agrees with every statement, in PostgreSQL's protocol.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// Starts it and gives its port. It lives as long as the process.
pub(crate) fn start() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A client that goes away ends its thread.
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// A message: its kind, its length, its payload.
fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], payload].concat()
}

fn read(stream: &mut TcpStream, typed: bool) -> std::io::Result<(u8, Vec<u8>)> {
    let mut kind = [0];
    let mut length = [0; 4];
    if typed {
        stream.read_exact(&mut kind)?;
    }
    stream.read_exact(&mut length)?;
    let mut payload = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or(4).saturating_sub(4)];
    stream.read_exact(&mut payload)?;
    Ok((u8::from_be_bytes(kind), payload))
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    read(&mut stream, false)?;
    // AuthenticationMD5Password: a host refuses a server that asks for nothing, and this is the cheapest to ask for.
    stream.write_all(&message(b'R', &[0, 0, 0, 5, 1, 2, 3, 4]))?;
    read(&mut stream, true)?;
    let ready = message(b'Z', b"I");
    let mut welcome = message(b'R', &0_u32.to_be_bytes());
    for setting in
        [&b"server_version\x0015.0\0"[..], b"client_encoding\0UTF8\0", b"standard_conforming_strings\0on\0"]
    {
        welcome.extend(message(b'S', setting));
    }
    welcome.extend(message(b'K', &[0; 8]));
    welcome.extend(&ready);
    stream.write_all(&welcome)?;
    let mut answer = Vec::new();
    loop {
        match read(&mut stream, true)?.0 {
            b'Q' => {
                answer.extend(message(b'C', b"SELECT 0\0"));
                answer.extend(&ready);
            }
            b'P' => answer.extend(message(b'1', b"")),
            b'B' => answer.extend(message(b'2', b"")),
            b'C' => answer.extend(message(b'3', b"")),
            b'D' => answer.extend([message(b't', &[0, 0]), message(b'n', b"")].concat()),
            b'E' => answer.extend(message(b'C', b"SELECT 0\0")),
            b'S' => answer.extend(&ready),
            b'X' => return Ok(()),
            _ => {}
        }
        if answer.ends_with(&ready) {
            stream.write_all(&answer)?;
            answer.clear();
        }
    }
}
