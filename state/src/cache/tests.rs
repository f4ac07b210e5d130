use std::collections::{BTreeMap, HashMap};
use std::ops::{Bound, ControlFlow};

use super::*;

const ALL: KeyRange<'static> = (Bound::Unbounded, Bound::Unbounded);

/// SplitMix64: the same numbers on every run.
fn random(seed: &mut u64) -> usize {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as usize
}

type Flushed = Vec<(Vec<u8>, Option<Vec<u8>>, Vec<u8>, u32)>;

fn flush(cache: &mut RecordCache<u32>) -> Flushed {
    let mut numbers = vec![99];
    cache.take_dirty(&mut numbers);
    let rows = numbers.iter().map(|number| cache.row(*number));
    rows.map(|row| (row.key.to_vec(), row.value.map(<[u8]>::to_vec), row.attachment.to_vec(), *row.context)).collect()
}

#[test]
fn a_key_is_flushed_once_with_its_last_write_in_the_order_of_last_writes() {
    let mut cache = RecordCache::default();
    cache.put(b"a", Some(b"1"), b"h1", 1);
    cache.put(b"b", Some(b"2"), b"", 2);
    cache.put(b"a", None, b"h3", 3);
    cache.put(b"c", Some(b"4"), b"", 4);
    cache.put(b"b", Some(b"a longer value"), b"h5", 5);
    assert_eq!(cache.get(b"a"), Some(None));
    assert_eq!(cache.get(b"x"), None);
    let row = |key: &[u8], value: Option<&[u8]>, attachment: &[u8], context| {
        (key.to_vec(), value.map(<[u8]>::to_vec), attachment.to_vec(), context)
    };
    let expected =
        [row(b"a", None, b"h3", 3), row(b"c", Some(b"4"), b"", 4), row(b"b", Some(b"a longer value"), b"h5", 5)];
    assert_eq!(flush(&mut cache), expected);
    assert_eq!((flush(&mut cache), cache.dirty_rows()), (vec![], 0), "what was flushed is clean");
    assert_eq!(cache.get(b"b"), Some(Some(b"a longer value".as_slice())), "and still there");
}

#[test]
fn dirty_rows_are_never_evicted_and_rows_asked_for_outlive_others() {
    let mut cache = RecordCache::default();
    for key in 0..1000_u32 {
        cache.keep(&key.to_be_bytes(), &[7; 100]);
    }
    for key in 1000..1100_u32 {
        cache.put(&key.to_be_bytes(), Some(&[8; 100]), b"", key);
    }
    let full = cache.bytes();
    // The first round finds all rows new and marks them; what is read then survives the next.
    cache.evict(full - 1);
    let hot = 400..500_u32;
    assert!(hot.clone().all(|key| cache.get(&key.to_be_bytes()).is_some()));
    cache.evict(full / 4);
    assert!(cache.bytes() <= full / 4, "{} of {full} bytes left", cache.bytes());
    assert!(hot.clone().all(|key| cache.get(&key.to_be_bytes()).is_some()));
    assert!((1000..1100_u32).all(|key| cache.get(&key.to_be_bytes()) == Some(Some(&[8; 100]))));
    assert_eq!(flush(&mut cache).len(), 100);
    cache.evict(0);
    assert_eq!((cache.bytes(), cache.get(&1000_u32.to_be_bytes())), (0, None));
}

#[test]
fn it_answers_as_a_map_whatever_is_written_read_flushed_and_evicted() {
    let mut cache = RecordCache::default();
    // What a reader must see: the newest write of each key. `below` is what was flushed.
    let (mut newest, mut below) = (HashMap::new(), BTreeMap::new());
    let mut seed = 11;
    for round in 0..60_000_u32 {
        let key = (random(&mut seed) % 3000).to_be_bytes().to_vec();
        match random(&mut seed) % 10 {
            0..5 => {
                let value = vec![round as u8; random(&mut seed) % 200];
                let value = (!random(&mut seed).is_multiple_of(8)).then_some(value);
                cache.put(&key, value.as_deref(), &key[..random(&mut seed) % 8], round);
                newest.insert(key, (value, round));
            }
            5..9 => {
                let expected: Option<Vec<u8>> = newest.get(&key).and_then(|(value, _)| value.clone());
                match cache.get(&key) {
                    Some(value) => assert_eq!(value.map(<[u8]>::to_vec), expected, "round {round}"),
                    None => {
                        let kept: Option<&Vec<u8>> = below.get(&key);
                        assert_eq!(kept, expected.as_ref(), "round {round}");
                        if let Some(value) = kept {
                            cache.keep(&key, value);
                        }
                    }
                }
            }
            _ if round % 50 == 0 => {
                for (key, value, _, context) in flush(&mut cache) {
                    assert_eq!(newest.get(&key), Some(&(value.clone(), context)), "round {round}");
                    match value {
                        Some(value) => below.insert(key, value),
                        None => below.remove(&key),
                    };
                }
                cache.evict(100_000);
                assert!(cache.bytes() <= 100_000, "round {round}");
            }
            _ => {}
        }
    }
    assert!(cache.arena.len() < 4 * 1024 * 1024, "garbage is collected: {}", cache.arena.len());
}

#[test]
fn a_scan_sees_dirty_rows_over_those_below() {
    let mut cache = RecordCache::default();
    cache.keep(b"b", b"clean rows are below as well");
    for (key, value) in [(b"a", Some(b"1")), (b"c", None), (b"d", Some(b"4")), (b"z", Some(b"9"))] {
        cache.put(key, value.map(|value| value.as_slice()), b"", 0_u32);
    }
    let below = [(b"b", b"B"), (b"c", b"C"), (b"d", b"D"), (b"e", b"E")];
    let seen = |range: KeyRange<'_>| {
        let mut seen = Vec::new();
        let scan = |visit: &mut Visit<'_>| {
            let rows = below.iter().filter(|(key, _)| range.contains(key.as_slice()));
            let _ = rows.into_iter().try_for_each(|(key, value)| visit(*key, *value));
            Ok(())
        };
        let merged = cache.merge_over(range, scan, &mut |key, value| {
            seen.push(String::from_utf8_lossy(&[key, value].concat()).into_owned());
            ControlFlow::Continue(())
        });
        assert!(merged.is_ok());
        seen
    };
    assert_eq!(seen(ALL), ["a1", "bB", "d4", "eE", "z9"]);
    assert_eq!(seen((Bound::Excluded(b"a"), Bound::Included(b"d"))), ["bB", "d4"]);
}
