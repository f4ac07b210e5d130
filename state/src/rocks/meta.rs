//! The rows of the column family `default`: what the database holds and how far it has come. Pure.
//!
//! `format_version` -> u32; `store/<name>` -> the changelog partition its rows came from, empty for none;
//! `position/<topic>-<partition>` -> i64, the next offset. Numbers are big endian.

use std::collections::BTreeMap;

use crate::Position;

/// Raise it when the layout of our rows changes, or when the engine writes files that its older releases cannot read.
pub(super) const FORMAT_VERSION: u32 = 1;

pub(super) const FORMAT_KEY: &[u8] = b"format_version";
const STORE_PREFIX: &[u8] = b"store/";
const POSITION_PREFIX: &[u8] = b"position/";

/// What the database says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    format_version: Option<u32>,
    changelogs: BTreeMap<String, String>,
    pub(super) position: Position,
}

pub(super) fn store_key(name: &str) -> Vec<u8> {
    [STORE_PREFIX, name.as_bytes()].concat()
}

pub(super) fn position_key(partition: &str) -> Vec<u8> {
    [POSITION_PREFIX, partition.as_bytes()].concat()
}

impl Meta {
    /// Takes in one row; the reason when it is none of ours.
    pub(super) fn read(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        if key == FORMAT_KEY {
            self.format_version = Some(u32::from_be_bytes(number(key, value)?));
        } else if let Some(name) = key.strip_prefix(STORE_PREFIX) {
            self.changelogs.insert(text(name)?, text(value)?);
        } else if let Some(partition) = key.strip_prefix(POSITION_PREFIX) {
            self.position.set(&text(partition)?, i64::from_be_bytes(number(key, value)?));
        } else {
            return Err(format!("unknown row `{}`", key.escape_ascii()));
        }
        Ok(())
    }

    /// Why these rows do not vouch for `stores` (name and changelog of each); `None`: they do.
    pub(super) fn distrust<'a>(&self, stores: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Option<String> {
        match self.format_version {
            Some(FORMAT_VERSION) => {}
            Some(version) => return Some(format!("format version {version}, this program knows {FORMAT_VERSION}")),
            None if *self == Self::default() => {}
            None => return Some("no format version".to_owned()),
        }
        for (name, changelog) in stores {
            let (followed, changelog) = (self.changelogs.get(name), changelog.unwrap_or_default());
            match followed {
                Some(followed) if followed == changelog => {}
                Some(followed) => return Some(format!("store `{name}` followed `{followed}`, now `{changelog}`")),
                // A new store over a changelog that an older store (or an input) has passed would stay without rows.
                None if self.position.get(changelog).is_some() => {
                    return Some(format!("store `{name}` is new, but the position is past the start of `{changelog}`"));
                }
                None => {}
            }
        }
        None
    }
}

fn number<const N: usize>(key: &[u8], value: &[u8]) -> Result<[u8; N], String> {
    value.try_into().map_err(|_| format!("row `{}` has {} bytes, {N} expected", key.escape_ascii(), value.len()))
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| format!("`{}` is no UTF-8", bytes.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(&[u8], &[u8])], stores: &[(&str, Option<&str>)], distrust: Option<&str>) {
        let mut meta = Meta::default();
        let read = rows.iter().try_for_each(|(key, value)| meta.read(key, value)).err();
        let reason = read.or_else(|| meta.distrust(stores.iter().copied()));
        assert_eq!(reason.as_deref(), distrust, "{rows:?}");
    }

    const VERSION: (&[u8], &[u8]) = (FORMAT_KEY, &[0, 0, 0, 1]);
    const ORDERS: (&[u8], &[u8]) = (b"store/orders", b"app-orders-changelog-0");
    const AT_SEVEN: (&[u8], &[u8]) = (b"position/app-orders-changelog-0", &[0, 0, 0, 0, 0, 0, 0, 7]);

    #[test]
    fn rows_vouch_for_the_stores_they_were_written_for() {
        let orders = ("orders", Some("app-orders-changelog-0"));
        check(&[], &[orders], None);
        check(&[VERSION, ORDERS, AT_SEVEN], &[orders], None);
        check(&[VERSION, ORDERS, AT_SEVEN], &[orders, ("new", Some("app-new-changelog-0")), ("unlogged", None)], None);
        check(&[VERSION, (b"store/unlogged", b"")], &[("unlogged", None)], None);
    }

    #[test]
    fn a_row_of_another_time_is_distrusted() {
        let orders = ("orders", Some("app-orders-changelog-0"));
        check(&[(FORMAT_KEY, &[0, 0, 0, 2])], &[orders], Some("format version 2, this program knows 1"));
        check(&[AT_SEVEN], &[orders], Some("no format version"));
        check(&[(FORMAT_KEY, &[1])], &[orders], Some("row `format_version` has 1 bytes, 4 expected"));
        check(&[(b"status", &[1])], &[orders], Some("unknown row `status`"));
        let renamed = ("orders", Some("orders-0"));
        check(&[VERSION, ORDERS], &[renamed], Some("store `orders` followed `app-orders-changelog-0`, now `orders-0`"));
        let late = "store `late` is new, but the position is past the start of `app-orders-changelog-0`";
        check(&[VERSION, ORDERS, AT_SEVEN], &[orders, ("late", Some("app-orders-changelog-0"))], Some(late));
    }

    #[test]
    fn a_position_survives_its_encoding() {
        let mut meta = Meta::default();
        assert_eq!(meta.read(&position_key("t-11"), &(i64::MAX - 1).to_be_bytes()), Ok(()));
        assert_eq!(meta.position.get("t-11"), Some(i64::MAX - 1));
    }
}
