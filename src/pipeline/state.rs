//! What the lock of a queue guards: the records that wait, what is in flight, and all counts.

use std::{collections::VecDeque, time::Instant};

use super::{
    Batch, Deadline, DropReason, Dropped,
    batch::{Part, Piece},
    exports::Exports,
    limits::Limits,
    settings::Overflow,
};

/// The records and counts of a queue.
pub(super) struct State<T> {
    /// What waits, each lane in the order of its numbers.
    pub(super) lanes: Lanes<T>,
    pub(super) queued: Load,
    pub(super) in_flight: Option<InFlight>,
    pub(super) offered: u64,
    pub(super) delivered: u64,
    pub(super) dropped: Dropped,
    pub(super) retries: u64,
    pub(super) last_error: Option<String>,
    pub(super) exports: Exports,
    pub(super) flush_up_to: u64,
    pub(super) flushes: u64,
    /// When the waiting flushes return: attempts end before.
    pub(super) flush_deadlines: Vec<Instant>,
    pub(super) phase: Phase,
    /// Of a queue whose records are on disk: it lends them, and keeps what it gets back.
    pub(super) kept: Option<Kept>,
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

/// Urgent records and others, which leave in the order of their numbers unless the queue is pressed.
pub(super) struct Lanes<T> {
    pub(super) urgent: VecDeque<Queued<T>>,
    pub(super) others: VecDeque<Queued<T>>,
}

impl<T> Lanes<T> {
    fn new() -> Self {
        Self { urgent: VecDeque::new(), others: VecDeque::new() }
    }

    /// The lowest number that waits.
    fn first(&self) -> Option<u64> {
        let firsts = [&self.urgent, &self.others].map(|lane| Some(lane.front()?.first));
        firsts.into_iter().flatten().min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.others.is_empty()
    }

    /// The lane that the next record is taken from.
    fn next(&mut self, is_pressed: bool, flush_up_to: u64) -> &mut VecDeque<Queued<T>> {
        let urgent_comes_first = match (self.urgent.front(), self.others.front()) {
            // Urgent ones that came after a flush began do not prolong it.
            (Some(urgent), Some(other)) => {
                let is_later = other.first < flush_up_to && urgent.first >= flush_up_to;
                is_pressed && !is_later || urgent.first < other.first
            }
            (urgent, _) => urgent.is_some(),
        };
        if urgent_comes_first { &mut self.urgent } else { &mut self.others }
    }
}

/// The batch in the exporter's hands.
pub(super) struct InFlight {
    pub(super) first: u64, // The lowest number in it that may be unsettled.
    pub(super) load: Load,
}

/// What became of records on disk.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(
    not(all(feature = "spool", unix)),
    expect(dead_code, reason = "no queue is of a disk then")
)]
pub(super) struct Kept {
    /// How many of this process are delivered or dropped.
    pub(super) settled: u64,
    /// How many of this process are lost on the disk.
    pub(super) lost: u64,
    /// How many of earlier processes were lent.
    pub(super) inherited: u64,
    /// Where what is in flight comes from.
    pub(super) origin: Origin,
    /// What became of records that were lent past the disk, until it is counted.
    pub(super) passed: Passed,
    /// How many of this process went past the disk.
    pub(super) n_passed: u64,
    /// How often the disk did not take what it was to keep.
    pub(super) refusals: u64,
    /// Whether the last load was given back, to be sent another time.
    pub(super) is_returned: bool,
}

/// Where a load comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "spool", unix)),
    expect(dead_code, reason = "no queue is of a disk then")
)]
pub(super) enum Origin {
    /// The disk, where this process put it.
    #[default]
    Disk,
    /// The disk, where an earlier process left it.
    Earlier,
    /// The half that writes: the disk did not take it.
    Memory,
}

/// What became of records that were never on disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    pub(super) delivered: u64,
    pub(super) dropped: Dropped,
}

#[cfg(all(feature = "spool", unix))]
impl Passed {
    pub(super) fn n_records(&self) -> usize {
        (self.delivered + self.dropped.total()) as usize
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.delivered += more.delivered;
        for (reason, n) in more.dropped.iter() {
            self.dropped.add(reason, n as usize);
        }
    }
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
            lanes: Lanes::new(),
            queued: Load::default(),
            in_flight: None,
            offered: 0,
            delivered: 0,
            dropped: Dropped::default(),
            retries: 0,
            last_error: None,
            exports: Exports::default(),
            flush_up_to: 0,
            flushes: 0,
            flush_deadlines: Vec::new(),
            phase: Phase::Open,
            kept: None,
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
        if part.bytes <= limits.max_bytes {
            self.make_room(part, limits, evicted);
        }
        let kept = n.min(self.room_for(part.bytes, limits));
        self.dropped.add(DropReason::QueueFull, n - kept);
        if kept == 0 {
            return;
        }
        let range = match limits.overflow {
            Overflow::DropNewest | Overflow::Block(_) => 0..kept,
            Overflow::DropOldest => n - kept..n,
        };
        self.queued.items += kept;
        self.queued.bytes += part.bytes;
        let first = first + range.start as u64;
        let piece = Piece { records: part.records.clone(), range };
        let lane = if part.is_urgent { &mut self.lanes.urgent } else { &mut self.lanes.others };
        lane.push_back(Queued { piece, first, charge: part.bytes });
    }

    /// How many records of a part of `bytes` fit.
    pub(super) fn room_for(&self, bytes: usize, limits: &Limits) -> usize {
        let held = self.held();
        match held.bytes.saturating_add(bytes) <= limits.max_bytes {
            true => limits.max_items.saturating_sub(held.items),
            false => 0,
        }
    }

    /// Evicts what may give way to `part` until that fits, or nothing else may.
    fn make_room(&mut self, part: &Part<T>, limits: &Limits, evicted: &mut Vec<Queued<T>>) {
        let drops_oldest = limits.overflow == Overflow::DropOldest;
        loop {
            let held = self.held();
            let too_many = held.items.saturating_add(part.records.len());
            let too_many = too_many.saturating_sub(limits.max_items);
            let fits = held.bytes.saturating_add(part.bytes) <= limits.max_bytes;
            if too_many == 0 && fits {
                return;
            }
            let may_others = (drops_oldest || part.is_urgent) && !self.lanes.others.is_empty();
            let lane = match () {
                () if may_others => &mut self.lanes.others,
                () if drops_oldest && part.is_urgent => &mut self.lanes.urgent,
                () => return,
            };
            let victim = if drops_oldest { lane.front() } else { lane.back() };
            let Some(victim) = victim else { return };
            let n = victim.piece.range.len();
            let cut = if fits { too_many.min(n) } else { n };
            let taken = match drops_oldest {
                true => pop_front(lane, &mut self.queued, cut),
                false => pop_back(lane, &mut self.queued, cut),
            };
            self.dropped.add(DropReason::QueueFull, cut);
            evicted.extend(taken);
        }
    }

    /// Takes the next batch and notes it as in flight.
    pub(super) fn take(&mut self, limits: &Limits) -> Batch<T> {
        let mut first = self.offered;
        let mut load = Load::default();
        let mut batch = Batch::new();
        loop {
            let is_pressed = self.is_pressed(load, limits);
            let lane = self.lanes.next(is_pressed, self.flush_up_to);
            let Some(front) = lane.front() else { break };
            let n = front.piece.range.len().min(limits.batch_items - load.items);
            let exceeds = load.bytes.saturating_add(front.charge) > limits.batch_bytes;
            if n == 0 || (exceeds && load.items > 0) {
                break;
            }
            first = first.min(front.first);
            let Some(taken) = pop_front(lane, &mut self.queued, n) else { break };
            load.items += n;
            load.bytes += taken.charge;
            batch.push(taken.piece);
        }
        self.in_flight = Some(InFlight { first, load });
        batch
    }

    /// Whether more than half of the queue's room is taken, with what is `taken` for a batch.
    fn is_pressed(&self, taken: Load, limits: &Limits) -> bool {
        self.queued.items + taken.items > limits.max_items / 2
            || self.queued.bytes + taken.bytes > limits.max_bytes / 2
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
        if let Some(kept) = &self.kept {
            // Records leave the disk in their order, so all before those in flight are settled or lost; of
            // what was lost since, some may be newer.
            let of_own = in_flight.filter(|_| kept.origin == Origin::Disk);
            return of_own.unwrap_or(kept.settled + kept.lost) >= up_to;
        }
        let lowest = in_flight.into_iter().chain(self.lanes.first()).min();
        lowest.is_none_or(|lowest| lowest >= up_to)
    }

    /// Whether a batch is due now: it does not wait for more records.
    pub(super) fn is_due(&self, limits: &Limits) -> bool {
        let Some(first) = self.lanes.first() else { return false };
        first < self.flush_up_to || self.phase != Phase::Open || self.makes_a_batch(limits)
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

    /// Drops `n` records of the load in flight, or gives them back to the disk that has them.
    pub(super) fn lose_in_flight(&mut self, reason: DropReason) -> usize {
        let lost = self.in_flight.take().map_or(0, |in_flight| in_flight.load.items);
        match &mut self.kept {
            Some(kept) if reason == DropReason::Shutdown => {
                kept.is_returned |= lost > 0;
                return 0;
            }
            _ => self.note_settled(0, (reason, lost)),
        }
        lost
    }

    /// Counts records of the load in flight as delivered, and others as dropped.
    pub(super) fn note_settled(&mut self, delivered: usize, (reason, lost): (DropReason, usize)) {
        match &mut self.kept {
            Some(kept) if kept.origin == Origin::Memory => {
                kept.passed.delivered += delivered as u64;
                kept.passed.dropped.add(reason, lost);
                return;
            }
            Some(kept) if kept.origin == Origin::Disk => kept.settled += (delivered + lost) as u64,
            _ => {}
        }
        self.delivered += delivered as u64;
        self.dropped.add(reason, lost);
    }

    /// Whether what is in flight was never on the disk that the queue is of.
    pub(super) fn is_passing(&self) -> bool {
        let is_past = self.kept.as_ref().is_some_and(|kept| kept.origin == Origin::Memory);
        is_past && self.in_flight.is_some()
    }

    pub(super) fn urgency(&self) -> Urgency {
        Urgency { flushes: self.flushes, closing: self.phase != Phase::Open }
    }
}

/// Takes the first `n` records of the front piece, which has at least `n`. The last piece of a part carries
/// the charge of the whole part.
fn pop_front<T>(lane: &mut VecDeque<Queued<T>>, queued: &mut Load, n: usize) -> Option<Queued<T>> {
    let front = lane.front_mut()?;
    queued.items -= n;
    if n == front.piece.range.len() {
        queued.bytes -= front.charge;
        return lane.pop_front();
    }
    let start = front.piece.range.start;
    let piece = Piece { records: front.piece.records.clone(), range: start..start + n };
    let taken = Queued { piece, first: front.first, charge: 0 };
    front.piece.range.start += n;
    front.first += n as u64;
    Some(taken)
}

/// As [`pop_front`], the last ones of the back piece.
fn pop_back<T>(lane: &mut VecDeque<Queued<T>>, queued: &mut Load, n: usize) -> Option<Queued<T>> {
    let back = lane.back_mut()?;
    queued.items -= n;
    let len = back.piece.range.len();
    if n == len {
        queued.bytes -= back.charge;
        return lane.pop_back();
    }
    let end = back.piece.range.end;
    let piece = Piece { records: back.piece.records.clone(), range: end - n..end };
    let taken = Queued { piece, first: back.first + (len - n) as u64, charge: 0 };
    back.piece.range.end -= n;
    Some(taken)
}
