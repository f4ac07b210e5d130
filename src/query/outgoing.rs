//! Memory of answers: bounded from the moment they are made until the client has taken them.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::query::error::Error;

/// Answers up to this size are not counted, in bytes: the bound on connections bounds them too.
const SMALL_BYTES: u64 = 16 * 1024;
const KIB: u64 = 1024;

/// The memory that answers on their way out may take; cheap to clone.
#[derive(Clone)]
pub struct Outgoing {
    /// Free memory in KiB.
    free: Arc<Semaphore>,
}

struct Held {
    bytes: Bytes,
    _memory: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Outgoing {
    /// Room for answers of `bytes_max` bytes together, small ones aside.
    pub fn new(bytes_max: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes_max / 1024)) }
    }

    /// Lets `response` out if there is memory for it. The memory is free again when the last byte has been written, or
    /// when the connection ends.
    pub async fn admit(&self, response: Response) -> Result<Response, Error> {
        let bytes = response.body().size_hint().lower();
        if bytes <= SMALL_BYTES {
            return Ok(response);
        }
        let kib = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.free).try_acquire_many_owned(kib).map_err(|_| Error::Overloaded)?;
        let (parts, body) = response.into_parts();
        // Every answer is whole when it leaves its handler: nothing is waited for, and nothing can fail.
        let bytes = to_bytes(body, usize::MAX).await.map_err(|_| Error::StoreFailed)?;
        Ok(Response::from_parts(parts, Body::from(Bytes::from_owner(Held { bytes, _memory: memory }))))
    }
}
