//! The WIT's `tcp`, as messages to the host.

use wasmtime::component::Resource;

use super::guest::{Guest, mismatch};
use super::link::tcp;
use crate::wire::{Call, Reply, TcpAnswer, TcpError, TcpNumber, TcpPart};

type Answered<T> = wasmtime::Result<Result<T, tcp::Error>>;
type Connection = Resource<tcp::Connection>;

impl Guest {
    fn tcp(&mut self, call: Call) -> wasmtime::Result<Result<TcpAnswer, tcp::Error>> {
        match self.ask(call)? {
            Reply::Tcp(answered) => Ok(answered.map_err(Into::into)),
            _ => Err(mismatch()),
        }
    }

    fn done(&mut self, call: Call) -> Answered<()> {
        match self.tcp(call)? {
            Ok(TcpAnswer::Done) => Ok(Ok(())),
            Ok(_) => Err(mismatch()),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl tcp::Host for Guest {}

impl tcp::HostConnection for Guest {
    fn open(&mut self, host: String, port: u16) -> Answered<Connection> {
        match self.tcp(Call::TcpOpen { host, port })? {
            Ok(TcpAnswer::Opened(connection)) => Ok(Ok(Resource::new_own(connection))),
            Ok(_) => Err(mismatch()),
            Err(error) => Ok(Err(error)),
        }
    }

    fn send(&mut self, connection: Connection, parts: Vec<tcp::Part>) -> Answered<()> {
        let parts = parts.into_iter().map(Into::into).collect();
        self.done(Call::TcpSend { connection: connection.rep(), parts })
    }

    fn expect(
        &mut self,
        connection: Connection,
        beginnings: Vec<Vec<u8>>,
        end: Vec<u8>,
    ) -> Answered<Option<u32>> {
        match self.tcp(Call::TcpExpect { connection: connection.rep(), beginnings, end })? {
            Ok(TcpAnswer::Beginning(which)) => Ok(Ok(which)),
            Ok(_) => Err(mismatch()),
            Err(error) => Ok(Err(error)),
        }
    }

    fn receive(&mut self, connection: Connection, most: u32) -> Answered<Vec<u8>> {
        match self.tcp(Call::TcpReceive { connection: connection.rep(), most })? {
            Ok(TcpAnswer::Bytes(bytes)) => Ok(Ok(bytes)),
            Ok(_) => Err(mismatch()),
            Err(error) => Ok(Err(error)),
        }
    }

    fn finish(&mut self, connection: Connection) -> Answered<()> {
        self.done(Call::TcpFinish { connection: connection.rep() })
    }

    fn drop(&mut self, connection: Connection) -> wasmtime::Result<()> {
        self.forget(connection.rep())
    }
}

impl From<tcp::Number> for TcpNumber {
    fn from(number: tcp::Number) -> Self {
        match number {
            tcp::Number::Decimal => Self::Decimal,
            tcp::Number::Byte => Self::Byte,
            tcp::Number::U16Be => Self::U16Be,
            tcp::Number::U16Le => Self::U16Le,
            tcp::Number::U32Be => Self::U32Be,
            tcp::Number::U32Le => Self::U32Le,
        }
    }
}

impl From<tcp::Part> for TcpPart {
    fn from(part: tcp::Part) -> Self {
        match part {
            tcp::Part::Bytes(bytes) => Self::Bytes(bytes),
            tcp::Part::Sensitive(value) => Self::Sensitive(value.rep()),
            tcp::Part::Length(tcp::Length { of, more, number }) => {
                Self::Length { of: of.rep(), more, number: number.into() }
            }
            tcp::Part::Json(value) => Self::Json(value.rep()),
            tcp::Part::Base64(tcp::Base64 { before, value }) => Self::Base64 { before, value: value.rep() },
            tcp::Part::Sha256(value) => Self::Sha256(value.rep()),
            tcp::Part::Field(tcp::Field { of, name, number }) => {
                Self::Field { of: of.rep(), name, number: number.map(Into::into) }
            }
        }
    }
}

impl From<TcpError> for tcp::Error {
    fn from(error: TcpError) -> Self {
        match error {
            TcpError::NotGranted(text) => Self::NotGranted(text),
            TcpError::Refused(text) => Self::Refused(text),
            TcpError::Unreachable(text) => Self::Unreachable(text),
            TcpError::Untrusted(text) => Self::Untrusted(text),
            TcpError::LockoutBudgetSpent(text) => Self::LockoutBudgetSpent(text),
            TcpError::Lost(text) => Self::Lost(text),
            TcpError::Superseded => Self::Superseded,
        }
    }
}
