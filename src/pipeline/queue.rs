//! The queue before one exporter: bounded in items and bytes, every count under one lock.
//!
//! A record's number is how many were offered before it. Records leave in that order, so what is
//! settled is known by the lowest number that is not: the one in the exporter's hands, else the one at
//! the front. A flush waits for that number to pass its ticket, and never looks at a length.
//!
//! ```text
//!   settled │ in flight │ pieces of chunks ........ │ next number = offered
//!           └ lowest unsettled number               └ ticket of a flush that begins now
//! ```
//!
//! The worker waits on a condition under the same lock that guards what it waits for, so no wake-up
//! can be lost; a push wakes it only when it crosses the size of a batch. No foreign code runs under
//! the lock: records are weighed before it is taken and dropped after it is released.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::{
    Batch, Chunk, Deadline, DropReason, QueueReport,
    limits::Limits,
    retry::Delay,
    state::{Attempt, Load, Phase, State, Urgency},
};
use crate::{
    clock,
    sync::modelled::{Condvar, Mutex, wait_until},
};

/// Everything offered to a queue before one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// A queue; `next`, `pause`, `settle` and `end` are its one worker's, the rest is anybody's.
pub(super) struct Queue<T> {
    limits: Limits,
    /// Guards all the counts and the records; no lock is taken inside it.
    state: Mutex<State<T>>,
    /// Signalled when the worker has something to look at.
    work: Condvar,
    /// Signalled when records were settled or the worker has ended.
    settled: Condvar,
}

/// What the worker is to do.
pub(super) enum Next<T> {
    Deliver(Batch<T>),
    End,
}

/// With less time before the deadline of a shutdown, there is no second attempt.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(20);

/// Whether there is time for an attempt until a flush returns: one that is about to has had its attempt.
fn is_worth_an_attempt(flush: Instant) -> bool {
    flush.saturating_duration_since(clock::real_instant()) >= SHORTEST_ATTEMPT
}

/// When an attempt must end so that who returns at `deadline` finds it ended: 20 ms before, or half of
/// the time that is left if that is less.
fn shortly_before(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(clock::real_instant());
    deadline.checked_sub(SHORTEST_ATTEMPT.min(left / 2)).unwrap_or(deadline)
}

impl<T> Queue<T> {
    pub(super) fn new(limits: Limits) -> Self {
        let (work, settled) = (Condvar::new(), Condvar::new());
        Self { limits, state: Mutex::new(State::new()), work, settled }
    }

    /// Offers `chunk`, and wakes the worker if that makes a batch.
    pub(super) fn push(&self, chunk: &Chunk<T>) {
        let mut evicted = Vec::new();
        let mut state = self.state.lock();
        let was_ready = state.makes_a_batch(&self.limits);
        for part in chunk.parts() {
            state.offer(part, &self.limits, &mut evicted);
        }
        let wake = !was_ready && state.makes_a_batch(&self.limits);
        drop(state);
        if wake {
            self.work.notify_all();
        }
        if !evicted.is_empty() {
            // Someone may wait for just these.
            self.settled.notify_all();
        }
    }

    /// Draws a ticket for everything offered so far. If any of it is unsettled, it wakes the worker, and
    /// with a deadline also ends its pause between two attempts, and its attempts in time.
    pub(super) fn begin_flush(&self, deadline: Option<Instant>) -> Ticket {
        let mut state = self.state.lock();
        let ticket = Ticket(state.offered);
        if state.is_settled(ticket.0) {
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

    /// Waits until everything before `ticket` is settled; `false` if it is not by `deadline`. A flush
    /// that began with this deadline is over then.
    pub(super) fn wait_settled(&self, ticket: Ticket, deadline: Instant) -> bool {
        let is_settled = self.wait(deadline, |state| state.is_settled(ticket.0));
        let mut state = self.state.lock();
        if let Some(place) = state.flush_deadlines.iter().position(|&other| other == deadline) {
            state.flush_deadlines.swap_remove(place);
        }
        is_settled
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

    /// Takes nothing more from now on; the worker has until `deadline`, or until the deadline of an
    /// earlier call.
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

    /// Drops everything that is held, in flight too, and holds nothing from now on. What the exporter
    /// says later of what it had in its hands is not counted.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        let in_flight = state.in_flight.take().map_or(0, |in_flight| in_flight.load.items);
        let lost = in_flight + state.queued.items;
        state.dropped.add(DropReason::Shutdown, lost);
        state.queued = Load::default();
        state.phase = Phase::Closed;
        let pieces = std::mem::take(&mut state.pieces);
        drop(state);
        self.work.notify_all();
        self.settled.notify_all();
        drop(pieces); // Records are dropped outside the lock.
    }

    /// Notes that the worker is left behind in its exporter; `false` if it is not in there, or was left
    /// behind before.
    pub(super) fn leak(&self) -> bool {
        let mut state = self.state.lock();
        // One that waits finds the queue abandoned, and ends.
        state.worker_exports && !std::mem::replace(&mut state.worker_leaked, true)
    }

    pub(super) fn report(&self, name: &str, signal: &'static str) -> QueueReport {
        let state = self.state.lock();
        QueueReport {
            name: name.to_owned(),
            signal,
            offered: state.offered,
            delivered: state.delivered,
            held: state.held().items as u64,
            spooled: 0,
            dropped: state.dropped,
            retries: state.retries,
            last_error: state.last_error.clone(),
        }
    }
}

/// The worker's side.
impl<T> Queue<T> {
    /// Waits for a batch: enough records, or some and a flush, a shutdown, or the end of the delay.
    pub(super) fn next(&self) -> Next<T> {
        let mut due = clock::deadline(self.limits.batch_delay);
        let mut state = self.state.lock();
        loop {
            if state.phase == Phase::Closed {
                return Next::End;
            }
            let now = clock::real_instant();
            if let Phase::Closing(deadline) = state.phase
                && (state.pieces.is_empty() || now >= deadline)
            {
                drop(state);
                self.abandon();
                return Next::End;
            }
            if state.is_due(&self.limits) || (now >= due && !state.pieces.is_empty()) {
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

    /// The deadline of an attempt that begins now and may take `timeout`: that of a shutdown if that is
    /// nearer, or of a flush that waits if the attempt `yields_to_flushes`. It moves when another comes.
    pub(super) fn begin_attempt(&self, timeout: Duration, yields_to_flushes: bool) -> Deadline {
        let mut at = clock::deadline(timeout);
        let mut state = self.state.lock();
        if yields_to_flushes {
            let flushes = state.flush_deadlines.iter().filter(|flush| is_worth_an_attempt(**flush));
            at = flushes.fold(at, |at, flush| at.min(shortly_before(*flush)));
        }
        if let Phase::Closing(deadline) = state.phase {
            at = at.min(shortly_before(deadline));
        }
        let deadline = Deadline::at(at);
        state.attempt = Some(Attempt { deadline: deadline.clone(), yields_to_flushes });
        deadline
    }

    /// Waits `delay` between two attempts; less when a shutdown was asked for after `seen`, and when a
    /// flush was, though not less than the backend asked for. `false`: there is no further attempt.
    ///
    /// Of a shutdown whose deadline comes first, the next attempt is half way to that, unless the backend
    /// would not have it: then the batch is dropped, and the others have the rest of the time.
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

    /// Counts what became of the batch in flight: of its records `remaining` are to be tried again,
    /// `lost` are dropped, and the others are delivered. Says whether it was still the worker's.
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
        let mut delivered = items - remaining;
        if let Some((reason, lost)) = lost {
            let lost = lost.min(delivered);
            state.dropped.add(reason, lost);
            delivered -= lost;
        }
        state.delivered += delivered as u64;
        drop(state);
        self.settled.notify_all();
        true
    }

    /// Counts all but `kept` of the records in flight as filtered; the exporter has yet to be asked for
    /// those.
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

    /// Drops what is in flight. Says how much that was.
    pub(super) fn lose(&self, reason: DropReason) -> usize {
        let mut state = self.state.lock();
        state.leave_exporter();
        let lost = state.in_flight.take().map_or(0, |in_flight| in_flight.load.items);
        state.dropped.add(reason, lost);
        drop(state);
        self.settled.notify_all();
        lost
    }

    /// Notes a failed attempt.
    pub(super) fn note(&self, error: String, is_retry: bool) {
        let mut state = self.state.lock();
        state.retries += u64::from(is_retry);
        state.last_error = Some(error);
    }

    /// How many records were dropped so far because the queue was full.
    pub(super) fn n_overflowed(&self) -> u64 {
        self.state.lock().dropped.get(DropReason::QueueFull)
    }

    /// The worker will not come back.
    pub(super) fn end(&self) {
        self.abandon();
        self.state.lock().worker_ended = true;
        self.settled.notify_all();
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({})", self.report("", "").totals())
    }
}
