//! The engine's manifest as bytes: whether every record is as it was written.
//!
//! The engine checks that too, but RocksDB 11.8 reads a record for ever whose type became one of a recycled log:
//! `log::Reader::ReadPhysicalRecord` refuses it and does not pass it. One flipped bit is enough, so the engine is given no
//! damaged manifest.

use std::fs;
use std::path::Path;

use super::errors;
use crate::Error;

/// Records lie in blocks; one that does not fit is cut into fragments (RocksDB's `log_format.h`).
const BLOCK: usize = 32 << 10;
/// Masked checksum of what follows the length (4 bytes), length (2 bytes), type; little endian.
const HEADER: usize = 7;
/// Full, first, middle, last.
const TYPES: std::ops::RangeInclusive<u8> = 1..=4;

/// Fails when the manifest that the database at `path` names is damaged. One that is missing is the engine's to tell.
pub(super) fn verify(path: &Path) -> Result<(), Error> {
    let Ok(current) = fs::read_to_string(path.join("CURRENT")) else { return Ok(()) };
    let Ok(manifest) = fs::read(path.join(current.trim_end())) else { return Ok(()) };
    check(&manifest).map_err(|reason| errors::corrupt("open", path, format!("{}: {reason}", current.trim_end())))
}

/// Checks every record. A last one that was not written to its end is none: its writer was killed.
fn check(manifest: &[u8]) -> Result<(), String> {
    for (start, block) in (0..).step_by(BLOCK).zip(manifest.chunks(BLOCK)) {
        let mut rest = block;
        while let Some((header, behind)) = rest.split_first_chunk::<HEADER>() {
            let [c0, c1, c2, c3, l0, l1, kind] = *header;
            let length = usize::from(u16::from_le_bytes([l0, l1]));
            if kind == 0 && length == 0 {
                // Space that was reserved and not written.
                break;
            }
            let at = start + block.len() - rest.len();
            if !TYPES.contains(&kind) {
                return Err(format!("unknown record type {kind} at byte {at}"));
            }
            let Some(payload) = behind.get(..length) else {
                let is_last = start + block.len() == manifest.len();
                return if is_last { Ok(()) } else { Err(format!("record longer than its block at byte {at}")) };
            };
            let checksum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload);
            if u32::from_le_bytes([c0, c1, c2, c3]) != masked(checksum) {
                return Err(format!("checksum mismatch at byte {at}"));
            }
            rest = &behind[length..];
        }
    }
    Ok(())
}

/// RocksDB's `crc32c::Mask`: a checksum of bytes that contain their checksum is a weak one.
const fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        let checksum = masked(crc32c::crc32c(&[&[kind], payload].concat()));
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        [&checksum.to_le_bytes(), length.to_le_bytes().as_slice(), &[kind], payload].concat()
    }

    /// Two small records, one in two fragments, one more.
    fn manifest() -> Vec<u8> {
        let start = [record(1, b"edit"), record(1, b"")].concat();
        let first = vec![7; BLOCK - start.len() - HEADER];
        [start, record(2, &first), record(4, b"rest"), record(1, b"last")].concat()
    }

    #[test]
    fn records_are_as_written_up_to_the_last_whole_one() {
        let whole = manifest();
        for end in [whole.len(), whole.len() - 1, whole.len() - 4, BLOCK, BLOCK - 9, 12, 3, 0] {
            assert_eq!(check(&whole[..end]), Ok(()), "cut at {end}");
        }
        let reserved = [whole, vec![0; 500]].concat();
        assert_eq!(check(&reserved), Ok(()));
    }

    #[test]
    fn a_flipped_bit_is_seen_or_ends_the_manifest_before_its_last_record() {
        let whole = manifest();
        let mut passed = 0;
        for bit in (0..200).chain((200..whole.len() * 8).step_by(61)).chain((BLOCK - 2) * 8..whole.len() * 8) {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            passed += usize::from(check(&damaged).is_ok());
        }
        // A length of the newest block that is too large looks like a record that was not written to its end.
        assert!(passed <= 2 * 16, "{passed} flips were not seen");
        let mut endless = whole;
        // A type of a recycled log.
        endless[6] ^= 4;
        assert_eq!(check(&endless), Err("unknown record type 5 at byte 0".to_owned()));
    }
}
