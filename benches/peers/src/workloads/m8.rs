//! M8: what a series costs in memory, of 10,000 with two labels.
//!
//! Each library is measured in a process of its own, which is this program started again: nothing
//! that another workload left on the heap is taken for a saving.

use super::{
    Budget, Figure, Table,
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
    let footprints = |series| SUBJECTS.map(|subject| (subject, subject.in_child(series)));
    let (counters, histograms) = (footprints(COUNTERS), footprints(HISTOGRAMS));
    let of = |footprints: &[_], part: fn(&Footprint) -> f64| {
        let figure = |(subject, footprint): &(Subject, Footprint)| subject.figure(part(footprint));
        footprints.iter().map(figure).collect()
    };
    let table = |workload, figures, budget| Table { workload, unit: "B", figures, budget };
    vec![
        table("M8 counter series, live", of(&counters, |f| f.live), |_, _| {
            Some(Budget { limit: 90.0, rule: "90" })
        }),
        table("M8 counter series, live, a further thread", of(&counters, |f| f.further), |_, _| {
            Some(Budget { limit: 8.0, rule: "8" })
        }),
        table("M8 counter series, resident", of(&counters, |f| f.resident), |_, _| None),
        table("M8 histogram series, 100 values, live", of(&histograms, |f| f.live), |_, _| {
            Some(Budget { limit: 500.0, rule: "500" })
        }),
        table("M8 histogram series, resident", of(&histograms, |f| f.resident), |_, _| None),
    ]
}

/// Bytes of a series.
pub struct Footprint {
    /// Allocated and not freed, without the handles.
    live: f64,
    /// In memory.
    resident: f64,
    /// Allocated by a second thread that touches every series by the handles.
    further: f64,
}

/// The argument that makes a child of this program.
pub const CHILD: &str = "--memory-of";

/// What a child does: one library's footprint, as three numbers.
pub fn report_as_child(subject: &str) {
    let (library, series) = subject.split_once('/').expect("a library and a kind of series");
    let named = |subject: &&Subject| subject.library == library;
    let subject = SUBJECTS.iter().find(named).expect("a known library");
    let measure = if series == COUNTERS { subject.counters } else { subject.histograms };
    LazyLock::force(&VALUES);
    Sets::many();
    let Footprint { live, resident, further } = measure();
    println!("{live} {resident} {further}");
}

const COUNTERS: &str = "counters";
const HISTOGRAMS: &str = "histograms";

#[derive(Clone, Copy)]
struct Subject {
    library: &'static str,
    idiom: &'static str,
    role: Role,
    counters: fn() -> Footprint,
    histograms: fn() -> Footprint,
}

const SUBJECTS: [Subject; 7] = [
    peer("prometheus", "with_label_values", prometheus_counters, prometheus_histograms),
    peer("prometheus-client", "Family", client_counters, client_histograms),
    peer("fastmetrics", "Family", fast_counters, fast_histograms),
    peer("measured", "ThreadedRodeo, sparse", measured_counters, measured_histograms),
    peer("metrics", "macros with two labels", metrics_counters, metrics_histograms),
    peer("opentelemetry", "bound, two attributes", otel_counters, otel_histograms),
    Subject {
        library: "bellwether",
        idiom: "bound, two dynamic labels",
        role: Role::Ours,
        counters: bellwether_side::counter_footprint,
        histograms: bellwether_side::histogram_footprint,
    },
];

const fn peer(
    library: &'static str,
    idiom: &'static str,
    counters: fn() -> Footprint,
    histograms: fn() -> Footprint,
) -> Subject {
    Subject { library, idiom, role: Role::Peer, counters, histograms }
}

impl Subject {
    /// The footprint in a new process.
    fn in_child(&self, series: &str) -> Footprint {
        let this = std::env::current_exe().expect("a running program is a file");
        let child =
            Command::new(this).arg(CHILD).arg(format!("{}/{series}", self.library)).output();
        let output = child.expect("it starts again");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} of {series}: {errors}", self.library);
        let text = String::from_utf8(output.stdout).expect("numbers");
        let mut numbers = text.split_whitespace().map(|n| n.parse().expect("a number"));
        let mut next = || numbers.next().expect("three numbers");
        Footprint { live: next(), resident: next(), further: next() }
    }

    fn figure(&self, value: f64) -> Figure {
        let Self { library, idiom, role, .. } = *self;
        Figure { library, idiom, role, threads: 1, value, invalid_rounds: 0 }
    }
}

/// Measures the series that `make` makes, each touched when it is made and again by another thread.
///
/// `settle` is what a scrape would do to them; `total` is what they say was recorded.
pub fn footprint<H: Sync, I: Iterator<Item = H>>(
    make: impl FnOnce() -> I,
    touch: impl Fn(&H) -> u64 + Sync,
    settle: impl FnOnce(),
    total: impl FnOnce(&[H]) -> u64,
) -> Footprint {
    const SERIES: usize = 10_000;
    let mut handles = Vec::with_capacity(SERIES);
    let handle_bytes = (SERIES * size_of::<H>()) as f64;
    let resident_before = resident();
    let (allocated, mut recorded) = allocated_in(|| {
        let touched = make().map(|handle| {
            let recorded = touch(&handle);
            handles.push(handle);
            recorded
        });
        let recorded = touched.sum::<u64>();
        settle();
        recorded
    });
    let resident_after = resident();
    assert_eq!(handles.len(), SERIES);
    let second = || allocated_in(|| handles.iter().map(&touch).sum::<u64>());
    let (further, touched) =
        std::thread::scope(|scope| scope.spawn(second).join().expect("the second thread panicked"));
    recorded += touched;
    assert_eq!(total(&handles), recorded, "a wrong total");
    let resident = match (resident_before, resident_after) {
        (Some(before), Some(after)) => after as f64 - before as f64 - handle_bytes,
        _ => f64::NAN,
    };
    Footprint {
        live: allocated.live as f64 / SERIES as f64,
        resident: resident / SERIES as f64,
        further: further.live as f64 / SERIES as f64,
    }
}

/// Hands 100 log-normal values over, and says so.
pub fn hundred_values(record: impl FnMut(f64)) -> u64 {
    VALUES.seconds[..100].iter().copied().for_each(record);
    100
}

fn prometheus_counters() -> Footprint {
    let opts = Opts::new("bytes", "Bytes");
    let family = IntCounterVec::new(opts, &["method", "status"]).expect("legal names");
    footprint(
        || Sets::many().all().map(|(method, status)| family.with_label_values(&[method, status])),
        |counter| {
            counter.inc();
            1
        },
        || (),
        |all| all.iter().map(|counter| counter.get()).sum(),
    )
}

fn prometheus_histograms() -> Footprint {
    let opts = HistogramOpts::new("bytes", "Bytes");
    let family = prometheus::HistogramVec::new(opts, &["method", "status"]).expect("legal names");
    footprint(
        || Sets::many().all().map(|(method, status)| family.with_label_values(&[method, status])),
        |histogram| hundred_values(|value| histogram.observe(value)),
        || (),
        |all| all.iter().map(|histogram| histogram.get_sample_count()).sum(),
    )
}

fn requests() -> impl Iterator<Item = Request> {
    Sets::many().all().map(|(method, status)| Request { method, status })
}

fn client_counters() -> Footprint {
    use prometheus_client::metrics::{counter::Counter, family::Family};
    let family = Family::<Request, Counter>::default();
    footprint(
        || requests().map(|request| family.get_or_create_owned(&request)),
        |counter| {
            counter.inc();
            1
        },
        || (),
        |all| all.iter().map(|counter| counter.get()).sum(),
    )
}

fn client_histograms() -> Footprint {
    use prometheus_client::metrics::{family::Family, histogram::Histogram};
    let new: fn() -> Histogram = || Histogram::new(DEFAULT_BUCKETS.iter().copied());
    let family = Family::<Request, Histogram, _>::new_with_constructor(new);
    footprint(
        || requests().map(|request| family.get_or_create_owned(&request)),
        |histogram| hundred_values(|value| histogram.observe(value)),
        || (),
        |all| all.iter().map(|histogram| histogram.count()).sum(),
    )
}

fn fast_requests() -> impl Iterator<Item = FastRequest> {
    Sets::many().all().map(|(method, status)| FastRequest { method, status })
}

fn fast_counters() -> Footprint {
    use fastmetrics::metrics::{counter::Counter, family::Family};
    let family = Family::<FastRequest, Counter>::default();
    footprint(
        || fast_requests().map(|request| family.with_or_new(&request, Counter::clone)),
        |counter| {
            counter.inc();
            1
        },
        || (),
        |all| all.iter().map(|counter| counter.total()).sum(),
    )
}

fn fast_histograms() -> Footprint {
    use fastmetrics::metrics::{family::Family, histogram::Histogram};
    let new = || Histogram::new(DEFAULT_BUCKETS.iter().copied());
    let family = Family::<FastRequest, Histogram>::new(new);
    footprint(
        || fast_requests().map(|request| family.with_or_new(&request, Histogram::clone)),
        |histogram| hundred_values(|value| histogram.observe(value)),
        || (),
        |all| all.iter().map(|histogram| histogram.with_snapshot(|s| s.count())).sum(),
    )
}

fn measured_counters() -> Footprint {
    let family: &'static _ = Box::leak(Box::new(CounterVec::with_label_set(OpenSet::new())));
    footprint(
        || {
            let id = |(method, status)| family.with_labels(Open { method, status });
            Sets::many().all().map(id)
        },
        |id| {
            family.get_metric(*id).inc();
            1
        },
        || (),
        |all| all.iter().map(|id| family.get_metric(*id).count.load(Relaxed)).sum(),
    )
}

fn measured_histograms() -> Footprint {
    use measured::{
        metric::{MetricFamilyEncoding, name::MetricName},
        text::BufferedTextEncoder,
    };
    let thresholds = Thresholds::with_buckets(*DEFAULT_BUCKETS);
    let family: HistogramVec<OpenSet, 11> =
        HistogramVec::with_label_set_and_metadata(OpenSet::new(), thresholds);
    footprint(
        || {
            let id = |(method, status)| family.with_labels(Open { method, status });
            Sets::many().all().map(id)
        },
        |id| hundred_values(|value| family.get_metric(*id).observe(value)),
        || (),
        |_| {
            let mut encoder = BufferedTextEncoder::new();
            let Ok(()) = family.collect_family_into(MetricName::from_str("bytes"), &mut encoder);
            let page = encoder.finish();
            recorder::sum_on_page(std::str::from_utf8(&page).expect("text"), "bytes", "_count")
        },
    )
}

fn metrics_counters() -> Footprint {
    let reader = recorder::global();
    footprint(
        || {
            let sets = Sets::many().all();
            sets.map(|(m, s)| metrics::counter!("bytes", "method" => m, "status" => s))
        },
        |counter| {
            counter.increment(1);
            1
        },
        || (),
        |_| recorder::sum_on_page(&reader.render(), "bytes", "bytes"),
    )
}

/// After an upkeep, which a scrape does too: until then each value takes 16 bytes more.
fn metrics_histograms() -> Footprint {
    let reader = recorder::global();
    footprint(
        || {
            let sets = Sets::many().all();
            sets.map(|(m, s)| metrics::histogram!("bytes", "method" => m, "status" => s))
        },
        |histogram| hundred_values(|value| histogram.record(value)),
        || reader.run_upkeep(),
        |_| recorder::sum_on_page(&reader.render(), "bytes", "_count"),
    )
}

fn attributes() -> impl Iterator<Item = [KeyValue; 2]> {
    let set = |(m, s)| [KeyValue::new("method", m), KeyValue::new("status", s)];
    Sets::many().all().map(set)
}

fn otel_counters() -> Footprint {
    let counter = otel::meter().u64_counter("many_bytes").build();
    footprint(
        || attributes().map(|set| counter.bind(&set)),
        |counter| {
            counter.add(1);
            1
        },
        || (),
        |_| otel::total("many_bytes"),
    )
}

fn otel_histograms() -> Footprint {
    let bounds = DEFAULT_BUCKETS.to_vec();
    let histogram = otel::meter().f64_histogram("many_bytes").with_boundaries(bounds).build();
    footprint(
        || attributes().map(|set| histogram.bind(&set)),
        |histogram| hundred_values(|value| histogram.record(value)),
        || (),
        |_| otel::total("many_bytes"),
    )
}
