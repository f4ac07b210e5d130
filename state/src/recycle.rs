//! How much memory an emptied buffer or table keeps.
//!
//! Uses that are alike allocate nothing; what one burst needed is gone after a few quiet uses.

use hashbrown::HashTable;

/// A buffer or table keeps this many bytes in any case.
const KEPT_BYTES: usize = 64 << 10;

/// Empties `buffer`, of which `used` elements were in use at most. Gives back half of its memory when less than half
/// was used.
pub(crate) fn recycle<T>(buffer: &mut Vec<T>, used: usize) {
    buffer.clear();
    if let Some(kept) = kept::<T>(buffer.capacity(), used) {
        buffer.shrink_to(kept);
    }
}

/// Empties `table` in the same way.
pub(crate) fn recycle_table(table: &mut HashTable<u32>) {
    let kept = kept::<u32>(table.capacity(), table.len());
    table.clear();
    if let Some(kept) = kept {
        // Never asked: the table is empty.
        table.shrink_to(kept, |_| 0);
    }
}

/// The capacity to keep, if it is another.
fn kept<T>(capacity: usize, used: usize) -> Option<usize> {
    let half = capacity / 2;
    (used < half).then(|| half.max(KEPT_BYTES / size_of::<T>().max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_kept_and_half_of_what_was_not_is_given_back() {
        assert_eq!(kept::<u64>(1 << 20, 1 << 19), None);
        assert_eq!(kept::<u64>(1 << 20, (1 << 19) - 1), Some(1 << 19));
        assert_eq!(kept::<u64>(10_000, 0), Some(8192));
        let mut buffer: Vec<u8> = Vec::with_capacity(1 << 20);
        buffer.push(1);
        recycle(&mut buffer, 1);
        assert_eq!((buffer.len(), buffer.capacity()), (0, 1 << 19));
    }

    #[test]
    fn a_table_is_usable_after_it_gave_memory_back() {
        let mut table = HashTable::with_capacity(1 << 20);
        let full = table.capacity();
        table.insert_unique(7, 7_u32, |number| u64::from(*number));
        recycle_table(&mut table);
        assert!(table.is_empty() && table.capacity() <= full / 2 + full / 4, "{} of {full}", table.capacity());
        table.insert_unique(7, 7, |number| u64::from(*number));
        assert_eq!(table.find(7, |number| *number == 7), Some(&7));
    }
}
