//! From a connection to a login: greeting, TLS, and the questions that a server may ask.

use std::io;
use std::sync::Arc;

use pawl_core::limits;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::answer::ServerError;
use super::method::Method;
use super::wire::{Broken, Channel, Reader};
use crate::database::tls::distrust;
use crate::database::{Login, LoginFailure, Protection, TlsRoots};
use crate::dial::Destination;

/// The protocol's version since MySQL 3.21.
const PROTOCOL: u8 = 10;
/// `utf8mb4_general_ci`, which every server of the family has.
const CHARSET: u8 = 45;
/// What `performance_schema` shows of a rotation.
const PROGRAM: (&str, &str) = ("program_name", "pawl");

/// `CLIENT_*` flags. `CLIENT_LOCAL_FILES` and `CLIENT_MULTI_STATEMENTS` are never set: no server gets a file, and a command is
/// one statement.
mod capability {
    /// `CLIENT_LONG_PASSWORD`; MariaDB calls it `CLIENT_MYSQL`.
    pub(super) const MYSQL: u32 = 1;
    pub(super) const CONNECT_WITH_DB: u32 = 1 << 3;
    pub(super) const PROTOCOL_41: u32 = 1 << 9;
    pub(super) const TLS: u32 = 1 << 11;
    pub(super) const TRANSACTIONS: u32 = 1 << 13;
    pub(super) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(super) const PLUGIN_AUTH: u32 = 1 << 19;
    pub(super) const CONNECT_ATTRIBUTES: u32 = 1 << 20;
    /// Without these there is no login that Pawl makes; MySQL has them since 5.5.7.
    pub(super) const NEEDED: u32 = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;
}

/// Why a login did not come about.
#[derive(Debug)]
enum Halt {
    Broken(Broken),
    Server(ServerError),
    Untrusted(&'static str),
    Tls(io::Error),
}

impl From<Broken> for Halt {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// What a server says first.
#[derive(Debug, PartialEq, Eq)]
struct Greeting {
    capabilities: u32,
    nonce: Vec<u8>,
    method: Vec<u8>,
}

impl Greeting {
    fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        reader.byte().filter(|version| *version == PROTOCOL)?;
        let _version = reader.until_nul()?;
        let _connection = reader.bytes(4)?;
        let mut nonce = reader.bytes(8)?.to_vec();
        reader.bytes(1)?;
        let low = reader.u16()?;
        let _charset_and_status = reader.bytes(3)?;
        let high = reader.u16()?;
        let length = usize::from(reader.byte()?);
        let _reserved = reader.bytes(10)?;
        nonce.extend_from_slice(reader.bytes(length.saturating_sub(nonce.len()).max(13))?);
        // Some servers leave the last NUL out.
        let method = reader.until_nul().unwrap_or(reader.rest()).to_vec();
        Some(Self { capabilities: u32::from(high) << 16 | u32::from(low), nonce, method })
    }
}

/// Logs in over `stream`: inside of verified TLS, unless the login says `"ssl": false`.
pub(super) async fn login(
    stream: TcpStream,
    to: &Destination,
    login: &Login,
    roots: &TlsRoots,
) -> Result<Channel, LoginFailure> {
    let name = match login.protection {
        Protection::Plain => None,
        Protection::VerifiedTls => Some(ServerName::try_from(to.host().to_owned()).map_err(|_| {
            LoginFailure::Untrusted(format!("`{}` is no name that a certificate can hold", to.host()))
        })?),
    };
    let tls = name.map(|name| (name, roots));
    talk(Channel::new(stream), tls, login).await.map_err(|halt| failure(halt, to, login))
}

async fn talk(
    mut channel: Channel,
    tls: Option<(ServerName<'static>, &TlsRoots)>,
    login: &Login,
) -> Result<Channel, Halt> {
    let hello = channel.receive().await?;
    if let Some(error) = ServerError::parse(&hello) {
        return Err(Halt::Server(error));
    }
    let greeting = Greeting::parse(&hello).ok_or(Broken::Protocol)?;
    if greeting.capabilities & capability::NEEDED != capability::NEEDED {
        return Err(Halt::Untrusted("it offers no login method that Pawl uses"));
    }
    let database = login.database.as_deref();
    let mut wanted = capability::NEEDED
        | capability::MYSQL
        | capability::TRANSACTIONS
        | (greeting.capabilities & capability::CONNECT_ATTRIBUTES)
        | if database.is_some() { capability::CONNECT_WITH_DB } else { 0 };
    if let Some((name, roots)) = tls {
        if greeting.capabilities & capability::TLS == 0 {
            return Err(Halt::Untrusted("it offers no TLS, and the secret does not say `\"ssl\": false`"));
        }
        wanted |= capability::TLS;
        channel.send(&preface(wanted)).await?;
        channel = channel.encrypted(Arc::new(roots.client()), name).await.map_err(Halt::Tls)?;
    }
    // The account's own method is asked for later where it is another one.
    let method = Method::named(&greeting.method)
        .filter(|method| matches!(method, Method::Native | Method::CachingSha2))
        .unwrap_or(Method::Native);
    let proof = method.proof(&login.password, &greeting.nonce).ok_or(Broken::Protocol)?;
    channel.send(&response(wanted, login, method, &proof)).await?;
    answer_questions(&mut channel, login, method).await?;
    Ok(channel)
}

/// Flags, and what else comes before the user's name. Alone, it asks for TLS.
fn preface(capabilities: u32) -> Vec<u8> {
    let packet_max = u32::try_from(limits::SERVER_FRAME_BYTES_MAX).unwrap_or(u32::MAX);
    let mut packet = Vec::with_capacity(32);
    packet.extend(capabilities.to_le_bytes());
    packet.extend(packet_max.to_le_bytes());
    packet.push(CHARSET);
    packet.extend([0; 23]);
    packet
}

fn response(capabilities: u32, login: &Login, method: Method, proof: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut packet = Zeroizing::new(Vec::with_capacity(limits::SERVER_FRAME_BYTES_MAX.min(1_024)));
    packet.extend(preface(capabilities));
    packet.extend_from_slice(login.username.as_bytes());
    packet.push(0);
    short(&mut packet, proof);
    if let Some(database) = &login.database {
        packet.extend_from_slice(database.as_bytes());
        packet.push(0);
    }
    packet.extend_from_slice(method.name().as_bytes());
    packet.push(0);
    if capabilities & capability::CONNECT_ATTRIBUTES != 0 {
        let mut attributes = Vec::new();
        short(&mut attributes, PROGRAM.0.as_bytes());
        short(&mut attributes, PROGRAM.1.as_bytes());
        short(&mut packet, &attributes);
    }
    packet
}

/// Adds bytes of ours, fewer than 251, after their number.
fn short(packet: &mut Vec<u8>, bytes: &[u8]) {
    packet.push(u8::try_from(bytes.len()).unwrap_or_default());
    packet.extend_from_slice(bytes);
}

/// Answers until the server has let the user in.
async fn answer_questions(channel: &mut Channel, login: &Login, mut method: Method) -> Result<(), Halt> {
    for _ in 0..limits::SERVER_QUESTIONS_MAX {
        let question = channel.receive().await?;
        let mut reader = Reader::new(&question);
        match reader.byte() {
            Some(0x00) => return Ok(()),
            Some(0xff) => return Err(Halt::Server(ServerError::parse(&question).ok_or(Broken::Protocol)?)),
            // Another method than the one that was begun with.
            Some(0xfe) => {
                // A server that wants `mysql_old_password` says no name.
                method = reader
                    .until_nul()
                    .and_then(Method::named)
                    .ok_or(Halt::Untrusted("it asks for a login method that Pawl does not use"))?;
                if matches!(method, Method::Sha256 | Method::Clear) {
                    send_password(channel, login).await?;
                } else {
                    let proof = method.proof(&login.password, reader.rest()).ok_or(Broken::Protocol)?;
                    channel.send(&proof).await?;
                }
            }
            // The proof was good, and what the server keeps of the password was at hand: an OK follows.
            Some(0x01) if method == Method::CachingSha2 && reader.rest() == [3] => {}
            // It wants the password itself.
            Some(0x01) if method == Method::CachingSha2 && reader.rest() == [4] => {
                send_password(channel, login).await?;
            }
            _ => return Err(Broken::Protocol.into()),
        }
    }
    Err(Broken::Protocol.into())
}

/// Sends the password itself, to a server that has proved who it is. The protocol's other way, encryption with a public key that
/// the server sends for the asking, protects from nobody who can pose as the server.
async fn send_password(channel: &mut Channel, login: &Login) -> Result<(), Halt> {
    if !channel.is_encrypted() {
        return Err(Halt::Untrusted("it asks for the password in clear over a connection without TLS"));
    }
    let password = login.password.expose();
    let mut packet = Zeroizing::new(Vec::with_capacity(password.len() + 1));
    packet.extend_from_slice(password);
    packet.push(0);
    Ok(channel.send(&packet).await?)
}

fn failure(halt: Halt, to: &Destination, login: &Login) -> LoginFailure {
    let untrusted =
        |why: &str| LoginFailure::Untrusted(format!("the database at {to} is not trusted: {why}"));
    let closed =
        || LoginFailure::Unreachable(format!("the database at {to} closed the connection during the login"));
    match halt {
        Halt::Server(error) => error.at_login(to, login),
        Halt::Untrusted(why) => untrusted(why),
        Halt::Tls(error) => distrust(&error).map_or_else(closed, untrusted),
        Halt::Broken(Broken::Protocol) => untrusted("it does not speak MySQL's protocol"),
        // A certificate that only the server's answer shows to be refused, in TLS 1.3.
        Halt::Broken(Broken::Closed(error)) => distrust(&error).map_or_else(closed, untrusted),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn a_greeting_is_read_as_mariadb_sends_it() {
        let mut packet = vec![10];
        packet.extend(b"5.5.5-10.11.14-MariaDB\0");
        packet.extend([1, 0, 0, 0]);
        packet.extend(b"abcdefgh\0");
        packet.extend([0xfe, 0xf7, 45, 2, 0, 0xff, 0x81, 21]);
        packet.extend([0; 10]);
        packet.extend(b"ijklmnopqrst\0mysql_native_password\0");
        let greeting = Greeting::parse(&packet).unwrap();
        assert_eq!(greeting.nonce, b"abcdefghijklmnopqrst\0");
        assert_eq!(Method::named(&greeting.method), Some(Method::Native));
        assert_eq!(greeting.capabilities, 0x81ff_f7fe);
        for end in 0..packet.len() - 22 {
            assert_eq!(Greeting::parse(&packet[..end]), None, "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_greeting_panics(payload in any::<Vec<u8>>()) {
            let _ = Greeting::parse(&[&[PROTOCOL], payload.as_slice()].concat());
        }
    }
}
