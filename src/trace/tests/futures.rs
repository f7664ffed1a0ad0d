//! Spans of futures.

use super::*;

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut task::Context::from_waker(Waker::noop()))
}

#[test]
fn a_futures_span_is_current_during_its_polls_only() {
    let kept = Kept::new(AlwaysOn);
    let work = async {
        let _child = span("child").start();
        yield_once().await;
        span("late").enter().end();
        current()
    };
    let mut future = pin!(work.in_span(span("future").start()));
    assert!(poll(future.as_mut()).is_pending());
    assert!(current().is_none());
    assert!(matches!(poll(future), Poll::Ready(context) if context.span().is_valid()));
    assert!(current().is_none());
    assert_eq!(kept.tree(), "future(late child)");
    assert!(kept.spans().iter().all(|span| span.outcome() == Outcome::Ok));
}

#[test]
fn futures_interleave() {
    let kept = Kept::new(AlwaysOn);
    let task = |name: &'static str, inner: &'static str| {
        let root = span(name).root().start();
        Box::pin(
            async move {
                yield_once().await;
                span(inner).enter().end();
            }
            .in_span(root),
        )
    };
    let (mut a, mut b) = (task("a", "in a"), task("b", "in b"));
    for _ in 0..2 {
        let _ = (poll(a.as_mut()), poll(b.as_mut()));
    }
    assert_eq!(kept.tree(), "a(in a) b(in b)");
}

#[test]
fn a_dropped_future_is_cancelled_within_its_span() {
    let kept = Kept::new(AlwaysOn);
    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            span("cleanup").enter().end();
        }
    }
    let work = async {
        let _on_drop = OnDrop;
        yield_once().await;
    };
    {
        let mut future = pin!(work.in_span(span("work").start()));
        assert!(poll(future.as_mut()).is_pending());
    }
    assert_eq!(kept.tree(), "work(cleanup)");
    assert_eq!(kept.spans()[1].outcome(), Outcome::Cancelled);
}
