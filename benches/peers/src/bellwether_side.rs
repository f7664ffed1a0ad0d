//! Bellwether in the workloads, as its users write it.

use crate::{
    harness::{Pace, Role, Subject, Worker, repeat},
    workloads::{
        m4::{VALUES, over},
        mw::{METHODS, STATUSES, sets},
    },
};
use bellwether::{
    Counter, Histogram, Telemetry, Unit,
    label::{LabelValue, Labels},
    metric::BoundCounter,
    pipeline::{Batch, ExportError, Exporter, Settings},
    trace::SpanRecord,
};
use std::{
    borrow::Cow,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

fn ours(
    idiom: &'static str,
    worker: impl Fn(usize) -> Worker + Sync + 'static,
    total: impl Fn() -> u64 + Sync + 'static,
) -> Subject {
    Subject::new("bellwether", idiom, worker, total).role(Role::Ours)
}

pub fn counters(pace: Pace) -> Vec<Subject> {
    static FLAT: Counter = Counter::new("peers.one", "A counter in a loop");
    static WORKING: Counter = Counter::new("peers.one_working", "A counter between own work");
    static BOUND_FLAT: Counter<Set> = Counter::new("peers.bound", "A bound counter in a loop");
    static BOUND_WORKING: Counter<Set> =
        Counter::new("peers.bound_working", "A bound counter between own work");
    // Each arm names its static, so that the loop knows the address as a user's code does.
    let (fixed, bound) = match pace {
        Pace::Flat => {
            (ours("static", |_| repeat(Pace::Flat, || FLAT.inc()), || FLAT.value()), &BOUND_FLAT)
        }
        Pace::Working => (
            ours("static", |_| repeat(Pace::Working, || WORKING.inc()), || WORKING.value()),
            &BOUND_WORKING,
        ),
    };
    let series = bound.bind(Set::of(1, 1));
    let bound = ours(
        "bound, two labels",
        move |_| repeat(pace, move || series.inc()),
        move || series.value(),
    );
    vec![fixed, bound]
}

macro_rules! counters_in_turn {
    ($($number:literal)*) => {
        static IN_TURN: [Counter; 64] =
            [$(Counter::new(concat!("peers.turn.", $number), "One of 64")),*];
    };
}

counters_in_turn! {
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
    16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
    48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
}

pub fn counters_in_turn() -> Vec<Subject> {
    let in_turn = |_| {
        let mut next = 0;
        repeat(Pace::Flat, move || {
            IN_TURN[next & 63].inc();
            next += 1;
        })
    };
    let statics = ours("statics", in_turn, || IN_TURN.iter().map(Counter::value).sum());

    static FAMILY: Counter<Set> = Counter::new("peers.turn", "One family");
    let series: &'static [BoundCounter] =
        (0..64).map(|i| FAMILY.bind(Set::of(i / 10, i % 10))).collect::<Vec<_>>().leak();
    let in_turn = move |_| {
        let mut next = 0;
        repeat(Pace::Flat, move || {
            series[next & 63].inc();
            next += 1;
        })
    };
    let bound = ours("bound", in_turn, || series.iter().map(|series| series.value()).sum());
    vec![statics, bound]
}

pub fn labels() -> Vec<Subject> {
    static LABELLED: Counter<Set> = Counter::new("peers.labelled", "Labels at each call");
    let worker = |_| {
        let mut next = sets();
        repeat(Pace::Working, move || {
            let (method, status) = next();
            LABELLED.bind(Set::of(method, status)).inc();
        })
    };
    let total = || {
        let all = (0..10).flat_map(|method| (0..10).map(move |status| Set::of(method, status)));
        all.map(|set| LABELLED.bind(set).value()).sum()
    };
    vec![ours("closed set, bound at each call", worker, total)]
}

pub fn histograms(pace: Pace) -> Vec<Subject> {
    static FLAT: Histogram =
        Histogram::new("peers.held", "A histogram in a loop").unit(Unit::Seconds);
    static WORKING: Histogram =
        Histogram::new("peers.held_working", "A histogram between own work").unit(Unit::Seconds);
    LazyLock::force(&VALUES);
    let subject = match pace {
        Pace::Flat => ours(
            "static, quantiles within 1 %",
            |_| over(Pace::Flat, &VALUES.seconds, |seconds| FLAT.record(seconds)),
            || FLAT.snapshot().count(),
        ),
        Pace::Working => ours(
            "static, quantiles within 1 %",
            |_| over(Pace::Working, &VALUES.seconds, |seconds| WORKING.record(seconds)),
            || WORKING.snapshot().count(),
        ),
    };
    vec![subject]
}

pub fn root_spans() -> Vec<Subject> {
    // As for the peers: the worker takes what is queued when it is drained, not while it is measured.
    let mut settings = Settings::default();
    settings.batch_items = 8_192;
    settings.batch_delay = Duration::from_secs(3600);
    let telemetry = bellwether::builder("peers").exporter_with(CountSpans, settings);
    let telemetry = telemetry.start().expect("it starts");
    let telemetry: &'static Telemetry = Box::leak(Box::new(telemetry));
    let drain = move || {
        let report = telemetry.flush(Duration::from_secs(5)).totals();
        assert_eq!(report.delivered, report.offered, "nothing is dropped or held: {report:?}");
    };
    let start = |_| repeat(Pace::Flat, || bellwether::span(STARTED_NAME).root().start().end());
    let enter = |_| repeat(Pace::Flat, || drop(bellwether::span("entered").root().enter()));
    vec![
        ours("span, root, start", start, || STARTED.load(Relaxed)).drain(drain),
        ours("span, root, enter", enter, || ENTERED.load(Relaxed)).drain(drain),
    ]
}

const STARTED_NAME: &str = "started";
static STARTED: AtomicU64 = AtomicU64::new(0);
static ENTERED: AtomicU64 = AtomicU64::new(0);

struct CountSpans;

impl Exporter<SpanRecord> for CountSpans {
    fn export(&mut self, batch: &Batch<SpanRecord>) -> Result<(), ExportError<SpanRecord>> {
        let started = batch.iter().filter(|span| span.name() == STARTED_NAME).count();
        STARTED.fetch_add(started as u64, Relaxed);
        ENTERED.fetch_add((batch.len() - started) as u64, Relaxed);
        Ok(())
    }
}

/// Two labels of ten values each.
#[derive(Clone, Copy)]
struct Set {
    method: Method,
    status: Status,
}

impl Set {
    #[inline(always)]
    fn of(method: usize, status: usize) -> Self {
        Self { method: Method(method as u8), status: Status(status as u8) }
    }
}

#[derive(Clone, Copy)]
struct Method(u8);

#[derive(Clone, Copy)]
struct Status(u8);

macro_rules! closed {
    ($type:ty, $texts:expr) => {
        impl LabelValue for $type {
            const CARDINALITY: Option<usize> = Some(10);

            fn index(&self) -> usize {
                usize::from(self.0)
            }

            fn visit(&self, each: &mut dyn FnMut(&str)) {
                each($texts[usize::from(self.0)]);
            }

            fn at(index: usize) -> Cow<'static, str> {
                $texts[index].into()
            }
        }
    };
}

closed!(Method, METHODS);
closed!(Status, STATUSES);

impl Labels for Set {
    const KEYS: &'static [&'static str] = &["method", "status"];
    const CARDINALITY: Option<usize> = Some(100);

    fn index(&self) -> usize {
        self.method.index() * 10 + self.status.index()
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        self.method.visit(each);
        self.status.visit(each);
    }

    fn at(index: usize) -> Vec<Cow<'static, str>> {
        vec![Method::at(index / 10), Status::at(index % 10)]
    }
}
