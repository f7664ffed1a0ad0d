//! The figures that every service wants, derived from a histogram of requests over a window.

use std::{collections::BTreeMap, time::Duration};

use super::{
    family::{Family, Kind, Series, SeriesValue, Snapshot},
    histogram::HistogramSnapshot,
};
use crate::{clock::Ticks, context::Outcome, label::LabelSet};

/// The difference between two snapshots of one registry.
///
/// A series that began after the first snapshot, or that started again, counts from zero. So does one
/// whose sum fell, as that of a callback can.
///
/// A [`Telemetry`](crate::Telemetry::window) keeps all buckets of histograms every ten seconds, and
/// their counts and sums at each tick. So a quantile may cover up to ten seconds more than the window:
/// it starts [`distribution_duration`](Self::distribution_duration) before the end of the window.
///
/// # Examples
///
/// ```
/// use bellwether::{Histogram, Unit, context::Outcome, metric::Registry};
///
/// let registry = Registry::new();
/// let latency = registry.histogram("query.duration", "").unit(Unit::Seconds).labels::<Outcome>().build()?;
/// let earlier = registry.snapshot();
/// latency.bind(Outcome::Ok).record(0.020);
/// latency.bind(Outcome::Error).record(0.040);
///
/// let window = registry.snapshot().since(&earlier);
/// let queries = window.requests("query.duration").unwrap();
/// assert_eq!((queries.count, queries.errors, queries.error_rate()), (2, 1, Some(0.5)));
/// assert!((queries.mean().unwrap() - 0.030).abs() < 1e-12);
/// # Ok::<(), bellwether::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Window {
    earlier: Snapshot,
    /// Histograms with all buckets, at the start of the window or before it.
    distributions: Snapshot,
    later: Snapshot,
}

/// The requests that ended within a window.
///
/// Any histogram with a label `outcome`, or with a status (`http.response.status_code`, `status_code`,
/// `status` or `code`, as `503` or `5xx`), counts requests. An *error* is a request whose status is 5xx
/// or whose outcome is `error` or `panic`. A request that was `cancelled`, or that was answered with
/// 4xx, is a request but not an error. Without a label `outcome`, `error.type` gives the outcome:
/// `cancelled` and `panic` as they are, and any other value is an `error` if there is no status.
///
/// Rates are per second of the window, `Δt`; `n` is [`count`](Self::count).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Requests {
    /// The length of the window, `Δt`.
    pub duration: Duration,
    /// Requests that ended: `n`.
    pub count: u64,
    /// Requests with status 5xx, or with outcome `error` or `panic`.
    pub errors: u64,
    /// Requests with status 5xx.
    pub server_errors: u64,
    /// Requests with status 4xx.
    pub client_errors: u64,
    /// Requests whose outcome was `cancelled`.
    pub cancelled: u64,
    /// Requests with a label `error.type`, by its value: the errors that the service itself tells
    /// apart.
    pub by_error_type: BTreeMap<String, u64>,
    /// Requests under way at the end of the window: the up-down counter `NAME.active` beside a
    /// histogram `NAME.duration`, and `http.server.active_requests` beside
    /// `http.server.request.duration`, likewise for `http.client`. `None` if there is no such counter.
    pub in_flight: Option<i64>,
    /// How long requests took, in the histogram's unit: those that ended within `latency_duration`.
    pub latency: HistogramSnapshot,
    /// The time that `latency` covers: that of the window, or up to ten seconds more. Counts, rates and
    /// the mean cover the window.
    pub latency_duration: Duration,
    /// The sum of the response times of the `count` requests.
    latency_sum: f64,
}

impl Snapshot {
    /// The difference from `earlier`, an earlier snapshot of the same registry.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Window {
        self.since_both(earlier.clone(), earlier.clone())
    }

    /// The difference from `earlier`; buckets of histograms are counted from `distributions`, which was
    /// taken at the same time or before.
    pub(crate) fn since_both(&self, earlier: Self, distributions: Self) -> Window {
        Window { earlier, distributions, later: self.clone() }
    }
}

impl Snapshot {
    /// The earlier state of the series `later` of the family `name`, unless its sum started again.
    fn before(&self, name: &str, later: &Series) -> Option<&Series> {
        let before = self.family(name)?.series_of(&later.labels)?;
        (before.started == later.started).then_some(before)
    }
}

impl Window {
    /// The length of the window.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.later.elapsed_since(&self.earlier)
    }

    /// The time that the quantiles of its histograms cover: [`duration`](Self::duration), or up to ten
    /// seconds more.
    #[must_use]
    pub fn distribution_duration(&self) -> Duration {
        self.later.elapsed_since(&self.distributions)
    }

    /// The snapshot at the end of the window.
    #[must_use]
    pub fn later(&self) -> &Snapshot {
        &self.later
    }

    /// The figures of the histogram `name`, over all its series; `None` if there is no such histogram.
    #[must_use]
    pub fn requests(&self, name: &str) -> Option<Requests> {
        self.grouped(name, |_| Some(String::new())).map(|groups| {
            let all = groups.into_values().next();
            all.unwrap_or_else(|| self.empty(self.in_flight(name, None)))
        })
    }

    /// The figures of the histogram `name` for each value of the label `key`; empty if there is no
    /// such histogram or label.
    #[must_use]
    pub fn requests_by(&self, name: &str, key: &str) -> BTreeMap<String, Requests> {
        let value = |labels: &LabelSet| labels.get(key).map(str::to_owned);
        let mut groups = self.grouped(name, value).unwrap_or_default();
        for (value, requests) in &mut groups {
            requests.in_flight = self.in_flight(name, Some((key, value)));
        }
        groups
    }

    /// By how much the counter `name` with exactly these labels grew. Where its sum fell or restarted,
    /// it counts from zero again; so does a counter that appeared in the window.
    ///
    /// `None` if there is no such counter, and if it is a callback's that appeared in the window: what it
    /// counted before is unknown.
    #[must_use]
    pub fn increase(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted = LabelSet::new(labels.iter().map(|&(key, value)| (key.to_owned(), value)));
        let family = self.later.family(name).filter(|family| family.kind == Kind::Counter)?;
        let series = family.series_of(&wanted)?;
        let earlier = self.earlier.before(name, series).map(Series::value);
        match (&series.value, earlier) {
            (SeriesValue::Counter(later), Some(SeriesValue::Counter(earlier))) => {
                Some(later.checked_sub(*earlier).unwrap_or(*later) as f64)
            }
            (later, Some(earlier)) => {
                let (later, earlier) = (later.as_f64(), earlier.as_f64());
                Some(if later < earlier { later } else { later - earlier })
            }
            (later, None) => {
                let was_zero = family.begins_at_zero || series.started > self.earlier.taken();
                was_zero.then(|| later.as_f64())
            }
        }
    }

    /// The [increase](Self::increase) per second; `None` also if the window has no length.
    #[must_use]
    pub fn rate(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let seconds = self.duration().as_secs_f64();
        (seconds > 0.0).then_some(())?;
        Some(self.increase(name, labels)? / seconds)
    }

    fn grouped(
        &self,
        name: &str,
        group: impl Fn(&LabelSet) -> Option<String>,
    ) -> Option<BTreeMap<String, Requests>> {
        let later = self.later.family(name).filter(|family| family.kind().is_distribution())?;
        let mut groups = BTreeMap::new();
        for series in later.series() {
            let labels = &series.labels;
            let (Some(histogram), Some(group)) = (series.value.as_histogram(), group(labels))
            else {
                continue;
            };
            let requests: &mut Requests =
                groups.entry(group).or_insert_with(|| self.empty(self.in_flight(name, None)));
            requests.latency.merge(&self.latency(name, series, histogram));
            requests.add(labels, self.increase_of(name, series, histogram));
        }
        Some(groups)
    }

    /// How many values a histogram recorded, and their sum.
    fn increase_of(&self, name: &str, series: &Series, later: &HistogramSnapshot) -> (u64, f64) {
        let earlier = self.earlier.before(name, series).and_then(|one| one.value.as_histogram());
        let all = (later.count(), later.sum());
        let Some(earlier) = earlier.filter(|one| one.count() <= later.count()) else { return all };
        match later.count() - earlier.count() {
            0 => (0, 0.0),
            count => (count, later.sum() - earlier.sum()),
        }
    }

    /// The values that a histogram recorded since `distributions`.
    fn latency(&self, name: &str, series: &Series, later: &HistogramSnapshot) -> HistogramSnapshot {
        let earlier = self.distributions.before(name, series);
        let earlier = earlier.and_then(|one| one.value.as_histogram());
        let mut latency = match earlier.filter(|one| one.count() <= later.count()) {
            Some(earlier) => later.since(earlier),
            None => later.clone(),
        };
        let since = self.distributions.taken();
        let is_old = |taken: Ticks| taken.is_comparable_with(since) && taken < since;
        latency.exemplars.retain(|one| !is_old(one.taken));
        latency
    }

    fn empty(&self, in_flight: Option<i64>) -> Requests {
        Requests {
            duration: self.duration(),
            count: 0,
            errors: 0,
            server_errors: 0,
            client_errors: 0,
            cancelled: 0,
            by_error_type: BTreeMap::new(),
            in_flight,
            latency: HistogramSnapshot::default(),
            latency_duration: self.distribution_duration(),
            latency_sum: 0.0,
        }
    }

    /// The requests under way, in the series with `label` if it is given.
    fn in_flight(&self, name: &str, label: Option<(&str, &str)>) -> Option<i64> {
        let family = self.later.family(&active_name(name)?)?;
        let wanted = |series: &&Series| {
            label.is_none_or(|(key, value)| series.labels.get(key) == Some(value))
        };
        let values = family.series().iter().filter(wanted).map(|series| match series.value {
            SeriesValue::UpDownCounter(value) => Some(value),
            _ => None,
        });
        // A family without this label says nothing about the group.
        let known = label.is_none_or(|(key, _)| has_key(family, key));
        known.then(|| values.sum::<Option<i64>>()).flatten()
    }
}

fn has_key(family: &Family, key: &str) -> bool {
    family.series().iter().any(|series| series.labels.get(key).is_some())
}

/// The name of the up-down counter that belongs to a histogram of requests.
fn active_name(histogram: &str) -> Option<String> {
    // These pairs of names are those of OpenTelemetry's semantic conventions.
    if let Some(side @ ("http.server" | "http.client")) =
        histogram.strip_suffix(".request.duration")
    {
        return Some(format!("{side}.active_requests"));
    }
    Some(format!("{}.active", histogram.strip_suffix(".duration")?))
}

impl Requests {
    /// Requests per second: `n / Δt`.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.per_second(self.count)
    }

    /// Requests per second that were neither errors nor cancelled: `(n - errors - cancelled) / Δt`.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        self.per_second(self.count.saturating_sub(self.errors + self.cancelled))
    }

    /// The share of errors: `errors / n`, in [0, 1]; `None` without requests.
    #[must_use]
    pub fn error_rate(&self) -> Option<f64> {
        self.share(self.errors)
    }

    /// The share of 5xx: `server_errors / n`; `None` without requests.
    #[must_use]
    pub fn server_error_rate(&self) -> Option<f64> {
        self.share(self.server_errors)
    }

    /// The share of 4xx: `client_errors / n`; `None` without requests.
    #[must_use]
    pub fn client_error_rate(&self) -> Option<f64> {
        self.share(self.client_errors)
    }

    /// The average response time: the sum of the times divided by `n`; `None` without requests.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.latency_sum / self.count as f64)
    }

    /// The median response time, within 1 %.
    #[must_use]
    pub fn p50(&self) -> Option<f64> {
        self.latency.p50()
    }

    /// The 90th percentile of the response times, within 1 %.
    #[must_use]
    pub fn p90(&self) -> Option<f64> {
        self.latency.p90()
    }

    /// The 99th percentile of the response times, within 1 %.
    #[must_use]
    pub fn p99(&self) -> Option<f64> {
        self.latency.p99()
    }

    /// The longest response time, within 1 %.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.latency.max()
    }

    fn add(&mut self, labels: &LabelSet, (count, sum): (u64, f64)) {
        if count == 0 {
            return;
        }
        let class = status_class(labels);
        let kind = labels.get("error.type").filter(|kind| !kind.is_empty());
        let outcome = labels.get("outcome").unwrap_or_else(|| outcome_of(kind, class).as_str());
        let failed = [Outcome::Error, Outcome::Panic].iter().any(|end| end.as_str() == outcome);
        self.count += count;
        self.latency_sum += sum;
        self.server_errors += if class == Some(5) { count } else { 0 };
        self.client_errors += if class == Some(4) { count } else { 0 };
        self.errors += if failed || class == Some(5) { count } else { 0 };
        self.cancelled += if outcome == Outcome::Cancelled.as_str() { count } else { 0 };
        if let Some(kind) = kind {
            *self.by_error_type.entry(kind.to_owned()).or_default() += count;
        }
    }

    fn per_second(&self, count: u64) -> f64 {
        let seconds = self.duration.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }

    fn share(&self, count: u64) -> Option<f64> {
        (self.count > 0).then(|| count as f64 / self.count as f64)
    }
}

/// The outcome of requests that have the labels of the semantic conventions, and so no `outcome`. An
/// error has `error.type`; a status is more exact if there is one.
fn outcome_of(error_type: Option<&str>, status_class: Option<u32>) -> Outcome {
    match error_type {
        Some("cancelled") => Outcome::Cancelled,
        Some("panic") => Outcome::Panic,
        Some(_) if status_class.is_none() => Outcome::Error,
        _ => Outcome::Ok,
    }
}

/// The hundreds of an HTTP status, written as `503` or as `5xx`.
fn status_class(labels: &LabelSet) -> Option<u32> {
    const KEYS: [&str; 4] = ["http.response.status_code", "status_code", "status", "code"];
    let status = KEYS.iter().find_map(|key| labels.get(key)).filter(|status| status.len() == 3)?;
    status.chars().next()?.to_digit(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::ManualClock,
        snapshot::{PageBounds, Unit},
    };

    /// Labels, and the values recorded with them.
    type Recorded<'a> = (&'a [(&'static str, &'a str)], &'a [f64]);

    fn snapshot(clock: &ManualClock, series: &[Recorded<'_>]) -> Snapshot {
        let series = series.iter().map(|(labels, values)| {
            let labels = LabelSet::new(labels.iter().copied());
            let value = SeriesValue::Histogram(HistogramSnapshot::of(values).into());
            Series::new(labels, value, Ticks::ORIGIN)
        });
        let family = Family {
            name: "http.server.request.duration".into(),
            kind: Kind::Histogram,
            unit: Unit::Seconds,
            help: "".into(),
            page_bounds: PageBounds::default(),
            begins_at_zero: true,
            series: series.collect(),
        };
        let active = Family {
            name: "http.server.active_requests".into(),
            kind: Kind::UpDownCounter,
            unit: Unit::NONE,
            help: "".into(),
            page_bounds: PageBounds::default(),
            begins_at_zero: true,
            series: vec![Series::new(
                LabelSet::default(),
                SeriesValue::UpDownCounter(3),
                clock.now(),
            )],
        };
        Snapshot::new(clock.now(), clock.now(), vec![family, active])
    }

    #[test]
    fn errors_are_5xx_error_and_panic_and_nothing_else() {
        let clock = ManualClock::new();
        let earlier = snapshot(&clock, &[(&[("code", "200"), ("route", "/a")], &[1.0, 1.0])]);
        clock.advance(Duration::from_secs(10));
        let later = snapshot(
            &clock,
            &[
                (&[("code", "200"), ("route", "/a")], &[1.0, 1.0, 1.0, 1.0]),
                (&[("code", "404"), ("route", "/a")], &[1.0]),
                (&[("code", "5xx"), ("route", "/b")], &[1.0]),
                (&[("outcome", "panic"), ("route", "/b")], &[1.0]),
                (&[("outcome", "error"), ("error.type", "empty_cart"), ("route", "/b")], &[1.0]),
                (&[("outcome", "cancelled"), ("route", "/b")], &[1.0]),
            ],
        );
        let window = later.since(&earlier);
        let all = window.requests("http.server.request.duration").unwrap();
        assert_eq!((all.count, all.errors, all.server_errors, all.client_errors), (7, 3, 1, 1));
        assert_eq!((all.cancelled, all.in_flight), (1, Some(3)));
        assert_eq!(all.by_error_type, BTreeMap::from([("empty_cart".to_owned(), 1)]));
        assert_eq!((all.rate(), all.throughput(), all.mean()), (0.7, 0.3, Some(1.0)));
        assert_eq!(all.error_rate(), Some(3.0 / 7.0));
        let by_route = window.requests_by("http.server.request.duration", "route");
        assert_eq!(by_route["/a"].count, 3);
        assert_eq!((by_route["/b"].errors, by_route["/b"].in_flight), (3, None));
    }

    #[test]
    fn an_error_type_stands_for_an_outcome_where_there_is_none() {
        let clock = ManualClock::new();
        let earlier = snapshot(&clock, &[]);
        let later = snapshot(
            &clock,
            &[
                (&[("error.type", "")], &[1.0]),
                (&[("error.type", "timeout")], &[1.0]),
                (&[("error.type", "panic")], &[1.0]),
                (&[("error.type", "cancelled")], &[1.0]),
                (&[("error.type", "404"), ("http.response.status_code", "404")], &[1.0]),
                (&[("error.type", "timeout"), ("outcome", "ok")], &[1.0]),
            ],
        );
        let all = later.since(&earlier).requests("http.server.request.duration").unwrap();
        assert_eq!((all.count, all.errors, all.cancelled, all.client_errors), (6, 2, 1, 1));
    }

    #[test]
    fn a_window_without_requests_has_no_shares_and_no_quantiles() {
        let clock = ManualClock::new();
        let earlier = snapshot(&clock, &[(&[("code", "200")], &[1.0])]);
        let window = earlier.since(&earlier);
        let requests = window.requests("http.server.request.duration").unwrap();
        assert_eq!((requests.count, requests.rate(), requests.error_rate()), (0, 0.0, None));
        assert_eq!((requests.p99(), requests.mean()), (None, None));
        assert!(window.requests("no.such").is_none());
    }
}
