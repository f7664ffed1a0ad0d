//! What is written, read back by a strict reader of the bulk API; what is sent, and what becomes of it; what is asked.

mod answers;
mod asking;
mod hostile;
mod installing;
mod reader;
mod records;
mod sending;

use std::time::Duration;

use self::reader::{Doc, read};
use super::*;
use crate::{
    metric::{Registry, Temporality},
    pipeline::{Batch, Payload, Setup, Signal},
    resource::Resource,
};

const LONG: Duration = Duration::from_secs(20);

fn elastic() -> Elasticsearch {
    Elasticsearch::new("https://elastic.example.com")
}

/// What `encoder` makes of `records`, in a service `shop`.
fn payload<S: Signal>(mut encoder: impl Encoder<S>, records: Vec<S>) -> Payload {
    encoder.start(&Setup::new(Resource::service("shop"))).unwrap();
    encoder.encode(&Batch::from(records))
}

/// The documents of a payload, as they are sent.
fn docs_of(payload: &Payload) -> Vec<Doc> {
    let docs = read(&sender::body(payload)).unwrap();
    assert_eq!(docs.len(), payload.records().filter(|record| !record.is_empty()).count());
    docs
}

fn metrics(elastic: &Elasticsearch, registry: &Registry) -> Payload {
    let points = registry.snapshot().data_points(Temporality::Cumulative);
    payload(elastic.metrics_encoder(), points)
}
