//! What stands before the first byte of a request: TLS, connections, rates.

use std::time::Duration;

/// How long a client may take for a TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the files of the server's certificate are looked at.
pub const TLS_LOOKED_AT_EVERY: Duration = Duration::from_secs(2);
/// `pawl doctor` warns of a certificate that ends within this time ...
pub const CERTIFICATE_ENDS_SOON: Duration = Duration::from_secs(14 * 86_400);
/// ... and has less than one in so many parts of its own time left: one of a day is renewed every few hours.
pub const CERTIFICATE_SHARE_LEFT: u64 = 4;
/// Bytes of a file of certificates or of a key.
pub const TLS_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// TLS 1.3 tickets of one handshake: clients that keep a few connections resume each.
pub const TLS_TICKETS: usize = 2;
/// Header fields of a request (hyper's own bound).
pub const HEADERS_MAX: usize = 100;
/// Bytes of a request's line and header fields together. A session's token is the longest field of AWS's clients.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// How long an answer may wait for a client that takes nothing, or less than `ANSWER_PROGRESS_BYTES`.
pub const ANSWER_STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that a client must take within `ANSWER_STALL_TIMEOUT`.
pub const ANSWER_PROGRESS_BYTES: usize = 16 * 1024;
/// When less than one in so many places for connections is free, whoever sends nothing is given less time.
pub const PRESSED_SHARE: usize = 4;
/// That time: for a handshake, for a request's header, and between requests.
pub const PRESSED_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a new connection waits for a place that somebody is to give up, before another one is asked to.
pub const PLACE_WAIT: Duration = Duration::from_millis(100);
/// How long a host that ends waits for the connections that it has cut off.
pub const CUT_WAIT: Duration = Duration::from_secs(1);
/// Bytes of a body that is received without a look at what its head says: nearly every request's.
pub const SHORT_BODY_BYTES_MAX: u64 = 16 * 1024;
/// Longer bodies that a host holds at once, of up to `BODY_BYTES_MAX` each; more wait within the time that a body has.
pub const LONG_BODIES_AT_ONCE: usize = 256;
/// Bytes of a form without a signature: a token of 20,000 characters, and session policies, in escapes.
pub const UNSIGNED_BODY_BYTES_MAX: usize = 128 * 1024;
/// Addresses and identities whose rate is remembered, most; who was not seen for longest is forgotten.
pub const RATES_KEPT_MAX: usize = 65_536;
/// Seconds' worth of its rate that somebody may ask for at once.
pub const RATE_BURST_SECONDS: u32 = 2;
/// Bits of an IPv6 address that tell its network: one network is one client.
pub const ADDRESS_BITS_V6: u32 = 64;
/// How long a server may go on before it stops accepting, once it was told to end.
pub const DRAIN_SECONDS_MAX: u32 = 3_600;
