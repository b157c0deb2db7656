//! What a guest prints: kept to a bounded tail, so that a panic's message can be told and a flood costs nothing.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use pawl_core::limits;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// The last bytes that a guest has written to its standard output and error.
#[derive(Clone, Default)]
pub(super) struct Printed(Arc<Mutex<VecDeque<u8>>>);

impl Printed {
    fn keep(&self, bytes: &[u8]) {
        let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = bytes.len().min(limits::LOG_LINE_BYTES_MAX);
        let excess = (tail.len() + kept).saturating_sub(limits::LOG_LINE_BYTES_MAX);
        tail.drain(..excess);
        tail.extend(bytes.iter().skip(bytes.len() - kept));
    }

    /// The tail as text.
    pub(super) fn text(&self) -> String {
        let tail: Vec<u8> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        String::from_utf8_lossy(&tail).trim().to_owned()
    }
}

#[async_trait]
impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(limits::LOG_LINE_BYTES_MAX)
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Printed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept_and_no_more() {
        let printed = Printed::default();
        printed.keep(b"first\n");
        assert_eq!(printed.text(), "first");
        for _ in 0..1000 {
            printed.keep(b"flood of words ");
        }
        printed.keep(b"last");
        assert!(printed.text().ends_with("words last"), "{}", printed.text());
        printed.keep(&vec![b'x'; 1 << 20]);
        assert_eq!(printed.text(), "x".repeat(limits::LOG_LINE_BYTES_MAX));
    }
}
