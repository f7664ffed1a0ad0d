//! How many series there may be, and what becomes of those beyond that.

use super::*;

/// A label whose type forgets one of its values.
#[derive(Clone, Copy)]
struct Forgetful(usize);

impl crate::label::LabelValue for Forgetful {
    const CARDINALITY: Option<usize> = Some(3);

    fn index(&self) -> usize {
        self.0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(&<Self as crate::label::LabelValue>::at(self.0));
    }

    fn at(index: usize) -> std::borrow::Cow<'static, str> {
        assert_ne!(index, 1, "forgotten");
        index.to_string().into()
    }
}

impl Labels for Forgetful {
    const KEYS: &'static [&'static str] = &["n"];
    const CARDINALITY: Option<usize> = Some(3);

    fn index(&self) -> usize {
        self.0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        crate::label::LabelValue::visit(self, each);
    }

    fn at(index: usize) -> Vec<std::borrow::Cow<'static, str>> {
        vec![<Self as crate::label::LabelValue>::at(index)]
    }
}

#[test]
fn a_label_type_that_panics_costs_its_own_series_and_no_reading() {
    let registry = Registry::new();
    let counter = registry.counter("c", "").labels::<Forgetful>().build().unwrap();
    let other = registry.counter("other", "").build().unwrap();
    other.inc();
    for n in [0, 1] {
        counter.with(Forgetful(n)).inc();
    }
    for added in [0, 1] {
        counter.with(Forgetful(2 * added)).inc();
        let snapshot = registry.snapshot();
        assert_eq!(number(&snapshot, "other", &[]), Some(1.0));
        assert_eq!(snapshot.family("c").unwrap().series().len(), 1 + added);
    }
}

#[test]
fn removed_series_make_room_for_a_thread_that_only_meets_new_ones() {
    let family = open_family_within(Kind::Counter, &["a"], 1_000, 4_000);
    let set = family.open().unwrap();
    let names = |names: std::ops::Range<u32>| names.map(|n| n.to_string());
    let ids = |from: u32| {
        let look_up = |name: String| {
            lookup::with_series(set, |each: &mut dyn FnMut(&str)| each(&name), |id| id)
        };
        names(from..from + 100).map(look_up).collect::<std::collections::HashSet<_>>()
    };
    let n_series = ids(0).len();
    assert!(n_series < 100, "the budget is for fewer");
    assert!(ids(100).len() == 1, "all of them overflow");
    family.clear(&cells::current_storage());
    ids(200); // The pins of the removed ones go, and with the next sweep their bytes.
    family.sweep();
    assert_eq!(ids(300).len(), n_series);
}

#[test]
fn beyond_the_limit_everything_goes_to_the_overflow_series() {
    let registry = Registry::with_series_limit(3);
    let counter = registry.counter("c", "").labels::<Route<'_>>().build().unwrap();
    for round in 0..2 {
        for route in 0..100 {
            counter.bind(Route(&format!("/{route}"))).add(1 + round);
        }
    }
    let snapshot = registry.snapshot();
    assert_eq!(number(&snapshot, "c", &[("route", "/2")]), Some(3.0));
    assert_eq!(number(&snapshot, "c", &[("route", "/3")]), None);
    assert_eq!(number(&snapshot, "c", &[("otel.metric.overflow", "true")]), Some(97.0 * 3.0));
    assert_eq!(snapshot.family("c").unwrap().series().len(), 4);
}

#[test]
fn a_long_label_value_is_cut_and_two_that_differ_behind_the_cut_are_one_series() {
    let registry = Registry::new();
    let counter = registry.counter("c", "").labels::<Route<'_>>().build().unwrap();
    let long = "x".repeat(1 << 20);
    counter.bind(Route(&long)).inc();
    counter.bind(Route(&(long + "y"))).inc();
    assert_eq!(number(&registry.snapshot(), "c", &[("route", &"x".repeat(1024))]), Some(2.0));
}

#[test]
fn ten_thousand_label_sets_beyond_the_limit_are_in_the_overflow_series_to_the_last() {
    let registry = Registry::with_series_limit(100);
    let counter = registry.counter("c", "").labels::<Route<'_>>().build().unwrap();
    let known = counter.bind(Route("/known"));
    (0..10_000).for_each(|n| counter.with(Route(&format!("/{n}"))).add(3));
    known.inc();
    let snapshot = registry.snapshot();
    assert_eq!(number(&snapshot, "c", &[("route", "/known")]), Some(1.0));
    assert_eq!(
        number(&snapshot, "c", &[("otel.metric.overflow", "true")]),
        Some(3.0 * (10_000.0 - 99.0))
    );
}

#[test]
fn a_registry_stays_within_its_bytes() {
    let registry = Registry::builder().series_limit(1 << 20).byte_budget(100_000).build();
    for name in ["a", "b"] {
        let counter = registry.counter(name, "").labels::<Route<'_>>().build().unwrap();
        (0..5_000).for_each(|n| counter.with(Route(&format!("/{n}"))).inc());
    }
    let snapshot = registry.snapshot();
    let series = ["a", "b"].map(|name| snapshot.family(name).unwrap().series().len());
    // How many depends on whether the thread owns a table or shares one.
    assert!(series[0] + series[1] < 1_300 && series[0] > 850, "{series:?}");
    let overflow = number(&snapshot, "b", &[("otel.metric.overflow", "true")]);
    assert_eq!(overflow, Some(5_000.0), "the first family took all that there is");
}

#[test]
fn a_callback_may_tell_of_so_many_series_and_of_legal_keys_only() {
    let registry = Registry::with_series_limit(3);
    let observe = |to: &mut Observations| {
        (0..10).for_each(|n| to.observe(f64::from(n), &[("n", &n.to_string())]));
        to.observe(1.0, &[("bad key\n{", "")]);
        to.observe(7.0, &[("n", "2")]);
    };
    let _observer = registry.gauge("g", "").observe(observe).unwrap();
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.family("g").unwrap().series().len(), 3);
    assert_eq!(number(&snapshot, "g", &[("n", "2")]), Some(7.0));
}
