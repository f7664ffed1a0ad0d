//! The texts of errors that spans keep: how long they are, what a hook makes of them, what is left where
//! they are off, and what code of the user's may do while they are made.
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    borrow::Cow,
    cell::Cell,
    error::Error,
    fmt,
    sync::{Arc, Mutex},
};

use bellwether::{
    context::Outcome,
    observe, time,
    trace::{
        self, Event, SpanLimits, SpanRecord, Status, Tracer, TracerBuilder,
        sampler::{AlwaysOff, AlwaysOn},
    },
};

/// The spans that `work` makes under a tracer of this thread.
fn spans_of(
    options: impl FnOnce(TracerBuilder) -> TracerBuilder,
    work: impl FnOnce(),
) -> Vec<SpanRecord> {
    let spans = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&spans);
    let accept = move |batch: &mut Vec<SpanRecord>| sink.lock().unwrap().append(batch);
    let tracer = options(Tracer::builder(accept)).build();
    let entered = trace::enter(Some(Arc::clone(&tracer)));
    work();
    drop(entered);
    tracer.collect();
    let spans = spans.lock().unwrap();
    spans.clone()
}

fn one_span(
    options: impl FnOnce(TracerBuilder) -> TracerBuilder,
    work: impl FnOnce(),
) -> SpanRecord {
    let mut spans = spans_of(options, work);
    assert_eq!(spans.len(), 1);
    spans.remove(0)
}

fn text(event: &Event, key: &str) -> Option<String> {
    event.attributes().iter().find(|one| one.key == key).map(|one| one.value.to_string())
}

fn description(span: &SpanRecord) -> &str {
    match span.status() {
        Status::Error(description) => description,
        other => panic!("{other:?}"),
    }
}

/// An error whose text is `0`, and with as many causes as that says, of which `1` is the nearest.
#[derive(Debug)]
struct Fault(String, Option<Box<Fault>>);

impl Fault {
    fn chain(texts: &[&str]) -> Self {
        let (first, causes) = texts.split_first().unwrap();
        Self((*first).into(), (!causes.is_empty()).then(|| Self::chain(causes).into()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

#[observe]
fn fail<E>(error: E) -> Result<(), E>
where
    E: Error,
{
    Err(error)
}

fn failing<E: Error>(error: E) -> impl FnOnce() {
    || assert!(fail(error).is_err())
}

#[test]
fn a_hook_is_given_every_text() {
    fn hook(text: &str) -> Cow<'_, str> {
        match text {
            "empty" => Cow::Borrowed(""),
            "short" => Cow::Borrowed(text),
            text => format!("{} bytes", text.len()).into(),
        }
    }
    let error = Fault::chain(&["a secret", "short", "empty", "more"]);
    let span = one_span(|builder| builder.redact_errors(hook), failing(error));
    assert_eq!(description(&span), "8 bytes");
    let event = &span.events()[0];
    assert_eq!(text(event, "exception.message").as_deref(), Some("8 bytes"));
    let causes = "Caused by: short\nCaused by: 4 bytes";
    assert_eq!(text(event, "exception.stacktrace").as_deref(), Some(causes));
}

#[test]
fn texts_that_are_off_leave_type_and_outcome() {
    fn hook(_: &str) -> Cow<'_, str> {
        panic!("nothing is given to it")
    }
    let off: [fn(TracerBuilder) -> TracerBuilder; 2] = [
        |builder| builder.redact_errors(hook).without_error_texts(),
        |builder| builder.without_error_texts().redact_errors(hook),
    ];
    for options in off {
        let span = one_span(options, || {
            assert!(fail(Unformatted).is_err());
        });
        assert_eq!((span.outcome(), description(&span)), (Outcome::Error, ""));
        assert_eq!(span.attributes().len(), 1);
        assert_eq!(span.attributes()[0].value.to_string(), "error_texts::Unformatted");
        assert!(span.events().is_empty());
    }
    let span = one_span(TracerBuilder::without_error_texts, || {
        let _span = bellwether::span("by hand").enter();
        assert!(time!("texts.off", Err::<(), _>(Unformatted)).is_err());
        trace::record_error(&Unformatted);
    });
    assert_eq!((span.outcome(), span.attributes().len()), (Outcome::Error, 1));
    assert!(span.events().is_empty());
}

/// Nobody asks for its text.
#[derive(Debug)]
struct Unformatted;

impl fmt::Display for Unformatted {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("it is not formatted")
    }
}

impl Error for Unformatted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        panic!("it is not asked for a cause")
    }
}

#[test]
fn nothing_is_formatted_where_the_span_is_not_recorded() {
    let run = || {
        assert!(fail(Unformatted).is_err());
        assert!(time!("texts.unrecorded", Err::<(), _>(Unformatted)).is_err());
        let span = bellwether::span("by hand").enter();
        span.record_error(&Unformatted);
        trace::record_error(&Unformatted);
        span.leave().record_error(&Unformatted);
    };
    assert!(spans_of(|builder| builder.sampler(AlwaysOff), run).is_empty());
    run(); // Without a tracer.
}

#[test]
fn a_long_text_is_cut_while_it_is_made() {
    struct Endless<'a>(&'a Cell<usize>);
    impl fmt::Display for Endless<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                self.0.set(self.0.get() + 1);
                f.write_str("é")?;
            }
        }
    }
    impl fmt::Debug for Endless<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("endless")
        }
    }
    impl Error for Endless<'_> {}
    let pieces = Cell::new(0);
    let limits = SpanLimits { text_chars: 101, ..SpanLimits::default() };
    let span = one_span(|builder| builder.limits(limits), failing(Endless(&pieces)));
    assert_eq!((description(&span), pieces.get()), (&*"é".repeat(101), 103));
    assert_eq!(span.truncated_texts(), 1);
    // The hook sees twice as much.
    let redacted = one_span(
        |builder| builder.limits(limits).redact_errors(|text| text[100..].into()),
        failing(Endless(&pieces)),
    );
    assert_eq!(description(&redacted), "é".repeat(101));
}

#[test]
fn causes_are_bounded_in_number_and_bytes() {
    #[derive(Debug)]
    struct Cyclic;
    impl fmt::Display for Cyclic {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("round")
        }
    }
    impl Error for Cyclic {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&Cyclic)
        }
    }
    let span = one_span(|builder| builder, failing(Cyclic));
    let causes = text(&span.events()[0], "exception.stacktrace").unwrap();
    assert_eq!(causes.lines().count(), 16);
    assert!(causes.lines().all(|line| line == "Caused by: round"));

    let limits = SpanLimits { text_chars: 20, ..SpanLimits::default() };
    let span = one_span(|builder| builder.limits(limits), failing(Cyclic));
    let causes = text(&span.events()[0], "exception.stacktrace");
    assert_eq!(causes.as_deref(), Some("Caused by: round\nCau"));
}

#[test]
fn code_that_panics_costs_its_text_and_nothing_else() {
    #[derive(Debug)]
    struct Panicking(Where, Option<Fault>);
    #[derive(Debug, PartialEq)]
    enum Where {
        Display,
        Source,
    }
    impl fmt::Display for Panicking {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("so far")?;
            match self.0 {
                Where::Display => std::panic::resume_unwind(Box::new("quietly")),
                Where::Source => Ok(()),
            }
        }
    }
    impl Error for Panicking {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            match self.0 {
                Where::Source => std::panic::resume_unwind(Box::new("quietly")),
                Where::Display => self.1.as_ref().map(|cause| cause as _),
            }
        }
    }
    let error = Panicking(Where::Display, Some(Fault::chain(&["cause"])));
    let span = one_span(|builder| builder, failing(error));
    assert_eq!((span.outcome(), description(&span)), (Outcome::Error, ""));
    let event = &span.events()[0];
    assert_eq!(text(event, "exception.message"), None);
    assert!(text(event, "exception.type").unwrap().ends_with("Panicking"));
    assert_eq!(text(event, "exception.stacktrace").as_deref(), Some("Caused by: cause"));

    let span = one_span(|builder| builder, failing(Panicking(Where::Source, None)));
    assert_eq!(description(&span), "so far");
}

#[test]
fn a_text_that_does_not_expect_a_writer_to_refuse_is_kept_as_far_as_it_came() {
    #[derive(Debug)]
    struct Unwraps;
    impl fmt::Display for Unwraps {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if f.write_str("too long").is_err() {
                std::panic::resume_unwind(Box::new("quietly"));
            }
            Ok(())
        }
    }
    impl Error for Unwraps {}
    let limits = SpanLimits { text_chars: 3, ..SpanLimits::default() };
    let span = one_span(|builder| builder.limits(limits), failing(Unwraps));
    assert_eq!(description(&span), "too");
}

#[test]
fn a_hook_that_panics_costs_the_texts_that_it_panics_on() {
    fn hook(text: &str) -> Cow<'_, str> {
        match text {
            "bad" => std::panic::resume_unwind(Box::new("quietly")),
            text => text.to_uppercase().into(),
        }
    }
    let spans = spans_of(
        |builder| builder.redact_errors(hook),
        || {
            failing(Fault::chain(&["bad", "good"]))();
            failing(Fault::chain(&["good", "bad"]))();
        },
    );
    assert_eq!((description(&spans[0]), description(&spans[1])), ("", "GOOD"));
    let causes = |span: &SpanRecord| text(&span.events()[0], "exception.stacktrace");
    assert_eq!((causes(&spans[0]).as_deref(), causes(&spans[1])), (Some("Caused by: GOOD"), None));
}

#[test]
fn texts_and_hooks_may_use_spans_and_fail_themselves() {
    #[derive(Debug)]
    struct Meddling;
    impl fmt::Display for Meddling {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let _inner = bellwether::span("of the text").enter();
            trace::record_error(self); // Would be formatted without an end.
            trace::set_attribute("k", 1);
            f.write_str("meddling")
        }
    }
    impl Error for Meddling {}
    fn hook(text: &str) -> Cow<'_, str> {
        assert!(fail(Fault::chain(&["in the hook"])).is_err());
        trace::set_attribute("of the hook", true);
        text.to_uppercase().into()
    }
    let spans = spans_of(|builder| builder.redact_errors(hook), failing(Meddling));
    let names: Vec<_> = spans.iter().map(|span| (span.name(), description(span))).collect();
    assert_eq!(names, [("of the text", ""), ("fail", ""), ("fail", "MEDDLING")]);
    assert!(spans.iter().all(|span| span.outcome() == Outcome::Error));
    let keys: Vec<_> = spans[2].attributes().iter().map(|one| one.key.as_ref()).collect();
    assert_eq!(keys, ["of the hook", "error.type"]);
}

#[test]
fn what_is_recorded_by_hand_is_the_last_word_and_each_has_an_event() {
    let span = one_span(
        |builder| builder.sampler(AlwaysOn),
        || {
            let span = bellwether::span("by hand").enter();
            span.record_error(&Fault::chain(&["first", "cause"]));
            span.record_error("second");
            span.record_error("second");
        },
    );
    assert_eq!((span.outcome(), description(&span)), (Outcome::Error, "second"));
    assert_eq!(span.attributes().len(), 1);
    assert_eq!(span.attributes()[0].value.to_string(), "str");
    let messages: Vec<_> =
        span.events().iter().map(|event| text(event, "exception.message").unwrap()).collect();
    assert_eq!(messages, ["first", "second", "second"]);

    let span = one_span(
        |builder| builder,
        || {
            let mut span = bellwether::span("recovered").start();
            span.record_error(&fmt::Error);
            span.set_status(Status::Ok);
        },
    );
    assert_eq!((span.outcome(), span.events().len()), (Outcome::Ok, 1));
}

#[test]
fn an_error_that_was_recorded_by_hand_is_not_recorded_again_at_the_end() {
    #[observe]
    fn recorded() -> Result<(), Fault> {
        let error = Fault::chain(&["once", "cause"]);
        trace::record_error(&error);
        Err(error)
    }
    let span = one_span(|builder| builder, || assert!(recorded().is_err()));
    assert_eq!((span.events().len(), description(&span)), (1, "once"));
}

#[test]
fn an_error_is_recorded_while_another_panic_unwinds() {
    struct InDrop;
    impl Drop for InDrop {
        fn drop(&mut self) {
            failing(Fault::chain(&["in a drop"]))();
        }
    }
    let span = one_span(
        |builder| builder,
        || {
            let unwound = std::panic::catch_unwind(|| {
                let _in_drop = InDrop;
                std::panic::resume_unwind(Box::new("quietly"));
            });
            assert!(unwound.is_err());
        },
    );
    assert_eq!((span.outcome(), description(&span)), (Outcome::Error, "in a drop"));
}
