//! Reading and writing of Kafka's and Java's primitive encodings.
//!
//! The reader never panics and never reserves more memory than the bytes that are really there can fill.

use std::fmt;

/// The bytes were not what the format says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct DecodeError {
    /// What was wrong.
    pub what: &'static str,
    /// Where in the input, in bytes.
    pub at: usize,
}

/// Reads big-endian values from a slice.
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader at {} of {}", self.at, self.bytes.len())
    }
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// An error at the present place.
    pub const fn error(&self, what: &'static str) -> DecodeError {
        DecodeError { what, at: self.at }
    }

    /// Bytes not read yet.
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        if n > self.remaining() {
            return Err(self.error("the input ends early"));
        }
        let taken = &self.bytes[self.at..self.at + n];
        self.at += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Reads an int8.
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        self.array().map(i8::from_be_bytes)
    }

    /// Reads an int16.
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    /// Reads an unsigned int16.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads an int32.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Reads an int64.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    /// Reads 16 bytes.
    pub fn uuid(&mut self) -> Result<[u8; 16], DecodeError> {
        self.array()
    }

    /// Reads an unsigned varint of at most five bytes.
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.i8()? as u8;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| self.error("varint over 32 bits"));
            }
        }
        Err(self.error("varint over five bytes"))
    }

    /// Checks a count against what the rest of the input can hold, each element taking `least` bytes or more.
    pub fn bounded(&self, count: i64, least: usize) -> Result<usize, DecodeError> {
        match usize::try_from(count) {
            Ok(count) if count <= self.remaining() / least.max(1) => Ok(count),
            Ok(_) => Err(self.error("count beyond the input's end")),
            Err(_) => Err(self.error("negative count")),
        }
    }

    /// Reads an int32 count of elements of at least `least` bytes.
    pub fn count(&mut self, least: usize) -> Result<usize, DecodeError> {
        let count = self.i32()?;
        self.bounded(count.into(), least)
    }

    /// Reads bytes with an int32 length; -1 is null.
    pub fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = self.bounded(length.into(), 1)?;
                self.take(length).map(Some)
            }
        }
    }

    /// Reads UTF-8 with an int16 length; -1 is null.
    pub fn nullable_string(&mut self) -> Result<Option<&'a str>, DecodeError> {
        match self.i16()? {
            -1 => Ok(None),
            length => {
                let length = self.bounded(length.into(), 1)?;
                self.utf8(length).map(Some)
            }
        }
    }

    /// Reads UTF-8 with an int16 length; null is an error.
    pub fn string(&mut self) -> Result<&'a str, DecodeError> {
        self.nullable_string()?.ok_or_else(|| self.error("null string"))
    }

    /// Reads `length` bytes of UTF-8.
    pub fn utf8(&mut self, length: usize) -> Result<&'a str, DecodeError> {
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.error("text is not UTF-8"))
    }

    /// Fails when something is left.
    pub fn end(&self) -> Result<(), DecodeError> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.error("bytes after the end")) }
    }
}

/// Writes what [`Reader`] reads, by appending.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends an int8.
    pub fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends an int16.
    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends an int32.
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends an int64.
    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// Appends an int32 count; the lists of a group are far below its range.
    pub fn count(&mut self, count: usize) {
        self.i32(i32::try_from(count).expect("a group's list has fewer than 2^31 elements"));
    }

    /// Appends bytes with an int32 length; null is -1.
    pub fn nullable_bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.i32(-1),
            Some(bytes) => {
                self.count(bytes.len());
                self.raw(bytes);
            }
        }
    }

    /// Appends UTF-8 with an int16 length. Topic and host names are at most 255 bytes.
    pub fn string(&mut self, text: &str) {
        self.i16(i16::try_from(text.len()).expect("names are shorter than 32 KiB"));
        self.raw(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_beyond_the_input_is_refused_before_memory_is_reserved() {
        let mut reader = Reader::new(&[0x7f, 0xff, 0xff, 0xff, 1]);
        assert_eq!(reader.count(1), Err(DecodeError { what: "count beyond the input's end", at: 4 }));
        assert_eq!(Reader::new(&[0xff; 4]).count(1).map_err(|e| e.what), Err("negative count"));
    }

    #[test]
    fn varints_have_at_most_five_bytes_and_32_bits() {
        assert_eq!(Reader::new(&[0xac, 0x02]).uvarint(), Ok(300));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).uvarint(), Ok(u32::MAX));
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).uvarint().is_err());
        assert!(Reader::new(&[0x80; 6]).uvarint().is_err());
    }
}
