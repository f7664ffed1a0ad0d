//! Scopes within scopes, in whatever order they end.

use super::*;

#[test]
fn scopes_nest() {
    let kept = Kept::new(AlwaysOn);
    {
        let _a = span("a").enter();
        {
            let _b = span("b").enter();
            let _c = span("c").enter();
        }
        let _d = span("d").enter();
    }
    span("e").enter().end();
    assert_eq!(kept.tree(), "a(b(c) d) e");
    let spans = kept.spans();
    let roots: std::collections::HashSet<_> = spans.iter().map(SpanRecord::trace_id).collect();
    assert_eq!(roots.len(), 2);
    assert!(spans.iter().all(|span| span.context().is_sampled() && !span.parent_is_remote()));
    assert!(current().is_none());
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let kept = Kept::new(AlwaysOn);
    let a = span("a").enter();
    let b = span("b").enter();
    let b_context = b.context();
    drop(a);
    assert_eq!(current(), b_context);
    let c = span("c").enter();
    drop(b);
    assert_eq!(current(), c.context());
    drop(c);
    assert!(current().is_none());
    drop(span("d").enter());
    assert_eq!(kept.tree(), "a(b(c)) d");
}

#[test]
fn guards_of_unsampled_spans_may_be_dropped_in_any_order() {
    let _kept = Kept::new(AlwaysOff);
    let scopes = [span("a").enter(), span("b").enter(), span("c").enter()];
    let last = scopes[2].context();
    let [a, b, c] = scopes;
    assert_ne!(a.context(), b.context());
    drop((b, a));
    assert_eq!(current(), last);
    drop(c);
    assert!(current().is_none());
}

#[test]
fn a_leaked_guard_does_not_hurt_those_around_it() {
    let kept = Kept::new(AlwaysOn);
    let a = span("a").enter();
    std::mem::forget(span("leaked").enter());
    drop(a);
    drop(span("b").root().enter());
    assert_eq!(kept.tree(), "a b");
}

#[test]
fn frames_beyond_the_limit_are_counted_and_nothing_else() {
    let kept = Kept::new(AlwaysOn);
    let scopes: Vec<_> = (0..5_000).map(|_| span("deep").enter()).collect();
    assert!(!scopes[4_999].is_recording());
    drop(scopes);
    assert_eq!((kept.spans().len(), kept.tracer.lost()), (4_096, 904));
    assert!(current().is_none());
}

#[test]
fn a_scope_within_a_scope_puts_the_outer_tracer_back() {
    let outer = Kept::new(AlwaysOn);
    span("1").enter().end();
    {
        let inner = Kept::new(AlwaysOn);
        span("2").enter().end();
        assert_eq!(inner.tree(), "2");
    }
    span("3").enter().end();
    assert_eq!(outer.tree(), "1 3");
}

#[test]
fn without_a_tracer_a_span_is_nothing() {
    let scope = span("a").enter();
    assert!(!scope.is_recording());
    let mut owned = span("b").start();
    owned.set_attribute("k", 1);
    assert!(owned.context().is_none());
    drop(owned.enter());
    assert_eq!((scope.context(), scope.leave().is_recording()), (Context::NONE, false));
}
