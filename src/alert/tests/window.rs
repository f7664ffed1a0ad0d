//! What the window keeps, and for how long.

use super::*;

fn many(clock: &ManualClock, n: usize) -> Snapshot {
    let series = (0..n).map(|n| (labels(&[("s", &n.to_string())]), SeriesValue::Gauge(0.0)));
    snapshot(clock, vec![family("g", Kind::Gauge, series.collect())])
}

fn window_of(range: Duration, budget_bytes: usize) -> Ticked {
    Ticked::new([Need::samples(series("g"), range)], budget_bytes)
}

#[test]
fn memory_stays_within_the_budget_and_the_rules_it_concerns_are_told() {
    let clock = ManualClock::new();
    let hour = 3600 * SECOND;
    let rules = vec![
        Rule::new("Long", series("g").avg(hour).above(1.0)),
        Rule::new("Short", series("g").label("s", "0").last().above(1.0)),
        Rule::new("Other", series("other").avg(hour).above(1.0)),
    ];
    let budget = 512 << 10;
    let mut engine = Standalone::within(budget, rules, settings()).unwrap();
    for tick in 0..2000 {
        let series = (0..100_u64).map(|n| {
            // Each value takes eight bytes.
            let value =
                f64::from_bits(0x3fe0_0000_0000_0000 | (n + tick).wrapping_mul(0x9e37_79b9));
            (labels(&[("s", &n.to_string())]), SeriesValue::Gauge(value))
        });
        let family = family("g", Kind::Gauge, series.collect());
        engine.tick(&snapshot(&clock, vec![family]));
        assert!(engine.board().history_bytes() <= budget, "{}", engine.board().history_bytes());
        clock.advance(SECOND);
    }
    assert!(engine.board().history_bytes() > budget / 2, "{}", engine.board().history_bytes());
    let shortened: Vec<_> = engine.board().rules().iter().map(|rule| rule.shortened).collect();
    assert_eq!(shortened, [true, false, false]);
}

#[test]
fn where_one_tick_is_more_than_the_budget_rules_look_at_nothing() {
    let clock = ManualClock::new();
    let mut ticked = window_of(60 * SECOND, 64 << 10);
    let fits: Vec<_> = (0..5)
        .map(|_| {
            clock.advance(SECOND);
            let fits = ticked.tick(&many(&clock, 1000));
            assert!(ticked.window.bytes() <= 64 << 10, "{}", ticked.window.bytes());
            fits
        })
        .collect();
    assert_eq!(fits, [false, true, true, true, true], "it is reported once");
    assert_eq!(ticked.selected("g").len(), 0);
}

#[test]
fn rules_for_which_there_is_no_room_are_in_error_and_their_alerts_stay_as_they_were() {
    let clock = ManualClock::new();
    let rule = Rule::new("Long", series("g").label("s", "0").last().above(0.0));
    let mut engine = Standalone::within(64 << 10, vec![rule], settings()).unwrap();
    let mut tick = |n: usize, value: f64| {
        clock.advance(SECOND);
        let series = (0..n).map(|n| {
            let value = if n == 0 { value } else { 0.0 };
            (labels(&[("s", &n.to_string())]), SeriesValue::Gauge(value))
        });
        let family = family("g", Kind::Gauge, series.collect());
        engine.tick(&snapshot(&clock, vec![family]));
        let status = engine.board().rules().remove(0);
        let alerts = engine.board().alerts();
        (status.error.is_some(), status.shortened, alerts.first().map(Alert::state))
    };
    assert_eq!(tick(3, 1.0), (false, false, Some(AlertState::Firing)));
    assert_eq!(tick(1000, 1.0), (true, false, Some(AlertState::Firing)));
    assert_eq!(tick(1000, 0.0), (true, false, Some(AlertState::Firing)));
    assert_eq!(tick(3, 0.0), (false, false, Some(AlertState::Resolved)));
}

#[test]
fn a_rule_that_lost_its_past_is_shortened_until_its_range_is_full_again() {
    let clock = ManualClock::new();
    let rules = vec![
        Rule::new("Short", series("h").increase(2 * SECOND).above(0.0)),
        Rule::new("Long", series("h").increase(4 * SECOND).above(0.0)),
    ];
    let mut engine = Standalone::within(64 << 10, rules, settings()).unwrap();
    let mut tick = |n: usize| {
        clock.advance(SECOND);
        let sum = (labels(&[]), SeriesValue::Counter(7));
        let mut families = many(&clock, n).families().to_vec();
        families.push(family("h", Kind::Counter, vec![sum]));
        engine.tick(&snapshot(&clock, families));
        engine.board().rules().iter().map(|rule| rule.shortened).collect::<Vec<_>>()
    };
    assert_eq!(tick(1), [false, false]);
    let after: Vec<_> = (0..6).map(|_| tick(1000)).collect();
    let shortened = |rule: usize| after.iter().filter(|all| all[rule]).count();
    assert_eq!((shortened(0), shortened(1)), (2, 4), "{after:?}");
}

#[test]
fn series_that_no_rule_selects_make_room_for_those_that_are_selected() {
    let clock = ManualClock::new();
    let mut ticked = Ticked::new([Need::samples(series("h"), 60 * SECOND)], 64 << 10);
    let mut tick = |n: usize, value: f64| {
        clock.advance(SECOND);
        let gauge = (labels(&[]), SeriesValue::Gauge(value));
        let watched = family("h", Kind::Gauge, vec![gauge]);
        let mut all = many(&clock, n);
        let mut families = all.families().to_vec();
        families.push(watched);
        all = snapshot(&clock, families);
        ticked.tick(&all);
        let history = ticked.replay.history.clone();
        let earlier = history.lock().before(clock.now(), SECOND);
        let spans = earlier.map(|earlier| clock.now().since(earlier.at.taken()));
        let selected = ticked.selected("h");
        let values = selected.iter().flat_map(|one| one.samples(60 * SECOND));
        (values.map(|(_, value)| value).collect::<Vec<_>>(), spans)
    };
    assert_eq!(tick(1000, 1.0), (vec![], None));
    assert_eq!(tick(1000, 2.0), (vec![2.0], None));
    assert_eq!(tick(1000, 3.0), (vec![2.0, 3.0], None));
    assert_eq!(tick(3, 4.0), (vec![2.0, 3.0, 4.0], None));
    assert_eq!(
        tick(3, 5.0),
        (vec![2.0, 3.0, 4.0, 5.0], Some(Duration::ZERO)),
        "all are kept from now on"
    );
    assert_eq!(tick(3, 6.0), (vec![2.0, 3.0, 4.0, 5.0, 6.0], Some(SECOND)));
}

#[test]
fn what_no_range_needs_is_let_go_and_nothing_of_it_stays() {
    let clock = ManualClock::new();
    let mut ticked = window_of(5 * SECOND, BUDGET_BYTES);
    let mut most = 0;
    for slot in 0..900 {
        clock.advance(SECOND);
        // Other series at every tick.
        let name = format!("{slot}");
        ticked.tick(&gauges(&clock, &[(&name, 1.0)]));
        most = most.max(ticked.selected("g").len());
    }
    // Five minutes of ticks, and what is not written into the coarser tiers yet.
    assert!((300..400).contains(&most), "{most}");
    for _ in 0..400 {
        clock.advance(SECOND);
        ticked.tick(&gauges(&clock, &[]));
    }
    assert_eq!(ticked.selected("g").len(), 0);
}

#[test]
fn ticks_of_what_a_long_range_selects_are_kept_for_longer() {
    let clock = ManualClock::new();
    let mut ticked = window_of(1_000 * SECOND, BUDGET_BYTES);
    for n in 0..2_000 {
        clock.advance(SECOND);
        ticked.tick(&gauges(&clock, &[("a", f64::from(n))]));
    }
    let one = &ticked.selected("g")[0];
    let values: Vec<f64> = one.samples(1_000 * SECOND).map(|(_, value)| value).collect();
    assert_eq!(values, (1_000..2_000).map(f64::from).collect::<Vec<_>>());
    assert!(one.covers(1_000 * SECOND));
    let span = |length: u32| {
        let earlier = ticked.replay.history.lock().before(clock.now(), length * SECOND).unwrap();
        clock.now().since(earlier.at.taken())
    };
    assert_eq!(span(300), 300 * SECOND);
    assert!(
        (301 * SECOND..=310 * SECOND).contains(&span(301)),
        "a window of all goes by ten seconds"
    );
}

#[test]
fn histograms_are_kept_only_where_a_rule_needs_them() {
    let clock = ManualClock::new();
    let histogram = SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(&[1.0])));
    let families = vec![family("g", Kind::Histogram, vec![(labels(&[]), histogram)])];
    let counts = window_of(5 * SECOND, BUDGET_BYTES);
    let needs = [Need::distributions(series("g"), 5 * SECOND)];
    let distributions = Ticked::new(needs, BUDGET_BYTES);
    for (mut ticked, has) in [(counts, false), (distributions, true)] {
        ticked.tick(&snapshot(&clock, families.clone()));
        assert_eq!(ticked.selected("g")[0].has_distributions(), has);
    }
}

#[test]
fn a_histogram_that_begins_anew_in_the_range_has_the_values_of_both() {
    let clock = ManualClock::new();
    let needs = [Need::distributions(series("g"), 5 * SECOND)];
    let mut ticked = Ticked::new(needs, BUDGET_BYTES);
    for (values, start) in [(&[1.0][..], 0), (&[1.0, 2.0], 0), (&[3.0, 3.0, 3.0], 9)] {
        clock.advance(SECOND);
        let value = SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(values)));
        let mut family = family("g", Kind::Histogram, Vec::new());
        family.series = vec![Series::new(labels(&[]), value, Ticks::from_raw(start))];
        ticked.tick(&snapshot(&clock, vec![family]));
    }
    let one = &ticked.selected("g")[0];
    let found = one.distribution(5 * SECOND).unwrap();
    assert_eq!(found.count(), 4, "2 and three times 3");
    assert_eq!(one.increase(5 * SECOND).unwrap().0, 4.0);
    assert!((found.sum() - 11.0).abs() < 1e-9, "{}", found.sum());
}

#[test]
fn a_histogram_that_was_away_and_goes_on_has_no_more_than_what_it_recorded() {
    let clock = ManualClock::new();
    let range = 4 * SECOND;
    let mut ticked = Ticked::new([Need::distributions(series("g"), range)], BUDGET_BYTES);
    // How many values were recorded, and in how many seconds.
    let mut tick = |values: Option<&[f64]>| {
        clock.advance(SECOND);
        let value = |values| SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(values)));
        let series: Vec<_> =
            values.map(|values| (labels(&[]), value(values))).into_iter().collect();
        ticked.tick(&snapshot(&clock, vec![family("g", Kind::Histogram, series)]));
        let one = &ticked.selected("g")[0];
        let (amount, time) = one.increase(range)?;
        assert_eq!(one.distribution(range)?.count() as f64, amount, "{values:?}");
        Some((amount as u64, time.as_secs()))
    };
    let (one, two, three, four): (&[_], &[_], &[_], &[_]) =
        (&[1.0], &[1.0, 2.0], &[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]);
    (0..6).for_each(|_| _ = tick(Some(one)));
    assert_eq!([None; 3].map(&mut tick), [Some((0, 3)), Some((0, 2)), Some((0, 1))]);
    assert_eq!(tick(Some(two)), Some((1, 4)));
    // The range begins while it is away: its oldest sample in it is in the place of that.
    assert_eq!(tick(Some(three)), Some((1, 1)));
    let after = [four; 4].map(Some).map(&mut tick);
    assert_eq!(after, [Some((2, 2)), Some((2, 3)), Some((2, 4)), Some((1, 4))]);
}

#[test]
fn a_series_that_comes_back_at_once_is_the_same_one() {
    let clock = ManualClock::new();
    let mut ticked = window_of(Duration::ZERO, BUDGET_BYTES);
    for values in [&[("a", 1.0)][..], &[], &[("a", 2.0)]] {
        clock.advance(SECOND);
        ticked.tick(&gauges(&clock, values));
        let last = ticked.selected("g").iter().filter_map(SeriesWindow::last).count();
        assert_eq!(last, values.len());
    }
}
