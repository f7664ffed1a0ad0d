//! An allocator that records: every allocation of the program, those of this crate included.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};

use bellwether::{Counter, Gauge, count, metric::Registry};

static ALLOCATIONS: Counter = Counter::new("allocations", "");
/// Refused, since the name is taken: which allocates, and so records here again.
static CLASHING: Gauge = Gauge::new("allocations", "");

struct Recording;

// SAFETY: hands every call on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Recording {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.inc();
        CLASHING.set(1.0);
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` by `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Recording = Recording;

#[test]
fn an_allocator_may_record() {
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            std::thread::spawn(move || {
                for number in 0..100 {
                    count!("allocating", thread = thread, number = number);
                }
                Registry::global().snapshot()
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| drop(thread.join()));
    let snapshot = Registry::global().snapshot();
    assert_eq!(snapshot.family("allocating").map(|family| family.series().len()), Some(800));
    assert_eq!(CLASHING.value(), None);
    assert!(ALLOCATIONS.value() > 1_000, "{}", ALLOCATIONS.value());
}
