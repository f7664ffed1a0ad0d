//! What a callback observes, matched with what it observed in its last run.

use std::{collections::BTreeMap, mem, time::Duration};

use crate::{
    clock::{self, Ticks},
    label::{LabelSet, OVERFLOW_KEY},
    snapshot::{Kind, Series, SeriesValue, key_fault},
};

/// Takes the values that a callback observes, one for each label set.
///
/// The number of series has the same limit as for any family of the registry. Series of the previous
/// run keep their place while they are observed; free places go to the first new ones. What is beyond
/// the limit is added up in the overflow series, `otel.metric.overflow="true"`, if the values are
/// sums: of a counter or an up-down counter. A gauge, a state or an info beyond the limit cannot be
/// added up, so it is left out and reported. Each such observation is counted in
/// `telemetry.series.overflowed`. A counter's overflow series restarts when
/// its total falls, as it does when one of the series in it gets a place.
///
/// A series with an illegal label key is left out and reported. The registry's own labels are added to
/// each series. A counter's total that is negative or NaN is left out; a total that falls restarts the
/// series.
#[derive(Debug)]
pub struct Observations {
    terms: Terms,
    past: Past,
    /// The index of the series that is likely to come next, and of the one that came last.
    next: usize,
    latest: Option<usize>,
    /// New series, by labels.
    fresh: BTreeMap<LabelSet, f64>,
    /// The first new series that had no place. They get the places of series that are not observed any
    /// more. By labels: the order in which they came, and the value. At most as many as the limit.
    waiting: BTreeMap<LabelSet, (usize, f64)>,
    beyond: Beyond,
    refused: Option<String>, // The latest of what was left out.
}

/// What a run has to keep to.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) kind: Kind,
    pub(super) constant: LabelSet, // The registry's own.
    pub(super) series_limit: usize,
    pub(super) patience: Duration,
}

/// The series of a callback, from one run to the next.
#[derive(Debug, Default)]
pub(super) struct Past {
    series: Vec<Known>, // Sorted by labels, which differ.
    /// The index of the first that was observed.
    first: usize,
    /// The overflow series, if there was one.
    overflow: Option<Total>,
}

/// A series of the last run.
#[derive(Debug)]
struct Known {
    labels: LabelSet,
    total: Total,
    /// Its value in this run.
    value: Option<f64>,
    /// The index of the one that was observed after it: most callbacks keep to their order.
    next: usize,
}

/// The latest value of a series, and the start of its sum.
#[derive(Clone, Copy, Debug)]
struct Total {
    value: f64,
    started: Ticks,
}

/// The values beyond the limit.
#[derive(Clone, Copy, Debug, Default)]
struct Beyond {
    n_observations: u64,
    total: f64,
    whole: i64, // Of an up-down counter.
}

/// What a run came to.
pub(super) struct Outcome {
    /// Sorted by labels.
    pub(super) series: Vec<Series>,
    pub(super) n_beyond: u64,
    /// Whether series beyond the limit should be reported: of sums, once.
    pub(super) is_beyond_news: bool,
    pub(super) refused: Option<String>,
}

impl Observations {
    pub(super) fn new(terms: Terms, mut past: Past) -> Self {
        past.series.truncate(terms.series_limit); // The limit may have been lowered.
        Self {
            next: past.first,
            terms,
            past,
            latest: None,
            fresh: BTreeMap::new(),
            waiting: BTreeMap::new(),
            beyond: Beyond::default(),
            refused: None,
        }
    }

    /// How long readers of the registry wait.
    pub(crate) fn patience(&self) -> Duration {
        self.terms.patience
    }

    /// Sets the value of the series with `labels`. If the same labels come twice, the later value
    /// counts. Beyond twice the limit, all values are added.
    pub fn observe(&mut self, value: f64, labels: &[(&'static str, &str)]) {
        let is_legal = self.terms.kind != Kind::Counter || value >= 0.0; // NaN is not.
        match self.past.series.get(self.next) {
            Some(next) if is_legal && next.labels.is_of(&self.terms.constant, labels) => {
                self.set_known(self.next, value);
            }
            _ => self.observe_any(is_legal.then_some(value), labels),
        }
    }

    #[cold]
    fn observe_any(&mut self, value: Option<f64>, labels: &[(&'static str, &str)]) {
        if let Some((key, fault)) = labels.iter().find_map(|(key, _)| Some((key, key_fault(key)?)))
        {
            self.refused = Some(format!("label key {key:?} {fault}"));
            return;
        }
        let Some(value) = value else { return };
        let labels = match self.terms.constant.is_empty() {
            true => LabelSet::new(labels.iter().copied()),
            false => self.terms.constant.with(labels.iter().copied()),
        };
        let limit = self.terms.series_limit;
        if let Ok(place) = self.past.series.binary_search_by(|known| known.labels.cmp(&labels)) {
            self.set_known(place, value);
        } else if let Some(fresh) = self.fresh.get_mut(&labels) {
            *fresh = value;
        } else if self.past.series.len() + self.fresh.len() < limit {
            self.fresh.insert(labels, value);
        } else if let Some((_, waiting)) = self.waiting.get_mut(&labels) {
            *waiting = value;
        } else if self.waiting.len() < limit {
            self.waiting.insert(labels, (self.waiting.len(), value));
        } else {
            self.beyond.add(value);
        }
    }

    fn set_known(&mut self, place: usize, value: f64) {
        match self.latest.replace(place) {
            Some(before) => self.past.series[before].next = place,
            None => self.past.first = place,
        }
        let known = &mut self.past.series[place];
        (known.value, self.next) = (Some(value), known.next);
    }

    /// Ends a run that failed: nothing was observed.
    pub(super) fn give_up(mut self) -> Past {
        self.past.series.iter_mut().for_each(|known| known.value = None);
        self.past
    }

    /// Ends the run. Sums of series that are new began at `started`.
    pub(super) fn finish(mut self, started: Ticks) -> (Outcome, Past) {
        self.settle(started);
        let Self { terms, mut past, beyond, refused, .. } = self;
        let mut series = Vec::with_capacity(past.series.len() + 1);
        for known in &mut past.series {
            let Some(value) = known.value.take() else { continue };
            let value = known.total.advance(terms.kind, value);
            series.push(Series::new(
                known.labels.clone(),
                value,
                known.total.start(&terms, started),
            ));
        }
        let (n_beyond, is_sum) = (beyond.n_observations, terms.is_sum());
        let is_beyond_news = n_beyond > 0 && (!is_sum || past.overflow.is_none());
        let has_overflow = n_beyond > 0 && is_sum;
        past.overflow = has_overflow.then(|| past.overflow.unwrap_or(Total::new(started)));
        if let Some(total) = &mut past.overflow {
            let labels = terms.constant.with([(OVERFLOW_KEY, "true")]);
            series.retain(|one| *one.labels() != labels);
            let value = match total.advance(terms.kind, beyond.total) {
                SeriesValue::UpDownCounter(_) => SeriesValue::UpDownCounter(beyond.whole),
                value => value,
            };
            series.push(Series::new(labels, value, total.start(&terms, started)));
            series.sort_by(|a, b| a.labels().cmp(b.labels()));
        }
        (Outcome { series, n_beyond, is_beyond_news, refused }, past)
    }

    /// Gives free places to the waiting series, and adds up the others. Afterwards the series of the
    /// past are those of this run.
    fn settle(&mut self, started: Ticks) {
        let n_observed = self.past.series.iter().filter(|known| known.value.is_some()).count();
        if n_observed == self.past.series.len() && self.fresh.is_empty() && self.waiting.is_empty()
        {
            return;
        }
        let mut waiting: Vec<_> = mem::take(&mut self.waiting).into_iter().collect();
        waiting.sort_by_key(|(_, (place, _))| *place);
        for (labels, (_, value)) in waiting {
            match n_observed + self.fresh.len() < self.terms.series_limit {
                true => drop(self.fresh.insert(labels, value)),
                false => self.beyond.add(value),
            }
        }
        let series = &mut self.past.series;
        series.retain(|known| known.value.is_some());
        series.extend(mem::take(&mut self.fresh).into_iter().map(|(labels, value)| Known {
            labels,
            total: Total::new(started),
            value: Some(value),
            next: 0,
        }));
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        // Indices have moved: the next run finds its order again.
        (1..).zip(series).for_each(|(next, known)| known.next = next);
    }
}

impl Terms {
    pub(super) fn is_sum(&self) -> bool {
        matches!(self.kind, Kind::Counter | Kind::UpDownCounter)
    }
}

impl Total {
    fn new(started: Ticks) -> Self {
        Self { value: 0.0, started }
    }

    /// Takes the value of this run. A counter that fell began anew, as a process that restarted.
    fn advance(&mut self, kind: Kind, value: f64) -> SeriesValue {
        if kind == Kind::Counter && value < self.value {
            self.started = clock::now();
        }
        self.value = value;
        match kind {
            Kind::Counter => SeriesValue::FloatCounter(value),
            // As casts saturate, a sum that is NaN is zero.
            Kind::UpDownCounter => SeriesValue::UpDownCounter(value as i64),
            Kind::Info => SeriesValue::Info,
            Kind::StateSet => SeriesValue::State(value != 0.0),
            _ => SeriesValue::Gauge(value),
        }
    }

    /// When the series began. Only a counter can begin anew.
    fn start(&self, terms: &Terms, started: Ticks) -> Ticks {
        if terms.kind == Kind::Counter { self.started } else { started }
    }
}

impl Beyond {
    fn add(&mut self, value: f64) {
        self.n_observations += 1;
        self.total += value;
        self.whole = self.whole.wrapping_add(value as i64);
    }
}
