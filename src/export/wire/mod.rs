//! Encodings that exporters share. They know records, but no backend.

#[allow(dead_code, reason = "not every backend needs all of it")]
pub(crate) mod counts;
#[cfg(any(feature = "influx", feature = "emf", feature = "loki", feature = "syslog"))]
pub(crate) mod doubling;
#[cfg(any(feature = "clickhouse", feature = "elasticsearch", feature = "emf"))]
pub(crate) mod familiar;
#[cfg(any(
    feature = "statsd",
    feature = "graphite",
    feature = "influx",
    feature = "emf",
    feature = "elasticsearch",
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql"
))]
pub(crate) mod figures;
#[cfg(test)]
pub(crate) mod hostile;
pub(crate) mod json;
pub(crate) mod lines;
pub(crate) mod log;
#[cfg(feature = "broker")]
#[allow(dead_code, unused_imports, unused_macros, reason = "not every broker needs all of it")]
pub(crate) mod message;
#[cfg(any(
    feature = "prometheus",
    feature = "statsd",
    feature = "graphite",
    feature = "influx",
    feature = "emf",
    feature = "elasticsearch",
    feature = "clickhouse"
))]
#[allow(dead_code, reason = "not every backend needs all of it")]
pub(crate) mod number;
#[cfg(any(feature = "statsd", feature = "influx"))]
pub(crate) mod packed;
pub(crate) mod point;
#[cfg(any(feature = "syslog", feature = "journal"))]
pub(crate) mod priority;
#[cfg(any(feature = "otlp", feature = "remote-write", feature = "loki"))]
#[allow(dead_code, reason = "not every backend needs all of it")]
pub(crate) mod protobuf;
#[cfg(all(test, feature = "http-client"))]
pub(crate) mod receiver;
pub(crate) mod record;
#[cfg(any(
    feature = "broker",
    feature = "clickhouse",
    feature = "elasticsearch",
    feature = "influx",
    feature = "otlp",
    feature = "sql"
))]
#[allow(dead_code, reason = "not every backend needs all of it")]
pub(crate) mod signals;
pub(crate) mod span;
#[cfg(any(feature = "graphite", feature = "emf"))]
pub(crate) mod streamed;
#[cfg(any(feature = "statsd", feature = "graphite"))]
pub(crate) mod text;
mod utc;
