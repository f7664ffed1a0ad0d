//! The series of one name: a block of ids for a closed label set, a growing map for an open one.

use std::{borrow::Cow, collections::HashMap, panic::Location, sync::Arc};

use super::{
    Kind, Unit,
    cell::{self, DISABLED, Reader, Storage},
    histogram::{HistogramOptions, chosen},
    lookup::{self, Visit},
    snapshot::{self, Series, SeriesValue},
    stats,
};
use crate::{
    diagnostics,
    label::{LabelSet, OVERFLOW_KEY},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// A registered family: what it is and which series it has.
///
/// It lives as long as the process, like the ids of its series: instruments in statics point to it.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) keys: Vec<Cow<'static, str>>,
    pub(crate) place: &'static Location<'static>,
    /// Process-wide, so that a thread's look-up table can tell families apart by a number.
    pub(crate) number: u32,
    /// What a histogram was told.
    pub(crate) histogram: HistogramOptions,
    series: SeriesSet,
}

#[derive(Debug)]
enum SeriesSet {
    /// Every combination has an id: `base` plus its index.
    Closed { base: u32, len: usize, at: fn(usize) -> Vec<Cow<'static, str>> },
    /// Combinations get ids as they come, up to `limit`. The lock guards the map; none is taken
    /// inside it.
    Open { limit: usize, known: Mutex<Known> },
}

#[derive(Debug, Default)]
struct Known {
    by_values: HashMap<Box<[u8]>, u32>, // The key is `lookup::encode`'s.
    labels: Vec<(LabelSet, u32)>,
    overflow: Option<u32>,
}

/// What a look-up in an open set came to.
struct Found {
    id: u32,
    /// Whether the thread may remember it: not the overflow series, whose label sets have no bound.
    remember: bool,
    /// The limit in the first of all overflows.
    overflowed: Option<Option<usize>>,
    /// How many values of a new series were cut.
    truncated: u64,
}

/// How the series of a family are told apart.
pub(crate) enum Shape {
    Closed { len: usize, at: fn(usize) -> Vec<Cow<'static, str>> },
    Open { limit: usize },
}

impl Family {
    pub(crate) fn new(
        descriptor: &super::instrument::Descriptor,
        keys: Vec<Cow<'static, str>>,
        shape: Shape,
    ) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let series = match shape {
            Shape::Closed { len, at } => {
                let base = reserve_ids(descriptor.kind, descriptor.histogram, len as u32);
                SeriesSet::Closed { base, len, at }
            }
            Shape::Open { limit } => SeriesSet::Open { limit, known: Mutex::default() },
        };
        Self {
            name: descriptor.name,
            help: descriptor.help,
            kind: descriptor.kind,
            unit: descriptor.unit,
            place: descriptor.place,
            keys,
            number: NUMBER.fetch_add(1, Relaxed),
            histogram: descriptor.histogram,
            series,
        }
    }

    /// Whether the series are told apart in the same way: both looked up, or both by the same place
    /// for the same values.
    pub(crate) fn has_shape(&self, shape: &Shape) -> bool {
        match (&self.series, shape) {
            (SeriesSet::Open { .. }, Shape::Open { .. }) => true,
            (SeriesSet::Closed { len, at, .. }, Shape::Closed { len: other_len, at: other }) => {
                // The same type nearly always; where the compiler made two of one function, its texts.
                let same_texts = || (0..*len).all(|index| at(index) == other(index));
                len == other_len && (std::ptr::fn_addr_eq(*at, *other) || same_texts())
            }
            _ => false,
        }
    }

    /// The id of the first series of a closed set; [`DISABLED`] in an open one.
    pub(crate) fn base(&self) -> u32 {
        match self.series {
            SeriesSet::Closed { base, .. } => base,
            SeriesSet::Open { .. } => DISABLED,
        }
    }

    /// The id of the series with these values, in the order of the keys.
    ///
    /// A value is cut at 1,024 bytes. Beyond the limit it is the overflow series.
    pub(crate) fn series(&self, values: Visit<'_>) -> u32 {
        let find = || match cell::guarded(|| self.find_or_add(values)) {
            Some(found) => {
                self.note(&found);
                (found.id, found.remember)
            }
            None => (DISABLED, false),
        };
        lookup::cached(self.number, values, find)
    }

    fn find_or_add(&self, values: Visit<'_>) -> Found {
        let mut found = Found { id: DISABLED, remember: false, overflowed: None, truncated: 0 };
        let SeriesSet::Open { limit, known } = &self.series else { return found };
        let encoded = lookup::encode(values);
        let mut known = known.lock();
        if let Some(&id) = known.by_values.get(encoded.bytes.as_slice()) {
            return Found { id, remember: true, ..found };
        }
        if known.labels.len() >= *limit {
            found.overflowed = Some(known.overflow.is_none().then_some(*limit));
            found.id =
                *known.overflow.get_or_insert_with(|| reserve_ids(self.kind, self.histogram, 1));
            return found;
        }
        let id = reserve_ids(self.kind, self.histogram, 1);
        known.labels.push((self.label_set(values), id));
        known.by_values.insert(encoded.bytes.into(), id);
        Found { id, remember: true, truncated: encoded.truncated, ..found }
    }

    /// Counts what is out of the ordinary about a look-up, and reports the first overflow.
    fn note(&self, found: &Found) {
        if found.truncated > 0 {
            stats::TRUNCATED.add(found.truncated);
        }
        let Some(first) = found.overflowed else { return };
        stats::OVERFLOWED.inc();
        if let Some(limit) = first {
            let (name, place) = (self.name, self.place);
            diagnostics::report(
                "cardinality",
                format_args!(
                    "{name} ({place}) has reached its limit of {limit} series; more label sets go \
                     to the series {OVERFLOW_KEY}=\"true\""
                ),
            );
        }
    }

    fn label_set(&self, values: Visit<'_>) -> LabelSet {
        let mut pairs = Vec::with_capacity(self.keys.len());
        let mut keys = self.keys.iter();
        values(&mut |value| pairs.extend(keys.next().map(|key| (key.clone(), value.to_owned()))));
        LabelSet::new(pairs)
    }

    /// Everything that `reader` holds of this family.
    pub(crate) fn read(&self, storage: &Storage, reader: &Reader) -> snapshot::Family {
        let series = match &self.series {
            SeriesSet::Closed { base, len, at } => {
                self.read_closed(storage, reader, *base, *len, *at)
            }
            SeriesSet::Open { known, .. } => {
                let _busy = cell::busy();
                let known = known.lock();
                let overflow =
                    known.overflow.map(|id| (LabelSet::new([(OVERFLOW_KEY, "true")]), id));
                let all = known.labels.iter().cloned().chain(overflow);
                all.filter_map(|(labels, id)| {
                    let value = self.value(storage, reader, id, true)?;
                    Some(Series { labels, value, started: storage.started() })
                })
                .collect()
            }
        };
        snapshot::Family {
            name: self.name.into(),
            kind: self.kind,
            unit: self.unit,
            help: self.help.into(),
            series,
        }
    }

    /// A combination that was never touched is no series, save the only one of an instrument without
    /// labels, which is there from registration on.
    fn read_closed(
        &self,
        storage: &Storage,
        reader: &Reader,
        base: u32,
        len: usize,
        at: fn(usize) -> Vec<Cow<'static, str>>,
    ) -> Vec<Series> {
        let read = |index: usize| {
            let value = self.value(storage, reader, base + index as u32, self.keys.is_empty())?;
            let labels = self.keys.iter().cloned().zip(at(index));
            let labels = LabelSet::new(labels);
            Some(Series { labels, value, started: storage.started() })
        };
        (0..len).filter_map(read).collect()
    }

    /// The value of a series; `None` where it was never touched, unless it is `always` there.
    fn value(
        &self,
        storage: &Storage,
        reader: &Reader,
        id: u32,
        always: bool,
    ) -> Option<SeriesValue> {
        let always = always && !storage.is_scoped();
        match self.kind {
            Kind::Counter | Kind::UpDownCounter => {
                let sum = reader.sum(id);
                let signed = self.kind == Kind::UpDownCounter;
                (storage.was_touched(id, sum) || always).then(|| match signed {
                    true => SeriesValue::UpDownCounter(sum.cast_signed()),
                    false => SeriesValue::Counter(sum),
                })
            }
            Kind::Gauge | Kind::Info | Kind::StateSet => reader.gauge(id).map(SeriesValue::Gauge),
            Kind::Histogram | Kind::Summary => {
                let histogram = reader.histogram(id);
                let histogram =
                    histogram.or_else(|| always.then(|| chosen::empty(&self.histogram)));
                histogram.map(|histogram| SeriesValue::Histogram(Arc::new(histogram)))
            }
        }
    }
}

/// The first of `len` ids that no series has had. Ids are process-wide for each way of keeping a
/// value, dense, and not reused: a registry that is dropped leaves its ids behind.
fn reserve_ids(kind: Kind, histogram: HistogramOptions, len: u32) -> u32 {
    if let Some(first) = chosen::reserve_ids(histogram, len) {
        return first;
    }
    static SUMS: AtomicU32 = AtomicU32::new(0);
    static GAUGES: AtomicU32 = AtomicU32::new(0);
    static HISTOGRAMS: AtomicU32 = AtomicU32::new(0);
    let next = match kind {
        Kind::Counter | Kind::UpDownCounter => &SUMS,
        Kind::Gauge | Kind::Info | Kind::StateSet => &GAUGES,
        Kind::Histogram | Kind::Summary => &HISTOGRAMS,
    };
    next.fetch_add(len, Relaxed)
}
