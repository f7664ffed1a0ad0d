//! What macros in timed and observed code may be, and the outcome of leaving them.
#![allow(clippy::unwrap_used, clippy::never_loop, reason = "code as a user may write it")]

use std::{
    future::{Future, pending, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use bellwether::{
    metric::{Registry, SeriesValue},
    observe, time,
};

type Answer = Result<u8, String>;

#[track_caller]
fn assert_outcomes(name: &str, expected: [u64; 4]) {
    let snapshot = Registry::global().snapshot();
    let count = |outcome| {
        let value = snapshot.value(&format!("{name}.duration"), &[("outcome", outcome)]);
        value.and_then(SeriesValue::as_histogram).map_or(0, |histogram| histogram.count())
    };
    let counted = ["ok", "error", "panic", "cancelled"].map(count);
    assert_eq!(counted, expected, "{name}: ok, error, panic, cancelled");
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

fn cancel(future: impl Future) {
    let mut future = pin!(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

fn one(ok: bool) -> Answer {
    if ok { Ok(1) } else { Err("no".into()) }
}

/// A nullable column, in a language of its own.
macro_rules! column {
    ($name:ident ?) => {
        concat!(stringify!($name), " NULL")
    };
    ($name:ident) => {
        concat!(stringify!($name), " NOT NULL")
    };
}

macro_rules! pairs {
    ($($key:ident => $value:expr),* $(,)?) => {
        [$((stringify!($key), $value)),*]
    };
}

/// Statements, with a value at their end.
macro_rules! statements {
    ($($name:ident = $value:expr;)* => $last:expr) => {
        $(let $name = $value;)*
        $last
    };
}

/// Names that later statements use, which only a statement can give.
macro_rules! declare {
    ($($name:ident = $value:expr),*) => {
        $(let $name = $value;)*
    };
}

/// Looks like a macro of the standard library, and takes only what is written so.
mod shadowing {
    macro_rules! vec {
        ($name:ident ?) => {
            stringify!($name)
        };
    }
    macro_rules! join {
        ($a:ident ? + $b:ident ?) => {
            concat!(stringify!($a), stringify!($b))
        };
    }
    pub(super) use {join, vec};
}

macro_rules! ensure {
    ($yes:expr) => {
        if !$yes {
            return Err("ensured".to_owned());
        }
    };
}

macro_rules! bail {
    () => {
        return Err("bailed".to_owned())
    };
}

#[test]
fn the_inside_of_an_unknown_macro_stays_as_it_is() {
    #[observe(name = "i.column")]
    fn observed() -> (&'static str, &'static str) {
        (column!(name?), column!(id))
    }
    #[observe(name = "i.column.async")]
    async fn observed_async() -> &'static str {
        column!(name?)
    }
    assert_eq!(observed(), ("name NULL", "id NOT NULL"));
    assert_eq!(block_on(observed_async()), "name NULL");
    assert_eq!(time!("i.column.time", column!(name?)), "name NULL");
    assert_eq!(time!("i.column.list", [column!(a?), column!(b?)]).len(), 2);
    for name in ["i.column", "i.column.async", "i.column.time", "i.column.list"] {
        assert_outcomes(name, [1, 0, 0, 0]);
    }
}

#[test]
fn a_macro_of_a_known_name_and_another_grammar_stays_as_it_is() {
    use shadowing::{join, vec};
    #[observe(name = "i.shadow")]
    fn observed() -> (&'static str, &'static str) {
        (vec![name?], join!(a? + b?))
    }
    assert_eq!(observed(), ("name", "ab"));
    assert_eq!(time!("i.shadow.time", join!(a? + b?)), "ab");
    assert_outcomes("i.shadow", [1, 0, 0, 0]);
    assert_outcomes("i.shadow.time", [1, 0, 0, 0]);
}

#[test]
fn leaving_an_unknown_macro_by_a_question_mark_is_an_error() {
    #[observe(name = "i.pairs")]
    fn observed(ok: bool) -> Result<usize, String> {
        let pairs = pairs!(a => one(ok)?, b => 2);
        Ok(pairs.len())
    }
    #[observe(name = "i.pairs.async")]
    async fn observed_async(ok: Option<u8>) -> Option<usize> {
        Some(pairs!(a => ok?, b => 2).len())
    }
    fn timed(ok: bool) -> Result<usize, String> {
        Ok(time!("i.pairs.time", pairs!(a => one(ok)?).len()))
    }
    assert!(observed(true).is_ok() && observed(false).is_err());
    assert!(
        block_on(observed_async(Some(1))).is_some() && block_on(observed_async(None)).is_none()
    );
    assert!(timed(true).is_ok() && timed(false).is_err());
    for name in ["i.pairs", "i.pairs.async", "i.pairs.time"] {
        assert_outcomes(name, [1, 1, 0, 0]);
    }
}

#[test]
fn a_macro_at_the_end_of_a_block_may_be_statements() {
    #[observe(name = "i.statements")]
    fn observed(ok: bool) -> Answer {
        statements! { a = one(ok)?; b = 2; => Ok(a + b) }
    }
    #[observe(name = "i.statements.async")]
    async fn observed_async(ok: bool) -> Answer {
        statements! { a = ready(one(ok)).await?; => Ok(a) }
    }
    fn timed(ok: bool) -> Answer {
        let value = time!("i.statements.time", {
            statements! { a = one(ok)?; => a }
        });
        Ok(value)
    }
    #[observe(name = "i.declare")]
    fn declares(ok: bool) -> Answer {
        declare!(a = one(ok)?, b = 1);
        if a == 0 {
            return Ok(0);
        }
        Ok(a + b)
    }
    assert!(observed(true).is_ok() && observed(false).is_err());
    assert!(block_on(observed_async(true)).is_ok() && block_on(observed_async(false)).is_err());
    assert!(timed(true).is_ok() && timed(false).is_err());
    assert!(declares(true).is_ok() && declares(false).is_err());
    for name in ["i.statements", "i.statements.async", "i.statements.time", "i.declare"] {
        assert_outcomes(name, [1, 1, 0, 0]);
    }
}

#[test]
fn what_follows_an_unknown_macro_that_was_not_left_is_not_its_error() {
    #[observe(name = "i.after")]
    fn observed(which: u8) -> Answer {
        let mut rounds = 0;
        for round in 0..3 {
            if round == which {
                break;
            }
            rounds += 1;
            ensure!(which < 9);
        }
        if rounds == 2 {
            let _ = pairs!(a => one(true)?);
        }
        match rounds {
            0 => return Ok(0),
            3 => bail!(),
            _ => {}
        }
        Ok(rounds)
    }
    #[observe(name = "i.after.async")]
    async fn observed_async(some: Option<u8>) -> Option<u8> {
        let _ = pairs!(a => some?);
        if some == Some(1) {
            return None;
        }
        pairs!(a => some?)[0].1.checked_add(255)
    }
    assert_eq!([0, 1, 2].map(observed), [Ok(0), Ok(1), Ok(2)]);
    assert!(observed(3).is_err() && observed(9).is_err());
    assert_outcomes("i.after", [3, 2, 0, 0]);
    assert_eq!([Some(1), Some(2)].map(|some| block_on(observed_async(some))), [None; 2]);
    assert_outcomes("i.after.async", [2, 0, 0, 0]);
}

#[test]
fn timed_code_goes_on_after_an_unknown_macro_that_was_not_left() {
    fn timed(which: u8) -> Answer {
        for round in 0..2 {
            time!("i.after.time", {
                if which == 8 {
                    bail!();
                }
                loop {
                    if which == round {
                        break;
                    }
                    ensure!(which < 9);
                    if which == 1 {
                        return Ok(1);
                    }
                }
                break;
            });
        }
        Ok(0)
    }
    fn ensures(which: u8) -> Result<(), String> {
        time!("i.after.end", {
            ensure!(which < 9);
        });
        Ok(())
    }
    assert_eq!([0, 1].map(timed), [Ok(0), Ok(1)]);
    assert!(timed(8).is_err() && timed(9).is_err());
    assert_outcomes("i.after.time", [2, 2, 0, 0]);
    assert!(ensures(0).is_ok() && ensures(9).is_err());
    assert_outcomes("i.after.end", [1, 1, 0, 0]);
}

#[test]
fn a_break_out_of_a_select_is_ok() {
    async fn looped(which: u8) -> Answer {
        let answer = time!("i.break", {
            let mut rounds = 0;
            loop {
                rounds += 1;
                tokio::select! {
                    biased;
                    value = ready(one(which != 1)), if rounds == 1 => { value?; }
                    () = ready(()), if which == 2 => break 2,
                    () = ready(()), if which == 3 => return Ok(3),
                    () = pending() => {}
                    else => continue,
                }
            }
        });
        Ok(answer)
    }
    async fn outside(which: u8) -> Answer {
        loop {
            time!(
                "i.break.outside",
                tokio::select! {
                    value = ready(one(which == 0)) => { value?; break }
                    Some(()) = ready(None) => continue,
                }
            );
        }
        Ok(0)
    }
    #[observe(name = "i.break.observed")]
    async fn observed(which: u8) -> Answer {
        loop {
            tokio::select! {
                value = ready(one(which != 1)) => match value? {
                    1 => break,
                    _ => continue,
                },
                () = pending() => {}
            }
        }
        Ok(0)
    }
    assert_eq!([2, 3].map(|which| block_on(looped(which))), [Ok(2), Ok(3)]);
    assert!(block_on(looped(1)).is_err());
    cancel(looped(4));
    assert_outcomes("i.break", [2, 1, 0, 1]);
    assert!(block_on(outside(0)).is_ok() && block_on(outside(1)).is_err());
    assert_outcomes("i.break.outside", [1, 1, 0, 0]);
    assert!(block_on(observed(0)).is_ok() && block_on(observed(1)).is_err());
    assert_outcomes("i.break.observed", [1, 1, 0, 0]);
}

#[test]
fn an_unknown_macro_that_waits_is_cancelled_and_left_as_it_says() {
    macro_rules! wait {
        ($future:expr => $then:expr) => {{
            let value = $future;
            $then(value)
        }};
    }
    async fn timed(wait: bool, ok: bool) -> Answer {
        let value = time!("i.wait", {
            if wait {
                wait!(pending::<u8>().await => |_| ());
            }
            if !ok {
                return Ok(9);
            }
            wait!(ready(1).await => |value: u8| value + 1)
        });
        Ok(value)
    }
    cancel(timed(true, true));
    assert_eq!((block_on(timed(false, false)), block_on(timed(false, true))), (Ok(9), Ok(2)));
    assert_outcomes("i.wait", [2, 0, 0, 1]);
}

#[test]
fn what_is_assigned_in_timed_code_is_assigned_after_it() {
    let (first, second, third);
    time!("i.assigned", first = 1);
    let value = time!("i.assigned", {
        if first == 1 {
            second = 2;
            third = "3".parse::<u8>().unwrap();
            second + third
        } else {
            (second, third) = (0, 0);
            first
        }
    });
    assert_eq!((first, second, third, value), (1, 2, 3, 5));
}

#[test]
fn leaving_a_timed_expression_leaves_the_observed_function_around_it_the_same_way() {
    #[observe(name = "i.around")]
    fn around(way: u8) -> Answer {
        time!("i.within", {
            match way {
                0 => return one(false),
                1 => one(false),
                2 => Ok(one(false)?),
                3 => {
                    bail!();
                }
                4 => Ok(pairs!(a => one(false)?)[0].1),
                5 => return one(true),
                _ => one(true),
            }
        })
    }
    #[observe(name = "i.around.macro")]
    fn around_a_macro(ok: bool) -> Result<usize, String> {
        let pairs = time!("i.within.macro", pairs!(a => one(ok)?, b => 2));
        Ok(pairs.len())
    }
    #[observe(name = "i.around.async")]
    async fn around_async(ok: bool) -> Option<u8> {
        Some(time!("i.within.async", ready(one(ok).ok()).await?))
    }
    for way in 0..7 {
        assert_eq!(around(way).is_ok(), way > 4, "way {way}");
    }
    assert_outcomes("i.around", [2, 5, 0, 0]);
    assert_outcomes("i.within", [3, 4, 0, 0]); // A `return` out of it is ok.
    assert!(around_a_macro(true).is_ok() && around_a_macro(false).is_err());
    assert_outcomes("i.around.macro", [1, 1, 0, 0]);
    assert_outcomes("i.within.macro", [1, 1, 0, 0]);
    assert_eq!((block_on(around_async(true)), block_on(around_async(false))), (Some(1), None));
    assert_outcomes("i.around.async", [1, 1, 0, 0]);
    assert_outcomes("i.within.async", [1, 1, 0, 0]);
}

#[test]
fn another_macro_that_is_called_time_stays_what_it_is() {
    macro_rules! time {
        ($name:ident ?) => {
            stringify!($name)
        };
        ($text:literal, $name:ident) => {
            concat!($text, stringify!($name))
        };
    }
    #[observe(name = "i.time")]
    fn observed() -> (&'static str, &'static str) {
        (time!(name?), time!("a ", name))
    }
    assert_eq!(observed(), ("name", "a name"));
    assert_outcomes("i.time", [1, 0, 0, 0]);
}
