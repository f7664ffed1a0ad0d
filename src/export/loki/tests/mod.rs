//! What is written, read back by readers that are not ours; what is sent, and what becomes of it.

mod answers;
mod hostile;
mod reader;
mod records;
mod sending;

use std::time::Duration;

use self::reader::{Entry, read};
use super::*;
use crate::{
    clock::Timestamp,
    log::LogSeverity,
    pipeline::{Batch, Payload, Setup},
    resource::Resource,
};

const LONG: Duration = Duration::from_secs(20);

/// 2020-01-01.
const NOON: u64 = 1_577_836_800_000_000_000;

fn loki() -> Loki {
    Loki::new("https://loki.example.com")
}

fn setup() -> Setup {
    let resource = Resource::service("shop").with("host.name", "here").with("zone", "b");
    Setup::new(resource)
}

fn record(body: impl Into<crate::label::Value>) -> LogRecord {
    let time = Timestamp::from_unix_nanos(NOON);
    LogRecord::new(LogSeverity::INFO, body).with_time(time)
}

/// What `loki` makes of `records`.
fn payload(loki: &Loki, records: Vec<LogRecord>) -> Payload {
    let mut encoder = loki.logs_encoder();
    encoder.start(&setup()).unwrap();
    encoder.encode(&Batch::from(records))
}

/// The entries of the request that `loki` makes of `records`.
fn entries(loki: &Loki, records: Vec<LogRecord>) -> Vec<Entry> {
    let form = loki.options.form;
    let payload = payload(loki, records);
    read(form, &form.body(&request::streams(&payload)).unwrap())
}

/// The entry of one record, which is the same in both forms.
fn entry(loki: &Loki, record: &LogRecord) -> Entry {
    let [protobuf] = entries(loki, vec![record.clone()]).try_into().unwrap();
    let json = loki.clone().form(LokiForm::Json);
    let [json] = entries(&json, vec![record.clone()]).try_into().unwrap();
    assert_eq!(protobuf, json);
    protobuf
}
