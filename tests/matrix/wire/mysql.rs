//! The protocol of MySQL and MariaDB. It takes turns as well: a command, then its whole answer.

use std::io::Read;
use std::net::TcpStream;

use super::{Link, Protocol, What, cut};

pub(crate) const PROTOCOL: Protocol =
    Protocol { carry, changes: |sql| sql.contains("PASSWORD") || sql.contains("IDENTIFIED") };

const CLIENT_SSL: u32 = 1 << 11;
const CLIENT_DEPRECATE_EOF: u32 = 1 << 24;
const MORE_RESULTS: u16 = 8;
/// What a server says of a wrong password.
const ACCESS_DENIED: u16 = 1045;

mod command {
    pub(super) const QUIT: u8 = 0x01;
    pub(super) const QUERY: u8 = 0x03;
    pub(super) const PREPARE: u8 = 0x16;
    pub(super) const EXECUTE: u8 = 0x17;
    pub(super) const LONG_DATA: u8 = 0x18;
    pub(super) const CLOSE: u8 = 0x19;
}

struct Packet(Vec<u8>);

impl Packet {
    fn read(mut from: &TcpStream) -> std::io::Result<Self> {
        let mut bytes = vec![0; 4];
        from.read_exact(&mut bytes)?;
        let size = usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16;
        bytes.resize(4 + size, 0);
        from.read_exact(&mut bytes[4..])?;
        Ok(Self(bytes))
    }

    fn payload(&self) -> &[u8] {
        self.0.get(4..).unwrap_or_default()
    }

    fn kind(&self) -> u8 {
        self.payload().first().copied().unwrap_or(0)
    }

    fn number(&self, at: usize) -> u16 {
        self.payload().get(at..at + 2).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]))
    }

    fn is_end(&self) -> bool {
        self.kind() == 0xfe && self.payload().len() < 9
    }
}

/// Bytes of a length-encoded number that begins with this one.
const fn encoded(first: u8) -> usize {
    match first {
        0xfc => 3,
        0xfd => 4,
        0xfe => 9,
        _ => 1,
    }
}

fn carry(link: &mut Link<'_>) -> std::io::Result<()> {
    let greeting = Packet::read(&link.server)?;
    link.tell_client(&greeting.0)?;
    let response = Packet::read(link.client)?;
    let flags = response.payload().get(..4).map_or(0, |four| u32::from_le_bytes(four.try_into().unwrap()));
    if flags & CLIENT_SSL != 0 {
        return Err(std::io::Error::other("asked for TLS although the secret says not to"));
    }
    let user = response.payload().get(32..).unwrap_or_default().split(|byte| *byte == 0).next();
    link.account = String::from_utf8_lossy(user.unwrap_or_default()).into_owned();
    link.tell(What::Opened)?;
    link.tell_server(&response.0)?;
    login(link)?;
    let modern = flags & CLIENT_DEPRECATE_EOF != 0;
    let mut prepared = None;
    loop {
        let packet = Packet::read(link.client)?;
        let text = || Some(String::from_utf8_lossy(packet.payload().get(1..)?).trim().to_owned());
        let statement = match packet.kind() {
            command::QUERY => text(),
            command::PREPARE => {
                prepared = text();
                None
            }
            command::EXECUTE => prepared.clone(),
            _ => None,
        };
        if let Some(text) = &statement {
            link.tell(What::Asked(text.clone()))?;
        }
        link.tell_server(&packet.0)?;
        match packet.kind() {
            command::QUIT => return Ok(()),
            command::LONG_DATA | command::CLOSE => continue,
            _ => {}
        }
        let answer = if packet.kind() == command::PREPARE {
            preparation(link, modern)?
        } else {
            results(link, modern)?
        };
        if let Some(text) = &statement {
            link.tell(What::Answered(text.clone()))?;
        }
        link.tell_client(&answer)?;
        if let Some(text) = statement {
            link.tell(What::Told(text))?;
        }
    }
}

/// Carries the messages up to the server's OK.
fn login(link: &mut Link<'_>) -> std::io::Result<()> {
    loop {
        let packet = Packet::read(&link.server)?;
        match packet.kind() {
            0x00 => {
                link.tell(What::LoggedIn)?;
                return link.tell_client(&packet.0);
            }
            0xff => {
                let code = packet.number(1);
                let refused = code == ACCESS_DENIED;
                link.tell(if refused { What::Refused } else { What::TurnedAway(code.to_string()) })?;
                return link.tell_client(&packet.0).and_then(|()| Err(cut()));
            }
            _ => link.tell_client(&packet.0)?,
        }
        // The fast way of caching_sha2_password: the OK follows by itself.
        if packet.payload() != [0x01, 0x03] {
            let proof = Packet::read(link.client)?;
            link.tell_server(&proof.0)?;
        }
    }
}

/// The whole answer to a query, all of its results.
fn results(link: &Link<'_>, modern: bool) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut take = |bytes: &[u8]| answer.extend(bytes);
    loop {
        let first = Packet::read(&link.server)?;
        take(&first.0);
        let status = match first.kind() {
            0xff => return Ok(answer),
            0x00 => ok_status(&first),
            columns => {
                for _ in 0..columns {
                    take(&Packet::read(&link.server)?.0);
                }
                if !modern {
                    take(&Packet::read(&link.server)?.0);
                }
                loop {
                    let row = Packet::read(&link.server)?;
                    take(&row.0);
                    if row.kind() == 0xff {
                        return Ok(answer);
                    }
                    if modern && row.kind() == 0xfe {
                        break ok_status(&row);
                    }
                    if !modern && row.is_end() {
                        break row.number(3);
                    }
                }
            }
        };
        if status & MORE_RESULTS == 0 {
            return Ok(answer);
        }
    }
}

/// The status in an OK packet: after its header and two length-encoded numbers.
fn ok_status(packet: &Packet) -> u16 {
    let at = |at: usize| packet.payload().get(at).copied().unwrap_or(0);
    let second = 1 + encoded(at(1));
    packet.number(second + encoded(at(second)))
}

/// The whole answer to the preparation of a statement.
fn preparation(link: &Link<'_>, modern: bool) -> std::io::Result<Vec<u8>> {
    let first = Packet::read(&link.server)?;
    let mut answer = first.0.clone();
    if first.kind() == 0x00 {
        for many in [first.number(7), first.number(5)].into_iter().filter(|many| *many > 0) {
            for _ in 0..many + u16::from(!modern) {
                answer.extend(Packet::read(&link.server)?.0);
            }
        }
    }
    Ok(answer)
}
