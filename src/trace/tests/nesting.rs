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
fn spans_beyond_the_limit_of_frames_are_recorded_and_not_current() {
    let kept = Kept::new(AlwaysOn);
    let scopes: Vec<_> = (0..5_000).map(|_| span("deep").enter()).collect();
    assert_eq!(current(), scopes[4_095].context());
    let apart = &scopes[4_999];
    apart.set_attribute("k", 1);
    apart.add_event("e", [KeyValue::new("n", 1)]);
    apart.add_link(caller(1), []);
    apart.set_name("renamed");
    apart.set_status(Status::Error("no".into()));
    assert!(apart.is_recording());
    let context = apart.context();
    drop(scopes);
    assert_eq!((kept.spans().len(), kept.tracer.lost()), (5_000, 0));
    let spans = kept.spans();
    let apart = spans.iter().find(|span| span.name() == "renamed").unwrap();
    assert_eq!(apart.context(), context.span());
    assert_eq!(
        (apart.attributes().len(), apart.events().len(), apart.links().len(), apart.outcome()),
        (1, 1, 1, Outcome::Error)
    );
    let top = spans.iter().find(|span| Some(span.span_id()) == apart.parent_span_id());
    assert!(top.is_some_and(|top| top.context().trace_id() == context.trace_id()));
    assert!(current().is_none());
}

#[test]
fn a_span_beyond_the_limit_of_frames_can_be_left_entered_and_ended_at_an_instant() {
    let kept = Kept::new(AlwaysOn);
    let mut scopes: Vec<_> = (0..4_096).map(|_| span("deep").enter()).collect();
    let caller = caller(1);
    let apart = span("apart").parent(caller.clone()).enter();
    let left = apart.leave();
    assert_eq!(left.context().trace_id(), caller.trace_id());
    scopes.pop();
    let entered = left.enter();
    assert_eq!(current(), entered.context());
    let apart = span("late").enter();
    apart.end_at(clock::now());
    drop((scopes, entered));
    assert_eq!(kept.spans().len(), 4_098);
    assert!(current().is_none());
}

#[test]
fn without_a_tracer_a_parent_beyond_the_limit_of_frames_is_the_scopes_context() {
    let outer = caller(1);
    let scopes: Vec<_> = (0..4_096).map(|_| span("deep").parent(outer.clone()).enter()).collect();
    let other = caller(0);
    let apart = span("apart").parent(other.clone()).enter();
    assert_eq!((apart.context(), apart.is_recording()), (other.into(), false));
    assert_eq!(span("apart").enter().context(), outer.into());
    drop((scopes, apart));
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

#[test]
fn a_scope_may_be_used_where_a_panic_is_caught() {
    fn is_unwind_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    is_unwind_safe::<SpanScope>();
    is_unwind_safe::<Span>();
}
