//! Tiers, the budget, and series without cells.

use std::time::Duration;

use proptest::prelude::*;

use crate::{
    clock::{ManualClock, Slot, Ticks},
    history::{
        BUDGET_BYTES, History, Wanted,
        families::{Head, Named},
        sample::{Form, MINUTE_MAX, MINUTE_MEAN, MINUTE_MIN, Sample},
        tier::{MARKS, MINUTES, TICKS},
    },
    label::{Dynamic, LabelSet},
    metric::{Counter, Observations, Registry},
    snapshot::{Kind, PageBounds, SeriesValue, Unit},
    testing,
};

const SECOND: Duration = Duration::from_secs(1);

fn slot(clock: &ManualClock) -> Slot {
    Slot { at: clock.now(), nanos: clock.now().unix_nanos(), missed: 0 }
}

fn tick(history: &mut History, registry: &Registry, clock: &ManualClock, pause: Duration) {
    clock.advance(pause);
    assert_eq!(history.tick(&registry.prepare(), slot(clock)), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The twin is what pandas' `resample("1min")` does with the samples: it puts each into the minute
    /// that it is in, and leaves NaN out of `min`, `max` and `mean`.
    #[test]
    fn minutes_of_a_gauge_are_those_of_a_monitoring_database(
        steps in prop::collection::vec(
            (
                prop_oneof![3 => Just(None), 1 => prop_oneof![
                    6 => -1e6..1e6, 1 => Just(f64::NAN), 1 => Just(1e16), 1 => Just(0.0),
                ].prop_map(Some)],
                prop_oneof![9 => Just(1_000u64), 1 => 100u64..90_000],
                prop::bool::weighted(0.05),
            ),
            1..500,
        ),
    ) {
        let scope = testing::scope();
        let clock = scope.clock().clone();
        let registry = Registry::new();
        let level = registry.gauge("level", "").keys(&["n"]).build().unwrap();
        let of_one = level.bind_labels(&[("n", "one")]);
        let mut history = History::new(32 << 20);
        tick(&mut history, &registry, &clock, Duration::ZERO);
        let mut twin: Vec<(u64, Vec<f64>)> = Vec::new();
        let mut minutes = vec![clock.now().unix_nanos() / 60_000_000_000];
        let mut now = None;
        for (set, pause, remove) in steps {
            if let Some(value) = set {
                of_one.set(value);
                now = Some(value);
            }
            if remove {
                level.remove_labels(&[("n", "one")]);
                now = None;
            }
            tick(&mut history, &registry, &clock, Duration::from_millis(pause));
            let minute = clock.now().unix_nanos() / 60_000_000_000;
            if minutes.last() != Some(&minute) {
                minutes.push(minute);
            }
            let Some(value) = now else { continue };
            match twin.last_mut() {
                Some((last, values)) if *last == minute => values.push(value),
                _ => twin.push((minute, vec![value])),
            }
        }
        let Some(family) = history.families.iter().find(|family| &*family.name == "level") else {
            return Ok(());
        };
        // The instant that ends a minute is the first of the next one that has any.
        for (number, ends) in (1..).zip(minutes.windows(2)) {
            let of_minute = twin.iter().find(|(minute, _)| *minute == ends[0]);
            let found = family.rows.first().and_then(|&row| {
                history.store.sample(row, MINUTES, number, |_, sample| match sample {
                    Sample::Histogram(_, cells) => cells.clone(),
                    Sample::Bits(_) => unreachable!("a minute has several figures"),
                })
            });
            prop_assert_eq!(found.is_some(), of_minute.is_some(), "minute {}", number);
            let (Some(cells), Some((_, values))) = (found, of_minute) else { continue };
            let figure = |cell| f64::from_bits(cells.get(cell));
            let numbers = || values.iter().copied().filter(|value| !value.is_nan());
            let n = numbers().count();
            prop_assert_eq!(cells.sum, values.last().unwrap().to_bits());
            let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
            prop_assert!(same(figure(MINUTE_MIN), numbers().fold(f64::NAN, f64::min)));
            prop_assert!(same(figure(MINUTE_MAX), numbers().fold(f64::NAN, f64::max)));
            if n > 0 {
                let largest = numbers().map(f64::abs).fold(0.0, f64::max);
                let mean = numbers().map(|value| value / n as f64).sum::<f64>();
                prop_assert!((figure(MINUTE_MEAN) - mean).abs() <= 1e-9 * largest.max(1e-300));
            }
        }
    }
}

#[test]
fn a_series_with_another_step_lacks_the_instants_between() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let registry = Registry::new();
    let mut history = History::new(32 << 20);
    let (name, help) = ("ALERTS".into(), "".into());
    let head = Head { kind: Kind::Gauge, unit: Unit::NONE, form: Form::Float };
    let family = || Named { name: &name, help: &help, head, page_bounds: PageBounds::default() };
    let labels = LabelSet::new([("alertname", "Slow")]);
    let mut rows = Vec::new();
    for n in 0..100 {
        tick(&mut history, &registry, &clock, SECOND);
        if n % 30 == 0 && n < 90 {
            let row = history.series(family(), &labels);
            history.add(row, Ticks::ORIGIN, Sample::Bits(1.5f64.to_bits()));
            rows.push(row);
        }
        if n == 95 {
            history.end(rows[0]);
        }
    }
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|&row| row == rows[0]), "the same series each time");
    let is_there = |tier, number| history.store.sample(rows[0], tier, number, |_, _| ()).is_some();
    let there: Vec<u64> = (0..100).filter(|&number| is_there(TICKS, number)).collect();
    assert_eq!(there, [0, 30, 60]);
    let marks = history.store.tiers[MARKS].end();
    assert_eq!((0..marks).filter(|&number| is_there(MARKS, number)).count(), 3);
}

/// Counters that all change at each tick.
fn busy(n: usize) -> (Registry, Counter<Dynamic>, impl Fn()) {
    let registry = Registry::with_series_limit(1_000_000);
    let hits = registry.counter("hits", "").keys(&["n"]).build().unwrap();
    let bound: Vec<_> = (0..n).map(|n| hits.bind_labels(&[("n", &n.to_string())])).collect();
    (registry, hits, move || bound.iter().for_each(|hits| hits.add(3)))
}

#[test]
fn a_series_goes_on_when_its_family_learns_more_keys() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let registry = Registry::new();
    let hits = registry.counter("hits", "").any_keys().build().unwrap();
    let kept = hits.bind_any(&[("b", "1")]);
    let mut history = History::new(1_000_000);
    for n in 0..10_u32 {
        kept.add(3);
        hits.bind_any(&[("b", "1"), (&format!("a{n}"), "1")]).inc();
        tick(&mut history, &registry, &clock, SECOND);
    }
    let later = registry.snapshot();
    let earlier = history.before(later.taken(), Duration::from_secs(9)).unwrap().at;
    let window = later.since(&earlier);
    assert_eq!(window.increase("hits", &[("b", "1")]), Some(27.0));
    assert_eq!(window.increase("hits", &[("b", "1"), ("a5", "1")]), Some(1.0));
}

#[test]
fn over_the_budget_the_oldest_ticks_go_first_and_what_is_left_is_exact() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let (registry, _hits, record) = busy(200);
    let budget = 300_000;
    let mut history = History::new(budget);
    for _ in 0..4_000 {
        record();
        tick(&mut history, &registry, &clock, SECOND);
        assert!(history.store.weight() <= budget);
    }
    let later = registry.snapshot();
    let mut span = |seconds| {
        let earlier = history.before(later.taken(), Duration::from_secs(seconds)).unwrap().at;
        let window = later.since(&earlier);
        let ticks = window.duration().as_secs();
        assert_eq!(window.increase("hits", &[("n", "7")]), Some(3.0 * ticks as f64), "{seconds}");
        ticks
    };
    assert_eq!([1, 10].map(&mut span), [1, 10], "ticks");
    let long = span(3_000);
    assert!((3_000..3_060).contains(&long), "{long}");
    let ticks = &history.store.tiers[TICKS];
    let n_ticks = ticks.end() - ticks.first();
    assert!((61..300).contains(&n_ticks), "ticks are what was given up: {n_ticks} are left");
}

#[test]
fn what_is_older_than_its_tier_goes_and_takes_its_series_along() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let registry = Registry::new();
    let hits = registry.counter("hits", "").keys(&["n"]).build().unwrap();
    let mut history = History::new(32 << 20);
    let mut most = 0;
    for n in 0..3_000 {
        let labels = [("n", n.to_string())];
        let labels = [("n", labels[0].1.as_str())];
        hits.with_labels(&labels).inc();
        tick(&mut history, &registry, &clock, 60 * SECOND);
        hits.remove_labels(&labels);
        most = most.max(history.store.n_rows());
    }
    // A day of minutes has 1,440 of them.
    assert!((1_440..1_500).contains(&most), "{most}");
}

#[test]
fn more_series_than_the_budget_holds_span_nothing_and_are_told_once() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let (registry, hits, record) = busy(500);
    let mut history = History::new(20_000);
    record();
    let told: Vec<_> = (0..3).map(|_| history.tick(&registry.prepare(), slot(&clock))).collect();
    assert_eq!(told, [Some(500), None, None]);
    assert!(history.before(clock.now(), SECOND).is_none());
    drop(record); // And with it the handles of the series.
    hits.retain(|labels| labels.get("n") == Some("7"));
    for _ in 0..3 {
        hits.with_labels(&[("n", "7")]).inc();
        clock.advance(SECOND);
        history.tick(&registry.prepare(), slot(&clock));
    }
    assert!(history.before(clock.now(), SECOND).is_some(), "it keeps again what it can");
}

#[test]
fn what_is_given_up_just_after_all_series_are_kept_again_leaves_every_window_exact() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let (registry, _hits, record) = busy(3);
    let noise = registry.gauge("noise", "").keys(&["n"]).build().unwrap();
    // On a thread that ends: it remembers the series no longer, so that they can go.
    std::thread::scope(|threads| {
        let set = |n: u32| noise.with_labels(&[("n", &n.to_string())]).set(1.0);
        threads.spawn(testing::carry(move || (0..500).for_each(set)));
    });
    let mut history = History::new(60_000);
    history.select(Wanted {
        name: "hits".to_owned(),
        matches: Box::new(|_| true),
        range: 5 * SECOND,
        distributions: false,
    });
    let second = |history: &mut History| {
        record();
        clock.advance(SECOND);
        history.tick(&registry.prepare(), slot(&clock))
    };
    assert!(second(&mut history).is_some(), "too many");
    // Ticks and marks of the hits alone.
    (0..25).for_each(|_| assert_eq!(second(&mut history), None));
    // As long as another test reads, they are listed still.
    while history.n_unkept > 0 {
        noise.clear();
        second(&mut history);
    }
    assert!(history.store.give_up(), "before a tier has its next instant");
    (0..90).for_each(|_| _ = second(&mut history));
    // Nearly all ticks go, so that windows begin at marks.
    while history.store.tiers[TICKS].end() - history.store.tiers[TICKS].first() > 2 {
        assert!(history.store.give_up());
    }
    let later = registry.snapshot();
    for length in 1..90 {
        let earlier = history.before(later.taken(), length * SECOND).unwrap().at;
        let window = later.since(&earlier);
        let ticks = window.duration().as_secs();
        assert_eq!(window.increase("hits", &[("n", "1")]), Some(3.0 * ticks as f64), "{length}");
    }
}

#[test]
fn a_range_whose_start_was_given_up_is_not_covered() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let (registry, _hits, record) = busy(1);
    let mut history = History::new(BUDGET_BYTES);
    let (name, range) = ("hits".to_owned(), 60 * SECOND);
    let id =
        history.select(Wanted { name, matches: Box::new(|_| true), range, distributions: false });
    // So many that a chunk is sealed, which is cut only as a whole.
    for _ in 0..500 {
        record();
        tick(&mut history, &registry, &clock, SECOND);
    }
    let covers = |history: &mut History| history.selected(id, 0).unwrap().covers(range);
    assert!(covers(&mut history));
    while history.store.tiers[TICKS].end() - history.store.tiers[TICKS].first() > 60 {
        assert!(history.store.give_up());
    }
    assert!(!covers(&mut history));
}

#[test]
fn a_sum_that_was_away_for_a_tick_and_began_anew_counts_what_it_has_since() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let registry = Registry::new();
    let hits = registry.counter("hits", "").keys(&["n"]).build().unwrap();
    let (one, minute) = ([("n", "one")], 60 * SECOND);
    let mut history = History::new(BUDGET_BYTES);
    let id = history.select(Wanted {
        name: "hits".to_owned(),
        matches: Box::new(|_| true),
        range: minute,
        distributions: false,
    });
    let mut increase = || {
        tick(&mut history, &registry, &clock, SECOND);
        let mut found = None;
        history.each_selected(id, |look| found = look.increase(minute));
        found.map(|(amount, _)| amount)
    };
    hits.with_labels(&one).add(5);
    assert_eq!(increase(), None, "it may be old");
    hits.remove_labels(&one);
    assert_eq!(increase(), None);
    hits.with_labels(&one).add(5);
    assert_eq!(
        [increase(), increase()],
        [Some(5.0); 2],
        "as many as before, and none of them the same"
    );
}

#[test]
fn label_sets_that_come_and_go_leave_the_last_minute_of_ticks() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let registry = Registry::new();
    let stays = registry.counter("stays", "").build().unwrap();
    let seen = registry.counter("seen", "").keys(&["user"]).build().unwrap();
    let budget = 200_000;
    let mut history = History::new(budget);
    for n in 0..3_000_u64 {
        let user = |n: u64| format!("{n:0>100}");
        seen.with_labels(&[("user", &user(n))]).inc();
        if let Some(before) = n.checked_sub(2) {
            seen.remove_labels(&[("user", &user(before))]);
        }
        stays.inc();
        tick(&mut history, &registry, &clock, SECOND);
        assert!(history.weight() <= budget);
        let ticks = &history.store.tiers[TICKS];
        assert!(ticks.end() - ticks.common() >= 61.min(n + 1), "at tick {n}");
    }
    let [marks, minutes] = [MARKS, MINUTES].map(|tier| history.store.tiers[tier].len());
    assert!(marks < 150 && minutes > 30, "{marks} marks and {minutes} minutes are left");
}

#[test]
fn room_for_series_that_are_gone_is_given_back() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let registry = Registry::new();
    let seen = registry.counter("seen", "").keys(&["n"]).build().unwrap();
    let mut history = History::new(BUDGET_BYTES);
    (0..1_000).for_each(|n| seen.with_labels(&[("n", &n.to_string())]).inc());
    tick(&mut history, &registry, &clock, SECOND);
    let many = history.store.rows_weight();
    seen.clear();
    seen.with_labels(&[("n", "0")]).inc();
    // A day and more: no tier knows of the others.
    (0..1_500).for_each(|_| tick(&mut history, &registry, &clock, 60 * SECOND));
    assert_eq!(history.store.n_rows(), 1);
    assert!(history.store.rows_weight() < many / 100, "{} of {many}", history.store.rows_weight());
    // And there is room for others, in rows of their own.
    (0..100).for_each(|n| seen.with_labels(&[("n", &n.to_string())]).inc());
    tick(&mut history, &registry, &clock, SECOND);
    assert_eq!(history.store.n_rows(), 100);
}

#[test]
fn a_name_that_passes_between_a_callback_and_an_instrument_begins_as_the_new_one_does() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let registry = Registry::new();
    let mut history = History::new(BUDGET_BYTES);
    let mut begins_at_zero = || {
        tick(&mut history, &registry, &clock, SECOND);
        let family = history.families.iter().find(|family| family.name == "x").unwrap();
        let of_rows =
            family.rows.iter().map(|&row| history.store.rows[row as usize].begins_at_zero);
        of_rows.collect::<Vec<_>>()
    };
    for _ in 0..2 {
        let tell = |to: &mut Observations| to.observe(3.0, &[("n", "a")]);
        let observer = registry.counter("x", "").observe(tell).unwrap();
        assert_eq!([begins_at_zero(), begins_at_zero()], [[false], [false]]);
        drop(observer);
        let sums = registry.float_counter("x", "").keys(&["n"]).build().unwrap();
        sums.with_labels(&[("n", "a")]).add(2.0);
        assert_eq!([begins_at_zero(), begins_at_zero()], [[true], [true]]);
        assert!(registry.unregister("x"));
    }
}

#[test]
fn ticks_alone_keep_the_readings_that_the_windows_of_summaries_need() {
    let scope = testing::scope();
    let clock = scope.clock().clone();
    let registry = Registry::new();
    let sizes = registry.summary("sizes", "").keys(&["n"]).build().unwrap();
    let (often, once, late) = ([("n", "often")], [("n", "once")], [("n", "late")]);
    let unused = sizes.bind_labels(&late);
    sizes.with_labels(&once).record(7.0);
    let mut history = History::new(BUDGET_BYTES);
    for round in 0..90 {
        sizes.with_labels(&often).record(f64::from(round));
        tick(&mut history, &registry, &clock, SECOND);
    }
    unused.record(1.0);
    let snapshot = registry.snapshot();
    let counts = |labels: &[(&str, &str)]| {
        let SeriesValue::Summary(summary) = snapshot.value("sizes", labels).unwrap() else {
            panic!("not a summary");
        };
        let windows = summary.windows.iter().map(|(window, of)| (window.as_secs(), of.count()));
        (summary.count, windows.collect::<Vec<_>>())
    };
    assert_eq!(counts(&often), (90, vec![(10, 10), (60, 60), (300, 90)]));
    assert_eq!(counts(&once), (1, vec![(10, 0), (60, 0), (300, 1)]));
    assert_eq!(counts(&late), (1, vec![(10, 1), (60, 1), (300, 1)]));
}
