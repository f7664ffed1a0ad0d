//! The exemplars of one series in one table: for each bucket, a measurement of a sampled span.
//!
//! A bucket keeps the first one of a *turn*, which goes from one reading to the next: from tick to tick,
//! unless somebody looks in between. So a record in a sampled span costs little where its bucket has one
//! already, and what is shown is never older than the newest measurement by more than a turn.
//!
//! They are written while others read: each slot is a sequence lock, whose number is that of the turn. It
//! is odd while a writing goes on, and only the thread that made it odd writes: where threads share the
//! table, a second one goes without. A reader that finds the number odd, or another one after reading,
//! has read parts of two exemplars and looks again. All stores are Release and all loads Acquire: a
//! reader that sees a part of a writing so sees the odd number that came before it.

use std::time::Duration;

use crate::{
    cells::budget::Room,
    clock::Ticks,
    context::{self, Export, SpanContext, SpanId, TraceId},
    snapshot::Exemplar,
    sync::{
        atomic::AtomicU64 as StaticAtomicU64,
        modelled::{
            AtomicU64, OnceRef,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};

/// The exemplars of one series in one table: nothing until the first one, then a block for each bucket.
#[derive(Debug)]
pub(crate) struct Exemplars(OnceRef<'static, [Slot; SLOTS]>);

/// How many there are at most; values so far apart that they share a slot replace each other, by a
/// factor of 2^21 in an exponential histogram.
#[cfg(not(any(miri, bellwether_loom)))]
const SLOTS: usize = 64;
#[cfg(any(miri, bellwether_loom))]
const SLOTS: usize = 1;

/// How often a reader looks again at a slot that is being written, before it goes without.
#[cfg(not(bellwether_loom))]
const LOOKS: usize = 8;
#[cfg(bellwether_loom)]
const LOOKS: usize = 2;

/// How long an exemplar whose trace was kept stays, where a tail sampler decides. Arbitrary.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// The number of the turn: even, and not zero.
static TURN: StaticAtomicU64 = StaticAtomicU64::new(2);

#[derive(Debug)]
struct Slot {
    /// In which turn it was written; zero before the first writing, one more while one goes on.
    turn: AtomicU64,
    parts: [AtomicU64; 5],
}

/// Begins another turn: before exemplars are read.
pub(crate) fn turn() {
    // Relaxed: who sees it late keeps an exemplar a little later.
    TURN.fetch_add(2, Relaxed);
}

impl Exemplars {
    pub(crate) fn new() -> Self {
        Self(OnceRef::new())
    }

    /// Whether the block is there, so that keeping one does not allocate.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.get().is_some()
    }

    /// Whether there is one with its `key` of this turn already.
    #[inline(always)]
    pub(crate) fn is_kept(&self, key: u32) -> bool {
        let is_of_turn = |slot: &Slot| slot.turn.load(Relaxed) == TURN.load(Relaxed);
        self.0.get().is_some_and(|slots| is_of_turn(&slots[key as usize % SLOTS]))
    }

    /// Makes the block if `room` allows it. One thread at a time.
    pub(crate) fn make(&self, room: Room<'_>) {
        if !self.is_ready() && room.take_for::<[Slot; SLOTS]>() {
            let slots = Box::leak(Box::new(std::array::from_fn(|_| Slot::new())));
            let _ = self.0.set(slots);
        }
    }

    /// Keeps `value`, recorded in `context` at `taken`, in place of the one with its `key`, if the block
    /// is there.
    pub(crate) fn keep(&self, key: u32, value: f64, context: &SpanContext, taken: Ticks) {
        let Some(slots) = self.0.get() else { return };
        let trace_id = context.trace_id().to_u128();
        let parts = [
            value.to_bits(),
            (trace_id >> 64) as u64,
            trace_id as u64,
            context.span_id().to_u64(),
            taken.to_raw(),
        ];
        let (slot, turn) = (&slots[key as usize % SLOTS], TURN.load(Relaxed));
        if context::is_export_asked() && slot.is_worth_more(taken) {
            return slot.renew(turn);
        }
        slot.write(parts, turn);
    }

    /// All that can be read whole and lead to a trace that is exported, in no order.
    pub(crate) fn read(&self) -> Vec<Exemplar> {
        let slots = self.0.get().into_iter().flatten();
        let exemplar = |[value, high, low, span_id, taken]: [u64; 5]| {
            let trace_id = TraceId::from_u128(u128::from(high) << 64 | u128::from(low));
            let (span_id, taken) = (SpanId::from_u64(span_id), Ticks::from_raw(taken));
            Exemplar::new(f64::from_bits(value), trace_id, span_id, taken)
        };
        slots.filter_map(Slot::read).map(exemplar).filter_map(Exemplar::exported).collect()
    }

    /// Back to none, by whoever knows that the owner does not write: see `series/removal.rs`.
    pub(crate) fn reset(&self) {
        for slot in self.0.get().into_iter().flatten() {
            slot.turn.store(0, Release);
        }
    }
}

impl Slot {
    fn new() -> Self {
        Self { turn: AtomicU64::new(0), parts: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Writes unless another thread does, or has done so in this `turn`: each number so stands for one
    /// writing.
    fn write(&self, parts: [u64; 5], turn: u64) {
        let written = self.turn.load(Relaxed);
        if written >= turn || written % 2 == 1 {
            return;
        }
        // Acquire: what the writer before this one stored comes before what is stored here.
        if self.turn.compare_exchange(written, turn + 1, AcqRel, Relaxed).is_err() {
            return;
        }
        for (to, part) in self.parts.iter().zip(parts) {
            to.store(part, Release);
        }
        self.turn.store(turn, Release);
    }

    /// Whether what is here should stay rather than one of a trace that has just begun: a tail sampler has
    /// kept its trace a short while ago, or has not decided yet. Else a bucket that many traces come to
    /// would never lead to one that is kept.
    #[cold]
    fn is_worth_more(&self, now: Ticks) -> bool {
        let Some([_, high, low, _, taken]) = self.read() else { return false };
        match context::export_of(TraceId::from_halves(high, low)) {
            Export::Undecided => true,
            Export::Yes => now.since(Ticks::from_raw(taken)) < KEPT_FOR,
            Export::No => false,
        }
    }

    /// Leaves what is here for another turn.
    fn renew(&self, turn: u64) {
        let written = self.turn.load(Relaxed);
        if written < turn && written.is_multiple_of(2) {
            let _ = self.turn.compare_exchange(written, turn, AcqRel, Relaxed);
        }
    }

    fn read(&self) -> Option<[u64; 5]> {
        for _ in 0..LOOKS {
            let before = self.turn.load(Acquire);
            if before == 0 {
                return None;
            }
            let parts = std::array::from_fn(|place| self.parts[place].load(Acquire));
            if before.is_multiple_of(2) && self.turn.load(Acquire) == before {
                return Some(parts);
            }
            std::hint::spin_loop();
        }
        None
    }
}

#[cfg(all(test, bellwether_loom))]
mod loom_tests {
    use std::sync::Arc;

    use loom::thread;

    use super::*;

    #[test]
    fn of_two_that_write_at_once_one_is_read_whole() {
        loom::model(|| {
            let slot = Arc::new(Slot::new());
            let writers: Vec<_> = (1..=2)
                .map(|n| {
                    let slot = slot.clone();
                    thread::spawn(move || slot.write([n; 5], 2))
                })
                .collect();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            assert!(matches!(slot.read(), Some([1, 1, 1, 1, 1] | [2, 2, 2, 2, 2])));
        });
    }

    #[test]
    fn an_exemplar_is_read_whole_or_not_at_all() {
        loom::model(|| {
            let slot = Arc::new(Slot::new());
            let writer = thread::spawn({
                let slot = slot.clone();
                move || (1..=2).for_each(|n| slot.write([n; 5], 2 * n))
            });
            if let Some(parts) = slot.read() {
                assert!(parts == [1; 5] || parts == [2; 5], "{parts:?}");
            }
            writer.join().unwrap();
            assert_eq!(slot.read(), Some([2; 5]));
        });
    }
}
