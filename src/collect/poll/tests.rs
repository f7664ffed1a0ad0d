//! How a document becomes series, and how long its values stand.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    clock::{self, ManualClock},
    collect::{collector::tests::collected, source::tests::levels},
    metric::Registry,
};

/// Answers each connection with the next of `documents`, and with an error after the last.
fn serving(documents: &[Value]) -> JsonPoll {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/stats", listener.local_addr().unwrap());
    let mut bodies: Vec<String> = documents.iter().rev().map(Value::to_string).collect();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A request of this size comes in one piece over loopback.
            let _ = stream.read(&mut [0; 4096]);
            let (status, body) = match bodies.pop() {
                Some(body) => ("200 OK", body),
                None => ("500 Gone", String::new()),
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n");
            let _ = stream.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes());
        }
    });
    JsonPoll::new("test", Endpoint::new(&url).allow_plain_http().allow_private())
}

#[test]
fn fields_become_series_with_their_labels() {
    let document = json!({
        "site": "north",
        "pools": [{"name": "io", "size": 4, "served": "17"}, {"name": "cpu", "size": 2.5, "served": 3}],
        "up": true,
        "zones": {"a": 1, "b": -2},
        "none": [],
    });
    let mut poll = serving(&[document])
        .field(JsonField::gauge("/pools/*/size", "pool.size").label_at("pool", "/name"))
        .field(
            JsonField::counter("/pools/*/served", "pool.served").label_key("n").label("unit", "x"),
        )
        .field(JsonField::gauge("/up", "up").label_at("site", "/site"))
        .field(JsonField::up_down_counter("/zones/*", "zone.load").label_key("zone"))
        .field(JsonField::gauge("/none/*", "none"));
    poll.check().unwrap();
    let found: Vec<_> = collected(&mut poll).unwrap().into_iter().collect();
    let expected = [
        ("pool.served{n=0,unit=x}", 17.0),
        ("pool.served{n=1,unit=x}", 3.0),
        ("pool.size{pool=cpu}", 2.5),
        ("pool.size{pool=io}", 4.0),
        ("up{site=north}", 1.0),
        ("zone.load{zone=a}", 1.0),
        ("zone.load{zone=b}", -2.0),
    ];
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
}

#[test]
fn what_is_wrong_with_a_field_costs_that_field_alone() {
    let document = json!({
        "good": 1, "text": "fast", "infinite": "inf", "list": [1], "null": null, "below": -1,
        "pools": [{"size": 1}, {"name": "b", "size": 2}],
    });
    let mut poll = serving(&[document])
        .field(JsonField::gauge("/good", "good"))
        .field(JsonField::gauge("/missing", "missing"))
        .field(JsonField::gauge("/null", "null"))
        .field(JsonField::gauge("/text", "text"))
        .field(JsonField::gauge("/infinite", "infinite"))
        .field(JsonField::gauge("/list", "list"))
        .field(JsonField::gauge("/good/*", "star"))
        .field(JsonField::counter("/below", "below"))
        .field(JsonField::gauge("/pools/*/size", "pool").label_at("pool", "/name"));
    let found: Vec<_> = collected(&mut poll).unwrap().into_keys().collect();
    let expected = [
        "below failed: negative",
        "good{}",
        "infinite failed: not_a_number",
        "list failed: not_a_number",
        "missing failed: missing",
        "null failed: missing",
        "pool failed: missing",
        "pool{pool=b}",
        "star failed: missing",
        "text failed: not_a_number",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_poll_that_cannot_work_is_an_error_of_the_registration() {
    let poll = || JsonPoll::new("test", "https://example.com/");
    let refused = |poll: JsonPoll| poll.check().unwrap_err().to_string();
    poll().field(JsonField::gauge("/a/*", "a").label_key("k")).stamp("/t").check().unwrap();
    for (poll, expected) in [
        (
            poll().field(JsonField::gauge("a", "a")),
            r#"the path "a" must be empty or start with a slash"#,
        ),
        (poll().stamp("/*/*"), r#"the path "/*/*" may have one `*`"#),
        (
            poll().field(JsonField::gauge("/a", "a").label_key("k")),
            r#"the path "/a" has no `*` for the label "k""#,
        ),
        (
            poll().field(JsonField::gauge("/a", "a").label("9", "")),
            r#"label key "9" must start with an ASCII letter or `_`"#,
        ),
        (
            poll().field(JsonField::gauge("/a", "a")).field(JsonField::counter("/b", "a")),
            r#"two fields of "a" have different kinds or units"#,
        ),
        (
            JsonPoll::new("test", "http://example.com/?key=canary"),
            "http://example.com is plain http: allow it by .allow_plain_http()",
        ),
    ] {
        assert_eq!(refused(poll), expected);
    }
}

#[test]
fn the_last_good_document_goes_stale_and_a_repeated_one_does_not_refresh_it() {
    let clock = ManualClock::new();
    let _installed = clock::enter(Some(clock.clone()));
    let stamped = |stamp: &str, level: u64| json!({"at": stamp, "level": level});
    let documents = [stamped("t1", 1), stamped("t1", 9), stamped("t2", 2)];
    let poll = serving(&documents).stamp("/at").field(JsonField::gauge("/level", "test.level"));
    let source = Source::new("test", poll).stale_after(Duration::from_secs(60));
    let registry = Registry::new();
    let registered = source.register(&registry).unwrap();
    let level = || levels(&registered).first().map(|(_, value)| *value);

    registered.refresh();
    assert_eq!(level(), Some(1.0));
    clock.advance(Duration::from_secs(50));
    registered.refresh(); // A duplicate.
    assert_eq!(level(), Some(1.0));
    clock.advance(Duration::from_secs(10));
    assert_eq!(level(), None);
    registered.refresh();
    assert_eq!(level(), Some(2.0));
    registered.refresh(); // The server fails from now on.
    clock.advance(Duration::from_secs(59));
    assert_eq!(level(), Some(2.0));
    clock.advance(Duration::from_secs(1));
    assert_eq!(level(), None);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[a*/~01. ]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab*01/~]{0,2}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_and_no_path_makes_a_panic(
        document in any_json(),
        path in "(/[ab*01~]{0,2}){0,4}",
        label in "(/[ab*01~]{0,2}){0,2}",
    ) {
        let field = JsonField::counter(path, "test").label_key("key").label_at("at", label);
        let mut reading = Reading::of(["test".into()].into_iter());
        field.tell(&document, &mut reading);
        let values = reading.families.iter().flat_map(|family| family.series.values());
        prop_assert!(values.into_iter().all(|value| value.is_finite() && *value >= 0.0));
    }
}
