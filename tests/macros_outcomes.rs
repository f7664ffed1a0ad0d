//! Every way out of a timed expression and of an observed function, and the outcome it is given.
#![allow(clippy::unwrap_used, clippy::useless_vec, reason = "code as a user may write it")]
#![allow(clippy::disallowed_types, reason = "the rule is the library's own")]

use std::{
    cell::Cell,
    collections::HashMap,
    future::{Future, pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
};

use bellwether::{
    metric::{Registry, SeriesValue},
    observe, time,
};

/// Asserts how often the operation ended in each way, and that none is under way.
#[track_caller]
fn assert_outcomes(name: &str, [ok, error, panic, cancelled]: [u64; 4]) {
    let snapshot = Registry::global().snapshot();
    let count = |outcome| {
        let value = snapshot.value(&format!("{name}.duration"), &[("outcome", outcome)]);
        value.and_then(SeriesValue::as_histogram).map_or(0, |histogram| histogram.count())
    };
    let counted = ["ok", "error", "panic", "cancelled"].map(count);
    assert_eq!(counted, [ok, error, panic, cancelled], "{name}: ok, error, panic, cancelled");
    let active = snapshot.value(&format!("{name}.active"), &[]).map_or(0.0, SeriesValue::as_f64);
    assert_eq!(active, 0.0, "{name}: under way");
}

const OK: [u64; 4] = [1, 0, 0, 0];
const ERROR: [u64; 4] = [0, 1, 0, 0];
const PANIC: [u64; 4] = [0, 0, 1, 0];
const CANCELLED: [u64; 4] = [0, 0, 0, 1];
const NOTHING: [u64; 4] = [0; 4];

fn fails() -> Result<u8, String> {
    Err("no".into())
}

fn works() -> Result<u8, String> {
    Ok(7)
}

/// Polls a future that is never ready once, and drops it.
fn cancel(future: impl Future) {
    let mut future = pin!(future);
    let mut task = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut task).is_pending());
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut task = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut task) {
            return value;
        }
    }
}

/// Pending once, then ready.
async fn later<T>(value: T) -> T {
    let mut waited = false;
    std::future::poll_fn(|task| {
        task.waker().wake_by_ref();
        if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    value
}

mod time_sync {
    use super::*;

    #[test]
    fn a_value_is_ok() {
        assert_eq!(time!("t.value", 1 + 1), 2);
        assert_outcomes("t.value", OK);
    }

    #[test]
    fn an_ok_is_ok_and_an_err_is_an_error() {
        assert_eq!(time!("t.tail.ok", works()), Ok(7));
        assert!(time!("t.tail.err", fails()).is_err());
        assert_outcomes("t.tail.ok", OK);
        assert_outcomes("t.tail.err", ERROR);
    }

    #[test]
    fn a_question_mark_that_leaves_is_an_error() {
        fn run(inner: Result<u8, String>) -> Result<u8, String> {
            let value = time!("t.question", inner? + 1);
            Ok(value)
        }
        assert_eq!(run(works()), Ok(8));
        assert!(run(fails()).is_err());
        assert_outcomes("t.question", [1, 1, 0, 0]);
    }

    #[test]
    fn a_question_mark_on_an_option_is_an_error() {
        fn run(inner: Option<u8>) -> Option<u8> {
            Some(time!("t.option", inner?))
        }
        assert_eq!((run(Some(1)), run(None)), (Some(1), None));
        assert_outcomes("t.option", [1, 1, 0, 0]);
    }

    #[test]
    fn a_question_mark_converts_the_error() {
        fn run() -> Result<u8, Box<dyn std::error::Error>> {
            Ok(time!("t.converts", "x".parse::<u8>()? + "1".parse::<u8>()?))
        }
        assert!(run().is_err());
        assert_outcomes("t.converts", ERROR);
    }

    #[test]
    fn a_question_mark_in_a_closure_does_not_leave() {
        let value = time!("t.closure", {
            let closure = || -> Result<u8, String> { Ok(fails()? + 1) };
            closure().is_err()
        });
        assert!(value);
        assert_outcomes("t.closure", OK);
    }

    #[test]
    fn after_a_question_mark_that_stayed_a_return_is_ok() {
        fn run() -> Result<u8, String> {
            time!("t.return", {
                let value = works()?;
                if value == 7 {
                    return Ok(value);
                }
                unreachable!()
            })
        }
        assert_eq!(run(), Ok(7));
        assert_outcomes("t.return", OK);
    }

    #[test]
    fn a_question_mark_in_a_match_guard_is_an_error() {
        fn run(inner: Result<u8, String>) -> Result<u8, String> {
            Ok(time!(
                "t.guard",
                match 1 {
                    _ if inner? == 7 => 1,
                    _ => 2,
                }
            ))
        }
        assert_eq!(run(works()), Ok(1));
        assert!(run(fails()).is_err());
        assert_outcomes("t.guard", [1, 1, 0, 0]);
    }

    #[test]
    fn break_and_continue_are_ok() {
        let mut rounds = 0;
        let value = loop {
            rounds += 1;
            let _: u8 = time!("t.break", {
                if rounds < 3 {
                    continue;
                }
                break works().unwrap();
            });
        };
        assert_eq!(value, 7);
        assert_outcomes("t.break", [3, 0, 0, 0]);
    }

    #[test]
    fn a_panic_is_a_panic() {
        let caught = catch_unwind(|| time!("t.panic", panic!("expected by the test")));
        assert!(caught.is_err());
        assert_outcomes("t.panic", PANIC);
    }

    #[test]
    fn a_panic_in_a_question_mark_is_a_panic() {
        fn run() -> Result<u8, String> {
            fn panics() -> Result<u8, String> {
                panic!("expected by the test")
            }
            Ok(time!("t.panic.question", panics()?))
        }
        assert!(catch_unwind(run).is_err());
        assert_outcomes("t.panic.question", PANIC);
    }

    #[test]
    fn a_panic_under_way_at_the_start_is_not_the_operations() {
        struct InDrop;
        impl Drop for InDrop {
            fn drop(&mut self) {
                time!("t.unwinding.ok", works()).unwrap();
                time!("t.unwinding.err", fails()).unwrap_err();
            }
        }
        let caught = catch_unwind(|| {
            let _in_drop = InDrop;
            panic!("expected by the test");
        });
        assert!(caught.is_err());
        assert_outcomes("t.unwinding.ok", OK);
        assert_outcomes("t.unwinding.err", ERROR);
    }

    #[test]
    fn nested_timers_each_have_their_outcome() {
        fn run() -> Result<u8, String> {
            let value = time!("t.outer", {
                let inner = time!("t.inner", fails());
                inner.unwrap_or(1) + time!("t.inner.question", fails()?)
            });
            Ok(value)
        }
        assert!(run().is_err());
        assert_outcomes("t.inner", ERROR);
        assert_outcomes("t.inner.question", ERROR);
        assert_outcomes("t.outer", ERROR);
    }

    #[test]
    fn temporaries_live_as_long_as_without_the_macro() {
        let map = Mutex::new(HashMap::from([("a", "A".to_owned())]));
        let run = |key: &str| -> Result<String, &'static str> {
            let value = time!("t.temporaries", map.lock().unwrap().get(key).ok_or("none")?.clone());
            drop(map.lock().unwrap()); // The guard is gone with the statement.
            Ok(value)
        };
        assert_eq!(run("a").as_deref(), Ok("A"));
        assert_eq!(run("b"), Err("none"));
        assert_outcomes("t.temporaries", [1, 1, 0, 0]);
    }

    #[test]
    fn the_type_that_is_expected_reaches_the_expression() {
        let collected: Vec<u8> = time!("t.expected", (1..4).collect());
        let boxed: Box<dyn Fn() -> u8> = time!("t.expected", Box::new(|| 3));
        let parsed: Result<u8, _> = time!("t.expected", "5".parse());
        assert_eq!((collected, boxed(), parsed), (vec![1, 2, 3], 3, Ok(5)));
        assert_outcomes("t.expected", [3, 0, 0, 0]);
    }

    #[test]
    fn macros_are_looked_into() {
        fn run(inner: Result<u8, String>) -> Result<String, String> {
            Ok(time!("t.macros", {
                let all = vec![inner.clone()?, 2];
                assert!(!all.is_empty(), "{}", inner.clone()?);
                assert!(matches!(inner?, 1..));
                format!("{}-{last}", all[0], last = all[1])
            }))
        }
        assert_eq!(run(works()).as_deref(), Ok("7-2"));
        assert!(run(fails()).is_err());
        assert_outcomes("t.macros", [1, 1, 0, 0]);
    }

    #[test]
    fn a_macro_that_hides_a_question_mark_or_a_bail_is_an_error() {
        macro_rules! first_of {
            ($first:expr => $rest:expr) => {
                $first
            };
        }
        macro_rules! bail {
            ($text:literal) => {
                return Err($text.to_owned())
            };
        }
        fn hidden() -> Result<u8, String> {
            Ok(time!("t.hidden", first_of!(fails()? => 1)))
        }
        fn bails(yes: bool) -> Result<u8, String> {
            Ok(time!("t.bails", {
                if yes {
                    bail!("no");
                }
                1
            }))
        }
        assert!(hidden().is_err() && bails(true).is_err() && bails(false).is_ok());
        assert_outcomes("t.hidden", ERROR);
        assert_outcomes("t.bails", [1, 1, 0, 0]);
    }

    #[test]
    fn all_instances_of_a_generic_function_are_one_operation() {
        fn run<T: Clone>(value: &T) -> T {
            time!("t.generic", value.clone())
        }
        run(&1);
        run(&"a");
        assert_outcomes("t.generic", [2, 0, 0, 0]);
    }
}

mod time_async {
    use super::*;

    #[test]
    fn a_future_that_was_awaited_to_its_end_is_ok() {
        assert_eq!(block_on(async { time!("a.ok", later(1).await + later(2).await) }), 3);
        assert_outcomes("a.ok", OK);
    }

    #[test]
    fn a_drop_in_an_await_is_cancelled() {
        cancel(async { time!("a.cancelled", later(1).await + pending::<u8>().await) });
        // One poll reaches only the first await.
        assert_outcomes("a.cancelled", CANCELLED);
    }

    #[test]
    fn a_question_mark_after_an_await_is_an_error() {
        let run = async || -> Result<u8, String> {
            Ok(time!("a.question", {
                let value = ready(works()).await?;
                value + ready(fails()).await?
            }))
        };
        assert!(block_on(run()).is_err());
        assert_outcomes("a.question", ERROR);
    }

    #[test]
    fn a_return_after_an_await_is_ok() {
        let run = async || {
            let _: () = time!("a.return", {
                later(()).await;
                return 5;
            });
        };
        assert_eq!(block_on(run()), 5);
        assert_outcomes("a.return", OK);
    }

    #[test]
    fn a_panic_in_an_await_is_a_panic() {
        async fn panics() {
            panic!("expected by the test")
        }
        let caught = catch_unwind(|| block_on(async { time!("a.panic", panics().await) }));
        assert!(caught.is_err());
        assert_outcomes("a.panic", PANIC);
    }

    #[test]
    fn never_polled_records_nothing() {
        drop(async { time!("a.never", later(1).await) });
        assert_outcomes("a.never", NOTHING);
    }

    #[tokio::test]
    async fn the_loser_of_a_select_is_cancelled() {
        tokio::select! {
            biased;
            () = async { time!("a.loser", pending::<()>().await) } => unreachable!(),
            () = ready(()) => {}
        }
        assert_outcomes("a.loser", CANCELLED);
    }

    #[test]
    fn a_drop_in_a_join_is_cancelled() {
        cancel(async { time!("a.join", tokio::join!(later(1), pending::<()>())) });
        assert_outcomes("a.join", CANCELLED);
        let both = block_on(async { time!("a.joined", tokio::join!(later(1), later(2))) });
        assert_eq!(both, (1, 2));
        assert_outcomes("a.joined", OK);
    }

    #[test]
    fn a_drop_in_a_match_guard_is_cancelled() {
        cancel(async {
            time!(
                "a.guard",
                match 1 {
                    _ if pending::<bool>().await => 1,
                    _ => 2,
                }
            )
        });
        assert_outcomes("a.guard", CANCELLED);
    }

    #[test]
    fn a_question_mark_before_a_join_waits_is_an_error() {
        let run = async |inner: Result<u8, String>| -> Result<u8, String> {
            Ok(time!("a.join.question", tokio::join!(later(inner?), later(2)).0))
        };
        assert!(block_on(run(fails())).is_err());
        cancel(run(works()));
        assert_outcomes("a.join.question", [0, 1, 0, 1]);
    }

    #[tokio::test]
    async fn a_select_is_cancelled_while_it_waits_and_left_by_its_handlers() {
        async fn run(inner: Option<Result<u8, String>>) -> Result<u8, String> {
            let wait = async || match inner {
                Some(inner) => inner,
                None => pending().await,
            };
            Ok(time!("a.select", {
                tokio::select! {
                    biased;
                    value = wait(), if true => value?,
                    () = pending() => return Ok(0),
                }
            }))
        }
        assert_eq!(run(Some(works())).await, Ok(7));
        assert!(run(Some(fails())).await.is_err());
        cancel(run(None));
        assert_outcomes("a.select", [1, 1, 0, 1]);
    }

    #[tokio::test]
    async fn a_select_as_a_statement_is_marked_too() {
        async fn run(wait: bool) -> u8 {
            time!("a.select.statement", {
                tokio::select! {
                    () = pending(), if wait => {}
                    () = ready(()), if !wait => return 1,
                }
                2
            })
        }
        assert_eq!(run(false).await, 1);
        cancel(run(true));
        assert_outcomes("a.select.statement", [1, 0, 0, 1]);
    }

    #[test]
    fn an_async_block_is_a_value() {
        let future = time!("a.block", async { later(1).await });
        assert_outcomes("a.block", OK);
        assert_eq!(block_on(future), 1);
    }
}

mod observed_sync {
    use super::*;

    #[observe(name = "s.plain")]
    fn plain() {}

    #[observe(name = "s.tail")]
    fn tail(ok: bool) -> Result<u8, String> {
        if ok { works() } else { fails() }
    }

    #[observe(name = "s.return")]
    fn returns(which: u8) -> Result<u8, String> {
        for round in 0.. {
            if round == which {
                return if which == 0 { works() } else { fails() };
            }
        }
        Ok(0)
    }

    #[observe(name = "s.question")]
    fn question(inner: Result<u8, String>) -> Result<u8, Box<dyn std::error::Error>> {
        let value = inner?;
        Ok(value)
    }

    #[observe(name = "s.option")]
    fn option(inner: Option<u8>) -> Option<u8> {
        let value = inner?;
        Some(value)
    }

    #[observe(name = "s.panic")]
    fn panics() -> u8 {
        panic!("expected by the test")
    }

    #[observe]
    fn named_by_itself() {}

    #[test]
    fn each_way_out_has_its_outcome() {
        plain();
        assert_outcomes("s.plain", OK);
        assert!(tail(true).is_ok() && tail(false).is_err());
        assert_outcomes("s.tail", [1, 1, 0, 0]);
        assert!(returns(0).is_ok() && returns(2).is_err());
        assert_outcomes("s.return", [1, 1, 0, 0]);
        assert!(question(works()).is_ok() && question(fails()).is_err());
        assert_outcomes("s.question", [1, 1, 0, 0]);
        assert!(option(Some(1)).is_some() && option(None).is_none());
        assert_outcomes("s.option", [1, 1, 0, 0]);
        assert!(catch_unwind(panics).is_err());
        assert_outcomes("s.panic", PANIC);
        named_by_itself();
        assert_outcomes("named_by_itself", OK);
    }

    struct Cart {
        id: u64,
        items: Vec<String>,
    }

    impl Cart {
        #[observe(name = "s.method", kind = server, fields(cart = self.id, item, "is.new" = true, n = self.items.len()))]
        fn add(&mut self, item: &str) -> &mut String {
            self.items.push(item.to_owned());
            self.items.last_mut().unwrap()
        }

        #[observe(name = "s.impl")]
        fn lengths<'a, F>(&'a self, map: F) -> impl Iterator<Item = usize> + 'a
        where
            F: Fn(usize) -> usize + 'a,
        {
            self.items.iter().map(move |item| map(item.len()))
        }

        /// Its documentation stays.
        #[observe(name = "s.unsafe")]
        #[inline]
        #[must_use]
        #[allow(unsafe_code, reason = "it does nothing unsafe")]
        pub(crate) unsafe extern "Rust" fn first(self) -> u64 {
            self.id
        }

        #[observe(name = "s.never")]
        fn never(&self) -> ! {
            panic!("expected by the test")
        }
    }

    #[test]
    #[allow(unsafe_code, reason = "an unsafe function that does nothing unsafe")]
    fn methods_generics_and_qualifiers_stay_what_they_were() {
        let mut cart = Cart { id: 3, items: Vec::new() };
        cart.add("a").push('b');
        assert_outcomes("s.method", OK);
        assert_eq!(cart.lengths(|length| length + 1).collect::<Vec<_>>(), [3]);
        assert_outcomes("s.impl", OK);
        assert!(catch_unwind(AssertUnwindSafe(|| cart.never())).is_err());
        assert_outcomes("s.never", PANIC);
        // SAFETY: there is nothing to keep to.
        assert_eq!(unsafe { cart.first() }, 3);
        assert_outcomes("s.unsafe", OK);
    }

    thread_local! {
        static DROPPED: Cell<&'static str> = const { Cell::new("") };
    }

    struct Named(&'static str);

    impl Drop for Named {
        fn drop(&mut self) {
            DROPPED.set(match (DROPPED.get(), self.0) {
                ("", "second") => "second",
                ("second", "first") => "second first",
                ("second first", "argument") => "second first argument",
                (other, _) => panic!("{} after {other}", self.0),
            });
        }
    }

    #[observe(name = "s.drops")]
    fn drops(_argument: Named) -> Result<(), String> {
        let _first = Named("first");
        let _second = Named("second");
        return fails().map(|_| ());
    }

    #[test]
    fn locals_are_dropped_in_their_order() {
        assert!(drops(Named("argument")).is_err());
        assert_eq!(DROPPED.get(), "second first argument");
        assert_outcomes("s.drops", ERROR);
    }
}

mod observed_async {
    use super::*;

    #[observe(name = "o.tail")]
    async fn tail(ok: bool) -> Result<u8, String> {
        later(()).await;
        if ok { works() } else { fails() }
    }

    #[observe(name = "o.question")]
    async fn question<E>(inner: Result<u8, E>) -> Result<u8, Box<dyn std::error::Error>>
    where
        E: std::error::Error + 'static,
    {
        let value = later(inner).await?;
        if value == 1 {
            return Ok(5);
        }
        Ok(value)
    }

    #[observe(name = "o.option")]
    async fn option(inner: impl Future<Output = Option<u8>>) -> Option<u8> {
        let value = inner.await?;
        if value == 0 {
            return None;
        }
        assert!(Some(value)? > 0);
        Some(value)
    }

    #[observe(name = "o.select")]
    async fn select(inner: Option<Option<u8>>) -> Option<u8> {
        tokio::select! {
            biased;
            value = ready(inner?) => Some(value?),
            () = pending() => None,
        }
    }

    #[observe(name = "o.pending")]
    async fn waits() {
        pending::<()>().await;
    }

    #[observe(name = "o.never")]
    async fn never_polled() {
        pending::<()>().await;
    }

    #[observe(name = "o.panic")]
    async fn panics() -> Result<(), String> {
        later(()).await;
        panic!("expected by the test")
    }

    #[observe(name = "o.impl")]
    async fn shown(number: &u8) -> Result<impl std::fmt::Display + use<'_>, String> {
        let again = works()?;
        Ok(*number + again)
    }

    #[test]
    fn each_way_out_has_its_outcome() {
        assert!(block_on(tail(true)).is_ok() && block_on(tail(false)).is_err());
        assert_outcomes("o.tail", [1, 1, 0, 0]);
        assert_eq!(block_on(question("1".parse())).ok(), Some(5));
        assert!(block_on(question("x".parse())).is_err());
        assert_outcomes("o.question", [1, 1, 0, 0]);
        cancel(waits());
        assert_outcomes("o.pending", CANCELLED);
        drop(never_polled());
        assert_outcomes("o.never", NOTHING);
        assert!(catch_unwind(|| block_on(panics())).is_err());
        assert_outcomes("o.panic", PANIC);
        assert_eq!(block_on(shown(&1)).map(|shown| shown.to_string()).as_deref(), Ok("8"));
        assert_outcomes("o.impl", OK);
    }

    #[test]
    fn a_none_is_an_error_where_a_question_mark_returns_it() {
        assert_eq!(block_on(option(later(Some(1)))), Some(1));
        assert_eq!(block_on(option(ready(Some(0)))), None);
        assert_outcomes("o.option", [2, 0, 0, 0]);
        assert_eq!(block_on(option(later(None))), None);
        cancel(option(pending()));
        assert_outcomes("o.option", [2, 1, 0, 1]);
    }

    #[tokio::test]
    async fn a_none_is_an_error_in_a_select_too() {
        assert_eq!(select(Some(Some(1))).await, Some(1));
        assert_eq!((select(Some(None)).await, select(None).await), (None, None));
        assert_outcomes("o.select", [1, 2, 0, 0]);
    }

    #[test]
    fn a_drop_during_another_panic_is_a_cancellation() {
        #[observe(name = "o.bystander")]
        async fn bystander() {
            pending::<()>().await;
        }
        let caught = catch_unwind(|| {
            let mut future = Box::pin(bystander());
            assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            panic!("expected by the test");
        });
        assert!(caught.is_err());
        assert_outcomes("o.bystander", CANCELLED);
    }

    struct Shop {
        name: String,
    }

    impl Shop {
        #[observe(name = "o.method", kind = client, fields("shop.name" = self.name, item))]
        async fn buy(
            &mut self,
            item: &str,
            taken: Vec<u8>,
        ) -> Result<usize, std::num::ParseIntError> {
            let number: usize = later(item).await.parse()?;
            self.name.push_str(item);
            drop(taken);
            Ok(number)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_observed_future_is_send_and_moves_between_threads() {
        fn is_send<T: Send>(value: T) -> T {
            value
        }
        let run = async {
            let mut shop = Shop { name: "corner".into() };
            let bought = shop.buy("5", vec![1]).await;
            tokio::task::yield_now().await;
            let timed = time!("o.spawned", shop.buy("x", vec![]).await?);
            Ok::<_, std::num::ParseIntError>(bought.map(|bought| bought + timed))
        };
        assert!(tokio::spawn(is_send(run)).await.unwrap().is_err());
        assert_outcomes("o.method", [1, 1, 0, 0]);
        assert_outcomes("o.spawned", ERROR);
    }
}

/// A trait for every type, with methods of the names that the library's own have or had.
mod beside_a_trait_for_all_types {
    use super::*;

    #[allow(dead_code, reason = "being in scope is all it is for")]
    trait Everywhere: Sized {
        fn outcome(&self) {}
        fn at(&self) {}
        fn through(&self) {}
        fn after(&self) {}
        fn value(&self) {}
        fn start(self) {}
        fn enter(self) {}
        fn future(self) {}
        fn add(self) {}
    }

    impl<T> Everywhere for T {}

    #[observe(name = "e.sync")]
    fn observed(inner: Result<u8, String>) -> Result<u8, String> {
        let value = inner?;
        return Ok(value);
    }

    #[observe(name = "e.async")]
    async fn observed_async(inner: Result<u8, String>) -> Result<u8, String> {
        Ok(later(inner).await?)
    }

    #[test]
    fn the_macros_call_their_own_methods() {
        async fn timed(inner: Result<u8, String>) -> Result<u8, String> {
            Ok(time!("e.time", later(inner).await? + tokio::join!(later(1)).0))
        }
        assert!(observed(works()).is_ok() && observed(fails()).is_err());
        assert_outcomes("e.sync", [1, 1, 0, 0]);
        assert!(block_on(observed_async(works())).is_ok());
        assert_outcomes("e.async", OK);
        assert!(block_on(timed(works())).is_ok() && block_on(timed(fails())).is_err());
        assert_outcomes("e.time", [1, 1, 0, 0]);
        bellwether::count!("e.count");
    }
}
