//! What a topic or a store holds in the end: the last value of each key, and a digest of it.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;
/// Keys of a difference that are shown.
const SHOWN: usize = 3;

/// Number of rows and the wrapping sum of their FNV-1a hashes, which does not depend on their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// Rows.
    pub rows: u64,
    /// Sum of their hashes.
    pub sum: u64,
}

impl Digest {
    /// Adds one row.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        self.rows += 1;
        let bytes = key.iter().chain(&[0xff]).chain(value);
        let hash = bytes.fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME));
        self.sum = self.sum.wrapping_add(hash);
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, sum: self.sum.wrapping_add(other.sum) }
    }

    /// Reads what [`Digest`] and the Java side print: decimal rows, 16 hexadecimal digits.
    pub fn parse(rows: u64, sum: &str) -> Option<Self> {
        Some(Self { rows, sum: u64::from_str_radix(sum, 16).ok()? })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, digest {:016x}", self.rows, self.sum)
    }
}

/// The last value of each key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    rows: HashMap<Box<[u8]>, Box<[u8]>>,
}

impl Rows {
    /// The key has this value from now on, or none.
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        match (self.rows.get_mut(key), value) {
            (Some(row), Some(value)) if row.len() == value.len() => row.copy_from_slice(value),
            (_, Some(value)) => drop(self.rows.insert(key.into(), value.into())),
            (_, None) => drop(self.rows.remove(key)),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.rows.get(key).map(AsRef::as_ref)
    }

    /// All rows in any order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.rows.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// The digest of all rows.
    pub fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        for (key, value) in self.iter() {
            digest.add(key, value);
        }
        digest
    }

    /// What differs from `expected`: how many keys, and some of them; `None` when nothing does.
    pub fn difference(&self, expected: &Self) -> Option<String> {
        let missing = expected.iter().filter(|(key, value)| self.get(key) != Some(*value));
        let surplus = self.iter().filter(|(key, _)| expected.get(key).is_none());
        let mut keys: Vec<&[u8]> = missing.chain(surplus).map(|(key, _)| key).collect();
        keys.sort_unstable();
        if keys.is_empty() {
            return None;
        }
        let show =
            |value: Option<&[u8]>| value.map_or_else(|| "nothing".to_owned(), |value| value.escape_ascii().to_string());
        let shown: Vec<String> = keys
            .iter()
            .take(SHOWN)
            .map(|key| format!("{} is {}, not {}", key.escape_ascii(), show(self.get(key)), show(expected.get(key))))
            .collect();
        Some(format!("{} of {} keys differ: {}", keys.len(), expected.rows.len(), shown.join("; ")))
    }
}

/// What a side says on its standard output, one JSON object per line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// All its tasks run.
    Running,
    /// The digest of its stores.
    Stores(Digest),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str(r#"{"event":"running"}"#),
            Self::Stores(Digest { rows, sum }) => {
                write!(f, r#"{{"event":"stores","rows":{rows},"digest":"{sum:016x}"}}"#)
            }
        }
    }
}

/// The line is something else, such as a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSaid;

impl FromStr for Said {
    type Err = NotSaid;

    fn from_str(line: &str) -> Result<Self, NotSaid> {
        let line: serde_json::Value = serde_json::from_str(line).map_err(|_| NotSaid)?;
        match line["event"].as_str() {
            Some("running") => Ok(Self::Running),
            Some("stores") => {
                let digest = line["rows"].as_u64().zip(line["digest"].as_str());
                digest.and_then(|(rows, sum)| Digest::parse(rows, sum)).map(Self::Stores).ok_or(NotSaid)
            }
            _ => Err(NotSaid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(all: &[(&str, &str)]) -> Rows {
        let mut rows = Rows::default();
        for (key, value) in all {
            rows.put(key.as_bytes(), Some(value.as_bytes()));
        }
        rows
    }

    #[test]
    fn the_last_value_stays_and_a_tombstone_deletes() {
        let mut found = rows(&[("a", "1"), ("b", "2"), ("a", "30")]);
        found.put(b"b", None);
        assert_eq!(found, rows(&[("a", "30")]));
        assert_eq!((found.get(b"a"), found.get(b"b")), (Some(b"30".as_slice()), None));
    }

    #[test]
    fn a_digest_forgets_order_and_nothing_else() {
        let digest = rows(&[("a", "1"), ("b", "2")]).digest();
        assert_eq!(digest, rows(&[("b", "2"), ("a", "1")]).digest());
        for other in
            [&[("a", "1")][..], &[("a", "2"), ("b", "1")], &[("a", "1"), ("b", "3")], &[("a1", ""), ("b", "2")]]
        {
            assert_ne!(digest, rows(other).digest(), "{other:?}");
        }
        let (a, b) = (rows(&[("a", "1")]).digest(), rows(&[("b", "2")]).digest());
        assert_eq!(a.and(b), digest);
    }

    /// FNV-1a of "a", the separator, "b", worked out by hand with the published constants.
    #[test]
    fn the_hash_is_fnv_1a() {
        let step = |hash: u64, byte: u64| (hash ^ byte).wrapping_mul(1_099_511_628_211);
        let expected = step(step(step(14_695_981_039_346_656_037, 0x61), 0xff), 0x62);
        assert_eq!(rows(&[("a", "b")]).digest(), Digest { rows: 1, sum: expected });
    }

    #[test]
    fn a_difference_names_missing_other_and_surplus_keys() {
        let expected = rows(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(expected.difference(&expected.clone()), None);
        let found = rows(&[("a", "1"), ("b", "9"), ("d", "4")]);
        let said = "3 of 3 keys differ: b is 9, not 2; c is nothing, not 3; d is 4, not nothing";
        assert_eq!(found.difference(&expected).as_deref(), Some(said));
    }

    #[test]
    fn what_a_side_says_reads_back() {
        for said in
            [Said::Running, Said::Stores(Digest { rows: 7, sum: 0xff }), Said::Stores(rows(&[("a", "1")]).digest())]
        {
            assert_eq!(said.to_string().parse(), Ok(said));
        }
        for line in ["", "12:00:00 WARN something", "{\"event\":\"other\"}", "{\"event\":\"stores\",\"rows\":1}"] {
            assert_eq!(line.parse::<Said>(), Err(NotSaid), "{line}");
        }
    }
}
