use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use super::*;

const ALL: crate::KeyRange<'static> = (Bound::Unbounded, Bound::Unbounded);

fn keys(overlay: &Overlay) -> Vec<Vec<u8>> {
    overlay.range(ALL).map(|(key, _)| key.to_vec()).collect()
}

#[test]
fn the_last_write_of_a_key_counts() {
    let mut overlay = Overlay::default();
    assert_eq!(overlay.get(b"k"), None);
    for value in [Some(b"long value".as_slice()), Some(b""), None, Some(b"x"), Some(b"longer than at first")] {
        overlay.put(b"k", value);
        assert_eq!(overlay.get(b"k"), Some(value));
    }
    assert_eq!((overlay.rows(), overlay.get(b"K")), (1, None));
    overlay.clear();
    assert_eq!((overlay.rows(), overlay.bytes(), overlay.get(b"k")), (0, 0, None));
}

fn random(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize
}

#[test]
fn overwriting_keeps_every_row_and_does_not_grow_without_bound() {
    let mut overlay = Overlay::default();
    let mut model = BTreeMap::new();
    let mut seed = 7;
    for round in 0..50_000_usize {
        let key = (random(&mut seed) % 50).to_be_bytes();
        // Lengths creep up, so that rows with room to spare and rows without it meet a compaction.
        let value = vec![round as u8; random(&mut seed) % (100 + round / 50)];
        overlay.put(&key, Some(&value));
        model.insert(key, value);
        if round % 100 == 0 {
            let rows = || overlay.range(ALL).map(|(key, value)| (key, value.unwrap_or(b"deleted")));
            assert!(rows().eq(model.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))), "round {round}");
            assert!(model.iter().all(|(key, value)| overlay.get(key) == Some(Some(value))), "round {round}");
        }
    }
    assert!(overlay.bytes() < 4 * GARBAGE_MIN, "{} bytes for 50 keys", overlay.bytes());
}

#[test]
fn order_holds_however_puts_and_scans_interleave() {
    let mut overlay = Overlay::default();
    let mut model = BTreeMap::new();
    let mut seed = 42;
    for round in 0..6000_u64 {
        let key = (random(&mut seed) % 16_384).to_be_bytes();
        overlay.put(&key, Some(&round.to_be_bytes()));
        model.insert(key.to_vec(), round.to_be_bytes().to_vec());
        // Dense scans exercise the short run, a gap of thousands the bulk path.
        if round < 200 || (2500..2600).contains(&round) || round % 1777 == 0 {
            assert_eq!(keys(&overlay), model.keys().cloned().collect::<Vec<_>>(), "round {round}");
        }
    }
    let rows: Vec<_> = overlay.range(ALL).map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect();
    assert_eq!(rows, model.into_iter().map(|(key, value)| (key, Some(value))).collect::<Vec<_>>());
}

#[test]
fn written_rows_win_over_committed_ones_until_the_visitor_breaks() {
    let mut overlay = Overlay::default();
    for (key, value) in [(b"a", Some(b"1")), (b"c", None), (b"d", Some(b"4")), (b"z", Some(b"9"))] {
        overlay.put(key, value.map(|value| value.as_slice()));
    }
    let committed = [(b"b", b"B"), (b"c", b"C"), (b"d", b"D"), (b"e", b"E")];
    let merged = |limit: usize| {
        let mut seen = Vec::new();
        let scan = |visit: &mut crate::Visit<'_>| {
            let _ = committed.iter().try_for_each(|(key, value)| visit(*key, *value));
            Ok(())
        };
        let merged = overlay.range(ALL).merge_over(scan, &mut |key, value| {
            seen.push([key, value].concat());
            if seen.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(merged.is_ok());
        seen.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(merged(9), ["a1", "bB", "d4", "eE", "z9"]);
    for limit in 1..5 {
        assert_eq!(merged(limit), ["a1", "bB", "d4", "eE", "z9"][..limit]);
    }
}
