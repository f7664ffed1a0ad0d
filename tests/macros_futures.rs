//! Observed functions whose work is in a future that they return.
#![allow(clippy::unwrap_used, clippy::manual_async_fn, reason = "code as a user may write it")]

use std::{
    future::{Future, pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{self, Poll, Waker},
    time::Duration,
};

use bellwether::{
    context::{Context, Outcome},
    observe, testing,
};
use futures_util::future::{BoxFuture, FutureExt as _, LocalBoxFuture, TryFutureExt as _};

type Answer = Result<u8, String>;

/// What a call does in a test: it waits once, and then time passes and there is an answer.
#[derive(Clone, Debug)]
enum Work {
    Ok,
    Fail,
    Panic,
    Wait,
}

const TIME: Duration = Duration::from_millis(50);

async fn work(scope: &testing::Scope, work: Work) -> Answer {
    let mut waited = false;
    std::future::poll_fn(|_| match std::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
    child();
    scope.advance(TIME);
    match work {
        Work::Ok => Ok(7),
        Work::Fail => Err("no".into()),
        Work::Panic => panic!("expected by the test"),
        Work::Wait => pending().await,
    }
}

#[observe]
fn child() {}

#[async_trait::async_trait(?Send)]
trait Shop {
    async fn buy(&self, scope: &testing::Scope, item: Work) -> Answer;

    /// A default method.
    #[observe(name = "f.default")]
    async fn sell(&self, scope: &testing::Scope, item: Work) -> Answer {
        let answer = work(scope, item).await?;
        Ok(answer)
    }
}

struct Corner {
    id: u64,
}

#[async_trait::async_trait(?Send)]
impl Shop for Corner {
    #[observe(name = "f.trait", fields(id = self.id, item = format!("{item:?}")))]
    async fn buy(&self, scope: &testing::Scope, item: Work) -> Answer {
        if self.id == 0 {
            return Err("closed".into());
        }
        work(scope, item).await
    }
}

#[observe(name = "f.impl")]
fn returns_impl(scope: &testing::Scope, item: Work) -> impl Future<Output = Answer> {
    work(scope, item)
}

#[observe(name = "f.block")]
fn returns_a_block(scope: &testing::Scope, item: Work) -> impl Future<Output = Answer> {
    async move { work(scope, item).await }
}

#[observe(name = "f.boxed.block")]
fn returns_a_boxed_block<'a>(
    scope: &'a testing::Scope,
    item: Work,
) -> Pin<Box<dyn Future<Output = Answer> + 'a>> {
    Box::pin(async move { Ok(work(scope, item).await?) })
}

#[observe(name = "f.statements", fields(item = format!("{item:?}")))]
fn has_statements_before(scope: &testing::Scope, item: Work) -> LocalBoxFuture<'_, Answer> {
    let item = std::convert::identity(item);
    child();
    Box::pin(async move { work(scope, item).await })
}

#[observe(name = "f.boxed")]
fn boxed_by_a_method(scope: &testing::Scope, item: Work) -> LocalBoxFuture<'_, Answer> {
    async move { work(scope, item).await }.boxed_local()
}

#[observe(name = "f.chained")]
fn chained(scope: &testing::Scope, item: Work) -> LocalBoxFuture<'_, Answer> {
    work(scope, item).map_err(|fault| fault + "!").boxed_local()
}

#[observe(name = "f.early")]
fn returns_early(scope: &testing::Scope, item: Work) -> LocalBoxFuture<'_, Answer> {
    if matches!(item, Work::Fail) {
        scope.advance(TIME);
        return Box::pin(ready(Err("early".into())));
    }
    match item {
        Work::Panic => return Box::pin(async move { work(scope, item).await }),
        item => Box::pin(async move { work(scope, item).await }),
    }
}

#[observe(name = "f.box.dyn")]
fn returns_a_box(
    scope: &testing::Scope,
    item: Work,
) -> Box<dyn Future<Output = Answer> + Unpin + '_> {
    Box::new(Box::pin(work(scope, item)))
}

trait Associated<'a> {
    type Answering: Future<Output = Answer>;
    fn call(&mut self, scope: &'a testing::Scope, item: Work) -> Self::Answering;
}

impl<'a> Associated<'a> for Corner {
    type Answering = Pin<Box<dyn Future<Output = Answer> + 'a>>;

    #[observe(name = "f.associated")]
    fn call(&mut self, scope: &'a testing::Scope, item: Work) -> Self::Answering {
        self.id += 1;
        Box::pin(async move { work(scope, item).await })
    }
}

type Call = fn(&testing::Scope, Work) -> LocalBoxFuture<'_, Answer>;

const EACH: [(&str, Call); 11] = [
    ("f.trait", |scope, item| Corner { id: 1 }.buy_owned(scope, item)),
    ("f.default", |scope, item| Box::pin(async move { Corner { id: 1 }.sell(scope, item).await })),
    ("f.impl", |scope, item| Box::pin(returns_impl(scope, item))),
    ("f.block", |scope, item| Box::pin(returns_a_block(scope, item))),
    ("f.boxed.block", |scope, item| returns_a_boxed_block(scope, item)),
    ("f.statements", has_statements_before),
    ("f.boxed", boxed_by_a_method),
    ("f.chained", chained),
    ("f.early", returns_early),
    ("f.box.dyn", |scope, item| Box::pin(returns_a_box(scope, item))),
    ("f.associated", |scope, item| Corner { id: 1 }.call(scope, item)),
];

impl Corner {
    fn buy_owned(self, scope: &testing::Scope, item: Work) -> LocalBoxFuture<'_, Answer> {
        Box::pin(async move { self.buy(scope, item).await })
    }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut task::Context::from_waker(Waker::noop()))
}

fn drive<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = poll(future.as_mut()) {
            return value;
        }
    }
}

/// Asserts that the operation ended once, so, after `time`, with a span that has `child` in it.
#[track_caller]
fn assert_ended(scope: &testing::Scope, name: &str, outcome: Outcome, time: Duration) {
    let snapshot = scope.snapshot();
    for other in [Outcome::Ok, Outcome::Error, Outcome::Panic, Outcome::Cancelled] {
        let value = snapshot.value(&format!("{name}.duration"), &[("outcome", other.as_str())]);
        let histogram = value.and_then(|value| value.as_histogram());
        let expected = (other == outcome).then_some((1, time.as_secs_f64()));
        let found = histogram.map(|all| (all.count(), all.sum())).filter(|all| all.0 > 0);
        assert_eq!(found, expected, "{name}: {other:?}");
    }
    let active = snapshot.value(&format!("{name}.active"), &[]).map_or(0.0, |value| value.as_f64());
    assert_eq!(active, 0.0, "{name}: under way");
    let span = scope.span(name);
    assert_eq!((span.outcome(), span.duration()), (outcome, time), "{name}");
}

#[test]
fn the_answer_of_the_future_is_the_outcome_and_its_time_is_the_time() {
    for (name, call) in EACH {
        let scope = testing::scope();
        assert_eq!(drive(call(&scope, Work::Ok)), Ok(7), "{name}");
        assert_ended(&scope, name, Outcome::Ok, TIME);
        let (span, children) = (scope.span(name).span_id(), scope.spans());
        let mut children = children.iter().filter(|span| span.name() == "child");
        assert!(children.all(|child| child.parent_span_id() == Some(span)), "{name}");
    }
    for (name, call) in EACH {
        let scope = testing::scope();
        assert!(drive(call(&scope, Work::Fail)).is_err(), "{name}");
        assert_ended(&scope, name, Outcome::Error, TIME);
    }
}

#[test]
fn a_panic_in_the_future_and_a_drop_of_it_have_their_outcomes() {
    for (name, call) in EACH {
        let scope = testing::scope();
        let future = call(&scope, Work::Panic);
        assert!(catch_unwind(AssertUnwindSafe(|| drive(future))).is_err(), "{name}");
        assert_ended(&scope, name, Outcome::Panic, TIME);
    }
    for (name, call) in EACH {
        let scope = testing::scope();
        let mut future = call(&scope, Work::Wait);
        assert!(poll(future.as_mut()).is_pending() && poll(future.as_mut()).is_pending());
        let active = format!("{name}.active");
        scope.assert_value(&active, &[], 1.0);
        assert!(!bellwether::current().span().is_valid(), "{name}");
        drop(future);
        assert_ended(&scope, name, Outcome::Cancelled, TIME);
    }
}

#[test]
fn a_block_that_is_never_polled_records_nothing() {
    for (name, call) in EACH {
        if !["f.trait", "f.default", "f.block", "f.boxed.block", "f.boxed"].contains(&name) {
            continue;
        }
        let scope = testing::scope();
        drop(call(&scope, Work::Ok));
        assert!(scope.spans().is_empty(), "{name}");
        assert!(scope.snapshot().family(&format!("{name}.duration")).is_none_or(|family| {
            family.series().iter().all(|series| series.value().as_f64() == 0.0)
        }));
    }
}

#[test]
fn a_function_that_ran_before_its_future_is_cancelled_with_it() {
    let scope = testing::scope();
    for (name, call) in EACH {
        if ["f.statements", "f.impl", "f.associated"].contains(&name) {
            let future = call(&scope, Work::Ok);
            scope.advance(TIME);
            drop(future);
            assert_ended(&scope, name, Outcome::Cancelled, TIME);
        }
    }
}

#[test]
fn fields_and_parent_are_those_of_the_call() {
    #[observe(name = "f.parent", parent = parent, fields(length = text.len(), text))]
    fn with_parent(parent: Context, text: &str) -> impl Future<Output = usize> + use<> {
        let text = text.to_owned();
        async move { ready(text).await.len() }
    }
    let scope = testing::scope();
    let parent = bellwether::span("parent").start();
    assert_eq!(drive(with_parent(parent.context(), "abc")), 3);
    let span = scope.span("f.parent");
    assert_eq!(span.parent_span_id(), Some(parent.context().span_id()));
    assert_eq!(span.attributes().len(), 2);
    drive(Corner { id: 3 }.buy(&scope, Work::Ok)).unwrap();
    let fields: Vec<_> = scope.span("f.trait").attributes().to_vec();
    let fields: Vec<_> = fields.iter().map(|one| format!("{}={}", one.key, one.value)).collect();
    assert_eq!(fields, ["id=3", "item=Ok"]);
}

#[test]
fn a_none_that_a_question_mark_returns_is_an_error_in_a_block_too() {
    #[observe(name = "f.none")]
    fn none(inner: Option<u8>) -> BoxFuture<'static, Option<u8>> {
        Box::pin(async move { Some(ready(inner).await? + 1) })
    }
    #[observe(name = "f.none.later")]
    fn later(inner: Option<u8>) -> BoxFuture<'static, Option<u8>> {
        let inner = inner.filter(|_| true);
        async move { Some(ready(inner).await? + 1) }.boxed()
    }
    for (name, call) in [("f.none", none as fn(_) -> _), ("f.none.later", later)] {
        let scope = testing::scope();
        assert_eq!(drive(call(None)), None);
        assert_ended(&scope, name, Outcome::Error, Duration::ZERO);
        let scope = testing::scope();
        assert_eq!(drive(call(Some(1))), Some(2));
        assert_ended(&scope, name, Outcome::Ok, Duration::ZERO);
    }
}

#[test]
fn a_panic_before_the_future_is_a_panic() {
    #[observe(name = "f.before")]
    fn before(fails: bool) -> impl Future<Output = ()> {
        assert!(!fails, "expected by the test");
        ready(())
    }
    let scope = testing::scope();
    assert!(catch_unwind(|| drop(before(true))).is_err());
    assert_ended(&scope, "f.before", Outcome::Panic, Duration::ZERO);
}

#[test]
fn a_future_stays_send_and_a_function_that_only_makes_a_value_stays_one() {
    #[observe(name = "f.send")]
    fn send(text: String) -> impl Future<Output = usize> + Send + 'static {
        let owned = text + "!";
        async move { ready(owned).await.len() }
    }
    #[observe(name = "f.value")]
    fn closure() -> impl Fn() -> u8 {
        || 1
    }
    fn is_send(future: impl Future<Output = usize> + Send + 'static) -> usize {
        drive(future)
    }
    let scope = testing::scope();
    assert_eq!(is_send(send("abc".into())), 4);
    assert_eq!(closure()(), 1);
    assert_ended(&scope, "f.send", Outcome::Ok, Duration::ZERO);
    assert_ended(&scope, "f.value", Outcome::Ok, Duration::ZERO);
}

#[test]
fn a_panic_in_a_field_or_in_the_parent_is_the_panic_of_the_call() {
    fn no<T>() -> T {
        panic!("expected by the test")
    }
    #[observe(name = "p.field", fields(a = 1, b = no::<u8>()))]
    fn field() {}
    #[observe(name = "p.field.async", fields(a = 1, b = no::<u8>()))]
    async fn field_async() {}
    #[observe(name = "p.field.future", fields(b = no::<u8>()))]
    fn field_future() -> impl Future<Output = ()> {
        ready(())
    }
    #[observe(name = "p.parent", parent = no::<Context>())]
    fn parent() {}
    let calls: [(&str, fn()); 4] = [
        ("p.field", field),
        ("p.field.async", || drive(field_async())),
        ("p.field.future", || drive(field_future())),
        ("p.parent", parent),
    ];
    for (name, call) in calls {
        let scope = testing::scope();
        assert!(catch_unwind(call).is_err());
        let snapshot = scope.snapshot();
        let value = snapshot.value(&format!("{name}.duration"), &[("outcome", "panic")]);
        assert_eq!(value.map(|value| value.as_f64()), Some(1.0), "{name}");
        scope.assert_value(&format!("{name}.active"), &[], 0.0);
        assert!(!bellwether::current().span().is_valid());
        if name != "p.parent" {
            assert_eq!(scope.span(name).outcome(), Outcome::Panic);
        }
    }
}
