//! Histograms as a whole: what is recorded, by whichever aggregation, and what is read.

mod buckets;
mod distributions;
mod exemplars;
mod options;
mod ranges;

use std::thread;

use proptest::prelude::*;

use crate::{
    ErrorKind, cells,
    clock::ManualClock,
    context::{self, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    metric::{registry::Registry, *},
    snapshot::{Kind, SeriesValue, histogram::layout},
};

fn with(aggregation: Aggregation) -> Histogram {
    told(HistogramOptions::new().aggregation(aggregation))
}

fn told(options: HistogramOptions) -> Histogram {
    Registry::new().histogram("h", "").options(options).build().unwrap()
}

fn explicit(bounds: &[f64]) -> Aggregation {
    Aggregation::explicit(bounds).unwrap()
}

/// The aggregations that every property must hold for.
fn aggregations() -> [Aggregation; 4] {
    let (coarse, fine) = (1, 4);
    [
        Aggregation::Exponential,
        explicit(&[0.0, 0.5, 1.0, 10.0, 1e3]),
        Aggregation::Hdr { significant_digits: coarse },
        Aggregation::Hdr { significant_digits: fine },
    ]
}
