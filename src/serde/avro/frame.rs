//! Confluent's framing: a zero byte, the schema id as 4 bytes big-endian, the Avro datum.

use super::super::SerdeError;

/// Bytes before the datum.
pub(super) const HEADER: usize = 5;

const MAGIC: u8 = 0;

/// Splits framed bytes into the writer's schema id and the datum.
pub(super) fn split(bytes: &[u8]) -> Result<(u32, &[u8]), SerdeError> {
    match bytes.split_first_chunk::<HEADER>() {
        Some(([MAGIC, id @ ..], datum)) => Ok((u32::from_be_bytes(*id), datum)),
        Some(([magic, ..], _)) => {
            Err(SerdeError::Malformed(format!("avro: first byte {magic:#04x} instead of 0x00 (Confluent framing)")))
        }
        None => Err(SerdeError::Malformed(format!("avro: {} bytes are no Confluent frame (5 or more)", bytes.len()))),
    }
}

/// Appends the frame's header; the datum follows.
pub(super) fn put_header(id: u32, out: &mut Vec<u8>) {
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_frame_reads_back() {
        let mut bytes = Vec::new();
        put_header(0x0102_0304, &mut bytes);
        bytes.push(9);
        assert_eq!(bytes, [0, 1, 2, 3, 4, 9]);
        assert_eq!(split(&bytes), Ok((0x0102_0304, &[9][..])));
    }

    #[test]
    fn a_short_or_foreign_frame_is_malformed() {
        for length in 0..HEADER {
            assert_eq!(split(&[0; HEADER][..length]).unwrap_err().reason(), "malformed");
        }
        let error = split(br#"{"id":1}"#).unwrap_err();
        assert_eq!(error.to_string(), "avro: first byte 0x7b instead of 0x00 (Confluent framing)");
    }
}
