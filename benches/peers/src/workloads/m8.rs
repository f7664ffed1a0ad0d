//! M8: what a series costs in memory, each with two labels.
//!
//! Each library is measured in a process of its own, which is this program started again: nothing
//! that another workload left on the heap is taken for a saving.

use super::{
    Budget, Figure, Rule, Table,
    labels::{FastRequest, Open, OpenSet, Request, Sets},
    m4::VALUES,
    otel, recorder,
};
use crate::{
    bellwether_side,
    harness::{Effort, Role},
    memory::{allocated_in, resident},
};
use measured::{CounterVec, HistogramVec, metric::histogram::Thresholds};
use opentelemetry::KeyValue;
use prometheus::{DEFAULT_BUCKETS, HistogramOpts, IntCounterVec, Opts};
use std::{
    process::Command,
    sync::{LazyLock, atomic::Ordering::Relaxed},
};

pub fn tables(_: Effort) -> Vec<Table> {
    let counters = Measured::of(&COUNTERS, ONCE);
    let histograms = Measured::of(&HISTOGRAMS, HUNDRED);
    let full = Measured::of(&HISTOGRAMS, MANY);
    vec![
        counters.table(
            "M8 counter series, live",
            1,
            |f| f.live,
            |_, _| Some(Budget { limit: 90.0, rule: "90" }),
        ),
        counters.table(
            "M8 counter series, live, two threads",
            2,
            |f| f.live + f.further,
            |_, _| Some(Budget { limit: 98.0, rule: "90 and 8 of the further thread" }),
        ),
        counters.table("M8 counter series, live, a further thread", 1, |f| f.further, no_budget),
        counters.table("M8 counter series, resident", 1, |f| f.resident, no_budget),
        histograms.table(
            "M8 histogram series, 100 values, live",
            1,
            |f| f.live,
            |_, figure| {
                (figure.idiom == EXPONENTIAL).then_some(Budget { limit: 500.0, rule: "500" })
            },
        ),
        histograms.table("M8 histogram series, 100 values, resident", 1, |f| f.resident, no_budget),
        full.table(
            "M8 histogram series, many values, live",
            1,
            |f| f.live,
            |_, figure| (figure.idiom != HDR).then_some(Budget { limit: 9_000.0, rule: "9 kB" }),
        ),
    ]
}

fn no_budget(_: &Table, _: &Figure) -> Option<Budget> {
    None
}

/// What is recorded into how many series.
#[derive(Clone, Copy)]
pub struct Load {
    name: &'static str,
    series: usize,
    /// Values a series and thread, log-normal ones.
    values: usize,
}

const ONCE: Load = Load { name: "once", series: 10_000, values: 1 };
const HUNDRED: Load = Load { name: "hundred", series: 10_000, values: 100 };
/// Five times all of [`VALUES`]; into few series, so that it takes seconds.
const MANY: Load = Load { name: "many", series: 100, values: 20_480 };

/// Bytes of a series.
#[derive(Clone, Copy)]
pub struct Footprint {
    /// Allocated and not freed, without the handles.
    live: f64,
    /// In memory.
    resident: f64,
    /// Allocated by a second thread that touches every series by the handles.
    further: f64,
}

/// The footprints of some libraries under one load.
struct Measured(Vec<(Subject, Footprint)>);

impl Measured {
    fn of(subjects: &[Subject], load: Load) -> Self {
        Self(subjects.iter().map(|subject| (*subject, subject.in_child(load))).collect())
    }

    fn table(
        &self,
        workload: &'static str,
        threads: usize,
        part: fn(&Footprint) -> f64,
        budget: Rule,
    ) -> Table {
        let figure = |(subject, footprint): &(Subject, Footprint)| {
            let Subject { library, idiom, role, .. } = *subject;
            Figure { library, idiom, role, threads, value: part(footprint), invalid_rounds: 0 }
        };
        Table { workload, unit: "B", figures: self.0.iter().map(figure).collect(), budget }
    }
}

/// The argument that makes a child of this program.
pub const CHILD: &str = "--memory-of";

/// What a child does: one library's footprint, as three numbers.
pub fn report_as_child(subject: &str) {
    let mut parts = subject.split('/');
    let mut next = || parts.next().expect("a library, an idiom and a load");
    let (library, idiom, load) = (next(), next(), next());
    let loads = [ONCE, HUNDRED, MANY];
    let load = *loads.iter().find(|known| known.name == load).expect("a known load");
    let subjects: &[Subject] = if load.name == ONCE.name { &COUNTERS } else { &HISTOGRAMS };
    let named = |subject: &&Subject| (subject.library, subject.idiom) == (library, idiom);
    let subject = subjects.iter().find(named).expect("a known library");
    LazyLock::force(&VALUES);
    Sets::many();
    let Footprint { live, resident, further } = (subject.measure)(load);
    println!("{live} {resident} {further}");
}

#[derive(Clone, Copy)]
struct Subject {
    library: &'static str,
    idiom: &'static str,
    role: Role,
    measure: fn(Load) -> Footprint,
}

const COUNTERS: [Subject; 7] = [
    peer("prometheus", "with_label_values", prometheus_counters),
    peer("prometheus-client", "Family", client_counters),
    peer("fastmetrics", "Family", fast_counters),
    peer("measured", "ThreadedRodeo, sparse", measured_counters),
    peer("metrics", "macros with two labels", metrics_counters),
    peer("opentelemetry", "bound, two attributes", otel_counters),
    ours("bound, two dynamic labels", bellwether_side::counter_footprint),
];

const HISTOGRAMS: [Subject; 9] = [
    peer("prometheus", "with_label_values, 11 bounds", prometheus_histograms),
    peer("prometheus-client", "Family, 11 bounds", client_histograms),
    peer("fastmetrics", "Family, 11 bounds", fast_histograms),
    peer("measured", "ThreadedRodeo, sparse, 11 bounds", measured_histograms),
    peer("metrics", "macros with two labels, after an upkeep", metrics_histograms),
    peer("opentelemetry", "bound, two attributes, 11 bounds", otel_histograms),
    ours(EXPONENTIAL, bellwether_side::histogram_footprint),
    ours("bound, two dynamic labels, 11 bounds", bellwether_side::explicit_footprint),
    ours(HDR, bellwether_side::hdr_footprint),
];

const EXPONENTIAL: &str = "bound, two dynamic labels, within 1 %";
/// Ten times as fine as what the budgets were made for.
const HDR: &str = "bound, two dynamic labels, HDR, 3 digits";

const fn peer(
    library: &'static str,
    idiom: &'static str,
    measure: fn(Load) -> Footprint,
) -> Subject {
    Subject { library, idiom, role: Role::Peer, measure }
}

const fn ours(idiom: &'static str, measure: fn(Load) -> Footprint) -> Subject {
    Subject { library: "bellwether", idiom, role: Role::Ours, measure }
}

impl Subject {
    /// The footprint in a new process.
    fn in_child(&self, load: Load) -> Footprint {
        let Self { library, idiom, .. } = self;
        let this = std::env::current_exe().expect("a running program is a file");
        let subject = format!("{library}/{idiom}/{}", load.name);
        let output = Command::new(this).args([CHILD, &subject]).output().expect("it starts again");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{subject}: {errors}");
        let text = String::from_utf8(output.stdout).expect("numbers");
        let mut numbers = text.split_whitespace().map(|n| n.parse().expect("a number"));
        let mut next = || numbers.next().expect("three numbers");
        Footprint { live: next(), resident: next(), further: next() }
    }
}

/// Measures the series that `make` makes, of each of which `record` is handed the values when it is
/// made and again by another thread.
///
/// `settle` is what a scrape would do to them; `total` is how many values they say were recorded.
pub fn footprint<H: Sync, I: Iterator<Item = H>>(
    load: Load,
    make: impl FnOnce() -> I,
    record: impl Fn(&H, f64) + Sync,
    settle: impl FnOnce(),
    total: impl FnOnce(&[H]) -> u64,
) -> Footprint {
    let values = || VALUES.seconds.iter().cycle().take(load.values);
    let touch = |handle: &H| values().for_each(|&value| record(handle, value));
    let mut handles = Vec::with_capacity(load.series);
    let handle_bytes = (load.series * size_of::<H>()) as f64;
    let resident_before = resident();
    let (allocated, ()) = allocated_in(|| {
        for handle in make().take(load.series) {
            touch(&handle);
            handles.push(handle);
        }
        settle();
    });
    let resident_after = resident();
    assert_eq!(handles.len(), load.series);
    let second = || allocated_in(|| handles.iter().for_each(&touch)).0;
    let further =
        std::thread::scope(|scope| scope.spawn(second).join().expect("the second thread panicked"));
    let recorded = 2 * load.series * load.values;
    assert_eq!(total(&handles), recorded as u64, "a wrong total");
    let resident = match (resident_before, resident_after) {
        (Some(before), Some(after)) => after as f64 - before as f64 - handle_bytes,
        _ => f64::NAN,
    };
    let each = |bytes: f64| bytes / load.series as f64;
    Footprint {
        live: each(allocated.live as f64),
        resident: each(resident),
        further: each(further.live as f64),
    }
}

fn prometheus_counters(load: Load) -> Footprint {
    let opts = Opts::new("bytes", "Bytes");
    let family = IntCounterVec::new(opts, &["method", "status"]).expect("legal names");
    footprint(
        load,
        || Sets::many().all().map(|(method, status)| family.with_label_values(&[method, status])),
        |counter, _| counter.inc(),
        || (),
        |all| all.iter().map(|counter| counter.get()).sum(),
    )
}

fn prometheus_histograms(load: Load) -> Footprint {
    let opts = HistogramOpts::new("bytes", "Bytes");
    let family = prometheus::HistogramVec::new(opts, &["method", "status"]).expect("legal names");
    footprint(
        load,
        || Sets::many().all().map(|(method, status)| family.with_label_values(&[method, status])),
        |histogram, value| histogram.observe(value),
        || (),
        |all| all.iter().map(|histogram| histogram.get_sample_count()).sum(),
    )
}

fn requests() -> impl Iterator<Item = Request> {
    Sets::many().all().map(|(method, status)| Request { method, status })
}

fn client_counters(load: Load) -> Footprint {
    use prometheus_client::metrics::{counter::Counter, family::Family};
    let family = Family::<Request, Counter>::default();
    footprint(
        load,
        || requests().map(|request| family.get_or_create_owned(&request)),
        |counter, _| {
            counter.inc();
        },
        || (),
        |all| all.iter().map(|counter| counter.get()).sum(),
    )
}

fn client_histograms(load: Load) -> Footprint {
    use prometheus_client::metrics::{family::Family, histogram::Histogram};
    let new: fn() -> Histogram = || Histogram::new(DEFAULT_BUCKETS.iter().copied());
    let family = Family::<Request, Histogram, _>::new_with_constructor(new);
    footprint(
        load,
        || requests().map(|request| family.get_or_create_owned(&request)),
        |histogram, value| histogram.observe(value),
        || (),
        |all| all.iter().map(|histogram| histogram.count()).sum(),
    )
}

fn fast_requests() -> impl Iterator<Item = FastRequest> {
    Sets::many().all().map(|(method, status)| FastRequest { method, status })
}

fn fast_counters(load: Load) -> Footprint {
    use fastmetrics::metrics::{counter::Counter, family::Family};
    let family = Family::<FastRequest, Counter>::default();
    footprint(
        load,
        || fast_requests().map(|request| family.with_or_new(&request, Counter::clone)),
        |counter, _| counter.inc(),
        || (),
        |all| all.iter().map(|counter| counter.total()).sum(),
    )
}

fn fast_histograms(load: Load) -> Footprint {
    use fastmetrics::metrics::{family::Family, histogram::Histogram};
    let new = || Histogram::new(DEFAULT_BUCKETS.iter().copied());
    let family = Family::<FastRequest, Histogram>::new(new);
    footprint(
        load,
        || fast_requests().map(|request| family.with_or_new(&request, Histogram::clone)),
        |histogram, value| histogram.observe(value),
        || (),
        |all| all.iter().map(|histogram| histogram.with_snapshot(|s| s.count())).sum(),
    )
}

fn measured_counters(load: Load) -> Footprint {
    let family: &'static _ = Box::leak(Box::new(CounterVec::with_label_set(OpenSet::new())));
    footprint(
        load,
        || {
            let id = |(method, status)| family.with_labels(Open { method, status });
            Sets::many().all().map(id)
        },
        |id, _| family.get_metric(*id).inc(),
        || (),
        |all| all.iter().map(|id| family.get_metric(*id).count.load(Relaxed)).sum(),
    )
}

fn measured_histograms(load: Load) -> Footprint {
    use measured::{
        metric::{MetricFamilyEncoding, name::MetricName},
        text::BufferedTextEncoder,
    };
    let thresholds = Thresholds::with_buckets(*DEFAULT_BUCKETS);
    let family: HistogramVec<OpenSet, 11> =
        HistogramVec::with_label_set_and_metadata(OpenSet::new(), thresholds);
    footprint(
        load,
        || {
            let id = |(method, status)| family.with_labels(Open { method, status });
            Sets::many().all().map(id)
        },
        |id, value| family.get_metric(*id).observe(value),
        || (),
        |_| {
            let mut encoder = BufferedTextEncoder::new();
            let Ok(()) = family.collect_family_into(MetricName::from_str("bytes"), &mut encoder);
            let page = encoder.finish();
            recorder::sum_on_page(std::str::from_utf8(&page).expect("text"), "bytes", "_count")
        },
    )
}

fn metrics_counters(load: Load) -> Footprint {
    let reader = recorder::global();
    footprint(
        load,
        || {
            let sets = Sets::many().all();
            sets.map(|(m, s)| metrics::counter!("bytes", "method" => m, "status" => s))
        },
        |counter, _| counter.increment(1),
        || (),
        |_| recorder::sum_on_page(&reader.render(), "bytes", "bytes"),
    )
}

/// After an upkeep, which a scrape does too: until then each value takes 16 bytes more.
fn metrics_histograms(load: Load) -> Footprint {
    let reader = recorder::global();
    footprint(
        load,
        || {
            let sets = Sets::many().all();
            sets.map(|(m, s)| metrics::histogram!("bytes", "method" => m, "status" => s))
        },
        |histogram, value| histogram.record(value),
        || reader.run_upkeep(),
        |_| recorder::sum_on_page(&reader.render(), "bytes", "_count"),
    )
}

fn attributes() -> impl Iterator<Item = [KeyValue; 2]> {
    let set = |(m, s)| [KeyValue::new("method", m), KeyValue::new("status", s)];
    Sets::many().all().map(set)
}

fn otel_counters(load: Load) -> Footprint {
    let counter = otel::meter().u64_counter("many_bytes").build();
    footprint(
        load,
        || attributes().map(|set| counter.bind(&set)),
        |counter, _| counter.add(1),
        || (),
        |_| otel::total("many_bytes"),
    )
}

fn otel_histograms(load: Load) -> Footprint {
    let bounds = DEFAULT_BUCKETS.to_vec();
    let histogram = otel::meter().f64_histogram("many_bytes").with_boundaries(bounds).build();
    footprint(
        load,
        || attributes().map(|set| histogram.bind(&set)),
        |histogram, value| histogram.record(value),
        || (),
        |_| otel::total("many_bytes"),
    )
}
