//! The spans of traces that wait for the tail sampler's decision.
//!
//! ```text
//! finished spans ─► accept ─► their trace ─ root has ended, a collection later ─► decision
//!                     │                                                             │ kept ─► the sink
//!                     └─ the trace is decided ───────────────── as that was ────────┘ else used again
//! ```
//!
//! Threads hand their spans over in any order. So a trace whose root was seen waits for one whole
//! collection more, which brings all spans that had ended before the root.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    mem,
    time::Duration,
};

use super::{
    SpanRecord,
    buffer::PATIENCE,
    sampler::{Firsts, LocalTrace, Probability, Tail},
};
use crate::{
    clock::{self, Ticks},
    context::{self, Export, TraceId, TraceState},
    pipeline::Signal as _,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    util::process,
};

/// The spans that wait, and the tail sampler that decides about them.
pub(super) struct Held {
    pub(super) tail: Tail,
    firsts: Mutex<Firsts>,
    /// No lock is taken inside it, and no code of the user's runs.
    waiting: Mutex<Waiting>,
    counts: TailCounts,
}

/// How many spans a tail sampler has decided about.
#[derive(Debug, Default)]
pub(super) struct TailCounts {
    // All relaxed: they publish nothing but themselves.
    kept: AtomicU64,
    dropped: AtomicU64,
    cut: AtomicU64,
}

/// The traces that wait. Ids are chosen by callers: the maps hash them with a key of their own.
#[derive(Default)]
struct Waiting {
    traces: HashMap<TraceId, Trace>,
    /// Traces in the order of their first spans, some of which have gone.
    by_age: VecDeque<(Ticks, TraceId)>,
    /// Traces whose roots have ended, with the round in which that was seen.
    ended: VecDeque<(u64, TraceId)>,
    round: u64,
    /// At how many entries of `by_age` and `ended` those of traces that have gone are forgotten.
    forget_at: usize,
    n_bytes: usize,
    decided: Decided,
    generation: u32, // Of the process in which the spans ended.
}

/// A trace that waits.
struct Trace {
    spans: Vec<SpanRecord>,
    since: Ticks,
    n_open_roots: u32,
    n_bytes: usize,
}

/// What was decided about the last traces: two generations, of which the older one goes when the newer one
/// is full.
#[derive(Default)]
struct Decided {
    newer: HashMap<TraceId, Verdict>,
    older: HashMap<TraceId, Verdict>,
}

/// What becomes of a trace.
#[derive(Clone, Copy)]
enum Verdict {
    /// With the share that such traces are kept of.
    Keep(Probability),
    Drop,
}

/// How long the lock is tried for where nothing depends on it. No holder keeps it for longer.
const GLANCE: Duration = Duration::from_millis(1);

/// How many decisions a generation remembers.
const GENERATION: usize = 1 << 16;

/// Beyond how many entries of traces that have gone it is worth while to look for them.
const LEAST_NOTED: usize = 1024;

/// Spans to be exported, and those that are used again.
struct Sorted {
    kept: Vec<SpanRecord>,
    dropped: Vec<SpanRecord>,
    n_cut: usize,
    /// Whether all spans were recorded, so that the tail alone decides with what probability.
    sees_all: bool,
    /// A trace state, and the one in its place of a span that was kept: that of the next span too, mostly.
    last: Option<(Probability, TraceState, TraceState)>,
}

impl Held {
    pub(super) fn new(tail: Tail) -> Self {
        let (firsts, waiting) = (Mutex::default(), Mutex::default());
        Self { tail, firsts, waiting, counts: TailCounts::default() }
    }

    pub(super) fn counts(&self) -> &TailCounts {
        &self.counts
    }

    /// `None` where a forked child has inherited a lock that nobody there will open.
    fn waiting(&self) -> Option<MutexGuard<'_, Waiting>> {
        let mut waiting = self.waiting.try_lock_for(PATIENCE)?;
        waiting.forget_parents();
        Some(waiting)
    }

    /// How many bytes of spans wait.
    pub(super) fn n_bytes(&self) -> usize {
        self.waiting().map_or(0, |waiting| waiting.n_bytes)
    }

    /// Whether the spans of a trace are exported, as far as is remembered.
    pub(super) fn export_of(&self, trace: TraceId) -> Export {
        // Who asks may record in an allocation of this thread's that has the lock.
        let Some(waiting) = self.waiting.try_lock_for(GLANCE) else { return Export::Undecided };
        match waiting.decided.get(trace) {
            Some(Verdict::Keep(_)) => Export::Yes,
            None if waiting.traces.contains_key(&trace) => Export::Undecided,
            Some(Verdict::Drop) | None => Export::No,
        }
    }

    /// Notes that a local root has started: its trace is not over before it has ended.
    #[cold]
    pub(super) fn open_root(&self, trace: TraceId) {
        if let Some(mut waiting) = self.waiting()
            && waiting.decided.get(trace).is_none()
        {
            waiting.trace(trace).n_open_roots += 1;
        }
    }

    /// Takes finished spans, and leaves in `batch` those that are to be exported now. How many are lost.
    pub(super) fn accept(&self, batch: &mut Vec<SpanRecord>) -> usize {
        let _muted = context::mute(); // An allocator that makes spans would come here again.
        let mut sorted = Sorted::new(&self.tail);
        let Some(mut waiting) = self.waiting() else { return batch.drain(..).len() };
        batch.drain(..).for_each(|span| waiting.add(span, &self.tail, &mut sorted));
        drop(waiting);
        self.decide_all(|waiting| waiting.take_beyond(self.tail.max_bytes), &mut sorted);
        self.settle(sorted, batch);
        0
    }

    /// Leaves in `batch` the open spans whose traces are exported already, as such. Those of others are not
    /// decided about before they have ended.
    pub(super) fn sort_decided(&self, batch: &mut Vec<SpanRecord>) -> usize {
        let _muted = context::mute(); // As in `accept`.
        let mut sorted = Sorted::new(&self.tail);
        let Some(waiting) = self.waiting() else { return batch.drain(..).len() };
        for span in batch.drain(..) {
            if let Some(verdict @ Verdict::Keep(_)) = waiting.decided.get(span.trace_id()) {
                sorted.add(span, verdict);
            }
        }
        drop(waiting);
        self.settle(sorted, batch);
        0
    }

    /// Decides about the traces whose roots had ended before the last collection, and about those that
    /// have waited for too long. Adds to `batch` what is to be exported.
    pub(super) fn end_round(&self, batch: &mut Vec<SpanRecord>) {
        let _muted = context::mute(); // As in `accept`.
        let mut sorted = Sorted::new(&self.tail);
        let Some(mut waiting) = self.waiting() else { return };
        waiting.round += 1;
        drop(waiting);
        let (now, limit) = (clock::now(), self.tail.max_wait);
        let due = |waiting: &mut Waiting| {
            waiting.take_ended().or_else(|| waiting.take_older_than(limit, now))
        };
        self.decide_all(due, &mut sorted);
        self.settle(sorted, batch);
    }

    /// Decides about all traces as they stand.
    pub(super) fn end(&self, batch: &mut Vec<SpanRecord>) {
        let _muted = context::mute(); // As in `accept`.
        let mut sorted = Sorted::new(&self.tail);
        self.decide_all(Waiting::take_oldest, &mut sorted);
        self.settle(sorted, batch);
    }

    /// Decides about the traces that `take` takes out, with nothing locked.
    fn decide_all(
        &self,
        take: impl Fn(&mut Waiting) -> Option<(TraceId, Trace)>,
        sorted: &mut Sorted,
    ) {
        while let Some((id, trace)) = self.waiting().and_then(|mut waiting| take(&mut waiting)) {
            self.decide(id, trace, sorted);
        }
    }

    /// Decides about a trace that was taken out, and about what came of it meanwhile.
    fn decide(&self, id: TraceId, trace: Trace, sorted: &mut Sorted) {
        if trace.spans.is_empty() {
            return; // Only its root had started.
        }
        let (mut verdict, mut late) = (self.verdict(id, &trace), Vec::new());
        if let Some(mut waiting) = self.waiting() {
            // Another thread may have been first to decide, about spans that came after these.
            verdict = waiting.decided.remember(id, verdict);
            late = waiting.remove(id).map(|late| late.spans).unwrap_or_default();
        }
        trace.spans.into_iter().chain(late).for_each(|span| sorted.add(span, verdict));
    }

    /// Calls code of the user's, on a thread that is muted.
    fn verdict(&self, id: TraceId, trace: &Trace) -> Verdict {
        let local = LocalTrace::new(&trace.spans).open_for(trace.open_for());
        let probability = Probability::new(self.tail.ratio(&local, &self.firsts));
        let state = trace.spans.first().map_or(&TraceState::EMPTY, |span| span.context().state());
        match probability.chooses(state, id) {
            true => Verdict::Keep(probability),
            false => Verdict::Drop,
        }
    }

    /// Counts what was sorted, gives the records of what is dropped back, and adds the others to `batch`.
    fn settle(&self, mut sorted: Sorted, batch: &mut Vec<SpanRecord>) {
        let counted = [
            (&self.counts.kept, sorted.kept.len()),
            (&self.counts.dropped, sorted.dropped.len() - sorted.n_cut),
            (&self.counts.cut, sorted.n_cut),
        ];
        for (count, n) in counted {
            count.fetch_add(n as u64, Relaxed);
        }
        batch.append(&mut sorted.kept);
        if !sorted.dropped.is_empty() {
            let bytes = sorted.dropped.iter().map(SpanRecord::weight).sum();
            SpanRecord::recycle(sorted.dropped, bytes);
        }
    }
}

impl Trace {
    /// How long a root has been open that still is.
    fn open_for(&self) -> Duration {
        if self.n_open_roots > 0 { clock::now().since(self.since) } else { Duration::ZERO }
    }
}

impl Sorted {
    fn new(tail: &Tail) -> Self {
        let (kept, dropped) = (Vec::new(), Vec::new());
        Self { kept, dropped, n_cut: 0, sees_all: tail.sees_all, last: None }
    }

    fn add(&mut self, mut span: SpanRecord, verdict: Verdict) {
        match verdict {
            Verdict::Keep(probability) => {
                let state = self.state(span.context().state(), probability);
                span.export(state);
                self.kept.push(span);
            }
            Verdict::Drop => self.dropped.push(span),
        }
    }

    /// The trace state of a span that is kept, which says with what probability it was.
    fn state(&mut self, state: &TraceState, probability: Probability) -> TraceState {
        if let Some((of, before, after)) = &self.last
            && (of, before) == (&probability, state)
        {
            return after.clone();
        }
        let after = probability.of_kept(state, self.sees_all);
        self.last = Some((probability, state.clone(), after.clone()));
        after
    }
}

impl Waiting {
    fn trace(&mut self, id: TraceId) -> &mut Trace {
        match self.traces.entry(id) {
            Entry::Occupied(trace) => trace.into_mut(),
            Entry::Vacant(place) => {
                let since = clock::now();
                self.by_age.push_back((since, id));
                place.insert(Trace { spans: Vec::new(), since, n_open_roots: 0, n_bytes: 0 })
            }
        }
    }

    /// Adds a finished span to its trace, or sorts it as that was decided.
    fn add(&mut self, span: SpanRecord, tail: &Tail, sorted: &mut Sorted) {
        if self.by_age.len() + self.ended.len() > self.forget_at {
            self.forget_gone();
        }
        let id = span.trace_id();
        if let Some(verdict) = self.decided.get(id) {
            return sorted.add(span, verdict);
        }
        let (is_root, weight) = (span.is_local_root(), span.weight());
        let trace = self.trace(id);
        trace.n_open_roots = trace.n_open_roots.saturating_sub(is_root.into());
        let is_last = is_root && trace.n_open_roots == 0;
        // The root comes last, and is worth more than what it would have to wait for.
        if trace.spans.len() >= tail.max_spans_per_trace && !is_last {
            sorted.n_cut += 1;
            return sorted.dropped.push(span);
        }
        trace.n_bytes += weight;
        trace.spans.push(span);
        self.n_bytes += weight;
        if is_last {
            self.ended.push_back((self.round, id));
        }
    }

    fn remove(&mut self, id: TraceId) -> Option<Trace> {
        let trace = self.traces.remove(&id)?;
        self.n_bytes = self.n_bytes.saturating_sub(trace.n_bytes);
        Some(trace)
    }

    /// Takes out a trace whose root had been seen before the round that has just ended began.
    fn take_ended(&mut self) -> Option<(TraceId, Trace)> {
        while let Some(&(seen, id)) = self.ended.front() {
            if seen + 1 >= self.round {
                return None;
            }
            self.ended.pop_front();
            // Another root of the trace may have started meanwhile: that one's end is waited for.
            if self.traces.get(&id).is_some_and(|trace| trace.n_open_roots == 0)
                && let Some(trace) = self.remove(id)
            {
                return Some((id, trace));
            }
        }
        None
    }

    /// Takes out the oldest trace, if more than `max_bytes` wait.
    fn take_beyond(&mut self, max_bytes: usize) -> Option<(TraceId, Trace)> {
        if self.n_bytes > max_bytes { self.take_oldest() } else { None }
    }

    /// Takes out the oldest trace, if it has waited for longer than `limit`.
    fn take_older_than(&mut self, limit: Duration, now: Ticks) -> Option<(TraceId, Trace)> {
        self.skip_gone();
        let (since, _) = self.by_age.front()?;
        if now.since(*since) > limit { self.take_oldest() } else { None }
    }

    fn take_oldest(&mut self) -> Option<(TraceId, Trace)> {
        self.skip_gone();
        let (_, id) = self.by_age.pop_front()?;
        self.remove(id).map(|trace| (id, trace))
    }

    /// Forgets what is noted of traces that have gone, which piles up behind one that waits.
    fn forget_gone(&mut self) {
        let traces = &self.traces;
        self.by_age.retain(|(since, id)| traces.get(id).is_some_and(|trace| trace.since == *since));
        self.ended.retain(|(_, id)| traces.contains_key(id));
        self.forget_at = 2 * (self.by_age.len() + self.ended.len()) + LEAST_NOTED;
    }

    /// Drops what ended before a fork: the parent process delivers it.
    fn forget_parents(&mut self) {
        let generation = process::generation();
        if self.generation != generation {
            let decided = mem::take(&mut self.decided);
            *self = Self { generation, decided, ..Self::default() };
        }
    }

    /// Forgets the ages of the oldest traces, as far as these have gone.
    fn skip_gone(&mut self) {
        while let Some((since, id)) = self.by_age.front() {
            if self.traces.get(id).is_some_and(|trace| trace.since == *since) {
                return;
            }
            self.by_age.pop_front();
        }
    }
}

impl Decided {
    fn get(&self, id: TraceId) -> Option<Verdict> {
        self.newer.get(&id).or_else(|| self.older.get(&id)).copied()
    }

    /// Remembers a verdict, unless there is one already. The one that holds.
    fn remember(&mut self, id: TraceId, verdict: Verdict) -> Verdict {
        if let Some(first) = self.get(id) {
            return first;
        }
        if self.newer.len() >= GENERATION {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(id, verdict);
        verdict
    }
}

impl TailCounts {
    /// How many spans were kept, dropped, and beyond the bound of a trace.
    pub(super) fn read(&self) -> [(&'static str, u64); 3] {
        let read = |count: &AtomicU64| count.load(Relaxed);
        [("kept", read(&self.kept)), ("dropped", read(&self.dropped)), ("cut", read(&self.cut))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(n: usize) -> Vec<SpanRecord> {
        (0..n).map(|_| SpanRecord::new("root")).collect()
    }

    #[test]
    fn a_trace_that_stays_open_does_not_keep_the_ages_of_all_later_ones() {
        let held = Held::new(Tail::new());
        held.open_root(TraceId::random());
        for _ in 0..500 {
            let mut batch = roots(10);
            held.accept(&mut batch);
            held.end_round(&mut batch);
        }
        let waiting = held.waiting().unwrap();
        assert!(waiting.by_age.len() < 2_000, "{}", waiting.by_age.len());
    }

    #[test]
    fn a_trace_is_decided_one_whole_collection_after_its_root_was_seen() {
        let held = Held::new(Tail::new().errors(1.0));
        let root = SpanRecord::new("root");
        held.open_root(root.trace_id());
        let mut failed = SpanRecord::new("failed").with_parent(root.context());
        failed.set_outcome(context::Outcome::Error);
        let mut batch = vec![root];
        held.accept(&mut batch);
        held.end_round(&mut batch);
        // It ended before the root, on a thread whose buffer had been emptied by then.
        held.accept(&mut vec![failed]);
        held.end_round(&mut batch);
        assert_eq!(batch.len(), 2);
    }

    #[test]
    fn what_was_decided_first_holds_for_the_whole_trace() {
        let (id, mut decided) = (TraceId::random(), Decided::default());
        decided.remember(id, Verdict::Keep(Probability::new(1.0)));
        assert!(matches!(decided.remember(id, Verdict::Drop), Verdict::Keep(_)));
    }

    #[test]
    fn spans_that_the_lock_keeps_out_are_counted() {
        let held = Held::new(Tail::new());
        let locked = held.waiting();
        let mut batch = roots(3);
        assert_eq!((held.accept(&mut batch), batch.len()), (3, 0));
        drop(locked);
    }

    #[test]
    fn without_collections_what_is_noted_is_bounded_too() {
        let held = Held::new(Tail::new().max_bytes(10_000));
        (0..500).for_each(|_| assert_eq!(held.accept(&mut roots(10)), 0));
        let waiting = held.waiting().unwrap();
        assert!(waiting.ended.len() < 2_000, "{}", waiting.ended.len());
    }
}
