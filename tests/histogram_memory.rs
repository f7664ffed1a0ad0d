//! What a series of a histogram costs in memory, by an allocator that counts.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod counting;

use bellwether::{
    Histogram, Labels, Unit,
    metric::{BoundHistogram, HistogramOptions, Registry},
};

const SERIES: usize = 1_000;

#[derive(Labels)]
struct Route<'a> {
    method: &'a str,
    status: &'a str,
}

/// What a series with two labels costs when `record` has recorded into it on one thread: its labels,
/// its place among a thousand, the thread's values. Not the handle.
///
/// The first value goes into all of them, the others into the first `full`. What the thread keeps to
/// find any of them by is shared by all.
fn bytes_a_series(
    options: HistogramOptions,
    full: usize,
    record: impl Fn(&BoundHistogram, usize),
) -> f64 {
    let texts: Vec<_> = (0..SERIES).map(|n| n.to_string()).collect();
    let mut handles = Vec::with_capacity(SERIES);
    let registry = Registry::new();
    let family = registry.histogram("size", "").unit(Unit::Bytes).options(options);
    let family: Histogram<Route<'_>> = family.labels().build().unwrap();
    let live = |work: &mut dyn FnMut()| {
        let before = counting::live_of_thread();
        work();
        (counting::live_of_thread() - before) as f64
    };
    let each = live(&mut || {
        for text in &texts {
            let handle = family.bind(Route { method: "GET", status: text });
            handle.record(1.0);
            handles.push(handle);
        }
        // Beyond their logs, so that the thread's way to all of the counts by bucket is there.
        for first_or_last in [&handles[0], &handles[SERIES - 1]] {
            (0..200).for_each(|_| first_or_last.record(1.0));
        }
    });
    let full = full.min(SERIES - 2);
    let more = live(&mut || (0..full).for_each(|n| record(&handles[1 + n], n)));
    each / SERIES as f64 + more / full as f64
}

/// Log-normal values around one, other ones for each seed and the same in every run.
fn log_normal(seed: usize) -> impl Iterator<Item = f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed as u64 + 1);
    // Xorshift (Marsaglia 2003).
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    // Box and Muller's transformation of two uniform values to a normal one.
    std::iter::from_fn(move || {
        let radius = (-2.0 * uniform().max(1e-300).ln()).sqrt();
        Some((radius * (std::f64::consts::TAU * uniform()).cos()).exp())
    })
}

#[test]
fn a_series_of_a_hundred_values_costs_at_most_500_bytes() {
    let bytes = bytes_a_series(HistogramOptions::new(), SERIES, |histogram, seed| {
        log_normal(seed).take(99).for_each(|value| histogram.record(value));
    });
    assert!(bytes <= 500.0, "{bytes} bytes");
    assert!(bytes >= 256.0, "{bytes} bytes: the allocator counts");
}

fn bytes_of_log_normal(values: usize) -> f64 {
    bytes_a_series(HistogramOptions::new(), 10, |histogram, seed| {
        log_normal(seed).take(values).for_each(|value| histogram.record(value));
    })
}

#[test]
fn a_series_of_twenty_thousand_log_normal_values_costs_at_most_9_000_bytes() {
    let bytes = bytes_of_log_normal(20_000);
    assert!(bytes <= 9_000.0, "{bytes} bytes");
}

/// They are of 15 or 16 powers of two.
#[test]
fn a_series_of_a_million_log_normal_values_costs_at_most_10_000_bytes() {
    let bytes = bytes_of_log_normal(1_000_000);
    assert!(bytes <= 10_000.0, "{bytes} bytes");
}

#[test]
fn a_series_of_values_of_every_magnitude_costs_at_most_38_kilobytes() {
    let magnitudes = || (-1_074..1_024).map(|exponent| 2f64.powi(exponent));
    let bytes = bytes_a_series(HistogramOptions::new(), 4, |histogram, _| {
        histogram.record(0.0);
        (0..10).flat_map(|_| magnitudes()).for_each(|value| histogram.record(value));
    });
    assert!(bytes <= 38_000.0, "{bytes} bytes");
    assert!(bytes >= 512.0 * 70.0, "{bytes} bytes: 70 powers of two are told apart");
}
