//! Bellwether in the workloads, as its users write it.

use crate::{
    harness::{Pace, Role, Subject, Worker, numbered, repeat},
    workloads::{
        labels::{Method, Sets, Status},
        m4::{VALUES, over},
        m8::{self, Footprint, Load},
        page::{self, Page},
    },
};
use bellwether::{
    Counter, Gauge, Histogram, Telemetry, Unit, UpDownCounter,
    export::prometheus::{self, Format},
    label::{LabelValue, Labels},
    metric::{Aggregation, BoundCounter, BoundHistogram, HistogramOptions, Registry},
    pipeline::{Batch, ExportError, Exporter, Settings},
    resource::Resource,
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
    static BOUND_FLAT: Counter<Set<10>> = Counter::new("peers.bound", "A bound counter in a loop");
    static BOUND_WORKING: Counter<Set<10>> =
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
    let handle = series.clone();
    let worker = move |_| {
        let series = handle.clone();
        repeat(pace, move || series.inc())
    };
    let bound = ours("bound, two labels", worker, move || series.value());
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
    let in_turn = |_| numbered(|number| IN_TURN[number & 63].inc());
    let statics = ours("statics", in_turn, || IN_TURN.iter().map(Counter::value).sum());

    static FAMILY: Counter<Set<10>> = Counter::new("peers.turn", "One family");
    let bind = |i| FAMILY.bind(Set::of(i / 10, i % 10));
    let inc = |series: &BoundCounter| series.inc();
    let bound = Subject::in_turn("bellwether", "bound", bind, inc, |series| series.value());
    vec![statics, bound.role(Role::Ours)]
}

pub fn labels<const N: usize>(name: &str, pace: Pace) -> Vec<Subject> {
    vec![closed_labels::<N>(name, pace), static_texts::<N>(name, pace), own_texts::<N>(name, pace)]
}

/// A counter in a registry with room for every set of M3.
fn roomy<L: Labels>(name: String) -> &'static Counter<L> {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::with_series_limit(20_000));
    let counter = REGISTRY.counter(&name, "Labels at each call", Unit::NONE);
    Box::leak(Box::new(counter.expect("a legal name")))
}

fn closed_labels<const N: usize>(name: &str, pace: Pace) -> Subject {
    let counter = roomy::<Set<N>>(format!("peers.closed.{name}"));
    let sets = Sets::with::<N>();
    let worker = move |_| {
        let mut next = sets.walk();
        repeat(pace, move || {
            let (method, status) = next();
            counter.with(Set::of(method, status)).inc();
        })
    };
    let total = move || sets.indices().map(|(m, s)| counter.bind(Set::of(m, s)).value()).sum();
    ours("closed set, with at each call", worker, total)
}

/// Labels whose values are not known beforehand.
#[derive(bellwether::Labels)]
pub struct Dynamic<'a> {
    pub method: &'a str,
    pub status: &'a str,
}

fn static_texts<const N: usize>(name: &str, pace: Pace) -> Subject {
    let texts = Sets::with::<N>();
    dynamic("dynamic, &'static str", format!("peers.static.{name}"), texts, pace, move || {
        (texts.methods, texts.statuses)
    })
}

/// The thread's own copies: no pointer is the one that was seen first.
fn own_texts<const N: usize>(name: &str, pace: Pace) -> Subject {
    let texts = Sets::with::<N>();
    let copies = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    dynamic("dynamic, any &str", format!("peers.text.{name}"), texts, pace, move || {
        (copies(texts.methods), copies(texts.statuses))
    })
}

fn dynamic<T: AsRef<[S]> + 'static, S: AsRef<str> + 'static>(
    idiom: &'static str,
    name: String,
    sets: Sets,
    pace: Pace,
    texts: impl Fn() -> (T, T) + Sync + 'static,
) -> Subject {
    let counter: &'static Counter<Dynamic<'static>> = roomy(name);
    let worker = move |_| {
        let (mut next, (methods, statuses)) = (sets.walk(), texts());
        repeat(pace, move || {
            let (method, status) = next();
            let (method, status) = (&methods.as_ref()[method], &statuses.as_ref()[status]);
            increment(counter, method.as_ref(), status.as_ref());
        })
    };
    let value = |(method, status)| counter.bind(Dynamic { method, status }).value();
    ours(idiom, worker, move || sets.all().map(value).sum())
}

#[inline(always)]
fn increment<'a>(counter: &'a Counter<Dynamic<'a>>, method: &'a str, status: &'a str) {
    counter.with(Dynamic { method, status }).inc();
}

pub fn histograms(pace: Pace) -> Vec<Subject> {
    static FLAT: Histogram =
        Histogram::new("peers.held", "A histogram in a loop").unit(Unit::Seconds);
    static WORKING: Histogram =
        Histogram::new("peers.held_working", "A histogram between own work").unit(Unit::Seconds);
    LazyLock::force(&VALUES);
    static BOUNDED_FLAT: Histogram = Histogram::new("peers.bounded", "")
        .unit(Unit::Seconds)
        .bounds(::prometheus::DEFAULT_BUCKETS);
    static BOUNDED_WORKING: Histogram = Histogram::new("peers.bounded_working", "")
        .unit(Unit::Seconds)
        .bounds(::prometheus::DEFAULT_BUCKETS);
    let (exponential, explicit) = ("static, quantiles within 1 %", "static, 11 bounds");
    match pace {
        Pace::Flat => vec![
            ours(
                exponential,
                |_| over(Pace::Flat, &VALUES.seconds, |seconds| FLAT.record(seconds)),
                || FLAT.snapshot().count(),
            ),
            ours(
                explicit,
                |_| over(Pace::Flat, &VALUES.seconds, |seconds| BOUNDED_FLAT.record(seconds)),
                || BOUNDED_FLAT.snapshot().count(),
            ),
        ],
        Pace::Working => vec![
            ours(
                exponential,
                |_| over(Pace::Working, &VALUES.seconds, |seconds| WORKING.record(seconds)),
                || WORKING.snapshot().count(),
            ),
            ours(
                explicit,
                |_| over(Pace::Working, &VALUES.seconds, |seconds| BOUNDED_WORKING.record(seconds)),
                || BOUNDED_WORKING.snapshot().count(),
            ),
        ],
    }
}

pub fn timers() -> Vec<Subject> {
    static TIMED: Histogram = Histogram::new("peers.timer", "Timed").unit(Unit::Seconds);
    let worker = |_| repeat(Pace::Flat, || drop(TIMED.start_timer()));
    vec![ours("start_timer, static", worker, || TIMED.snapshot().count())]
}

pub fn gauges() -> Vec<Subject> {
    static SET: Gauge = Gauge::new("peers.set", "Set in a loop");
    let value = |_: &()| SET.value().unwrap_or(0.0) as u64;
    let set = |_: &(), value| SET.set(value);
    vec![Subject::set("bellwether", "static", (), set, value).role(Role::Ours)]
}

pub fn up_down_counters() -> Vec<Subject> {
    static ADD: UpDownCounter = UpDownCounter::new("peers.add", "Added to in a loop");
    vec![ours("static", |_| repeat(Pace::Flat, || ADD.inc()), || ADD.value() as u64)]
}

/// The page of M7 and M9.
pub fn page() -> Page {
    let registry = Registry::new();
    let (mut counters, mut histograms) = (Vec::new(), Vec::new());
    let sets = || Sets::FEW.indices().map(|(method, status)| Set::<10>::of(method, status));
    for name in page::families("page.counter", page::COUNTERS) {
        let family = registry.counter(&name, "A counter", Unit::NONE).expect("a legal name");
        counters.extend(sets().map(|set| family.bind(set)));
    }
    for name in page::families("page.histogram", page::HISTOGRAMS) {
        let family = registry.histogram(&name, "A histogram", Unit::Seconds);
        let family = family.expect("a legal name");
        histograms.extend(sets().map(|set| family.bind(set)));
    }
    let (resource, mut page) = (Resource::service("peers"), prometheus::Page::new(Format::Text));
    let render = move |read: &mut page::Read| read(page.render_registry(&registry, &resource));
    let handles = (counters, histograms);
    let add = |c: &BoundCounter, n| c.add(n);
    let record = |h: &BoundHistogram, value| h.record(value);
    Page::new("bellwether", "Page::render_registry", handles, add, record, render).role(Role::Ours)
}

fn dynamic_sets() -> impl Iterator<Item = Dynamic<'static>> {
    Sets::many().all().map(|(method, status)| Dynamic { method, status })
}

/// For M8.
pub fn counter_footprint(load: Load) -> Footprint {
    let family = roomy("peers.bytes".to_owned());
    m8::footprint(
        load,
        || dynamic_sets().map(|set| family.bind(set)),
        |series, _| series.inc(),
        || (),
        |all| all.iter().map(|series| series.value()).sum(),
    )
}

/// For M8.
pub fn histogram_footprint(load: Load) -> Footprint {
    footprint_with(load, HistogramOptions::new(), 1.0)
}

/// For M8.
pub fn explicit_footprint(load: Load) -> Footprint {
    let bounds = Aggregation::Explicit(::prometheus::DEFAULT_BUCKETS);
    footprint_with(load, HistogramOptions::new().aggregation(bounds), 1.0)
}

/// For M8: in ticks of a nanosecond.
pub fn hdr_footprint(load: Load) -> Footprint {
    let ticks = Aggregation::Hdr { significant_digits: 3 };
    footprint_with(load, HistogramOptions::new().aggregation(ticks), 1e9)
}

fn footprint_with(load: Load, options: HistogramOptions, per_second: f64) -> Footprint {
    let registry = Registry::with_series_limit(20_000);
    let family = registry.histogram_with("peers.bytes", "Bytes", Unit::Seconds, options);
    let family = family.expect("a legal name");
    m8::footprint(
        load,
        || dynamic_sets().map(|set| family.bind(set)),
        |series, value| series.record(value * per_second),
        || (),
        |all| all.iter().map(|series| series.snapshot().count()).sum(),
    )
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

/// Two labels of `N` values each.
#[derive(Clone, Copy)]
struct Set<const N: usize> {
    method: Method<N>,
    status: Status<N>,
}

impl<const N: usize> Set<N> {
    #[inline(always)]
    fn of(method: usize, status: usize) -> Self {
        Self { method: Method(method as u8), status: Status(status as u8) }
    }
}

macro_rules! closed {
    ($type:ident, $texts:ident) => {
        impl<const N: usize> LabelValue for $type<N> {
            const CARDINALITY: Option<usize> = Some(N);

            fn index(&self) -> usize {
                usize::from(self.0)
            }

            fn visit(&self, each: &mut dyn FnMut(&str)) {
                each(Sets::with::<N>().$texts[usize::from(self.0)]);
            }

            fn at(index: usize) -> Cow<'static, str> {
                Sets::with::<N>().$texts[index].into()
            }
        }
    };
}

closed!(Method, methods);
closed!(Status, statuses);

impl<const N: usize> Labels for Set<N> {
    const KEYS: &'static [&'static str] = &["method", "status"];
    const CARDINALITY: Option<usize> = Some(N * N);

    fn index(&self) -> usize {
        self.method.index() * N + self.status.index()
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        self.method.visit(each);
        self.status.visit(each);
    }

    fn at(index: usize) -> Vec<Cow<'static, str>> {
        vec![Method::<N>::at(index / N), Status::<N>::at(index % N)]
    }
}
