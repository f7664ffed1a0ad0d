//! The samples that rules read: those of the series they select in a history.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use super::{need::Need, replay::Replay, selector::Selector};
use crate::{
    clock::Ticks,
    history::{BUDGET_BYTES, History, Look, SelectionId, Wanted},
    label::LabelSet,
    metric::HistogramSnapshot,
    snapshot::Snapshot,
    sync::Mutex,
};

/// The samples of the series that rules select, for as long as a rule needs them.
///
/// A [`Condition`](super::Condition) reads it. It has only the series that the condition's
/// [`needs`](super::Condition::needs) declared. Nothing is locked between two calls.
pub struct SampleWindow {
    /// Guards the past of all series; no code of the user runs inside it.
    history: Arc<Mutex<History>>,
    selections: HashMap<Selector, Selections>,
}

/// The selections of one selector, one for each range. All match the same series in the same order.
struct Selections(Vec<(Duration, SelectionId)>); // Sorted, not empty.

impl SampleWindow {
    /// A window over `history`, which has not ticked yet.
    pub(crate) fn new(needs: impl IntoIterator<Item = Need>, history: Arc<Mutex<History>>) -> Self {
        let mut wanted: HashMap<Selector, (Vec<Duration>, bool)> = HashMap::new();
        for Need { selector, range, distributions } in needs {
            let (ranges, values) = wanted.entry(selector).or_default();
            ranges.push(range);
            *values |= distributions;
        }
        let selections = wanted.into_iter().map(|(selector, (mut ranges, distributions))| {
            ranges.sort_unstable();
            ranges.dedup();
            let all = Selections::new(&selector, &ranges, distributions, &mut history.lock());
            (selector, all)
        });
        let selections = selections.collect();
        Self { history, selections }
    }

    /// The window that a condition would have after these snapshots, one for each tick. Use it to test
    /// a [`Condition`](super::Condition) without rules and without waiting. `needs` are those of the
    /// condition.
    ///
    /// A snapshot that is not later than the one before is ignored.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use bellwether::{
    ///     Counter,
    ///     alert::{Condition, SampleWindow, series},
    ///     testing,
    /// };
    ///
    /// static FAILURES: Counter = Counter::new("window.failures", "");
    ///
    /// let scope = testing::scope();
    /// let fails = series("window.failures").increase(Duration::from_secs(60)).above(1.0);
    /// let snapshots = [1, 2].map(|n| {
    ///     FAILURES.add(n);
    ///     scope.advance(Duration::from_secs(1));
    ///     scope.snapshot()
    /// });
    /// let window = SampleWindow::of_snapshots(fails.needs(), &snapshots);
    /// let found = fails.evaluate(&window, window.newest().unwrap());
    /// assert_eq!(found[0].1, 2.0);
    /// ```
    #[must_use]
    pub fn of_snapshots<'a>(
        needs: impl IntoIterator<Item = Need>,
        snapshots: impl IntoIterator<Item = &'a Snapshot>,
    ) -> Self {
        let mut replay = Replay::new(Duration::from_nanos(1), BUDGET_BYTES);
        let window = Self::new(needs, replay.history.clone());
        for snapshot in snapshots {
            replay.play(snapshot);
        }
        window
    }

    /// The instant of the newest tick.
    #[must_use]
    pub fn newest(&self) -> Option<Ticks> {
        self.history.lock().newest()
    }

    /// The series that `selector` matches, including those that ended lately.
    ///
    /// Empty if no rule's [`needs`](super::Condition::needs) has the selector.
    pub fn select(&self, selector: &Selector) -> impl Iterator<Item = SeriesWindow<'_>> {
        let selections = self.selections.get(selector);
        let all = selections.map(|selections| {
            let mut labels = Vec::new();
            let mut history = self.history.lock();
            history.each_selected(selections.longest(), |look| labels.push(look.labels().clone()));
            (0..).zip(labels).map(|(place, labels)| SeriesWindow {
                window: self,
                selections,
                place,
                labels,
            })
        });
        all.into_iter().flatten()
    }

    /// How many bytes of the budget the past of all series takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.history.lock().weight()
    }

    /// Hands over each series that `selector` matches, as seen over the last `range`. The history is
    /// locked meanwhile.
    pub(super) fn each(
        &self,
        selector: &Selector,
        range: Duration,
        give: impl FnMut(&mut Look<'_>),
    ) {
        if let Some(selections) = self.selections.get(selector) {
            self.history.lock().each_selected(selections.of(range), give);
        }
    }

    /// Whether samples of `selector` within `range` were given up to keep the budget.
    pub(super) fn is_shortened(&self, selector: &Selector, range: Duration) -> bool {
        let selections = self.selections.get(selector);
        selections.is_some_and(|all| self.history.lock().is_shortened(all.of(range)))
    }
}

impl Selections {
    /// Selects series of `history` over each of `ranges`.
    fn new(
        selector: &Selector,
        ranges: &[Duration],
        distributions: bool,
        history: &mut History,
    ) -> Self {
        let mut select = |range: Duration| {
            let matching = selector.clone();
            let matches = Box::new(move |labels: &LabelSet| matching.matches(labels));
            let name = selector.name().to_owned();
            (range, history.select(Wanted { name, matches, range, distributions }))
        };
        Self(ranges.iter().map(|&range| select(range)).collect())
    }

    /// The selection over `range`, or else the one over the longest range.
    fn of(&self, range: Duration) -> SelectionId {
        let place = self.0.partition_point(|&(known, _)| known < range);
        self.0[place.min(self.0.len() - 1)].1
    }

    /// The selection over the longest range.
    fn longest(&self) -> SelectionId {
        self.of(Duration::MAX)
    }
}

impl fmt::Debug for SampleWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selectors: Vec<_> = self.selections.keys().map(Selector::to_string).collect();
        f.debug_struct("SampleWindow").field("selectors", &selectors).finish_non_exhaustive()
    }
}

/// One series in a [`SampleWindow`].
#[derive(Clone)]
pub struct SeriesWindow<'a> {
    window: &'a SampleWindow,
    selections: &'a Selections,
    place: usize,
    labels: LabelSet,
}

impl SeriesWindow<'_> {
    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// The value at the newest tick; `None` if the series was absent there.
    ///
    /// For a histogram this is its count.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.look(Duration::ZERO, |look| look.last())?
    }

    /// The samples within the last `range`, oldest first; its start is not part of it.
    pub fn samples(&self, range: Duration) -> impl Iterator<Item = (Ticks, f64)> + use<> {
        let mut samples = Vec::new();
        self.look(range, |look| look.samples(range, |taken, value| samples.push((taken, value))));
        samples.into_iter()
    }

    /// Whether its samples cover the whole of the last `range`: one of them is at or before the start.
    ///
    /// That is not so while a series is younger than the range, or if samples were given up to keep
    /// the history within its budget.
    #[must_use]
    pub fn covers(&self, range: Duration) -> bool {
        self.look(range, |look| look.covers(range)) == Some(true)
    }

    /// By how much a sum grew over the last `range`, and the time between the two samples.
    ///
    /// The first sample is the one at or before the start of the range, or else the oldest; the second
    /// is the newest. Where the sum fell or restarted, it counts from zero again. A sum that appeared
    /// after the start of the range counts from zero, from its first sample on. If a callback gives it,
    /// what it counted before is unknown, and it counts from its first value on. `None` without a
    /// sample, and for other kinds with fewer than two.
    #[must_use]
    pub fn increase(&self, range: Duration) -> Option<(f64, Duration)> {
        self.look(range, |look| look.increase(range))?
    }

    /// The values that a histogram recorded over the last `range`, between the same two samples as
    /// [`increase`](Self::increase).
    ///
    /// `None` for other kinds, with fewer than two samples, and if no rule declared that it needs
    /// distributions.
    #[must_use]
    pub fn distribution(&self, range: Duration) -> Option<HistogramSnapshot> {
        self.look(range, |look| look.distribution(range))?
    }

    /// Whether it is a histogram whose distributions are kept.
    #[must_use]
    pub fn has_distributions(&self) -> bool {
        self.look(Duration::ZERO, |look| look.has_distributions()) == Some(true)
    }

    /// Reads it over a range.
    fn look<T>(&self, range: Duration, ask: impl FnOnce(&mut Look<'_>) -> T) -> Option<T> {
        let mut history = self.window.history.lock();
        let mut look = history.selected(self.selections.of(range), self.place)?;
        Some(ask(&mut look))
    }
}

impl fmt::Debug for SeriesWindow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesWindow").field("labels", &self.labels).finish_non_exhaustive()
    }
}
