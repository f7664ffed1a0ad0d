//! Exporters and backends: where spans, logs and metrics are sent.
//!
//! An exporter only encodes and sends one batch; the [`pipeline`](crate::pipeline) does queueing,
//! retries and counting. A [`Backend`] takes one or more signals, each by its own route. This module
//! has the backends that need no network: [`Memory`] for tests, [`Stdout`] for terminals, [`File`] for
//! log shippers.

mod backend;
#[cfg(feature = "elasticsearch")]
#[cfg_attr(docsrs, doc(cfg(feature = "elasticsearch")))]
pub mod elasticsearch;
mod file;
#[cfg(feature = "emf")]
#[cfg_attr(docsrs, doc(cfg(feature = "emf")))]
pub mod emf;
#[cfg(feature = "clickhouse")]
#[cfg_attr(docsrs, doc(cfg(feature = "clickhouse")))]
pub mod clickhouse;
#[cfg(feature = "graphite")]
#[cfg_attr(docsrs, doc(cfg(feature = "graphite")))]
pub mod graphite;
#[cfg(feature = "influx")]
#[cfg_attr(docsrs, doc(cfg(feature = "influx")))]
pub mod influx;
#[cfg(feature = "journal")]
#[cfg_attr(docsrs, doc(cfg(feature = "journal")))]
pub mod journal;
#[cfg(feature = "loki")]
#[cfg_attr(docsrs, doc(cfg(feature = "loki")))]
pub mod loki;
mod memory;
#[cfg(feature = "broker")]
#[cfg_attr(docsrs, doc(cfg(feature = "broker")))]
pub mod message;
#[cfg(feature = "nats")]
#[cfg_attr(docsrs, doc(cfg(feature = "nats")))]
pub mod nats;
#[cfg(feature = "otlp")]
#[cfg_attr(docsrs, doc(cfg(feature = "otlp")))]
pub mod otlp;
#[cfg(feature = "prometheus")]
pub mod prometheus;
#[cfg(feature = "rabbitmq")]
#[cfg_attr(docsrs, doc(cfg(feature = "rabbitmq")))]
pub mod rabbitmq;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub mod redis;
#[cfg(feature = "remote-write")]
#[cfg_attr(docsrs, doc(cfg(feature = "remote-write")))]
pub mod remote_write;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))))]
pub mod sql;
#[cfg(feature = "statsd")]
#[cfg_attr(docsrs, doc(cfg(feature = "statsd")))]
pub mod statsd;
mod stdout;
#[cfg(feature = "syslog")]
#[cfg_attr(docsrs, doc(cfg(feature = "syslog")))]
pub mod syslog;
mod wire;
#[cfg(feature = "zipkin")]
#[cfg_attr(docsrs, doc(cfg(feature = "zipkin")))]
pub mod zipkin;

pub use backend::{Backend, Routes};
pub use file::{File, FileBuilder, Rotation};
pub use memory::Memory;
pub use stdout::Stdout;

pub use crate::pipeline::{
    Batch, Deadline, Encoder, ExportError, ExportResult, Exporter, Payload, Route, SendResult,
    Sender, Setup,
};
