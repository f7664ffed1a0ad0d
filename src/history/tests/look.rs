//! What rules ask of selected series, against a naive twin that keeps all snapshots.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::registry::{Action, House, action};
use crate::{
    clock::{self, Slots, Ticks},
    history::{BUDGET_BYTES, History, Look, SelectionId, Wanted, tier::TICKS},
    label::LabelSet,
    metric::Prepared,
    snapshot::{HistogramSnapshot, Kind, SeriesValue, Snapshot},
    testing,
};

const NAMES: [&str; 8] =
    ["hits", "cost", "busy", "level", "wait", "wait.explicit", "wait.ticks", "told"];
const RANGES: [u64; 5] = [0, 5, 60, 300, 400];

/// A series at all ticks.
type Samples = Vec<Option<Sample>>;

#[derive(Clone, Debug)]
struct Sample {
    value: f64,
    start: Ticks,
    histogram: Option<HistogramSnapshot>,
}

/// All ticks, and the series of each name.
#[derive(Default)]
struct Twin {
    taken: Vec<Ticks>,
    /// The first tick that was not given up for room, from which tick on.
    given_up: Vec<(usize, usize)>,
    series: BTreeMap<(&'static str, LabelSet), (bool, Samples)>,
}

impl Twin {
    fn take(&mut self, snapshot: &Snapshot) {
        let n_before = self.taken.len();
        self.taken.push(snapshot.taken());
        for name in NAMES {
            let Some(family) = snapshot.family(name) else { continue };
            let is_sum = family.kind() == Kind::Counter || family.kind().is_distribution();
            for series in family.series() {
                let key = (name, series.labels().clone());
                let (_, samples) = self.series.entry(key).or_insert((is_sum, Vec::new()));
                samples.resize(n_before, None);
                let histogram = match series.value() {
                    SeriesValue::Histogram(histogram) => Some(HistogramSnapshot::clone(histogram)),
                    _ => None,
                };
                let (value, start) = (series.value().as_f64(), series.started());
                samples.push(Some(Sample { value, start, histogram }));
            }
        }
        let n = self.taken.len();
        self.series.values_mut().for_each(|(_, samples)| samples.resize(n, None));
    }

    /// The first tick that was not given up.
    fn first(&self) -> usize {
        self.given_up.last().map_or(0, |&(_, first)| first)
    }

    /// The tick at the start of a range, or the first one; and the first tick in the range.
    fn start(&self, range: Duration) -> (usize, usize) {
        let now = *self.taken.last().unwrap();
        let first_inside = self.taken.partition_point(|&taken| now.since(taken) >= range);
        (first_inside.saturating_sub(1).max(self.first()), first_inside.max(self.first()))
    }
}

/// The samples that an increase is computed from, with their ticks; and whether from zero on.
fn ends(
    (is_sum, samples): &(bool, Samples),
    (base, first_inside): (usize, usize),
    was_zero: impl FnOnce(Ticks) -> bool,
) -> Option<(bool, Vec<(usize, &Sample)>)> {
    let there = |at: usize| Some((at, samples[at].as_ref()?));
    let newest = (first_inside..samples.len()).rev().find_map(there)?;
    if base >= newest.0 {
        return None;
    }
    let between: Vec<_> = (base..=newest.0).filter_map(there).collect();
    if samples[base].is_some() {
        return Some((false, between));
    }
    // The tick at which the newest sum appeared.
    let mut since = (usize::MAX, None);
    for (at, sample) in samples.iter().enumerate() {
        if let Some(Sample { start, .. }) = sample
            && since.1 != Some(*start)
        {
            since = (at, Some(*start));
        }
    }
    if *is_sum && since.0 > base && since.1.is_some_and(was_zero) {
        return Some((true, between));
    }
    (between.len() > 1).then_some((false, between))
}

/// Whether it was gone for so long that what it was before may be forgotten.
fn may_be_forgotten(twin: &Twin, samples: &Samples) -> bool {
    let there: Vec<_> = (0..samples.len()).filter(|&at| samples[at].is_some()).collect();
    let long = Duration::from_secs(290);
    there.windows(2).any(|pair| {
        let is_given_up = |&(at, first): &(usize, usize)| at < pair[1] && first > pair[0];
        let is_away = pair[1] - pair[0] > 1;
        twin.taken[pair[1]].since(twin.taken[pair[0]]) >= long
            || is_away && twin.given_up.iter().any(is_given_up)
    })
}

fn increase(is_sum: bool, from_zero: bool, samples: &[(usize, &Sample)]) -> f64 {
    let (first, last) = (samples[0].1.value, samples[samples.len() - 1].1.value);
    let mut amount = if from_zero { last } else { last - first };
    for pair in samples.windows(2) {
        let (before, after) = (pair[0].1, pair[1].1);
        if after.value < before.value || is_sum && after.start != before.start {
            amount += before.value;
        }
    }
    amount
}

fn distribution(from_zero: bool, samples: &[(usize, &Sample)]) -> Option<HistogramSnapshot> {
    let empty = HistogramSnapshot::default;
    let mut sum = empty();
    let mut base = if from_zero { empty() } else { samples[0].1.histogram.clone()? };
    for pair in samples.windows(2) {
        let (before, after) = (pair[0].1, pair[1].1);
        if after.value < before.value || after.start != before.start {
            sum.merge(&before.histogram.as_ref()?.since(&base));
            base = empty();
        }
    }
    sum.merge(&samples[samples.len() - 1].1.histogram.as_ref()?.since(&base));
    Some(sum)
}

/// What a look answers, as text that tells every bit apart.
fn compare(
    look: &mut Look<'_>,
    (name, range): (&str, Duration),
    twin: &Twin,
    series: &(bool, Samples),
) -> Result<(), TestCaseError> {
    let (_, samples) = series;
    let bits = |value: Option<f64>| value.map(f64::to_bits);
    let newest = samples[samples.len() - 1].as_ref();
    prop_assert_eq!(bits(look.last()), bits(newest.map(|sample| sample.value)));

    let (_, first_inside) = twin.start(range);
    if !may_be_forgotten(twin, samples) {
        compare_increase(look, (name, range), twin, series)?;
        let was_there = |from: usize| samples[from..first_inside].iter().any(Option::is_some);
        let is_kept = first_inside > twin.first();
        // What is left in a chunk of what was given up is not told.
        if newest.is_some() && (!is_kept || was_there(twin.first()) == was_there(0)) {
            prop_assert_eq!(look.covers(range), is_kept && was_there(0));
        }
    }
    // Seldom: to read them hands over what is staged, and no other question would find that.
    if !samples.len().is_multiple_of(9) {
        return Ok(());
    }
    let inside = (first_inside..samples.len())
        .filter_map(|at| Some((twin.taken[at], samples[at].as_ref()?.value.to_bits())));
    let mut found = Vec::new();
    look.samples(range, |taken, value| found.push((taken, value.to_bits())));
    prop_assert_eq!(found, inside.collect::<Vec<_>>());
    Ok(())
}

fn compare_increase(
    look: &mut Look<'_>,
    (name, range): (&str, Duration),
    twin: &Twin,
    series: &(bool, Samples),
) -> Result<(), TestCaseError> {
    let (is_sum, _) = series;
    let (base, first_inside) = twin.start(range);
    // The totals of the callback may be older than its family.
    let was_zero = |start: Ticks| name != "told" || start > twin.taken[base];
    let ends = ends(series, (base, first_inside), was_zero);
    let from = |from_zero: bool, first: usize| if from_zero { base } else { first };
    let expected = ends.as_ref().map(|(from_zero, between)| {
        let (first, last) = (between[0].0, between[between.len() - 1].0);
        let time = twin.taken[last].since(twin.taken[from(*from_zero, first)]);
        (increase(*is_sum, *from_zero, between).to_bits(), time)
    });
    let found = look.increase(range).map(|(amount, time)| (amount.to_bits(), time));
    prop_assert_eq!(found, expected);
    if look.has_distributions() {
        let expected = ends.and_then(|(from_zero, between)| distribution(from_zero, &between));
        let found = look.distribution(range);
        let parts = |all: Option<HistogramSnapshot>| {
            all.map(|all| {
                let counts: Vec<_> = all.buckets().map(|bucket| bucket.2).collect();
                (all.count(), all.sum().to_bits(), counts)
            })
        };
        prop_assert_eq!(parts(found), parts(expected));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_rules_ask_is_answered_as_by_one_who_keeps_all_snapshots(
        actions in prop::collection::vec(action(), 1..60),
        in_place in prop_oneof![4 => Just(true), 1 => Just(false)],
        given_up in prop::collection::btree_set(0..400_usize, 0..6),
    ) {
        let scope = testing::scope();
        let clock = scope.clock().clone();
        let mut house = House::new(clock.clone());
        let mut history = History::new(BUDGET_BYTES);
        let mut selections: Vec<(&'static str, Duration, SelectionId)> = Vec::new();
        for name in NAMES {
            for range in RANGES.map(Duration::from_secs) {
                let matches = Box::new(|_: &LabelSet| true);
                let distributions = name.starts_with("wait");
                let id = history.select(Wanted { name: name.into(), matches, range, distributions });
                selections.push((name, range, id));
            }
        }
        let (mut twin, mut slots) = (Twin::default(), Slots::new(Duration::from_nanos(1)));
        let ticks = actions.iter().flat_map(|action| match action {
            &Action::Tick(pause, times) => vec![(None, pause); times.min(9).into()],
            action => vec![(Some(action), 0)],
        });
        for (n, (action, pause)) in ticks.enumerate() {
            if let Some(action) = action {
                house.act(action);
                continue;
            }
            clock.advance(Duration::from_millis(pause.into()));
            let Some(slot) = slots.next(clock::now()) else { continue };
            let snapshot = house.registry.snapshot();
            let prepared = match in_place {
                true => house.registry.prepare(),
                false => Prepared::of(snapshot.clone()),
            };
            prop_assert_eq!(history.tick(&prepared, slot), None);
            twin.take(&snapshot);
            if given_up.contains(&n) && history.give_up() {
                let first = history.store.tiers[TICKS].first() as usize;
                twin.given_up.push((twin.taken.len() - 1, first));
            }
            // Not at every tick, so that cursors make steps of any length.
            for &(name, range, id) in selections.iter().skip(n % 7).step_by(5 + n % 5) {
                let mut outcome = Ok(());
                let mut n_live = 0;
                history.each_selected(id, |look| {
                    let key = (name, look.labels().clone());
                    n_live += usize::from(look.last().is_some());
                    if outcome.is_ok()
                        && let Some(series) = twin.series.get(&key)
                    {
                        outcome = compare(look, (name, range), &twin, series).map_err(|error| {
                            TestCaseError::fail(format!("{name} {} {range:?}: {error}", key.1))
                        });
                    }
                });
                outcome?;
                let all = twin.series.iter().filter(|(key, _)| key.0 == name);
                let expected = all.filter(|(_, (_, samples))| matches!(samples.last(), Some(Some(_))));
                prop_assert_eq!(n_live, expected.count(), "{}", name);
            }
        }
    }
}
