//! Bodies of requests: received within bounds of size, time and number, and kept only where somebody may have signed them.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::http::request;
use pawl_core::limits;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::sign::{Heard, heard, with_head};
use crate::host::Host;

/// A body, which may hold a secret.
#[derive(Default)]
pub(super) struct Wiped {
    pub(super) bytes: Bytes,
    _room: Option<SemaphorePermit<'static>>,
}

impl From<Bytes> for Wiped {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, _room: None }
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        // Only when nobody else holds it; the connection's own buffer is hyper's.
        if let Ok(mut bytes) = std::mem::take(&mut self.bytes).try_into_mut() {
            zeroize::Zeroize::zeroize(&mut bytes[..]);
        }
    }
}

/// Why there is no body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Missed {
    /// It is too long, or it broke off.
    TooLong,
    /// It did not come in time.
    TooSlow,
}

/// Room for bodies that are not short: what is received takes memory before anything is verified.
static LONG: Semaphore = Semaphore::const_new(limits::LONG_BODIES_AT_ONCE);

/// Receives a body. Of a request that cannot be verified whatever its body is, nothing is kept of a long one: it is answered as
/// others are, and costs no memory. `unsigned_max` is how long a body without any signature may be.
pub(super) async fn receive(
    host: &Host,
    parts: &request::Parts,
    body: Body,
    unsigned_max: usize,
) -> Result<Wiped, Missed> {
    let receiving = async {
        if body.size_hint().upper().is_some_and(|bytes| bytes <= limits::SHORT_BODY_BYTES_MAX) {
            return kept(body, limits::BODY_BYTES_MAX, None).await;
        }
        let most = match with_head(parts, |head| heard(host, head)) {
            Heard::Refused => 0,
            Heard::Unsigned => unsigned_max,
            Heard::Possible => limits::BODY_BYTES_MAX,
        };
        if most == 0 {
            return passed(body).await.map(|()| Wiped::default());
        }
        let room = LONG.acquire().await.map_err(|_| Missed::TooSlow)?;
        kept(body, most, Some(room)).await
    };
    tokio::time::timeout(limits::BODY_READ_TIMEOUT, receiving).await.unwrap_or(Err(Missed::TooSlow))
}

async fn kept(body: Body, most: usize, room: Option<SemaphorePermit<'static>>) -> Result<Wiped, Missed> {
    let bytes = to_bytes(body, most).await.map_err(|_| Missed::TooLong)?;
    Ok(Wiped { bytes, _room: room })
}

/// Lets a body go by.
async fn passed(mut body: Body) -> Result<(), Missed> {
    let mut seen = 0_usize;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Missed::TooLong)?;
        seen = seen.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if seen > limits::BODY_BYTES_MAX {
            return Err(Missed::TooLong);
        }
    }
    Ok(())
}
