//! What the machine allows, measured in the same rounds: budgets are of these.

use crate::{
    counters::RAMP,
    harness::{ALIKE, Loop, Subject, Walk},
    labels::{Place, Places, Texts},
};
use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

pub const ADD: &str = "thread-local add";
pub const CLOCK: &str = "two clock readings";
pub const HASH: &str = "hash and compare";
pub const STORE: &str = "store to one word";
pub const LOCKED: &str = "lock-prefixed add";

thread_local! {
    static CELLS: [AtomicU64; 64] = const { [const { AtomicU64::new(0) }; 64] };
}

/// Load, add, store of the thread's own cells, 64 in turn, so that none waits for the last one's store.
pub fn add() -> Subject {
    own(ADD, Loop::over(Places::<8>), || (), |_, place| add_one(place.index::<8>()))
}

/// Two readings of the time stamp counter, without which there is no span and no timer.
pub fn clock() -> Subject {
    let read = |_: &mut (), ()| {
        black_box(time_stamp().wrapping_sub(time_stamp()));
        add_one(0);
    };
    own(CLOCK, ALIKE, || (), read)
}

/// A hash of the two texts' bytes, and one compare with those that were found by it.
pub fn hash(texts: &'static Texts, over: Loop<impl Walk<Item = Place>>) -> Subject {
    let table = move || {
        let sets: Vec<_> = texts.all().collect();
        let mut slots = vec![("", ""); (4 * sets.len()).next_power_of_two()];
        for set in sets {
            let mut slot = hash_of(set) as usize & (slots.len() - 1);
            while slots[slot] != ("", "") {
                slot = (slot + 1) & (slots.len() - 1);
            }
            slots[slot] = set;
        }
        slots
    };
    own(HASH, over, table, move |slots, place| {
        let set = texts.at(place);
        let mut slot = hash_of(set) as usize & (slots.len() - 1);
        while slots[slot] != set {
            slot = (slot + 1) & (slots.len() - 1);
        }
        add_one(slot & 63);
    })
}

/// Multiply and fold, sixteen bytes at a time, the last of them overlapping.
#[inline(always)]
fn hash_of((method, status): (&str, &str)) -> u64 {
    [method, status].into_iter().fold(0x9e37_79b9_7f4a_7c15, |state, text| {
        let (bytes, len) = (text.as_bytes(), text.len());
        let word =
            |at: usize| bytes[at..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        let fold = |state: u64, low: u64, high: u64| {
            let product = u128::from(state ^ low) * u128::from(0xa076_1d64_78bd_642f ^ high);
            product as u64 ^ (product >> 64) as u64
        };
        let mut state = state ^ len as u64;
        for at in (0..len.saturating_sub(16)).step_by(16) {
            state = fold(state, word(at), word(at + 8));
        }
        match len {
            16.. => fold(state, word(len - 16), word(len - 8)),
            8.. => fold(state, word(0), word(len - 8)),
            _ => fold(state, bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0),
        }
    })
}

/// A store to one word that all threads share: there is no other way to keep what was set last.
pub fn store() -> Subject {
    let set = |cell: &'static Padded, value: f64| cell.0.store(value.to_bits(), Relaxed);
    let value = |cell: &Padded| f64::from_bits(cell.0.load(Relaxed)) as u64;
    let subject = Loop::over(&RAMP[..]).peer("", STORE, Padded::default(), set, value);
    subject.keeps_last(RAMP.len()).floor()
}

/// An atomic addition to the thread's own cells, uncontended.
pub fn locked() -> Subject {
    let add = |_: &mut (), place: Place| {
        CELLS.with(|cells| cells[place.index::<8>()].fetch_add(1, Relaxed));
    };
    own(LOCKED, Loop::over(Places::<8>), || (), add)
}

#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

#[inline(always)]
fn add_one(index: usize) {
    CELLS.with(|cells| {
        let cell = &cells[index & 63];
        cell.store(cell.load(Relaxed) + 1, Relaxed);
    });
}

/// A loop over [`CELLS`], whose sum is handed over when it ends.
fn own<W: Walk, H: 'static>(
    name: &'static str,
    over: Loop<W>,
    hold: impl Fn() -> H + Sync + 'static,
    operation: impl Fn(&mut H, W::Item) + Copy + Sync + 'static,
) -> Subject {
    let hold = move |total| (hold(), HandsOver(total));
    let operation = move |(held, _): &mut (H, _), item| operation(held, item);
    over.peer_holding("", name, AtomicU64::new(0), hold, operation, |total| total.load(Relaxed))
        .floor()
}

struct HandsOver(&'static AtomicU64);

impl Drop for HandsOver {
    fn drop(&mut self) {
        let sum = CELLS.with(|cells| cells.iter().map(|cell| cell.swap(0, Relaxed)).sum());
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
