//! What a span says of the errors that leave observed and timed code, whatever their types are.
#![allow(clippy::unwrap_used, reason = "code as a user may write it")]
#![deny(clippy::default_numeric_fallback)]

use std::{
    convert::Infallible,
    error::Error,
    fmt::{self, Debug, Display},
    future::{Future, ready},
    pin::{Pin, pin},
    str::FromStr,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bellwether::{
    context::Outcome,
    observe, testing, time,
    trace::{Event, InSpan as _, SpanRecord, Status},
};

/// An error with everything.
#[derive(Debug)]
struct Fault {
    text: String,
    cause: Option<Box<Fault>>,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

fn fault(text: &str) -> Fault {
    Fault { text: text.into(), cause: None }
}

fn caused(text: &str, cause: Fault) -> Fault {
    Fault { text: text.into(), cause: Some(cause.into()) }
}

const FAULT: &str = "macros_errors::Fault";

/// No `Error`, but text.
struct Shown;

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shown")
    }
}

/// Neither.
#[derive(Debug)]
struct Plain;

/// An error that borrows.
#[derive(Debug)]
struct Borrowed<'a>(&'a str);

impl Display for Borrowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Borrowed<'_> {}

/// As `anyhow::Error` is: text, no `Error`, and a `dyn Error` inside.
struct Any(Box<dyn Error + Send + Sync>);

impl Display for Any {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

impl std::ops::Deref for Any {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl AsRef<dyn Error + Send + Sync> for Any {
    fn as_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Any {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

fn attribute(attributes: &[bellwether::label::KeyValue], key: &str) -> Option<String> {
    attributes.iter().find(|one| one.key == key).map(|one| one.value.to_string())
}

/// Type, text and causes of an event.
fn told(event: &Event) -> (String, String, String) {
    assert_eq!(event.name(), "exception");
    let [kind, message, causes] = ["type", "message", "stacktrace"]
        .map(|key| attribute(event.attributes(), &format!("exception.{key}")).unwrap_or_default());
    (kind, message, causes)
}

/// Asserts that the span says of one error: this type, text and causes.
#[track_caller]
fn assert_failed(span: &SpanRecord, kind: &str, text: &str, causes: &str) {
    assert_eq!(span.outcome(), Outcome::Error);
    assert_eq!(span.status(), &Status::Error(text.to_owned().into()));
    assert_eq!(attribute(span.attributes(), "error.type").as_deref(), Some(kind));
    let told: Vec<_> = span.events().iter().map(told).collect();
    let kind = if kind == "_OTHER" { "" } else { kind };
    assert_eq!(told, [(kind.to_owned(), text.to_owned(), causes.to_owned())]);
}

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
            let kind = if way == 1 || way == 2 { FAULT } else { "macros_errors::Any" };
            assert_failed(&scope.span("e.sync"), kind, "outer", "Caused by: inner");
        }
        for way in 0..3 {
            let scope = testing::scope();
            assert!(block_on(wait(way)).is_err());
            assert!(block_on(future(way)).is_err());
            assert!(block_on(boxed(way)).is_err());
            for name in ["e.future", "e.boxed"] {
                assert_failed(&scope.span(name), "macros_errors::Any", "outer", "Caused by: inner");
            }
            let mut spans = scope.spans();
            spans.retain(|span| span.name() == "e.async");
            assert_eq!(spans.len(), 3);
            for span in &spans {
                assert_failed(span, "macros_errors::Any", "outer", "Caused by: inner");
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
        assert_failed_without_text(&scope.span("e.question"), kind);
        let text = "invalid digit found in string";
        assert_failed(&scope.span("e.question.async"), "macros_errors::Any", text, "");
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

#[track_caller]
fn assert_failed_without_text(span: &SpanRecord, kind: &str) {
    assert_failed(span, kind, "", "");
}

mod kinds {
    use super::*;

    #[observe(name = "k.generic")]
    fn generic<T: Debug, E>(error: E) -> Result<T, E> {
        let result = Err(error);
        let value: T = result?;
        Ok(value)
    }

    #[observe(name = "k.generic")]
    fn shown<E: Display>(error: E) -> Result<(), E> {
        Err(error)
    }

    #[observe(name = "k.generic")]
    async fn with_causes<E>(error: E) -> Result<(), E>
    where
        E: Error,
    {
        Err(error)
    }

    #[test]
    fn a_generic_function_says_what_it_knows_of_the_error() {
        let error = || caused("outer", fault("inner"));
        let each: [(fn(Fault), &str, &str); 3] = [
            (|error| drop(generic::<u8, _>(error)), "", ""),
            (|error| drop(shown(error)), "outer", ""),
            (|error| drop(block_on(with_causes(error))), "outer", "Caused by: inner"),
        ];
        for (run, text, causes) in each {
            let scope = testing::scope();
            run(error());
            assert_failed(&scope.span("k.generic"), FAULT, text, causes);
        }
    }

    macro_rules! each_kind {
        ($($name:ident: $ty:ty = $error:expr => $kind:literal, $text:literal, $causes:literal;)*) => {
            #[test]
            fn each_kind_of_error_says_what_it_has() {$({
                let scope = testing::scope();
                #[observe(name = "k.sync")]
                fn sync<'a>(local: &'a str) -> Result<u8, $ty> {
                    let _ = local;
                    let make: fn(&'a str) -> $ty = $error;
                    Err(make(local))
                }
                #[observe(name = "k.question")]
                fn question<'a>(local: &'a str) -> Result<u8, $ty> {
                    let make: fn(&'a str) -> $ty = $error;
                    Ok(Err(make(local))?)
                }
                #[observe(name = "k.async")]
                async fn wait<'a>(local: &'a str) -> Result<u8, $ty> {
                    let make: fn(&'a str) -> $ty = $error;
                    ready(Err(make(local))).await
                }
                let local = String::from("local");
                let _ = (sync(&local).is_ok(), question(&local).is_ok(), block_on(wait(&local)).is_ok());
                for name in ["k.sync", "k.question", "k.async"] {
                    assert_failed(&scope.span(name), $kind, $text, $causes);
                }
            })*}
        };
    }

    each_kind! {
        own: Fault = |_| caused("a", caused("b", fault("c"))) =>
            "macros_errors::Fault", "a", "Caused by: b\nCaused by: c";
        held: Box<Fault> = |_| Box::new(caused("a", fault("b"))) =>
            "macros_errors::Fault", "a", "Caused by: b";
        shown: Shown = |_| Shown => "macros_errors::Shown", "shown", "";
        plain: Plain = |_| Plain => "macros_errors::Plain", "", "";
        nothing: () = |_| () => "()", "", "";
        number: i64 = |_| -5_i64 => "i64", "-5", "";
        owned: String = |_| "owned".into() => "alloc::string::String", "owned", "";
        text: &'static str = |_| "text" => "str", "text", "";
        borrowed_text: &'a str = |local| local => "str", "local", "";
        borrowed: Borrowed<'a> = |local| Borrowed(local) => "macros_errors::Borrowed", "local", "";
        anyhow: Any = |_| caused("a", fault("b")).into() =>
            "macros_errors::Any", "a", "Caused by: b";
        boxed: Box<dyn Error> = |_| caused("a", fault("b")).into() => "_OTHER", "a", "Caused by: b";
        boxed_send: Box<dyn Error + Send + Sync> = |_| "boxed".into() => "_OTHER", "boxed", "";
        boxed_borrowed: Box<dyn Error + 'a> = |local| Box::new(Borrowed(local)) =>
            "_OTHER", "local", "";
        shared: Arc<dyn Error + Send + Sync> = |_| Arc::new(caused("a", fault("b"))) =>
            "_OTHER", "a", "Caused by: b";
        referred: &'static (dyn Error + Send + Sync) = |_| &fmt::Error =>
            "_OTHER", "an error occurred when formatting an argument", "";
    }

    #[test]
    fn opaque_and_impossible_errors_compile_and_say_what_they_have() {
        #[observe(name = "k.opaque")]
        fn opaque() -> Result<u8, impl Error> {
            Err(fault("opaque"))
        }
        #[observe(name = "k.opaque.future")]
        fn opaque_future() -> impl Future<Output = Result<u8, impl Display>> {
            async { Err(fault("opaque")) }
        }
        #[observe(name = "k.impossible")]
        fn impossible() -> Result<u8, Infallible> {
            Ok(Ok::<u8, Infallible>(1)?)
        }
        let scope = testing::scope();
        assert!(opaque().is_err() && block_on(opaque_future()).is_err() && impossible().is_ok());
        assert_failed(&scope.span("k.opaque"), FAULT, "opaque", "");
        assert_eq!(scope.span("k.opaque.future").status(), &Status::Error("opaque".into()));
        assert_eq!(scope.span("k.impossible").outcome(), Outcome::Ok);
    }

    #[test]
    fn the_error_is_only_borrowed_and_need_not_be_send() {
        struct NotSend(std::rc::Rc<u8>);
        impl Display for NotSend {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
        #[observe(name = "k.borrowed")]
        fn borrowed(error: NotSend) -> Result<(), NotSend> {
            Err(error)
        }
        fn is_send<F: Future + Send>(future: F) -> F {
            future
        }
        #[observe(name = "k.send")]
        async fn send() -> Result<(), Any> {
            ready(()).await;
            time!("k.send.timed", ready(Err(fault("no"))).await?)
        }
        let scope = testing::scope();
        let value = std::rc::Rc::new(3);
        let error = borrowed(NotSend(value.clone())).err().unwrap();
        assert!(std::rc::Rc::ptr_eq(&error.0, &value));
        assert!(block_on(is_send(send())).is_err());
        assert_eq!(scope.span("k.borrowed").status(), &Status::Error("3".into()));
    }
}

/// Types that the compiler learns only from what comes after.
mod inference {
    use super::*;

    struct Known;
    struct Odd;

    impl FromStr for Known {
        type Err = String;
        fn from_str(text: &str) -> Result<Self, String> {
            Err(format!("unknown: {text}"))
        }
    }

    impl TryFrom<u8> for Odd {
        type Error = Plain;
        fn try_from(_: u8) -> Result<Self, Plain> {
            Err(Plain)
        }
    }

    fn take<T>(_: T) {}

    #[observe(name = "i.number")]
    fn number() -> Result<u8, Any> {
        let number = "x".parse()?;
        take::<u8>(number);
        Ok(number)
    }

    #[observe(name = "i.text")]
    fn text() -> Result<(), String> {
        let known = "x".parse()?;
        take::<Known>(known);
        Ok(())
    }

    #[observe(name = "i.plain")]
    fn plain() -> Result<(), Plain> {
        let odd = 1_u8.try_into()?;
        take::<Odd>(odd);
        Ok(())
    }

    #[observe(name = "i.timed")]
    fn timed() -> Result<(), String> {
        let known = time!("i.timed.inner", "x".parse())?;
        take::<Known>(known);
        let wide = time!("i.wide", 1_u8.into());
        take::<u64>(wide);
        Ok(())
    }

    #[observe(name = "i.collected")]
    fn collected() -> Result<Vec<u8>, String> {
        let bytes = ["1", "x"].iter().map(|text| text.parse().map_err(|_| "no".to_owned()));
        let bytes = bytes.collect::<Result<Vec<_>, _>>()?;
        Ok(bytes)
    }

    #[observe(name = "i.into")]
    fn converted() -> Result<u8, Box<dyn Error + Send + Sync>> {
        Err("converted".into())
    }

    #[observe(name = "i.literal")]
    fn literal() -> Result<(), i32> {
        let result = time!("i.literal.timed", Err(7));
        result
    }

    #[test]
    fn a_type_may_be_settled_by_later_code() {
        let scope = testing::scope();
        assert!(number().is_err() && text().is_err() && plain().is_err() && timed().is_err());
        assert!(collected().is_err() && converted().is_err() && literal().is_err());
        for (name, kind, message) in [
            ("i.number", "core::num::error::ParseIntError", "invalid digit found in string"),
            ("i.text", "alloc::string::String", "unknown: x"),
            ("i.plain", "macros_errors::Plain", ""),
            ("i.timed", "alloc::string::String", "unknown: x"),
            ("i.collected", "alloc::string::String", "no"),
            ("i.into", "_OTHER", "converted"),
            ("i.literal", "i32", "7"),
        ] {
            assert_failed(&scope.span(name), kind, message, "");
        }
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
        for (name, kind) in [
            ("s.error", FAULT),
            ("s.any", "macros_errors::Any"),
            ("s.boxed", "_OTHER"),
            ("s.sync", "_OTHER"),
        ] {
            assert_failed(&scope.span(name), kind, "outer", "Caused by: inner");
        }
        for text in [block_on(ready(Err::<(), _>("text")).try_in_span(span("s.text")))] {
            assert_eq!(text, Err("text"));
        }
        assert_failed(&scope.span("s.text"), "str", "text", "");
        let local = String::from("local");
        let borrowed = async { Err::<(), _>(Borrowed(&local)) };
        assert!(block_on(borrowed.try_in_span(span("s.borrowed"))).is_err());
        assert_failed(&scope.span("s.borrowed"), "macros_errors::Borrowed", "local", "");
        assert!(block_on(ready(Ok::<_, Fault>(1)).try_in_span(span("s.ok"))).is_ok());
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
