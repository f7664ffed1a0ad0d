//! Runs one library's loop on one or two threads at once and says what an operation cost.
//!
//! All libraries of a workload have one loop, whose variables are in registers. Threads start spinning at a barrier; a round counts only if they really ran at the same time. After each round the
//! library's own total must be what was recorded: a wrong total ends the run.

use crate::table::{Entry, NO_OVERLAP, Part, Row, Table, row};
use std::{
    hint::{black_box, spin_loop},
    marker::PhantomData,
    sync::{
        LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// One library in one idiom, doing one workload.
pub struct Subject {
    library: &'static str,
    idiom: &'static str,
    part: Part,
    worker: Box<dyn Fn() -> Worker + Sync>,
    total: Box<dyn Fn() -> u64 + Sync>,
    drain: Box<dyn Fn() + Sync>,
    expects: Expects,
    /// How many records an operation makes: what it took is divided by it.
    each: u64,
    recorded: AtomicU64,
    /// How many records were made, with one thread and with two, and how many of them never arrived.
    made: [AtomicU64; 2],
    lost: [AtomicU64; 2],
}

/// What a library's own total must be after each round.
#[derive(Clone, Copy)]
enum Expects {
    /// One for each operation.
    Sum,
    /// The place, from one, of the item that each thread used last: a gauge holds what was set last.
    Last(usize),
    /// At most one for each operation: what never arrives is counted, and told.
    Part,
    /// There is none: nobody records.
    Nothing,
}

/// Does that many operations; made on the thread that calls it, before the clock runs.
pub type Worker = Box<dyn FnMut(u64)>;

/// What a thread does between two operations. A type, so that a workload has one loop and its operation
/// one place, where the compiler puts it in line as in a user's code.
pub trait Pace: Copy + Sync + 'static {
    const WORKS: bool;
}

#[derive(Clone, Copy)]
pub struct Flat;

/// About 65 ns of own work: the nearest to real code.
#[derive(Clone, Copy)]
pub struct Working;

impl Pace for Flat {
    const WORKS: bool = false;
}

impl Pace for Working {
    const WORKS: bool = true;
}

/// What every library of a workload is driven by: an operation for each item, over and over.
#[derive(Clone, Copy)]
pub struct Loop<W, P = Flat> {
    items: W,
    pace: PhantomData<P>,
}

/// Items in an order, from the first one at each stretch.
pub trait Walk: Copy + Sync + 'static {
    type Item;

    /// `n` times `body`, for one item after the other; what it counts with stays in registers.
    fn each(self, n: u64, body: impl FnMut(Self::Item));
}

/// Items that are there beforehand.
impl<T: Copy + Sync> Walk for &'static [T] {
    type Item = T;

    #[inline(always)]
    fn each(self, n: u64, mut body: impl FnMut(T)) {
        let mut left = n as usize;
        while left > 0 {
            let part = &self[..left.min(self.len())];
            part.iter().for_each(|&item| body(item));
            left -= part.len();
        }
    }
}

/// For operations that are always the same.
#[derive(Clone, Copy)]
pub struct Alike;

pub const ALIKE: Loop<Alike> = Loop::over(Alike);

impl Walk for Alike {
    type Item = ();

    #[inline(always)]
    fn each(self, n: u64, mut body: impl FnMut(())) {
        (0..n).for_each(|_| body(()));
    }
}

impl<W> Loop<W> {
    pub const fn over(items: W) -> Self {
        Self { items, pace: PhantomData }
    }

    /// The same at another pace.
    pub fn at<P>(self) -> Loop<W, P> {
        Loop { items: self.items, pace: PhantomData }
    }
}

impl<W: Walk, P: Pace> Loop<W, P> {
    /// A peer, by what all threads share.
    pub fn peer<S: Sync + 'static>(
        self,
        library: &'static str,
        idiom: &'static str,
        shared: S,
        operation: impl Fn(&'static S, W::Item) + Copy + Sync + 'static,
        total: impl Fn(&S) -> u64 + Sync + 'static,
    ) -> Subject {
        let operation = move |shared: &mut &'static S, item| operation(shared, item);
        self.peer_holding(library, idiom, shared, |shared| shared, operation, total)
    }

    /// A peer of which each thread holds something of its own while it records.
    pub fn peer_holding<S: Sync + 'static, H: 'static>(
        self,
        library: &'static str,
        idiom: &'static str,
        shared: S,
        hold: impl Fn(&'static S) -> H + Sync + 'static,
        operation: impl Fn(&mut H, W::Item) + Copy + Sync + 'static,
        total: impl Fn(&S) -> u64 + Sync + 'static,
    ) -> Subject {
        let shared: &'static S = Box::leak(Box::new(shared));
        Subject {
            library,
            idiom,
            part: Part::Peer,
            worker: Box::new(move || self.worker(hold(shared), operation)),
            recorded: AtomicU64::new(total(shared)),
            made: Default::default(),
            lost: Default::default(),
            total: Box::new(move || total(shared)),
            drain: Box::new(|| ()),
            expects: Expects::Sum,
            each: 1,
        }
    }

    /// Bellwether, in the row that it is to have: a static of it, which the operation names.
    pub fn ours(
        self,
        row: Row,
        operation: impl Fn(W::Item) + Copy + Sync + 'static,
        total: impl Fn() -> u64 + Sync + 'static,
    ) -> Subject {
        self.ours_holding(row, (), |_| (), move |_, item| operation(item), move |_| total())
    }

    /// Bellwether of which each thread holds something of its own.
    pub fn ours_holding<S: Sync + 'static, H: 'static>(
        self,
        row: Row,
        shared: S,
        hold: impl Fn(&'static S) -> H + Sync + 'static,
        operation: impl Fn(&mut H, W::Item) + Copy + Sync + 'static,
        total: impl Fn(&S) -> u64 + Sync + 'static,
    ) -> Subject {
        let subject = self.peer_holding("bellwether", row.what, shared, hold, operation, total);
        Subject { part: Part::Ours(row), ..subject }
    }

    fn worker<H: 'static>(
        self,
        held: H,
        operation: impl Fn(&mut H, W::Item) + Copy + 'static,
    ) -> Worker {
        let mut held = Apart(held);
        Box::new(move |n| {
            let Apart(held) = &mut held;
            let (mut state, links) = (black_box(1), if P::WORKS { *LINKS } else { 0 });
            self.items.each(n, |item| {
                if P::WORKS {
                    state = own_work(state, links);
                }
                operation(held, item);
            });
            black_box(state);
        })
    }

    /// The own work alone, which is subtracted from what a round with it took.
    pub fn own_work(self) -> Subject {
        let subject = self.peer("", "own work alone", (), |_, _| (), |_| 0);
        Subject { part: Part::Work, expects: Expects::Nothing, ..subject }
    }
}

/// Keeps what a thread holds on cache lines of their own: the heap may place those of two threads side
/// by side, and every library would then look as if it shared something.
#[repr(align(128))]
struct Apart<H>(H);

impl Subject {
    /// What the machine allows, under a name that budgets have it by.
    pub fn floor(self) -> Self {
        Self { part: Part::Floor, ..self }
    }

    /// Nothing is recorded, so there is no total.
    pub fn uncounted(self) -> Self {
        Self { expects: Expects::Nothing, ..self }
    }

    /// It may lose records. A run goes on then, and says how many.
    pub fn may_lose(self) -> Self {
        Self { expects: Expects::Part, ..self }
    }

    /// The total is the place of the item that each thread used last, of so many.
    pub fn keeps_last(self, items: usize) -> Self {
        Self { expects: Expects::Last(items), ..self }
    }

    /// An operation makes so many records; the table shows the cost of one.
    pub fn each(self, each: u64) -> Self {
        Self { each, ..self }
    }

    /// What empties the library's queue between two bursts, outside the measured time.
    pub fn drain(self, drain: impl Fn() + Sync + 'static) -> Self {
        Self { drain: Box::new(drain), ..self }
    }

    /// Panics unless the library's own total is what was recorded into it, now that each of the
    /// `threads` did `each` operations, at last `burst` of them at a stretch.
    fn verify(&self, threads: u64, each: u64, burst: u64) {
        let new = each * threads * self.each;
        let recorded = new + self.recorded.fetch_add(new, SeqCst);
        let at = threads as usize - 1;
        self.made[at].fetch_add(new, SeqCst);
        let expected = match self.expects {
            Expects::Sum => recorded,
            Expects::Last(items) => (burst - 1) % items as u64 + 1,
            Expects::Part => return self.miss(recorded, at),
            Expects::Nothing => return,
        };
        let total = (self.total)();
        assert_eq!(total, expected, "{} ({}): a wrong total", self.library, self.idiom);
    }

    /// Counts what never arrived, and expects it no more.
    fn miss(&self, recorded: u64, at: usize) {
        let total = (self.total)();
        assert!(total <= recorded, "{} ({}): more than there was", self.library, self.idiom);
        self.lost[at].fetch_add(recorded - total, SeqCst);
        self.recorded.store(total, SeqCst);
    }

    /// The percentage that was lost, with one thread and with two.
    fn losses(&self) -> [Option<f64>; 2] {
        [0, 1].map(|at| {
            let [lost, made] = [&self.lost, &self.made].map(|n| n[at].load(SeqCst) as f64);
            Some(100.0 * lost / made)
        })
    }
}

/// A chain of dependent multiplications, whose latency no processor hides.
#[inline(always)]
fn own_work(mut state: u64, links: u32) -> u64 {
    for _ in 0..links {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ (state >> 33);
    }
    state
}

/// How many links take 65 ns on this machine.
static LINKS: LazyLock<u32> = LazyLock::new(|| {
    const MANY: u32 = 1_000_000;
    let fastest = (0..10).map(|_| {
        let start = Instant::now();
        black_box(own_work(black_box(1), MANY));
        start.elapsed()
    });
    let fastest = fastest.min().expect("ten tries").as_nanos() as f64;
    (65.0 * f64::from(MANY) / fastest) as u32
});

/// How much is done.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Of measured time, per round and thread.
    pub round: Duration,
    pub rounds: usize,
    pub passes: usize,
}

/// How a round is cut up.
#[derive(Clone, Copy)]
pub enum Stretch {
    /// As many operations as fill it.
    Round,
    /// So many between two drains, for a workload that fills queues, and so many times.
    Bursts(u64, u64),
    /// So many beside workers that take them meanwhile: a thread may have to wait for its core.
    BesideWorkers(u64),
    /// So many by a new thread each time, the first ones included.
    NewThread(u64),
}

/// A workload that is an operation repeated in a loop.
pub struct Recording {
    pub title: String,
    pub subjects: Vec<Subject>,
    pub stretch: Stretch,
}

impl Recording {
    pub fn new(title: impl Into<String>, subjects: Vec<Subject>) -> Self {
        Self { title: title.into(), subjects, stretch: Stretch::Round }
    }

    /// Measures every subject at one and at two threads, a round of each in turn.
    pub fn measure(&self, effort: Effort) -> Table {
        let [one, two] = [1, 2].map(|threads| self.with_threads(threads, effort));
        let entry = |((subject, one), two): ((&Subject, f64), f64)| Entry {
            library: subject.library,
            idiom: subject.idiom,
            part: subject.part,
            at: [Some(one), Some(two)],
        };
        let entries = self.subjects.iter().zip(one).zip(two).map(entry).collect();
        Table { title: self.title.clone(), unit: "ns", entries }
    }

    /// What has been lost so far of the records of each subject, of which `rows` are bellwether's.
    pub fn losses(&self, rows: &[&'static str]) -> Table {
        let mut rows = rows.iter();
        let entry = |subject: &Subject| {
            let part = match subject.part {
                Part::Ours(_) => {
                    let what = rows.next().expect("as many rows as bellwether has");
                    Part::Ours(row(what, "").budget("0", |_| 0.005))
                }
                Part::Peer => Part::Peer,
                Part::Floor | Part::Work => return None,
            };
            let (library, idiom) = (subject.library, subject.idiom);
            Some(Entry { library, idiom, part, at: subject.losses() })
        };
        let entries = self.subjects.iter().filter_map(entry).collect();
        Table { title: format!("{}, lost", self.title), unit: "%", entries }
    }

    fn with_threads(&self, threads: usize, effort: Effort) -> Vec<f64> {
        let plan = |subject| Plan::calibrated(subject, threads, effort, self.stretch);
        let plans: Vec<_> = self.subjects.iter().map(plan).collect();
        let mut taken: Vec<Taken> = self.subjects.iter().map(|_| Taken::default()).collect();
        for _ in 0..effort.passes {
            for _ in 0..effort.rounds {
                self.interleaved(threads, &plans, &mut taken);
            }
            taken.iter_mut().for_each(Taken::end_pass);
        }
        taken.into_iter().map(Taken::value).collect()
    }

    /// One round of each subject; where there is own work, that before each as well, and the
    /// difference is what counts: the machine drifts less in 10 ms than a recording costs.
    fn interleaved(&self, threads: usize, plans: &[Plan], taken: &mut [Taken]) {
        let own_work = self.subjects.iter().position(|subject| subject.part.is_work());
        for (index, subject) in self.subjects.iter().enumerate() {
            let base = own_work.filter(|&work| work != index);
            let base =
                base.map_or(Some(0.0), |work| round(&self.subjects[work], threads, plans[work]));
            if let (Some(nanos), Some(base)) = (round(subject, threads, plans[index]), base) {
                taken[index].add(nanos - base);
            }
        }
    }
}

/// The rounds of one subject that count.
#[derive(Default)]
pub struct Taken {
    rounds: Vec<f64>,
    passes: Vec<f64>,
}

impl Taken {
    pub fn add(&mut self, value: f64) {
        self.rounds.push(value);
    }

    pub fn end_pass(&mut self) {
        self.passes.extend(median(std::mem::take(&mut self.rounds)));
    }

    /// The median of the passes' medians; [`NO_OVERLAP`] if there was no round.
    pub fn value(self) -> f64 {
        median(self.passes).unwrap_or(NO_OVERLAP)
    }
}

/// The middle value; of two, the lower.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// How many operations a thread does at a stretch, and how often, with a drain after each.
#[derive(Clone, Copy)]
struct Plan {
    warm_up: u64,
    burst: u64,
    bursts: u64,
    /// Whether what a thread waits for its core is a part of what an operation takes.
    waits: bool,
}

impl Plan {
    /// A plan that takes about `effort.round`, unless the stretch says otherwise.
    fn calibrated(subject: &Subject, threads: usize, effort: Effort, stretch: Stretch) -> Self {
        match stretch {
            Stretch::Round => {}
            Stretch::Bursts(burst, bursts) => {
                return Self { warm_up: burst, burst, bursts, waits: false };
            }
            Stretch::BesideWorkers(burst) => {
                return Self { warm_up: burst / 10, burst, bursts: 1, waits: true };
            }
            Stretch::NewThread(burst) => {
                return Self { warm_up: 0, burst, bursts: 1, waits: false };
            }
        }
        let (nanos, _) = run(subject, threads, Self::warmed(20_000));
        let operations = (effort.round.as_nanos() as f64 / nanos.max(0.2)) as u64;
        Self::warmed(operations.max(10_000))
    }

    /// A thread touches every one of 10,000 label sets before its time counts.
    fn warmed(burst: u64) -> Self {
        Self { warm_up: (burst / 10).max(10_000), burst, bursts: 1, waits: false }
    }
}

/// What an operation took in a round in which all threads ran at once for nine tenths of the time;
/// none if the machine was too busy for that ten times.
fn round(subject: &Subject, threads: usize, plan: Plan) -> Option<f64> {
    let valid = |(nanos, overlap)| (overlap >= 0.9).then_some(nanos);
    (0..10).find_map(|_| valid(run(subject, threads, plan)))
}

/// What one thread did: when, burst by burst, and how long it waited for a core meanwhile.
struct Ran {
    intervals: Vec<(Instant, Instant)>,
    waited: Duration,
}

/// Nanoseconds of an operation, the mean over the threads, and the part of the time in which all of
/// them ran.
fn run(subject: &Subject, threads: usize, plan: Plan) -> (f64, f64) {
    let barrier = Barrier::default();
    let one_thread = |is_first: bool| {
        let mut worker = (subject.worker)();
        worker(plan.warm_up);
        let mut ran = Ran { intervals: Vec::new(), waited: Duration::ZERO };
        for _ in 0..plan.bursts {
            barrier.wait(threads);
            if is_first {
                (subject.drain)();
            }
            let waited = waited_for_core();
            barrier.wait(threads);
            let start = Instant::now();
            worker(plan.burst);
            ran.intervals.push((start, Instant::now()));
            ran.waited += waited_for_core() - waited;
        }
        ran
    };
    let ran: Vec<_> = std::thread::scope(|scope| {
        let one_thread = &one_thread;
        let spawn = |thread| scope.spawn(move || one_thread(thread == 0));
        let handles: Vec<_> = (0..threads).map(spawn).collect();
        handles.into_iter().map(|handle| handle.join().expect("a worker panicked")).collect()
    });
    (subject.drain)();
    subject.verify(threads as u64, plan.warm_up + plan.burst * plan.bursts, plan.burst);

    let operations = (plan.burst * plan.bursts * subject.each) as f64 * threads as f64;
    let intervals = ran.iter().flat_map(|ran| &ran.intervals);
    let busy: Duration = intervals.map(|(start, end)| *end - *start).sum();
    (busy.as_nanos() as f64 / operations, overlap(&ran, plan.waits))
}

/// The time in which all threads ran over the time in which any did. One that `waits` for its core
/// counts as running.
fn overlap(ran: &[Ran], waits: bool) -> f64 {
    let (mut shared, mut whole) = (Duration::ZERO, Duration::ZERO);
    for burst in 0..ran[0].intervals.len() {
        let (starts, ends): (Vec<_>, Vec<_>) = ran.iter().map(|ran| ran.intervals[burst]).unzip();
        let (first, start) = (starts.iter().min().expect("one"), starts.iter().max().expect("one"));
        let (end, last) = (ends.iter().min().expect("one"), ends.iter().max().expect("one"));
        shared += end.saturating_duration_since(*start);
        whole += *last - *first;
    }
    // Two threads that take turns on one core overlap by the clock, and do not run at once.
    let waited = ran.iter().map(|ran| ran.waited).filter(|_| !waits).max().unwrap_or_default();
    shared.saturating_sub(waited).as_secs_f64() / whole.as_secs_f64()
}

/// How long this thread has been ready to run without a core; zero where the kernel does not say.
pub fn waited_for_core() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = statistics.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// A barrier that spins, so that all leave it within a cache line's journey.
#[derive(Default)]
struct Barrier {
    arrived: AtomicUsize,
}

impl Barrier {
    fn wait(&self, threads: usize) {
        let ticket = self.arrived.fetch_add(1, SeqCst);
        let complete = (ticket / threads + 1) * threads;
        let mut spins = 0_u32;
        while self.arrived.load(SeqCst) < complete {
            spins += 1;
            // Another thread may need this core to arrive at all.
            if spins.is_multiple_of(65_536) { std::thread::yield_now() } else { spin_loop() }
        }
    }
}
