//! Counters and histograms with two labels behind held handles, and the Prometheus text of them all.
//!
//! metriken is not among the libraries, for its exposition crate writes no Prometheus text; nor is
//! hdrhistogram, which exposes nothing.

use crate::{
    labels::{AnyText, Closed, ClosedSet, FastRequest, Open, OpenSet, Place, Request, Texts},
    otel, recorder,
};
use bellwether::{
    Unit,
    export::prometheus::{Format, Page},
    metric::{Aggregation, BoundCounter, BoundHistogram, HistogramOptions, Registry},
    resource::Resource,
};
use measured::{
    CounterVec, HistogramVec,
    label::LabelGroupSet,
    metric::{MetricFamilyEncoding, group::Encoding, histogram::Thresholds, name::MetricName},
    text::BufferedTextEncoder,
};
use opentelemetry::{KeyValue, metrics::MeterProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{DEFAULT_BUCKETS, HistogramOpts, IntCounterVec, Opts, TextEncoder};
use std::sync::LazyLock;

/// Takes a page, as the bytes that a scrape is answered with.
pub type Read<'a> = dyn FnMut(&[u8]) + 'a;

/// What a library keeps and shows.
pub trait Exposed: Send + Sized + 'static {
    const LIBRARY: &'static str;
    const IDIOM: &'static str;
    type Counter: Send + Sync + 'static;
    type Histogram: Send + Sync + 'static;

    fn new() -> Self;
    /// A family's counters, one for each label set.
    fn counters(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Counter>;
    fn histograms(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Histogram>;
    fn add(counter: &Self::Counter, n: u64);
    fn record(histogram: &Self::Histogram, seconds: f64);
    /// Hands the page over in a buffer that is kept, where the library lets it.
    fn render(&mut self, read: &mut Read);
}

pub struct Prometheus {
    registry: prometheus::Registry,
    text: String,
}

impl Exposed for Prometheus {
    const LIBRARY: &'static str = "prometheus";
    const IDIOM: &'static str = "gather, encode_utf8";
    type Counter = prometheus::IntCounter;
    type Histogram = prometheus::Histogram;

    fn new() -> Self {
        Self { registry: prometheus::Registry::new(), text: String::new() }
    }

    fn counters(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Counter> {
        let family = IntCounterVec::new(Opts::new(name, "A counter"), &["method", "status"]);
        let family = family.expect("legal names");
        self.registry.register(Box::new(family.clone())).expect("a new name");
        texts.all().map(|(method, status)| family.with_label_values(&[method, status])).collect()
    }

    fn histograms(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Histogram> {
        let opts = HistogramOpts::new(name, "A histogram");
        let family = prometheus::HistogramVec::new(opts, &["method", "status"]);
        let family = family.expect("legal names");
        self.registry.register(Box::new(family.clone())).expect("a new name");
        texts.all().map(|(method, status)| family.with_label_values(&[method, status])).collect()
    }

    fn add(counter: &Self::Counter, n: u64) {
        counter.inc_by(n);
    }

    fn record(histogram: &Self::Histogram, seconds: f64) {
        histogram.observe(seconds);
    }

    fn render(&mut self, read: &mut Read) {
        self.text.clear();
        TextEncoder::new()
            .encode_utf8(&self.registry.gather(), &mut self.text)
            .expect("it encodes");
        read(self.text.as_bytes());
    }
}

#[derive(Default)]
pub struct PrometheusClient {
    registry: prometheus_client::registry::Registry,
    text: String,
}

type ClientHistogram = prometheus_client::metrics::histogram::Histogram;

impl Exposed for PrometheusClient {
    const LIBRARY: &'static str = "prometheus-client";
    const IDIOM: &'static str = "text::encode";
    type Counter = prometheus_client::metrics::counter::Counter;
    type Histogram = ClientHistogram;

    fn new() -> Self {
        Self::default()
    }

    fn counters(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Counter> {
        type Family<M> = prometheus_client::metrics::family::Family<Request, M>;
        let family = Family::<Self::Counter>::default();
        self.registry.register(name, "A counter", family.clone());
        let of = |(method, status)| family.get_or_create_owned(&Request { method, status });
        texts.all().map(of).collect()
    }

    fn histograms(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Histogram> {
        use prometheus_client::metrics::family::Family;
        let new: fn() -> ClientHistogram = || ClientHistogram::new(DEFAULT_BUCKETS.iter().copied());
        let family = Family::<Request, ClientHistogram, _>::new_with_constructor(new);
        self.registry.register(name, "A histogram", family.clone());
        let of = |(method, status)| family.get_or_create_owned(&Request { method, status });
        texts.all().map(of).collect()
    }

    fn add(counter: &Self::Counter, n: u64) {
        counter.inc_by(n);
    }

    fn record(histogram: &Self::Histogram, seconds: f64) {
        histogram.observe(seconds);
    }

    fn render(&mut self, read: &mut Read) {
        self.text.clear();
        prometheus_client::encoding::text::encode(&mut self.text, &self.registry)
            .expect("it encodes");
        read(self.text.as_bytes());
    }
}

#[derive(Default)]
pub struct Fastmetrics {
    registry: fastmetrics::registry::Registry,
    text: String,
}

impl Exposed for Fastmetrics {
    const LIBRARY: &'static str = "fastmetrics";
    const IDIOM: &'static str = "text::encode";
    type Counter = fastmetrics::metrics::counter::Counter;
    type Histogram = fastmetrics::metrics::histogram::Histogram;

    fn new() -> Self {
        Self::default()
    }

    fn counters(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Counter> {
        type Family<M> = fastmetrics::metrics::family::Family<FastRequest, M>;
        let family = Family::<Self::Counter>::default();
        self.registry.register(name.to_owned(), "A counter", family.clone()).expect("a new name");
        let of = |(method, status)| {
            family.with_or_new(&FastRequest { method, status }, Self::Counter::clone)
        };
        texts.all().map(of).collect()
    }

    fn histograms(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Histogram> {
        type Family<M> = fastmetrics::metrics::family::Family<FastRequest, M>;
        let new = || Self::Histogram::new(DEFAULT_BUCKETS.iter().copied());
        let family = Family::<Self::Histogram>::new(new);
        self.registry.register(name.to_owned(), "A histogram", family.clone()).expect("a new name");
        let of = |(method, status)| {
            family.with_or_new(&FastRequest { method, status }, Self::Histogram::clone)
        };
        texts.all().map(of).collect()
    }

    fn add(counter: &Self::Counter, n: u64) {
        counter.inc_by(n);
    }

    fn record(histogram: &Self::Histogram, seconds: f64) {
        histogram.observe(seconds);
    }

    fn render(&mut self, read: &mut Read) {
        use fastmetrics::format::text::{TextProfile, encode};
        self.text.clear();
        encode(&mut self.text, &self.registry, TextProfile::PrometheusV0_0_4).expect("it encodes");
        read(self.text.as_bytes());
    }
}

/// measured with a set of labels that is closed, as on a page, or open.
pub struct Measured<S: Two> {
    counters: Vec<(String, &'static CounterVec<S>)>,
    histograms: Vec<(String, &'static HistogramVec<S, 11>)>,
    encoder: BufferedTextEncoder,
}

pub trait Two: LabelGroupSet + Send + Sync + 'static {
    const IDIOM: &'static str;

    fn of_two() -> Self;
    fn group(texts: &'static Texts, place: Place) -> Self::Group<'static>;
}

impl Two for ClosedSet<10> {
    const IDIOM: &'static str = "dense, BufferedTextEncoder";

    fn of_two() -> Self {
        Self
    }

    fn group(_: &'static Texts, place: Place) -> Closed<10> {
        Closed(place)
    }
}

impl Two for OpenSet {
    const IDIOM: &'static str = "ThreadedRodeo, BufferedTextEncoder";

    fn of_two() -> Self {
        Self::new()
    }

    fn group(texts: &'static Texts, place: Place) -> Open<'static> {
        let (method, status) = texts.at(place);
        Open { method, status }
    }
}

fn sets<S: Two>(texts: &'static Texts) -> impl Iterator<Item = S::Group<'static>> {
    let n = texts.methods.len();
    (0..n * n).map(move |i| S::group(texts, Place { method: i / n, status: i % n }))
}

impl<S: Two> Exposed for Measured<S>
where
    S::Unique: Send + Sync + Copy,
{
    const LIBRARY: &'static str = "measured";
    const IDIOM: &'static str = S::IDIOM;
    type Counter = (&'static CounterVec<S>, measured::metric::LabelId<S>);
    type Histogram = (&'static HistogramVec<S, 11>, measured::metric::LabelId<S>);

    fn new() -> Self {
        let encoder = BufferedTextEncoder::new();
        Self { counters: Vec::new(), histograms: Vec::new(), encoder }
    }

    fn counters(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Counter> {
        let family: &_ = Box::leak(Box::new(CounterVec::with_label_set(S::of_two())));
        self.counters.push((name.to_owned(), family));
        sets::<S>(texts).map(|set| (family, family.with_labels(set))).collect()
    }

    fn histograms(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Histogram> {
        let thresholds = Thresholds::with_buckets(*DEFAULT_BUCKETS);
        let family = HistogramVec::with_label_set_and_metadata(S::of_two(), thresholds);
        let family: &_ = Box::leak(Box::new(family));
        self.histograms.push((name.to_owned(), family));
        sets::<S>(texts).map(|set| (family, family.with_labels(set))).collect()
    }

    fn add((family, id): &Self::Counter, n: u64) {
        family.get_metric(*id).inc_by(n);
    }

    fn record((family, id): &Self::Histogram, seconds: f64) {
        family.get_metric(*id).observe(seconds);
    }

    fn render(&mut self, read: &mut Read) {
        for (name, family) in &self.counters {
            let name = MetricName::try_from_str(name).expect("a legal name");
            let Ok(()) = self.encoder.write_help(name, "A counter");
            let Ok(()) = family.collect_family_into(name, &mut self.encoder);
        }
        for (name, family) in &self.histograms {
            let name = MetricName::try_from_str(name).expect("a legal name");
            let Ok(()) = self.encoder.write_help(name, "A histogram");
            let Ok(()) = family.collect_family_into(name, &mut self.encoder);
        }
        read(&self.encoder.finish());
    }
}

pub struct Metrics {
    recorder: metrics_exporter_prometheus::PrometheusRecorder,
    text: Vec<u8>,
}

impl Exposed for Metrics {
    const LIBRARY: &'static str = "metrics";
    const IDIOM: &'static str = "render_to_write";
    type Counter = metrics::Counter;
    type Histogram = metrics::Histogram;

    fn new() -> Self {
        Self { recorder: recorder::new(), text: Vec::new() }
    }

    fn counters(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Counter> {
        let of = |(method, status)| metrics::counter!(name.to_owned(), "method" => method, "status" => status);
        metrics::with_local_recorder(&self.recorder, || texts.all().map(of).collect())
    }

    fn histograms(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Histogram> {
        let of = |(method, status)| metrics::histogram!(name.to_owned(), "method" => method, "status" => status);
        metrics::with_local_recorder(&self.recorder, || texts.all().map(of).collect())
    }

    fn add(counter: &Self::Counter, n: u64) {
        counter.increment(n);
    }

    fn record(histogram: &Self::Histogram, seconds: f64) {
        histogram.record(seconds);
    }

    fn render(&mut self, read: &mut Read) {
        self.text.clear();
        self.recorder.handle().render_to_write(&mut self.text).expect("a vector takes it");
        read(&self.text);
    }
}

pub struct Opentelemetry {
    provider: SdkMeterProvider,
    prometheus: Prometheus,
}

fn attributes(texts: &'static Texts) -> impl Iterator<Item = [KeyValue; 2]> {
    texts.all().map(|(m, s)| [KeyValue::new("method", m), KeyValue::new("status", s)])
}

impl Exposed for Opentelemetry {
    const LIBRARY: &'static str = "opentelemetry";
    const IDIOM: &'static str = "its Prometheus exporter";
    type Counter = opentelemetry::metrics::BoundCounter<u64>;
    type Histogram = opentelemetry::metrics::BoundHistogram<f64>;

    fn new() -> Self {
        let prometheus = Prometheus::new();
        let exporter =
            opentelemetry_prometheus::exporter().with_registry(prometheus.registry.clone());
        let reader = exporter.build().expect("a new registry");
        let provider =
            SdkMeterProvider::builder().with_reader(reader).with_view(otel::room_for_many);
        Self { provider: provider.build(), prometheus }
    }

    fn counters(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Counter> {
        let counter = self.provider.meter("peers").u64_counter(name.to_owned()).build();
        attributes(texts).map(|set| counter.bind(&set)).collect()
    }

    fn histograms(&mut self, name: &str, texts: &'static Texts) -> Vec<Self::Histogram> {
        let meter = self.provider.meter("peers");
        let histogram =
            meter.f64_histogram(name.to_owned()).with_boundaries(DEFAULT_BUCKETS.to_vec());
        let histogram = histogram.build();
        attributes(texts).map(|set| histogram.bind(&set)).collect()
    }

    fn add(counter: &Self::Counter, n: u64) {
        counter.add(n);
    }

    fn record(histogram: &Self::Histogram, seconds: f64) {
        histogram.record(seconds);
    }

    fn render(&mut self, read: &mut Read) {
        self.prometheus.render(read);
    }
}

/// Bellwether with histograms of a kind: by default, of 11 bounds, or in HDR ticks of a nanosecond.
pub struct Bellwether<const KIND: usize> {
    pub registry: &'static Registry,
    page: Page,
}

pub const WITHIN: usize = 0;
pub const BOUNDS: usize = 1;
pub const HDR: usize = 2;

impl<const KIND: usize> Bellwether<KIND> {
    pub fn of(registry: &'static Registry) -> Self {
        Self { registry, page: Page::new(Format::Text) }
    }
}

impl<const KIND: usize> Exposed for Bellwether<KIND> {
    const LIBRARY: &'static str = "bellwether";
    const IDIOM: &'static str =
        ["histograms within 1 %", "histograms of 11 bounds", "histograms in HDR ticks"][KIND];
    type Counter = BoundCounter;
    type Histogram = BoundHistogram;

    fn new() -> Self {
        let registry = Registry::builder().series_limit(20_000).byte_budget(1 << 30).build();
        Self::of(Box::leak(Box::new(registry)))
    }

    fn counters(&mut self, name: &str, texts: &'static Texts) -> Vec<BoundCounter> {
        let family = self.registry.counter(name, "A counter").labels().build();
        let family = family.expect("a legal name");
        texts.all().map(|(method, status)| family.bind(AnyText { method, status })).collect()
    }

    fn histograms(&mut self, name: &str, texts: &'static Texts) -> Vec<BoundHistogram> {
        let options = match KIND {
            WITHIN => HistogramOptions::new(),
            BOUNDS => HistogramOptions::new().aggregation(Aggregation::Explicit(DEFAULT_BUCKETS)),
            _ => HistogramOptions::new().aggregation(Aggregation::Hdr { significant_digits: 3 }),
        };
        let unit = if KIND == HDR { Unit::new("ns") } else { Unit::Seconds };
        let family = self.registry.histogram(name, "A histogram").unit(unit).options(options);
        let family = family.labels().build().expect("a legal name");
        texts.all().map(|(method, status)| family.bind(AnyText { method, status })).collect()
    }

    fn add(counter: &BoundCounter, n: u64) {
        counter.add(n);
    }

    fn record(histogram: &BoundHistogram, seconds: f64) {
        histogram.record(if KIND == HDR { seconds * 1e9 } else { seconds });
    }

    fn render(&mut self, read: &mut Read) {
        static RESOURCE: LazyLock<Resource> = LazyLock::new(|| Resource::service("peers"));
        read(self.page.render_registry(self.registry, &RESOURCE));
    }
}
