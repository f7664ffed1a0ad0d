//! Documents that are no snapshots.

use super::*;

/// A document of one family with one series.
fn document(family: &str, series: &str) -> String {
    format!(
        r#"{{"format": "bellwether.snapshot", "version": 1, "started": 1, "taken": 2, "families": [
            {{"name": "f", {family}, "unit": "", "help": "", "series": [{series}]}}]}}"#
    )
}

fn counter(labels: &str, value: &str) -> String {
    format!(r#"{{"labels": {{{labels}}}, "started": 1, "value": {value}}}"#)
}

#[test]
fn a_document_that_is_no_snapshot_is_an_error_that_names_the_place() {
    let good = document(r#""kind": "counter""#, &counter(r#""a": "b""#, r#"{"counter": 1}"#));
    assert!(read(&good).is_ok());
    let many_labels: Vec<_> = (0..200).map(|n| format!(r#""k{n}": """#)).collect();
    let one = |value: &str| (r#"{"counter": 1}"#, value.to_owned());
    let labels = |labels: String| (r#""a": "b""#, labels);
    for ((from, to), part) in [
        (("bellwether.snapshot", "x".to_owned()), r#"format "x" is not"#),
        (("\"version\": 1", "\"version\": 2".to_owned()), "version 2 is not 1"),
        (("\"taken\": 2", "\"taken\": 9999999999999999999".to_owned()), "a time after 2262"),
        (
            ("\"name\": \"f\"", "\"name\": \"9\"".to_owned()),
            r#"family "9": a name must start with"#,
        ),
        (
            ("\"kind\": \"counter\"", "\"kind\": \"timer\"".to_owned()),
            r#"family "f": there is no kind "timer""#,
        ),
        (
            ("\"kind\": \"counter\"", "\"kind\": \"gauge\"".to_owned()),
            "the value does not fit a gauge",
        ),
        (("\"unit\": \"\"", "\"unit\": \"a b\"".to_owned()), r#"family "f": unit "a b" is not"#),
        (("\"help\": \"\"", format!("\"help\": {:?}", "x".repeat(70_000))), "longer than 64 KiB"),
        (labels(r#""a b": """#.to_owned()), r#"label key "a b" may hold only"#),
        (labels(r#""a": "", "a": """#.to_owned()), r#"label key "a" is given twice"#),
        (labels(format!(r#""a": {:?}"#, "x".repeat(1025))), "a value longer than 1,024 bytes"),
        (labels(format!(r#""{}": """#, "x".repeat(1025))), "is longer than 1,024 bytes"),
        (labels(many_labels.join(",")), "at most 128 labels"),
        (one(r#"{"counter": 18446744073709551616}"#), "invalid"),
        (one(r#"{"float_counter": -0.5}"#), r#"series {a="b"}: -0.5 is no sum that only grows"#),
        (one(r#"{"float_counter": "NaN"}"#), "NaN is no sum that only grows"),
        (one(r#"{"float_counter": "one"}"#), "a number, or NaN, inf or -inf as text"),
        (one(r#"{"meter": 1}"#), "unknown variant `meter`"),
    ] {
        let text = good.replacen(from, &to, 1);
        assert_ne!(text, good, "{from}");
        let error = read(&text).expect_err(&to);
        assert!(error.contains(part), "{error}");
        assert!(error.len() < 500, "{error}");
    }
}

#[test]
fn a_histogram_that_cannot_be_is_an_error_that_names_its_series() {
    let histogram = |layout: &str, buckets: &str, sum: &str| {
        let value = format!(
            r#"{{"histogram": {{"layout": {layout}, "buckets": {buckets}, "sum": {sum}, "exemplars": []}}}}"#
        );
        read(&document(r#""kind": "histogram""#, &counter(r#""a": "b""#, &value)))
    };
    let max = u64::MAX;
    assert!(histogram(r#""exponential""#, "[[4482, 7]]", "1").is_ok());
    for (layout, buckets, sum, part) in [
        (r#""exponential""#, "[[4483, 7]]", "1", "a bucket that there is not"),
        (r#"{"explicit": [1.0]}"#, "[[2, 7]]", "1", "a bucket that there is not"),
        (r#"{"explicit": [2.0, 1.0]}"#, "[]", "0", "bounds ascend"),
        (r#"{"hdr": {"significant_digits": 9}}"#, "[]", "0", "significant digits are 1 to 5"),
        (r#""exponential""#, "[[5, 1], [5, 1]]", "1", "buckets do not ascend"),
        (r#""exponential""#, "[[5, 0]]", "1", "a bucket without values"),
        (r#""exponential""#, &format!("[[5, {max}], [6, 1]]"), "1", "more than 2^64 values"),
        (r#""exponential""#, "[[5, 1]]", "-1", "a sum that is negative"),
        (r#""exponential""#, "[[5, 1]]", r#""NaN""#, "a sum that is negative or no number"),
    ] {
        let error = histogram(layout, buckets, sum).unwrap_err();
        assert!(error.contains(part) && error.contains(r#"family "f", series {a="b"}"#), "{error}");
    }
}

#[test]
fn exemplars_may_be_left_out_and_those_that_cannot_be_are_named() {
    let histogram = |exemplars: &str| {
        let value = format!(
            r#"{{"histogram": {{"layout": "exponential", "buckets": [[5, 1]], "sum": 1{exemplars}}}}}"#
        );
        read(&document(r#""kind": "histogram""#, &counter(r#""a": "b""#, &value)))
    };
    let one = |value: &str, trace_id: u128| {
        format!(
            r#"{{"value": {value}, "trace_id": "{trace_id:032x}", "span_id": "00000000000000cd", "taken": 7}}"#
        )
    };
    let list = |exemplars: &[String]| format!(r#", "exemplars": [{}]"#, exemplars.join(","));
    let n_exemplars = |snapshot: Snapshot| {
        let value = snapshot.value("f", &[("a", "b")]).unwrap();
        value.as_histogram().unwrap().exemplars().len()
    };
    assert_eq!(histogram("").map(n_exemplars), Ok(0), "of a version without them");
    assert_eq!(histogram(&list(&[one("1", 5), one("3", 6)])).map(n_exemplars), Ok(2));
    for (exemplars, part) in [
        (vec![one("3", 5), one("1", 6)], "exemplar 1, of 1: a value below"),
        (vec![one("3.5", 5), one("4", 6)], "exemplar 1, of 4: the bucket of the one before"),
        (vec![one("\"NaN\"", 5)], "exemplar 0, of NaN: a value"),
        (vec![one("1", 0)], "exemplar 0, of 1: a trace id of zero"),
        (vec![one("1", 5).replace("cd\"", "\"")], "exemplar 0: "),
    ] {
        let error = histogram(&list(&exemplars)).map(n_exemplars).unwrap_err();
        assert!(error.contains(part) && error.contains(r#"family "f", series {a="b"}"#), "{error}");
    }
}

#[test]
fn two_of_one_name_and_two_of_one_label_set_are_errors() {
    let (hits, total) =
        (family("hits", Kind::Counter, Vec::new()), family("hits_total", Kind::Gauge, Vec::new()));
    let one = series(&[("a", "b")], 1, SeriesValue::Counter(1));
    for (families, part) in [
        (vec![hits.clone(), hits.clone()], r#"family "hits": is there twice"#),
        (vec![hits.clone(), total], r#""hits" and "hits_total" are both `hits_total`"#),
        (
            vec![family("f", Kind::Counter, vec![one.clone(), one])],
            r#"series {a="b"}: is there twice"#,
        ),
    ] {
        let error = read(&written(&Snapshot::new(at(1), at(2), families))).expect_err(part);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_list_is_not_read_beyond_its_limit() {
    let long = format!("[{}]", vec!["1"; 100].join(","));
    assert!(serde_json::from_str::<AtMost<u8, 100>>(&long).is_ok());
    let error = serde_json::from_str::<AtMost<u8, 99>>(&long).err().unwrap().to_string();
    assert!(error.contains("a list of at most 99"), "{error}");
}

#[test]
fn only_so_many_units_are_learned() {
    let mut units = Units(BTreeSet::new());
    let texts: Vec<_> = (0..=MAX_LEARNED_UNITS).map(|n| format!("{{u{n}}}")).collect();
    let results: Vec<_> = texts.iter().map(|text| units.learn(text)).collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), MAX_LEARNED_UNITS);
    assert!(results[MAX_LEARNED_UNITS].is_err());
    assert_eq!(units.learn("{u7}"), results[7], "a known one is no new one");
}

#[test]
fn an_exemplar_of_a_counter_that_cannot_be_is_named() {
    let of = |kind: &str, value: &str, exemplar: &str| {
        let series = counter(r#""a": "b""#, value);
        let series = series.strip_suffix('}').unwrap().to_owned();
        read(&document(kind, &format!(r#"{series}, "exemplar": {exemplar}}}"#)))
    };
    let one = |trace: u128, labels: &str| {
        let span = u64::from(trace > 0);
        format!(
            r#"{{"value": 1, "trace_id": "{trace:032x}", "span_id": "{span:016x}", "taken": 7, "labels": [{labels}]}}"#
        )
    };
    let sum = (r#""kind": "counter""#, r#"{"counter": 1}"#);
    let good = of(sum.0, sum.1, &one(0, r#"["order_id", "7"]"#)).unwrap();
    let exemplar = good.families()[0].series()[0].exemplar().unwrap();
    assert!(exemplar.labels().eq([("order_id", "7")]));
    let long = format!(r#"["k", "{}"]"#, "x".repeat(128));
    let gauge = (r#""kind": "gauge""#, r#"{"gauge": 1}"#);
    for ((kind, value), exemplar, part) in [
        (sum, one(0, ""), "exemplar: a trace id of zero"),
        (sum, one(1, r#"["order.id", "7"]"#), "exemplar: labels that no exemplar can have"),
        (sum, one(1, r#"["trace_id", "7"]"#), "exemplar: labels that no exemplar can have"),
        (sum, one(0, &long), "exemplar: labels that no exemplar can have"),
        (gauge, one(1, ""), "exemplar: a gauge has none"),
    ] {
        let error = of(kind, value, &exemplar).map(|_| ()).unwrap_err();
        assert!(error.contains(part) && error.contains(r#"family "f", series {a="b"}"#), "{error}");
    }
}
