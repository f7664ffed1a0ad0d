//! The macros of logs wherever they may stand, and whatever else has their names.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::erasing_op, clippy::identity_op, clippy::nonminimal_bool, reason = "shapes")]
#![allow(clippy::redundant_closure_call, reason = "a shape too")]

use bellwether::{
    info,
    label::Value,
    log::{LogRecord, LogSeverity},
    testing, warn,
};

/// The one record that `log` makes.
fn record(log: impl FnOnce()) -> LogRecord {
    let scope = testing::scope();
    log();
    let [record] = scope.logs().try_into().unwrap();
    record
}

fn attributes(record: &LogRecord) -> Vec<(String, String)> {
    record.attributes().iter().map(|of| (of.key.to_string(), of.value.to_string())).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn what_the_user_calls_as_the_macros_call_theirs_is_the_users() {
    const SITE: &str = "site";
    const RECORD: &str = "audit";
    let (record_, message) = (1, "m");
    let record = record(|| {
        let record = record_;
        info!(target: RECORD, "{SITE} {record} {message} {}", SITE, site = SITE, record = record);
    });
    assert_eq!(record.body().to_string(), "site 1 m site");
    assert_eq!(record.target(), "audit");
    assert_eq!(attributes(&record), pairs(&[("site", "site"), ("record", "1")]));
}

#[test]
fn a_target_may_be_a_constant_of_any_name() {
    const SITE: &str = "shop.example";
    assert_eq!(record(|| info!(target: SITE, "x")).target(), "shop.example");
}

#[test]
fn a_key_that_is_a_keyword_has_no_mark_of_a_raw_name() {
    let record =
        record(|| info!("x", r#type = "a", r#fn = %1, r#match = ?2, type = 3, user.type = 4));
    let keys = attributes(&record).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys, ["type", "fn", "match", "type", "user.type"]);
}

#[test]
fn messages_may_have_braces_raw_strings_and_arguments_between_attributes() {
    assert_eq!(record(|| info!("{{}}")).body(), &Value::from("{}"));
    assert_eq!(record(|| info!("{{{}}}", 1,)).body(), &Value::from("{1}"));
    assert_eq!(record(|| info!(r#"a "raw" \n {{"#,)).body(), &Value::from("a \"raw\" \\n {"));
    let mixed = record(|| info!("{} {:?} {}", 1, a = 2, "x", "b.c" = ?"y", true,));
    assert_eq!(mixed.body(), &Value::from("1 \"x\" true"));
    assert_eq!(attributes(&mixed), pairs(&[("a", "2"), ("b.c", "\"y\"")]));
}

#[test]
fn values_and_arguments_may_be_any_expression() {
    struct Size {
        of: i64,
    }
    let (a, b, size) = (1, 2, Size { of: 5 });
    let record = record(|| {
        info!(
            "{} {} {} {}",
            a == b,
            size.of,
            size.of.pow(2),
            -1,
            equal = a == b,
            less = a < b && b > a,
            block = { Size { of: 3 }.of },
            called = (|n: i64| n + 1)(4),
            matched = match a {
                1 => "one",
                _ => "more",
            },
            assigned = %{ let c = a; c + 0 * b },
            range = ?(0..=2),
            negative = -1,
            reference = &String::from("s"),
        );
    });
    assert_eq!(record.body(), &Value::from("false 5 25 -1"));
    let values: Vec<_> = attributes(&record).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["false", "true", "3", "5", "one", "1", "0..=2", "-1", "s"]);
}

#[test]
fn the_macros_work_inside_macros_and_as_an_arm_of_a_match() {
    macro_rules! logs {
        ($level:ident, $text:literal, $($key:ident = $value:expr),* $(; $argument:expr)*) => {
            bellwether::$level!($text $(, $argument)* $(, $key = $value)*)
        };
    }
    let record = record(|| match Some(1) {
        Some(n) => logs!(warn, "from {}", n = n, twice = 2 * n; "inside"),
        None => warn!("never"),
    });
    assert_eq!(record.body(), &Value::from("from inside"));
    assert_eq!(attributes(&record), pairs(&[("n", "1"), ("twice", "2")]));
    assert_eq!(record.severity(), LogSeverity::WARN);
}

#[test]
fn leaving_from_within_a_value_makes_no_record() {
    fn leaves() -> Result<(), std::num::ParseIntError> {
        info!("x", n = "y".parse::<i64>()?);
        Ok(())
    }
    let scope = testing::scope();
    assert!(leaves().is_err());
    assert!(scope.logs().is_empty());
}

/// Where not even the names of std's prelude are known.
mod without_a_prelude {
    #![no_implicit_prelude]

    pub(super) fn log() {
        ::bellwether::info!(target: "bare", "{}", 1, key = 2, shown = %3, debugged = ?4);
    }
}

#[test]
fn the_macros_need_no_prelude() {
    assert_eq!(record(without_a_prelude::log).attributes().len(), 3);
}

/// A crate that knows ours by another name.
mod renamed {
    use ::bellwether as bw;

    pub(super) fn log() {
        bw::error!("renamed", key = 1);
    }
}

#[test]
fn the_macros_know_their_crate_by_any_name() {
    assert_eq!(record(renamed::log).severity(), LogSeverity::ERROR);
}
