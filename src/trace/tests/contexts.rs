//! Parents, callers and the current context.

use proptest::prelude::*;

use super::*;

#[test]
fn an_unsampled_span_is_current_and_its_children_learn_it() {
    let kept = Kept::new(ParentBased::new(AlwaysOff));
    let root = span("root").enter();
    root.set_attribute("k", 1);
    assert!(current().span().is_valid() && !current().span().is_sampled() && !root.is_recording());
    let child = span("child").enter();
    assert_eq!(child.context().trace_id(), root.context().trace_id());
    assert!(!child.context().span().is_sampled());
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
            assert_eq!(context.span().flags().to_u8(), flags & 2 | u8::from(sampled));
            assert_eq!(context.span().state().as_str(), "a=1");
            assert!(!context.span().is_remote());
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
        assert_eq!(current(), caller.into());
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
    assert!(current().span().is_sampled() && !crate::context::is_sampled());
    drop(outer);
    let _kept = Kept::new(AlwaysOn);
    let _recorded = span("a").parent(caller(1)).enter();
    assert!(crate::context::is_sampled());
}

#[test]
fn a_child_of_a_context_without_a_trace_is_a_root() {
    let kept = Kept::new(ParentBased::new(AlwaysOn));
    let half = SpanContext::new(
        TraceId::INVALID,
        SpanId::from_u64(7),
        TraceFlags::SAMPLED,
        TraceState::EMPTY,
    );
    let carried = {
        let _muted = mute();
        span("carried").parent(half).start()
    };
    let _scope = carried.enter();
    span("root").enter().end();
    let root = kept.spans().remove(0);
    assert!(root.context().is_valid() && root.parent_span_id().is_none());
}

proptest! {
    /// The twin keeps, of each scope that is open, the context that was current before it and its own; one
    /// that is left while others are above it goes when those have gone.
    #[test]
    fn any_order_of_scopes_leaves_the_context_that_a_naive_twin_has(
        acts in prop::collection::vec((0u8..5, 0usize..6), 1..40),
    ) {
        let _kept = Kept::new(ParentBased::new(AlwaysOn));
        let tenant = Baggage::EMPTY.with("tenant", "acme");
        let callers = [Context::new(caller(0), tenant), caller(1).into()];
        let mut scopes: Vec<(u32, SpanScope)> = Vec::new();
        let mut twin: Vec<(u32, Context, bool)> = Vec::new(); // And whether it is still open.
        for (n, (act, which)) in (0u32..).zip(acts) {
            let builder = match act {
                0 => span("root").root(),
                1 => span("served").parent(callers[1].clone()),
                2 => span("unsampled").parent(callers[0].clone()),
                3 => span("child"),
                _ => {
                    if !scopes.is_empty() {
                        let (left, scope) = scopes.remove(which % scopes.len());
                        drop(scope);
                        twin.iter_mut().filter(|it| it.0 == left).for_each(|it| it.2 = false);
                        while twin.pop_if(|it| !it.2).is_some() {}
                    }
                    let expected = twin.last().map_or(Context::NONE, |it| it.1.clone());
                    prop_assert_eq!(current(), expected);
                    continue;
                }
            };
            let scope = builder.enter();
            let context = current();
            prop_assert_eq!(scope.context(), context.clone());
            let above = twin.last().map_or(Context::NONE, |it| it.1.clone());
            let (trace, state, baggage) = match act {
                0 => (context.trace_id(), "", above.baggage()),
                1 | 2 => {
                    let caller = &callers[2 - usize::from(act)];
                    (caller.trace_id(), "a=1", caller.baggage())
                }
                _ if above.span().is_valid() => {
                    (above.trace_id(), above.span().state().as_str(), above.baggage())
                }
                _ => (context.trace_id(), "", above.baggage()),
            };
            prop_assert_eq!((context.trace_id(), context.span().state().as_str()), (trace, state));
            prop_assert_eq!(context.baggage(), baggage);
            scopes.push((n, scope));
            twin.push((n, context, true));
            for (of, scope) in &scopes {
                let own = twin.iter().find(|it| it.0 == *of).map(|it| it.1.clone());
                prop_assert_eq!(Some(scope.context()), own);
            }
        }
    }
}

#[test]
fn a_child_of_a_context_that_was_made_by_hand_is_decided_as_that_says() {
    let kept = Kept::with(|builder| builder);
    for flags in [TraceFlags::SAMPLED, TraceFlags::RANDOM] {
        let parent =
            SpanContext::new(TraceId::random(), SpanId::random(), flags, TraceState::EMPTY);
        let child = span("child").parent(parent.clone()).start();
        assert_eq!(child.is_recording(), parent.is_sampled());
        assert_eq!(child.context().span().is_sampled(), parent.is_sampled());
    }
    assert_eq!(kept.tree(), "");
    assert_eq!(kept.spans().len(), 1);
}
