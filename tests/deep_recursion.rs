//! Beyond the frames that a thread's stack of spans takes, each span still has its outcome and its error.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::HashMap;

use bellwether::{
    context::Outcome,
    observe, testing,
    trace::{SpanRecord, Status},
};

const DEPTH: usize = 10_000;

/// Runs `work` in the scope of the test, with room for all of its calls.
fn on_a_large_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(512 << 20);
    thread.spawn(testing::carry(work)).unwrap().join().unwrap();
}

fn outcomes(spans: &[SpanRecord]) -> HashMap<&str, usize> {
    let mut outcomes = HashMap::new();
    spans.iter().for_each(|span| *outcomes.entry(span.outcome().as_str()).or_default() += 1);
    outcomes
}

#[observe]
fn descend(depth: usize) -> Result<usize, String> {
    match depth {
        0 => Err("the bottom".into()),
        // By a question mark and by a value, in turn.
        depth if depth % 2 == 0 => Ok(descend(depth - 1)? + 1),
        depth => descend(depth - 1),
    }
}

#[test]
fn an_err_through_all_levels_is_the_error_of_each() {
    let scope = testing::scope();
    on_a_large_stack(|| assert!(descend(DEPTH - 1).is_err()));
    let spans = scope.spans();
    assert_eq!(outcomes(&spans), HashMap::from([("error", DEPTH)]));
    for span in &spans {
        assert_eq!(span.status(), &Status::Error("the bottom".into()));
        assert_eq!((span.events().len(), span.attributes().len()), (1, 1));
    }
    scope.assert_value("descend.duration", &[("outcome", "error")], DEPTH as f64);
}

#[test]
fn a_panic_through_all_levels_is_the_panic_of_each() {
    #[observe]
    fn panics(depth: usize) -> usize {
        match depth {
            0 => std::panic::resume_unwind(Box::new("quietly")),
            depth => panics(depth - 1) + 1,
        }
    }
    let scope = testing::scope();
    on_a_large_stack(|| assert!(std::panic::catch_unwind(|| panics(DEPTH - 1)).is_err()));
    assert_eq!(outcomes(&scope.spans()), HashMap::from([("panic", DEPTH)]));
}

#[test]
fn scopes_by_hand_serve_their_spans_too() {
    fn enter(depth: usize) {
        let scope = bellwether::span("by hand").enter();
        scope.set_attribute("depth", depth);
        if depth > 0 {
            enter(depth - 1);
        }
        assert!(scope.is_recording() && scope.context().span().is_sampled());
        scope.record_error(&std::fmt::Error);
    }
    let scope = testing::scope();
    on_a_large_stack(|| enter(DEPTH - 1));
    let spans = scope.spans();
    assert_eq!(
        (spans.len(), spans.iter().all(|span| span.outcome() == Outcome::Error)),
        (DEPTH, true)
    );
    let mut depths: Vec<_> =
        spans.iter().map(|span| span.attributes()[0].value.to_string()).collect();
    depths.sort_unstable();
    depths.dedup();
    assert_eq!(depths.len(), DEPTH);
}
