//! What the window keeps, and for how long.

use super::*;

fn many(clock: &ManualClock, n: usize) -> Snapshot {
    let series = (0..n).map(|n| (labels(&[("s", &n.to_string())]), SeriesValue::Gauge(0.0)));
    snapshot(clock, vec![family("g", Kind::Gauge, series.collect())])
}

fn window_of(range: Duration, budget_bytes: usize) -> SampleWindow {
    SampleWindow::new([Need::samples(series("g"), range)], budget_bytes)
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
    let budget = 256 << 10;
    let settings = Settings { window_bytes: budget, ..settings() };
    let mut engine = Engine::new(rules, settings).unwrap();
    for _ in 0..1000 {
        engine.tick(&many(&clock, 100));
        assert!(engine.board().window_bytes() <= budget, "{}", engine.board().window_bytes());
        clock.advance(SECOND);
    }
    assert!(engine.board().window_bytes() > budget / 2, "{}", engine.board().window_bytes());
    let shortened: Vec<_> = engine.board().rules().iter().map(|rule| rule.shortened).collect();
    assert_eq!(shortened, [true, false, false]);
}

#[test]
fn series_beyond_the_budget_are_refused_and_counted() {
    let clock = ManualClock::new();
    let mut window = window_of(60 * SECOND, 64 << 10);
    for slot in 0..20 {
        window.take(&many(&clock, 1000), slot * 1_000_000_000);
        assert!(window.bytes() <= 64 << 10, "{}", window.bytes());
    }
    let watched = window.select(&series("g")).count() as u64;
    assert!(watched > 50, "{watched}");
    assert_eq!(window.refused(), 1000 - watched);
}

#[test]
fn histograms_that_fill_the_budget_in_one_tick_are_refused_too() {
    let clock = ManualClock::new();
    let values: Vec<f64> = (1..500).map(f64::from).collect();
    let wide = Arc::new(HistogramSnapshot::of(&values));
    let series_of = |n: i32| {
        let histogram = SeriesValue::Histogram(Arc::clone(&wide));
        (labels(&[("s", &n.to_string())]), histogram)
    };
    let families = vec![family("g", Kind::Histogram, (0..50).map(series_of).collect())];
    let needs = [Need::distributions(series("g"), 60 * SECOND)];
    let mut window = SampleWindow::new(needs, 64 << 10);
    for slot in 0..20 {
        window.take(&snapshot(&clock, families.clone()), slot * 1_000_000_000);
        assert!(window.bytes() <= 64 << 10, "{}", window.bytes());
    }
    assert!(window.refused() > 0);
    assert!(window.select(&series("g")).count() > 3);
}

#[test]
fn what_no_range_needs_is_let_go_and_nothing_of_it_stays() {
    let clock = ManualClock::new();
    let mut window = window_of(5 * SECOND, 16 << 20);
    let empty = window.bytes();
    for slot in 0..200 {
        // Other series at every tick.
        let name = format!("{slot}");
        window.take(&gauges(&clock, &[(&name, 1.0)]), slot * 1_000_000_000);
        assert!(window.select(&series("g")).count() <= 8);
    }
    for slot in 200..210 {
        window.take(&gauges(&clock, &[]), slot * 1_000_000_000);
    }
    assert_eq!(window.select(&series("g")).count(), 0);
    assert!(window.bytes() < empty + 200, "{}", window.bytes());
}

#[test]
fn histograms_are_kept_only_where_a_rule_needs_them() {
    let clock = ManualClock::new();
    let histogram = SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(&[1.0])));
    let families = vec![family("g", Kind::Histogram, vec![(labels(&[]), histogram)])];
    let mut counts = window_of(5 * SECOND, 16 << 20);
    let needs = [Need::distributions(series("g"), 5 * SECOND)];
    let mut distributions = SampleWindow::new(needs, 16 << 20);
    for (window, has) in [(&mut counts, false), (&mut distributions, true)] {
        window.take(&snapshot(&clock, families.clone()), 0);
        let all: Vec<_> = window.select(&series("g")).collect();
        assert_eq!(all[0].has_distributions(), has);
    }
}

#[test]
fn a_series_that_comes_back_at_once_is_the_same_one() {
    let clock = ManualClock::new();
    let mut window = window_of(Duration::ZERO, 16 << 20);
    for (slot, values) in [(0, &[("a", 1.0)][..]), (1, &[]), (2, &[("a", 2.0)])] {
        window.take(&gauges(&clock, values), slot * 1_000_000_000);
        let last: Vec<_> = window.select(&series("g")).filter_map(|s| s.last()).collect();
        assert_eq!(last.len(), values.len(), "in slot {slot}");
    }
}
