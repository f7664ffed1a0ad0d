//! Counts what each thread allocates, and says how much memory the process has resident.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator and two additions to counters of the own thread: no library pays for
/// another thread's counting.
pub struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// What the calling thread has allocated since it began.
#[derive(Clone, Copy)]
pub struct Allocated {
    /// How often; growing in place counts as well.
    pub times: u64,
    /// Less what it freed, whoever had allocated that.
    pub live: i64,
}

thread_local! {
    static TIMES: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

pub fn allocated() -> Allocated {
    Allocated { times: TIMES.get(), live: LIVE.get() }
}

/// What the calling thread allocated in `work`, beside the answer of it.
pub fn allocated_in<T>(work: impl FnOnce() -> T) -> (Allocated, T) {
    let before = allocated();
    let answer = work();
    let after = allocated();
    (Allocated { times: after.times - before.times, live: after.live - before.live }, answer)
}

/// Bytes of the process that are in memory; `None` where the kernel does not say.
pub fn resident() -> Option<u64> {
    let statistics = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statistics.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

fn count(bytes: i64, times: u64) {
    TIMES.set(TIMES.get() + times);
    LIVE.set(LIVE.get() + bytes);
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; the counters
// are constant thread-locals without destructors, which allocate nothing and are never gone.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64, 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64, 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64, 1);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64), 0);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}
