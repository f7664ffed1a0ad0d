//! Where finished spans go: the tracer, its sink, and which tracer a thread's spans belong to.
//!
//! ```text
//! thread ─ span ends ─► its buffer ─ full ─────────────► sink (the pipeline)
//!                          │  thread ends ─► leftovers ─►
//!                          └─ collect() ────────────────►
//! ```
//!
//! A span names its tracer by number. A span whose number is that of its thread's own tracer, which
//! is nearly every one, finds its buffer without touching anything that threads share; any other
//! looks its tracer up among those that live.

use std::{
    borrow::Cow,
    fmt, mem,
    sync::{Arc, Weak},
    time::Duration,
};

use super::{
    SpanRecord,
    buffer::{BATCH_SPANS, Buffer, Leftovers, PATIENCE, Shared},
    failure::ErrorTexts,
    head::{Head, minding_parents},
    held::Held,
    limits::{Cuts, SpanLimits},
    record::{Origin, SPARE},
    sampler::{AlwaysOn, CallerLimit, IntoSampler, Sampler, Tail},
    seed::Start,
    watching::{OpenSpans, Watching},
};
use crate::{
    context::{self, Exported, TraceId},
    diagnostics,
    pipeline::Signal as _,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    util::{panics, process},
};

/// Samples spans, gathers the finished ones by thread, and hands them to a [`SpanSink`] in batches.
///
/// A batch is handed over by the thread that fills it (256 spans or 128 KiB), by a thread that ends
/// while much is left over, or by [`collect`](Self::collect).
///
/// # Examples
///
/// ```
/// use bellwether::trace::{self, SpanRecord, Tracer};
/// use std::sync::{Arc, Mutex};
///
/// let names = Arc::new(Mutex::new(Vec::new()));
/// let sink = Arc::clone(&names);
/// let tracer = Tracer::builder(move |spans: &mut Vec<SpanRecord>| {
///     sink.lock().unwrap().extend(spans.drain(..).map(|span| span.name().to_owned()));
/// })
/// .build();
///
/// let installed = trace::enter(Some(Arc::clone(&tracer)));
/// bellwether::span("work").enter().end();
/// tracer.collect();
/// assert_eq!(*names.lock().unwrap(), ["work"]);
/// # drop(installed);
/// ```
pub struct Tracer {
    pub(super) origin: &'static Origin, // Of its spans.
    /// What decides about spans that start, from threads' next look on. No lock is taken inside it.
    head: Mutex<Arc<Head>>,
    callers: Callers,
    pub(super) held: Option<Arc<Held>>, // What a tail sampler has to decide about.
    pub(super) watching: Watching,
    /// What is done about some spans that start: [`TAKES_BAGGAGE`] and its like, added up. Relaxed: it
    /// publishes nothing but itself.
    pub(super) extras: AtomicU8,
    baggage_keys: Vec<Cow<'static, str>>, // Of entries that spans take as attributes.
    pub(super) error_texts: ErrorTexts,
    sink: Box<dyn SpanSink>,
    /// The buffers of threads that live. No lock is taken inside it but those of buffers.
    buffers: Mutex<Vec<Arc<Shared>>>,
    /// What ended threads left.
    leftovers: Leftovers,
    /// Held by the thread that collects; an empty vector for it. The locks of buffers are taken
    /// inside it.
    collecting: Mutex<Vec<SpanRecord>>,
    closed: AtomicBool,
    generation: u32, // Of the process that built it.
    n_lost: AtomicU64,
    /// What was beyond the limits of spans, as [`Cuts::NAMES`] has them. Relaxed: they publish nothing but
    /// themselves.
    cuts: [AtomicU64; Cuts::NAMES.len()],
    /// Of spans that started or ended where no buffer counts them.
    n_open: AtomicI64,
}

/// How far contexts of other processes are followed.
#[derive(Clone, Debug, Default)]
struct Callers {
    limit: Option<CallerLimit>, // Of those that are sampled; None is no limit.
    are_untrusted: bool,
}

impl Callers {
    fn head(&self, sampler: Box<dyn Sampler>) -> Arc<Head> {
        let sampler = minding_parents(sampler);
        Arc::new(Head::new(match &self.limit {
            Some(limit) => limit.around(sampler),
            None => sampler,
        }))
    }
}

/// Takes finished spans.
///
/// The caller may be any thread of the program, also one that is ending or in an exit hook: an
/// implementation must not block, nor call back into the tracer. Spans that it starts itself are not
/// recorded; those that it ends are handed over with the next batch. A panic in it costs the batch.
pub trait SpanSink: Send + Sync + 'static {
    /// Takes `spans`, which are never none: drains the vector, whose memory is then used again, or
    /// takes it whole. What is left in it is used again for other spans.
    fn accept(&self, spans: &mut Vec<SpanRecord>);

    /// Sees `spans` that are recorded but not sampled, and so not exported.
    fn see(&self, spans: &mut Vec<SpanRecord>) {
        let _ = spans;
    }
}

impl<F: Fn(&mut Vec<SpanRecord>) + Send + Sync + 'static> SpanSink for F {
    fn accept(&self, spans: &mut Vec<SpanRecord>) {
        self(spans);
    }
}

/// Options of a [`Tracer`].
pub struct TracerBuilder {
    sampler: Box<dyn Sampler>,
    callers: Callers,
    baggage_keys: Vec<Cow<'static, str>>,
    tail: Option<Tail>,
    open_spans: OpenSpans,
    limits: SpanLimits,
    error_texts: ErrorTexts,
    sink: Box<dyn SpanSink>,
}

impl TracerBuilder {
    /// Decides which traces are recorded; by default all. Spans with a parent are decided as that was,
    /// unless the sampler is a [`ParentBased`](super::sampler::ParentBased) or an
    /// [`EverySpan`](super::sampler::EverySpan).
    #[must_use]
    pub fn sampler(self, sampler: impl IntoSampler) -> Self {
        self.boxed_sampler(sampler.into_sampler())
    }

    pub(crate) fn boxed_sampler(self, sampler: Box<dyn Sampler>) -> Self {
        Self { sampler, ..self }
    }

    /// Records at most so many traces a second because callers do; see
    /// [`Builder::remote_sampled_per_second`](crate::Builder::remote_sampled_per_second).
    #[must_use]
    pub fn remote_sampled_per_second(mut self, traces: f64) -> Self {
        self.callers.limit = Some(CallerLimit::new(traces));
        self
    }

    /// Starts a new trace where a caller's would be continued; see
    /// [`Builder::untrusted_callers`](crate::Builder::untrusted_callers).
    #[must_use]
    pub fn untrusted_callers(mut self) -> Self {
        self.callers.are_untrusted = true;
        self
    }

    /// Decides what is exported when traces have ended; by default what was sampled is.
    #[must_use]
    pub fn tail_sampler(self, tail: Tail) -> Self {
        Self { tail: Some(tail), ..self }
    }

    /// What is done about spans that stay open; by default a sample of them is reported if they are many.
    #[must_use]
    pub(crate) fn open_spans(self, open_spans: OpenSpans) -> Self {
        Self { open_spans, ..self }
    }

    /// Lets spans take the baggage entries with these keys as attributes.
    #[must_use]
    pub fn baggage_attributes(self, keys: Vec<Cow<'static, str>>) -> Self {
        Self { baggage_keys: keys, ..self }
    }

    /// Limits what one span may hold.
    #[must_use]
    pub fn limits(self, limits: SpanLimits) -> Self {
        Self { limits, ..self }
    }

    /// Gives `hook` each text of an error before it is kept; see
    /// [`Builder::redact_errors`](crate::Builder::redact_errors).
    #[must_use]
    pub fn redact_errors(
        self,
        hook: impl Fn(&str) -> Cow<'_, str> + Send + Sync + 'static,
    ) -> Self {
        Self { error_texts: self.error_texts.redacted(Box::new(hook)), ..self }
    }

    /// Keeps no texts of errors, only their types, whatever hook there is.
    #[must_use]
    pub fn without_error_texts(self) -> Self {
        self.error_texts(ErrorTexts::Off)
    }

    pub(crate) fn error_texts(self, error_texts: ErrorTexts) -> Self {
        Self { error_texts, ..self }
    }

    /// The tracer, which records nothing before it is [installed](install) or [entered](super::enter).
    #[must_use]
    pub fn build(self) -> Arc<Tracer> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let takes_baggage = if self.baggage_keys.is_empty() { 0 } else { TAKES_BAGGAGE };
        let tracer = Arc::new(Tracer {
            origin: Origin::new(NEXT.fetch_add(1, Relaxed), self.limits),
            head: Mutex::new(self.callers.head(self.sampler)),
            callers: self.callers,
            held: self.tail.map(|tail| Arc::new(Held::new(tail))),
            extras: AtomicU8::new(takes_baggage),
            watching: Watching::new(self.open_spans),
            baggage_keys: self.baggage_keys,
            error_texts: self.error_texts,
            sink: self.sink,
            buffers: Mutex::new(Vec::new()),
            leftovers: Leftovers::default(),
            collecting: Mutex::new(Vec::new()),
            closed: AtomicBool::new(false),
            generation: process::generation(),
            n_lost: AtomicU64::new(0),
            n_open: AtomicI64::new(0),
            cuts: Default::default(),
        });
        tracer.watch_if(tracer.watching.wants_any(0));
        LIVE.lock().push((tracer.id(), Arc::downgrade(&tracer)));
        tracer
    }
}

impl Tracer {
    /// Options of a tracer that hands its spans to `sink`.
    #[must_use]
    pub fn builder(sink: impl SpanSink) -> TracerBuilder {
        TracerBuilder {
            sampler: Box::new(AlwaysOn),
            callers: Callers::default(),
            baggage_keys: Vec::new(),
            tail: None,
            open_spans: OpenSpans::default(),
            limits: SpanLimits::default(),
            error_texts: ErrorTexts::default(),
            sink: Box::new(sink),
        }
    }

    /// Its number.
    #[inline(always)]
    pub(super) fn id(&self) -> u64 {
        self.origin.tracer
    }

    /// Hands the finished spans of all threads to the sink.
    ///
    /// When it returns, every span that ended before the call has been handed over, by it or by
    /// another thread. Not to be called from a sink.
    pub fn collect(&self) {
        let Some(mut batch) = self.collecting.try_lock_for(self.patience()) else { return };
        let Some(buffers) = self.buffers.try_lock_for(PATIENCE).map(|buffers| buffers.clone())
        else {
            return;
        };
        // What ended threads left is the oldest; and threads may end while this runs.
        self.leftovers.take(&mut batch);
        self.hand_over(&mut batch);
        // Each thread's by themselves: the next ones of a thread must not come before those.
        buffers.iter().for_each(|buffer| buffer.collect(|batch| self.hand_over(batch)));
        self.leftovers.take(&mut batch);
        self.hand_over(&mut batch);
        self.leftovers.wait_until_handed_over();
        if let Some(held) = &self.held {
            held.end_round(&mut batch);
            self.deliver(&mut batch);
        }
    }

    /// How long a thread waits for another one that collects, which may run a criterion of the user's.
    fn patience(&self) -> Duration {
        // A forked child may have inherited a lock that nobody there will open, and a muted thread may
        // have it itself.
        let may_be_lost = self.generation != process::generation() || context::is_muted();
        if may_be_lost { PATIENCE } else { LONG_PATIENCE }
    }

    /// As [`collect`](Self::collect), and a tail sampler decides about every trace whose local root had
    /// ended before the call. If it was chosen, sampled spans that are open are handed over as they stand;
    /// not on a muted thread, which may be that of an exporter.
    pub fn flush(&self) {
        // The first time, roots may be seen; the second one waits for the spans that ended before them.
        for _ in 0..if self.held.is_some() { 2 } else { 1 } {
            self.collect();
        }
        if !context::is_muted() {
            self.export_open(Held::sort_decided);
        }
    }

    /// Collects, and from now on hands each span to the sink when it ends.
    ///
    /// For the end of the telemetry: a span that is still open then is not forgotten in a buffer. If it was
    /// chosen, it is handed over as it stands, too.
    pub fn close(&self) {
        if self.watching.exports() {
            // Before it is closed: from then on a tail sampler decides about each batch at once.
            self.collect();
            self.export_open(Held::accept);
        }
        self.closed.store(true, Relaxed);
        self.collect();
        // A thread that ended a span in the instant before may have added it without having seen the
        // store, and this thread not have seen the span: stores reach others some time later. Without a
        // lock for each span nothing orders the two. The time of a system call is far more than enough.
        std::thread::yield_now();
        self.collect();
        let mut batch = Vec::new();
        self.decide_rest(&mut batch);
        self.deliver(&mut batch);
    }

    /// Lets the tail sampler decide about all that it holds.
    fn decide_rest(&self, batch: &mut Vec<SpanRecord>) {
        if let Some(held) = &self.held {
            held.end(batch);
        }
    }

    /// How many recorded spans have started and not ended. One whose guard is leaked never ends, so that
    /// a number which grows and grows is a sign of such.
    ///
    /// Threads are counted one after the other: a span that moves between them meanwhile may be counted
    /// twice or not at all.
    #[must_use]
    pub fn open(&self) -> u64 {
        let Some(buffers) = self.buffers.try_lock_for(PATIENCE) else { return 0 };
        let by_threads: i64 = buffers.iter().map(|buffer| buffer.n_open()).sum();
        (by_threads + self.n_open.load(Relaxed)).try_into().unwrap_or(0)
    }

    /// Counts starts and ends that no buffer does.
    #[cold]
    pub(super) fn count_open(&self, change: i64) {
        self.n_open.fetch_add(change, Relaxed);
    }

    /// How many spans never came to the sink: because the sampler or the sink panicked, because
    /// too many were open, or because a lock was not to be had. One whose guard is leaked never ends, and
    /// is not counted.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.n_lost.load(Relaxed)
    }

    /// Puts another sampler in place of the one that decides. When it returns, every trace that starts is
    /// decided by the new one; spans of traces that have started are decided as their parents were.
    ///
    /// A thread keeps the old one until it starts its next span, and the last that does drops it.
    pub fn set_sampler(&self, sampler: impl IntoSampler) {
        self.set_boxed_sampler(sampler.into_sampler());
    }

    pub(crate) fn set_boxed_sampler(&self, sampler: Box<dyn Sampler>) {
        let head = self.callers.head(sampler);
        let before = mem::replace(&mut *self.head.lock(), head);
        // Threads look for what decides when this has changed.
        change(|_| ());
        drop(before); // With nothing locked: it may be the user's code.
    }

    /// What was beyond the limits of spans that have ended, by the name of what it is.
    #[must_use]
    pub fn truncated(&self) -> [(&'static str, u64); 5] {
        let mut names = Cuts::NAMES.into_iter();
        self.cuts.each_ref().map(|n| (names.next().unwrap_or_default(), n.load(Relaxed)))
    }

    /// Adds what of an ended span was beyond the limits.
    #[cold]
    #[inline(never)]
    pub(super) fn count_cuts(&self, span: &SpanRecord) {
        for (sum, n) in self.cuts.iter().zip(span.all_cuts().as_array()) {
            sum.fetch_add(n.into(), Relaxed);
        }
    }

    /// Whether a tail sampler decides what is exported.
    #[inline(always)]
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// A span that starts, as it was decided. What the head sampler does not record, a tail sampler may
    /// want to see.
    #[inline(always)]
    pub(super) fn decided(&self, start: Start, recorded: bool, sampled: bool) -> Start {
        let recorded = recorded || self.held.as_ref().is_some_and(|held| held.tail.sees_all);
        if recorded && !sampled && !HAS_UNSAMPLED.load(Relaxed) {
            HAS_UNSAMPLED.store(true, Relaxed);
        }
        start.decided(recorded, sampled, recorded && self.held.is_some())
    }

    /// The keys of the entries of baggage that spans take as attributes.
    pub(super) fn baggage_keys(&self) -> &[Cow<'static, str>] {
        &self.baggage_keys
    }

    /// Notes that a local root is recorded.
    #[inline(always)]
    pub(super) fn note_root(&self, trace: TraceId) {
        if let Some(held) = &self.held {
            held.open_root(trace);
        }
    }

    /// How many spans a tail sampler has kept, dropped and cut, and how many bytes wait for it.
    pub(crate) fn tail_counts(&self) -> Option<([(&'static str, u64); 3], usize)> {
        self.held.as_ref().map(|held| (held.counts().read(), held.n_bytes()))
    }

    /// What a tail sampler holds.
    fn held(&self) -> Option<&Arc<Held>> {
        self.held.as_ref()
    }

    /// What decides about spans that start.
    pub(super) fn head(&self) -> Arc<Head> {
        Arc::clone(&self.head.lock())
    }

    /// Whether contexts of other processes are not continued.
    #[inline]
    pub(super) fn distrusts_callers(&self) -> bool {
        self.callers.are_untrusted
    }

    #[cfg(test)]
    pub(super) fn n_threads(&self) -> usize {
        self.buffers.lock().len()
    }

    pub(super) fn lose(&self, n: usize) {
        self.n_lost.fetch_add(n as u64, Relaxed);
    }

    /// A new buffer for a thread.
    pub(super) fn add_thread(&self) -> Buffer {
        let buffer = Buffer::new();
        self.buffers.lock().push(buffer.shared().clone());
        buffer
    }

    /// Takes over what an ended thread left.
    pub(super) fn remove_thread(&self, mut buffer: Buffer) {
        // Those that were taken before come before these.
        buffer.shared().wait_until_handed_over();
        // In one step: a collection that no longer finds them in the buffer finds them in the leftovers.
        let is_full = !buffer.is_inherited() && self.leftovers.append(|left| buffer.take(left));
        // With a limit, as in `collect`.
        if let Some(mut buffers) = self.buffers.try_lock_for(PATIENCE) {
            buffers.retain(|other| !Arc::ptr_eq(other, buffer.shared()));
            self.count_open(buffer.shared().n_open());
        }
        if is_full || self.is_closed() {
            self.leftovers.hand_over(|batch| self.hand_over(batch));
        }
    }

    /// A buffer in place of one that a forked child has inherited.
    #[cold]
    #[inline(never)]
    pub(super) fn replace_thread(&self, inherited: &mut Buffer) {
        let buffer = Buffer::new();
        // With a limit, as in `collect`. Nothing is delivered in the child before another start.
        if let Some(mut buffers) = self.buffers.try_lock_for(PATIENCE) {
            buffers.retain(|other| !Arc::ptr_eq(other, inherited.shared()));
            buffers.push(buffer.shared().clone());
        }
        *inherited = buffer;
    }

    /// Keeps a span for which a buffer has no room, until the next time that something is handed over.
    #[cold]
    pub(super) fn take_later(&self, span: SpanRecord) {
        self.leftovers.append(|left| left.push(span));
    }

    /// Hands over one span of a thread that has no buffer any more.
    #[cold]
    pub(super) fn take_one(&self, span: SpanRecord) {
        self.hand_over(&mut vec![span]);
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Hands over what has ended; leaves `batch` empty, with its memory for the next one.
    pub(super) fn hand_over(&self, batch: &mut Vec<SpanRecord>) {
        if let Some(held) = &self.held {
            match held.accept(batch) {
                0 => {}
                n => self.lose(n),
            }
            if self.is_closed() {
                self.decide_rest(batch);
            }
        }
        self.deliver(batch);
    }

    /// Passes to the sink what is to be exported.
    pub(super) fn deliver(&self, batch: &mut Vec<SpanRecord>) {
        let _muted = context::mute(); // An allocator that makes spans would come here again.
        // With a tail sampler all that comes here is sampled.
        if self.held.is_none() && HAS_UNSAMPLED.load(Relaxed) {
            let is_unsampled = |span: &mut SpanRecord| !span.context().is_sampled();
            let mut unsampled = batch.extract_if(.., is_unsampled).collect();
            self.pass(&mut unsampled, |spans| self.sink.see(spans));
        }
        self.pass(batch, |spans| self.sink.accept(spans));
        batch.shrink_to(2 * BATCH_SPANS);
    }

    /// Calls the sink with `spans`, and uses again what it leaves of them.
    fn pass(&self, spans: &mut Vec<SpanRecord>, call: impl FnOnce(&mut Vec<SpanRecord>)) {
        if spans.is_empty() {
            return;
        }
        let n = spans.len();
        // The sink's code is not the code that ended a span: a panic must not come out there.
        if let Err(payload) = panics::catch(|| call(spans)) {
            panics::discard(payload);
            self.lose(n);
            diagnostics::report("span sink", format_args!("panicked, {n} spans are lost"));
        }
        if !spans.is_empty() {
            let bytes = spans.iter().map(SpanRecord::weight).sum();
            SpanRecord::recycle(mem::take(spans), bytes);
        }
    }
}

/// What is left goes to the sink.
impl Drop for Tracer {
    fn drop(&mut self) {
        LIVE.lock().retain(|(id, _)| *id != self.id());
        self.collect();
        let mut rest = Vec::new();
        self.decide_rest(&mut rest);
        self.deliver(&mut rest);
        // The last owner may be an application's thread that ends a span.
        let _muted = context::mute();
        let sink = mem::replace(&mut self.sink, Box::new(|_: &mut Vec<SpanRecord>| ()));
        if let Err(payload) = panics::catch(|| drop(sink)) {
            panics::discard(payload);
            diagnostics::report("span sink", format_args!("panicked in its drop"));
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("sampler", &self.head())
            .field("limits", &self.origin.limits)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TracerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracerBuilder")
            .field("sampler", &self.sampler)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Spans take entries of their baggage as attributes.
const TAKES_BAGGAGE: u8 = 1;
/// Spans are watched, all of them or a sample.
pub(super) const WATCHES: u8 = 1 << 1;

/// Whether a span was ever recorded that is not sampled. Of all tracers: its children, which are not sampled
/// either, may be another one's.
static HAS_UNSAMPLED: AtomicBool = AtomicBool::new(false);

/// How long a collection is waited for. Less than an exit takes at most.
const LONG_PATIENCE: Duration = Duration::from_secs(1);

/// Every tracer there is, for spans that end on a thread with another one. No lock is taken inside.
static LIVE: Mutex<Vec<(u64, Weak<Tracer>)>> = Mutex::new(Vec::new());

/// The tracer of this number, unless it is gone.
#[cold]
pub(super) fn find(id: u64) -> Option<Arc<Tracer>> {
    LIVE.lock().iter().find(|(other, _)| *other == id)?.1.upgrade()
}

/// Zero while there is no tracer anywhere: what a span costs then is this load. Otherwise a number
/// that changes whenever threads have to look for their tracer again.
static ACTIVE: AtomicU64 = AtomicU64::new(0);

/// Guards the tracer of the process and `ACTIVE`. No lock is taken inside it.
static GLOBAL: Mutex<Global> = Mutex::new(Global { tracer: None, n_entered: 0, changes: 0 });

struct Global {
    tracer: Option<Arc<Tracer>>,
    n_entered: usize, // Threads' own tracers.
    changes: u64,
}

#[inline]
pub(super) fn active() -> u64 {
    // Relaxed: what it announces is read under the lock.
    ACTIVE.load(Relaxed)
}

/// The tracer of the process.
pub(super) fn installed() -> Option<Arc<Tracer>> {
    GLOBAL.lock().tracer.clone()
}

/// Makes `tracer` that of every thread that has not [entered](super::enter) another; gives back the one
/// that was.
pub fn install(tracer: Arc<Tracer>) -> Option<Arc<Tracer>> {
    change(|global| global.tracer.replace(tracer))
}

/// Leaves the process without a tracer; gives back the one that was, whose spans
/// [`close`](Tracer::close) hands over.
pub fn uninstall() -> Option<Arc<Tracer>> {
    change(|global| global.tracer.take())
}

/// From now on exemplars are shown of traces that `tracer` exports; of all that are sampled if it has no
/// tail sampler.
pub(crate) fn show_exemplars_of(tracer: Option<&Tracer>) {
    let held = tracer.and_then(Tracer::held).cloned();
    let exports = |held: Arc<Held>| Exported::new(move |trace| held.export_of(trace));
    context::ask_whether_exported(held.map(exports));
}

/// Gives back memory of records that nobody has needed since the last time; called once a second by the
/// tick.
pub(crate) fn trim() {
    SPARE.trim();
}

/// Counts threads' own tracers.
pub(super) fn count_entered(change_by: isize) {
    let mut global = GLOBAL.lock();
    global.n_entered = global.n_entered.saturating_add_signed(change_by);
    let is_active = global.n_entered > 0 || global.tracer.is_some();
    // The thread itself knows; other threads only need to learn whether anything is active at all.
    if is_active != (active() != 0) {
        global.publish();
    }
}

fn change<R>(change: impl FnOnce(&mut Global) -> R) -> R {
    let mut global = GLOBAL.lock();
    let result = change(&mut global);
    global.publish();
    result
}

impl Global {
    fn publish(&mut self) {
        self.changes += 1;
        let is_active = self.n_entered > 0 || self.tracer.is_some();
        SPARE.open(is_active);
        ACTIVE.store(if is_active { self.changes } else { 0 }, Relaxed);
    }
}
