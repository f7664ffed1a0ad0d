//! What environment variables do, from a table in their place.

use std::{cell::RefCell, time::Duration};

use super::super::{
    env::FromEnv,
    metric::Histograms,
    target::{Protocol, QueueChanges},
};
use crate::{metric::Temporality, pipeline::Settings};

/// What these variables say, and what is reported of them.
fn read(variables: &[(&str, &str)]) -> (FromEnv, Vec<String>) {
    let reports = RefCell::new(Vec::new());
    let look_up = |name: &str| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let read = FromEnv::read(&look_up, &|text| reports.borrow_mut().push(text.to_owned()));
    (read, reports.into_inner())
}

/// As [`read`], where everything is fine.
fn fine(variables: &[(&str, &str)]) -> FromEnv {
    let (read, reports) = read(variables);
    assert_eq!(reports, [""; 0]);
    read
}

#[test]
fn without_variables_all_signals_go_to_this_machine() {
    let read = fine(&[]);
    for target in [&read.spans, &read.metrics, &read.logs] {
        assert_eq!(target.endpoint.to_string(), "http://localhost:4318");
        assert!(target.is_general && target.is_sent);
        assert_eq!(target.protocol, Protocol::HttpProtobuf);
        assert_eq!(target.time_limit(), Duration::from_secs(10));
        assert_eq!(target.queue, QueueChanges::default());
    }
    assert_eq!((read.metrics_interval, read.temporality), (None, Temporality::Cumulative));
    assert_eq!(read.histograms, Histograms::Exponential(160));
}

#[test]
fn a_signals_own_endpoint_is_used_as_it_is() {
    let read = fine(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", " http://collector:1/base/ "),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs.example.com/in"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", ""),
    ]);
    assert_eq!(read.spans.endpoint.to_string(), "http://collector:1");
    assert_eq!(read.metrics.endpoint.to_string(), "http://collector:1");
    assert_eq!(read.logs.endpoint.to_string(), "https://logs.example.com");
    assert_eq!(
        [read.spans.is_general, read.metrics.is_general, read.logs.is_general],
        [true, true, false]
    );
}

#[test]
fn what_is_said_for_a_signal_counts_before_what_is_said_for_all() {
    let read = fine(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "5000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-all=1,x-more=2"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-logs=3"),
    ]);
    let of = |target: &super::super::target::Target| {
        (target.protocol, target.time_limit().as_secs(), format!("{:?}", target.endpoint))
    };
    let (protocol, limit, spans) = of(&read.spans);
    assert_eq!((protocol, limit), (Protocol::Grpc, 5));
    assert!(spans.contains(r#"["x-all", "x-more"]"#) && spans.contains("http://localhost:4317"));
    let (protocol, limit, _) = of(&read.metrics);
    assert_eq!((protocol, limit), (Protocol::HttpJson, 24 * 3600));
    let (_, _, logs) = of(&read.logs);
    assert!(logs.contains(r#"["x-logs"]"#), "{logs}");
}

#[test]
fn queues_are_set() {
    let read = fine(&[
        ("OTEL_BSP_SCHEDULE_DELAY", "5000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "2048"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "30000"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "60000"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "20000"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "7000"),
    ]);
    let mut settings = Settings::default();
    read.spans.apply(&mut settings);
    assert_eq!(settings.batch_delay, Duration::from_secs(5));
    assert_eq!((settings.max_items, settings.batch_items), (2048, 100));
    assert_eq!(settings.retry.max_elapsed, Duration::from_secs(30));
    assert_eq!(settings.attempt_timeout, Duration::from_secs(7));
    let mut settings = Settings::default();
    read.logs.apply(&mut settings);
    assert_eq!((settings.batch_delay, settings.max_items), (Duration::ZERO, 262_144));
    let mut settings = Settings::default();
    read.metrics.apply(&mut settings);
    assert_eq!(settings.retry.max_elapsed, Duration::from_secs(20));
    assert_eq!(read.metrics_interval, Some(Duration::from_secs(60)));
}

#[test]
fn a_batch_is_not_larger_than_the_queue() {
    let (read, reports) =
        read(&[("OTEL_BLRP_MAX_QUEUE_SIZE", "10"), ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "11")]);
    assert_eq!(reports.len(), 1);
    assert!(reports[0].starts_with("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE is 11"), "{reports:?}");
    let mut settings = Settings::default();
    read.logs.apply(&mut settings);
    assert_eq!((settings.max_items, settings.batch_items), (10, 10));
}

#[test]
fn choices_are_read_whatever_their_case() {
    let read = fine(&[
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "DELTA"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram"),
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ]);
    assert_eq!((read.temporality, read.histograms), (Temporality::Delta, Histograms::Explicit));
    assert_eq!([read.spans.is_sent, read.metrics.is_sent, read.logs.is_sent], [true, true, false]);
}

#[test]
fn what_cannot_be_used_is_named_and_ignored() {
    for (name, value, expected) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "localhost:4318",
            "OTEL_EXPORTER_OTLP_ENDPOINT is ignored: ",
        ),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http//x", "OTEL_EXPORTER_OTLP_ENDPOINT is ignored: "),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "udp",
            r#"OTEL_EXPORTER_OTLP_PROTOCOL is "udp", and not one of grpc"#,
        ),
        (
            "OTEL_BSP_MAX_QUEUE_SIZE",
            "-1",
            r#"OTEL_BSP_MAX_QUEUE_SIZE is "-1", which is no whole number"#,
        ),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "OTEL_BSP_MAX_QUEUE_SIZE is 0, which is not possible"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1m", r#"OTEL_METRIC_EXPORT_INTERVAL is "1m""#),
        ("OTEL_TRACES_EXPORTER", "zipkin", r#"OTEL_TRACES_EXPORTER is "zipkin""#),
    ] {
        let (read, reports) = read(&[(name, value)]);
        assert!(!reports.is_empty(), "{name}");
        assert!(reports.iter().all(|report| report.starts_with(expected)), "{reports:?}");
        assert_eq!(read.spans.endpoint.to_string(), "http://localhost:4318");
        assert!(read.spans.is_sent && read.spans.queue == QueueChanges::default());
    }
}

#[test]
fn headers_are_decoded_and_their_values_never_reported() {
    let read_headers = |text| {
        let (read, reports) = read(&[("OTEL_EXPORTER_OTLP_TRACES_HEADERS", text)]);
        (format!("{:?}", read.spans.endpoint), reports)
    };
    let (endpoint, reports) =
        read_headers("authorization=Bearer%20secret%2C, x-tenant = shop;p=1 ,");
    assert!(endpoint.contains(r#"["authorization", "x-tenant"]"#), "{endpoint}");
    assert_eq!(reports, [""; 0]);
    for (text, place) in [
        ("a=1,secret", 2),
        ("a=%zz-secret", 1),
        ("a=%ff-secret", 1),
        ("a b=secret", 1),
        ("a=secret%0d%0ab: 1", 1),
        ("a=secret%4", 1),
    ] {
        let (_, reports) = read_headers(text);
        let expected = format!("OTEL_EXPORTER_OTLP_TRACES_HEADERS: header {place} is not");
        assert!(reports.len() == 1 && reports[0].starts_with(&expected), "{text}: {reports:?}");
        assert!(!reports[0].contains("secret"), "{reports:?}");
    }
}

#[test]
fn grpc_needs_no_scheme_and_says_apart_whether_it_is_without_tls() {
    let endpoint = |insecure| {
        let read = fine(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
            ("OTEL_EXPORTER_OTLP_INSECURE", insecure),
        ]);
        read.spans.endpoint.to_string()
    };
    assert_eq!(endpoint("true"), "http://collector:4317");
    assert_eq!(endpoint("FALSE"), "https://collector:4317");
    assert_eq!(endpoint(""), "https://collector:4317");
}

#[test]
fn compression_and_certificates_are_options_of_the_endpoint() {
    let files = |more: &[(&'static str, &'static str)]| {
        let (read, reports) = read(
            &[
                &[
                    ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
                    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/ca.pem"),
                ],
                more,
            ]
            .concat(),
        );
        (format!("{:?}", read.logs.endpoint), reports)
    };
    let (endpoint, reports) = files(&[
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/no/chain.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/no/key.pem"),
    ]);
    assert!(endpoint.contains("Gzip"), "{endpoint}");
    assert_eq!(reports, [""; 0]);
    let (_, reports) = files(&[("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", "/no/key.pem")]);
    assert!(reports.len() == 1 && reports[0].contains("for LOGS one is missing"), "{reports:?}");
}
