//! What is written, read back by a strict reader of the format; what is sent, and what becomes of it.

mod answers;
mod conformance;
mod hostile;
mod reader;
mod records;
mod sending;

use std::time::Duration;

use self::reader::{Point, read};
use super::*;
use crate::{
    metric::{Registry, Temporality},
    pipeline::{Batch, Payload, Setup},
    resource::Resource,
};

const LONG: Duration = Duration::from_secs(20);

fn influx() -> Influx {
    Influx::v1("http://127.0.0.1:8086", "shop")
}

/// What `encoder` makes of `records`, in a service `shop`.
fn payload<S>(mut encoder: impl Encoder<S>, records: Vec<S>) -> Payload
where
    S: Signal,
{
    encoder.start(&Setup::new(Resource::service("shop"))).unwrap();
    encoder.encode(&Batch::from(records))
}

fn points_of(payload: &Payload) -> Vec<Point> {
    for record in payload.records() {
        // Each is one line, or none.
        let n = read(str::from_utf8(record).unwrap()).expect("a line of the protocol").len();
        assert_eq!(n, usize::from(!record.is_empty()), "{record:?}");
    }
    let all = read(str::from_utf8(payload.bytes()).unwrap()).expect("lines of the protocol");
    assert_eq!(all.len(), payload.records().filter(|record| !record.is_empty()).count());
    all
}

fn metrics(influx: &Influx, registry: &Registry) -> Payload {
    let points = registry.snapshot().data_points(Temporality::Cumulative);
    payload(influx.metrics_encoder(), points)
}
