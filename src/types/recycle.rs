//! How much memory an emptied buffer keeps.

/// A buffer keeps this many bytes in any case.
const KEPT_BYTES: usize = 64 << 10;

/// Empties `buffer` for its next use. When less than half of its memory was used, half of it is given back: uses that
/// are alike allocate nothing, and what one burst needed is gone after a few quiet uses.
pub(super) fn recycle<T>(buffer: &mut Vec<T>) {
    let half = buffer.capacity() / 2;
    let is_mostly_unused = buffer.len() < half;
    buffer.clear();
    if is_mostly_unused {
        buffer.shrink_to(half.max(KEPT_BYTES / size_of::<T>().max(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_forgotten_after_some_turns_and_even_use_keeps_its_memory() {
        let mut buffer: Vec<u64> = Vec::new();
        let mut turn = |len: usize| {
            buffer.extend(std::iter::repeat_n(7, len));
            recycle(&mut buffer);
            assert!(buffer.is_empty());
            buffer.capacity()
        };
        let burst = turn(1 << 20);
        assert!(burst >= 1 << 20, "a use of most of the memory keeps it");
        assert_eq!(turn(50_000), burst / 2);
        let settled = (0..10).map(|_| turn(50_000)).last().unwrap_or_default();
        assert!((50_000..=100_000).contains(&settled), "{settled}");
        assert!((0..10).all(|_| turn(50_000) == settled));
        let least = (0..20).map(|_| turn(1)).last();
        assert_eq!(least, Some(KEPT_BYTES / size_of::<u64>()));
    }
}
