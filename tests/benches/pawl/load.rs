//! A load generator: a fixed number of requests over connections that stay open, answers counted and checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connections at once.
pub(crate) const CONNECTIONS: usize = 32;

/// What a run came to.
pub(crate) struct Throughput {
    /// Answers in a second.
    pub(crate) per_second: f64,
    /// Half of the answers took less.
    pub(crate) p50: Duration,
    /// One in a hundred took longer.
    pub(crate) p99: Duration,
}

/// Sends `count` requests, taken from `requests` in turn.
pub(crate) fn run(address: SocketAddr, requests: &Arc<Vec<Vec<u8>>>, count: usize) -> Throughput {
    over(CONNECTIONS, address, requests, count)
}

/// The same over so many connections.
pub(crate) fn over(
    connections: usize,
    address: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    count: usize,
) -> Throughput {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let next = Arc::new(AtomicUsize::new(0));
        let from = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(connection(address, Arc::clone(requests), Arc::clone(&next), count)))
            .collect();
        let mut times = Vec::with_capacity(count);
        for task in tasks {
            times.extend(task.await.unwrap());
        }
        let took = from.elapsed().as_secs_f64();
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        Throughput { per_second: times.len() as f64 / took, p50: at(50), p99: at(99) }
    })
}

async fn connection(
    address: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
    count: usize,
) -> Vec<Duration> {
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut times = Vec::new();
    let mut answer = Vec::with_capacity(64 * 1024);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return times;
        }
        let from = Instant::now();
        stream.write_all(requests.get(number % requests.len()).unwrap()).await.unwrap();
        answer.clear();
        while !is_whole(&answer) {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "the server has closed a connection");
        }
        times.push(from.elapsed());
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
}

/// Whether an answer with a content-length is all there.
pub(crate) fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let name = b"content-length:";
    let head = answer.get(..end).unwrap_or_default();
    let Some(at) = head.windows(name.len()).position(|word| word.eq_ignore_ascii_case(name)) else {
        return false;
    };
    let digits = head.get(at + name.len()..).unwrap_or_default();
    let length = digits
        .iter()
        .skip_while(|byte| **byte == b' ')
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0'));
    answer.len() >= end + 4 + length
}
