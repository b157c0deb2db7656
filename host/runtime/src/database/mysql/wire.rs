//! Packets of the MySQL protocol: numbered, bounded, and read without trust in whoever sends them.

use std::io;
use std::sync::Arc;

use pawl_core::limits;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

/// Length (3 bytes) and number (1 byte) of a packet.
const HEAD: usize = 4;
/// A payload of this length goes on in the next packet. Pawl neither sends nor takes one.
const PAYLOAD_END: usize = 0xff_ffff;

/// Why a conversation cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The connection ended.
    #[error("the connection ended")]
    Closed(#[from] io::Error),
    /// What came is no such packet, or more than a server may say.
    #[error("the server does not speak MySQL's protocol")]
    Protocol,
}

enum Transport {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// A connection to a server, packet by packet. It reads no byte ahead of the packet that is asked for: what a stranger puts
/// between the greeting and the TLS handshake is never taken for something that was said inside of TLS.
pub(super) struct Channel {
    transport: Transport,
    sequence: u8,
    received: usize,
}

impl Channel {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self { transport: Transport::Plain(stream), sequence: 0, received: 0 }
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        matches!(self.transport, Transport::Encrypted(_))
    }

    /// The same connection inside of TLS, with a server that has proved to be `name`.
    pub(super) async fn encrypted(
        self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let Transport::Plain(stream) = self.transport else {
            return Err(io::ErrorKind::AlreadyExists.into());
        };
        let stream = Box::pin(TlsConnector::from(config).connect(name, stream)).await?;
        Ok(Self { transport: Transport::Encrypted(Box::new(stream)), ..self })
    }

    /// Begins a command: packets are counted from 0 again.
    pub(super) const fn begin(&mut self) {
        self.sequence = 0;
    }

    pub(super) async fn send(&mut self, payload: &[u8]) -> Result<(), Broken> {
        let length = u32::try_from(payload.len()).map_err(|_| Broken::Protocol)?;
        if payload.len() >= PAYLOAD_END {
            return Err(Broken::Protocol);
        }
        let mut packet = Zeroizing::new(Vec::with_capacity(HEAD + payload.len()));
        packet.extend(length.to_le_bytes().iter().take(3));
        packet.push(self.sequence);
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        match &mut self.transport {
            Transport::Plain(stream) => stream.write_all(&packet).await?,
            Transport::Encrypted(stream) => {
                stream.write_all(&packet).await?;
                stream.flush().await?;
            }
        }
        Ok(())
    }

    pub(super) async fn receive(&mut self) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let mut head = [0; HEAD];
        self.read(&mut head).await?;
        let [low, middle, high, sequence] = head;
        let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
        self.received = self.received.saturating_add(HEAD + length);
        let in_turn = sequence == self.sequence;
        if !in_turn
            || length > limits::SERVER_FRAME_BYTES_MAX
            || self.received > limits::SERVER_SESSION_BYTES_MAX
        {
            return Err(Broken::Protocol);
        }
        self.sequence = self.sequence.wrapping_add(1);
        let mut payload = Zeroizing::new(vec![0; length]);
        self.read(&mut payload).await?;
        Ok(payload)
    }

    async fn read(&mut self, into: &mut [u8]) -> io::Result<()> {
        match &mut self.transport {
            Transport::Plain(stream) => stream.read_exact(into).await?,
            Transport::Encrypted(stream) => stream.read_exact(into).await?,
        };
        Ok(())
    }
}

/// Reads a payload from its beginning. Nothing is there once it has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    /// What comes before the next NUL, which is taken as well.
    pub(super) fn until_nul(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Some(text)
    }

    /// Everything that is left.
    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// A number in the protocol's form of one to nine bytes.
    pub(super) fn number(&mut self) -> Option<u64> {
        let width = match self.byte()? {
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            0xfb | 0xff => return None,
            small => return Some(u64::from(small)),
        };
        let mut wide = [0; 8];
        wide.get_mut(..width)?.copy_from_slice(self.bytes(width)?);
        Some(u64::from_le_bytes(wide))
    }

    /// A field of a row: nothing for SQL's NULL.
    pub(super) fn field(&mut self) -> Option<Option<&'a [u8]>> {
        if self.0.first() == Some(&0xfb) {
            self.bytes(1)?;
            return Some(None);
        }
        let length = usize::try_from(self.number()?).ok()?;
        self.bytes(length).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    #[test]
    fn numbers_and_fields_are_read_in_every_width() {
        for (bytes, number) in [
            (&[0xfa][..], Some(250)),
            (&[0xfc, 1, 2], Some(0x0201)),
            (&[0xfd, 1, 2, 3], Some(0x03_0201)),
            (&[0xfe, 1, 0, 0, 0, 0, 0, 0, 1], Some(0x0100_0000_0000_0001)),
            (&[0xfb], None),
            (&[0xff], None),
            (&[0xfc, 1], None),
            (&[], None),
        ] {
            assert_eq!(Reader::new(bytes).number(), number, "{bytes:?}");
        }
        let mut row = Reader::new(&[0xfb, 2, b'h', b'i', 0, 5, b'x']);
        assert_eq!(row.field(), Some(None));
        assert_eq!(row.field(), Some(Some(&b"hi"[..])));
        assert_eq!(row.field(), Some(Some(&b""[..])));
        assert_eq!(row.field(), None, "a field longer than its row");
    }

    proptest! {
        #[test]
        fn no_payload_is_read_past_its_end(payload in any::<Vec<u8>>()) {
            let mut reader = Reader::new(&payload);
            let mut total = 0;
            while let Some(field) = reader.field() {
                total += field.map_or(1, |bytes| bytes.len() + 1);
                prop_assert!(total <= payload.len());
            }
            let mut reader = Reader::new(&payload);
            while let Some(text) = reader.until_nul() {
                prop_assert!(!text.contains(&0));
            }
        }
    }
}
