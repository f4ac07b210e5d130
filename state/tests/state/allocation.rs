//! Per record: no allocation. Counted per thread, so other tests do not disturb.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tempfile::TempDir;
use thalweg_state::{Backend, Position};

use crate::fixture::{BACKENDS, open, spec};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes to the system allocator unchanged; counting touches a thread local without a destructor.
#[allow(unsafe_code, reason = "a counting allocator has no safe form")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn puts_and_gets_allocate_nothing_in_the_steady_state() {
    for backend in BACKENDS {
        let directory = TempDir::new().unwrap();
        let mut state = open(directory.path(), &[spec("a", backend)]);
        let value = [7; 200];
        let mut interval = |apply: bool| {
            let mut sum = 0;
            let count = allocations(|| {
                // Values grow and shrink: room is reused, or the row moves and leaves garbage that gets compacted.
                for round in 0..20_000_usize {
                    let key = (round % 1000).to_be_bytes();
                    state.put(0, &key, (round % 7 != 0).then_some(&value[..round % 200])).unwrap();
                    state.get(0, &key, &mut |bytes| sum += bytes.len()).unwrap();
                    if backend == Backend::Memory {
                        state.get(0, b"absent", &mut |_| sum += 1).unwrap();
                    }
                }
            });
            assert!(sum > 0);
            if apply {
                state.apply(&Position::default()).unwrap()
            } else {
                state.discard()
            }
            count
        };
        assert!(interval(true) > 0, "the counter counts");
        interval(false);
        assert_eq!((interval(true), interval(false)), (0, 0), "{backend:?}");
    }
}
