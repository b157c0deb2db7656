//! A connection whose client must take its answers.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pawl_core::limits;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream that fails with `TimedOut` when what is written to it is not taken.
///
/// Nothing is timed as long as the system takes what it is given, so those who read pay nothing for it.
pub(super) struct Flowing<S> {
    stream: S,
    /// How long it may take little.
    patience: Duration,
    stalled: Option<Stalled>,
}

/// Since the stream took nothing: until when it may, and what it has taken since.
struct Stalled {
    until: Pin<Box<Sleep>>,
    taken: usize,
}

impl<S> Flowing<S> {
    pub(super) const fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, stalled: None }
    }
}

impl<S: AsyncWrite + Unpin> Flowing<S> {
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match write(Pin::new(&mut self.stream), cx) {
            Poll::Pending => {
                let patience = self.patience;
                let stalled = self
                    .stalled
                    .get_or_insert_with(|| Stalled { until: Box::pin(sleep(patience)), taken: 0 });
                ready!(stalled.until.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Ready(Ok(bytes)) => {
                if let Some(stalled) = &mut self.stalled {
                    stalled.taken = stalled.taken.saturating_add(bytes);
                    if stalled.taken >= limits::ANSWER_PROGRESS_BYTES {
                        self.stalled = None;
                    }
                }
                Poll::Ready(Ok(bytes))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Flowing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Flowing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whoever is above flushes when all of an answer was taken.
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.stalled = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn who_takes_nothing_is_left() {
        let (near, _far) = duplex(64);
        let mut near = Flowing::new(near, SHORT);
        let failed = near.write_all(&[0; 1_000]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_takes_a_byte_now_and_then_is_left_as_well() {
        let (near, mut far) = duplex(64);
        let mut near = Flowing::new(near, SHORT);
        // Whenever the writer waits, there is one more byte of room.
        let reading = async {
            let mut byte = [0; 1];
            while far.read_exact(&mut byte).await.is_ok() {
                tokio::time::sleep(SHORT / 50).await;
            }
        };
        let failed = tokio::select! {
            written = near.write_all(&[0; limits::ANSWER_PROGRESS_BYTES]) => written.unwrap_err(),
            () = reading => panic!("it was closed before"),
        };
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_reads_gets_all_of_it_and_a_stall_that_is_over_is_forgotten() {
        let (near, mut far) = duplex(8 * 1024);
        let mut near = Flowing::new(near, LONG);
        for _ in 0..4 {
            let bytes = vec![0; 64 * 1024];
            let mut received = vec![0; 64 * 1024];
            let (written, read) = tokio::join!(near.write_all(&bytes), far.read_exact(&mut received));
            written.unwrap();
            read.unwrap();
            near.flush().await.unwrap();
            assert!(near.stalled.is_none());
        }
    }

    #[tokio::test]
    async fn progress_within_the_time_is_enough() {
        let (near, mut far) = duplex(64);
        let mut near = Flowing::new(near, LONG);
        let all = limits::ANSWER_PROGRESS_BYTES + 1_024;
        let whole = vec![0; all];
        let (written, read) = tokio::join!(near.write_all(&whole), async {
            let mut some = vec![0; limits::ANSWER_PROGRESS_BYTES + 512];
            far.read_exact(&mut some).await.map(|_| ())?;
            far.read_exact(&mut some[..512]).await.map(|_| ())
        });
        written.unwrap();
        read.unwrap();
    }
}
