//! OpenTelemetry's SDK as a peer: one provider, read back through an exporter that keeps totals.

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        Instrument, PeriodicReader, SdkMeterProvider, Stream, Temporality,
        data::{AggregatedMetrics, MetricData, ResourceMetrics},
        exporter::PushMetricExporter,
    },
};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

/// The meter that every workload takes its instruments from.
pub fn meter() -> &'static Meter {
    static METER: LazyLock<Meter> = LazyLock::new(|| PROVIDER.0.meter("peers"));
    &METER
}

/// What the SDK says that the instrument of this name has taken: a sum, or a count of values.
pub fn total(instrument: &str) -> u64 {
    PROVIDER.0.force_flush().expect("the reader answers");
    PROVIDER.1.lock().expect("nobody panicked").get(instrument).copied().unwrap_or(0)
}

type Totals = Arc<Mutex<HashMap<String, u64>>>;

static PROVIDER: LazyLock<(SdkMeterProvider, Totals)> = LazyLock::new(|| {
    let totals = Totals::default();
    // An hour: collection happens when a total is asked for, never beside a measured loop.
    let reader = PeriodicReader::builder(KeepTotals(totals.clone()))
        .with_interval(Duration::from_secs(3600))
        .build();
    let provider = SdkMeterProvider::builder().with_reader(reader).with_view(room_for_many);
    (provider.build(), totals)
});

/// The default limit of 2,000 series would make one series of most of them.
pub fn room_for_many(_: &Instrument) -> Option<Stream> {
    Stream::builder().with_cardinality_limit(20_000).build().ok()
}

struct KeepTotals(Totals);

impl PushMetricExporter for KeepTotals {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut totals = self.0.lock().expect("nobody panicked");
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            let total = match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                    sum.data_points().map(|point| point.value()).sum()
                }
                AggregatedMetrics::I64(MetricData::Sum(sum)) => {
                    sum.data_points().map(|point| point.value() as u64).sum()
                }
                AggregatedMetrics::F64(MetricData::Gauge(gauge)) => {
                    gauge.data_points().map(|point| point.value() as u64).sum()
                }
                AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                    histogram.data_points().map(|point| point.count()).sum()
                }
                AggregatedMetrics::F64(MetricData::Sum(sum)) => {
                    sum.data_points().map(|point| point.value() as u64).sum()
                }
                other => panic!("an instrument that no workload has: {other:?}"),
            };
            totals.insert(metric.name().to_owned(), total);
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}
