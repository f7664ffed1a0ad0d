//! What becomes of records, whatever the database is; with a fake one that does what a test says. Real ones are asked
//! in `tests/backends/sql`.

mod fake;
mod statements;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fake::{Fake, State, Trouble};

use super::{
    encoder::{Record, Rows},
    options::Options,
    plain::PlainRows,
    plan::{Plan, Subject},
    sender::Rowed,
    table::PlainTable,
};
use crate::{
    clock::{self, ManualClock},
    export::wire::{hostile, span::sample},
    label::LabelSet,
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, Temporality, Unit},
    pipeline::{Batch, Deadline, Encoder, Payload, Sender, Setup},
    resource::Resource,
    trace::{SpanRecord, Status},
};

const LONG: Duration = Duration::from_secs(20);

fn payload<S: Record>(records: Vec<S>) -> Payload {
    let mut rows = Rows::default();
    let setup = Setup::new(Resource::service("shop").with("host.name", "h1"));
    Encoder::<S>::start(&mut rows, &setup).unwrap();
    rows.encode(&Batch::from(records))
}

fn rowed(fake: &Fake, options: Options, subject: Subject<'_>) -> Rowed {
    let plan = Plan::new(fake, &options, subject);
    Rowed::new(Arc::new(fake.clone()), options, plan)
}

fn spans(names: impl IntoIterator<Item = impl std::fmt::Display>) -> Payload {
    payload(names.into_iter().map(|name| SpanRecord::new(name.to_string())).collect())
}

/// The names of the spans that are in the database, sorted.
fn names(state: &State) -> Vec<String> {
    let rows = state.rows("bellwether_spans").into_iter();
    let mut names: Vec<_> = rows.map(|row| row[5].clone()).collect();
    names.sort();
    names
}

fn points(n: usize) -> Vec<DataPoint> {
    let registry = Registry::new();
    let orders = registry.counter("orders", "").keys(&["n"]).build().unwrap();
    for n in 0..n {
        orders.with_labels(&[("n", &n.to_string())]).add(n as u64);
    }
    registry.snapshot().data_points(Temporality::Cumulative)
}

#[test]
fn a_span_is_a_row_and_its_process_another() {
    let fake = Fake::new();
    let mut sender = rowed(&fake, Options::default(), Subject::Spans);
    let mut span = sample("checkout");
    span.set_attribute("n", f64::INFINITY);
    sender.send(&payload(vec![span]), &Deadline::after(LONG)).unwrap();
    let state = fake.0.lock();
    let [resource] = state.rows("bellwether_resources").try_into().unwrap();
    let attributes: serde_json::Value = serde_json::from_str(&resource[2]).unwrap();
    assert_eq!((&*resource[1], &attributes["host.name"]), ("shop", &serde_json::json!("h1")));
    let [span] = state.rows("bellwether_spans").try_into().unwrap();
    assert_eq!(resource[3], span[2], "it is seen when the span starts");
    let expected = [
        "0000000000000000000000000000000a",
        "000000000000000b",
        "1577836800000000000",
        "12500000",
        "000000000000000c",
        "checkout",
        "server",
        "error",
        "no money",
        "error",
        "null",
        r#"{"cart":7,"n":null}"#,
        "null",
        "null",
        &resource[0],
        "shop",
    ];
    assert_eq!(span[..], expected.map(String::from));
}

#[test]
fn a_log_record_is_a_row_with_its_place() {
    let fake = Fake::new();
    let mut sender = rowed(&fake, Options::default(), Subject::Logs);
    let log = |text: &'static str| LogRecord::new(LogSeverity::WARN, text).with_target("shop::pay");
    let second = log("b").with_location("src/pay.rs", 7).with_event_name("paid");
    let two = payload(vec![log("a").with_attribute("cart", 7), second]);
    sender.send(&two, &Deadline::after(LONG)).unwrap();
    let state = fake.0.lock();
    let mut rows = state.rows("bellwether_logs");
    rows.sort_by_key(|row| &row[2]);
    let [a, b] = rows.try_into().unwrap();
    assert_eq!((&a[1], &*a[2], &*b[2]), (&b[1], "0", "1"));
    assert_eq!(
        a[3..11],
        ["13", "WARN", "a", "shop::pay", "null", "null", "null", r#"{"cart":7}"#].map(String::from)
    );
    assert_eq!(b[7], "paid");
    assert_eq!(b[10], r#"{"code.file.path":"src/pay.rs","code.line.number":7}"#);
    let other = payload(vec![log("a")]);
    assert_ne!(two.records().next(), other.records().next(), "another batch has another number");
}

#[test]
fn a_sample_refers_to_its_series() {
    let fake = Fake::new();
    let registry = Registry::new();
    registry.counter("orders", "").build().unwrap().add(u64::MAX);
    let time = registry.histogram("time", "").unit(Unit::Seconds).build().unwrap();
    [0.0, 0.0, 2.0].iter().for_each(|value| time.record(*value));
    let points = registry.snapshot().data_points(Temporality::Cumulative);
    let mut sender = rowed(&fake, Options::default(), Subject::Samples);
    sender.send(&payload(points), &Deadline::after(LONG)).unwrap();
    let state = fake.0.lock();
    let series = state.rows("bellwether_series");
    let samples = state.rows("bellwether_samples");
    let of = |name: &str| {
        let series = series.iter().find(|row| row[1] == name).unwrap();
        let sample = samples.iter().find(|row| row[0] == series[0]).unwrap();
        assert_eq!(sample[1], series[8]);
        (&series[2..6], &sample[3..])
    };
    let (series, sample) = of("orders");
    assert_eq!(series, ["counter", "", "cumulative", "{}"].map(String::from));
    assert_eq!(sample[..2], [(u64::MAX as f64).to_string(), "null".to_owned()]);
    assert!(sample[2..].iter().all(|cell| cell == "null"));
    let (series, sample) = of("time");
    assert_eq!(series[..2], ["histogram", "s"].map(String::from));
    assert_eq!(sample[..5], ["null", "3", "2", "0", "2"].map(String::from));
    assert!(
        sample[8].starts_with("[[0.0,0.0,2],[") && sample[8].ends_with(",1]]"),
        "{}",
        sample[8]
    );
}

#[test]
fn a_plain_table_has_a_row_for_each_number() {
    let fake = Fake::new();
    let registry = Registry::new();
    let level = registry.gauge("level", "").keys(&["at"]).build().unwrap();
    level.with_labels(&[("at", "a\"\\\nb")]).set(0.5);
    registry.histogram("time", "").build().unwrap().record(2.0);
    let points = registry.snapshot().data_points(Temporality::Cumulative);
    let plain = PlainTable::default();
    let mut sender = rowed(&fake, Options::default(), Subject::Plain(&plain));
    let payload = PlainRows::default().encode(&Batch::from(points));
    assert_eq!(payload.len(), 2);
    sender.send(&payload, &Deadline::after(LONG)).unwrap();
    let state = fake.0.lock();
    let rows = state.rows("monitor_data");
    let shown: Vec<_> = rows.iter().map(|row| format!("{} {}", row[1], row[2])).collect();
    for expected in ["level{at=\"a\\\"\\\\\\nb\"} 0.5", "time.count 1", "time.sum 2", "time.max 2"]
    {
        assert!(shown.iter().any(|row| row == expected), "{shown:?}");
    }
    assert_eq!(shown.len(), 8);
    assert!(rows.iter().all(|row| row[0] == rows[0][0]));
}

#[test]
fn of_a_batch_with_bad_rows_these_alone_are_refused() {
    for bad in [0, 1, 7, 49, 99] {
        let fake = Fake::new();
        fake.0.lock().bad = Some("bad");
        let mut sender = rowed(&fake, Options::default(), Subject::Spans);
        let name = |n: i32| if n == bad || n == 50 { "bad".to_owned() } else { n.to_string() };
        let error = sender.send(&spans((0..100).map(name)), &Deadline::after(LONG)).unwrap_err();
        assert!(error.is_partial() && error.n_rejected() == 2, "{error:?}");
        assert!(error.to_string().contains("a fake: ") && error.to_string().contains("bad"));
        let state = fake.0.lock();
        let mut expected: Vec<_> = (0..100).map(name).filter(|name| name != "bad").collect();
        expected.sort();
        assert_eq!(names(&state), expected);
        // One of the process, which is known from then on, and a path of halves to each.
        assert!(state.n_asked < 2 * 2 * 8 + 16, "{}", state.n_asked);
        assert_eq!(state.n_connections, 1);
    }
}

#[test]
fn what_is_settled_is_not_sent_again() {
    let fake = Fake::new();
    {
        let mut state = fake.0.lock();
        state.bad = Some("bad");
        // The process, all, the process, the first half, the second: then it goes away.
        state.trouble = vec![(6, Trouble::Gone)];
    }
    let mut sender = rowed(&fake, Options::default(), Subject::Spans);
    let payload = spans(["0", "1", "bad", "3"]);
    let error = sender.send(&payload, &Deadline::after(LONG)).unwrap_err();
    assert!(error.is_retry() && error.to_string().contains("gone"), "{error:?}");
    let unsent = error.as_unsent().unwrap().clone();
    let n_written = names(&fake.0.lock()).len();
    assert_eq!(unsent.len() + n_written + error.n_rejected(), 4, "{error:?}");
    assert!(unsent.len() < 4);
    let again = sender.send(&unsent, &Deadline::after(LONG));
    let n_refused = error.n_rejected() + again.map_or_else(|error| error.n_rejected(), |()| 0);
    let state = fake.0.lock();
    assert_eq!((names(&state), n_refused), (["0", "1", "3"].map(String::from).to_vec(), 1));
    assert_eq!(state.n_connections, 2, "a connection that had trouble is not used again");
}

#[test]
fn an_attempt_ends_by_its_deadline_and_leaves_its_connection() {
    let fake = Fake::new();
    fake.0.lock().trouble = vec![(1, Trouble::Hangs)];
    let mut sender = rowed(&fake, Options::default(), Subject::Spans);
    let payload = spans(["a"]);
    let deadline = Deadline::after(LONG);
    let mover = deadline.clone();
    let watched = fake.clone();
    let mover = std::thread::spawn(move || {
        while watched.0.lock().n_asked < 2 {
            std::thread::yield_now();
        }
        mover.bring_nearer(clock::real_instant());
    });
    let error = sender.send(&payload, &deadline).unwrap_err();
    mover.join().unwrap();
    assert!(error.is_retry() && error.to_string().contains("no answer in time"), "{error}");
    sender.send(&payload, &Deadline::after(LONG)).unwrap();
    drop(sender);
    let state = fake.0.lock();
    assert_eq!((state.n_connections, state.n_closed), (2, 1));
}

#[test]
fn what_is_too_large_is_cut() {
    let fake = Fake::new();
    fake.0.lock().trouble = vec![(1, Trouble::TooLarge)];
    let mut sender = rowed(&fake, Options::default(), Subject::Spans);
    let error = sender.send(&spans(["a", "b"]), &Deadline::after(LONG)).unwrap_err();
    assert!(!error.is_retry() && !error.is_partial(), "{error:?}");
}

#[test]
fn bytes_that_are_no_rows_are_refused_and_lose_nothing_else() {
    let whole = spans(["a", "b", "c"]);
    let fake = Fake::new();
    let mut sender = rowed(&fake, Options::default(), Subject::Spans);
    let mut damaged = Payload::with_head(whole.head());
    for (place, record) in whole.records().enumerate() {
        damaged
            .record(|out| out.extend_from_slice(&record[..record.len() - usize::from(place == 1)]));
    }
    let error = sender.send(&damaged, &Deadline::after(LONG)).unwrap_err();
    assert!(error.is_partial() && error.n_rejected() == 1, "{error:?}");
    assert_eq!(names(&fake.0.lock()), ["a", "c"]);
    // Of another signal, of another head, with a cell too many, with none.
    let samples = payload(points(2));
    let mut headless = Payload::with_head(*b"\x07");
    headless.record(|out| out.extend_from_slice(whole.records().next().unwrap()));
    let mut longer = whole.first(1);
    longer.record(|out| out.extend([whole.records().next().unwrap(), &[0][..]].concat()));
    let mut empty = Payload::with_head(whole.head());
    empty.record(|_| {});
    for (payload, n) in [(samples, 2), (headless, 1), (longer.skip(1), 1), (empty, 1)] {
        let error = sender.send(&payload, &Deadline::after(LONG)).unwrap_err();
        assert!(error.is_partial() && error.n_rejected() == n, "{error:?}");
    }
    assert_eq!(names(&fake.0.lock()), ["a", "c"]);
}

#[test]
fn any_byte_of_a_payload_may_be_another() {
    let whole = payload(points(1));
    let record = whole.records().next().unwrap();
    let fake = Fake::new();
    let mut sender = rowed(&fake, Options::default(), Subject::Samples);
    for place in 0..record.len() {
        let mut other = Payload::with_head(whole.head());
        other.record(|out| {
            out.extend_from_slice(record);
            out[place] ^= 0x81;
        });
        match sender.send(&other, &Deadline::after(LONG)) {
            Ok(()) => {}
            Err(error) => assert!(error.is_partial() && error.n_rejected() == 1, "{error:?}"),
        }
    }
}

#[test]
fn a_series_is_said_to_be_seen_once_an_hour_and_by_each_connection() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let registry = Registry::new();
    registry.counter("orders", "").build().unwrap().add(1);
    let fake = Fake::new();
    let mut sender = rowed(&fake, Options::default(), Subject::Samples);
    let mut n_seen = Vec::new();
    for minutes in [0, 1, 59, 1] {
        clock.advance(Duration::from_secs(minutes * 60));
        let points = registry.snapshot().data_points(Temporality::Cumulative);
        sender.send(&payload(points), &Deadline::after(LONG)).unwrap();
        let state = fake.0.lock();
        n_seen.push((
            state.rows("bellwether_series").len(),
            state.rows("bellwether_resources").len(),
        ));
    }
    assert_eq!(n_seen, [(1, 1), (1, 1), (2, 2), (2, 2)]);
    let n = fake.0.lock().n_asked;
    fake.0.lock().trouble = vec![(n, Trouble::Gone)];
    let points = || payload(registry.snapshot().data_points(Temporality::Cumulative));
    assert!(sender.send(&points(), &Deadline::after(LONG)).unwrap_err().is_retry());
    sender.send(&points(), &Deadline::after(LONG)).unwrap();
    let state = fake.0.lock();
    assert_eq!(state.rows("bellwether_series").len(), 3);
    let ids: BTreeSet<_> =
        state.rows("bellwether_series").iter().map(|row| row[0].clone()).collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn the_id_of_a_series_is_that_of_all_that_it_is() {
    let id = |setup: &Setup, point: &DataPoint| {
        let mut rows = Rows::default();
        Encoder::<DataPoint>::start(&mut rows, setup).unwrap();
        let payload = rows.encode(&Batch::from(vec![point.clone()]));
        payload.records().next().unwrap()[..9].to_vec()
    };
    let point = points(2);
    let mut relabelled = point[0].clone();
    relabelled.set_labels(LabelSet::new([("m", "0")]));
    let registry = Registry::new();
    registry.gauge("orders", "").keys(&["n"]).build().unwrap().with_labels(&[("n", "0")]).set(0.0);
    let gauge = registry.snapshot().data_points(Temporality::Cumulative).remove(0);
    let delta = {
        let registry = Registry::new();
        registry
            .counter("orders", "")
            .keys(&["n"])
            .build()
            .unwrap()
            .with_labels(&[("n", "0")])
            .add(1);
        registry.snapshot().data_points(Temporality::Delta).remove(0)
    };
    let here = Setup::new(Resource::service("shop"));
    let there = Setup::new(Resource::service("shop").with("service.instance.id", "2"));
    let mut ids = vec![id(&there, &point[0])];
    ids.extend([&point[0], &point[1], &relabelled, &gauge, &delta].map(|point| id(&here, point)));
    assert_eq!(id(&here, &point[0]), id(&here, &points(2)[0]), "the same in another process");
    let n = ids.len();
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>().len(), n);
}

#[test]
fn rows_grow_old_by_the_clock_some_at_a_time() {
    let clock = ManualClock::new();
    let _time = clock::enter(Some(clock.clone()));
    let fake = Fake::new();
    let options = Options { keep: Some(Duration::from_secs(60)), ..Options::default() };
    let mut sender = rowed(&fake, options, Subject::Samples);
    let mut send = || sender.send(&payload(points(1)), &Deadline::after(LONG)).unwrap();
    send();
    let now = i64::try_from(clock::now().timestamp().unix_nanos()).unwrap();
    let (minute, hour) = (60_000_000_000, 3_600_000_000_000);
    let all = [
        ("bellwether_samples by time at most 10000".to_owned(), now - minute),
        ("bellwether_series by seen at most 10000".to_owned(), now - minute - hour),
        ("bellwether_resources by seen at most 10000".to_owned(), now - minute - hour),
    ];
    assert_eq!(fake.0.lock().deletes, all);
    send();
    assert_eq!(fake.0.lock().deletes.len(), 3, "not again at once");
    clock.advance(Duration::from_secs(60));
    fake.0.lock().n_deleted = 10_000;
    send();
    fake.0.lock().n_deleted = 9_999;
    send();
    assert_eq!(fake.0.lock().deletes.len(), 9, "again at once, for there was more");
    send();
    clock.advance(Duration::from_secs(60));
    fake.0.lock().delete_fails = true;
    send(); // What was written is delivered, though nothing is deleted.
    assert_eq!(fake.0.lock().deletes.len(), 10);
}

#[test]
fn chunks_of_a_hypertable_are_not_deleted_by_row() {
    let fake = Fake::new();
    let keep = Some(Duration::from_secs(60));
    let options = Options { keep, has_hypertables: true, ..Options::default() };
    let mut sender = rowed(&fake, options, Subject::Spans);
    sender.send(&spans(["a"]), &Deadline::after(LONG)).unwrap();
    let deletes = fake.0.lock().deletes.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>();
    assert_eq!(deletes, ["bellwether_resources by seen at most 10000"]);
}

#[test]
fn tables_are_of_the_version_that_is_known() {
    let send = |version, creates_tables| {
        let fake = Fake::new();
        fake.0.lock().version = version;
        let options = Options { creates_tables, ..Options::default() };
        let mut sender = rowed(&fake, options, Subject::Spans);
        let result = sender.send(&spans(["a"]), &Deadline::after(LONG));
        let state = fake.0.lock();
        let error = result.err().map(|error| {
            assert!(error.is_retry() && state.inserts.is_empty(), "{error:?}");
            error.to_string()
        });
        (state.statements.len() > 6, error)
    };
    assert_eq!(send(Some(1), true), (false, None));
    assert_eq!(send(Some(1), false), (false, None));
    assert_eq!(send(None, true), (true, None));
    let (_, error) = send(None, false);
    assert!(error.unwrap().contains("`create_tables` makes it: error returned from database"));
    for creates_tables in [true, false] {
        let (was_made, error) = send(Some(2), creates_tables);
        assert!(!was_made && error.unwrap().contains("version 2, says bellwether_schema"));
    }
}

#[test]
fn hostile_texts_are_in_the_rows_as_they_are() {
    for (name, text) in hostile::strings("rows of databases") {
        let fake = Fake::new();
        let mut span = sample(&text);
        span.set_attribute(text.clone(), text.clone());
        span.set_status(Status::Error(text.clone().into()));
        let mut sender = rowed(&fake, Options::default(), Subject::Spans);
        sender.send(&payload(vec![span]), &Deadline::after(LONG)).unwrap();
        let state = fake.0.lock();
        let [row] = state.rows("bellwether_spans").try_into().unwrap();
        let attributes: serde_json::Value = serde_json::from_str(&row[11]).unwrap();
        assert_eq!((&row[5], &attributes[&text]), (&text, &serde_json::json!(text)), "{name}");
        assert_eq!(row[8], if text.is_empty() { "null" } else { &text }, "{name}");
    }
}
