//! The host's clocks and its randomness: the one home of both.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pawl_core::world::{Clock, Rng, Timestamp};
use sha2::{Digest as _, Sha256};

/// The machine's clock, with an offset that only a development clock ever has; on a shared store, the store's clock.
#[derive(Debug)]
pub struct SystemClock {
    offset_millis: AtomicI64,
    began: Instant,
    /// What the shared store's clock showed when this one began; none without such a store.
    store_began_millis: AtomicI64,
}

const NO_STORE: i64 = i64::MIN;

impl Default for SystemClock {
    fn default() -> Self {
        Self::ahead_by(0)
    }
}

impl SystemClock {
    /// A clock that is `offset_millis` ahead of the machine's.
    #[must_use]
    pub fn ahead_by(offset_millis: i64) -> Self {
        Self {
            offset_millis: AtomicI64::new(offset_millis),
            began: Instant::now(),
            store_began_millis: AtomicI64::new(NO_STORE),
        }
    }

    /// Takes the clock of a shared store as that by which secrets live, from here on: what one host writes down as due must not be
    /// hours away for another, and a step of this machine's clock must not move it.
    pub fn agree_with(&self, store: Timestamp) {
        self.store_began_millis.store(store.millis().saturating_sub(self.since_began()), Ordering::Relaxed);
    }

    fn since_began(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Moves the domain's time forward, and never back; the new offset in milliseconds.
    pub fn advance(&self, by: Duration) -> i64 {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let before = self.offset_millis.fetch_add(by, Ordering::SeqCst);
        before.saturating_add(by)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let offset = self.offset_millis.load(Ordering::Relaxed);
        let time = match self.store_began_millis.load(Ordering::Relaxed) {
            NO_STORE => self.wall().millis(),
            store_began => store_began.saturating_add(self.since_began()),
        };
        Timestamp::from_millis(time.saturating_add(offset))
    }

    #[expect(clippy::disallowed_methods, reason = "the one home of the machine's clock")]
    fn wall(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The operating system's randomness.
#[derive(Debug, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    #[expect(clippy::disallowed_methods, reason = "the one home of the system's randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            // A key made of anything else would be worse than no service.
            std::process::abort();
        }
    }
}

/// A new random id in the form of a UUID, version 4.
#[must_use]
pub fn uuid(rng: &dyn Rng) -> String {
    let mut bytes = [0_u8; 16];
    rng.fill(&mut bytes);
    written_as_uuid(bytes)
}

/// The ids of requests: none comes twice, and none tells another. They are made from one draw of randomness and a count, because
/// asking the system for each would be a system call more in every read.
#[derive(Debug)]
pub struct RequestIds {
    seed: [u8; 32],
    count: AtomicU64,
}

impl RequestIds {
    /// Ids unlike those of any other host, or of this one before.
    #[must_use]
    pub fn new(rng: &dyn Rng) -> Self {
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        Self { seed, count: AtomicU64::new(0) }
    }

    /// The next one.
    #[must_use]
    pub fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let hash: [u8; 32] =
            Sha256::new().chain_update(self.seed).chain_update(count.to_be_bytes()).finalize().into();
        let (half, _) = hash.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        written_as_uuid(*half)
    }
}

/// These random bytes in the form of a UUID, version 4.
fn written_as_uuid(bytes: [u8; 16]) -> String {
    let number = (u128::from_be_bytes(bytes) & !(0xf000_u128 << 64) & !(0xc000_u128 << 48))
        | (0x4000_u128 << 64)
        | (0x8000_u128 << 48);
    let mut uuid = String::with_capacity(36);
    for (place, byte) in number.to_be_bytes().into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        for half in [byte >> 4, byte & 0xf] {
            uuid.push(char::from(if half < 10 { b'0' + half } else { b'a' - 10 + half }));
        }
    }
    uuid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_version_4_uuids() {
        let one = uuid(&SystemRng);
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'4', "{one}");
        assert!(b"89ab".contains(&one.as_bytes()[19]), "{one}");
        assert_eq!(one.matches('-').count(), 4);
        assert_ne!(one, uuid(&SystemRng));
    }

    #[test]
    fn an_id_is_written_as_it_was_drawn() {
        let bytes = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
        assert_eq!(written_as_uuid(bytes), "00112233-4455-4677-8899-aabbccddeeff");
    }

    #[test]
    fn no_request_has_the_id_of_another() {
        let (first, second) = (RequestIds::new(&SystemRng), RequestIds::new(&SystemRng));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            assert!(seen.insert(first.next()) && seen.insert(second.next()));
        }
    }
}
