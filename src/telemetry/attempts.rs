//! The attempts to deliver, as histograms among the crate's own series.

use std::sync::{Arc, OnceLock};

use crate::{
    label::Dynamic,
    metric::{Histogram, Unit},
    pipeline::{AttemptOutcome, Attempted, Watch, series},
    util::fork_section,
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
///
/// A series is looked up once, in a section that no fork begins in: that takes locks, which a child would inherit.
pub(super) fn recorded(name: &str, signal: &'static str) -> Watch {
    let name = name.to_owned();
    let durations = [const { OnceLock::new() }; 5];
    let batch = OnceLock::new();
    Arc::new(move |attempt: Attempted| {
        let Attempted { outcome, took, n_records } = attempt;
        let (exporter, signal) = ((series::EXPORTER_KEY, &*name), (series::SIGNAL_KEY, signal));
        let duration = durations[outcome as usize].get_or_init(|| {
            let _section = fork_section::enter();
            DURATION.bind_labels(&[exporter, (series::OUTCOME_KEY, outcome.as_str()), signal])
        });
        duration.record(took);
        if outcome != AttemptOutcome::Interrupted {
            let batch = batch.get_or_init(|| {
                let _section = fork_section::enter();
                BATCH.bind_labels(&[exporter, signal])
            });
            batch.record(n_records as f64);
        }
    })
}
