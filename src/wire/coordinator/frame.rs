//! Frames over TCP: a length of four bytes, then that many bytes, each with a deadline.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Bytes reserved before they arrive; a longer frame grows as it comes in.
const CHUNK_BYTES: usize = 64 * 1024;

/// Connects to the first address of `host` that answers, each tried for `timeout`.
pub fn connect(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Writes one frame before `deadline`.
pub fn write(stream: &mut TcpStream, payload: &[u8], deadline: Instant) -> io::Result<()> {
    let length = i32::try_from(payload.len()).map_err(|_| invalid("request over 2 GiB".to_owned()))?;
    let mut frame = Vec::with_capacity(payload.len() + 4);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(payload);
    let mut rest = frame.as_slice();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(timed_out(error)),
        }
    }
    Ok(())
}

/// Reads one frame of at most `bytes_max` before `deadline`, however slowly it drips.
pub fn read(stream: &mut TcpStream, bytes_max: usize, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut length = Vec::with_capacity(4);
    fill(stream, &mut length, 4, deadline)?;
    let length = length.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte)) as usize;
    if length > bytes_max {
        return Err(invalid(format!("an answer of {length} bytes is over the bound of {bytes_max}")));
    }
    let mut payload = Vec::with_capacity(length.min(CHUNK_BYTES));
    fill(stream, &mut payload, length, deadline)?;
    Ok(payload)
}

/// Appends until `into` has `length` bytes.
fn fill(stream: &mut TcpStream, into: &mut Vec<u8>, length: usize, deadline: Instant) -> io::Result<()> {
    let mut chunk = [0; 4096];
    while into.len() < length {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let wanted = chunk.len().min(length - into.len());
        match stream.read(&mut chunk[..wanted]) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the broker closed the connection")),
            Ok(read) => into.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(timed_out(error)),
        }
    }
    Ok(())
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(no_answer()) } else { Ok(left) }
}

/// A socket timeout shows as `WouldBlock` on Unix.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { no_answer() } else { error }
}

fn no_answer() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
