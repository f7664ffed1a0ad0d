//! Contexts that are taken along to other threads and tasks.

use std::thread;

use super::*;
use crate::{
    context::Context,
    trace::{Carried, carry, set_attribute},
};

#[test]
fn work_on_another_thread_has_children_of_the_span_that_it_came_from() {
    let kept = Kept::new(AlwaysOn);
    let order = span("order").enter();
    let tracer = kept.tracer.clone();
    let packing = carry(move || {
        let _tracer = enter(Some(tracer));
        span("packing").enter().end();
    });
    thread::spawn(packing).join().unwrap();
    drop(order);
    assert_eq!(kept.tree(), "order(packing)");
}

#[test]
fn baggage_that_is_entered_leaves_the_span_where_it_is() {
    let kept = Kept::new(AlwaysOn);
    let order = span("order").enter();
    let before = current();
    let tenant = before.clone().with_baggage(before.baggage().with("tenant", "acme"));
    {
        let _scope = tenant.enter();
        set_attribute("items", 3);
        span("child").enter().end();
        let inner = span("scoped").start();
        assert_eq!(inner.context().baggage(), tenant.baggage());
        // It comes along to where it is entered, and goes with it.
        thread::spawn(move || {
            let inner = inner.enter();
            assert_eq!(current(), inner.context());
            assert!(!current().baggage().is_empty());
            let inner = inner.leave();
            assert!(current().is_none());
            assert!(!inner.context().baggage().is_empty());
        })
        .join()
        .unwrap();
    }
    assert_eq!(current(), before);
    drop(order);
    let spans = kept.spans();
    let order = spans.iter().find(|span| span.name() == "order").unwrap();
    assert_eq!(order.attributes().len(), 1);
    assert!(spans.iter().all(|span| span.trace_id() == order.trace_id()));
}

#[test]
fn a_context_of_another_span_takes_no_attributes() {
    let kept = Kept::new(AlwaysOn);
    let outer = span("outer").enter();
    let other = span("other").root().start();
    let scope = other.context().enter();
    set_attribute("whose", "nobody's");
    span("child").enter().end();
    drop(scope);
    drop((outer, other));
    let spans = kept.spans();
    assert!(spans.iter().all(|span| span.attributes().is_empty()));
    let of = |name: &str| spans.iter().find(|span| span.name() == name).unwrap();
    assert_eq!(of("child").parent_span_id(), Some(of("other").span_id()));
}

#[test]
fn a_value_is_changed_in_its_context() {
    let carried = {
        let _scope = Context::NONE.with_baggage(baggage("a")).enter();
        Carried::new(1)
    };
    let seen = carried.map(|n| (n + 1, current().baggage().clone()));
    assert_eq!(seen.value(), &(2, baggage("a")));
    assert!(current().is_none());
    let (_, context) = seen.into_parts();
    assert_eq!(context.baggage(), &baggage("a"));
}

fn baggage(value: &str) -> Baggage {
    Baggage::EMPTY.with("k", value)
}

#[test]
fn a_task_that_is_spawned_is_below_the_span_that_was_current() {
    let kept = Kept::new(AlwaysOn);
    let order = span("order").enter();
    let work = async {
        span("before").enter().end();
        yield_once().await;
        span("after").enter().end();
    };
    let mut work = Box::pin(work.in_current_span());
    drop(order);
    let mut task = task::Context::from_waker(Waker::noop());
    while work.as_mut().poll(&mut task).is_pending() {
        assert!(current().is_none());
    }
    assert_eq!(kept.tree(), "order(before after)");
}

#[test]
fn a_context_that_is_entered_stays_current_when_its_span_has_ended() {
    let _kept = Kept::new(AlwaysOn);
    let order = span("order").enter();
    let context = current();
    let scope = context.enter();
    drop(order);
    assert_eq!(current(), context);
    drop(scope);
    assert!(current().is_none());
}
