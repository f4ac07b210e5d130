//! An allocator that counts the bytes in use, exactly: what the system's one keeps for later is not among them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The heap of a test binary, as its `#[global_allocator]`.
#[derive(Debug)]
pub struct Heap {
    used: AtomicUsize,
    most: AtomicUsize,
}

impl Heap {
    /// Nothing is in use.
    #[expect(clippy::new_without_default, reason = "made in a static only")]
    pub const fn new() -> Self {
        Self { used: AtomicUsize::new(0), most: AtomicUsize::new(0) }
    }

    /// Bytes in use; [`Heap::most`] counts from here.
    pub fn watch(&self) -> usize {
        let used = self.used.load(Relaxed);
        self.most.store(used, Relaxed);
        used
    }

    /// Most bytes that were in use at once since [`Heap::watch`].
    pub fn most(&self) -> usize {
        self.most.load(Relaxed)
    }

    fn take(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Relaxed) + bytes;
        self.most.fetch_max(used, Relaxed);
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }
}

// SAFETY: every call goes to the system allocator unchanged; counting touches two numbers and allocates nothing.
#[allow(unsafe_code, reason = "a counting allocator has no safe form")]
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.give(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.take(new_size);
        self.give(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(block, layout, new_size) }
    }
}
