//! Stands between a server and the driver library, and lets no question through that would give the password away.
//!
//! The library answers `AuthenticationCleartextPassword` with the password whatever the connection is. The guard reads the
//! server's messages before the library does: a question that it does not allow ends the stream, so the library never sees it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use pawl_core::limits;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// What the guard stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("it asks for the password in clear over a connection without TLS")]
    Clear,
    #[error("it asks for a login method that Pawl does not use")]
    Method,
    #[error(
        "it asks for no password at all (`trust` in its pg_hba.conf), so that a login there proves nothing"
    )]
    NoQuestion,
    #[error("it does not speak PostgreSQL's protocol")]
    Protocol,
}

/// `AuthenticationXxx` messages by their code.
mod code {
    pub(super) const OK: u32 = 0;
    pub(super) const CLEARTEXT: u32 = 3;
    pub(super) const MD5: u32 = 5;
    pub(super) const SASL: u32 = 10;
    pub(super) const SASL_CONTINUE: u32 = 11;
    pub(super) const SASL_FINAL: u32 = 12;
}

/// Kind (1 byte) and length (4 bytes, which count themselves) of a message, and the code of an authentication message (4 bytes).
const HEAD: usize = 9;
/// Kind and length alone.
const SHORT_HEAD: usize = 5;

/// Follows the server's messages, whatever the pieces in which they come.
#[derive(Debug)]
struct Watch {
    encrypted: bool,
    asked: bool,
    head: [u8; HEAD],
    held: usize,
    /// Bytes of the current message that are of no interest.
    skip: usize,
    total: usize,
}

impl Watch {
    const fn new(encrypted: bool) -> Self {
        Self { encrypted, asked: false, head: [0; HEAD], held: 0, skip: 0, total: 0 }
    }

    fn see(&mut self, mut bytes: &[u8]) -> Result<(), Stopped> {
        self.total = self.total.saturating_add(bytes.len());
        if self.total > limits::SERVER_SESSION_BYTES_MAX {
            return Err(Stopped::Protocol);
        }
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((first, rest)) = bytes.split_first() else { break };
            if let Some(slot) = self.head.get_mut(self.held) {
                *slot = *first;
            }
            self.held += 1;
            bytes = rest;
            self.message()?;
        }
        Ok(())
    }

    /// Judges the message once enough of its head is there.
    fn message(&mut self) -> Result<(), Stopped> {
        let [kind, l0, l1, l2, l3, c0, c1, c2, c3] = self.head;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let body = length.checked_sub(4).filter(|body| *body <= limits::SERVER_FRAME_BYTES_MAX);
        if self.held == SHORT_HEAD {
            let body = body.ok_or(Stopped::Protocol)?;
            if kind == b'R' {
                return if body < 4 { Err(Stopped::Protocol) } else { Ok(()) };
            }
            self.skip = body;
            self.held = 0;
        } else if self.held == HEAD {
            self.skip = body.unwrap_or_default().saturating_sub(4);
            self.held = 0;
            self.question(u32::from_be_bytes([c0, c1, c2, c3]))?;
        }
        Ok(())
    }

    fn question(&mut self, code: u32) -> Result<(), Stopped> {
        match code {
            code::CLEARTEXT if !self.encrypted => return Err(Stopped::Clear),
            code::CLEARTEXT | code::MD5 | code::SASL => self.asked = true,
            code::OK if !self.asked => return Err(Stopped::NoQuestion),
            code::OK | code::SASL_CONTINUE | code::SASL_FINAL => {}
            _ => return Err(Stopped::Method),
        }
        Ok(())
    }
}

/// A stream to a server, watched.
#[derive(Debug)]
pub(crate) struct Guarded<S> {
    stream: S,
    watch: Watch,
}

impl<S> Guarded<S> {
    /// A stream without TLS.
    pub(crate) const fn plain(stream: S) -> Self {
        Self { stream, watch: Watch::new(false) }
    }

    /// A stream inside of TLS with a verified server.
    pub(crate) const fn encrypted(stream: S) -> Self {
        Self { stream, watch: Watch::new(true) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        if let Err(stopped) = self.watch.see(new) {
            buffer.set_filled(before);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, stopped)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Guarded<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![kind];
        frame.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        frame.extend_from_slice(body);
        frame
    }

    fn question(code: u32) -> Vec<u8> {
        let mut body = code.to_be_bytes().to_vec();
        body.extend_from_slice(b"SCRAM-SHA-256\0\0");
        frame(b'R', &body)
    }

    /// Feeds `frames` in pieces of `piece` bytes.
    fn seen(encrypted: bool, frames: &[Vec<u8>], piece: usize) -> Result<(), Stopped> {
        let mut watch = Watch::new(encrypted);
        frames.concat().chunks(piece).try_for_each(|bytes| watch.see(bytes))
    }

    #[test]
    fn only_questions_that_keep_the_password_pass() {
        for piece in [1, 2, 3, 7, 1_000] {
            let notice = frame(b'N', b"SWARNING\0\0");
            assert_eq!(seen(false, &[notice.clone(), question(3)], piece), Err(Stopped::Clear));
            assert_eq!(seen(true, &[question(3), question(0)], piece), Ok(()));
            for code in [1, 2, 4, 6, 7, 8, 9, 13, u32::MAX] {
                assert_eq!(seen(true, &[question(code)], piece), Err(Stopped::Method), "{code}");
            }
            assert_eq!(seen(false, &[question(5), question(0)], piece), Ok(()));
            let scram =
                [question(10), question(11), question(12), question(0), frame(b'Z', b"I"), notice.clone()];
            assert_eq!(seen(false, &scram, piece), Ok(()));
            assert_eq!(seen(true, &[question(0)], piece), Err(Stopped::NoQuestion));
            // Also once the login is done.
            assert_eq!(
                seen(false, &[question(10), question(0), notice, question(3)], piece),
                Err(Stopped::Clear)
            );
        }
    }

    #[test]
    fn a_server_may_send_only_so_much() {
        let large = u32::try_from(limits::SERVER_FRAME_BYTES_MAX + 5).unwrap().to_be_bytes();
        assert_eq!(seen(true, &[vec![b'N'], large.to_vec()], 2), Err(Stopped::Protocol));
        assert_eq!(seen(true, &[vec![b'N', 0, 0, 0, 3]], 1), Err(Stopped::Protocol));
        assert_eq!(seen(true, &[vec![b'R', 0, 0, 0, 7, 0, 0, 0]], 1), Err(Stopped::Protocol));
        let many = vec![frame(b'N', &[0; 60_000]); 20];
        assert_eq!(seen(true, &many, 4_096), Err(Stopped::Protocol));
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(bytes in any::<Vec<u8>>(), piece in 1_usize..20) {
            let whole = seen(false, std::slice::from_ref(&bytes), bytes.len().max(1));
            prop_assert_eq!(seen(false, &[bytes], piece), whole);
        }
    }
}
