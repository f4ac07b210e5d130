//! Avro's binary form: numbers, lengths and blocks, read from the front of bytes and appended to them.

/// Deepest nesting of values; as `serde_avro_fast` has it.
pub(super) const DEPTH_MAX: usize = 64;

/// Why bytes could not be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// They end too early.
    Short,
    /// A number of more than 64 bits.
    LongNumber,
    /// A length or an index below 0.
    Negative,
    /// Items of arrays and maps that cannot all be there.
    Items,
}

impl From<Unread> for &'static str {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Short => "an early end",
            Unread::LongNumber => "a number of more than 64 bits",
            Unread::Negative => "a negative length or index",
            Unread::Items => "more items than bytes",
        }
    }
}

/// Bytes that are read from the front. Copies nothing.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Items of arrays and maps that may still come: each takes a byte at least.
    items: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, items: bytes.len() }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// A zigzag variable-length integer.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<i64, Unread> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(unzigzag(u64::from(*byte)))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<i64, Unread> {
        const LAST: usize = 9;
        let mut number = 0u64;
        for (index, byte) in self.rest.iter().enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * index);
            if index == LAST && *byte > 1 {
                return Err(Unread::LongNumber);
            }
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(unzigzag(number));
            }
        }
        Err(Unread::Short)
    }

    /// Passes a variable-length integer.
    #[inline]
    pub(super) fn skip_varint(&mut self) -> Result<(), Unread> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => self.rest = rest,
            bytes => match bytes.first_chunk().map(|chunk| varint_length(u64::from_le_bytes(*chunk))) {
                Some(length @ 1..=8) => self.rest = &bytes[length..],
                _ => return self.long_varint().map(|_| ()),
            },
        }
        Ok(())
    }

    /// A length or an index: not negative.
    #[inline]
    pub(super) fn index(&mut self) -> Result<usize, Unread> {
        usize::try_from(self.varint()?).map_err(|_| Unread::Negative)
    }

    /// So many bytes.
    #[inline]
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Unread> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Unread::Short)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The bytes behind their length.
    #[inline]
    pub(super) fn delimited(&mut self) -> Result<&'a [u8], Unread> {
        let length = self.index()?;
        self.bytes(length)
    }

    /// `N` bytes.
    #[inline]
    pub(super) fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], Unread> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Unread::Short)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// How many items the next block of an array or map has; 0 ends it.
    #[inline]
    pub(super) fn block(&mut self) -> Result<usize, Unread> {
        self.sized_block().map(|(count, _)| count)
    }

    /// As [`Reader::block`], and the block's size in bytes, which a negative count announces.
    #[inline]
    pub(super) fn sized_block(&mut self) -> Result<(usize, Option<usize>), Unread> {
        let count = self.varint()?;
        let size = if count < 0 { Some(self.index()?) } else { None };
        let count = usize::try_from(count.unsigned_abs()).map_err(|_| Unread::Items)?;
        self.items = self.items.checked_sub(count).ok_or(Unread::Items)?;
        Ok((count, size))
    }
}

/// Length of the variable-length integer at the front of 8 little-endian bytes: the first byte below 0x80 ends it. 9
/// when none of them does.
#[inline]
fn varint_length(bytes: u64) -> usize {
    let ends = !bytes & 0x8080_8080_8080_8080;
    ends.trailing_zeros() as usize / 8 + 1
}

#[inline]
fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Appends a zigzag variable-length integer.
#[inline]
pub(super) fn put_varint(number: i64, out: &mut Vec<u8>) {
    let zigzag = ((number << 1) ^ (number >> 63)) as u64;
    match u8::try_from(zigzag) {
        Ok(byte) if byte < 0x80 => out.push(byte),
        _ => put_long_varint(zigzag, out),
    }
}

fn put_long_varint(mut rest: u64, out: &mut Vec<u8>) {
    let mut bytes = [0; 10];
    let mut length = 0;
    while rest >= 0x80 {
        bytes[length] = rest as u8 | 0x80;
        rest >>= 7;
        length += 1;
    }
    bytes[length] = rest as u8;
    // All ten, because a copy of a fixed size needs no call; then what is not wanted goes.
    let end = out.len() + length + 1;
    out.extend_from_slice(&bytes);
    out.truncate(end);
}

/// Appends bytes behind their length.
#[inline]
pub(super) fn put_delimited(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_and_takes_the_bytes_of_the_specification() {
        let numbers: [(i64, &[u8]); 7] = [
            (0, &[0]),
            (-1, &[1]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ];
        for (number, expected) in numbers {
            let mut bytes = Vec::new();
            put_varint(number, &mut bytes);
            assert_eq!(bytes, expected);
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.varint(), reader.rest().len()), (Ok(number), 0));
            for behind in [&[][..], &[0xff; 20], &[0; 20]] {
                let bytes = [&bytes, behind].concat();
                let mut reader = Reader::new(&bytes);
                assert_eq!((reader.skip_varint(), reader.rest()), (Ok(()), behind));
            }
            for length in 0..bytes.len() {
                assert_eq!(Reader::new(&bytes[..length]).varint(), Err(Unread::Short));
                assert_eq!(Reader::new(&bytes[..length]).skip_varint(), Err(Unread::Short));
            }
        }
        assert_eq!(Reader::new(&[0x80; 11]).varint(), Err(Unread::LongNumber));
        let beyond = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02];
        assert_eq!(Reader::new(&beyond).varint(), Err(Unread::LongNumber));
        assert_eq!(Reader::new(&beyond).skip_varint(), Err(Unread::LongNumber));
    }

    #[test]
    fn more_items_than_bytes_are_a_lie() {
        assert_eq!(Reader::new(&[6, 0, 0]).block(), Ok(3));
        assert_eq!(Reader::new(&[6, 0]).block(), Err(Unread::Items));
        assert_eq!(Reader::new(&[5, 4, 0]).block(), Ok(3), "a negative count has a size behind it");
        assert_eq!(Reader::new(&[5, 4, 0]).sized_block(), Ok((3, Some(2))));
        let mut twice = Reader::new(&[4, 4, 0]);
        assert_eq!((twice.block(), twice.block()), (Ok(2), Err(Unread::Items)), "over all arrays together");
    }
}
