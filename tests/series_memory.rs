//! Label sets that come and go leave no memory behind.
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicI64, Ordering::Relaxed},
    time::Duration,
};

use bellwether::{Counter, Histogram, label::Dynamic, testing};

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

static PODS: Counter<Dynamic> =
    Counter::dynamic("pods", "", &["pod"]).expire_after(Duration::from_secs(2));
static SESSIONS: Histogram<Dynamic> = Histogram::dynamic("sessions", "", &["session"]);

#[test]
fn series_that_came_and_went_leave_no_memory_behind() {
    let scope = testing::scope();
    let mut n = 0;
    let mut live_after = |rounds: u32| {
        for _ in 0..rounds {
            for _ in 0..20 {
                n += 1;
                PODS.with_labels(&[("pod", &format!("pod-{n}"))]).inc();
                let session = n.to_string();
                let handle = SESSIONS.bind_labels(&[("session", &session)]);
                (0..130).for_each(|value| handle.record(f64::from(value)));
                SESSIONS.remove_labels(&[("session", &session)]);
            }
            scope.advance(Duration::from_secs(1));
            drop(scope.snapshot());
        }
        LIVE.load(Relaxed)
    };
    live_after(30);
    let before = live_after(10);
    let after = live_after(300); // Three times as many as the limit.
    assert!(after - before < 16 << 10, "{} bytes of 6,000 pods and sessions", after - before);
    assert_eq!(scope.snapshot().family("sessions").map(|family| family.series().len()), Some(0));
}
