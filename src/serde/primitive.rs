//! Serdes of plain types, with the bytes of Java's serializers (`org.apache.kafka.common.serialization`).

use super::{Deserializer, SerdeError, Serializer};

/// UTF-8 text, as Java's `StringSerializer`.
///
/// Java's deserializer replaces invalid UTF-8 by U+FFFD. Here it is malformed: replacing makes different keys equal,
/// and such a key written back has other bytes, hence another partition.
#[derive(Debug, Clone, Copy, Default)]
pub struct StringSerde;

/// Bytes as they are, as Java's `ByteArraySerializer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct BytesSerde;

/// 4 bytes, big-endian, as Java's `IntegerSerializer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct I32Serde;

/// 8 bytes, big-endian, as Java's `LongSerializer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct I64Serde;

/// 8 bytes, IEEE 754 big-endian, as Java's `DoubleSerializer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct F64Serde;

impl Serializer<String> for StringSerde {
    fn serialize(&self, _topic: &str, value: &String, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(true)
    }
}

impl Deserializer<String> for StringSerde {
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        let bytes = bytes.ok_or(SerdeError::Null { expected: "string" })?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(SerdeError::Malformed(format!(
                "string: invalid UTF-8 at byte {} of {}",
                error.valid_up_to(),
                bytes.len()
            ))),
        }
    }
}

impl Serializer<Vec<u8>> for BytesSerde {
    fn serialize(&self, _topic: &str, value: &Vec<u8>, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        out.extend_from_slice(value);
        Ok(true)
    }
}

impl Deserializer<Vec<u8>> for BytesSerde {
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<Vec<u8>, SerdeError> {
        bytes.map(<[u8]>::to_vec).ok_or(SerdeError::Null { expected: "byte array" })
    }
}

impl Serializer<i32> for I32Serde {
    fn serialize(&self, _topic: &str, value: &i32, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(true)
    }
}

impl Deserializer<i32> for I32Serde {
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<i32, SerdeError> {
        fixed("32-bit integer", bytes).map(i32::from_be_bytes)
    }
}

impl Serializer<i64> for I64Serde {
    fn serialize(&self, _topic: &str, value: &i64, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(true)
    }
}

impl Deserializer<i64> for I64Serde {
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<i64, SerdeError> {
        fixed("64-bit integer", bytes).map(i64::from_be_bytes)
    }
}

impl Serializer<f64> for F64Serde {
    fn serialize(&self, _topic: &str, value: &f64, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        out.extend_from_slice(&value.to_be_bytes());
        Ok(true)
    }
}

impl Deserializer<f64> for F64Serde {
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<f64, SerdeError> {
        fixed("64-bit float", bytes).map(f64::from_be_bytes)
    }
}

/// Exactly `N` bytes.
fn fixed<const N: usize>(expected: &'static str, bytes: Option<&[u8]>) -> Result<[u8; N], SerdeError> {
    let bytes = bytes.ok_or(SerdeError::Null { expected })?;
    bytes.try_into().map_err(|_| SerdeError::Malformed(format!("{expected}: {} bytes instead of {N}", bytes.len())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn bytes_of<T>(serde: &impl Serializer<T>, value: &T) -> Vec<u8> {
        let mut out = b"kept".to_vec();
        assert_eq!(serde.serialize("t", value, &mut out), Ok(true));
        assert_eq!(&out[..4], b"kept", "a serializer appends");
        out.split_off(4)
    }

    /// Values of `SerializationTest` in Kafka's clients, bytes from Java's `ByteBuffer.put*`.
    #[test]
    fn bytes_are_javas() {
        assert_eq!(bytes_of(&I32Serde, &423_412_424), [0x19, 0x3c, 0xc2, 0xc8]);
        assert_eq!(bytes_of(&I32Serde, &-2), [0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(bytes_of(&I64Serde, &922_337_203_685_477_580), [0x0c, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc]);
        assert_eq!(bytes_of(&F64Serde, &1.0), [0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes_of(&StringSerde, &"é".to_owned()), [0xc3, 0xa9]);
        assert_eq!(bytes_of(&BytesSerde, &vec![0, 255]), [0, 255]);
    }

    #[test]
    fn another_length_is_malformed() {
        let nine = [0u8; 9];
        for length in (0..=9).filter(|length| *length != 4) {
            assert_eq!(I32Serde.deserialize("t", Some(&nine[..length])).unwrap_err().reason(), "malformed");
        }
        for length in (0..=9).filter(|length| *length != 8) {
            assert_eq!(I64Serde.deserialize("t", Some(&nine[..length])).unwrap_err().reason(), "malformed");
            assert_eq!(F64Serde.deserialize("t", Some(&nine[..length])).unwrap_err().reason(), "malformed");
        }
    }

    #[test]
    fn invalid_utf8_is_malformed_and_not_quoted() {
        let error = StringSerde.deserialize("t", Some(b"secret\xff")).unwrap_err();
        assert_eq!(error.to_string(), "string: invalid UTF-8 at byte 6 of 7");
    }

    #[test]
    fn null_is_no_plain_value() {
        assert_eq!(StringSerde.deserialize("t", None).unwrap_err().reason(), "null");
        assert_eq!(BytesSerde.deserialize("t", None).unwrap_err().reason(), "null");
        assert_eq!(I64Serde.deserialize("t", None).unwrap_err().reason(), "null");
    }

    proptest! {
        #[test]
        fn a_value_reads_back(text: String, int: i32, long: i64, double: f64, bytes: Vec<u8>) {
            prop_assert_eq!(StringSerde.deserialize("t", Some(&bytes_of(&StringSerde, &text))).unwrap(), text);
            prop_assert_eq!(I32Serde.deserialize("t", Some(&bytes_of(&I32Serde, &int))).unwrap(), int);
            prop_assert_eq!(I64Serde.deserialize("t", Some(&bytes_of(&I64Serde, &long))).unwrap(), long);
            let read = F64Serde.deserialize("t", Some(&bytes_of(&F64Serde, &double))).unwrap();
            prop_assert_eq!(read.to_bits(), double.to_bits());
            prop_assert_eq!(BytesSerde.deserialize("t", Some(&bytes)).unwrap(), bytes);
        }
    }
}
