//! Instruments of one name, and what is decided when one is registered.

use super::*;

#[test]
fn the_same_registration_twice_is_one_family_and_another_kind_a_conflict() {
    let registry = Registry::new();
    let first = registry.counter("c", "").build().unwrap();
    registry.counter("c", "other words").build().unwrap().inc();
    assert_eq!(first.value(), 1);
    for (what, error) in [
        ("two kinds", registry.gauge("c", "").build().unwrap_err()),
        ("two units", registry.counter("c", "").unit(Unit::Bytes).build().unwrap_err()),
        ("two sets of label keys", registry.counter("c", "").labels::<Hit>().build().unwrap_err()),
    ] {
        assert_eq!(error.kind(), crate::ErrorKind::Conflict);
        let text = error.to_string();
        assert!(text.contains(what) && text.matches("registration.rs").count() == 2, "{text}");
    }
    assert_eq!(registry.refusals().len(), 0, "the caller was told");
}

#[test]
fn names_that_are_one_on_a_page_are_a_conflict() {
    let pairs: [(&str, Kind, &str, Kind); 4] = [
        ("a.b", Kind::Counter, "a_b", Kind::Counter),
        ("x", Kind::Counter, "x_total", Kind::Gauge),
        ("x", Kind::Histogram, "x_count", Kind::Counter),
        ("x", Kind::Histogram, "x_sum", Kind::Gauge),
    ];
    for (first, first_kind, second, second_kind) in pairs {
        let registry = Registry::new();
        let register = |name, kind| match kind {
            Kind::Counter => registry.counter(name, "").build().map(drop),
            Kind::Gauge => registry.gauge(name, "").build().map(drop),
            _ => registry.histogram(name, "").build().map(drop),
        };
        register(first, first_kind).unwrap();
        let error = register(second, second_kind).expect_err(second);
        assert!(error.to_string().contains("both"), "{error}");
    }
}

#[test]
fn an_instrument_that_lost_a_conflict_records_into_nothing_and_is_counted() {
    let _scope = scope();
    static FIRST: Counter = Counter::new("test.conflict", "");
    static SECOND: Gauge = Gauge::new("test.conflict", "");
    FIRST.add(2);
    SECOND.set(5.0);
    SECOND.set(6.0);
    let snapshot = Registry::global().snapshot();
    assert_eq!(number(&snapshot, "test.conflict", &[]), Some(2.0));
    let rejected = [("reason", "disabled")];
    assert_eq!(number(&snapshot, "telemetry.measurements.rejected", &rejected), Some(2.0));
    let refusals = Registry::global().refusals();
    assert_eq!(refusals.iter().filter(|(_, text)| text.contains("test.conflict")).count(), 1);
}

#[test]
fn a_view_chooses_buckets_and_limits_before_the_first_use_and_is_reported_after_it() {
    let registry = Registry::new();
    let views = [
        View::new("sizes").bounds([1.0, 10.0]),
        View::new("users").limit(2),
        View::new("late").hdr(3),
    ];
    let late = registry.histogram("late", "").build().unwrap();
    registry.set_views(Views::new(views).unwrap());
    let sizes = registry.histogram("sizes", "").labels::<Route<'_>>().build().unwrap();
    let again = registry.histogram("sizes", "").labels::<Route<'_>>().build();
    assert!(again.is_ok(), "what the source says is the same");
    let users = registry.counter("users", "").labels::<Route<'_>>().build().unwrap();
    [0.5, 5.0, 50.0].into_iter().for_each(|size| sizes.with(Route("/")).record(size));
    (0..5).for_each(|n| users.with(Route(&n.to_string())).inc());
    late.record(7.0);
    let snapshot = registry.snapshot();
    let histogram = |name, labels: &[_]| {
        snapshot.value(name, labels).and_then(SeriesValue::as_histogram).unwrap().clone()
    };
    let bounded = histogram("sizes", &[("route", "/")]);
    assert_eq!(bounded.cumulative(&[1.0, 10.0]), [1, 2]);
    assert_eq!(bounded.explicit_bounds(), Some(&[1.0, 10.0][..]));
    assert_eq!(number(&snapshot, "users", &[("otel.metric.overflow", "true")]), Some(3.0));
    assert!(matches!(histogram("late", &[]).parts().layout, BucketLayout::Exponential));
}

#[test]
fn a_dynamic_counter_is_one_family_wherever_it_is_written() {
    let _scope = scope();
    for _ in 0..2 {
        static HITS: Counter<Dynamic> = Counter::dynamic("test.dynamic", "", &["tier"]);
        HITS.add_ordered(2, &(&"l1", ()));
    }
    static AGAIN: Counter<Dynamic> = Counter::dynamic("test.dynamic", "", &["tier"]);
    AGAIN.with_labels(&[("tier", "7")]).add(3);
    let snapshot = Registry::global().snapshot();
    assert_eq!(number(&snapshot, "test.dynamic", &[("tier", "l1")]), Some(4.0));
    assert_eq!(number(&snapshot, "test.dynamic", &[("tier", "7")]), Some(3.0));
}

#[test]
fn constant_labels_are_on_every_series_and_lose_against_its_own() {
    let registry = Registry::builder().label("region", "eu").label("route", "lost").build();
    registry.counter("plain", "").build().unwrap().inc();
    registry.counter("closed", "").labels::<Hit>().build().unwrap().bind(Hit(true)).inc();
    registry.gauge("open", "").labels::<Route<'_>>().build().unwrap().with(Route("/a")).set(2.0);
    let snapshot = registry.snapshot();
    let labels = ["plain", "closed", "open"]
        .map(|name| snapshot.family(name).unwrap().series()[0].labels().to_string());
    assert_eq!(
        labels,
        [
            r#"{region="eu", route="lost"}"#,
            r#"{hit="true", region="eu", route="lost"}"#,
            r#"{region="eu", route="/a"}"#
        ]
    );
}

#[test]
fn the_same_keys_with_other_values_are_a_conflict() {
    /// The key of [`Hit`] with `N` values, or any number of them where `N` is 0.
    struct Keyed<const N: usize>;
    impl<const N: usize> Labels for Keyed<N> {
        const KEYS: &'static [&'static str] = Hit::KEYS;
        const CARDINALITY: Option<usize> = if N == 0 { None } else { Some(N) };

        fn index(&self) -> usize {
            N - 1
        }

        fn visit(&self, each: &mut dyn FnMut(&str)) {
            each("last");
        }

        fn at(index: usize) -> Vec<std::borrow::Cow<'static, str>> {
            vec![index.to_string().into()]
        }
    }
    let registry = Registry::new();
    let hits = registry.counter("c", "").labels::<Hit>().build().unwrap();
    let neighbour = registry.counter("neighbour", "").build().unwrap();
    hits.bind(Hit(true)).inc();
    assert!(registry.counter("c", "").labels::<Keyed<5>>().build().is_err());
    assert!(registry.counter("c", "").labels::<Keyed<0>>().build().is_err());
    let open = registry.counter("open", "").labels::<Keyed<0>>().build().unwrap();
    open.bind(Keyed).inc();
    assert!(registry.counter("open", "").labels::<Hit>().build().is_err());
    assert_eq!((hits.bind(Hit(true)).value(), neighbour.value()), (1, 0));
}

#[test]
fn what_is_disabled_is_not_shown_and_takes_no_memory() {
    let storage = cells::Storage::new(true);
    for id in [cells::DISABLED, cells::DISABLED - 7, cells::UNREGISTERED] {
        storage.show(cells::Space::Sum, id);
        storage.show(cells::Space::Histogram, id);
        assert!(!storage.reader().is_shown(cells::Space::Sum, id));
        assert!(!storage.reader().is_shown(cells::Space::Histogram, id));
    }
}
