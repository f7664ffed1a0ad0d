//! `#[observe]`: the span beside the histogram.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bellwether::{
    context::Outcome,
    label::Value,
    observe, testing,
    trace::{SpanKind, Status},
};

struct Cart {
    id: u64,
}

#[observe(name = "checkout", kind = server, fields(cart = cart.id, currency, "http.route" = "/x"))]
fn checkout(scope: &testing::Scope, cart: &Cart, currency: &str, ok: bool) -> Result<(), Cart> {
    scope.advance(Duration::from_millis(250));
    pay();
    if ok { Ok(()) } else { Err(Cart { id: 0 }) }
}

#[observe]
fn pay() {}

#[test]
fn the_span_has_name_kind_fields_children_and_the_histograms_time() {
    let scope = testing::scope();
    assert!(checkout(&scope, &Cart { id: 7 }, "EUR", true).is_ok());
    let span = scope.span("checkout");
    assert_eq!(
        (span.kind(), span.outcome(), span.status()),
        (SpanKind::Server, Outcome::Ok, &Status::Unset)
    );
    let fields: Vec<String> =
        span.attributes().iter().map(|field| format!("{}={}", field.key, field.value)).collect();
    assert_eq!(fields, ["cart=7", "currency=EUR", "http.route=/x"]);
    assert_eq!(span.duration(), Duration::from_millis(250));
    assert_eq!(scope.span("pay").parent_span_id(), Some(span.span_id()));

    let snapshot = scope.snapshot();
    let value = snapshot.value("checkout.duration", &[("outcome", "ok")]).unwrap();
    let histogram = value.as_histogram().unwrap();
    assert_eq!((histogram.count(), histogram.sum()), (1, 0.25));
}

#[test]
fn a_field_is_any_expression() {
    #[observe(name = "sums", fields(sum = a + b, wide = a as u64, less = a < b))]
    fn sums(a: u8, b: u8) {}

    let scope = testing::scope();
    sums(1, 2);
    let fields: Vec<String> = scope
        .span("sums")
        .attributes()
        .iter()
        .map(|field| format!("{}={}", field.key, field.value))
        .collect();
    assert_eq!(fields, ["sum=3", "wide=1", "less=true"]);
}

#[test]
fn a_field_may_be_text_of_any_length_an_array_or_a_wide_number() {
    #[observe(name = "typed", fields(
        long = "a literal that is longer than a text in place",
        names = names, sizes = [1, 2], first = &names[0], wide = u64::MAX, letter = 'x'
    ))]
    fn typed(names: &[String]) {}

    let scope = testing::scope();
    typed(&["ann".into(), "bob".into()]);
    let span = scope.span("typed");
    let values: Vec<_> = span.attributes().iter().map(|field| field.value.clone()).collect();
    let expected: [Value; 6] = [
        Value::from_static("a literal that is longer than a text in place"),
        ["ann", "bob"].into(),
        [1, 2].into(),
        "ann".into(),
        "18446744073709551615".into(),
        "x".into(),
    ];
    assert_eq!(values, expected);
}

#[test]
fn fields_and_parent_are_read_where_the_caller_is() {
    fn id() -> String {
        bellwether::current().span().span_id().to_string()
    }
    #[observe(name = "read", fields(around = id()))]
    fn read() -> String {
        id()
    }
    #[observe(name = "read.async", parent = bellwether::current(), fields(around = id()))]
    async fn read_async() -> String {
        id()
    }

    let scope = testing::scope();
    let around = bellwether::span("around").enter();
    let mut task = Context::from_waker(Waker::noop());
    let within = [Poll::Ready(read()), pin!(read_async()).poll(&mut task)];
    drop(around);
    for (name, within) in ["read", "read.async"].into_iter().zip(within) {
        let span = scope.span(name);
        assert_eq!(within, Poll::Ready(span.span_id().to_string()));
        let field = span.attributes()[0].value.to_string();
        assert_eq!(field, scope.span("around").span_id().to_string(), "{name}");
        assert_eq!(span.parent_span_id(), Some(scope.span("around").span_id()), "{name}");
    }
}

/// In one line each, where the compiler finds braces that it calls needless.
#[rustfmt::skip]
#[deny(unused_braces, unused_parens)]
mod in_one_line {
    use bellwether::{observe, time};

    #[observe(name = "one_line")]
    pub(super) fn sync(a: u32) -> u32 { a }

    #[observe(name = "one_line")]
    pub(super) async fn wait(a: u32) -> u32 { a }

    pub(super) fn timed(a: u32) -> u32 { time!("one_line.timed", { a }) }

    pub(super) async fn selects(a: u32) -> u32 {
        time!("one_line.select", tokio::select! { b = std::future::ready(a) => { b } })
    }
}

#[test]
fn a_body_in_one_line_has_no_needless_braces() {
    let scope = testing::scope();
    let mut task = Context::from_waker(Waker::noop());
    assert_eq!(pin!(in_one_line::wait(2)).poll(&mut task), Poll::Ready(2));
    assert_eq!(pin!(in_one_line::selects(3)).poll(&mut task), Poll::Ready(3));
    assert_eq!(in_one_line::sync(1) + in_one_line::timed(1), 2);
    scope.assert_value("one_line.duration", &[("outcome", "ok")], 2.0);
}

#[test]
fn an_err_is_the_status_of_the_span() {
    let scope = testing::scope();
    assert!(checkout(&scope, &Cart { id: 7 }, "EUR", false).is_err());
    let span = scope.span("checkout");
    assert_eq!((span.outcome(), span.status()), (Outcome::Error, &Status::Error("".into())));
}

#[observe(parent = caller)]
async fn answer(caller: bellwether::context::Context, waits: bool) -> Result<u8, String> {
    pay();
    if waits {
        std::future::pending::<()>().await;
    }
    let number = "5".parse::<u8>().map_err(|fault| fault.to_string())?;
    Ok(number)
}

#[test]
fn an_async_span_has_the_parent_it_is_given_and_is_left_between_polls() {
    let scope = testing::scope();
    let parent = bellwether::span("parent").start();
    let context = parent.context();
    let mut task = Context::from_waker(Waker::noop());
    {
        let mut waiting = pin!(answer(context.clone(), true));
        assert!(waiting.as_mut().poll(&mut task).is_pending());
        assert!(!bellwether::current().span().is_valid());
    }
    let span = scope.span("answer");
    assert_eq!(span.outcome(), Outcome::Cancelled);
    assert_eq!(span.parent_span_id(), Some(context.span_id()));
    assert_eq!(scope.span("pay").parent_span_id(), Some(span.span_id()));
    scope.assert_value("answer.active", &[], 0.0);
}

#[test]
fn nothing_is_left_current_by_a_panic() {
    #[observe(name = "panics")]
    async fn panics() {
        panic!("expected by the test")
    }
    let scope = testing::scope();
    let mut future = Box::pin(panics());
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }));
    assert!(polled.is_err());
    drop(future);
    assert_eq!(scope.span("panics").outcome(), Outcome::Panic);
    assert!(!bellwether::current().span().is_valid());
    scope.assert_value("panics.duration", &[("outcome", "panic")], 1.0);
    assert!(
        scope
            .snapshot()
            .value("panics.duration", &[("outcome", "cancelled")])
            .is_none_or(|v| v.as_f64() == 0.0)
    );
}

#[test]
fn the_duration_of_a_sampled_span_is_an_exemplar_with_its_ids() {
    #[observe(name = "exemplary")]
    async fn exemplary() {}
    #[observe(name = "exemplary.twin")]
    fn twin() {}
    let scope = testing::scope();
    assert!(pin!(exemplary()).poll(&mut Context::from_waker(Waker::noop())).is_ready());
    twin();
    let snapshot = scope.snapshot();
    for name in ["exemplary", "exemplary.twin"] {
        let duration = snapshot.value(&format!("{name}.duration"), &[("outcome", "ok")]);
        let exemplars = duration.and_then(|value| value.as_histogram()).unwrap().exemplars();
        let ids: Vec<_> = exemplars.iter().map(|one| (one.trace_id(), one.span_id())).collect();
        let span = scope.span(name);
        assert_eq!(ids, [(span.trace_id(), span.span_id())], "{name}");
    }
}
