//! Runs one library's loop on one or two threads at once and says what an operation cost.
//!
//! Threads start spinning at a barrier; a round counts only if they really ran at the same time.
//! After each round the library's own total must be what was recorded: a wrong total ends the run.

use std::{
    hint::{black_box, spin_loop},
    sync::{
        LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// One library in one idiom, doing one workload.
pub struct Subject {
    pub library: &'static str,
    pub idiom: &'static str,
    pub role: Role,
    worker: Box<dyn Fn(usize) -> Worker + Sync>,
    total: Box<dyn Fn() -> u64 + Sync>,
    drain: Box<dyn Fn() + Sync>,
    expects: Expects,
    recorded: AtomicU64,
}

/// What a library's own total must be after each round.
#[derive(Clone, Copy)]
enum Expects {
    /// The operations of all rounds so far.
    Sum,
    /// The last value of [`RAMP`] that each thread reached in the last round: a gauge holds what
    /// was set last.
    Last,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Role {
    Ours,
    Peer,
    /// What the machine allows.
    Floor,
    /// The thread's own work, without any recording.
    Work,
}

/// Does that many operations; made on the thread that calls it, before the clock runs.
pub type Worker = Box<dyn FnMut(u64)>;

/// What a thread does between two recordings.
#[derive(Clone, Copy)]
pub enum Pace {
    Flat,
    /// About 65 ns of own work: the nearest to real code.
    Working,
}

impl Subject {
    pub fn new(
        library: &'static str,
        idiom: &'static str,
        worker: impl Fn(usize) -> Worker + Sync + 'static,
        total: impl Fn() -> u64 + Sync + 'static,
    ) -> Self {
        Self {
            library,
            idiom,
            role: Role::Peer,
            worker: Box::new(worker),
            total: Box::new(total),
            drain: Box::new(|| ()),
            expects: Expects::Sum,
            recorded: AtomicU64::new(0),
        }
    }

    /// One handle, of which each thread holds a clone, and one operation on it.
    pub fn held<H: Clone + Sync + 'static>(
        library: &'static str,
        idiom: &'static str,
        pace: Pace,
        handle: H,
        operation: impl Fn(&H) + Copy + Sync + 'static,
        total: impl Fn(&H) -> u64 + Sync + 'static,
    ) -> Self {
        let shared = handle.clone();
        let worker = move |_| {
            let handle = shared.clone();
            repeat(pace, move || operation(&handle))
        };
        Self::new(library, idiom, worker, move || total(&handle))
    }

    /// 64 handles, one after the other.
    pub fn in_turn<H: Sync + 'static>(
        library: &'static str,
        idiom: &'static str,
        make: impl FnMut(usize) -> H,
        operation: impl Fn(&H) + Copy + Sync + 'static,
        total: impl Fn(&H) -> u64 + Sync + 'static,
    ) -> Self {
        let handles: &'static [H; 64] = Box::leak(Box::new(std::array::from_fn(make)));
        let worker = move |_| numbered(move |number| operation(&handles[number & 63]));
        Self::new(library, idiom, worker, move || handles.iter().map(&total).sum())
    }

    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// What empties the library's queue between two bursts, outside the measured time.
    pub fn drain(mut self, drain: impl Fn() + Sync + 'static) -> Self {
        self.drain = Box::new(drain);
        self
    }

    /// Sets a gauge to the values of [`RAMP`], over and over.
    pub fn set<H: Clone + Sync + 'static>(
        library: &'static str,
        idiom: &'static str,
        gauge: H,
        set: impl Fn(&H, f64) + Copy + Sync + 'static,
        value: impl Fn(&H) -> u64 + Sync + 'static,
    ) -> Self {
        let shared = gauge.clone();
        let worker = move |_| {
            let (gauge, mut next) = (shared.clone(), 0);
            repeat(Pace::Flat, move || {
                // Hidden, or the compiler would make one loop of eight stores out of eight.
                set(&gauge, black_box(RAMP[next & (RAMP.len() - 1)]));
                next += 1;
            })
        };
        let expects = Expects::Last;
        Self { expects, ..Self::new(library, idiom, worker, move || value(&gauge)) }
    }

    /// Panics unless the library's own total is what was recorded into it, now that each of the
    /// `threads` did `each` operations more.
    fn verify(&self, threads: u64, each: u64) {
        let recorded = each * threads + self.recorded.fetch_add(each * threads, SeqCst);
        let expected = match self.expects {
            Expects::Sum => recorded,
            Expects::Last => (each - 1) % RAMP.len() as u64 + 1,
        };
        let total = (self.total)();
        assert_eq!(total, expected, "{} ({}): a wrong total", self.library, self.idiom);
    }
}

/// One, two, three and so on, made beforehand: a conversion is no part of setting a gauge.
static RAMP: [f64; 1024] = {
    let mut ramp = [0.0; 1024];
    let mut place = 0;
    while place < ramp.len() {
        ramp[place] = (place + 1) as f64;
        place += 1;
    }
    ramp
};

/// The recording loop of `body` at a pace, compiled into one.
pub fn repeat(pace: Pace, body: impl FnMut() + 'static) -> Worker {
    let mut body = Apart(body);
    match pace {
        Pace::Flat => Box::new(move |n| {
            let Apart(body) = &mut body;
            (0..n).for_each(|_| body());
        }),
        Pace::Working => Box::new(move |n| {
            let Apart(body) = &mut body;
            let (mut state, links) = (black_box(1_u64), *LINKS);
            for _ in 0..n {
                state = own_work(state, links);
                body();
            }
            black_box(state);
        }),
    }
}

/// The recording loop of `body` over numbers. The number is the loop's own and in a register: one that
/// the body keeps lies in memory beside a call that it rarely makes, and each turn then waits for the
/// store of the one before, six cycles where the processor does not see through it.
pub fn numbered(mut body: impl FnMut(usize) + 'static) -> Worker {
    let mut first = 0;
    Box::new(move |n| {
        (first..first + n as usize).for_each(&mut body);
        first += n as usize;
    })
}

/// Keeps a loop's own variables on cache lines of their own: the heap may place those of two threads
/// side by side, and every library would then look as if it shared something.
#[repr(align(128))]
struct Apart<F>(F);

/// The baseline of [`Pace::Working`].
pub fn work_alone() -> Subject {
    let worker = |_| repeat(Pace::Working, || ());
    Subject::new("", "own work alone", worker, || 0).role(Role::Work)
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

/// How much is done in a round.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Of measured time, per round and thread.
    pub round: Duration,
    pub rounds: usize,
    pub passes: usize,
}

/// How a workload is cut up.
#[derive(Clone, Copy)]
pub enum Stretch {
    /// As many operations as fill a round.
    Round,
    /// So many between two drains, for a workload that fills queues.
    Bursts(u64),
    /// So many by a new thread each time, the first ones included.
    NewThread(u64),
}

/// How many operations a thread does at a stretch, and how often, with a drain after each.
#[derive(Clone, Copy)]
pub struct Plan {
    warm_up: u64,
    burst: u64,
    bursts: u64,
}

impl Plan {
    /// A plan that takes about `effort.round`, unless the stretch says otherwise.
    pub fn calibrated(subject: &Subject, threads: usize, effort: Effort, stretch: Stretch) -> Self {
        let probe = match stretch {
            Stretch::Round => Self::warmed(20_000),
            Stretch::Bursts(burst) => Self { warm_up: burst / 10, burst, bursts: 1 },
            Stretch::NewThread(burst) => return Self { warm_up: 0, burst, bursts: 1 },
        };
        let nanos = run(subject, threads, probe).nanos.max(0.2);
        let operations = (effort.round.as_nanos() as f64 / nanos) as u64;
        match stretch {
            Stretch::Bursts(burst) => Self { bursts: (operations / burst).max(5), ..probe },
            _ => Self::warmed(operations.max(10_000)),
        }
    }

    /// A thread touches every one of 10,000 label sets before its time counts.
    fn warmed(burst: u64) -> Self {
        Self { warm_up: (burst / 10).max(10_000), burst, bursts: 1 }
    }
}

/// A round in which all threads ran at once for nine tenths of the time; on a machine too busy for
/// that, the best of ten, which says so by its overlap.
pub fn round(subject: &Subject, threads: usize, plan: Plan) -> Round {
    let mut best = run(subject, threads, plan);
    for _ in 1..10 {
        if best.is_valid() {
            break;
        }
        let again = run(subject, threads, plan);
        if again.overlap > best.overlap {
            best = again;
        }
    }
    best
}

pub struct Round {
    /// Per operation, the mean over the threads.
    pub nanos: f64,
    /// The part of the time in which all threads ran, in [0, 1].
    overlap: f64,
}

impl Round {
    pub fn is_valid(&self) -> bool {
        self.overlap >= 0.9
    }
}

/// What one thread did: when, burst by burst, and how long it waited for a core meanwhile.
struct Ran {
    intervals: Vec<(Instant, Instant)>,
    waited: Duration,
}

fn run(subject: &Subject, threads: usize, plan: Plan) -> Round {
    let barrier = Barrier::default();
    let one_thread = |thread| {
        let mut worker = (subject.worker)(thread);
        worker(plan.warm_up);
        let mut intervals = Vec::with_capacity(plan.bursts as usize);
        let mut waited = Duration::ZERO;
        for _ in 0..plan.bursts {
            barrier.wait(threads);
            if thread == 0 {
                (subject.drain)();
            }
            let waited_before = waited_for_core();
            barrier.wait(threads);
            let start = Instant::now();
            worker(plan.burst);
            intervals.push((start, Instant::now()));
            waited += waited_for_core() - waited_before;
        }
        Ran { intervals, waited }
    };
    let ran: Vec<_> = std::thread::scope(|scope| {
        let one_thread = &one_thread;
        let handles: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || one_thread(thread))).collect();
        handles.into_iter().map(|handle| handle.join().expect("a worker panicked")).collect()
    });
    (subject.drain)();
    if subject.role != Role::Work {
        subject.verify(threads as u64, plan.warm_up + plan.burst * plan.bursts);
    }

    let operations = (plan.burst * plan.bursts) as f64 * threads as f64;
    let intervals = ran.iter().flat_map(|ran| &ran.intervals);
    let busy: Duration = intervals.map(|(start, end)| *end - *start).sum();
    Round { nanos: busy.as_nanos() as f64 / operations, overlap: overlap(&ran) }
}

/// The time in which all threads ran over the time in which any did.
fn overlap(ran: &[Ran]) -> f64 {
    let (mut shared, mut whole) = (Duration::ZERO, Duration::ZERO);
    for burst in 0..ran[0].intervals.len() {
        let of_burst = || ran.iter().map(|ran| ran.intervals[burst]);
        let (first, last) = (of_burst().map(|i| i.0).min(), of_burst().map(|i| i.1).max());
        let (start, end) = (of_burst().map(|i| i.0).max(), of_burst().map(|i| i.1).min());
        shared += end.expect("a thread").saturating_duration_since(start.expect("a thread"));
        whole += last.expect("a thread") - first.expect("a thread");
    }
    // Two threads that take turns on one core overlap by the clock, and do not run at once.
    let waited = ran.iter().map(|ran| ran.waited).max().unwrap_or_default();
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

/// The middle value; of two, the lower.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}
