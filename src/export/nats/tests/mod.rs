mod server;

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value as JsonValue;

use self::server::{Answer, Published, Server, TAKEN};
use super::*;
use crate::{
    pipeline::{DropReason, Pipe, QueueReport, Retry, Setup},
    resource::Resource,
    trace::SpanRecord,
};

const LONG: Duration = Duration::from_secs(20);

fn setup() -> Setup {
    Setup::new(Resource::service("shop"))
}

fn quick(nats: Nats) -> Route<SpanRecord> {
    Route::from(nats).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    })
}

/// What becomes of three spans.
fn sent(nats: Nats) -> QueueReport {
    sent_by(quick(nats))
}

fn sent_by(route: Route<SpanRecord>) -> QueueReport {
    let pipe = Pipe::start(route, &setup()).unwrap();
    pipe.push((0..3).map(|n| SpanRecord::new(format!("span {n}"))).collect::<Vec<_>>());
    let report = pipe.shutdown(LONG);
    let settled = report.delivered + report.held + report.dropped.total();
    assert_eq!((report.offered, settled), (3, 3), "{report}");
    report
}

/// The name of the first span of a message.
fn name(message: &Published) -> String {
    let line = message.body.lines().next().unwrap();
    let body: JsonValue = serde_json::from_str(line).unwrap();
    body["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_message_has_what_the_page_says() {
    let server = Server::new(|_| TAKEN);
    assert_eq!(sent(Nats::new(server.url())).delivered, 3);
    let message = server.message();
    assert_eq!((&*message.subject, message.body.lines().count()), ("telemetry.spans", 3));
    assert_eq!(message.header("Nats-Msg-Id").unwrap().len(), 32);
    assert_eq!(message.header("signal"), Some("spans"));
    assert_eq!(message.header("content-type"), Some("application/x-ndjson"));
    assert_eq!((message.header("key"), message.header("traceparent")), (None, None));
    assert!(server.rest().is_empty());
    assert_eq!(sent(Nats::new(server.url()).prefix("a.b.").keyed()).delivered, 3);
    let messages = server.rest();
    assert_eq!((messages.len(), &*messages[0].subject), (3, "a.b.spans"));
    let key = messages[0].header("key").unwrap();
    assert!(messages[0].header("traceparent").unwrap().starts_with(&format!("00-{key}-")));
}

/// Answers the messages of each span as a script says; three spans, one in each message.
fn answering(script: impl Fn(&str, usize) -> Answer + Send + 'static) -> (Server, Nats) {
    let mut n_seen = BTreeMap::<String, usize>::new();
    let server = Server::new(move |message| {
        let name = name(message);
        let n = n_seen.entry(name.clone()).or_default();
        *n += 1;
        script(&name, *n)
    });
    let nats = Nats::new(server.url()).max_message_records(1);
    (server, nats)
}

#[test]
fn only_the_messages_that_were_not_taken_are_sent_again() {
    let full =
        r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"}}"#;
    for passing in [Answer::Says(full), Answer::NoResponders] {
        let (server, nats) = answering(move |name, n| match (name, n) {
            ("span 1", 1) => passing,
            _ => TAKEN,
        });
        let report = sent(nats);
        assert_eq!(report.delivered, 3, "{report}");
        let messages = server.rest();
        let names: Vec<_> = messages.iter().map(name).collect();
        assert_eq!(names, ["span 0", "span 1", "span 2", "span 1"]);
        let id = |place: usize| messages[place].header("Nats-Msg-Id");
        assert_eq!(id(1), id(3));
    }
}

#[test]
fn what_is_refused_is_dropped_alone_and_counted() {
    let too_large = r#"{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"}}"#;
    let (server, nats) = answering(move |name, _| match name {
        "span 1" => Answer::Says(too_large),
        _ => TAKEN,
    });
    let report = sent(nats);
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (2, 1));
    assert_eq!(server.rest().len(), 3, "nothing is sent again");
    let error = report.last_error.unwrap();
    assert!(error.starts_with("NATS at nats://127.0.0.1:"), "{error}");
    assert!(error.contains("exceeds maximum"), "{error}");
}

#[test]
fn what_is_larger_than_the_server_takes_is_dropped_alone_and_counted() {
    let server = Server::new(|_| TAKEN);
    let pipe =
        Pipe::start(quick(Nats::new(server.url()).max_message_records(1)), &setup()).unwrap();
    pipe.push(vec![SpanRecord::new("a"), SpanRecord::new("x".repeat(5_000)), SpanRecord::new("b")]);
    let report = pipe.shutdown(LONG);
    assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (2, 1), "{report}");
    assert_eq!(server.rest().iter().map(name).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn what_has_no_answer_when_the_connection_is_lost_is_sent_again_at_once() {
    let (server, nats) = answering(|name, n| match (name, n) {
        ("span 1", 1) => Answer::Closes,
        _ => TAKEN,
    });
    // An attempt that waited for its time would fail the test.
    let route = quick(nats).settings(|settings| settings.attempt_timeout = LONG * 10);
    let report = sent_by(route);
    assert_eq!(report.delivered, 3, "{report}");
    let names: Vec<_> = server.rest().iter().map(name).collect();
    assert!(names.ends_with(&["span 1".to_owned(), "span 2".to_owned()]), "{names:?}");
}

#[test]
fn what_was_answered_before_the_time_was_over_is_not_sent_again() {
    let (server, nats) = answering(|name, n| match (name, n) {
        ("span 1", 1) => Answer::Silence,
        _ => TAKEN,
    });
    let route =
        quick(nats).settings(|settings| settings.attempt_timeout = Duration::from_millis(300));
    let report = sent_by(route);
    assert_eq!(report.delivered, 3, "{report}");
    let names: Vec<_> = server.rest().iter().map(name).collect();
    assert_eq!(names.iter().filter(|name| *name == "span 0").count(), 1, "{names:?}");
}

#[test]
fn a_stream_that_may_not_be_made_is_published_to_all_the_same() {
    let server = Server::new(|_| TAKEN);
    let nats = Nats::new(server.url()).create_stream("TELEMETRY").keep(Duration::from_secs(60));
    assert_eq!(sent(nats.keep_bytes(7)).delivered, 3);
    let asked = [(); 3].map(|()| server.message());
    let subjects: Vec<_> = asked.iter().map(|message| &*message.subject).collect();
    let api = "$JS.API.STREAM";
    assert_eq!(
        subjects,
        [&format!("{api}.INFO.TELEMETRY"), &format!("{api}.CREATE.TELEMETRY"), "telemetry.spans"]
    );
    let made: JsonValue = serde_json::from_str(&asked[1].body).unwrap();
    let wanted = ["telemetry.spans", "telemetry.metrics", "telemetry.logs"];
    assert_eq!(made["subjects"], serde_json::json!(wanted));
    assert_eq!((&made["max_age"], &made["max_bytes"]), (&60_000_000_000_u64.into(), &7.into()));
}

#[test]
fn an_option_that_cannot_be_used_is_an_error_of_the_start_without_secrets() {
    let refused = |nats: Nats| {
        let route = Route::<SpanRecord>::from(nats);
        Pipe::start(route, &setup()).err().unwrap().to_string()
    };
    let bad = "nats://ann:canary@nats example.com";
    assert_eq!(refused(Nats::new(bad)), "the URL of a NATS server cannot be read");
    assert!(!format!("{:?}", Nats::new(bad)).contains("canary"));
    let good = Nats::new("nats://ann:canary@nats.example.com:4223");
    assert_eq!(good.options.place(), "nats://nats.example.com:4223");
    for prefix in ["a b.", "*.", ".a", "a>"] {
        assert!(refused(good.clone().prefix(prefix)).contains("prefix"), "{prefix}");
    }
    let secret = Secret::from_env("BELLWETHER_TEST_SECRET_THAT_IS_NOT_SET");
    assert!(refused(good.token(secret)).contains("BELLWETHER_TEST_SECRET"));
}
