//! A connection over which a guest speaks a protocol of its own. Nothing is read before somebody asks for it, so a server that says much
//! waits; nothing is given out before it was looked through.

use std::time::Duration;

use pawl_core::limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::http::echo::Echo;
use crate::stream::Stream;

/// Why a connection is of no more use, or an answer is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LineError {
    /// It broke, ended, or was too slow.
    Lost(String),
    /// More came than may.
    TooMuch(String),
}

/// What is to be told of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted<'a> {
    /// Which of these beginnings it has.
    Beginning { of: &'a [Vec<u8>], end: &'a [u8] },
    /// So many bytes of it, most.
    Bytes(usize),
}

/// What of the bytes that have come is the answer: how many, and which beginning they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    bytes: usize,
    pub(crate) beginning: Option<u32>,
}

/// An open connection.
pub(crate) struct Line {
    stream: Box<dyn Stream>,
    place: String,
    /// What has come and was not given out.
    unread: Zeroizing<Vec<u8>>,
    /// The end of what was given out before.
    before: Zeroizing<Vec<u8>>,
    has_ended: bool,
    has_finished: bool,
    wait: Duration,
}

impl Line {
    pub(crate) fn over(stream: Box<dyn Stream>, place: String, wait: Duration) -> Self {
        let (unread, before) = (Zeroizing::default(), Zeroizing::default());
        Self { stream, place, unread, before, has_ended: false, has_finished: false, wait }
    }

    pub(crate) const fn has_finished(&self) -> bool {
        self.has_finished
    }

    /// Whether something has come that nobody has asked for.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    fn lost<T>(&self, what: &str) -> Result<T, LineError> {
        let place = &self.place;
        Err(LineError::Lost(format!("{place} {what}; whether what was sent last had effect is not known")))
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), LineError> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout(self.wait, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => self.lost("broke the connection"),
            Err(_) => self.lost("did not take what was sent in time"),
        }
    }

    /// Says that no more will be sent.
    pub(crate) async fn finish(&mut self) -> Result<(), LineError> {
        self.has_finished = true;
        match timeout(self.wait, self.stream.shutdown()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => self.lost("broke the connection"),
            Err(_) => self.lost("did not take the end of what was sent in time"),
        }
    }

    /// Waits until what is wanted has come, and says how much of it that is. `left` is what may still be taken in this step.
    pub(crate) async fn await_answer(
        &mut self,
        wanted: &Wanted<'_>,
        left: &mut usize,
    ) -> Result<Found, LineError> {
        let wait = self.wait;
        match timeout(wait, self.fill_until(wanted, left)).await {
            Ok(found) => found,
            Err(_) => self.lost("did not answer in time"),
        }
    }

    async fn fill_until(&mut self, wanted: &Wanted<'_>, left: &mut usize) -> Result<Found, LineError> {
        loop {
            if let Some(found) = self.found(wanted) {
                return Ok(found);
            }
            if self.has_ended {
                return match wanted {
                    Wanted::Bytes(_) => Ok(Found { bytes: 0, beginning: None }),
                    Wanted::Beginning { .. } => self.lost("ended the connection before its answer"),
                };
            }
            if self.unread.len() >= limits::TCP_ANSWER_BYTES_MAX {
                let max = limits::TCP_ANSWER_BYTES_MAX;
                return Err(LineError::TooMuch(format!(
                    "an answer of {} is longer than {max} bytes",
                    self.place
                )));
            }
            self.fill(left).await?;
        }
    }

    /// Takes what there is.
    async fn fill(&mut self, left: &mut usize) -> Result<(), LineError> {
        // On the heap: what waits here is part of every step's future.
        let mut buffer = Zeroizing::new(vec![0; limits::TCP_READ_BYTES_MAX]);
        let room = (*left).min(buffer.len());
        if room == 0 {
            let max = limits::TCP_RECEIVED_BYTES_MAX;
            return Err(LineError::TooMuch(format!("a step takes {max} bytes of servers")));
        }
        let Some(into) = buffer.get_mut(..room) else { return self.lost("cannot be read") };
        match self.stream.read(into).await {
            Ok(0) => self.has_ended = true,
            Ok(read) => {
                *left = left.saturating_sub(read);
                self.unread.extend_from_slice(into.get(..read).unwrap_or_default());
            }
            Err(_) => return self.lost("broke the connection"),
        }
        Ok(())
    }

    fn found(&self, wanted: &Wanted<'_>) -> Option<Found> {
        let unread = self.unread.as_slice();
        match wanted {
            Wanted::Bytes(_) if unread.is_empty() => None,
            Wanted::Bytes(most) => Some(Found { bytes: unread.len().min(*most), beginning: None }),
            Wanted::Beginning { of, end: [] } => self.beginning(of),
            Wanted::Beginning { of, end } => {
                let at = unread.windows(end.len()).position(|piece| piece == *end)?;
                let bytes = at + end.len();
                let answer = unread.get(..bytes)?;
                let beginning = (0..).zip(of.iter()).find(|(_, begin)| answer.starts_with(begin));
                Some(Found { bytes, beginning: beginning.map(|(place, _)| place) })
            }
        }
    }

    /// The first beginning that has come, once none before it can still come.
    fn beginning(&self, of: &[Vec<u8>]) -> Option<Found> {
        let unread = self.unread.as_slice();
        for (place, begin) in (0..).zip(of) {
            if unread.starts_with(begin) {
                return Some(Found { bytes: begin.len(), beginning: Some(place) });
            }
            if begin.starts_with(unread) && !self.has_ended {
                return None;
            }
        }
        (!unread.is_empty() || self.has_ended || of.is_empty()).then_some(Found { bytes: 0, beginning: None })
    }

    /// All that has come, with what came before it: what must be looked through before any of it is told.
    pub(crate) fn to_look_through(&self) -> Zeroizing<Vec<u8>> {
        let mut all = Zeroizing::new(Vec::with_capacity(self.before.len() + self.unread.len()));
        all.extend_from_slice(&self.before);
        all.extend_from_slice(&self.unread);
        all
    }

    /// Gives the answer out.
    pub(crate) fn take(&mut self, found: Found) -> Vec<u8> {
        let rest = Zeroizing::new(self.unread.get(found.bytes..).unwrap_or_default().to_vec());
        let mut taken = std::mem::replace(&mut self.unread, rest);
        taken.truncate(found.bytes);
        self.before.extend_from_slice(&taken);
        let over = self.before.len().saturating_sub(limits::TCP_LOOKED_BACK_BYTES);
        self.before.drain(..over);
        std::mem::take(&mut *taken)
    }
}

/// Whether a text holds what it must not. Looking takes a while for a long one, and other rotations share this thread.
pub(crate) async fn holds(echo: Echo, text: Zeroizing<Vec<u8>>) -> bool {
    tokio::task::spawn_blocking(move || echo.is_in(&text)).await.unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn line(buffer: usize, wait: Duration) -> (Line, tokio::io::DuplexStream) {
        let (ours, theirs) = duplex(buffer);
        (Line::over(Box::new(ours), "cache:1".to_owned(), wait), theirs)
    }

    fn told<'a>(of: &'a [Vec<u8>], end: &'a [u8]) -> Wanted<'a> {
        Wanted::Beginning { of, end }
    }

    fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[tokio::test]
    async fn an_answer_is_told_apart_however_it_is_cut_into_pieces() {
        let of = texts(&["+OK", "-WRONG", "-"]);
        for cut in 1..20 {
            let (mut line, mut peer) = line(64, limits::TCP_TIMEOUT);
            let said = b"-WRONGPASS no\r\n+OK\r\n?\r\n".to_vec();
            let saying = tokio::spawn(async move {
                for piece in said.chunks(cut) {
                    peer.write_all(piece).await.unwrap();
                }
                peer
            });
            let mut left = 1024;
            for wanted in [Some(1), Some(0), None] {
                let found = line.await_answer(&told(&of, b"\r\n"), &mut left).await.unwrap();
                assert_eq!(found.beginning, wanted, "cut at {cut}");
                assert!(line.take(found).ends_with(b"\r\n"));
            }
            assert!(!line.has_unread());
            drop(saying.await.unwrap());
            let ended = line.await_answer(&told(&of, b"\r\n"), &mut left).await;
            assert!(matches!(ended, Err(LineError::Lost(_))), "{ended:?}");
        }
    }

    #[tokio::test]
    async fn without_an_end_only_the_beginning_is_taken_and_the_first_that_fits_counts() {
        let (mut line, mut peer) = line(64, limits::TCP_TIMEOUT);
        let mut left = 1024;
        let of = texts(&["abcd", "ab"]);
        peer.write_all(b"abx").await.unwrap();
        let found = line.await_answer(&told(&of, b""), &mut left).await.unwrap();
        assert_eq!((found.beginning, line.take(found)), (Some(1), b"ab".to_vec()));
        let found = line.await_answer(&told(&of, b""), &mut left).await.unwrap();
        assert_eq!(
            (found.beginning, line.take(found)),
            (None, Vec::new()),
            "nothing that is not told is lost"
        );
        drop(peer);
        let found = line.await_answer(&Wanted::Bytes(8), &mut left).await.unwrap();
        assert_eq!(line.take(found), b"x");
        let found = line.await_answer(&Wanted::Bytes(8), &mut left).await.unwrap();
        assert_eq!(line.take(found), b"", "the end");
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_or_says_nothing_is_given_up() {
        let (mut deaf, _peer) = line(16, PATIENCE);
        assert!(matches!(deaf.send(&[0; 64]).await, Err(LineError::Lost(_))));
        let (mut dumb, _peer) = line(16, PATIENCE);
        assert_eq!(dumb.send(b"hello").await, Ok(()));
        let mut left = 1024;
        let none = dumb.await_answer(&Wanted::Bytes(1), &mut left).await;
        assert!(matches!(none, Err(LineError::Lost(_))), "{none:?}");
    }

    #[tokio::test]
    async fn a_flood_is_taken_only_as_far_as_it_is_asked_for() {
        let (mut line, mut peer) = line(1024, limits::TCP_TIMEOUT);
        let flood = tokio::spawn(async move {
            let mut sent = 0_usize;
            while peer.write_all(&[b'x'; 512]).await.is_ok() {
                sent += 512;
            }
            sent
        });
        let mut left = 3_000;
        let endless = line.await_answer(&told(&texts(&["x"]), b"\n"), &mut left).await;
        assert!(matches!(endless, Err(LineError::TooMuch(_))), "{endless:?}");
        assert_eq!((left, line.to_look_through().len()), (0, 3_000));
        drop(line);
        let sent = flood.await.unwrap();
        assert!(sent <= 3_000 + 2 * 1024, "it was held back: {sent}");
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_too_long() {
        let (mut line, mut peer) = line(64 * 1024, limits::TCP_TIMEOUT);
        peer.write_all(&vec![b'x'; limits::TCP_ANSWER_BYTES_MAX]).await.unwrap();
        let endless = line.await_answer(&told(&texts(&["x"]), b"\n"), &mut 100_000).await;
        assert!(matches!(endless, Err(LineError::TooMuch(_))), "{endless:?}");
    }
}
