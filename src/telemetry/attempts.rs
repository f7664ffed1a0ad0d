//! The attempts to deliver, as histograms among the crate's own series.

use std::sync::Arc;

use crate::{
    label::Dynamic,
    metric::{Histogram, Unit},
    pipeline::{AttemptOutcome, Attempted, Watch, series},
};

static DURATION: Histogram<Dynamic> = Histogram::dynamic(
    series::DURATION.0,
    series::DURATION.1,
    &[series::EXPORTER_KEY, series::OUTCOME_KEY, series::SIGNAL_KEY],
)
.unit(Unit::Seconds);

static BATCH: Histogram<Dynamic> = Histogram::dynamic(
    series::BATCH.0,
    series::BATCH.1,
    &[series::EXPORTER_KEY, series::SIGNAL_KEY],
)
.unit(Unit::new(series::UNIT));

/// Records the attempts of the route called `name`. An attempt that was ended early for a flush says nothing
/// about the backend, and has an outcome of its own.
pub(super) fn recorded(name: &str, signal: &'static str) -> Watch {
    let name = name.to_owned();
    Arc::new(move |attempt: Attempted| {
        let Attempted { outcome, took, n_records } = attempt;
        let labels = [
            (series::EXPORTER_KEY, &*name),
            (series::OUTCOME_KEY, outcome.as_str()),
            (series::SIGNAL_KEY, signal),
        ];
        DURATION.with_labels(&labels).record(took);
        if outcome != AttemptOutcome::Interrupted {
            let labels = [(series::EXPORTER_KEY, &*name), (series::SIGNAL_KEY, signal)];
            BATCH.with_labels(&labels).record(n_records as f64);
        }
    })
}
