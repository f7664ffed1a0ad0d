//! An allocator that records: every allocation of the program, those of this crate included.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};

use bellwether::{Counter, Gauge, Labels, count, metric::Registry};

static ALLOCATIONS: Counter = Counter::new("allocations", "");
/// Refused, since the name is taken: which allocates, and so records here again.
static CLASHING: Gauge = Gauge::new("allocations", "");
static BY_SIZE: Counter<Size> = Counter::new("allocations.by_size", "");

/// An open label set: its look-ups allocate.
#[derive(Labels)]
struct Size {
    size: usize,
}

struct Recording;

// SAFETY: hands every call on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Recording {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.inc();
        CLASHING.set(1.0);
        BY_SIZE.with(Size { size: layout.size() % 64 }).inc();
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

/// A registry whose series this thread remembers when it is gone, and a handle that outlives it.
fn use_and_drop(number: usize) {
    let registry = Registry::new();
    let open = registry.counter("open", "").labels::<Size>().build().unwrap();
    (0..10).for_each(|size| open.with(Size { size }).inc());
    let kept = open.bind(Size { size: number });
    let other = registry.gauge("other", "").build().unwrap();
    other.set(1.0);
    drop((open, other));
    assert!(registry.unregister("open"));
    drop(registry);
    kept.inc();
}

#[test]
fn an_allocator_may_record() {
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            std::thread::spawn(move || {
                for number in 0..100 {
                    count!("allocating", thread = thread, number = number);
                }
                for number in 0..50 {
                    use_and_drop(number);
                }
                Registry::global().snapshot()
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
    let snapshot = Registry::global().snapshot();
    assert_eq!(snapshot.family("allocating").map(|family| family.series().len()), Some(800));
    assert_eq!(CLASHING.value(), None);
    assert!(BY_SIZE.series().len() > 10);
    assert!(ALLOCATIONS.value() > 1_000, "{}", ALLOCATIONS.value());
}
