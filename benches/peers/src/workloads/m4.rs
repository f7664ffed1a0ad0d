//! M4: a histogram by a held handle, over log-normal values made beforehand.

use super::{Budget, Workload, floor, otel};
use crate::{
    bellwether_side,
    harness::{Pace, Subject, repeat},
};
use hdrhistogram::{Histogram, sync::SyncHistogram};
use metriken::ShardedCounterHistogram;
use prometheus::HistogramOpts;
use std::sync::{LazyLock, Mutex};

pub fn held() -> Workload {
    let mut subjects = vec![floor::thread_local_spread()];
    subjects.extend(histograms(Pace::Flat));
    Workload {
        name: "M4 histogram",
        subjects,
        burst: None,
        budget: |figures, figure| {
            let metriken = figures.fastest(figure.threads, |figure| figure.library == "metriken");
            Budget { limit: 0.5 * metriken.unwrap_or(f64::NAN), rule: "0.5 x metriken sharded" }
        },
    }
}

/// One histogram of each library; bounds and precision as each one's documentation starts with.
pub fn histograms(pace: Pace) -> Vec<Subject> {
    let mut subjects = vec![
        metriken(pace),
        hdrhistogram(pace),
        prometheus(pace),
        prometheus_client(pace),
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
) -> crate::harness::Worker {
    let mut next = 0;
    repeat(pace, move || {
        record(values[next & (LEN - 1)]);
        next += 1;
    })
}

fn metriken(pace: Pace) -> Subject {
    // 2^7 buckets an octave: within 0.8 %.
    let histogram: &'static _ = Box::leak(Box::new(ShardedCounterHistogram::new(7, 64)));
    let worker = move |_| {
        over(pace, &VALUES.nanos, |nanos| histogram.increment(nanos).expect("within its range"))
    };
    let total = || {
        let loaded = histogram.load();
        loaded.map_or(0, |loaded| loaded.into_iter().map(|bucket| bucket.count()).sum())
    };
    Subject::new("metriken", "ShardedCounterHistogram(7, 64)", worker, total)
}

fn hdrhistogram(pace: Pace) -> Subject {
    let histogram = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 2).expect("legal");
    let shared: &'static _ = Box::leak(Box::new(Mutex::new(SyncHistogram::from(histogram))));
    let worker = move |_| {
        let mut recorder = shared.lock().expect("nobody panicked").recorder();
        over(pace, &VALUES.nanos, move |nanos| recorder.record(nanos).expect("within its range"))
    };
    let total = || {
        let mut histogram = shared.lock().expect("nobody panicked");
        histogram.refresh();
        histogram.len()
    };
    Subject::new("hdrhistogram", "Recorder, 2 digits, of the own thread", worker, total)
}

fn prometheus(pace: Pace) -> Subject {
    let options = HistogramOpts::new("held", "Held");
    let histogram = prometheus::Histogram::with_opts(options).expect("a legal name");
    let handle = histogram.clone();
    let worker = move |_| {
        let histogram = handle.clone();
        over(pace, &VALUES.seconds, move |seconds| histogram.observe(seconds))
    };
    Subject::new("prometheus", "Histogram, 11 bounds", worker, move || histogram.get_sample_count())
}

fn prometheus_client(pace: Pace) -> Subject {
    use prometheus_client::metrics::histogram::Histogram;
    let histogram = Histogram::new(prometheus::DEFAULT_BUCKETS.iter().copied());
    let handle = histogram.clone();
    let worker = move |_| {
        let histogram = handle.clone();
        over(pace, &VALUES.seconds, move |seconds| histogram.observe(seconds))
    };
    Subject::new("prometheus-client", "Histogram, 11 bounds", worker, move || histogram.count())
}

fn otel(pace: Pace) -> Subject {
    let name = match pace {
        Pace::Flat => "held",
        Pace::Working => "held_working",
    };
    let bounds = prometheus::DEFAULT_BUCKETS.to_vec();
    let histogram = otel::meter().f64_histogram(name).with_boundaries(bounds).build().bind(&[]);
    let worker = move |_| {
        let histogram = histogram.clone();
        over(pace, &VALUES.seconds, move |seconds| histogram.record(seconds))
    };
    Subject::new("opentelemetry", "bound histogram, 11 bounds", worker, move || otel::total(name))
}
