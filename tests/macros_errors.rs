//! What a span says of the errors that leave observed and timed code, and futures in a span.
#![allow(clippy::unwrap_used, reason = "code as a user may write it")]
#![deny(clippy::default_numeric_fallback)]

mod failing;

use std::{
    error::Error,
    future::{Future, ready},
    pin::Pin,
    task::Poll,
};

use bellwether::{
    context::Outcome,
    observe, testing, time,
    trace::{InSpan as _, Status},
};

use failing::{
    ANY, Any, Borrowed, FAULT, Fault, assert_failed, attribute, block_on, caused, fault, told,
};

mod ways_out {
    use super::*;

    #[observe(name = "e.sync")]
    fn sync(way: u8) -> Result<u8, Any> {
        let cause = || caused("outer", fault("inner"));
        match way {
            0 => return Err(cause().into()),
            1 => Err(cause())?,
            2 => time!("e.sync.timed", Err(cause())?),
            3 => time!("e.sync.timed", return Err(cause().into())),
            _ => Err(cause().into()),
        }
    }

    #[observe(name = "e.async")]
    async fn wait(way: u8) -> Result<u8, Any> {
        let cause = || caused("outer", fault("inner"));
        match way {
            0 => return Err(cause().into()),
            1 => ready(Err(cause())).await?,
            _ => ready(Err(cause().into())).await,
        }
    }

    #[observe(name = "e.future")]
    fn future(way: u8) -> impl Future<Output = Result<u8, Any>> {
        assert!(way < 9);
        async move { wait(way).await }
    }

    #[observe(name = "e.boxed")]
    fn boxed(way: u8) -> Pin<Box<dyn Future<Output = Result<u8, Any>>>> {
        assert!(way < 9);
        Box::pin(wait(way))
    }

    #[test]
    fn each_way_out_of_a_function_says_the_error() {
        for way in 0..5 {
            let scope = testing::scope();
            assert!(sync(way).is_err());
            let kind = if way == 1 || way == 2 { FAULT } else { ANY };
            assert_failed(&scope.span("e.sync"), kind, "outer", "Caused by: inner");
        }
        for way in 0..3 {
            let scope = testing::scope();
            assert!(block_on(wait(way)).is_err());
            assert!(block_on(future(way)).is_err());
            assert!(block_on(boxed(way)).is_err());
            for name in ["e.future", "e.boxed"] {
                assert_failed(&scope.span(name), ANY, "outer", "Caused by: inner");
            }
            let mut spans = scope.spans();
            spans.retain(|span| span.name() == "e.async");
            assert_eq!(spans.len(), 3);
            for span in &spans {
                assert_failed(span, ANY, "outer", "Caused by: inner");
            }
        }
    }

    #[test]
    fn a_question_mark_takes_the_error_before_its_conversion_and_a_future_after_it() {
        #[observe(name = "e.question")]
        fn sync() -> Result<u8, String> {
            #[derive(Debug)]
            struct Private;
            impl From<Private> for String {
                fn from(_: Private) -> Self {
                    "converted".into()
                }
            }
            Err(Private)?
        }
        #[observe(name = "e.question.async")]
        async fn wait() -> Result<u8, Any> {
            Ok("x".parse::<u8>()?)
        }
        let scope = testing::scope();
        assert!(sync().is_err() && block_on(wait()).is_err());
        let kind = "macros_errors::ways_out::a_question_mark_takes_the_error_before_its_conversion_\
                    and_a_future_after_it::sync::Private";
        assert_failed(&scope.span("e.question"), kind, "", "");
        let text = "invalid digit found in string";
        assert_failed(&scope.span("e.question.async"), ANY, text, "");
    }

    #[test]
    fn an_ok_and_a_none_say_nothing() {
        #[observe(name = "e.none")]
        fn none() -> Option<u8> {
            None?
        }
        #[observe(name = "e.ok")]
        fn ok() -> Result<u8, Fault> {
            Ok(1)
        }
        let scope = testing::scope();
        assert!(none().is_none() && ok().is_ok());
        let (none, ok) = (scope.span("e.none"), scope.span("e.ok"));
        assert_eq!((none.outcome(), ok.outcome()), (Outcome::Error, Outcome::Ok));
        for span in [none, ok] {
            assert!(span.events().is_empty() && span.attributes().is_empty());
        }
    }

    #[test]
    fn a_poll_that_a_question_mark_leaves_with_says_the_error() {
        #[observe(name = "e.poll")]
        fn poll(poll: Poll<Option<Result<u8, Fault>>>) -> Poll<Option<Result<u8, Fault>>> {
            Poll::Ready(match poll? {
                Poll::Ready(Some(item)) => Some(Ok(item)),
                _ => None,
            })
        }
        let scope = testing::scope();
        assert!(poll(Poll::Ready(Some(Err(fault("in a stream"))))).is_ready());
        assert_failed(&scope.span("e.poll"), FAULT, "in a stream", "");
    }

    #[test]
    fn a_scope_in_the_function_is_not_taken_for_its_span() {
        #[observe(name = "e.outer")]
        fn outer() -> Result<u8, Fault> {
            let _inner = bellwether::span("e.inner").enter();
            Err(fault("no"))?
        }
        let scope = testing::scope();
        assert!(outer().is_err());
        assert_failed(&scope.span("e.outer"), FAULT, "no", "");
        assert!(scope.span("e.inner").events().is_empty());
    }
}

mod parts {
    use super::*;

    #[test]
    fn a_timed_expression_tells_the_current_span_and_does_not_fail_it() {
        let scope = testing::scope();
        {
            let _span = bellwether::span("p.span").enter();
            assert!(time!("p.timed", Err::<(), _>(caused("outer", fault("inner")))).is_err());
        }
        let span = scope.span("p.span");
        assert_eq!((span.outcome(), span.status()), (Outcome::Ok, &Status::Unset));
        assert!(span.attributes().is_empty());
        let events: Vec<_> = span.events().iter().map(told).collect();
        assert_eq!(events, [(FAULT.into(), "outer".into(), "Caused by: inner".into())]);
        assert!(time!("p.timed", Err::<(), _>(fault("nowhere"))).is_err());
    }

    #[test]
    fn an_error_that_goes_on_has_one_event() {
        #[observe(name = "p.outer")]
        fn outer(question: bool) -> Result<(), Fault> {
            let failing = || Err(fault("no"));
            if question {
                time!("p.inner", time!("p.inmost", failing()?));
            }
            time!("p.inner", time!("p.inmost", failing()))
        }
        #[observe(name = "p.outer.async")]
        async fn outer_async() -> Result<(), Fault> {
            time!("p.inner", ready(Err(fault("no"))).await?);
            Ok(())
        }
        for question in [false, true] {
            let scope = testing::scope();
            assert!(outer(question).is_err());
            assert_failed(&scope.span("p.outer"), FAULT, "no", "");
        }
        let scope = testing::scope();
        assert!(block_on(outer_async()).is_err());
        assert_failed(&scope.span("p.outer.async"), FAULT, "no", "");
    }

    #[test]
    fn attempts_have_an_event_each() {
        #[observe(name = "p.retried")]
        fn retried(scope: &testing::Scope) -> Result<(), Fault> {
            let mut last = Ok(());
            for _ in 0..3 {
                last = time!("p.attempt", Err(fault("no")));
                scope.advance(std::time::Duration::from_secs(1));
            }
            last
        }
        let scope = testing::scope();
        assert!(retried(&scope).is_err());
        let span = scope.span("p.retried");
        assert_eq!((span.events().len(), span.outcome()), (3, Outcome::Error));
    }

    #[test]
    fn what_somebody_set_before_stays() {
        #[observe(name = "p.set")]
        fn set() -> Result<(), Fault> {
            bellwether::trace::set_status(Status::Error("own words".into()));
            bellwether::trace::set_attribute("error.type", "500");
            Err(fault("no"))
        }
        let scope = testing::scope();
        assert!(set().is_err());
        let span = scope.span("p.set");
        assert_eq!(span.status(), &Status::Error("own words".into()));
        assert_eq!(attribute(span.attributes(), "error.type").as_deref(), Some("500"));
        assert_eq!(told(&span.events()[0]).1, "no");
    }
}

mod in_span {
    use super::*;

    #[test]
    fn a_future_that_is_tried_says_its_error() {
        let scope = testing::scope();
        let span = |name: &'static str| bellwether::span(name).start();
        let each = caused("outer", fault("inner"));
        assert!(block_on(ready(Err::<(), _>(each)).try_in_span(span("s.error"))).is_err());
        let any = Any::from(caused("outer", fault("inner")));
        assert!(block_on(ready(Err::<(), _>(any)).try_in_span(span("s.any"))).is_err());
        let boxed: Box<dyn Error> = caused("outer", fault("inner")).into();
        assert!(block_on(ready(Err::<(), _>(boxed)).try_in_span(span("s.boxed"))).is_err());
        let boxed: Box<dyn Error + Send + Sync> = caused("outer", fault("inner")).into();
        assert!(block_on(ready(Err::<(), _>(boxed)).try_in_span(span("s.sync"))).is_err());
        for (name, kind) in
            [("s.error", FAULT), ("s.any", ANY), ("s.boxed", "_OTHER"), ("s.sync", "_OTHER")]
        {
            assert_failed(&scope.span(name), kind, "outer", "Caused by: inner");
        }
        let text = block_on(ready(Err::<(), _>("text")).try_in_span(span("s.text")));
        assert_eq!(text, Err("text"));
        assert_failed(&scope.span("s.text"), "str", "text", "");
        let local = String::from("local");
        let borrowed = async { Err::<(), _>(Borrowed(&local)) };
        assert!(block_on(borrowed.try_in_span(span("s.borrowed"))).is_err());
        assert_failed(
            &scope.span("s.borrowed"),
            concat!(env!("CARGO_CRATE_NAME"), "::failing::Borrowed"),
            "local",
            "",
        );
        assert!(block_on(ready(Ok::<_, Fault>(1_u8)).try_in_span(span("s.ok"))).is_ok());
        assert!(block_on(ready(Err::<(), _>(fault("no"))).in_span(span("s.not"))).is_err());
        for name in ["s.ok", "s.not"] {
            let span = scope.span(name);
            assert_eq!((span.outcome(), span.events().len()), (Outcome::Ok, 0));
        }
    }

    #[test]
    fn an_observed_future_in_a_span_of_its_own_says_the_error_in_both() {
        #[observe(name = "s.inner")]
        async fn inner() -> Result<(), Fault> {
            Err(fault("no"))
        }
        let scope = testing::scope();
        assert!(block_on(inner().try_in_span(bellwether::span("s.outer").start())).is_err());
        for name in ["s.inner", "s.outer"] {
            assert_failed(&scope.span(name), FAULT, "no", "");
        }
    }
}
