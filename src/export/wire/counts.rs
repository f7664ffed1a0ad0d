//! What a record says about itself besides what was recorded: what limits took from it, and how many more it stands
//! for. Each format has its own names for these counts; one that is zero is left out.

use crate::{log::LogRecord, trace::SpanRecord};

/// The counts of a log record that are not zero: attributes that limits dropped, texts that they cut, duplicates that
/// were folded into it, and records of its call site that were suppressed before it. `names` are theirs, in this order.
pub(crate) fn of_log<'a>(
    record: &LogRecord,
    names: [&'a str; 4],
) -> impl Iterator<Item = (&'a str, u64)> + use<'a> {
    some(
        names,
        [
            record.dropped_attributes().into(),
            record.truncated_texts().into(),
            record.repeated().into(),
            record.suppressed(),
        ],
    )
}

/// The counts of a span that are not zero: attributes, events and links that limits dropped, texts that they cut, and
/// items of arrays that they dropped. `names` are theirs, in this order.
pub(crate) fn of_span<'a>(
    span: &SpanRecord,
    names: [&'a str; 5],
) -> impl Iterator<Item = (&'a str, u64)> + use<'a> {
    let counts = [
        span.dropped_attributes(),
        span.dropped_events(),
        span.dropped_links(),
        span.truncated_texts(),
        span.dropped_array_items(),
    ];
    some(names, counts.map(u64::from))
}

/// The names of most formats: OpenTelemetry's, where it has one.
#[cfg(any(feature = "clickhouse", feature = "influx", feature = "loki", feature = "syslog"))]
pub(crate) const OF_LOGS: [&str; 4] =
    ["dropped_attributes_count", "truncated_texts", "repeated", "suppressed"];
#[cfg(any(feature = "clickhouse", feature = "influx"))]
pub(crate) const OF_SPANS: [&str; 5] = [
    "dropped_attributes_count",
    "dropped_events_count",
    "dropped_links_count",
    "truncated_texts",
    "dropped_array_items",
];

/// The names beside those of the Elastic Common Schema.
pub(crate) const OF_ECS_LOGS: [&str; 4] = [
    "bellwether.log.dropped_attributes",
    "bellwether.log.truncated_texts",
    "bellwether.log.repeated",
    "bellwether.log.suppressed",
];

fn some<const N: usize>(names: [&str; N], counts: [u64; N]) -> impl Iterator<Item = (&str, u64)> {
    names.into_iter().zip(counts).filter(|(_, n)| *n > 0)
}
