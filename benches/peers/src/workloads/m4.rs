//! M4: a histogram by a held handle, over log-normal values made beforehand.

use super::{Budget, Figure, Recording, Table, floor, otel, recorder};
use crate::{
    bellwether_side,
    harness::{Effort, Pace, Stretch, Subject, Worker, repeat},
};
use hdrhistogram::{Histogram, sync::SyncHistogram};
use measured::{
    metric::{MetricFamilyEncoding, histogram::Thresholds, name::MetricName},
    text::BufferedTextEncoder,
};
use metriken::ShardedCounterHistogram;
use prometheus::HistogramOpts;
use std::sync::{Arc, LazyLock, Mutex};

pub fn tables(effort: Effort) -> Vec<Table> {
    vec![held().measure(effort)]
}

fn held() -> Recording {
    let mut subjects = vec![floor::own_histogram(), floor::thread_local_spread()];
    subjects.extend(histograms(Pace::Flat));
    Recording { name: "M4 histogram", subjects, stretch: Stretch::Round, budget }
}

fn budget(table: &Table, figure: &Figure) -> Option<Budget> {
    Some(if figure.idiom.ends_with("11 bounds") {
        let limit = table.times(0.35, "prometheus-client", figure.threads);
        Budget { limit, rule: "0.35 x prometheus-client" }
    } else {
        let limit = table.times(0.5, "metriken", figure.threads);
        Budget { limit, rule: "0.5 x metriken sharded" }
    })
}

/// One histogram of each library; bounds and precision as each one's documentation starts with.
pub fn histograms(pace: Pace) -> Vec<Subject> {
    let mut subjects = vec![
        metriken(pace),
        hdrhistogram(pace),
        prometheus(pace),
        prometheus_client(pace),
        fastmetrics(pace),
        measured(pace),
        metrics(pace),
        otel(pace),
    ];
    subjects.extend(bellwether_side::histograms(pace));
    subjects
}

/// 4,096 log-normal durations around a millisecond: 32 kB, which is too many for a branch
/// predictor to learn and few enough for the nearest cache.
pub struct Values {
    pub seconds: [f64; LEN],
    pub nanos: [u64; LEN],
}

const LEN: usize = 4096;

pub static VALUES: LazyLock<Box<Values>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // Xorshift: the same values in every run.
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut values = Box::new(Values { seconds: [0.0; LEN], nanos: [0; LEN] });
    for i in 0..LEN {
        // Box and Muller's transformation of two uniform values to a normal one.
        let radius = (-2.0 * uniform().max(1e-300).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * uniform()).cos();
        values.seconds[i] = 1e-3 * normal.exp();
        values.nanos[i] = (values.seconds[i] * 1e9) as u64;
    }
    values
});

/// The recording loop of `record` over `values`.
pub fn over<T: Copy + 'static>(
    pace: Pace,
    values: &'static [T; LEN],
    mut record: impl FnMut(T) + 'static,
) -> Worker {
    let mut next = 0;
    repeat(pace, move || {
        record(values[next & (LEN - 1)]);
        next += 1;
    })
}

/// A histogram of seconds by a held handle.
fn seconds<H: Clone + Sync + 'static>(
    library: &'static str,
    idiom: &'static str,
    pace: Pace,
    histogram: H,
    record: impl Fn(&H, f64) + Copy + Sync + 'static,
    total: impl Fn(&H) -> u64 + Sync + 'static,
) -> Subject {
    let shared = histogram.clone();
    let worker = move |_| {
        let histogram = shared.clone();
        over(pace, &VALUES.seconds, move |seconds| record(&histogram, seconds))
    };
    Subject::new(library, idiom, worker, move || total(&histogram))
}

fn metriken(pace: Pace) -> Subject {
    let histogram = sharded();
    let worker = move |_| {
        over(pace, &VALUES.nanos, |nanos| histogram.increment(nanos).expect("within its range"))
    };
    let total = || sharded_count(histogram);
    Subject::new("metriken", "ShardedCounterHistogram(7, 64)", worker, total)
}

/// 2^7 buckets an octave: within 0.8 %.
pub fn sharded() -> &'static ShardedCounterHistogram {
    Box::leak(Box::new(ShardedCounterHistogram::new(7, 64)))
}

pub fn sharded_count(histogram: &ShardedCounterHistogram) -> u64 {
    let loaded = histogram.load();
    loaded.map_or(0, |loaded| loaded.into_iter().map(|bucket| bucket.count()).sum())
}

fn hdrhistogram(pace: Pace) -> Subject {
    let shared = two_digits();
    let worker = move |_| {
        let mut recorder = shared.lock().expect("nobody panicked").recorder();
        over(pace, &VALUES.nanos, move |nanos| recorder.record(nanos).expect("within its range"))
    };
    let total = || two_digits_count(shared);
    Subject::new("hdrhistogram", "Recorder, 2 digits, of the own thread", worker, total)
}

pub fn two_digits() -> &'static Mutex<SyncHistogram<u64>> {
    let histogram = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 2).expect("legal");
    Box::leak(Box::new(Mutex::new(SyncHistogram::from(histogram))))
}

pub fn two_digits_count(shared: &Mutex<SyncHistogram<u64>>) -> u64 {
    let mut histogram = shared.lock().expect("nobody panicked");
    histogram.refresh();
    histogram.len()
}

fn prometheus(pace: Pace) -> Subject {
    let options = HistogramOpts::new("held", "Held");
    let histogram = prometheus::Histogram::with_opts(options).expect("a legal name");
    let total = |h: &prometheus::Histogram| h.get_sample_count();
    let idiom = "Histogram, 11 bounds";
    seconds("prometheus", idiom, pace, histogram, |h, value| h.observe(value), total)
}

fn prometheus_client(pace: Pace) -> Subject {
    use prometheus_client::metrics::histogram::Histogram;
    let histogram = Histogram::new(prometheus::DEFAULT_BUCKETS.iter().copied());
    let total = |h: &Histogram| h.count();
    let idiom = "Histogram, 11 bounds";
    seconds("prometheus-client", idiom, pace, histogram, |h, value| h.observe(value), total)
}

fn fastmetrics(pace: Pace) -> Subject {
    use fastmetrics::metrics::histogram::Histogram;
    let histogram = Histogram::new(prometheus::DEFAULT_BUCKETS.iter().copied());
    let total = |h: &Histogram| h.with_snapshot(|snapshot| snapshot.count());
    let idiom = "Histogram, 11 bounds";
    seconds("fastmetrics", idiom, pace, histogram, |h, value| h.observe(value), total)
}

fn measured(pace: Pace) -> Subject {
    let idiom = "Histogram, 11 bounds";
    let observe = |h: &Arc<Eleven>, value| h.observe(value);
    seconds("measured", idiom, pace, eleven(), observe, |h| eleven_count(h))
}

pub type Eleven = measured::Histogram<11>;

pub fn eleven() -> Arc<Eleven> {
    Arc::new(Eleven::with_metadata(Thresholds::with_buckets(*prometheus::DEFAULT_BUCKETS)))
}

pub fn eleven_count(histogram: &Eleven) -> u64 {
    let mut encoder = BufferedTextEncoder::new();
    let name = MetricName::from_str("held");
    let Ok(()) = histogram.collect_family_into(name, &mut encoder);
    let page = encoder.finish();
    recorder::sum_on_page(std::str::from_utf8(&page).expect("text"), "held", "_count")
}

fn metrics(pace: Pace) -> Subject {
    let (histogram, reader) = recorder::held(|| metrics::histogram!("held"));
    let total = move |_: &_| recorder::sum_on_page(&reader.render(), "held", "_count");
    let idiom = "Histogram, 11 bounds";
    seconds("metrics", idiom, pace, histogram, |h, value| h.record(value), total)
}

fn otel(pace: Pace) -> Subject {
    let name = match pace {
        Pace::Flat => "held",
        Pace::Working => "held_working",
    };
    let bounds = prometheus::DEFAULT_BUCKETS.to_vec();
    let histogram = otel::meter().f64_histogram(name).with_boundaries(bounds).build().bind(&[]);
    let total = move |_: &_| otel::total(name);
    let idiom = "bound histogram, 11 bounds";
    seconds("opentelemetry", idiom, pace, histogram, |h, value| h.record(value), total)
}
