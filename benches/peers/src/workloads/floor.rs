//! What the machine allows, measured in the same rounds.

use super::{
    labels::Sets,
    m4::{VALUES, over},
};
use crate::harness::{Pace, Role, Subject, Worker, repeat};
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
    own_cells("thread-local add, 64 cells in turn", || {
        let mut next = 0;
        move || {
            CELLS.with(|cells| add_one(&cells[next & 63]));
            next += 1;
        }
    })
}

/// The same on one cell, where each load waits for the store before it.
pub fn thread_local_one() -> Subject {
    own_cells("thread-local add, one cell", || || CELLS.with(|cells| add_one(black_box(&cells[0]))))
}

/// The same with the choice of two labels, which every workload with labels makes.
pub fn thread_local_labelled(sets: Sets) -> Subject {
    own_cells("thread-local add, by two labels in turn", move || {
        let mut next = sets.walk();
        move || {
            let (method, status) = next();
            CELLS.with(|cells| add_one(&cells[(method * 10 + status) & 63]));
        }
    })
}

/// What a histogram cannot do without: a bucket from the value's highest bits, 64 an octave, one more
/// in it, and the sum, in eight parts so that no addition waits for the last one's.
pub fn own_histogram() -> Subject {
    let total: &'static AtomicU64 = Box::leak(Box::default());
    let worker = move |_| {
        let counts = Counts { buckets: [const { AtomicU64::new(0) }; 4096], total };
        let (counts, sums) = (Box::new(counts), [const { AtomicU64::new(0) }; 8]);
        over(Pace::Flat, &VALUES.seconds, move |value| {
            let bucket = (value.to_bits() >> 46) as usize & 4095;
            add_one(&counts.buckets[bucket]);
            let sum = &sums[bucket & 7];
            sum.store((f64::from_bits(sum.load(Relaxed)) + value).to_bits(), Relaxed);
        })
    };
    floor("bucket by shift, sum in eight parts", worker, || total.load(Relaxed))
}

struct Counts {
    buckets: [AtomicU64; 4096],
    total: &'static AtomicU64,
}

impl Drop for Counts {
    fn drop(&mut self) {
        let sum = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum();
        self.total.fetch_add(sum, Relaxed);
    }
}

/// Two readings of the time stamp counter, without which there is no span and no timer.
pub fn two_time_stamps() -> Subject {
    own_cells("two time stamps", || {
        || {
            CELLS.with(|cells| {
                black_box(time_stamp().wrapping_sub(time_stamp()));
                add_one(&cells[0]);
            });
        }
    })
}

/// A store to one word that all threads share: there is no other way to keep what was set last.
pub fn shared_store() -> Subject {
    let cell: &'static Padded = Box::leak(Box::default());
    let set = |cell: &&'static Padded, value: f64| cell.0.store(value.to_bits(), Relaxed);
    let value = |cell: &&'static Padded| f64::from_bits(cell.0.load(Relaxed)) as u64;
    Subject::set("(floor)", "relaxed store, one shared word", cell, set, value).role(Role::Floor)
}

#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

fn floor(
    idiom: &'static str,
    worker: impl Fn(usize) -> Worker + Sync + 'static,
    total: impl Fn() -> u64 + Sync + 'static,
) -> Subject {
    Subject::new("(floor)", idiom, worker, total).role(Role::Floor)
}

/// A loop over [`CELLS`], whose sum is handed over when it is dropped.
fn own_cells<B: FnMut() + 'static>(
    idiom: &'static str,
    body: impl Fn() -> B + Sync + 'static,
) -> Subject {
    let total: &'static AtomicU64 = Box::leak(Box::default());
    let worker = move |_| {
        let (mut body, on_exit) = (body(), OnExit::new(total));
        repeat(Pace::Flat, move || {
            body();
            let _ = &on_exit;
        })
    };
    floor(idiom, worker, || total.load(Relaxed))
}

#[inline(always)]
fn add_one(cell: &AtomicU64) {
    cell.store(cell.load(Relaxed) + 1, Relaxed);
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
