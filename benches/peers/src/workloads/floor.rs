//! What the machine allows, measured in the same rounds.

use crate::harness::{Pace, Role, Subject, repeat};
use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

thread_local! {
    static CELLS: [AtomicU64; 64] = const { [const { AtomicU64::new(0) }; 64] };
}

/// Load, add, store of the thread's own cells, 64 in turn: no operation waits for the last one's
/// store, so this is the floor of both ways of counting.
pub fn thread_local_spread() -> Subject {
    let total = totals();
    let worker = move |_| {
        let (mut next, totals) = (0, OnExit::new(total));
        repeat(Pace::Flat, move || {
            CELLS.with(|cells| add_one(&cells[next & 63]));
            next += 1;
            let _ = &totals;
        })
    };
    floor("thread-local add, 64 cells in turn", worker, total)
}

/// The same on one cell, where each load waits for the store before it.
pub fn thread_local_one() -> Subject {
    let total = totals();
    let worker = move |_| {
        let totals = OnExit::new(total);
        repeat(Pace::Flat, move || {
            CELLS.with(|cells| add_one(black_box(&cells[0])));
            let _ = &totals;
        })
    };
    floor("thread-local add, one cell", worker, total)
}

/// Two readings of the time stamp counter, without which there is no span.
pub fn two_time_stamps() -> Subject {
    let total = totals();
    let worker = move |_| {
        let totals = OnExit::new(total);
        repeat(Pace::Flat, move || {
            CELLS.with(|cells| {
                black_box(time_stamp().wrapping_sub(time_stamp()));
                add_one(&cells[0]);
            });
            let _ = &totals;
        })
    };
    floor("two time stamps", worker, total)
}

fn floor(
    idiom: &'static str,
    worker: impl Fn(usize) -> crate::harness::Worker + Sync + 'static,
    total: &'static AtomicU64,
) -> Subject {
    Subject::new("(floor)", idiom, worker, || total.load(Relaxed)).role(Role::Floor)
}

#[inline(always)]
fn add_one(cell: &AtomicU64) {
    cell.store(cell.load(Relaxed) + 1, Relaxed);
}

fn totals() -> &'static AtomicU64 {
    Box::leak(Box::default())
}

/// Hands the thread's cells over when its loop is dropped.
struct OnExit(&'static AtomicU64);

impl OnExit {
    fn new(total: &'static AtomicU64) -> Self {
        CELLS.with(|cells| cells.iter().for_each(|cell| cell.store(0, Relaxed)));
        Self(total)
    }
}

impl Drop for OnExit {
    fn drop(&mut self) {
        let sum = CELLS.with(|cells| cells.iter().map(|cell| cell.load(Relaxed)).sum());
        self.0.fetch_add(sum, Relaxed);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn time_stamp() -> u64 {
    // SAFETY: every x86-64 processor that runs Linux, macOS or Windows lets programs read it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn time_stamp() -> u64 {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed().as_nanos() as u64
}
