//! What becomes of each part of a record.

use super::*;
use crate::{context::SpanContext, export::wire::log::sample, label::Value};

fn texts(pairs: &[(&str, &str)]) -> reader::Texts {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_record_is_labels_a_line_and_structured_metadata() {
    let record = sample("no money")
        .with_attribute("http.route", "/pay")
        .with_attribute("sizes", [36, 41])
        .with_attribute("share", 0.5)
        .with_event_name("card.refused");
    let observed = record.observed().unix_nanos().to_string();
    let entry = entry(&loki(), &record);
    assert_eq!(entry.labels, texts(&[("level", "warn"), ("service_name", "shop")]));
    assert_eq!((entry.time, &*entry.line), (1_577_836_800_012_500_007, "no money"));
    let wanted = [
        ("cart", "7"),
        ("code_file_path", "src/pay.rs"),
        ("code_line_number", "42"),
        ("event_name", "card.refused"),
        ("host_name", "here"),
        ("http_route", "/pay"),
        ("observed_timestamp", &observed),
        ("share", "0.5"),
        ("sizes", "[36,41]"),
        ("span_id", "000000000000000b"),
        ("target", "shop::pay"),
        ("trace_id", "0000000000000000000000000000000a"),
    ];
    assert_eq!(entry.metadata, texts(&wanted));
}

#[test]
fn what_a_record_does_not_have_is_not_there() {
    let bare = record("").with_context(SpanContext::NONE);
    let observed = bare.observed();
    let bare = bare.with_time(observed);
    let entry = entry(&loki().resource_metadata::<&str>([]), &bare);
    assert_eq!((&*entry.line, entry.metadata.len()), ("", 0), "{entry:?}");
}

#[test]
fn the_level_is_one_of_six_and_no_digit_or_word_of_a_severity_is_lost() {
    for (number, level, left) in [
        (1, "trace", None),
        (8, "debug", Some("8")),
        (9, "info", None),
        (10, "info", Some("10")),
        (13, "warn", None),
        (20, "error", Some("20")),
        (24, "fatal", Some("24")),
    ] {
        let entry = entry(&loki(), &LogRecord::new(LogSeverity::new(number), "x"));
        assert_eq!((entry.label("level"), entry.metadata("severity_number")), (Some(level), left));
    }
    let entry = entry(&loki(), &record("x").with_severity_text("notice"));
    assert_eq!(entry.metadata("severity_text"), Some("notice"));
    assert_eq!(entry.metadata("severity_number"), None);
}

#[test]
fn a_level_that_is_no_label_is_structured_metadata() {
    let entry = entry(&loki().without_level_label(), &record("x"));
    assert_eq!((entry.label("level"), entry.metadata("level")), (None, Some("info")));
}

#[test]
fn labels_are_attributes_of_the_record_or_else_of_the_resource() {
    let loki = loki().label("zone").label("tenant.id").label("zone").resource_metadata(["zone"]);
    let of_resource = entry(&loki, &record("x"));
    assert_eq!(of_resource.label("zone"), Some("b"));
    assert_eq!((of_resource.labels.len(), of_resource.metadata("zone")), (3, None));
    let own = entry(&loki, &record("x").with_attribute("zone", "c").with_attribute("tenant.id", 7));
    assert_eq!((own.label("zone"), own.label("tenant_id")), (Some("c"), Some("7")));
    assert_eq!((own.labels.len(), own.metadata("tenant_id")), (4, None));
}

#[test]
fn a_value_that_no_label_can_have_is_structured_metadata() {
    let loki = loki().label("zone").label("who");
    for value in ["", "a\u{fffd}", &"x".repeat(2_049)] {
        let record = record("x").with_attribute("who", value).with_attribute("zone", value);
        let entry = entry(&loki, &record);
        assert_eq!((entry.label("who"), entry.label("zone")), (None, Some("b")));
        // The names of labels are theirs.
        assert_eq!((entry.metadata("who_2"), entry.metadata("zone_2")), (Some(value), Some(value)));
    }
    let long = "x".repeat(2_048);
    let entry = entry(&loki, &record("x").with_attribute("who", &*long));
    assert_eq!(entry.label("who"), Some(&*long));
}

#[test]
fn a_service_without_a_name_has_the_name_that_loki_gives_it() {
    for (name, label) in
        [("", "unknown_service"), ("a\u{fffd}", "a_"), (&"x".repeat(3_000), &"x".repeat(2_048))]
    {
        let mut encoder = loki().logs_encoder();
        encoder.start(&Setup::new(Resource::service(name))).unwrap();
        let payload = encoder.encode(&Batch::from(vec![record("x")]));
        let body = LokiForm::Protobuf.body(&request::streams(&payload)).unwrap();
        let [entry] = read(LokiForm::Protobuf, &body).try_into().unwrap();
        assert_eq!(entry.label("service_name"), Some(label));
    }
}

#[test]
fn of_keys_that_become_one_name_none_hides_another() {
    let record = record("x")
        .with_target("own")
        .with_attribute("a.b", 1)
        .with_attribute("a_b", 2)
        .with_attribute("a_b_2", 3)
        .with_attribute("a-b", 4)
        .with_attribute("target", 5)
        .with_attribute("level", 6)
        .with_attribute("host.name", 7)
        .with_attribute("a.b", 8);
    let entry = entry(&loki(), &record);
    for (name, value) in [
        ("a_b", "2"), // The later of equal keys counts, in its place.
        ("a_b_2", "3"),
        ("a_b_3", "4"),
        ("target", "own"),
        ("target_2", "5"),
        ("level_2", "6"),
        ("host_name", "here"),
        ("host_name_2", "7"),
        ("a_b_4", "8"),
    ] {
        assert_eq!(entry.metadata(name), Some(value), "{name}: {entry:?}");
    }
}

#[test]
fn resource_attributes_have_names_that_nothing_else_has() {
    let attributes =
        [("target", "a"), ("trace.id", "b"), ("zone", "c"), ("z_one", "d"), ("z.one", "e")];
    let resource = attributes
        .iter()
        .fold(Resource::service("shop"), |resource, (key, value)| resource.with(*key, *value));
    let keys =
        ["service.name", "target", "trace.id", "zone", "z_one", "z.one", "zone", "z_one", "none"];
    let mut encoder = loki().label("zone").resource_metadata(keys).logs_encoder();
    encoder.start(&Setup::new(resource)).unwrap();
    let record = record("x").with_target("here").with_attribute("z_one", "own");
    let payload = encoder.encode(&Batch::from(vec![record]));
    let body = LokiForm::Protobuf.body(&request::streams(&payload)).unwrap();
    let [mut entry] = read(LokiForm::Protobuf, &body).try_into().unwrap();
    entry.metadata.remove("observed_timestamp");
    let wanted = [
        ("target", "here"),
        ("target_2", "a"),
        ("trace_id_2", "b"),
        ("z_one", "d"),
        ("z_one_2", "e"),
        ("z_one_3", "own"),
    ];
    assert_eq!(entry.metadata, texts(&wanted));
    assert_eq!(entry.label("zone"), Some("c"));
}

#[test]
fn a_line_of_json_is_the_whole_record_and_its_ids_are_structured_metadata_too() {
    for (line, message, level) in
        [(LokiLine::Json, "message", "level"), (LokiLine::Ecs, "message", "log.level")]
    {
        let record = sample("no \"money\"\n").with_attribute("zone", "c");
        let entry = entry(&loki().line(line).label("zone"), &record);
        let json: serde_json::Value = serde_json::from_str(&entry.line).unwrap();
        assert_eq!(
            (&json[message], &json["service.name"]),
            (&"no \"money\"\n".into(), &"shop".into())
        );
        assert!(json[level].is_string());
        assert_eq!(entry.label("zone"), Some("c"));
        let names: Vec<_> = entry.metadata.keys().collect();
        assert_eq!(names, ["host_name", "span_id", "trace_id"]);
    }
}

#[test]
fn a_long_line_is_cut_at_a_character_and_says_so_or_is_refused() {
    let long = "é".repeat(200_000);
    let cut = entry(&loki(), &record(long.clone()));
    assert_eq!((&*cut.line, cut.metadata("line_bytes")), (&long[..256 << 10], Some("400000")));
    let short = entry(&loki().max_line_bytes(4), &record("aéé"));
    assert_eq!((&*short.line, short.metadata("line_bytes")), ("aé", Some("5")));
    let refusing = loki().max_line_bytes(4).long_lines(LokiLongLines::Reject);
    let payload = payload(&refusing, vec![record("aéé"), record("aé")]);
    let lengths = payload.records().map(<[u8]>::len).collect::<Vec<_>>();
    assert!(lengths[0] == 0 && lengths[1] > 0, "{lengths:?}");
}

#[test]
fn structured_metadata_beyond_what_loki_takes_is_cut_and_counted() {
    let mut many = record("x");
    (0..200).for_each(|n| many.set_attribute(format!("key.{n}"), n));
    let many = entry(&loki(), &many);
    let n_left_out: usize = many.metadata("cut_values").unwrap().parse().unwrap();
    let n_there = many.metadata.keys().filter(|name| name.starts_with("key_")).count();
    assert_eq!((many.metadata.len(), n_there + n_left_out), (128, 200));

    let long = "é".repeat(30_000);
    let large = record("x").with_attribute("a", &*long).with_attribute("b", &*long);
    let large = entry(&loki(), &large.with_attribute("c", 1).with_attribute("d", 2));
    assert_eq!((large.metadata("a"), large.metadata("cut_values")), (Some(&*long), Some("3")));
    assert!(long.starts_with(large.metadata("b").unwrap()));
    assert!(large.metadata("b").unwrap().len() > 5_000);
    assert_eq!((large.metadata("c"), large.metadata("d")), (None, None));
}

#[test]
fn entries_of_a_stream_are_in_the_order_of_their_times() {
    let at = |nanos, severity| {
        let time = Timestamp::from_unix_nanos(NOON + nanos);
        LogRecord::new(severity, format!("{nanos}")).with_time(time)
    };
    let (info, error) = (LogSeverity::INFO, LogSeverity::ERROR);
    let records = vec![at(3, info), at(2, error), at(1, info), at(4, error), at(1, error)];
    let streams: Vec<_> = entries(&loki(), records)
        .into_iter()
        .map(|entry| (entry.label("level").unwrap().to_owned(), entry.line))
        .collect();
    let streams: Vec<_> = streams.iter().map(|(level, line)| (&**level, &**line)).collect();
    let wanted = [("info", "1"), ("info", "3"), ("error", "1"), ("error", "2"), ("error", "4")];
    assert_eq!(streams, wanted);
}

#[test]
fn equal_records_of_one_time_are_a_nanosecond_apart() {
    let entries = entries(&loki(), vec![record("tick"), record("tick"), record("tick")]);
    let times: Vec<_> = entries.iter().map(|entry| entry.time - NOON).collect();
    assert_eq!(times, [0, 1, 2]);
}

#[test]
fn a_part_of_a_payload_is_a_request_of_its_records_alone() {
    let lines = ["a", "b", "c", "d"].map(record);
    for form in [LokiForm::Protobuf, LokiForm::Json] {
        let payload = payload(&loki().form(form), lines.to_vec());
        for (part, wanted) in [
            (payload.skip(3), vec!["d"]),
            (payload.first(2), vec!["a", "b"]),
            (payload.filter(|at| at % 2 == 1), vec!["b", "d"]),
        ] {
            let read = read(form, &form.body(&request::streams(&part)).unwrap());
            let lines: Vec<_> = read.iter().map(|entry| &*entry.line).collect();
            assert_eq!(lines, wanted);
        }
    }
}

#[test]
fn labels_that_loki_would_refuse_are_an_error_at_the_start() {
    let start = |loki: Loki| {
        let started = loki.logs_encoder().start(&setup());
        started.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let many = |n: usize| (0..n).fold(loki(), |loki, n| loki.label(format!("label.{n}")));
    assert_eq!(start(many(13)), "");
    assert_eq!(start(many(14)), "Loki takes 15 labels, and these are 16");
    assert_eq!(start(loki().label("x".repeat(1_024))), "");
    let error = start(loki().label("x".repeat(1_025)));
    assert!(error.ends_with("… has a name of more than 1024 bytes"), "{error}");
    assert_eq!(start(loki().label("a.b").label("a-b")), "two labels have the name \"a_b\"");
    assert_eq!(start(loki().label("level")), "two labels have the name \"level\"");
    assert_eq!(start(loki().label("level").without_level_label()), "");
    assert_eq!(start(loki().label("service.name").label("a").label("a")), "");
}

#[test]
fn a_body_that_is_no_text_is_as_it_prints() {
    for body in [Value::from(7), true.into(), f64::NAN.into(), vec!["a\"", "b"].into()] {
        assert_eq!(entry(&loki(), &record(body.clone())).line, body.to_string());
    }
}

#[test]
fn a_record_of_no_span_has_no_ids() {
    let entry = entry(&loki(), &record("x"));
    assert_eq!((entry.metadata("trace_id"), entry.metadata("span_id")), (None, None));
}
