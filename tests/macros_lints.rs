//! The macros under lints: what they write breaks no rule, and what the user wrote is still judged.

/// Every rule that may be told, of the compiler and of clippy, where not even an `allow` is let through.
mod under_every_rule {
    #![forbid(unused, unused_imports, unreachable_code, warnings)]
    #![forbid(clippy::all, clippy::pedantic, clippy::default_numeric_fallback)]

    use std::future::Future;

    use bellwether::{
        Labels, count, debug, error, gauge, histogram, info, observe, time, trace, warn,
    };

    #[derive(Clone, Copy, Labels)]
    pub(super) struct Req {
        pub(super) method: Method,
        #[label(range = 0..=9)]
        pub(super) shard: u8,
    }

    #[derive(Clone, Copy, Labels)]
    pub(super) enum Method {
        Get,
    }

    fn fail(text: &str) -> ! {
        panic!("expected by the test: {text}")
    }

    macro_rules! bail {
        ($text:literal) => {
            return Err($text.to_owned())
        };
    }

    macro_rules! ensure {
        ($yes:expr, $text:literal) => {
            if !$yes {
                return Err($text.to_owned());
            }
        };
    }

    #[observe(name = "l.diverges")]
    pub(super) fn diverges(which: u8) -> Result<u8, String> {
        match which {
            0 => return Ok(0),
            1 => bail!("one"),
            2 => {
                bail!("two");
            }
            _ => fail("other"),
        }
    }

    #[observe(name = "l.calls")]
    pub(super) fn only_calls() -> u8 {
        fail("always")
    }

    #[observe(name = "l.returns")]
    pub(super) fn returns_in_each_arm(yes: bool) -> u8 {
        let number = if yes { 1 } else { 2 };
        loop {
            if number > 0 {
                return number;
            }
        }
    }

    #[observe(name = "l.never")]
    pub(super) fn never() -> ! {
        fail("never")
    }

    #[observe(name = "l.nothing")]
    pub(super) fn returns_nothing(yes: bool) {
        if yes {
            return;
        }
        fail("nothing")
    }

    #[observe(name = "l.ensures")]
    pub(super) fn ensures(number: u8) -> Result<u8, String> {
        ensure!(number > 0, "zero");
        if number == 2 {
            bail!("two");
        }
        let number = match number {
            3 => bail!("three"),
            4 => Err::<u8, String>("four".into())?,
            number => number,
        };
        Ok(number)
    }

    #[observe(name = "l.around")]
    pub(super) fn around(number: u8) -> Result<u8, String> {
        time!("l.around.bail", {
            if number == 0 {
                bail!("zero");
            }
        });
        let number = time!("l.around.question", "1".parse::<u8>().map_err(|_| "no")?);
        let _: u8 = time!("l.around.call", time!("l.around.inner", fail("always")));
        time!("l.around.return", return Ok(number))
    }

    #[observe(name = "l.async")]
    pub(super) async fn waits(number: u8) -> Result<u8, String> {
        match std::future::ready(number).await {
            1 => bail!("one"),
            2 => fail("two"),
            number => Ok(number),
        }
    }

    #[observe(name = "l.async.never")]
    pub(super) async fn never_ends() -> ! {
        std::future::pending::<()>().await;
        fail("never")
    }

    #[observe(name = "l.impl")]
    pub(super) fn future(number: u8) -> impl Future<Output = Result<u8, String>> {
        async move {
            if number == 1 {
                bail!("one")
            }
            waits(number).await
        }
    }

    pub(super) fn timed(number: u8) -> Result<u8, String> {
        let timed: u8 = time!("l.timed", {
            ensure!(number > 0, "zero");
            match number {
                1 => return Err("one".into()),
                2 => bail!("two"),
                3 => fail("three"),
                number => number,
            }
        });
        if timed == 4 {
            let _: u8 = time!("l.timed.call", fail("four"));
            time!("l.timed.call", fail("four"));
            time!("l.timed.call", {
                fail("four");
            });
        }
        time!("l.timed.statement", {
            if timed == 5 {
                bail!("five");
            }
        });
        Ok(timed)
    }

    pub(super) async fn timed_await(never: bool) -> u8 {
        if never {
            let _: u8 = time!("l.timed.await", never_ends().await);
        }
        time!("l.timed.join", std::future::ready(1).await)
    }

    pub(super) fn counts(room: &str) {
        count!("l.count", "http.route" = room);
        gauge!("l.gauge", 1.0, room);
        histogram!("l.histogram", 1.0_f64, room, a = 1_i32);
    }

    pub(super) fn logs(room: &str) -> Result<(), String> {
        error!("an error");
        warn!("{room} {}", 1_u8, r#type = room, "a-b" = true);
        info!(target: "lints", "{{", shown = %room, debugged = ?room, user.name = room);
        debug!("left", n = room.parse::<i64>().map_err(|_| "no number")?);
        trace!("{:>5}", "x",);
        if room == "1" {
            info!("up");
        } else {
            debug!("down");
        }
        Ok(())
    }
}

#[test]
fn code_under_every_rule_does_what_it_says() {
    use under_every_rule::*;
    let panics = |run: fn()| assert!(std::panic::catch_unwind(run).is_err());
    assert_eq!(diverges(0), Ok(0));
    assert!(diverges(1).is_err() && diverges(2).is_err());
    panics(|| drop(diverges(3)));
    panics(|| assert_eq!(only_calls(), 0));
    assert!(around(0).is_err());
    panics(|| drop(around(1)));
    panics(|| never());
    panics(|| returns_nothing(false));
    returns_nothing(true);
    assert_eq!((returns_in_each_arm(true), returns_in_each_arm(false)), (1, 2));
    assert_eq!(
        [0, 1, 2, 3, 4].map(|number| ensures(number).is_ok()),
        [false, true, false, false, false]
    );
    assert_eq!([0, 1, 2, 6].map(|number| timed(number).is_ok()), [false, false, false, true]);
    panics(|| drop(timed(3)));
    panics(|| drop(timed(4)));
    assert!(timed(5).is_err());
    counts("attic");
    let scope = bellwether::testing::scope();
    assert!(logs("attic").is_err());
    logs("1").unwrap();
    assert_eq!(scope.logs().len(), 3 + 6);
    drop(scope);
    let req = Req { method: Method::Get, shard: 1 };
    assert_eq!(bellwether::label::Labels::index(&req), 1);
    drop((waits(1), never_ends(), future(1), timed_await(true)));
}

/// What the user wrote is judged as without the macros: each expectation is met, or the build warns.
mod the_users_own {
    #![expect(dead_code, reason = "nobody calls these")]

    use bellwether::{observe, time};

    pub(super) struct Cart;

    impl Cart {
        #[observe]
        #[expect(unused_variables, reason = "`unread` is")]
        fn unread(&self, unread: u8) {}

        #[observe]
        #[expect(unused_mut, reason = "it never changes")]
        async fn unchanged(&self) -> u8 {
            let mut number = 1;
            number + std::future::ready(number).await
        }

        #[observe]
        #[expect(unreachable_code, reason = "the last line is")]
        fn unreachable(&self) -> u8 {
            return 1;
            2
        }

        #[observe]
        #[expect(unused_must_use, reason = "the result is dropped")]
        fn dropped(&self) -> Result<u8, std::num::ParseIntError> {
            "1".parse::<u8>();
            "2".parse::<u8>()
        }

        #[observe]
        #[expect(non_snake_case, reason = "its name is not")]
        fn Named(&self) {}

        #[observe]
        #[expect(clippy::unwrap_used, reason = "it unwraps")]
        fn unwraps(&self) -> u8 {
            "1".parse().unwrap()
        }

        #[observe]
        #[expect(clippy::too_many_arguments, reason = "eight are")]
        fn many(&self, _a: u8, _b: u8, _c: u8, _d: u8, _e: u8, _f: u8, _g: u8, _h: u8) {}

        #[expect(unused_variables, reason = "`unread` is")]
        fn timed(&self) -> u8 {
            time!("users.timed", {
                let unread = 1;
                2
            })
        }
    }
}

/// That dead code is told of a single function needs a place where nothing else is expected.
mod dead {
    use bellwether::observe;

    #[observe]
    #[expect(dead_code, reason = "nobody calls it")]
    fn sync() {}

    #[observe]
    #[expect(dead_code, reason = "nobody calls it")]
    async fn wait() -> Result<(), String> {
        Ok(())
    }

    #[observe]
    #[expect(dead_code, reason = "nobody calls it")]
    fn future() -> impl Future<Output = ()> {
        async move {}
    }
}
