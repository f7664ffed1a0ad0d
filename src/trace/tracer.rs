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
    any::Any,
    fmt, mem,
    sync::{Arc, Weak},
};

use super::{
    SpanRecord,
    buffer::{BATCH_SPANS, Buffer, Leftovers, PATIENCE, Shared},
    limits::{Cuts, SpanLimits},
    record::SPARE,
    sampler::{AlwaysOff, AlwaysOn, Candidate, Decision, Ours, ParentBased, Sampler},
};
use crate::{
    context::{self, Ids},
    diagnostics,
    pipeline::Signal as _,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    util::panics,
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
    pub(super) id: u64, // Never reused, never zero.
    sampler: Box<dyn Sampler>,
    is_sampler_ours: bool, // Then it is asked where it stands: it uses no span and does not panic.
    follows_local: bool,   // Whether a parent of this process decides for its children.
    of_roots: Option<bool>, // What is decided about every root, if that is always the same.
    pub(super) limits: &'static SpanLimits,
    sink: Box<dyn SpanSink>,
    /// The buffers of threads that live. No lock is taken inside it but those of buffers.
    buffers: Mutex<Vec<Arc<Shared>>>,
    /// What ended threads left.
    leftovers: Leftovers,
    /// Held by the thread that collects; an empty vector for it. The locks of buffers are taken
    /// inside it.
    collecting: Mutex<Vec<SpanRecord>>,
    closed: AtomicBool,
    has_told_of_sampler: AtomicBool,
    n_lost: AtomicU64,
    /// What was beyond the limits of spans, as [`Cuts::NAMES`] has them. Relaxed: they publish nothing but
    /// themselves.
    cuts: [AtomicU64; Cuts::NAMES.len()],
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
}

impl<F: Fn(&mut Vec<SpanRecord>) + Send + Sync + 'static> SpanSink for F {
    fn accept(&self, spans: &mut Vec<SpanRecord>) {
        self(spans);
    }
}

/// Options of a [`Tracer`].
pub struct TracerBuilder {
    sampler: Box<dyn Sampler>,
    limits: SpanLimits,
    sink: Box<dyn SpanSink>,
}

impl TracerBuilder {
    /// Decides which spans are recorded; by default as the parent was, and every root.
    #[must_use]
    pub fn sampler(self, sampler: impl Sampler) -> Self {
        Self { sampler: Box::new(sampler), ..self }
    }

    /// Limits what one span may hold.
    #[must_use]
    pub fn limits(self, limits: SpanLimits) -> Self {
        Self { limits, ..self }
    }

    /// The tracer, which records nothing before it is [installed](install) or [entered](super::enter).
    #[must_use]
    pub fn build(self) -> Arc<Tracer> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let tracer = Arc::new(Tracer {
            id: NEXT.fetch_add(1, Relaxed),
            is_sampler_ours: self.sampler.is_ours(Ours),
            follows_local: self.sampler.follows_local(Ours),
            of_roots: self.sampler.of_roots(Ours),
            sampler: self.sampler,
            limits: self.limits.shared(),
            sink: self.sink,
            buffers: Mutex::new(Vec::new()),
            leftovers: Leftovers::default(),
            collecting: Mutex::new(Vec::new()),
            closed: AtomicBool::new(false),
            has_told_of_sampler: AtomicBool::new(false),
            n_lost: AtomicU64::new(0),
            cuts: Default::default(),
        });
        LIVE.lock().push((tracer.id, Arc::downgrade(&tracer)));
        tracer
    }
}

impl Tracer {
    /// Options of a tracer that hands its spans to `sink`.
    #[must_use]
    pub fn builder(sink: impl SpanSink) -> TracerBuilder {
        TracerBuilder {
            sampler: Box::new(ParentBased::new(AlwaysOn)),
            limits: SpanLimits::default(),
            sink: Box::new(sink),
        }
    }

    /// Hands the finished spans of all threads to the sink.
    ///
    /// When it returns, every span that ended before the call has been handed over, by it or by
    /// another thread. Not to be called from a sink.
    pub fn collect(&self) {
        // With a limit because a forked child may inherit a lock that nobody there will open.
        let Some(mut batch) = self.collecting.try_lock_for(PATIENCE) else { return };
        let Some(buffers) = self.buffers.try_lock_for(PATIENCE).map(|buffers| buffers.clone())
        else {
            return;
        };
        // What ended threads left is the oldest; and threads may end while this runs.
        self.leftovers.take(&mut batch);
        for buffer in &buffers {
            buffer.collect(&mut batch);
            if batch.len() >= BATCH_SPANS {
                self.hand_over(&mut batch);
            }
        }
        self.leftovers.take(&mut batch);
        self.hand_over(&mut batch);
        self.leftovers.wait_until_handed_over();
        buffers.iter().for_each(|buffer| buffer.wait_until_handed_over());
    }

    /// Collects, and from now on hands each span to the sink when it ends.
    ///
    /// For the end of the telemetry: a span that is still open then is not forgotten in a buffer.
    pub fn close(&self) {
        self.closed.store(true, Relaxed);
        self.collect();
        // A thread that ended a span in the instant before may have added it without having seen the
        // store, and this thread not have seen the span: stores reach others some time later. Without a
        // lock for each span nothing orders the two. The time of a system call is far more than enough.
        std::thread::yield_now();
        self.collect();
    }

    /// How many spans never came to the sink: the stack of open spans was full, or the sampler or the
    /// sink panicked. A span whose guard is leaked never ends, and is not counted.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.n_lost.load(Relaxed)
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

    /// Whether a child of `parent`, or a root, is recorded, where that is known without asking the sampler.
    #[inline(always)]
    pub(super) fn foresees(&self, parent: &Ids) -> Option<bool> {
        match parent.span_id.is_valid() {
            true => {
                let follows = self.follows_local && !parent.is_remote();
                follows.then_some(parent.flags().is_sampled())
            }
            false => self.of_roots,
        }
    }

    /// Whether the span is recorded, if its sampler can be asked at once.
    pub(super) fn decide(&self, span: &Candidate<'_>) -> Option<bool> {
        // Not the box's own `sample`, which is one call more.
        self.is_sampler_ours.then(|| (*self.sampler).sample(span) == Decision::RecordAndSample)
    }

    /// Asks a sampler that is the user's, with this thread's spans free. The application that starts
    /// a span has no part in a panic there: the span is not recorded.
    pub(super) fn ask(&self, span: &Candidate<'_>) -> bool {
        match panics::catch(|| self.sampler.sample(span)) {
            Ok(decision) => decision == Decision::RecordAndSample,
            Err(payload) => self.survive_sampler(payload),
        }
    }

    #[cold]
    fn survive_sampler(&self, payload: Box<dyn Any + Send>) -> bool {
        panics::discard(payload);
        self.lose(1);
        // Relaxed: it publishes nothing but itself.
        if !self.has_told_of_sampler.swap(true, Relaxed) {
            let _muted = context::mute();
            let text = format_args!(
                "panicked; spans that it panics on are not recorded, and counted as lost"
            );
            diagnostics::report("sampler", text);
        }
        false
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
        // In one step: a collection that no longer finds them in the buffer finds them in the leftovers.
        let is_full = !buffer.is_inherited() && self.leftovers.append(|left| buffer.take(left));
        // With a limit, as in `collect`.
        if let Some(mut buffers) = self.buffers.try_lock_for(PATIENCE) {
            buffers.retain(|other| !Arc::ptr_eq(other, buffer.shared()));
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

    /// Leaves `batch` empty, with its memory for the next one.
    pub(super) fn hand_over(&self, batch: &mut Vec<SpanRecord>) {
        if batch.is_empty() {
            return;
        }
        let n = batch.len();
        let _muted = context::mute();
        // The sink's code is not the code that ended a span: a panic must not come out there.
        if let Err(payload) = panics::catch(|| self.sink.accept(batch)) {
            panics::discard(payload);
            self.lose(n);
            diagnostics::report("span sink", format_args!("panicked, {n} spans are lost"));
        }
        if !batch.is_empty() {
            let bytes = batch.iter().map(SpanRecord::weight).sum();
            SpanRecord::recycle(mem::take(batch), bytes);
        }
        batch.shrink_to(2 * BATCH_SPANS);
    }
}

/// What is left goes to the sink.
impl Drop for Tracer {
    fn drop(&mut self) {
        LIVE.lock().retain(|(id, _)| *id != self.id);
        self.collect();
        // The last owner may be an application's thread that ends a span.
        let _muted = context::mute();
        let sampler = mem::replace(&mut self.sampler, Box::new(AlwaysOff));
        let sink = mem::replace(&mut self.sink, Box::new(|_: &mut Vec<SpanRecord>| ()));
        for dropped in [panics::catch(|| drop(sampler)), panics::catch(|| drop(sink))] {
            if let Err(payload) = dropped {
                panics::discard(payload);
                diagnostics::report("span sink", format_args!("panicked in its drop"));
            }
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("sampler", &self.sampler)
            .field("limits", &self.limits)
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
