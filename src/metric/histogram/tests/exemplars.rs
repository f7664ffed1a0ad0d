//! Which exemplars a histogram keeps.

use std::time::Duration;

use super::*;

/// Makes a span current, and what was current before again when it is dropped.
struct InSpan(SpanContext);

impl InSpan {
    fn new(number: u64, flags: TraceFlags) -> Self {
        let trace_id = TraceId::from_u128(u128::from(number) << 64 | 7);
        let span_id = SpanId::from_u64(number);
        let mut context = SpanContext::new(trace_id, span_id, flags, TraceState::EMPTY);
        context::swap(&mut context);
        Self(context)
    }

    fn sampled(number: u64) -> Self {
        Self::new(number, TraceFlags::SAMPLED)
    }
}

impl Drop for InSpan {
    fn drop(&mut self) {
        context::swap(&mut self.0);
    }
}

/// Value and span of each exemplar.
fn exemplars(histogram: &Histogram) -> Vec<(f64, u64)> {
    let snapshot = histogram.snapshot();
    let exemplars = snapshot.exemplars().iter();
    exemplars.map(|one| (one.value(), one.span_id().to_u64())).collect()
}

#[test]
fn only_a_sampled_span_leaves_one() {
    for aggregation in aggregations() {
        let histogram = with(aggregation);
        histogram.record(1.0);
        {
            let _span = InSpan::new(1, TraceFlags::RANDOM);
            histogram.record(2.0);
        }
        assert_eq!(exemplars(&histogram), []);
        {
            let _span = InSpan::sampled(2);
            histogram.record(3.0);
            let _inner = InSpan::new(3, TraceFlags::RANDOM);
            histogram.record(5.0);
        }
        histogram.record(9.0);
        assert_eq!(exemplars(&histogram), [(3.0, 2)], "{aggregation:?}");
        let snapshot = histogram.snapshot();
        let one = &snapshot.exemplars()[0];
        assert_eq!(one.trace_id(), TraceId::from_u128(2 << 64 | 7));
    }
}

#[test]
fn the_very_first_record_of_a_static_leaves_one() {
    let _scope = cells::enter(Some(cells::Storage::new(true)));
    static FIRST: Histogram = Histogram::new("test.exemplar.first", "");
    let _span = InSpan::sampled(1);
    FIRST.record(3.0);
    assert_eq!(exemplars(&FIRST), [(3.0, 1)]);
}

#[test]
fn the_newest_of_each_bucket_is_shown_over_all_threads() {
    let clock = ManualClock::new();
    let explicit = with(explicit(&[4.0, 100.0]));
    let exponential = with(Aggregation::Exponential);
    for (number, value) in [(1, 3.3), (2, 57.0), (3, 3.5), (4, 99.0), (5, 60.0)] {
        clock.advance(Duration::from_secs(1));
        let _ = explicit.snapshot(); // From here on each bucket takes another one.
        let clock = clock.clone();
        thread::scope(|scope| {
            scope.spawn(|| {
                let _clock = crate::clock::enter(Some(clock));
                let _span = InSpan::sampled(number);
                explicit.record(value);
                exponential.record(value);
            });
        });
    }
    assert_eq!(exemplars(&explicit), [(3.5, 3), (60.0, 5)]);
    assert_eq!(exemplars(&exponential), [(3.5, 3), (60.0, 5), (99.0, 4)]);
    let snapshot = exponential.snapshot();
    let within = |lower, upper| snapshot.exemplar_within(lower, upper).map(|one| one.value());
    assert_eq!((within(4.0, 256.0), within(60.0, 98.0)), (Some(60.0), None));
}

#[test]
fn what_is_not_recorded_leaves_none_and_what_is_clamped_shows_the_end() {
    let _span = InSpan::sampled(1);
    let options = HistogramOptions::new();
    let [clamped, dropped] =
        [OutOfRange::Clamp, OutOfRange::Drop].map(|outside| told(options.range(1.0, 8.0, outside)));
    for value in [f64::NAN, -1.0, f64::INFINITY, 9.0] {
        dropped.record(value);
        clamped.record(value);
    }
    assert_eq!(exemplars(&dropped), []);
    assert_eq!(exemplars(&clamped), [(8.0, 1)]);
}

#[test]
fn there_are_no_more_than_slots_for_them() {
    let histogram = with(Aggregation::Exponential);
    let _span = InSpan::sampled(1);
    (-300..300).for_each(|exponent| histogram.record(2f64.powi(exponent)));
    assert_eq!(exemplars(&histogram).len(), 64);
}

#[test]
fn a_later_snapshot_without_an_earlier_one_has_only_new_ones() {
    let histogram = with(Aggregation::Exponential);
    let _span = InSpan::sampled(1);
    histogram.record(1.0);
    let earlier = histogram.snapshot();
    histogram.record(9.0);
    let later = histogram.snapshot().since(&earlier);
    assert_eq!(later.exemplars().iter().map(|one| one.value()).collect::<Vec<_>>(), [9.0]);
}
