//! What a receiver gets, decoded by a decoder that is not ours, and held against the rules that every
//! request must keep.
//!
//! The names in brackets, `[retry_on_503]`, are the scenarios of the public compliance suite for senders.

mod answers;
mod labels;
mod proto;
mod protocol;
mod readings;
mod values;

use std::{collections::BTreeMap, io::Write as _, sync::Arc, time::Duration};

use prost::Message as _;

use self::proto::{Histogram, v1, v2};
use super::*;
use crate::{
    clock::Ticks,
    context::{SpanId, TraceId},
    export::wire::receiver::{Receiver, Request, answer},
    label::LabelSet,
    metric::{
        Exemplar, Family, HistogramSnapshot, Kind, PageBounds, Series, SeriesValue, Snapshot,
        SummarySnapshot, Temporality, Unit,
    },
    pipeline::{
        Batch, Deadline, DropReason, Encoder as _, Payload, Pipe, QueueReport, Retry, SendResult,
        Sender as _, Setup,
    },
    resource::Resource,
};

const LONG: Duration = Duration::from_secs(20);

/// A series as a receiver sees it, whichever the version.
#[derive(Clone, Debug, Default)]
struct Got {
    labels: BTreeMap<String, String>,
    values: Vec<(f64, i64)>,
    starts: Vec<i64>,
    histograms: Vec<Histogram>,
    exemplars: Vec<(BTreeMap<String, String>, f64, i64)>,
    /// Type, help and unit.
    metadata: Option<(u32, String, String)>,
    created: i64,
}

impl Got {
    fn name(&self) -> &str {
        &self.labels["__name__"]
    }

    /// The series as on a page, without the labels of the target.
    fn key(&self) -> String {
        let hidden = ["__name__", "job", "instance"];
        let labels = self.labels.iter().filter(|(name, _)| !hidden.contains(&&***name));
        let labels: Vec<_> = labels.map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{}{{{}}}", self.name(), labels.join(","))
    }

    fn value(&self) -> f64 {
        assert_eq!(self.values.len(), 1, "{self:?}");
        self.values[0].0
    }

    fn is_stale(&self) -> bool {
        const STALE: u64 = 0x7ff0_0000_0000_0002;
        let mut floats = self.values.iter().map(|(value, _)| value.to_bits());
        let mut sums = self.histograms.iter().map(|one| one.sum.to_bits());
        floats.all(|bits| bits == STALE) && sums.all(|bits| bits == STALE)
    }

    fn at(&self) -> i64 {
        let of_values = self.values.iter().map(|(_, at)| *at);
        of_values.chain(self.histograms.iter().map(|one| one.timestamp)).next().unwrap()
    }
}

/// All series of a request, by their keys.
type All = BTreeMap<String, Got>;

/// The series of a request, which is held against the rules of its version.
fn decoded(request: &Request) -> All {
    let body = snap::raw::Decoder::new().decompress_vec(&request.body).expect("the block format");
    let got = match request.header("content-type").unwrap() {
        "application/x-protobuf" => decoded_v1(&body),
        _ => decoded_v2(&body),
    };
    by_key(got)
}

/// The series by their keys; each keeps the rules, and none is there twice.
fn by_key(got: Vec<Got>) -> All {
    let mut all = All::new();
    for one in got {
        check(&one);
        let key = if one.histograms.is_empty() { one.key() } else { one.key() + " native" };
        assert!(all.insert(key.clone(), one).is_none(), "{key} twice");
    }
    all
}

fn decoded_v1(body: &[u8]) -> Vec<Got> {
    let request = v1::WriteRequest::decode(body).expect("protobuf of 1.0");
    let pairs = |labels: &[v1::Label]| {
        let pairs: Vec<_> =
            labels.iter().map(|one| (one.name.clone(), one.value.clone())).collect();
        sorted(pairs)
    };
    let series = request.timeseries.iter().map(|one| Got {
        labels: pairs(&one.labels),
        values: one.samples.iter().map(|one| (one.value, one.timestamp)).collect(),
        starts: one.samples.iter().map(|one| one.start_timestamp).collect(),
        histograms: one.histograms.clone(),
        exemplars: (one.exemplars.iter())
            .map(|one| (pairs(&one.labels), one.value, one.timestamp))
            .collect(),
        metadata: None,
        created: 0,
    });
    series.collect()
}

fn decoded_v2(body: &[u8]) -> Vec<Got> {
    let v2::Request { symbols, timeseries } = v2::Request::decode(body).expect("protobuf of 2.0");
    // [empty_string_at_index_zero, string_deduplication, efficient_symbol_reuse]
    assert_eq!(symbols[0], "");
    let mut distinct = symbols.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), symbols.len(), "a text stands twice: {symbols:?}");
    let text = |place: u32| symbols[place as usize].clone(); // [labels_refs_valid_indices]
    let pairs = |refs: &[u32]| {
        assert!(refs.len().is_multiple_of(2)); // [labels_refs_even_length, exemplar_labels_even_length]
        sorted(refs.chunks(2).map(|pair| (text(pair[0]), text(pair[1]))).collect())
    };
    let series = timeseries.iter().map(|one| Got {
        labels: pairs(&one.labels_refs),
        values: one.samples.iter().map(|one| (one.value, one.timestamp)).collect(),
        starts: (one.samples.iter().map(|one| one.start_timestamp))
            .chain(one.histograms.iter().map(|one| one.start_timestamp))
            .collect(),
        histograms: one.histograms.clone(),
        exemplars: (one.exemplars.iter())
            .map(|one| (pairs(&one.labels_refs), one.value, one.timestamp)) // [exemplar_labels_valid_refs]
            .collect(),
        // [metadata_help_refs_valid]
        metadata: one
            .metadata
            .as_ref()
            .map(|one| (one.kind, text(one.help_ref), text(one.unit_ref))),
        created: one.created_timestamp,
    });
    series.collect()
}

/// The labels as a map: they are sorted by name, and none stands twice.
fn sorted(pairs: Vec<(String, String)>) -> BTreeMap<String, String> {
    // [label_lexicographic_ordering, no_duplicate_label_names]
    assert!(pairs.is_sorted_by(|a, b| a.0 < b.0), "{pairs:?}");
    pairs.into_iter().collect()
}

/// The rules that each series must keep.
fn check(got: &Got) {
    let legal = |name: &str, more: char| {
        let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == more;
        name.chars().all(is_legal)
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
    };
    // [metric_name_label_present, metric_name_format_valid, label_name_format_valid,
    //  label_names_not_empty, reserved_label_prefix]
    assert!(legal(got.name(), ':'), "{got:?}");
    for name in got.labels.keys() {
        assert!(legal(name, '_'), "{got:?}");
        assert!(name == "__name__" || !name.starts_with("__"), "{got:?}");
    }
    // [job_instance_labels_present]
    assert!(got.labels.contains_key("job") && got.labels.contains_key("instance"), "{got:?}");
    // [histogram_no_mixed_with_samples, mixed_sample_and_histogram_families]
    assert_eq!(got.values.len() + got.histograms.len(), 1, "{got:?}");
    // [timestamp_int64_milliseconds, timestamp_milliseconds_format]
    assert!(got.at() > 1_000_000_000_000, "{got:?}");
    // [start_timestamp_before_sample_timestamp, start_timestamp_zero_handling]
    let starts = got.starts.iter().chain([&got.created]);
    assert!(starts.clone().all(|&start| start == 0 || start < got.at()), "{got:?}");
}

/// The resource of the tests.
fn shop() -> Resource {
    Resource::default()
        .with("service.name", "shop")
        .with("service.namespace", "eu")
        .with("service.instance.id", "i-1")
}

/// A server that takes everything, and says so.
fn taking() -> Receiver {
    Receiver::answering([written(200, usize::MAX >> 1)])
}

/// An answer that says how many samples were written.
fn written(status: u16, n: usize) -> String {
    let headers = format!(
        "X-Prometheus-Remote-Write-Samples-Written: {n}\r\n\
         X-Prometheus-Remote-Write-Histograms-Written: 0\r\n\
         X-Prometheus-Remote-Write-Exemplars-Written: 0\r\n"
    );
    answer(status, &headers, "")
}

/// The milliseconds of a date, so many seconds after the start of the tests.
fn date(seconds: i64) -> i64 {
    1_577_836_800_000 + 1_000 * seconds
}

fn ticks(millis: i64) -> Ticks {
    Ticks::of_unix_nanos(millis.cast_unsigned() * 1_000_000)
}

fn family(name: &str, kind: Kind, unit: Unit, help: &str, series: Vec<Series>) -> Family {
    let (name, help) = (name.to_owned().into(), help.to_owned().into());
    let page_bounds = PageBounds::default();
    Family { name, kind, unit, help, page_bounds, begins_at_zero: true, series }
}

/// A series whose sum began at the start.
fn series(labels: &[(&str, &str)], value: SeriesValue) -> Series {
    let labels = LabelSet::new(labels.iter().map(|&(key, value)| (key.to_owned(), value)));
    Series::new(labels, value, ticks(date(0)))
}

fn gauge(labels: &[(&str, &str)], value: f64) -> Family {
    family("level", Kind::Gauge, Unit::NONE, "", vec![series(labels, SeriesValue::Gauge(value))])
}

fn counter(labels: &[(&str, &str)], value: u64) -> Family {
    let series = vec![series(labels, SeriesValue::Counter(value))];
    family("hits", Kind::Counter, Unit::NONE, "Hits", series)
}

fn histogram(values: &[f64]) -> SeriesValue {
    SeriesValue::Histogram(Arc::new(HistogramSnapshot::of(values)))
}

fn waits(values: &[f64]) -> Family {
    let series = vec![series(&[("pool", "io")], histogram(values))];
    family("wait", Kind::Histogram, Unit::Seconds, "Time to wait", series)
}

fn summary(values: &[f64]) -> Family {
    let window = (Duration::from_secs(10), HistogramSnapshot::of(values));
    let (count, sum) = (values.len() as u64, values.iter().sum());
    let value = SummarySnapshot { count, sum, windows: vec![window] };
    let series = vec![series(&[], SeriesValue::Summary(Arc::new(value)))];
    family("load", Kind::Summary, Unit::NONE, "", series)
}

/// One family of each kind.
fn every_kind() -> Vec<Family> {
    let one = |name: &str, kind, labels: &[(&str, &str)], value| {
        family(name, kind, Unit::NONE, "", vec![series(labels, value)])
    };
    vec![
        counter(&[("code", "200")], 7),
        one("money", Kind::Counter, &[], SeriesValue::FloatCounter(2.5)),
        one("jobs", Kind::UpDownCounter, &[], SeriesValue::UpDownCounter(-3)),
        gauge(&[], 0.25),
        waits(&[0.1, 1.0, 3.0]),
        summary(&[1.0, 2.0]),
        one("build", Kind::Info, &[("version", "1.2")], SeriesValue::Info),
        one("state", Kind::StateSet, &[("state", "up")], SeriesValue::State(true)),
    ]
}

/// An encoder and a sender, and the server that they send to.
struct Ends {
    points: Points,
    post: Post,
    server: Receiver,
}

impl Ends {
    fn new(change: impl FnOnce(RemoteWrite) -> RemoteWrite) -> Self {
        Self::with(taking(), change)
    }

    fn with(server: Receiver, change: impl FnOnce(RemoteWrite) -> RemoteWrite) -> Self {
        let RemoteWrite { endpoint, version, options } =
            change(RemoteWrite::new(server.endpoint("/api/v1/write")));
        let mut points = Points::new(options);
        points.start(&Setup::new(shop())).unwrap();
        Self { points, post: Post::new(HttpClient::new(endpoint), version), server }
    }

    /// The payload of a reading that was taken at a second.
    fn encoded(&mut self, second: i64, families: Vec<Family>) -> Payload {
        self.encoded_at(date(second), families)
    }

    fn encoded_at(&mut self, millis: i64, families: Vec<Family>) -> Payload {
        let snapshot = Snapshot::new(ticks(date(0)), ticks(millis), families);
        let batch = Batch::from(snapshot.data_points(Temporality::Cumulative));
        let payload = self.points.encode(&batch);
        assert_eq!(payload.len(), batch.len(), "a record for each point");
        payload
    }

    fn send(&mut self, payload: &Payload) -> SendResult {
        self.post.send(payload, &Deadline::after(LONG))
    }

    /// What the server gets of a reading.
    fn got(&mut self, second: i64, families: Vec<Family>) -> All {
        let payload = self.encoded(second, families);
        self.got_of(&payload)
    }

    fn got_of(&mut self, payload: &Payload) -> All {
        self.send(payload).unwrap();
        decoded(&self.server.request())
    }
}

/// What a server gets of one reading by default.
fn got(families: Vec<Family>) -> All {
    Ends::new(|remote_write| remote_write.without_target_info()).got(10, families)
}

/// The only series.
fn only(all: &All) -> &Got {
    assert_eq!(all.len(), 1, "{all:?}");
    all.values().next().unwrap()
}

fn keys(all: &All) -> Vec<&str> {
    all.keys().map(|key| &**key).collect()
}

#[test]
fn every_scenario_of_the_compliance_suite_is_tested_here() {
    let Ok(folder) = std::env::var("BELLWETHER_CONFORMANCE") else {
        let line = "SKIPPED: scenarios of remote write: BELLWETHER_CONFORMANCE is unset\n";
        let _ = std::io::stderr().write_all(line.as_bytes());
        return;
    };
    let list = format!("{folder}/prometheus-compliance/remote-write-sender.md");
    let list = std::fs::read_to_string(list).unwrap();
    let tests = [
        include_str!("mod.rs"),
        include_str!("answers.rs"),
        include_str!("labels.rs"),
        include_str!("protocol.rs"),
        include_str!("readings.rs"),
        include_str!("values.rs"),
    ]
    .concat();
    let mut named =
        tests.split('[').filter_map(|part| part.split_once(']')).flat_map(|(names, _)| {
            names
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .filter(|name| !name.is_empty())
        });
    let named: std::collections::HashSet<&str> = named.by_ref().collect();
    let scenarios = list.lines().filter(|line| line.starts_with("- **")).flat_map(|line| {
        let all = line.split_once("**: ").map_or("", |(_, all)| all);
        all.split("; ").map(|one| one.split(' ').next().unwrap())
    });
    let scenarios: Vec<&str> = scenarios.collect();
    assert!(scenarios.len() > 100, "{}", scenarios.len());
    let missing: Vec<_> = scenarios.iter().filter(|one| !named.contains(*one)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
