//! What registries and callbacks that are made at run time cost for ever, once they are gone.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

use bellwether::{
    Unit,
    metric::{Kind, Registry},
};

static LIVE: AtomicI64 = AtomicI64::new(0);

struct Counting;

// SAFETY: hands every call on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, Relaxed);
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Relaxed);
        // SAFETY: `pointer` came from `System` by `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TIMES: i64 = 4_000;

/// The bytes that each of many calls leaves behind, after as many to begin with.
fn left_by(mut make: impl FnMut(i64)) -> i64 {
    (0..TIMES).for_each(&mut make);
    let before = LIVE.load(Relaxed);
    (TIMES..2 * TIMES).for_each(&mut make);
    (LIVE.load(Relaxed) - before) / TIMES
}

#[test]
fn a_registry_that_is_gone_leaves_what_it_registered_and_a_callback_its_name() {
    let empty = left_by(|_| drop(Registry::new()));
    let counter = left_by(|n| {
        let registry = Registry::new();
        registry.counter::<()>(&format!("c{n}"), "", Unit::NONE).unwrap().inc();
    });
    let registry = Registry::new();
    let observe = |name: &str| {
        drop(registry.observe(Kind::Gauge, name, "", Unit::NONE, |to| to.observe(1.0, &[])));
        drop(registry.snapshot());
    };
    let again = left_by(|_| observe("again"));
    let renamed = left_by(|n| observe(&format!("o{n}")));
    println!(
        "bytes left for ever: an empty registry {empty}, one with a counter {counter}, a callback of \
         a known name {again}, of a new name {renamed}"
    );
    assert_eq!((empty, again), (0, 0));
    assert!(counter <= 2_560, "{counter}");
    assert!(renamed <= 1_024, "{renamed}");
}
