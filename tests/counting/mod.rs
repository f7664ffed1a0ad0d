//! An allocator that counts, for tests of what is allocated and what is given back.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
#![allow(dead_code, reason = "a test asks for one of the counts")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

struct Counting;

// Without destructors, so that a thread can allocate to its end.
thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
    static LIVE_OF_THREAD: Cell<i64> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

static LIVE: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: hands every call on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        ALLOCATED.set(ALLOCATED.get() + layout.size() as u64);
        LARGEST.set(LARGEST.get().max(layout.size()));
        count_live(layout.size() as i64);
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count_live(-(layout.size() as i64));
        // SAFETY: `pointer` came from `System` by `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count_live(bytes: i64) {
    LIVE_OF_THREAD.set(LIVE_OF_THREAD.get() + bytes);
    LIVE.fetch_add(bytes, Relaxed);
}

/// How often this thread has allocated.
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// The bytes that this thread has allocated so far, given back or not.
pub(crate) fn allocated() -> u64 {
    ALLOCATED.get()
}

/// The bytes of this thread's largest allocation since the last call.
pub(crate) fn largest() -> usize {
    LARGEST.take()
}

/// The bytes that this thread has allocated and not given back.
pub(crate) fn live_of_thread() -> i64 {
    LIVE_OF_THREAD.get()
}

/// The bytes that the process has allocated and not given back.
pub(crate) fn live() -> i64 {
    LIVE.load(Relaxed)
}
