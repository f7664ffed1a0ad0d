//! What a span says of errors of every kind of type, also where the type is settled by later code.
#![allow(clippy::unwrap_used, reason = "code as a user may write it")]
#![deny(clippy::default_numeric_fallback)]

mod failing;

use std::{
    convert::Infallible,
    error::Error,
    fmt::{self, Debug, Display},
    future::{Future, ready},
    str::FromStr,
    sync::Arc,
};

use bellwether::{context::Outcome, observe, testing, time, trace::Status};

use failing::{Any, Borrowed, FAULT, Fault, Plain, Shown, assert_failed, block_on, caused, fault};

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
        type Run = fn(Fault);
        let each: [(Run, &str, &str); 3] = [
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
                let kind = match $kind.starts_with("failing::") {
                    true => concat!(env!("CARGO_CRATE_NAME"), "::", $kind),
                    false => $kind,
                };
                for name in ["k.sync", "k.question", "k.async"] {
                    assert_failed(&scope.span(name), kind, $text, $causes);
                }
            })*}
        };
    }

    each_kind! {
        own: Fault = |_| caused("a", caused("b", fault("c"))) =>
            "failing::Fault", "a", "Caused by: b\nCaused by: c";
        held: Box<Fault> = |_| Box::new(caused("a", fault("b"))) =>
            "failing::Fault", "a", "Caused by: b";
        shown: Shown = |_| Shown => "failing::Shown", "shown", "";
        plain: Plain = |_| Plain => "failing::Plain", "", "";
        nothing: () = |_| () => "()", "", "";
        number: i64 = |_| -5_i64 => "i64", "-5", "";
        owned: String = |_| "owned".into() => "alloc::string::String", "owned", "";
        text: &'static str = |_| "text" => "str", "text", "";
        borrowed_text: &'a str = |local| local => "str", "local", "";
        borrowed: Borrowed<'a> = |local| Borrowed(local) => "failing::Borrowed", "local", "";
        anyhow: Any = |_| caused("a", fault("b")).into() =>
            "failing::Any", "a", "Caused by: b";
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
            ("i.plain", concat!(env!("CARGO_CRATE_NAME"), "::failing::Plain"), ""),
            ("i.timed", "alloc::string::String", "unknown: x"),
            ("i.collected", "alloc::string::String", "no"),
            ("i.into", "_OTHER", "converted"),
            ("i.literal", "i32", "7"),
        ] {
            assert_failed(&scope.span(name), kind, message, "");
        }
    }
}
