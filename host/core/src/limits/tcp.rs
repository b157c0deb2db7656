//! What rotators say to servers over plain connections that the host makes for them.

use std::time::Duration;

/// Time for one call: all of a send, or what is waited for to come. A connection has the time of a login.
pub const TCP_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that a step may have open at once.
pub const TCP_CONNECTIONS_MAX: usize = 4;
/// Connections of one step.
pub const TCP_DIALS_MAX: u32 = 16;
/// Answers that one step may look at: what an answer can tell a guest is counted in them.
pub const TCP_ANSWERS_MAX: u32 = 64;
/// Beginnings of an answer that are told apart in one look.
pub const TCP_BEGINNINGS_MAX: usize = 8;
/// Bytes of one of them, of an end of an answer, and of a text by which a grant knows a yes or a no.
pub const TCP_BEGINNING_BYTES_MAX: usize = 128;
/// Bytes of an answer that is told apart and not read, its end included.
pub const TCP_ANSWER_BYTES_MAX: usize = 8 * 1024;
/// Pieces of which one send is made.
pub const TCP_PARTS_MAX: usize = 256;
/// Bytes of one send, encoded as they go out.
pub const TCP_SEND_BYTES_MAX: usize = 64 * 1024;
/// Bytes that a step may send, all its connections together.
pub const TCP_SENT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that a step takes from servers, all its connections together.
pub const TCP_RECEIVED_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that are taken from a connection at once.
pub const TCP_READ_BYTES_MAX: usize = 16 * 1024;
/// Bytes that came before, in which what has come is looked through: a value that comes in pieces is found as well.
pub const TCP_LOOKED_BACK_BYTES: usize = 16 * 1024;
/// Places of one grant, and texts by which it knows a yes or a no.
pub const TCP_TEXTS_MAX: usize = 16;
