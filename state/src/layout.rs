//! Row layouts that Kafka Streams shares with us (class `ValueAndTimestampSerializer`).

use crate::{Error, ErrorKind};

const TIMESTAMP_LEN: usize = size_of::<i64>();

/// Starts a timestamped row in `out`: 8 bytes, `timestamp` in ms, big endian. The value's bytes go behind it.
pub fn start_timestamped(timestamp: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&timestamp.to_be_bytes());
}

/// Appends the timestamped row of `value` to `out`; `timestamp` in ms.
pub fn encode_timestamped(timestamp: i64, value: &[u8], out: &mut Vec<u8>) {
    start_timestamped(timestamp, out);
    out.extend_from_slice(value);
}

/// Splits a timestamped row into its timestamp in ms and its value; `Corrupt` when it is too short to hold a timestamp.
pub fn split_timestamped(row: &[u8]) -> Result<(i64, &[u8]), Error> {
    match row.split_first_chunk::<TIMESTAMP_LEN>() {
        Some((timestamp, value)) => Ok((i64::from_be_bytes(*timestamp), value)),
        None => Err(Error {
            kind: ErrorKind::Corrupt,
            context: "timestamped row".to_owned(),
            reason: format!("{} bytes, at least {TIMESTAMP_LEN} expected", row.len()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(timestamp: i64, value: &[u8], row: &[u8]) {
        let mut out = b"before".to_vec();
        encode_timestamped(timestamp, value, &mut out);
        assert_eq!(&out[6..], row);
        assert_eq!(split_timestamped(row).map_err(|error| error.to_string()), Ok((timestamp, value)));
    }

    #[test]
    fn a_timestamped_row_is_a_big_endian_timestamp_and_the_value() {
        check(0x0102_0304_0506_0708, b"v", &[1, 2, 3, 4, 5, 6, 7, 8, b'v']);
        check(-1, b"", &[0xff; 8]);
        check(0, b"\0", &[0; 9]);
    }

    #[test]
    fn a_row_shorter_than_a_timestamp_is_corrupt() {
        for len in 0..TIMESTAMP_LEN {
            let error = split_timestamped(&[0; TIMESTAMP_LEN][..len]).map(|_| ()).map_err(|error| error.kind);
            assert_eq!(error, Err(ErrorKind::Corrupt), "{len} bytes");
        }
    }
}
