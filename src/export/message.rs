//! What messages of brokers hold.
//!
//! A broker keeps messages for others to read: `export::redis`, `export::nats`, `export::rabbitmq`. What is in them is a
//! matter of its own, a [`MessageFormat`]:
//!
//! | format | feature | a message |
//! |---|---|---|
//! | [`JsonLines`], the default | | a line of JSON for each record |
//! | `otlp::OtlpMessages` | `otlp` | a request of OTLP, in protobuf or JSON |
//! | `influx::InfluxMessages` | `influx` | lines of InfluxDB's protocol |
//!
//! # Which records are in a message?
//!
//! As many as fit, in their order; a batch is never waited for. A backend that is `keyed` puts only records of one
//! trace, or of one series, into a message, and gives it their key; `max_message_records(1)` sends each by itself.
//!
//! # What a message has besides
//!
//! | header | what it is |
//! |---|---|
//! | `id` | the message's name: the same when it is sent again, in each process, and after a restart from a spool |
//! | `signal` | `spans`, `metrics` or `logs` |
//! | `content-type` | what is in it |
//! | `key` | where keys are on: the trace's id, or a number for the series' name and labels that is the same in each process; 32 hexadecimal digits |
//! | `traceparent` | where keys are on, of spans and log records of a span: the trace, and the first record's span |
//!
//! Each broker's page says where they are. A record is sent again in another message where the other records of it
//! were settled meanwhile, or were cut otherwise: then the id is another one too.

pub use super::wire::message::{JsonLines, MessageFormat};
