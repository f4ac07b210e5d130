//! The opaque cursor of a range: where the last page ended, bound to what was asked. Pure.
//!
//! Version 1 is base64url of `1u8, check u32, scope u32, partition i32, key bytes`, big-endian. `check` covers the rest
//! and the request, so a cursor of another view or range is refused. It is no signature: a forged cursor only moves the
//! start inside the range that its sender may read anyway.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::query::error::Error;
use crate::types::murmur2;

const VERSION: u8 = 1;

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Fingerprint of the instance and of the partitions that the walk covers.
    pub scope: u32,
    /// Partition of the last row.
    pub partition: i32,
    /// Key bytes of the last row.
    pub key: Vec<u8>,
}

/// A fingerprint of `parts`: equal parts, equal fingerprint.
pub fn fingerprint<'a>(parts: impl IntoIterator<Item = Option<&'a [u8]>>) -> u32 {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.unwrap_or_default());
    }
    murmur2(&bytes)
}

impl Cursor {
    /// The text of this cursor for a request of this fingerprint.
    pub fn encode(&self, request: u32) -> String {
        let mut bytes = vec![VERSION, 0, 0, 0, 0];
        bytes.extend_from_slice(&self.scope.to_be_bytes());
        bytes.extend_from_slice(&self.partition.to_be_bytes());
        bytes.extend_from_slice(&self.key);
        let check = check(&bytes[5..], request).to_be_bytes();
        bytes[1..5].copy_from_slice(&check);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of a request of this fingerprint.
    pub fn decode(text: &str, request: u32) -> Result<Self, Error> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::BadCursor)?;
        let cursor = || {
            let (&version, rest) = bytes.split_first()?;
            let (expected, rest) = rest.split_first_chunk::<4>()?;
            if version != VERSION || *expected != check(rest, request).to_be_bytes() {
                return None;
            }
            let (scope, rest) = rest.split_first_chunk::<4>()?;
            let (partition, key) = rest.split_first_chunk::<4>()?;
            Some(Self {
                scope: u32::from_be_bytes(*scope),
                partition: i32::from_be_bytes(*partition),
                key: key.to_vec(),
            })
        };
        cursor().ok_or(Error::BadCursor)
    }
}

fn check(content: &[u8], request: u32) -> u32 {
    fingerprint([Some(content), Some(&request.to_be_bytes())])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back_only_for_its_own_request(
            scope: u32, partition in 0..1000_i32, key: Vec<u8>, request: u32, other: u32,
        ) {
            let cursor = Cursor { scope, partition, key };
            let text = cursor.encode(request);
            prop_assert_eq!(Cursor::decode(&text, request), Ok(cursor));
            prop_assume!(other != request);
            prop_assert_eq!(Cursor::decode(&text, other), Err(Error::BadCursor));
        }

        #[test]
        fn a_changed_character_is_noticed(key: Vec<u8>, at: prop::sample::Index, with in "[A-Za-z0-9_-]") {
            let text = Cursor { scope: 1, partition: 2, key }.encode(9);
            let at = at.index(text.len());
            let changed = format!("{}{with}{}", &text[..at], &text[at + 1..]);
            prop_assume!(changed != text);
            prop_assert_eq!(Cursor::decode(&changed, 9), Err(Error::BadCursor));
        }

        #[test]
        fn any_text_is_refused_without_panic(text in ".{0,200}") {
            prop_assert_eq!(Cursor::decode(&text, 9), Err(Error::BadCursor));
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let of = |parts: &[Option<&str>]| fingerprint(parts.iter().map(|part| part.map(str::as_bytes)));
        assert_ne!(of(&[Some("ab"), Some("c")]), of(&[Some("a"), Some("bc")]));
        assert_ne!(of(&[None]), of(&[Some("")]));
    }
}
