//! A session of one's own on MariaDB: enough of its protocol to log in by `mysql_native_password` and to read rows of text.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sha1::{Digest, Sha1};

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// The server's code and text.
    Code(u16, String),
    /// The connection's end.
    Lost(String),
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// A session that is logged in.
#[derive(Debug)]
pub(super) struct Session {
    stream: TcpStream,
}

const LIMIT: Duration = Duration::from_secs(10);
/// LONG_PASSWORD, PROTOCOL_41, SECURE_CONNECTION and PLUGIN_AUTH.
const CAPABILITIES: u32 = 1 | 1 << 9 | 1 << 15 | 1 << 19;
const UTF8MB4: u8 = 45;
const METHOD: &[u8] = b"mysql_native_password\0";

impl Session {
    pub(super) fn open(port: u16, user: &str, password: &str) -> Result<Self, Refusal> {
        #[expect(clippy::disallowed_methods, reason = "the harness's own client")]
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        let mut session = Self { stream };
        let (_, greeting) = session.read()?;
        // The protocol's version, the server's with a NUL, a number of four bytes; then eight bytes of the nonce, and the other twelve
        // after 19 more.
        let version = greeting.iter().skip(1).position(|byte| *byte == 0).unwrap_or(0) + 2;
        let part = |from: usize, to: usize| greeting.get(version + from..version + to).unwrap_or_default();
        let nonce = [part(4, 12), part(31, 43)].concat();
        let mut response = CAPABILITIES.to_le_bytes().to_vec();
        response.extend((1_u32 << 24).to_le_bytes());
        response.push(UTF8MB4);
        response.extend([0; 23]);
        response.extend(user.as_bytes());
        let proved = proof(password, &nonce);
        response.extend([0, u8::try_from(proved.len()).unwrap()]);
        response.extend(proved);
        response.extend(METHOD);
        session.write(1, &response)?;
        loop {
            let (number, answer) = session.read()?;
            match answer.first() {
                Some(0x00) => return Ok(session),
                Some(0xff) => return Err(refusal(&answer)),
                // Another method, or another nonce: the name with a NUL, the nonce with one.
                Some(0xfe) => {
                    let nonce = answer.get(1 + METHOD.len()..).unwrap_or_default();
                    let nonce = nonce.strip_suffix(&[0]).unwrap_or(nonce).to_vec();
                    let known = answer.get(1..=METHOD.len()) == Some(METHOD);
                    let proved = if known { proof(password, &nonce) } else { Vec::new() };
                    session.write(number + 1, &proved)?;
                }
                other => return Err(Refusal::Lost(format!("{other:?} in a login"))),
            }
        }
    }

    /// Runs a statement; the first column of its rows.
    pub(super) fn query(&mut self, sql: &str) -> Result<Vec<String>, Refusal> {
        self.write(0, &[b"\x03", sql.as_bytes()].concat())?;
        let (_, first) = self.read()?;
        let columns = match first.first() {
            Some(0xff) => return Err(refusal(&first)),
            Some(0x00) | None => return Ok(Vec::new()),
            Some(columns) => *columns,
        };
        for _ in 0..=columns {
            let _ = self.read()?;
        }
        let mut rows = Vec::new();
        loop {
            let (_, row) = self.read()?;
            match row.first() {
                Some(0xff) => return Err(refusal(&row)),
                Some(0xfe) if row.len() < 9 => return Ok(rows),
                Some(length @ 0..=250) => {
                    let text = row.get(1..=usize::from(*length)).unwrap_or_default();
                    rows.push(String::from_utf8_lossy(text).into_owned());
                }
                Some(0xfc) => {
                    let length = usize::from(row[1]) | usize::from(row[2]) << 8;
                    let text = row.get(3..3 + length).unwrap_or_default();
                    rows.push(String::from_utf8_lossy(text).into_owned());
                }
                _ => rows.push(String::new()),
            }
        }
    }

    fn read(&mut self) -> Result<(u8, Vec<u8>), Refusal> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head)?;
        let size = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes)?;
        Ok((head[3], bytes))
    }

    fn write(&mut self, number: u8, bytes: &[u8]) -> Result<(), Refusal> {
        let size = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let packet = [&[size[0], size[1], size[2], number], bytes].concat();
        Ok(self.stream.write_all(&packet)?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.write(0, &[0x01]);
    }
}

/// SHA1(password) xor SHA1(nonce + SHA1(SHA1(password))).
fn proof(password: &str, nonce: &[u8]) -> Vec<u8> {
    let once = Sha1::digest(password);
    let mask = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(once)).finalize();
    once.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

fn refusal(packet: &[u8]) -> Refusal {
    let code = packet.get(1..3).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]));
    Refusal::Code(code, String::from_utf8_lossy(packet.get(3..).unwrap_or_default()).into_owned())
}
