//! A connection whose answers must be taken: a client that reads too slowly is cut.
//!
//! hyper limits the time of a request's headers and not that of a write. Without a limit a client that stops reading
//! would keep its connection and its answer for ever.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// Bytes that a client must take per time limit while an answer waits for it. One byte now and then is not enough.
const BYTES_PER_LIMIT: usize = 64 * 1024;

/// A socket that gives up when the other side does not take what is written.
pub struct Patient {
    stream: TcpStream,
    limit: Duration,
    wait: Option<Wait>,
    /// Whether bytes came after the last ones that were written.
    heard: Arc<AtomicBool>,
}

/// A write has to wait for the client; ends when the answer or [`BYTES_PER_LIMIT`] of it went out.
struct Wait {
    over: Pin<Box<Sleep>>,
    taken: usize,
}

impl Patient {
    /// Lets the client of `stream` take at most `limit` per [`BYTES_PER_LIMIT`] of an answer; keeps in `heard` whether
    /// bytes came after the last ones that were written.
    pub const fn new(stream: TcpStream, limit: Duration, heard: Arc<AtomicBool>) -> Self {
        Self { stream, limit, wait: None, heard }
    }

    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.heard.store(false, Ordering::Relaxed);
                self.wait.take_if(|wait| {
                    wait.taken += bytes;
                    wait.taken >= BYTES_PER_LIMIT
                });
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let limit = self.limit;
                let wait = self.wait.get_or_insert_with(|| Wait { over: Box::pin(sleep(limit)), taken: 0 });
                ready!(wait.over.as_mut().poll(cx));
                // A reset: what the kernel still holds would wait for this client for minutes. A refusal costs only that.
                let _ = self.stream.set_zero_linger();
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take its answer")))
            }
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has handed over all it has: nothing waits any more.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wait = None;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
