//! The statements that make tables.

use super::options::{Options, quoted};

/// One statement for each table, and for the view of minutes; each may be run twice.
pub(super) fn statements(options: &Options) -> Vec<String> {
    let name = |table: &str| {
        let name = quoted(&format!("{}{table}", options.prefix));
        format!("{}.{name}", quoted(&options.database))
    };
    let ttl = |time: &str| match options.keep {
        Some(keep) => format!("\nTTL {time} + INTERVAL {} SECOND DELETE", keep.as_secs().max(1)),
        None => String::new(),
    };
    let table = |table: &str, columns: &str, order: &str| {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (\n{COMMON}{columns}\n) ENGINE = MergeTree\nPARTITION BY toDate(Timestamp)\n\
             ORDER BY ({order}){}\n{REMEMBERS}",
            name(table),
            ttl("toDateTime(Timestamp)"),
        )
    };
    let minutes = format!(
        "CREATE TABLE IF NOT EXISTS {} (\n{MINUTES}\n) ENGINE = AggregatingMergeTree\nPARTITION BY toDate(Minute)\n\
         ORDER BY (ServiceName, MetricName, Attributes, Minute){}\n{REMEMBERS}",
        name("minutes"),
        ttl("Minute"),
    );
    let view = format!(
        "CREATE MATERIALIZED VIEW IF NOT EXISTS {} TO {} AS\n{SELECT}\nFROM {}\n\
         GROUP BY ServiceName, MetricName, Attributes, Minute",
        name("minutes_view"),
        name("minutes"),
        name("samples"),
    );
    vec![
        table("traces", TRACES, "ServiceName, SpanName, toDateTime(Timestamp)"),
        table("logs", LOGS, "ServiceName, toDateTime(Timestamp)"),
        table("samples", SAMPLES, "ServiceName, MetricName, Attributes, Timestamp"),
        minutes,
        view,
    ]
}

/// How many inserts a table remembers, so that it takes none of them twice.
const REMEMBERS: &str = "SETTINGS non_replicated_deduplication_window = 10000";

const COMMON: &str = "    Timestamp DateTime64(9) CODEC(Delta, ZSTD),
    ServiceName LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD),
";

const TRACES: &str = "    TraceId String CODEC(ZSTD),
    SpanId String CODEC(ZSTD),
    ParentSpanId String CODEC(ZSTD),
    TraceState String CODEC(ZSTD),
    SpanName LowCardinality(String),
    SpanKind LowCardinality(String),
    ScopeName String CODEC(ZSTD),
    ScopeVersion String CODEC(ZSTD),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD),
    Duration UInt64 CODEC(ZSTD),
    StatusCode LowCardinality(String),
    StatusMessage String CODEC(ZSTD),
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes Map(LowCardinality(String), String)),
    Links Nested (TraceId String, SpanId String, TraceState String, Attributes Map(LowCardinality(String), String)),
    INDEX of_trace TraceId TYPE bloom_filter(0.001) GRANULARITY 1";

const LOGS: &str = "    TraceId String CODEC(ZSTD),
    SpanId String CODEC(ZSTD),
    TraceFlags UInt8,
    SeverityText LowCardinality(String),
    SeverityNumber UInt8,
    Body String CODEC(ZSTD),
    ScopeName String CODEC(ZSTD),
    ScopeVersion LowCardinality(String),
    EventName String CODEC(ZSTD),
    LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD),
    INDEX of_trace TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX of_body Body TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8";

const SAMPLES: &str = "    StartTimestamp DateTime64(9) CODEC(Delta, ZSTD),
    MetricName LowCardinality(String),
    MetricUnit LowCardinality(String),
    MetricKind LowCardinality(String),
    Temporality LowCardinality(String),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD),
    Value Float64 CODEC(ZSTD),
    Sum Float64 CODEC(ZSTD),
    Min Float64 CODEC(ZSTD),
    Max Float64 CODEC(ZSTD),
    P50 Float64 CODEC(ZSTD),
    P90 Float64 CODEC(ZSTD),
    P99 Float64 CODEC(ZSTD),
    Bounds Array(Float64) CODEC(ZSTD),
    Counts Array(UInt64) CODEC(ZSTD)";

const MINUTES: &str = "    Minute DateTime CODEC(Delta, ZSTD),
    ServiceName LowCardinality(String),
    MetricName LowCardinality(String),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD),
    Samples SimpleAggregateFunction(sum, UInt64),
    Sum SimpleAggregateFunction(sum, Float64),
    Min SimpleAggregateFunction(min, Float64),
    Max SimpleAggregateFunction(max, Float64),
    Last AggregateFunction(argMax, Float64, DateTime64(9))";

const SELECT: &str = "SELECT toStartOfMinute(Timestamp) AS Minute, ServiceName, MetricName, Attributes, count() AS Samples, \
                      sum(Value) AS Sum, min(Value) AS Min, max(Value) AS Max, argMaxState(Value, Timestamp) AS Last";
