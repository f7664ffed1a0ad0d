//! A span as the fields of a JSON object; the schema is [`File`](crate::export::File)'s.

use super::json::Object;
use crate::{
    label::KeyValue,
    trace::{SpanRecord, Status},
};

/// Writes the fields of `span`.
pub(crate) fn fields(object: &mut Object<'_>, span: &SpanRecord) {
    object.field("trace_id").plain(span.trace_id());
    object.field("span_id").plain(span.span_id());
    match span.parent_span_id() {
        Some(parent) => object.field("parent_span_id").plain(parent),
        None => object.field("parent_span_id").null(),
    }
    object.field("name").str(span.name());
    object.field("kind").plain(span.kind().as_str());
    object.field("start_unix_nanos").u64(span.start().unix_nanos());
    object.field("duration_nanos").u64(span.nanos());
    object.field("status").plain(span.status().as_str());
    if let Status::Error(description) = span.status()
        && !description.is_empty()
    {
        object.field("status_description").str(description);
    }
    match span.is_open() {
        false => object.field("outcome").plain(span.outcome().as_str()),
        true => object.field("outcome").null(),
    }
    attributes(object, span.attributes(), span.dropped_attributes());
    if !span.events().is_empty() {
        object.field("events").array(span.events(), |json, event| {
            json.object(|object| {
                object.field("name").str(event.name());
                object.field("unix_nanos").u64(event.at().unix_nanos());
                attributes(object, event.attributes(), event.dropped_attributes());
            });
        });
    }
    count(object, "dropped_events", span.dropped_events());
    if !span.links().is_empty() {
        object.field("links").array(span.links(), |json, link| {
            json.object(|object| {
                object.field("trace_id").plain(link.context().trace_id());
                object.field("span_id").plain(link.context().span_id());
                attributes(object, link.attributes(), link.dropped_attributes());
            });
        });
    }
    count(object, "dropped_links", span.dropped_links());
    count(object, "truncated_texts", span.truncated_texts());
    count(object, "dropped_array_items", span.dropped_array_items());
}

pub(crate) fn attributes(object: &mut Object<'_>, attributes: &[KeyValue], dropped: u32) {
    object.field("attributes").object(|object| {
        for attribute in last_of_each_key(attributes) {
            object.field(&attribute.key).value(&attribute.value);
        }
    });
    count(object, "dropped_attributes", dropped);
}

/// Writes what was beyond a limit, if anything was.
pub(crate) fn count(object: &mut Object<'_>, key: &str, n: u32) {
    if n > 0 {
        object.field(key).u64(n.into());
    }
}

/// The attributes without repeated keys: the last value of a key counts, at its own position.
pub(crate) fn last_of_each_key(attributes: &[KeyValue]) -> impl Iterator<Item = &KeyValue> {
    // Quadratic, but faster than a set for the few attributes of a span.
    attributes.iter().enumerate().filter_map(|(place, attribute)| {
        let is_last = attributes[place + 1..].iter().all(|later| later.key != attribute.key);
        is_last.then_some(attribute)
    })
}

/// Builds a span for the tests of exporters.
#[cfg(test)]
pub(crate) fn sample(name: &str) -> SpanRecord {
    use std::time::Duration;

    use crate::{
        clock::ManualClock,
        context::{Outcome, SpanContext, SpanId, TraceFlags, TraceId, TraceState},
        trace::SpanKind,
    };

    let clock = ManualClock::new();
    let start = clock.now();
    clock.advance(Duration::from_micros(12_500));
    let context = |span| {
        let (trace, span) = (TraceId::from_u128(10), SpanId::from_u64(span));
        SpanContext::new(trace, span, TraceFlags::SAMPLED, TraceState::EMPTY)
    };
    let mut span = SpanRecord::new(name.to_owned())
        .with_context(context(11))
        .with_parent(&context(12))
        .with_kind(SpanKind::Server)
        .with_times(start, clock.now());
    span.set_status(Status::Error("no money".into()));
    span.set_outcome(Outcome::Error);
    *span.attributes_mut() = vec![KeyValue::new("cart", 7)];
    span
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{super::json::Json, *};
    use crate::{
        context::{Outcome, SpanContext},
        label::Value,
        trace::{Event, Link},
    };

    fn text(span: &SpanRecord) -> String {
        let mut out = Vec::new();
        Json::new(&mut out).object(|object| fields(object, span));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_span_is_one_object() {
        assert_eq!(
            text(&sample("checkout")),
            concat!(
                r#"{"trace_id":"0000000000000000000000000000000a","span_id":"000000000000000b","#,
                r#""parent_span_id":"000000000000000c","name":"checkout","kind":"server","#,
                r#""start_unix_nanos":1577836800000000000,"duration_nanos":12500000,"#,
                r#""status":"error","status_description":"no money","outcome":"error","#,
                r#""attributes":{"cart":7}}"#
            )
        );
    }

    #[test]
    fn a_root_has_no_parent_and_the_later_of_two_attributes_holds() {
        let mut span = SpanRecord::new("root");
        span.set_outcome(Outcome::Error);
        *span.attributes_mut() =
            vec![KeyValue::new("a", 1), KeyValue::new("b", f64::NAN), KeyValue::new("a", true)];
        let text = text(&span);
        assert!(text.contains(r#""parent_span_id":null,"#));
        assert!(
            text.ends_with(
                r#""status":"unset","outcome":"error","attributes":{"b":null,"a":true}}"#
            )
        );
    }

    #[test]
    fn events_and_links_are_arrays() {
        let mut span = sample("x");
        let attributes = vec![KeyValue::new("k", "v")];
        let at = span.end();
        span.add_event(Event::new("retry", at, attributes));
        span.add_link(Link::new(SpanContext::NONE, Vec::new()));
        let text = text(&span);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["events"][0]["name"], "retry");
        assert_eq!(read["events"][0]["unix_nanos"], 1_577_836_800_012_500_000u64);
        assert_eq!(read["events"][0]["attributes"]["k"], "v");
        assert_eq!(read["links"][0]["span_id"], "0000000000000000");
    }

    #[test]
    fn hostile_strings_come_back_from_every_place() {
        let Ok(folder) = std::env::var("BELLWETHER_CONFORMANCE") else {
            // Not `eprintln!`, which is captured: the test would pass in silence.
            let line = "SKIPPED: hostile strings in a span: BELLWETHER_CONFORMANCE is unset\n";
            let _ = std::io::stderr().write_all(line.as_bytes());
            return;
        };
        let corpus = std::fs::read(format!("{folder}/generated/hostile_strings.json")).unwrap();
        let corpus: serde_json::Value = serde_json::from_slice(&corpus).unwrap();
        let strings = corpus["strings"].as_object().unwrap();
        assert!(strings.len() >= 53, "{}", strings.len());
        for (label, hostile) in strings {
            let hostile = hostile.as_str().unwrap();
            let mut span = sample(hostile);
            let attributes = vec![KeyValue::new(hostile.to_owned(), hostile.to_owned())];
            *span.attributes_mut() = attributes.clone();
            span.set_status(Status::Error(hostile.to_owned().into()));
            let at = span.end();
            span.add_event(Event::new(hostile.to_owned(), at, attributes.clone()));
            span.add_link(Link::new(SpanContext::NONE, attributes));
            let line = text(&span);
            assert_eq!(line.lines().count(), 1, "{label}");
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["name"], hostile, "{label}");
            assert_eq!(read["attributes"][hostile], hostile, "{label}");
            assert_eq!(read["events"][0]["name"], hostile, "{label}");
            assert_eq!(read["events"][0]["attributes"][hostile], hostile, "{label}");
            assert_eq!(read["links"][0]["attributes"][hostile], hostile, "{label}");
            let description =
                read.get("status_description").map_or("", |text| text.as_str().unwrap());
            assert_eq!(description, hostile, "{label}");
        }
    }

    #[test]
    fn every_kind_of_value_reads_back() {
        let mut span = sample("x");
        *span.attributes_mut() = vec![
            KeyValue::new("s", "t"),
            KeyValue::new("b", false),
            KeyValue::new("i", i64::MIN),
            KeyValue::new("f", 0.1),
            KeyValue { key: "inf".into(), value: Value::F64(f64::INFINITY) },
            KeyValue::new("u", u64::MAX),
            KeyValue::new("ss", ["t\n\"", "a text that is longer than one in place"]),
            KeyValue::new("bs", [true, false]),
            KeyValue::new("is", [i64::MIN, 7]),
            KeyValue::new("fs", [0.1, f64::NAN]),
            KeyValue::new("none", Vec::<i64>::new()),
        ];
        let read: serde_json::Value = serde_json::from_str(&text(&span)).unwrap();
        let expected = serde_json::json!({
            "s": "t", "b": false, "i": i64::MIN, "f": 0.1, "inf": null, "u": u64::MAX.to_string(),
            "ss": ["t\n\"", "a text that is longer than one in place"], "bs": [true, false],
            "is": [i64::MIN, 7], "fs": [0.1, null], "none": [],
        });
        assert_eq!(read["attributes"], expected);
    }

    #[test]
    fn what_was_beyond_a_limit_is_a_number_where_it_is_not_zero() {
        let scope = crate::testing::scope();
        let long = "x".repeat(2_000);
        let inner = crate::span("cut").enter();
        for n in 0..130 {
            inner.set_attribute(n.to_string(), 1);
            inner.add_event("e", vec![KeyValue::new("k", 1); 129 * usize::from(n == 0)]);
            inner.add_link(
                SpanContext::NONE,
                vec![KeyValue::new("k", 1); 130 * usize::from(n == 1)],
            );
        }
        inner.set_attribute("1", long);
        inner.set_attribute("2", vec![1; 131]);
        inner.end();
        let read: serde_json::Value = serde_json::from_str(&text(&scope.span("cut"))).unwrap();
        assert_eq!([&read["dropped_attributes"], &read["dropped_events"]], [2, 2]);
        assert_eq!([&read["dropped_links"], &read["dropped_array_items"]], [2, 3]);
        assert_eq!(read["truncated_texts"], 1);
        assert_eq!(read["events"][0]["dropped_attributes"], 1);
        assert_eq!(read["links"][1]["dropped_attributes"], 2);
        assert_eq!(
            [
                read["events"][1].get("dropped_attributes"),
                read["links"][0].get("dropped_attributes")
            ],
            [None; 2]
        );
        assert!(
            !text(&sample("whole")).contains("dropped")
                && !text(&sample("whole")).contains("truncated")
        );
    }
}
