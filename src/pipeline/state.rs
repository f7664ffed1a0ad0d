//! What the lock of a queue guards: the records that wait, what is in flight, and all counts.

use std::{collections::VecDeque, time::Instant};

use super::{
    Batch, Deadline, DropReason, Dropped,
    batch::{Part, Piece},
    limits::Limits,
    settings::Overflow,
};

/// The records and counts of a queue.
pub(super) struct State<T> {
    pub(super) pieces: VecDeque<Queued<T>>,
    pub(super) queued: Load,
    pub(super) in_flight: Option<InFlight>,
    pub(super) offered: u64,
    pub(super) delivered: u64,
    pub(super) dropped: Dropped,
    pub(super) retries: u64,
    pub(super) last_error: Option<String>,
    pub(super) flush_up_to: u64,
    pub(super) flushes: u64,
    /// When the waiting flushes return: attempts end before.
    pub(super) flush_deadlines: Vec<Instant>,
    pub(super) phase: Phase,
    /// The running attempt.
    pub(super) attempt: Option<Attempt>,
    /// Whether the worker is in the exporter, with a batch.
    pub(super) worker_exports: bool,
    /// Whether the worker was asked what is to be delivered after the last batch.
    pub(super) is_finished: bool,
    pub(super) worker_ended: bool,
    pub(super) worker_leaked: bool,
}

/// A run of records in one part of a chunk.
pub(super) struct Queued<T> {
    pub(super) piece: Piece<T>,
    pub(super) first: u64,    // The number of the piece's first record.
    pub(super) charge: usize, // The bytes of the whole part: a piece of it pins all of it.
}

/// The batch in the exporter's hands.
pub(super) struct InFlight {
    pub(super) first: u64, // The lowest number in it that may be unsettled.
    pub(super) load: Load,
}

/// A running attempt.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) deadline: Deadline,
    /// Whether a flush may end it.
    pub(super) yields_to_flushes: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) items: usize,
    pub(super) bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Takes nothing more; the worker delivers until the deadline.
    Closing(Instant),
    /// Holds nothing.
    Closed,
}

/// The flushes and shutdowns asked for so far, to see whether there were more since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Urgency {
    pub(super) flushes: u64,
    pub(super) closing: bool,
}

impl<T> State<T> {
    /// An open queue without records.
    pub(super) fn new() -> Self {
        Self {
            pieces: VecDeque::new(),
            queued: Load::default(),
            in_flight: None,
            offered: 0,
            delivered: 0,
            dropped: Dropped::default(),
            retries: 0,
            last_error: None,
            flush_up_to: 0,
            flushes: 0,
            flush_deadlines: Vec::new(),
            phase: Phase::Open,
            attempt: None,
            worker_exports: false,
            is_finished: false,
            worker_ended: false,
            worker_leaked: false,
        }
    }

    /// Counts the records of `part` and queues what fits.
    pub(super) fn offer(&mut self, part: &Part<T>, limits: &Limits, evicted: &mut Vec<Queued<T>>) {
        let (n, first) = (part.records.len(), self.offered);
        self.offered += n as u64;
        if self.phase != Phase::Open {
            self.dropped.add(DropReason::Shutdown, n);
            return;
        }
        if limits.overflow == Overflow::DropOldest && part.bytes <= limits.max_bytes {
            self.make_room(n, part.bytes, limits, evicted);
        }
        let held = self.held();
        let room = match held.bytes.saturating_add(part.bytes) <= limits.max_bytes {
            true => limits.max_items.saturating_sub(held.items),
            false => 0,
        };
        let kept = n.min(room);
        self.dropped.add(DropReason::QueueFull, n - kept);
        if kept == 0 {
            return;
        }
        let range = match limits.overflow {
            Overflow::DropNewest => 0..kept,
            Overflow::DropOldest => n - kept..n,
        };
        self.queued.items += kept;
        self.queued.bytes += part.bytes;
        let first = first + range.start as u64;
        let piece = Piece { records: part.records.clone(), range };
        self.pieces.push_back(Queued { piece, first, charge: part.bytes });
    }

    /// Evicts from the front until `n` records of `bytes` fit, or nothing waits.
    fn make_room(&mut self, n: usize, bytes: usize, limits: &Limits, evicted: &mut Vec<Queued<T>>) {
        loop {
            let held = self.held();
            let too_many = held.items.saturating_add(n).saturating_sub(limits.max_items);
            let fits = held.bytes.saturating_add(bytes) <= limits.max_bytes;
            if too_many == 0 && fits {
                return;
            }
            let Some(front) = self.pieces.front() else { return };
            let whole = !fits || too_many >= front.piece.range.len();
            let cut = if whole { front.piece.range.len() } else { too_many };
            self.dropped.add(DropReason::QueueFull, cut);
            evicted.extend(self.pop(cut));
        }
    }

    /// Takes the next batch and notes it as in flight.
    pub(super) fn take(&mut self, limits: &Limits) -> Batch<T> {
        let first = self.pieces.front().map_or(self.offered, |front| front.first);
        let mut load = Load::default();
        let mut batch = Batch::new();
        while let Some(front) = self.pieces.front() {
            let n = front.piece.range.len().min(limits.batch_items - load.items);
            let exceeds = load.bytes.saturating_add(front.charge) > limits.batch_bytes;
            if n == 0 || (exceeds && load.items > 0) {
                break;
            }
            let Some(taken) = self.pop(n) else { break };
            load.items += n;
            load.bytes += taken.charge;
            batch.push(taken.piece);
        }
        self.in_flight = Some(InFlight { first, load });
        batch
    }

    /// Takes the first `n` records of the front piece, which has at least `n`. The last piece of a
    /// part carries the charge of the whole part.
    fn pop(&mut self, n: usize) -> Option<Queued<T>> {
        let front = self.pieces.front_mut()?;
        self.queued.items -= n;
        if n == front.piece.range.len() {
            self.queued.bytes -= front.charge;
            return self.pieces.pop_front();
        }
        let start = front.piece.range.start;
        let piece = Piece { records: front.piece.records.clone(), range: start..start + n };
        let taken = Queued { piece, first: front.first, charge: 0 };
        front.piece.range.start += n;
        front.first += n as u64;
        Some(taken)
    }

    /// The records that wait and those in the exporter's hands.
    pub(super) fn held(&self) -> Load {
        let in_flight = self.in_flight.as_ref().map_or(Load::default(), |batch| batch.load);
        Load {
            items: self.queued.items + in_flight.items,
            bytes: self.queued.bytes + in_flight.bytes,
        }
    }

    /// Whether all records before the number `up_to` are settled.
    pub(super) fn is_settled(&self, up_to: u64) -> bool {
        let in_flight = self.in_flight.as_ref().map(|batch| batch.first);
        let waiting = self.pieces.front().map(|front| front.first);
        in_flight.or(waiting).is_none_or(|lowest| lowest >= up_to)
    }

    /// Whether a batch is due now: it does not wait for more records.
    pub(super) fn is_due(&self, limits: &Limits) -> bool {
        let Some(front) = self.pieces.front() else { return false };
        front.first < self.flush_up_to || self.phase != Phase::Open || self.makes_a_batch(limits)
    }

    /// Whether enough records wait for a batch.
    pub(super) fn makes_a_batch(&self, limits: &Limits) -> bool {
        self.queued.items >= limits.wake_items || self.queued.bytes >= limits.batch_bytes
    }

    /// Notes that the worker is back from the exporter, if it was there.
    pub(super) fn leave_exporter(&mut self) {
        self.worker_exports = false;
        self.attempt = None;
    }

    pub(super) fn urgency(&self) -> Urgency {
        Urgency { flushes: self.flushes, closing: self.phase != Phase::Open }
    }
}
