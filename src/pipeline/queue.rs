//! The queue before one exporter: bounded in items and bytes, with every count under one lock.
//!
//! Records are numbered in the order in which they are offered, from 0, and leave in that order. So
//! one number says what is settled: the lowest unsettled one. It belongs to the first record of the
//! exporter's batch or, without one, to the record at the front. A flush waits for that number to pass
//! its ticket, and never looks at a length.
//!
//! ```text
//!   settled │ in flight │ pieces of chunks ........ │ next number = offered
//!           └ lowest unsettled number               └ ticket of a flush that begins now
//! ```
//!
//! The worker waits on a condition variable of the lock that guards what it waits for, so no wake-up
//! can be lost. A push wakes it only when the batch size is reached. No foreign code runs under the
//! lock: records are weighed before it is taken and dropped after it is released.

use std::{
    fmt,
    time::{Duration, Instant},
};

#[cfg(all(feature = "spool", unix))]
use super::state::{InFlight, Kept, Passed};
use super::{
    Batch, Chunk, Deadline, DropReason, Overflow, QueueReport,
    batch::Part,
    limits::Limits,
    retry::Delay,
    state::{Attempt, Load, Origin, Phase, State, Urgency},
};
use crate::{
    clock,
    sync::modelled::{Condvar, WaitGuard, WaitMutex, wait_until},
};

/// Everything offered to a queue before one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// A queue. Only its worker calls `next`, `pause`, `settle` and `end`; any thread calls the rest.
pub(super) struct Queue<T> {
    limits: Limits,
    /// Guards all the counts and the records; no lock is taken inside it.
    state: WaitMutex<State<T>>,
    /// Signalled when there is something to do for the worker.
    work: Condvar,
    /// Signalled when records were settled or the worker has ended.
    settled: Condvar,
}

/// The next step of the worker.
pub(super) enum Next<T> {
    Deliver(Batch<T>),
    /// All is settled, and no more will come: what is left to be said is said now.
    Finish,
    End,
}

/// With less time than this before the deadline of a shutdown, there is no second attempt.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(20);

/// Whether there is time for an attempt before a flush returns. Close to its deadline a flush has had
/// its attempt.
fn is_worth_an_attempt(flush: Instant) -> bool {
    flush.saturating_duration_since(clock::real_instant()) >= SHORTEST_ATTEMPT
}

/// When an attempt must end so that a caller with this `deadline` finds it ended: 20 ms before, or at
/// half of the time that is left if that is less.
fn shortly_before(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(clock::real_instant());
    deadline.checked_sub(SHORTEST_ATTEMPT.min(left / 2)).unwrap_or(deadline)
}

impl<T> Queue<T> {
    pub(super) fn new(limits: Limits) -> Self {
        let (work, settled) = (Condvar::new(), Condvar::new());
        Self { limits, state: WaitMutex::new(State::new()), work, settled }
    }

    /// Offers `chunk`, and wakes the worker if there is enough for a batch. Where the queue is to block,
    /// it waits for room first, if `may_wait`.
    pub(super) fn push(&self, chunk: &Chunk<T>, may_wait: bool) {
        let mut evicted = Vec::new();
        let patience = match self.limits.overflow {
            Overflow::Block(patience) if may_wait => Some(clock::deadline(patience)),
            _ => None,
        };
        let mut state = self.state.lock();
        let mut was_ready = state.makes_a_batch(&self.limits);
        for part in chunk.parts() {
            if let Some(patience) = patience {
                state = self.wait_for_room(state, part, patience);
                was_ready = false; // The worker may have taken all of it meanwhile, and sleep.
            }
            state.offer(part, &self.limits, &mut evicted);
        }
        let wake = !was_ready && state.makes_a_batch(&self.limits);
        drop(state);
        if wake {
            self.work.notify_all();
        }
        if !evicted.is_empty() {
            // A flush may be waiting for these.
            self.settled.notify_all();
        }
    }

    /// Waits until all of `part` fits, or until `patience` is over. The worker is woken: the records
    /// before these may wait for their batch to fill.
    fn wait_for_room<'a>(
        &'a self,
        mut state: WaitGuard<'a, State<T>>,
        part: &Part<T>,
        patience: Instant,
    ) -> WaitGuard<'a, State<T>> {
        let n = part.records.len().min(self.limits.max_items);
        while state.phase == Phase::Open
            && part.bytes <= self.limits.max_bytes
            && state.room_for(part.bytes, &self.limits) < n
            && clock::real_instant() < patience
        {
            state.flush_up_to = state.offered;
            self.work.notify_all();
            state = wait_until(&self.settled, state, patience);
        }
        state
    }

    /// Returns a ticket for everything offered so far. If any of it is unsettled, wakes the worker.
    /// With a deadline it also ends the worker's pause between two attempts, and lets attempts end in
    /// time.
    pub(super) fn begin_flush(&self, deadline: Option<Instant>) -> Ticket {
        let mut state = self.state.lock();
        let ticket = Ticket(state.offered);
        if state.is_settled(ticket.0) && !state.is_passing() {
            return ticket;
        }
        state.flush_up_to = state.offered;
        let mut attempt = None;
        if let Some(deadline) = deadline {
            state.flushes += 1;
            state.flush_deadlines.push(deadline);
            attempt = state.attempt.clone().filter(|attempt| attempt.yields_to_flushes);
        }
        drop(state);
        self.work.notify_all();
        if let Some((attempt, deadline)) = attempt.zip(deadline)
            && is_worth_an_attempt(deadline)
        {
            attempt.deadline.bring_nearer(shortly_before(deadline));
        }
        ticket
    }

    /// Waits until everything before `ticket` is settled; `false` if it is not by `deadline`. Ends the
    /// flush that began with this deadline.
    pub(super) fn wait_settled(&self, ticket: Ticket, deadline: Instant) -> bool {
        let is_settled = self.wait(deadline, |state| state.is_settled(ticket.0));
        self.end_flush(deadline);
        is_settled
    }

    /// Ends the flushes that began with this deadline.
    pub(super) fn end_flush(&self, deadline: Instant) {
        self.state.lock().flush_deadlines.retain(|&other| other != deadline);
    }

    /// Waits until the worker has ended; `false` if it has not by `deadline`.
    pub(super) fn wait_ended(&self, deadline: Instant) -> bool {
        self.wait(deadline, |state| state.worker_ended)
    }

    fn wait(&self, deadline: Instant, is_done: impl Fn(&State<T>) -> bool) -> bool {
        let mut state = self.state.lock();
        while !is_done(&state) {
            if clock::real_instant() >= deadline {
                return false;
            }
            state = wait_until(&self.settled, state, deadline);
        }
        true
    }

    /// Takes no more records. The worker has until `deadline`, or until the deadline of an earlier
    /// call if that comes first.
    pub(super) fn close(&self, deadline: Instant) {
        let mut state = self.state.lock();
        state.phase = match state.phase {
            Phase::Open => Phase::Closing(deadline),
            Phase::Closing(earlier) => Phase::Closing(earlier.min(deadline)),
            Phase::Closed => Phase::Closed,
        };
        let attempt = state.attempt.clone();
        drop(state);
        self.work.notify_all();
        if let Some(attempt) = attempt {
            attempt.deadline.bring_nearer(shortly_before(deadline));
        }
    }

    /// Drops everything that is held, the batch in flight included, and holds nothing from now on. A
    /// later result of the exporter for that batch is not counted.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        state.lose_in_flight(DropReason::Shutdown);
        let lost = state.queued.items;
        state.dropped.add(DropReason::Shutdown, lost);
        state.queued = Load::default();
        state.phase = Phase::Closed;
        let urgent = std::mem::take(&mut state.lanes.urgent);
        let others = std::mem::take(&mut state.lanes.others);
        drop(state);
        self.work.notify_all();
        self.settled.notify_all();
        drop((urgent, others)); // Records are dropped outside the lock.
    }

    /// Notes that the worker is left behind in its exporter. Returns `false` if it is not in its
    /// exporter, or was left behind before.
    pub(super) fn leak(&self) -> bool {
        let mut state = self.state.lock();
        // A waiting worker sees that the queue is abandoned, and ends.
        state.worker_exports && !std::mem::replace(&mut state.worker_leaked, true)
    }

    pub(super) fn report(&self, name: &str, signal: &'static str) -> QueueReport {
        let state = self.state.lock();
        state.exports.of(QueueReport {
            name: name.to_owned(),
            signal,
            offered: state.offered,
            delivered: state.delivered,
            held: state.held().items as u64,
            held_bytes: state.held().bytes,
            max_items: self.limits.max_items,
            max_bytes: self.limits.max_bytes,
            dropped: state.dropped,
            retries: state.retries,
            last_error: state.last_error.clone(),
            is_attempting: state.attempt.is_some(),
            ..QueueReport::default()
        })
    }

    /// Whether its records are on disk.
    pub(super) fn is_of_disk(&self) -> bool {
        self.state.lock().kept.is_some_and(|kept| kept.origin != Origin::Memory)
    }
}

/// The worker's side.
impl<T> Queue<T> {
    /// Waits for a batch: enough records, or fewer at a flush, a shutdown or the end of the delay.
    pub(super) fn next(&self) -> Next<T> {
        let mut due = clock::deadline(self.limits.batch_delay);
        let mut state = self.state.lock();
        loop {
            if state.phase == Phase::Closed {
                return Next::End;
            }
            let now = clock::real_instant();
            if let Phase::Closing(deadline) = state.phase
                && (state.lanes.is_empty() || now >= deadline)
            {
                if now < deadline && !std::mem::replace(&mut state.is_finished, true) {
                    state.worker_exports = true;
                    return Next::Finish;
                }
                drop(state);
                self.abandon();
                return Next::End;
            }
            if state.is_due(&self.limits) || (now >= due && !state.lanes.is_empty()) {
                state.worker_exports = true;
                return Next::Deliver(state.take(&self.limits));
            }
            if now >= due {
                due = clock::deadline(self.limits.batch_delay);
            }
            state = wait_until(&self.work, state, due);
        }
    }

    pub(super) fn urgency(&self) -> Urgency {
        self.state.lock().urgency()
    }

    /// The deadline of an attempt that begins now and may take `timeout`. The deadline of a shutdown
    /// comes first if it is nearer, and so does that of a waiting flush if the attempt
    /// `yields_to_flushes`. It moves when another flush or shutdown comes.
    pub(super) fn begin_attempt(&self, timeout: Duration, yields_to_flushes: bool) -> Deadline {
        let mut at = clock::deadline(timeout);
        let mut state = self.state.lock();
        if yields_to_flushes {
            let flushes = state.flush_deadlines.iter().filter(|flush| is_worth_an_attempt(**flush));
            at = flushes.fold(at, |at, flush| at.min(shortly_before(*flush)));
        }
        match state.phase {
            Phase::Open => {}
            Phase::Closing(deadline) => at = at.min(shortly_before(deadline)),
            Phase::Closed => at = clock::real_instant(),
        }
        let deadline = Deadline::at(at);
        state.attempt = Some(Attempt { deadline: deadline.clone(), yields_to_flushes });
        state.worker_exports = true;
        deadline
    }

    /// Waits `delay` between two attempts. Returns `false` if there is no further attempt.
    ///
    /// A shutdown that was asked for after `seen` ends the wait. So does a flush, but not before the
    /// delay that the backend asked for.
    ///
    /// If the deadline of a shutdown comes before the end of the delay, the next attempt is half way
    /// to that deadline. If the backend asked for a longer delay, the batch is dropped, and the other
    /// batches have the rest of the time.
    pub(super) fn pause(&self, delay: Delay, seen: Urgency) -> bool {
        let (mut until, not_before) =
            (clock::deadline(delay.length), clock::deadline(delay.at_least));
        let mut state = self.state.lock();
        loop {
            let (now, urgency) = (clock::real_instant(), state.urgency());
            let left = match state.phase {
                Phase::Open => Duration::MAX,
                Phase::Closing(deadline) => deadline.saturating_duration_since(now),
                Phase::Closed => return false,
            };
            if urgency.flushes != seen.flushes {
                until = until.min(not_before);
            }
            let is_closed_now = urgency.closing && !seen.closing;
            if !left.is_zero() && is_closed_now || left >= SHORTEST_ATTEMPT && now >= until {
                state.worker_exports = true;
                return true;
            }
            let comes_in =
                |at: Instant| at.saturating_duration_since(now).saturating_add(SHORTEST_ATTEMPT);
            if comes_in(until) > left {
                until = not_before.max(now + left / 2);
                if comes_in(until) > left {
                    drop(state);
                    self.lose(DropReason::Shutdown);
                    return false;
                }
            }
            state = wait_until(&self.work, state, until);
        }
    }

    /// Counts the result of the batch in flight: `remaining` of its records are to be tried again,
    /// `lost` are dropped, and the others are delivered. Returns whether the batch still belonged to
    /// the worker.
    pub(super) fn settle(&self, remaining: usize, lost: Option<(DropReason, usize)>) -> bool {
        let mut state = self.state.lock();
        state.leave_exporter();
        let Some(in_flight) = &mut state.in_flight else {
            return false;
        };
        let items = in_flight.load.items;
        let remaining = remaining.min(items);
        in_flight.load.items = remaining;
        if remaining == 0 {
            state.in_flight = None;
        }
        let settled = items - remaining;
        let (reason, lost) = lost.unwrap_or((DropReason::Rejected, 0));
        let lost = lost.min(settled);
        state.note_settled(settled - lost, (reason, lost));
        drop(state);
        self.settled.notify_all();
        true
    }

    /// Counts all but `kept` of the records in flight as filtered. The `kept` ones are still to be
    /// exported.
    pub(super) fn filter(&self, kept: usize) {
        let mut state = self.state.lock();
        let Some(in_flight) = &mut state.in_flight else { return };
        let n = in_flight.load.items;
        in_flight.load.items = kept.min(n);
        if kept == 0 {
            state.in_flight = None;
            state.leave_exporter();
        }
        state.dropped.add(DropReason::Filtered, n - kept.min(n));
        drop(state);
        self.settled.notify_all();
    }

    /// Drops the batch in flight. Returns how many records that were.
    pub(super) fn lose(&self, reason: DropReason) -> usize {
        let mut state = self.state.lock();
        state.leave_exporter();
        let lost = state.lose_in_flight(reason);
        drop(state);
        self.settled.notify_all();
        lost
    }

    /// Takes the batch out of flight: whoever lent it has it back.
    pub(super) fn release(&self) {
        let mut state = self.state.lock();
        state.leave_exporter();
        state.in_flight = None;
    }

    /// Notes a failed attempt, unless its batch was dropped meanwhile.
    pub(super) fn note(&self, error: String, is_retry: bool) {
        let mut state = self.state.lock();
        if state.in_flight.is_none() {
            return;
        }
        state.retries += u64::from(is_retry);
        state.last_error = Some(error);
    }

    /// Notes that an attempt ended, as [`Exports::note`](super::exports::Exports::note) does.
    pub(super) fn note_attempt(&self, failures: u32, delivered: Option<usize>) {
        self.state.lock().exports.note(failures, delivered);
    }

    /// Notes that foreign code panicked on the worker's thread.
    pub(super) fn note_panic(&self) {
        self.state.lock().exports.note_panic();
    }

    /// How many records were dropped so far because the queue was full.
    pub(super) fn n_overflowed(&self) -> u64 {
        self.state.lock().dropped.get(DropReason::QueueFull)
    }

    /// Notes that the worker has ended.
    pub(super) fn end(&self) {
        self.abandon();
        self.state.lock().worker_ended = true;
        self.settled.notify_all();
    }
}

/// A queue whose records are on disk: the disk's owner lends them, one load at a time.
#[cfg(all(feature = "spool", unix))]
impl<T> Queue<T> {
    pub(super) fn of_disk(limits: Limits) -> Self {
        let queue = Self::new(limits);
        queue.state.lock().kept = Some(Kept::default());
        queue
    }

    /// Notes that `n` more records are on disk, and how many are lost there so far.
    pub(super) fn note_kept(&self, n: usize, lost: u64) {
        let mut state = self.state.lock();
        state.offered += n as u64;
        if let Some(kept) = &mut state.kept {
            kept.lost = kept.lost.max(lost); // Two threads ask the disk.
        }
        drop(state);
        self.settled.notify_all();
    }

    /// Notes that `n` records that are on disk were dropped by whoever brought them: they are there as those
    /// that another process has left.
    pub(super) fn note_disowned(&self, n: usize) {
        if let Some(kept) = &mut self.state.lock().kept {
            kept.inherited += n as u64;
        }
    }

    /// Puts `items` records into flight.
    pub(super) fn lend(&self, items: usize, bytes: usize, is_inherited: bool) {
        self.lend_from(if is_inherited { Origin::Earlier } else { Origin::Disk }, items, bytes);
    }

    /// Puts `items` records into flight that were never on disk. What becomes of them is not counted here,
    /// but [taken](Self::take_passed).
    pub(super) fn lend_past(&self, items: usize, bytes: usize) {
        self.lend_from(Origin::Memory, items, bytes);
    }

    fn lend_from(&self, origin: Origin, items: usize, bytes: usize) {
        let mut state = self.state.lock();
        state.worker_exports = true;
        let mut first = 0;
        if let Some(kept) = &mut state.kept {
            first = kept.settled + kept.lost; // Whatever was lost so far is older.
            kept.origin = origin;
            kept.is_returned = false;
            kept.inherited += if origin == Origin::Earlier { items as u64 } else { 0 };
        }
        state.in_flight = Some(InFlight { first, load: Load { items, bytes } });
    }

    /// What became of records that were lent past the disk since the last call.
    pub(super) fn take_passed(&self) -> Passed {
        let mut state = self.state.lock();
        state.kept.as_mut().map(|kept| std::mem::take(&mut kept.passed)).unwrap_or_default()
    }

    /// Notes that `n` records went past the disk. Then [`note_passed`](Self::note_passed) counts them.
    pub(super) fn begin_passed(&self, n: usize) {
        self.state.lock().offered += n as u64;
    }

    /// Counts what became of records that went past the disk; if they are no more the worker's, they are
    /// counted already.
    pub(super) fn note_passed(&self, passed: &Passed, is_ours: bool) {
        let mut state = self.state.lock();
        let n = passed.n_records() as u64;
        if let Some(kept) = &mut state.kept {
            kept.settled += n;
            kept.n_passed += if is_ours { n } else { 0 };
        }
        if is_ours {
            state.delivered += passed.delivered;
            for (reason, n) in passed.dropped.iter() {
                state.dropped.add(reason, n as usize);
            }
        }
        drop(state);
        self.settled.notify_all();
    }

    /// Whether records are in flight that were never on disk.
    pub(super) fn is_passing(&self) -> bool {
        self.state.lock().is_passing()
    }

    /// Notes that the disk did not take what it was to keep.
    pub(super) fn note_refusal(&self) {
        if let Some(kept) = &mut self.state.lock().kept {
            kept.refusals += 1;
        }
    }

    /// Whether anything of the last load is to be sent another time. It is not in flight any more.
    pub(super) fn take_back(&self) -> bool {
        let mut state = self.state.lock();
        state.leave_exporter();
        // It is in flight still if it was lent to a queue that had been closed meanwhile.
        let is_unsettled = state.in_flight.take().is_some();
        is_unsettled || state.kept.is_some_and(|kept| kept.is_returned)
    }

    /// What became of the records on disk.
    pub(super) fn kept(&self) -> Kept {
        self.state.lock().kept.unwrap_or_default()
    }

    /// When the worker is to end, if it is.
    pub(super) fn closing(&self) -> Option<Instant> {
        match self.state.lock().phase {
            Phase::Open => None,
            Phase::Closing(deadline) => Some(deadline),
            Phase::Closed => Some(clock::real_instant()),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.lock().worker_ended
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({})", self.report("", "").totals())
    }
}
