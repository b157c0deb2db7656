//! What rotators say to servers by HTTP.

use std::time::Duration;

/// Time for one request and its whole answer, the connection included.
pub const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests of one step: what an answer can tell a guest is counted in them.
pub const HTTP_REQUESTS_MAX: u32 = 32;
/// Bytes of a URL.
pub const HTTP_URL_BYTES_MAX: usize = 4 * 1024;
/// Header fields of a request.
pub const HTTP_HEADERS_MAX: usize = 32;
/// Pieces of which one header field or a body is made.
pub const HTTP_PARTS_MAX: usize = 256;
/// Bytes of one header field's value, and of a body, encoded as they are sent.
pub const HTTP_HEADER_BYTES_MAX: usize = 8 * 1024;
/// See [`HTTP_HEADER_BYTES_MAX`].
pub const HTTP_BODY_BYTES_MAX: usize = 64 * 1024;
/// Header fields of an answer.
pub const HTTP_ANSWER_HEADERS_MAX: usize = 64;
/// Bytes of an answer's body.
pub const HTTP_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Bytes that a server may send for one answer, the protocol's own (heads, chunks, TLS) included.
pub const HTTP_WIRE_BYTES_MAX: usize = 256 * 1024;
/// Bytes in which the client keeps an answer's head.
pub const HTTP_HEAD_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a sensitive value that is sent, least: what is shorter cannot be looked for in an answer.
pub const HTTP_SENSITIVE_BYTES_MIN: usize = 16;
/// Bytes of a value that no answer may have in a row, in any spelling. Guessing so many is out of reach; so is meeting them by
/// chance.
pub const HTTP_ECHO_BYTES: usize = 12;
/// Values shorter than `HTTP_ECHO_BYTES` are looked for whole, down to this length.
pub const HTTP_ECHO_BYTES_MIN: usize = 8;
/// Bytes of sensitive values that are looked for in one answer, all versions of the secret together.
pub const HTTP_LOOKED_FOR_BYTES_MAX: usize = 16 * 1024;
/// Places of one answer from which keys are taken.
pub const HTTP_CAPTURES_MAX: usize = 8;
/// Bytes of a key that a server has made, least: what is shorter can be guessed, and could not be looked for in what a rotator says.
pub const HTTP_CAPTURED_BYTES_MIN: usize = 16;
/// Bytes of a key that a server has made, most.
pub const HTTP_CAPTURED_BYTES_MAX: usize = 4 * 1024;
/// Bytes that a rotator may have said in a step's requests when it takes a key from an answer: all of it is looked through for the key.
pub const HTTP_SAID_BYTES_MAX: usize = 256 * 1024;
