//! The queries of the module's page, asked as they stand there, beside what is computed of the records.

mod support;

use std::{collections::BTreeMap, time::Duration};

use bellwether::{
    clock,
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    metric::{Registry, Temporality},
    trace::{SpanRecord, Status},
};
use rusqlite::types::Value;
use support::{Scratch, rows, sent, text};

/// The statements of the page's block that begins with this comment.
fn documented(begin: &str) -> Vec<String> {
    let page = include_str!("../../../../src/export/sql/mod.rs");
    let lines: Vec<_> = page.lines().map(|line| line.strip_prefix("//!").unwrap_or(line)).collect();
    let page: Vec<_> = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let from = page.iter().position(|line| line.starts_with(begin)).unwrap() + 1;
    let length = page[from..].iter().position(|line| *line == "```").unwrap();
    let block = page[from..from + length].join("\n");
    block.split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_page_has_the_same_queries_for_each_database() {
    for database in ["-- SQLite", "-- PostgreSQL", "-- MySQL"] {
        assert_eq!(documented(database).len(), 3, "{database}");
    }
}

#[test]
fn a_metric_by_minute_is_the_mean_of_what_was_read() {
    let scratch = Scratch::new();
    let scope = bellwether::testing::scope();
    let registry = Registry::new();
    let load = registry.gauge("load", "").build().unwrap();
    let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    let mut points = Vec::new();
    for n in 0..100u32 {
        scope.advance(Duration::from_secs(7));
        let value = f64::from(n * n % 17);
        load.set(value);
        let mut read = registry.snapshot().data_points(Temporality::Cumulative);
        let seconds = read[0].taken().timestamp().unix_nanos() / 1_000_000_000;
        let (sum, count) = sums.entry(seconds / 60 * 60).or_default();
        (*sum, *count) = (*sum + value, *count + 1.0);
        points.append(&mut read);
    }
    assert_eq!(sent(scratch.sql(), points).delivered, 100);
    let [by_minute, ..] = &documented("-- SQLite")[..] else { panic!() };
    let found = rows(&scratch.open(), by_minute);
    let minute = |row: &[Value]| match row {
        [Value::Text(minute), Value::Real(mean)] => (minute.clone(), (mean * 1e9).round()),
        other => panic!("{other:?}"),
    };
    let found: Vec<_> = found.iter().map(|row| minute(row)).collect();
    let expected: Vec<_> = sums
        .iter()
        .map(|(seconds, (sum, count))| {
            let minute = format!("SELECT datetime({seconds}, 'unixepoch')");
            let Value::Text(minute) = rows(&scratch.open(), &minute).concat().remove(0) else {
                panic!()
            };
            (minute, (sum / count * 1e9).round())
        })
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(found, expected);
}

/// Spans of three routes, each third of which failed; by route, their durations in nanoseconds.
fn spans() -> (Vec<SpanRecord>, BTreeMap<&'static str, Vec<u64>>) {
    let mut durations: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let spans = (1..=999u64).map(|n| {
        let (trace, span) = (TraceId::from_u128(u128::from(n / 3)), SpanId::from_u64(n));
        let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY);
        let start = clock::now();
        let mut record = SpanRecord::new(format!("span {n}")).with_context(context);
        if n % 3 == 1 {
            record.set_status(Status::Error("no".into()));
        }
        if n % 3 == 2 {
            let root = SpanContext::new(
                trace,
                SpanId::from_u64(7),
                TraceFlags::SAMPLED,
                TraceState::EMPTY,
            );
            record = record.with_parent(&root);
        }
        let route = ["/", "/cart", "/pay \"now\""][(n % 7 % 3) as usize];
        record.set_attribute("http.route", route);
        let record = record.with_times(start, clock::now());
        durations.entry(route).or_default().push(record.duration().as_nanos() as u64);
        record
    });
    (spans.collect(), durations)
}

#[test]
fn shares_quantiles_and_traces_are_those_of_the_spans() {
    let scratch = Scratch::new();
    let (spans, mut durations) = spans();
    let roots = spans.iter().filter(|span| span.parent_span_id().is_none());
    let failed = roots.clone().filter(|span| matches!(span.status(), Status::Error(_))).count();
    let share = failed as f64 / roots.count() as f64;
    let trace = spans[299].trace_id();
    let mut of_trace: Vec<_> = spans.iter().filter(|span| span.trace_id() == trace).collect();
    of_trace.sort_by_key(|span| span.start().timestamp().unix_nanos());
    let of_trace: Vec<_> = of_trace.iter().map(|span| text(span.name())).collect();
    assert_eq!(sent(scratch.sql(), spans.clone()).delivered, 999);
    let file = scratch.open();
    let [_, of_errors, by_route] = &documented("-- SQLite")[..] else { panic!() };
    let [Value::Real(found)] = rows(&file, of_errors).concat()[..] else { panic!() };
    assert!((found - share).abs() < 1e-12 && share > 0.4, "{found} {share}");

    let found = rows(&file, by_route);
    let expected = durations.iter_mut().map(|(route, durations)| {
        durations.sort_unstable();
        let rank = (durations.len() as f64 * 0.99).ceil() as usize;
        vec![text(*route), Value::Real(durations[rank - 1] as f64 / 1e9)]
    });
    assert_eq!(found, expected.collect::<Vec<_>>());

    let [query] = &documented("-- All")[..] else { panic!() };
    let (before, after) = query.split_once('\'').unwrap();
    let (_, after) = after.split_once('\'').unwrap();
    let found = rows(&file, &format!("{before}'{trace}'{after}"));
    assert_eq!(found.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), of_trace);
    assert!(of_trace.len() == 3);
}
