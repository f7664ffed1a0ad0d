//! The crate's metrics about its own recording, as families among the others.

use crate::{
    cells::{CallbackFault, Rejection, Storage},
    label::LabelSet,
    series::refused,
    snapshot::{ExemplarFault, Family, Kind, PageBounds, Series, SeriesValue, Unit},
};

/// The names of these families.
pub(super) const NAMES: [&str; 7] = [
    "telemetry.measurements.rejected",
    "telemetry.measurements.clamped",
    "telemetry.labels.truncated",
    "telemetry.callbacks.failed",
    "telemetry.series.overflowed",
    "telemetry.instruments.refused",
    "telemetry.exemplars.rejected",
];

const HELP: [&str; 7] = [
    "Measurements not recorded, by reason",
    "Measurements recorded as the nearer end of their instrument's range",
    "Label values of new series cut at 1,024 bytes",
    "Callbacks without values, by reason",
    "Look-ups and observations that were beyond a limit of series",
    "Measurements that were not recorded since their instrument lost a conflict",
    "Labels of exemplars that were left out, and exemplars without room, by reason",
];

const UNITS: [Unit; 7] = [
    Unit::new("{measurement}"),
    Unit::new("{measurement}"),
    Unit::new("{value}"),
    Unit::new("{call}"),
    Unit::new("{lookup}"),
    Unit::new("{measurement}"),
    Unit::new("{item}"),
];

/// What `storage` has counted, with the labels that all series have. Families without series are left
/// out.
pub(super) fn read(storage: &Storage, constant: impl FnOnce() -> LabelSet) -> Vec<Family> {
    let tally = storage.tally();
    let all = [
        by_reason(Rejection::NAMES, tally.rejected()),
        once(tally.clamped()),
        once(tally.truncated()),
        by_reason(CallbackFault::NAMES, tally.failed_callbacks()),
        overflowed(&tally.overflowed()),
        refused_by(storage),
        by_reason(ExemplarFault::NAMES, tally.rejected_exemplars()),
    ];
    if all.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    let constant = constant();
    let families = all.into_iter().enumerate().filter(|(_, counts)| !counts.is_empty());
    let families = families.map(|(at, counts)| {
        let series = counts.into_iter().map(|(labels, count)| {
            let labels = constant.with(labels.iter().map(|(key, value)| (*key, value.as_str())));
            Series::new(labels, SeriesValue::Counter(count), storage.started())
        });
        let mut series: Vec<Series> = series.collect();
        series.sort_by(|a, b| a.labels().cmp(b.labels()));
        Family {
            name: NAMES[at].into(),
            kind: Kind::Counter,
            unit: UNITS[at],
            help: HELP[at].into(),
            page_bounds: PageBounds::default(),
            begins_at_zero: true,
            series,
        }
    });
    families.collect()
}

/// Counts, each with its labels.
type Counts = Vec<(Vec<(&'static str, String)>, u64)>;

fn once(count: u64) -> Counts {
    if count > 0 { vec![(Vec::new(), count)] } else { Vec::new() }
}

fn by_reason<const N: usize>(names: [&'static str; N], counts: [u64; N]) -> Counts {
    let counts = names.into_iter().zip(counts).filter(|(_, count)| *count > 0);
    counts.map(|(name, count)| (vec![("reason", name.to_owned())], count)).collect()
}

fn overflowed(counts: &[(Box<str>, u64)]) -> Counts {
    let labels = |name: &str| vec![("instrument", name.to_owned())];
    counts.iter().map(|(name, count)| (labels(name), *count)).collect()
}

/// In the process's own storage, families that have refused nothing so far are shown too.
fn refused_by(storage: &Storage) -> Counts {
    let refused = refused::all().into_iter().enumerate();
    let counts = refused.map(|(number, (name, place))| {
        let labels = vec![("instrument", name.into_owned()), ("place", place.to_string())];
        (labels, storage.tally().refused(number))
    });
    counts.filter(|(_, count)| *count > 0 || !storage.is_scoped()).collect()
}
