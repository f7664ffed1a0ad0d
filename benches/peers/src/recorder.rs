//! The recorder of `metrics` as a peer, and totals read from a Prometheus page.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::sync::LazyLock;

/// The recorder behind the macros, installed at the first call.
pub fn global() -> &'static PrometheusHandle {
    static GLOBAL: LazyLock<PrometheusHandle> = LazyLock::new(|| {
        let recorder = new();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).expect("nobody else sets one");
        handle
    });
    &GLOBAL
}

/// A recorder whose histograms have the bounds that the peers' have.
pub fn new() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new().set_buckets(prometheus::DEFAULT_BUCKETS);
    builder.expect("bounds that ascend").build_recorder()
}

/// A handle of a recorder of its own, and what reads that.
pub fn held<H>(make: impl FnOnce() -> H) -> (H, PrometheusHandle) {
    let recorder = new();
    let reader = recorder.handle();
    (metrics::with_local_recorder(&recorder, make), reader)
}

/// The sum of the samples whose name begins with `start` and ends with `end`.
pub fn sum_on_page(page: &str, start: &str, end: &str) -> u64 {
    let samples = page.lines().filter(|line| line.starts_with(start));
    let value = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let name = series.split_once('{').map_or(series, |(name, _)| name);
        name.ends_with(end).then(|| value.parse::<f64>().expect("a number") as u64)
    };
    samples.filter_map(value).sum()
}
