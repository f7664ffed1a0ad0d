//! Families whose values a callback tells.

use super::*;

#[test]
fn a_callback_that_panics_costs_its_family_one_snapshot() {
    let registry = Registry::new();
    let calls = std::sync::atomic::AtomicU32::new(0);
    let observe = move |to: &mut Observations| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert!(call != 1, "the second call panics");
        to.observe(f64::from(call), &[]);
    };
    let _observer = registry.gauge("g", "").observe(observe).unwrap();
    let _other = registry.counter("c", "").build().unwrap();
    let values: Vec<_> = (0..3).map(|_| number(&registry.snapshot(), "g", &[])).collect();
    assert_eq!(values, [Some(0.0), None, Some(2.0)]);
    assert!(registry.snapshot().family("c").is_some());
}

#[test]
fn a_callback_that_is_stuck_stops_neither_readers_nor_other_callbacks() {
    let registry = Registry::new();
    let (release, stuck) = std::sync::mpsc::channel::<()>();
    let stuck = crate::sync::Mutex::new(stuck);
    let observe = move |to: &mut Observations| {
        let _ = stuck.lock().recv(); // Until the test lets it go.
        to.observe(1.0, &[]);
    };
    let _stuck = registry.gauge("b.stuck", "").observe(observe).unwrap();
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let observers: Vec<_> = ["a", "c"]
        .map(|name| {
            let calls = calls.clone();
            let observe = move |to: &mut Observations| {
                calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                to.observe(2.0, &[]);
            };
            registry.gauge(name, "").observe(observe).unwrap()
        })
        .into();
    for _ in 0..3 {
        let snapshot = registry.snapshot();
        let values = ["a", "b.stuck", "c"].map(|name| number(&snapshot, name, &[]));
        assert_eq!(values, [Some(2.0), None, Some(2.0)]);
    }
    drop(release);
    // It returns, on a thread that nobody waits for.
    while number(&registry.snapshot(), "b.stuck", &[]) != Some(1.0) {
        thread::yield_now();
    }
    assert!(calls.load(std::sync::atomic::Ordering::SeqCst) >= 8);
    drop(observers);
}

#[test]
fn a_callback_may_take_a_snapshot_and_sees_the_values_of_its_reader() {
    static SEEN: Counter = Counter::new("test.callback.seen", "");
    let registry = Registry::new();
    let inner = registry.clone();
    let observe = move |to: &mut Observations| {
        assert!(inner.snapshot().families().is_empty(), "its own family is not asked again");
        to.observe(SEEN.value() as f64, &[]);
    };
    let _observer = registry.gauge("g", "").observe(observe).unwrap();
    assert_eq!(number(&registry.snapshot(), "g", &[]), Some(0.0));
    let _scope = crate::testing::scope();
    SEEN.add(5);
    assert_eq!(number(&registry.snapshot(), "g", &[]), Some(5.0));
}

#[test]
fn an_observed_counter_that_falls_begins_anew() {
    let clock = crate::clock::ManualClock::new();
    let _installed = crate::clock::enter(Some(clock.clone()));
    let registry = Registry::new();
    let totals = crate::sync::Mutex::new([5.5, 7.0, 2.0, f64::NAN, -1.0].into_iter());
    let observe = move |to: &mut Observations| {
        to.observe(totals.lock().next().unwrap_or(3.0), &[]);
    };
    let _observer = registry.counter("c", "").observe(observe).unwrap();
    let read = || {
        clock.advance(std::time::Duration::from_secs(1));
        let snapshot = registry.snapshot();
        let series = snapshot.family("c")?.series().first()?;
        Some((series.value().as_f64(), series.started() == clock.now()))
    };
    let read: Vec<_> = (0..5).map(|_| read()).collect();
    assert_eq!(
        read,
        [Some((5.5, false)), Some((7.0, false)), Some((2.0, true)), None, None],
        "a total that is no number is left out"
    );
}
