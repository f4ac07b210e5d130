//! The value of a repartition record of a grouped table: the change, in Kafka Streams' `ChangedSerializer` format
//! (KIP-904).

use crate::serde::{Deserializer, SerdeError, Serializer};
use crate::task::Change;

const ONLY_OLD: u8 = 0;
const ONLY_NEW: u8 = 1;
const BOTH: u8 = 2;
/// The same three forms with one more byte before the flag: whether the change is the latest of its key.
const WITH_LATEST: u8 = 3;

/// Serde of a [`Change`] over the serde of its value.
#[derive(Clone)]
pub(crate) struct ChangedSerde<S>(pub(crate) S);

impl<V, S: Serializer<V>> Serializer<Change<V>> for ChangedSerde<S> {
    fn prepare(&self, topic: &str) -> Result<(), SerdeError> {
        self.0.prepare(topic)
    }

    fn serialize(&self, topic: &str, change: &Change<V>, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        match (&change.new, &change.old) {
            (Some(new), Some(old)) => {
                let start = out.len();
                self.0.serialize(topic, new, out)?;
                let length = out.len() - start;
                let mut varint = [0; 5];
                let used = write_varint(length as i32, &mut varint);
                out.splice(start..start, varint[..used].iter().copied());
                self.0.serialize(topic, old, out)?;
                out.push(BOTH);
            }
            (Some(new), None) => {
                self.0.serialize(topic, new, out)?;
                out.push(ONLY_NEW);
            }
            (None, Some(old)) => {
                self.0.serialize(topic, old, out)?;
                out.push(ONLY_OLD);
            }
            (None, None) => return Err(SerdeError::Malformed("a change without old and new value".into())),
        }
        Ok(true)
    }
}

impl<V, S: Deserializer<V>> Deserializer<Change<V>> for ChangedSerde<S> {
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Change<V>, SerdeError> {
        read(bytes, |bytes| self.0.deserialize(topic, Some(bytes)))
    }

    fn try_deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Change<V>, SerdeError> {
        read(bytes, |bytes| self.0.try_deserialize(topic, Some(bytes)))
    }
}

fn read<V>(bytes: Option<&[u8]>, value: impl Fn(&[u8]) -> Result<V, SerdeError>) -> Result<Change<V>, SerdeError> {
    let bytes = bytes.ok_or(SerdeError::Null { expected: "change" })?;
    let broken = || SerdeError::Malformed("not a change: truncated or unknown flag".into());
    let (flag, mut rest) = bytes.split_last().ok_or_else(broken)?;
    let mut form = *flag;
    if (WITH_LATEST..WITH_LATEST + 3).contains(&form) {
        form -= WITH_LATEST;
        rest = rest.split_last().ok_or_else(broken)?.1;
    }
    let value = |bytes: &[u8]| value(bytes).map(Some);
    match form {
        ONLY_OLD => Ok(Change { new: None, old: value(rest)? }),
        ONLY_NEW => Ok(Change { new: value(rest)?, old: None }),
        BOTH => {
            let (length, rest) = read_varint(rest).ok_or_else(broken)?;
            let length = usize::try_from(length).map_err(|_| broken())?;
            let (new, old) = rest.split_at_checked(length).ok_or_else(broken)?;
            Ok(Change { new: value(new)?, old: value(old)? })
        }
        _ => Err(broken()),
    }
}

/// Kafka's zigzag varint (`ByteUtils.writeVarint`); returns the bytes used.
fn write_varint(value: i32, out: &mut [u8; 5]) -> usize {
    let mut rest = ((value << 1) ^ (value >> 31)) as u32;
    let mut used = 0;
    while rest >= 0x80 {
        out[used] = rest as u8 | 0x80;
        rest >>= 7;
        used += 1;
    }
    out[used] = rest as u8;
    used + 1
}

fn read_varint(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let mut value = 0_u32;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(((value >> 1) as i32 ^ -((value & 1) as i32), &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::serde::StringSerde;

    fn bytes(new: Option<&str>, old: Option<&str>) -> Vec<u8> {
        let change = Change { new: new.map(str::to_owned), old: old.map(str::to_owned) };
        let mut out = b"before".to_vec();
        ChangedSerde(StringSerde).serialize("t", &change, &mut out).unwrap();
        let encoded = out.split_off(6);
        let back: Change<String> = ChangedSerde(StringSerde).deserialize("t", Some(&encoded)).unwrap();
        assert_eq!(back, change);
        encoded
    }

    #[test]
    fn the_three_forms_are_javas() {
        assert_eq!(bytes(None, Some("ab")), b"ab\x00");
        assert_eq!(bytes(Some("abc"), None), b"abc\x01");
        assert_eq!(bytes(Some("abc"), Some("x")), b"\x06abcx\x02", "zigzag 3 is 6");
        let long = "n".repeat(100);
        assert_eq!(bytes(Some(&long), Some("")), [&[0xc8, 0x01], long.as_bytes(), &[2]].concat(), "zigzag 100 is 200");
    }

    #[test]
    fn forms_with_a_latest_byte_are_read_and_broken_bytes_refused() {
        let read = |bytes: &[u8]| ChangedSerde(StringSerde).deserialize("t", Some(bytes));
        assert_eq!(read(b"ab\x01\x04"), Ok(Change { new: Some("ab".to_owned()), old: None }));
        for broken in [&b""[..], b"\x02", b"\x7fab\x02", b"ab\x09", b"\x04"] {
            assert!(read(broken).is_err(), "{broken:?}");
        }
    }
}
