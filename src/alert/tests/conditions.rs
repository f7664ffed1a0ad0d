//! What expressions find.

use super::*;

/// What each of `conditions` finds at the last of `ticks`, a second apart.
fn found(
    conditions: Vec<Comparison>,
    clock: &ManualClock,
    ticks: Vec<Vec<Family>>,
) -> Vec<Vec<(String, f64)>> {
    let mut ticked = Ticked::new(conditions.iter().flat_map(Condition::needs), BUDGET_BYTES);
    for families in ticks {
        ticked.tick(&snapshot(clock, families));
        clock.advance(SECOND);
    }
    let found = |condition: &Comparison| {
        let found = condition.evaluate(&ticked.window, clock.now());
        found.into_iter().map(|(labels, value)| (labels.to_string(), value)).collect()
    };
    conditions.iter().map(found).collect()
}

fn distribution(values: &[f64]) -> SeriesValue {
    SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(values)))
}

fn everything(expr: Expr) -> Comparison {
    expr.at_least(f64::NEG_INFINITY)
}

#[test]
fn figures_of_histograms_are_of_what_they_recorded_in_the_range() {
    let clock = ManualClock::new();
    let (minute, h) = (60 * SECOND, || series("h"));
    let tick = |a: &[f64], b: &[f64]| {
        let route = |route, values| (labels(&[("route", route)]), distribution(values));
        vec![family("h", Kind::Histogram, vec![route("a", a), route("b", b)])]
    };
    let ticks = vec![tick(&[100.0], &[1.0]), tick(&[100.0, 1.0, 3.0, 3.0], &[1.0])];
    let all = vec![
        everything(h().last()),
        everything(h().increase(minute)),
        everything(h().rate(minute)),
        everything(h().avg(minute)),
        everything(h().p50(minute)),
        everything(h().max(minute)),
        everything(h().min(minute)),
    ];
    let found = found(all, &clock, ticks);
    let near = |found: &[(String, f64)], expected: &[(&str, f64)]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((labels, value), (wanted, number)) in found.iter().zip(expected) {
            assert_eq!(labels, &format!("{{route={wanted:?}}}"));
            assert!((value / number - 1.0).abs() < 0.01 || value == number, "{value} {number}");
        }
    };
    near(&found[0], &[("a", 4.0), ("b", 1.0)]);
    near(&found[1], &[("a", 3.0), ("b", 0.0)]);
    near(&found[2], &[("a", 3.0), ("b", 0.0)]);
    near(&found[3], &[("a", 7.0 / 3.0)]); // b recorded nothing: no mean.
    near(&found[4], &[("a", 3.0)]);
    near(&found[5], &[("a", 3.0)]);
    near(&found[6], &[("a", 1.0)]);
}

#[test]
fn quantiles_of_a_group_are_of_its_histograms_together() {
    let clock = ManualClock::new();
    let minute = 60 * SECOND;
    let tick = |n: usize| {
        let of = |route, code, value| {
            let labels = labels(&[("code", code), ("route", route)]);
            (labels, distribution(&vec![value; n]))
        };
        // 10 times 1 and 30 times 5: the median of both is 5, the sum of the medians 6.
        let all = vec![of("a", "200", 1.0), of("a", "500", 5.0), of("b", "200", 2.0)];
        vec![family("h", Kind::Histogram, all)]
    };
    let all = vec![
        everything(series("h").p50(minute).by(&["route"])),
        everything(series("h").max(minute).sum()),
        everything(series("h").increase(minute).by(&["route"]).sum()),
    ];
    let found = found(all, &clock, vec![tick(0), tick(10)]);
    assert_eq!(found[0].len(), 2);
    assert_eq!(found[0][0].0, r#"{route="a"}"#);
    assert!((found[0][0].1 - 1.0).abs() < 0.01, "the lower of two halves: {:?}", found[0]);
    assert!((found[1][0].1 / 5.0 - 1.0).abs() < 0.01, "{:?}", found[1]);
    assert_eq!(found[2], [("{}".to_owned(), 30.0)]);
}

#[test]
fn a_ratio_joins_equal_labels_and_zero_by_zero_is_nothing() {
    let clock = ManualClock::new();
    let of = |name, values: &[(&str, f64)]| {
        let series = values.iter();
        let series = series.map(|&(s, v)| (labels(&[("s", s)]), SeriesValue::Gauge(v)));
        family(name, Kind::Gauge, series.collect())
    };
    let tick = vec![
        of("above", &[("a", 1.0), ("b", 0.0), ("c", 1.0), ("d", 1.0)]),
        of("under", &[("a", 4.0), ("b", 0.0), ("c", 0.0), ("e", 1.0)]),
    ];
    let share = ratio(series("above").last(), series("under").last());
    let sums = ratio(series("above").last().sum(), series("under").last().sum());
    let found = found(vec![everything(share), everything(sums)], &clock, vec![tick]);
    let expected = [(r#"{s="a"}"#.to_owned(), 0.25), (r#"{s="c"}"#.to_owned(), f64::INFINITY)];
    assert_eq!(found[0], expected);
    assert_eq!(found[1], [("{}".to_owned(), 3.0 / 5.0)]);
}

#[test]
fn what_is_not_a_number_satisfies_only_not_equal() {
    let clock = ManualClock::new();
    let g = || series("g").last();
    let all = vec![
        g().above(0.0),
        g().at_least(0.0),
        g().below(0.0),
        g().at_most(0.0),
        g().equal_to(0.0),
        g().not_equal_to(0.0),
    ];
    let nan = vec![family("g", Kind::Gauge, vec![(labels(&[]), SeriesValue::Gauge(f64::NAN))])];
    let counts: Vec<_> = found(all, &clock, vec![nan]).iter().map(Vec::len).collect();
    assert_eq!(counts, [0, 0, 0, 0, 0, 1]);
}

#[test]
fn selectors_match_as_they_say_and_no_label_is_an_empty_one() {
    let matches = |selector: Selector, pairs: &[(&str, &str)]| selector.matches(&labels(pairs));
    let s = || series("x");
    assert!(matches(s(), &[]));
    assert!(matches(s().label("k", "v"), &[("k", "v")]));
    assert!(!matches(s().label("k", "v"), &[("k", "w")]));
    assert!(matches(s().label("k", ""), &[]));
    assert!(matches(s().label_not("k", "v"), &[]));
    assert!(!matches(s().label_not("k", ""), &[]));
    assert!(matches(s().label_starts_with("k", "5"), &[("k", "503")]));
    assert!(!matches(s().label_starts_with("k", "5"), &[("k", "450")]));
    assert!(matches(s().label_one_of("k", ["a", "b"]), &[("k", "b")]));
    assert!(!matches(s().label_one_of("k", ["a", "b"]), &[("k", "")]));
}

#[test]
fn absence_has_the_labels_that_were_wanted_once() {
    let clock = ManualClock::new();
    let wanted = series("g").label("s", "z").label("job", "x").label("job", "y");
    let rule = Rule::new("Gone", absent(wanted));
    let mut engine = Standalone::new(vec![rule], settings()).unwrap();
    engine.tick(&gauges(&clock, &[("a", 1.0)]));
    let alerts = engine.board().alerts();
    assert_eq!(alerts[0].labels(), &labels(&[("alertname", "Gone"), ("s", "z")]));
    assert_eq!(alerts[0].value(), 1.0);

    let clock = ManualClock::new();
    let rule = Rule::new("Gone", absent(series("g").label("s", "z")));
    let mut engine = Standalone::new(vec![rule], settings()).unwrap();
    let told = story(&mut engine, &clock, &[&[("z", 0.0)], &[], &[("z", 0.0)]]);
    assert_eq!(told, "1 inactive→firing z 1\n2 firing→resolved z 1\n");
}
