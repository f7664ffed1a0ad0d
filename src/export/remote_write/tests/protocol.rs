//! Headers, compression, the table of symbols, and what a request has of a reading.

use super::*;

#[test]
fn a_request_has_the_headers_of_its_version() {
    for (version, content_type, number) in [
        (RemoteWriteVersion::V1, "application/x-protobuf", "0.1.0"),
        (
            RemoteWriteVersion::V2,
            "application/x-protobuf;proto=io.prometheus.write.v2.Request",
            "2.0.0",
        ),
    ] {
        let mut ends = Ends::new(|remote_write| remote_write.version(version));
        let payload = ends.encoded(1, vec![gauge(&[], 1.0)]);
        ends.send(&payload).unwrap();
        let request = ends.server.request();
        assert_eq!(request.line, "POST /api/v1/write HTTP/1.1");
        // [content_type_protobuf, content_type_with_proto_param, rw1_content_type]
        assert_eq!(request.header("content-type"), Some(content_type));
        // [version_header_present, version_header_value, rw1_version_header]
        assert_eq!(request.header("x-prometheus-remote-write-version"), Some(number));
        // [content_encoding_snappy, user_agent_present]
        assert_eq!(request.header("content-encoding"), Some("snappy"));
        let agent = request.header("user-agent").unwrap();
        assert!(agent.starts_with("bellwether/"), "{agent}");
        // [snappy_block_format, protobuf_parseable]
        assert!(!request.body.starts_with(&[0xff, 6, 0, 0, b's']), "the framed format");
        assert_eq!(keys(&decoded(&request))[0], "level{}");
    }
}

#[test]
fn an_empty_reading_is_not_sent() {
    // [empty_scrape]
    let mut ends = Ends::new(|remote_write| remote_write.without_target_info());
    let nothing = ends.encoded(1, Vec::new());
    assert!(nothing.is_empty() && nothing.bytes().is_empty());
    let value = SeriesValue::FloatCounter(f64::NAN);
    let unusable = family("x", Kind::Counter, Unit::NONE, "", vec![series(&[], value)]);
    let unusable = ends.encoded(2, vec![unusable]);
    ends.send(&unusable).unwrap();
    assert!(ends.server.rest().is_empty());
}

#[test]
fn a_request_has_many_series_and_their_texts_once() {
    // [multiple_series_per_request, many_timeseries, high_cardinality, high_cardinality_labels,
    //  handles_varying_cardinality, efficient_symbol_reuse]
    let many = |n: usize| {
        let all = (0..n).map(|n| {
            series(&[("user", &format!("u{n:05}")), ("zone", "eu")], SeriesValue::Counter(n as u64))
        });
        family("logins", Kind::Counter, Unit::NONE, "Logins", all.collect())
    };
    let mut ends = Ends::new(|remote_write| remote_write.without_target_info());
    for (second, n) in [(1, 1), (2, 2_000), (3, 3)] {
        let all = ends.got(second, vec![many(n as usize)]);
        let fresh = all.values().filter(|one| !one.is_stale());
        let sum: f64 = fresh.clone().map(Got::value).sum();
        assert_eq!((fresh.count(), sum), (n as usize, (n * (n - 1) / 2) as f64));
    }
}

#[test]
fn a_part_of_a_payload_is_a_request_of_its_own() {
    // [batch_size_reasonable, metadata_batching, complete_metric_family]
    for version in [RemoteWriteVersion::V1, RemoteWriteVersion::V2] {
        let mut ends = Ends::new(|remote_write| remote_write.version(version));
        let whole = ends.encoded(1, every_kind());
        let (first, second) = (whole.first(3), whole.skip(3));
        let mut parts = ends.got_of(&first);
        parts.extend(ends.got_of(&second));
        let all = ends.got_of(&whole);
        assert_eq!(keys(&parts), keys(&all));
        let waits = keys(&all).into_iter().filter(|key| key.starts_with("wait_seconds_"));
        assert!(waits.count() > 10, "a histogram is in one request");
    }
    let route = Route::from(RemoteWrite::new("https://example.com/"));
    assert_eq!(format!("{route:?}"), "Route(metrics to remote-write)");
}

#[test]
fn what_is_encoded_names_its_form() {
    assert_eq!(Points::new(Options::default()).format(), "remote_write.2");
}
