//! The options of instruments whose names are known at run time: those of the statics.

use std::time::Duration;

use super::*;
use crate::{
    metric::{Observations, tests::number},
    snapshot::{Exemplar, Kind, OutOfRange, Unit},
    testing,
};

#[test]
fn a_limit_of_series_holds_for_the_instrument_alone() {
    let registry = Registry::new();
    let few = registry.counter("few", "").keys(&["who"]).series_limit(1).build().unwrap();
    let many = registry.counter("many", "").keys(&["who"]).build().unwrap();
    for who in ["a", "b", "c"] {
        few.with_labels(&[("who", who)]).inc();
        many.with_labels(&[("who", who)]).inc();
    }
    let snapshot = registry.snapshot();
    let overflow = [("otel.metric.overflow", "true")];
    assert_eq!(number(&snapshot, "few", &overflow), Some(2.0));
    assert_eq!(snapshot.family("many").unwrap().series().len(), 3);
}

#[test]
fn series_expire_after_the_time_that_was_asked_for() {
    let scope = testing::scope();
    let registry = Registry::new();
    let seen = registry.counter("seen", "").keys(&["who"]);
    let seen = seen.expire_after(Duration::from_secs(60)).build().unwrap();
    seen.with_labels(&[("who", "a")]).inc();
    let n_series = || registry.snapshot().family("seen").map_or(0, |family| family.series().len());
    assert_eq!(n_series(), 1);
    scope.advance(Duration::from_secs(59));
    assert_eq!(n_series(), 1);
    scope.advance(Duration::from_secs(2));
    assert_eq!(n_series(), 0);
}

#[test]
fn counters_keep_exemplars_where_they_shall() {
    let scope = testing::scope();
    let registry = Registry::new();
    let with = registry.counter("with", "").exemplars().build().unwrap();
    let of_fractions = registry.float_counter("fractions", "").exemplars().build().unwrap();
    let without = registry.counter("without", "").build().unwrap();
    {
        let _span = crate::span("order").enter();
        with.inc();
        of_fractions.add(0.5);
        without.inc();
    }
    let snapshot = registry.snapshot();
    let span_of =
        |name| snapshot.family(name).unwrap().series()[0].exemplar().map(Exemplar::span_id);
    assert_eq!(span_of("with"), Some(scope.span("order").span_id()));
    assert_eq!(span_of("fractions"), Some(scope.span("order").span_id()));
    assert_eq!(span_of("without"), None);
}

#[test]
fn a_gauge_keeps_to_its_range() {
    let registry = Registry::new();
    let charge = registry.gauge("charge", "").range(0.0, 1.0, OutOfRange::Clamp).build().unwrap();
    charge.set(1.5);
    assert_eq!(charge.value(), Some(1.0));
    charge.bind(()).add(-3.0);
    assert_eq!(charge.value(), Some(0.0));
}

#[test]
fn a_range_that_is_none_is_an_error_that_names_the_instrument() {
    let registry = Registry::new();
    for (min, max) in [(1.0, 0.0), (0.0, f64::INFINITY), (f64::NAN, 1.0)] {
        let charge = registry.gauge("charge", "").range(min, max, OutOfRange::Drop);
        let error = charge.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.to_string().starts_with("instrument \"charge\": Range"), "{error}");
    }
    assert!(registry.names().is_empty(), "what is refused is not registered");
}

#[test]
fn options_may_come_before_and_after_the_labels() {
    let registry = Registry::new();
    let unit = Unit::Bytes;
    let first = registry.counter("sent", "").unit(unit).series_limit(5).keys(&["who"]);
    first.build().unwrap().with_labels(&[("who", "a")]).inc();
    let second = registry.counter("sent", "").keys(&["who"]).unit(unit).series_limit(5);
    second.build().unwrap().with_labels(&[("who", "a")]).inc();
    assert_eq!(number(&registry.snapshot(), "sent", &[("who", "a")]), Some(2.0));
    let refused = registry.counter("sent", "").keys(&["who"]).build().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
}

#[test]
fn a_conflict_names_both_places() {
    let registry = Registry::new();
    registry.gauge("taken", "").build().unwrap();
    let line = line!() + 1;
    let error = registry.counter("taken", "").build().unwrap_err();
    assert!(error.to_string().contains(&format!("options_tests.rs:{line}:")), "{error}");
}

#[test]
fn a_callback_has_the_unit_and_the_limit_of_its_builder_and_no_option_that_is_for_recording() {
    let registry = Registry::new();
    let tell = |to: &mut Observations| {
        ["a", "b", "c"].iter().for_each(|who| to.observe(1.0, &[("who", who)]));
    };
    let sent = registry.counter("sent", "").unit(Unit::Bytes).series_limit(1);
    let _sent = sent.observe(tell).unwrap();
    let snapshot = registry.snapshot();
    let family = snapshot.family("sent").unwrap();
    assert_eq!((family.kind(), family.unit()), (Kind::Counter, Unit::Bytes));
    assert_eq!(number(&snapshot, "sent", &[("otel.metric.overflow", "true")]), Some(2.0));
    let minute = Duration::from_secs(60);
    for refused in [
        registry.counter("x", "").exemplars().observe(tell),
        registry.up_down_counter("x", "").expire_after(minute).observe(tell),
        registry.gauge("x", "").range(0.0, 1.0, OutOfRange::Clamp).observe(tell),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        assert!(error.to_string().starts_with("instrument \"x\": "), "{error}");
    }
    assert_eq!(registry.gauge("9", "").observe(tell).unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(registry.names(), ["sent"]);
}
