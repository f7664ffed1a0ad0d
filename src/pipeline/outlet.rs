//! Where a worker delivers: attempts, pauses between them, and what becomes of each record.
//!
//! A load that the backend finds too large is cut in halves, and the next ones are not made that large
//! again for a while. After some failures in a row the breaker is open: then a batch begins with a pause,
//! so that whatever happens (a batch that is given up, flushes) the backend gets one probe at a time.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    AttemptOutcome, Attempted, DeadLetters, DropReason, ExportError, OneLine, Retry, Settings,
    Watch,
    answer::{Decision, bounded},
    dead_letters::Refusal,
    delivery::{Delivery, Load},
    queue::Queue,
    retry::{Attempts, Delay, MAX_RETRY_AFTER},
    state::Urgency,
};
use crate::{
    clock, diagnostics,
    util::{catch::catch, random},
};

/// Which route it is, for people.
#[derive(Clone)]
pub(super) struct OutletLabel {
    pub(super) name: Arc<str>,
    pub(super) signal: &'static str,
}

/// What every worker delivers by, whichever kind its exporter is.
pub(super) struct Outlet<T> {
    pub(super) label: OutletLabel,
    pub(super) queue: Arc<Queue<T>>,
    attempt_timeout: Duration,
    retry: Retry,
    watch: Option<Watch>,
    dead_letters: Option<DeadLetters>,
    breaker: Breaker,
    fit: Fit,
    /// As it was before the last attempt that failed.
    seen: Urgency,
    /// Until when the backend is to be left alone, of an attempt that was the only one.
    not_before: Option<Instant>,
}

impl<T> Outlet<T> {
    pub(super) fn new(
        label: OutletLabel,
        queue: Arc<Queue<T>>,
        settings: &Settings,
        watch: Option<Watch>,
    ) -> Self {
        let (breaker, fit, seen) = (Breaker::default(), Fit::new(), queue.urgency());
        let (retry, attempt_timeout) = (settings.retry_of_route(), settings.attempt_timeout);
        let dead_letters = settings.dead_letters.clone();
        Self {
            label,
            queue,
            attempt_timeout,
            retry,
            watch,
            dead_letters,
            breaker,
            fit,
            seen,
            not_before: None,
        }
    }

    /// Delivers `load`, which is in flight, whole or in parts.
    pub(super) fn deliver<D: Delivery>(&mut self, delivery: &mut D, load: D::Load) {
        let mut attempts = Attempts::new(self.retry.clone(), clock::real_instant());
        self.deliver_within(&mut attempts, delivery, load);
    }

    /// Delivers what is said after the last batch, which is not of the queue.
    pub(super) fn say_farewell<D: Delivery>(&mut self, delivery: &mut D, load: D::Load) {
        let mut attempts = Attempts::farewell(self.retry.clone(), clock::real_instant());
        self.deliver_within(&mut attempts, delivery, load);
    }

    /// Whether the backend has asked for a pause that is not over.
    #[cfg(all(feature = "spool", unix))]
    pub(super) fn is_put_off(&self) -> bool {
        self.not_before.is_some_and(|at| clock::real_instant() < at)
    }

    /// As [`deliver`](Self::deliver), but nothing is attempted again: what should be is returned, in order,
    /// and is in flight no more.
    #[cfg(all(feature = "spool", unix))]
    pub(super) fn deliver_once<D: Delivery>(
        &mut self,
        delivery: &mut D,
        load: D::Load,
    ) -> Vec<D::Load> {
        let mut once = Attempts::single(self.retry.clone(), clock::real_instant());
        self.deliver_within(&mut once, delivery, load)
    }

    fn deliver_within<D: Delivery>(
        &mut self,
        attempts: &mut Attempts,
        delivery: &mut D,
        load: D::Load,
    ) -> Vec<D::Load> {
        if !self.probe(attempts) {
            return vec![load];
        }
        let mut parts = vec![load]; // In order from the end.
        while let Some(part) = parts.pop() {
            let part = match self.fit.cut(&part) {
                None => part,
                Some((first, rest)) => {
                    parts.push(rest);
                    first
                }
            };
            let n_behind = parts.iter().map(Load::len).sum();
            match self.settle_part(delivery, part, n_behind, attempts) {
                Fate::Settled => {}
                Fate::TooLarge(part) => parts.push(part),
                Fate::Left(part) => {
                    parts.push(part);
                    break;
                }
                Fate::Over => return Vec::new(),
            }
        }
        parts.reverse();
        parts
    }

    /// Waits where the breaker is open; `false` if the batch is not to be attempted.
    fn probe(&mut self, attempts: &Attempts) -> bool {
        if !self.breaker.is_open() {
            return true;
        }
        let [random] = random::numbers();
        let delay = attempts.backoff(self.breaker.failures, random);
        // A flush since then asks for the probe.
        self.queue.pause(Delay { length: delay, at_least: Duration::ZERO }, self.seen)
    }

    /// Attempts a part until it is settled; `n_behind` records of the batch come after it.
    fn settle_part<D: Delivery>(
        &mut self,
        delivery: &mut D,
        mut load: D::Load,
        n_behind: usize,
        attempts: &mut Attempts,
    ) -> Fate<D::Load> {
        // A flush does not end two attempts in a row. So a backend gets its time even if it is slower
        // than the timeouts of the application's flushes.
        let mut was_cut = false;
        loop {
            // Read before the attempt, so that a flush or shutdown during it ends the pause after it.
            let mut seen = self.queue.urgency();
            let (began, latest) = (clock::real_instant(), clock::deadline(self.attempt_timeout));
            let deadline = self.queue.begin_attempt(self.attempt_timeout, !was_cut);
            let (n_before, n_bytes) = (load.len(), load.n_bytes());
            let result = delivery.attempt(&load, &deadline);
            was_cut = result.is_err() && deadline.is_over() && clock::real_instant() < latest;
            let outcome = outcome_of(&result, was_cut);
            self.breaker.note(outcome);
            self.note_attempt(outcome, began, (n_before, n_bytes));
            let Err(error) = result else {
                drop(load); // First, so that a flush finds its memory given back.
                self.fit.took(n_before);
                let is_ours = self.queue.settle(n_behind, None);
                delivery.settled(is_ours);
                let goes_on = is_ours || !attempts.are_counted();
                return if goes_on { Fate::Settled } else { Fate::Over };
            };
            if was_cut {
                // This attempt was for the flushes that came meanwhile.
                seen = self.queue.urgency();
            }
            self.seen = seen;
            let (decision, unsent, is_ours) = self.judge(error, &load, n_behind);
            delivery.settled(is_ours);
            if matches!(decision, Decision::Cut) && unsent.len() > 1 {
                self.fit.refused(unsent.len());
                return Fate::TooLarge(unsent);
            }
            if unsent.len() < n_before {
                attempts.progress(clock::real_instant());
            }
            let (now, [random]) = (clock::real_instant(), random::numbers());
            let delay = match was_cut {
                true => attempts.cut(decision, random),
                false => attempts.fail(decision, now, random),
            };
            let Some(delay) = delay else {
                if attempts.are_single()
                    && let Decision::Retry { after } = decision
                {
                    self.give_back(after, unsent.len());
                    return Fate::Left(unsent);
                }
                return self.give_up(decision, &unsent, n_behind, attempts.are_counted());
            };
            if attempts.n_failed() == 1 && unsent.len() > 0 {
                self.diagnose_first_failure(unsent.len());
            }
            if unsent.len() == 0 {
                return Fate::Settled;
            }
            if !self.queue.pause(delay, seen) {
                return Fate::Left(unsent);
            }
            load = unsent;
        }
    }

    /// Counts an attempt with a load of so many records and bytes, and says it to whoever watches.
    fn note_attempt(&self, outcome: AttemptOutcome, began: Instant, size: (usize, usize)) {
        let (n_records, n_bytes) = size;
        let is_delivered = outcome == AttemptOutcome::Delivered;
        self.queue.note_attempt(self.breaker.failures, is_delivered.then_some(n_bytes));
        if let Some(watch) = &self.watch {
            let took = clock::real_instant().saturating_duration_since(began);
            watch(Attempted { outcome, took, n_records });
        }
    }

    /// Counts what the exporter reports as delivered or refused, and returns what is still to be sent.
    /// So is whether the batch still belonged to the worker.
    fn judge<L: Load>(
        &self,
        error: ExportError<L>,
        load: &L,
        n_behind: usize,
    ) -> (Decision, L, bool) {
        let ExportError { decision, unsent, rejected, refused, message } = error;
        let n = load.len();
        // An exporter that returns more than it was given must not break the sums.
        let unsent = match (decision, unsent) {
            (Decision::Partial, _) => load.first(0),
            (_, None) => load.clone(),
            (_, Some(unsent)) => unsent.first(n),
        };
        let rejected = rejected.min(n - unsent.len());
        let is_retry = matches!(decision, Decision::Retry { .. });
        if rejected > 0 {
            let text = format_args!("{rejected} records: {}", OneLine(&message));
            self.diagnose("records rejected", text);
            match &refused {
                Some(refused) => self.bury(refused, refused.len(), &message),
                None => self.bury(load, rejected, &message),
            }
        }
        let remaining = unsent.len() + n_behind;
        self.queue.note(message, is_retry); // First, so that a flush finds it in the report.
        let is_ours = self.queue.settle(remaining, Some((DropReason::Rejected, rejected)));
        (decision, unsent, is_ours)
    }

    /// Gives `n` records back to whoever lent them for one attempt; the backend may have asked for a pause.
    fn give_back(&mut self, after: Option<Duration>, n: usize) {
        self.queue.release();
        self.not_before = after.map(|delay| clock::deadline(delay.min(MAX_RETRY_AFTER)));
        if self.breaker.failures == 1 {
            self.diagnose_first_failure(n);
        }
    }

    /// Drops what will not be tried again: a part that was refused, or all of a batch whose time is over.
    fn give_up<L: Load>(
        &self,
        decision: Decision,
        unsent: &L,
        n_behind: usize,
        is_counted: bool,
    ) -> Fate<L> {
        if matches!(decision, Decision::Retry { .. }) {
            let lost = self.queue.lose(DropReason::RetriesExhausted);
            self.diagnose_loss("retries exhausted", lost);
            return Fate::Over;
        }
        let n_unsent = unsent.len();
        if n_unsent > 0 {
            self.bury(unsent, n_unsent, &self.last_error());
        }
        let is_ours = self.queue.settle(n_behind, Some((DropReason::Rejected, n_unsent)));
        if !is_ours && is_counted {
            return Fate::Over; // Counted already, by a shutdown that did not wait any longer.
        }
        self.diagnose_loss("records rejected", n_unsent);
        Fate::Settled
    }

    /// Keeps what was refused for good, if there is a file for it.
    fn bury(&self, load: &impl Load, n_rejected: usize, error: &str) {
        let Some((dead_letters, payload)) = self.dead_letters.as_ref().zip(load.payload()) else {
            return;
        };
        // Where as many have no bytes as are refused, it is them: there is nothing to keep.
        if n_rejected <= payload.records().filter(|record| record.is_empty()).count() {
            return;
        }
        let OutletLabel { name, signal } = &self.label;
        let refusal = Refusal { exporter: name, signal, error, n_rejected };
        if let Err(what) = dead_letters.add(&refusal, payload) {
            self.diagnose("dead letters", format_args!("{n_rejected} records {what}"));
        }
    }

    /// Counts the batch that an exporter or a processor had when it panicked.
    pub(super) fn lose_batch(&self, kind: &'static str, panic: impl fmt::Display) {
        self.queue.note_panic(); // First, so that a flush finds it in the report.
        self.queue.note(bounded(panic), false);
        let lost = self.queue.lose(DropReason::Panic);
        self.diagnose_loss(kind, lost);
    }

    /// Drops what was delivered by, which is foreign.
    pub(super) fn let_go(&self, parts: impl Sized) {
        if let Err(panic) = catch(|| drop(parts)) {
            self.queue.note_panic();
            let text = format_args!("in its drop: {}", OneLine(&bounded(panic)));
            self.diagnose("exporter panicked", text);
        }
    }

    /// Reports the first failure of a batch, before any records are lost.
    fn diagnose_first_failure(&self, left: usize) {
        let error = self.last_error();
        let meanwhile = match self.queue.is_of_disk() {
            true => " and are on disk meanwhile",
            false => "",
        };
        let text =
            format_args!("{left} records will be tried again{meanwhile}: {}", OneLine(&error));
        self.diagnose("export failed", text);
    }

    fn diagnose_loss(&self, kind: &'static str, lost: usize) {
        if lost > 0 {
            let error = self.last_error();
            self.diagnose(kind, format_args!("{lost} records dropped: {}", OneLine(&error)));
        }
    }

    fn last_error(&self) -> String {
        self.queue.report("", "").last_error.unwrap_or_default()
    }

    pub(super) fn diagnose(&self, kind: &'static str, text: fmt::Arguments<'_>) {
        let OutletLabel { name, signal } = &self.label;
        diagnostics::report(kind, format_args!("exporter \"{name}\" of {signal}: {text}"));
    }
}

/// How an attempt ended that was `cut` short or not.
fn outcome_of<L>(result: &Result<(), ExportError<L>>, was_cut: bool) -> AttemptOutcome {
    match result {
        Ok(()) => AttemptOutcome::Delivered,
        Err(ExportError { decision: Decision::Retry { .. }, .. }) if was_cut => {
            AttemptOutcome::Interrupted
        }
        Err(ExportError { decision: Decision::Retry { .. }, .. }) => AttemptOutcome::Retry,
        Err(ExportError { decision: Decision::Reject | Decision::Partial, .. }) => {
            AttemptOutcome::Rejected
        }
        Err(ExportError { decision: Decision::Cut, .. }) => AttemptOutcome::TooLarge,
    }
}

/// What became of a part of a batch.
enum Fate<L> {
    /// Each record of it was delivered or dropped.
    Settled,
    /// The backend takes no load of this size.
    TooLarge(L),
    /// Neither this of it nor the rest of the batch is to be attempted now; the queue has counted that.
    Left(L),
    /// The rest of the batch is not to be attempted.
    Over,
}

/// Failed attempts in a row, over all batches.
#[derive(Default)]
struct Breaker {
    failures: u32,
}

/// After so many failures in a row the breaker is open. Arbitrary: more than a restart of a backend costs.
const OPENS_AFTER: u32 = 5;

impl Breaker {
    fn is_open(&self) -> bool {
        self.failures >= OPENS_AFTER
    }

    /// Any answer closes it but the wish for another try. An attempt that was ended early says nothing.
    fn note(&mut self, outcome: AttemptOutcome) {
        self.failures = match outcome {
            AttemptOutcome::Retry => self.failures.saturating_add(1),
            AttemptOutcome::Interrupted => self.failures,
            _ => 0,
        };
    }
}

/// How many records the backend takes at once, as far as it was found out.
struct Fit {
    most: usize,
}

impl Fit {
    fn new() -> Self {
        Self { most: usize::MAX }
    }

    /// The two pieces of a load that is larger than what was taken.
    fn cut<L: Load>(&self, load: &L) -> Option<(L, L)> {
        (load.len() > self.most).then(|| (load.first(self.most), load.skip(self.most)))
    }

    /// Notes that a load of `n` records, at least two, was too large.
    fn refused(&mut self, n: usize) {
        self.most = self.most.min(n / 2);
    }

    /// Notes that one of `n` records was taken: the next ones may be a little larger.
    fn took(&mut self, n: usize) {
        if n >= self.most {
            self.most = self.most.saturating_add(n.div_ceil(8));
        }
    }
}
