mod server;

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value as JsonValue;

use self::server::{Answer, Command, Server, added, error};
use super::*;
use crate::{
    metric::DataPoint,
    pipeline::{DropReason, Pipe, QueueReport, Retry, Setup, Signal as _},
    resource::Resource,
    trace::SpanRecord,
};

const LONG: Duration = Duration::from_secs(20);

fn setup() -> Setup {
    Setup::new(Resource::service("shop"))
}

fn quick(redis: Redis) -> Route<SpanRecord> {
    Route::from(redis).settings(|settings| {
        settings.batch_delay = Duration::ZERO;
        settings.retry = Retry { initial: Duration::from_millis(1), ..Retry::default() };
    })
}

/// What becomes of three spans.
fn sent(redis: Redis) -> QueueReport {
    let pipe = Pipe::start(quick(redis), &setup()).unwrap();
    pipe.push((0..3).map(|n| SpanRecord::new(format!("span {n}"))).collect::<Vec<_>>());
    let report = pipe.shutdown(LONG);
    let settled = report.delivered + report.held + report.dropped.total();
    assert_eq!((report.offered, settled), (3, 3), "{report}");
    report
}

/// The fields of an entry behind `*`.
fn fields(command: &Command) -> BTreeMap<String, String> {
    let place = command.iter().position(|argument| argument == b"*").unwrap();
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
    let pairs = command[place + 1..].as_chunks::<2>().0.iter();
    pairs.map(|[name, value]| (text(name), text(value))).collect()
}

fn texts(command: &[Vec<u8>]) -> Vec<&str> {
    command.iter().map(|argument| std::str::from_utf8(argument).unwrap()).collect()
}

/// The name of the only span of an entry.
fn name(command: &Command) -> String {
    let body: JsonValue = serde_json::from_str(fields(command)["body"].trim()).unwrap();
    body["name"].as_str().unwrap().to_owned()
}

#[test]
fn an_entry_has_what_the_page_says() {
    let server = Server::new(|_| added());
    assert_eq!(sent(Redis::streams(server.url())).delivered, 3);
    let entry = server.command();
    assert_eq!(texts(&entry[..6]), ["XADD", "telemetry:spans", "MAXLEN", "~", "100000", "*"]);
    let fields = fields(&entry);
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["body", "content-type", "id", "signal"]);
    assert_eq!((&*fields["signal"], &*fields["content-type"]), ("spans", "application/x-ndjson"));
    assert_eq!((fields["body"].lines().count(), fields["id"].len()), (3, 32));
    assert!(server.rest().is_empty());
}

#[test]
fn keys_names_and_limits_are_as_they_are_set() {
    let server = Server::new(|_| added());
    let redis = Redis::streams(server.url()).prefix("b{w}:").max_length(u64::MAX).keyed();
    assert_eq!(sent(redis).delivered, 3);
    let entries = [(); 3].map(|()| server.command());
    assert_eq!(texts(&entries[0][..3]), ["XADD", "b{w}:spans", "*"]);
    for entry in &entries {
        let fields = fields(entry);
        let body: JsonValue = serde_json::from_str(fields["body"].trim()).unwrap();
        assert_eq!(body["trace_id"], *fields["key"]);
        let parent = format!("00-{}-{}-", fields["key"], body["span_id"].as_str().unwrap());
        assert!(fields["traceparent"].starts_with(&parent), "{fields:?}");
    }
}

#[test]
fn a_channel_gets_bodies_alone() {
    let server = Server::new(|_| Some(":0\r\n".to_owned()));
    assert_eq!(sent(Redis::channels(server.url()).max_message_records(2)).delivered, 3);
    let published = [(); 2].map(|()| server.command());
    assert_eq!(texts(&published[0][..2]), ["PUBLISH", "telemetry:spans"]);
    assert_eq!(texts(&published[0])[2].lines().count(), 2);
    assert_eq!(published[1].len(), 3);
}

#[test]
fn redis_is_asked_to_know_messages_again_by_their_ids() {
    let server = Server::new(|_| Some("$0\r\n\r\n".to_owned()));
    let redis = Redis::streams(server.url()).deduplicated(Duration::from_secs(600));
    assert_eq!(sent(redis).delivered, 3, "what is known is delivered");
    let script = server.command();
    let id = &fields(&script)["id"];
    let arguments = texts(&script);
    assert_eq!((arguments[0], &arguments[2..4]), ("EVAL", &["2", "telemetry:spans"][..]));
    assert_eq!(arguments[4], format!("{{telemetry:spans}}:{id}"));
    assert_eq!(&arguments[5..10], ["600000", "MAXLEN", "~", "100000", "*"]);
    assert_eq!(sender::known_key("b{w}:spans", "7"), "b{w}:spans:7");
}

/// Answers the entries of each name as a script says, and the others well; three records, one in each message.
fn answering(script: impl Fn(&str, usize) -> Answer + Send + 'static) -> (Server, Redis) {
    let mut n_seen = BTreeMap::<String, usize>::new();
    let server = Server::new(move |command| {
        if command[0] != b"XADD" {
            return Some("+OK\r\n".to_owned());
        }
        let name = name(command);
        let n = n_seen.entry(name.clone()).or_default();
        *n += 1;
        script(&name, *n)
    });
    let redis = Redis::streams(server.url()).max_message_records(1);
    (server, redis)
}

#[test]
fn only_the_messages_that_redis_did_not_take_are_sent_again() {
    for passing in ["OOM used memory", "LOADING", "READONLY a replica", "MISCONF", "TRYAGAIN"] {
        let (server, redis) = answering(move |name, n| match (name, n) {
            ("span 1", 1) => error(passing),
            _ => added(),
        });
        let report = sent(redis);
        assert_eq!(report.delivered, 3, "{passing}: {report}");
        let names: Vec<_> = server.rest().iter().map(name).collect();
        assert_eq!(names, ["span 0", "span 1", "span 2", "span 1"], "{passing}");
    }
}

#[test]
fn what_redis_refuses_is_dropped_alone_and_counted() {
    for refusal in ["WRONGTYPE Operation against a key", "NOPERM no permissions", "ERR too long"] {
        let (server, redis) = answering(move |name, _| match name {
            "span 1" => error(refusal),
            _ => added(),
        });
        let report = sent(redis);
        assert_eq!((report.delivered, report.dropped.get(DropReason::Rejected)), (2, 1));
        assert_eq!(server.rest().len(), 3, "nothing is sent again");
        let error = report.last_error.unwrap();
        let (code, _) = refusal.split_once(' ').unwrap();
        assert!(error.starts_with("Redis at redis://127.0.0.1:"), "{error}");
        assert!(code == "ERR" || error.contains(code) || error.contains("NoPerm"), "{error}");
    }
}

#[test]
fn what_has_no_answer_is_sent_again_over_another_connection() {
    let (server, redis) = answering(|name, n| match (name, n) {
        ("span 1", 1) => None,
        _ => added(),
    });
    assert_eq!(sent(redis).delivered, 3);
    let entries = server.rest();
    let id = |place: usize| fields(&entries[place])["id"].clone();
    // The first was answered, but not the round.
    let again = entries.len() - 3;
    assert_eq!((name(&entries[again]), id(again)), ("span 0".to_owned(), id(0)));
}

#[test]
fn a_server_that_does_not_answer_costs_the_time_of_the_attempt_and_no_more() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = crate::sync::Mutex::new(held);
    let server = Server::new(move |_| {
        let _ = held.lock().recv();
        added()
    });
    let route = quick(Redis::streams(server.url())).settings(|settings| {
        settings.attempt_timeout = Duration::from_millis(50);
        settings.retry.max_elapsed = Duration::from_millis(120);
    });
    let pipe = Pipe::start(route, &setup()).unwrap();
    pipe.push(vec![SpanRecord::new("a")]);
    let report = pipe.shutdown(LONG);
    assert_eq!(report.dropped.get(DropReason::RetriesExhausted), 1, "{report}");
    assert!(report.last_error.unwrap().contains("no answer in time"));
    drop(hold);
}

#[test]
fn who_asks_is_said_anew_for_each_connection() {
    let path = std::env::temp_dir().join(format!("bellwether-redis-{}", std::process::id()));
    std::fs::write(&path, "old").unwrap();
    let of_server = path.clone();
    let server = Server::new(move |command| match &texts(command)[..] {
        ["AUTH", "ann", "new"] => Some("+OK\r\n".to_owned()),
        ["AUTH", ..] => {
            std::fs::write(&of_server, "new").unwrap();
            error("WRONGPASS invalid username-password pair")
        }
        _ => added(),
    });
    let redis = Redis::streams(server.url()).user("ann", Secret::from_file(&path));
    assert!(!format!("{redis:?}").contains("old"));
    assert_eq!(sent(redis).delivered, 3);
    std::fs::remove_file(&path).unwrap();
    let commands = server.rest();
    let asked: Vec<_> = commands.iter().map(|command| texts(command)[0]).collect();
    assert_eq!(asked, ["AUTH", "AUTH", "XADD"]);
}

#[test]
fn a_url_says_nothing_of_its_password() {
    let redis = Redis::streams("redis://ann:canary@redis.example.com:7000/3");
    assert!(!format!("{redis:?}").contains("canary"), "{redis:?}");
    let sender = Messages::<SpanRecord>::new(redis.messages.packer(), redis.options);
    let place = crate::pipeline::Sender::destination(&sender).unwrap();
    assert_eq!(place, "redis://redis.example.com:7000, telemetry:spans");
    let bad = Redis::streams("http://ann:canary@redis.example.com");
    let refused = Pipe::start(Route::<SpanRecord>::from(bad), &setup()).err().unwrap();
    assert_eq!(refused.to_string(), "the URL of a Redis server cannot be read");
}

#[test]
fn each_signal_has_a_route_of_its_own() {
    let server = Server::new(|_| added());
    let mut routes = crate::export::Routes::default();
    crate::export::Backend::routes(Redis::streams(server.url()).without_logs(), &mut routes);
    assert_eq!(routes.take::<DataPoint>().len() + routes.take::<SpanRecord>().len(), 2);
    assert_eq!(routes.left(), None);
    let route = Route::<DataPoint>::from(Redis::streams(server.url()));
    assert_eq!((route.name(), DataPoint::NAME), ("redis", "metrics"));
}

#[cfg(unix)]
#[test]
fn what_a_spool_kept_is_sent_after_a_restart_as_it_would_have_been_before() {
    let folder =
        std::env::temp_dir().join(format!("bellwether-redis-spool-{}", std::process::id()));
    let spooled = |server: &Server| {
        let route = quick(Redis::streams(server.url()).keyed()).spool(folder.clone());
        Pipe::start(route, &setup()).unwrap()
    };
    let down = Server::new(|_| None);
    let pipe = spooled(&down);
    pipe.push(vec![SpanRecord::new("a"), SpanRecord::new("b")]);
    let before = fields(&down.command());
    pipe.shutdown(Duration::from_millis(10));
    let up = Server::new(|_| added());
    let pipe = spooled(&up);
    let after = [(); 2].map(|()| fields(&up.command()));
    assert_eq!(after[0], before);
    assert_ne!(after[1]["id"], before["id"]);
    assert_eq!(pipe.shutdown(LONG).delivered, 2);
    std::fs::remove_dir_all(folder).unwrap();
}
