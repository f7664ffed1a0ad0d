//! Parents, callers and the current context.

use super::*;

#[test]
fn an_unsampled_span_is_current_and_its_children_learn_it() {
    let kept = Kept::new(ParentBased::new(AlwaysOff));
    let root = span("root").enter();
    root.set_attribute("k", 1);
    assert!(current().is_valid() && !current().is_sampled() && !root.is_recording());
    let child = span("child").enter();
    assert_eq!(child.context().trace_id(), root.context().trace_id());
    assert!(!child.context().is_sampled());
    drop((child, root));
    assert!(kept.spans().is_empty());
}

#[test]
fn a_valid_parents_trace_is_continued_whatever_is_decided() {
    for (sampler, sampled) in [(true, true), (false, false)] {
        let kept = Kept::new(TraceIdRatio::new(if sampler { 1.0 } else { 0.0 }));
        for flags in [0, 1, 2, 3] {
            let parent = caller(flags);
            let scope = span("served").parent(parent.clone()).enter();
            let context = scope.context();
            assert_eq!(context.trace_id(), parent.trace_id());
            assert_eq!(context.flags().to_u8(), flags & 2 | u8::from(sampled));
            assert_eq!(context.state().as_str(), "a=1");
            assert!(!context.is_remote());
            drop(scope);
        }
        let spans = kept.spans();
        assert_eq!(spans.len(), if sampled { 4 } else { 0 });
        assert!(spans.iter().all(|span| span.parent_is_remote()));
    }
}

#[test]
fn our_own_ids_are_flagged_random_and_an_invalid_parent_makes_a_root() {
    let kept = Kept::new(AlwaysOn);
    let _outer = span("outer").enter();
    span("root").parent(SpanContext::NONE).enter().end();
    let root = kept.spans().remove(0);
    assert_eq!(root.context().flags().to_u8(), 3);
    assert_eq!(root.parent_span_id(), None);
    assert_ne!(root.trace_id(), current().trace_id());
}

#[test]
fn the_current_context_goes_out_and_comes_in() {
    let kept = Kept::new(AlwaysOn);
    let client = span("call").kind(SpanKind::Client).enter();
    let mut headers = std::collections::HashMap::new();
    inject(&mut headers);
    let served = span("serve").kind(SpanKind::Server).parent(extract(&headers)).enter();
    assert_eq!(served.context().trace_id(), client.context().trace_id());
    drop((served, client));
    assert_eq!(kept.tree(), "call(serve)");
    assert!(kept.spans()[0].parent_is_remote());
}

#[test]
fn a_muted_thread_records_nothing_and_carries_contexts_on() {
    let kept = Kept::new(AlwaysOn);
    let outer = span("outer").enter();
    let before = span("before").start();
    {
        let _muted = mute();
        let inner = span("inner").enter();
        assert!(!inner.is_recording());
        assert_eq!(inner.context(), outer.context());
        let caller = caller(1);
        let carried = span("carried").parent(caller.clone()).enter();
        assert_eq!(current(), caller);
        let nested = (mute(), Kept::new(AlwaysOn));
        span("nested").enter().end();
        assert!(nested.1.spans().is_empty());
        drop(carried);
        assert_eq!(current(), outer.context());
        drop(before); // It was recorded when it started.
    }
    span("after").enter().end();
    drop(outer);
    assert_eq!(kept.tree(), "outer(before after)");
}

#[test]
fn a_caller_that_is_only_passed_through_is_no_exemplar() {
    let outer = span("a").parent(caller(1)).enter();
    assert!(current().is_sampled() && !crate::context::is_sampled());
    drop(outer);
    let _kept = Kept::new(AlwaysOn);
    let _recorded = span("a").parent(caller(1)).enter();
    assert!(crate::context::is_sampled());
}
