//! A page of 10,000 counters and 1,000 histograms, with two labels each; and what backends make of them.
//!
//! The budget is a ratio to copying the page's bytes, which is measured beside it. A page is kept from
//! scrape to scrape, as the listener keeps it; the first one is measured apart.

use std::{borrow::Cow, hint::black_box};

use bellwether::{
    context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState},
    export::{
        Encoder,
        clickhouse::ClickHouse,
        elasticsearch::Elasticsearch,
        emf::Emf,
        graphite::Graphite,
        influx::Influx,
        journal::Journal,
        loki::{Loki, LokiForm},
        prometheus::{Format, Page, gzip},
        statsd::Statsd,
        syslog::Syslog,
    },
    label::Labels,
    log::{LogRecord, LogSeverity},
    metric::{DataPoint, Registry, Snapshot, Temporality, Unit},
    pipeline::{Batch, Setup},
    resource::Resource,
    trace::{SpanKind, SpanRecord},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// 100 routes, as text.
struct Route(String);

impl Labels for Route {
    const KEYS: &'static [&'static str] = &["http.request.method", "http.route"];
    const CARDINALITY: Option<usize> = None;

    fn index(&self) -> usize {
        0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each("GET");
        each(&self.0);
    }

    fn at(_index: usize) -> Vec<Cow<'static, str>> {
        Vec::new()
    }
}

/// Two snapshots of one registry, between which every series was recorded into. Each histogram has
/// values over nine octaves, in as many different cells as `cells`.
fn snapshots(cells: i32) -> [Snapshot; 2] {
    let registry = Registry::new();
    [(); 2].map(|()| {
        record(&registry, cells);
        registry.snapshot()
    })
}

fn record(registry: &Registry, cells: i32) {
    let routes = || (0..100_u32).map(|i| (i, Route(format!("/route/{i}"))));
    for family in 0..100 {
        let name = format!("bench.counter.{family}");
        let counter =
            registry.counter(&name, "A counter").labels::<Route>().build().expect("a legal name");
        for (i, route) in routes() {
            counter.bind(route).add(u64::from(i + 1) * 123_457);
        }
    }
    for family in 0..10 {
        let name = format!("bench.duration.{family}");
        let histogram = registry
            .histogram(&name, "A histogram")
            .unit(Unit::Seconds)
            .labels::<Route>()
            .build()
            .expect("a legal name");
        for (_, route) in routes() {
            let series = histogram.bind(route);
            let step = 512f64.powf(f64::from(cells).recip());
            (0..1000).for_each(|i| series.record(0.001 * step.powi(i % cells)));
        }
    }
}

fn encode(c: &mut Criterion) {
    let ([snapshot, later], [wide, _]) = (snapshots(40), snapshots(500));
    let resource = Resource::service("bench");
    let mut group = c.benchmark_group("encode");
    for (name, format) in [
        ("text", Format::Text),
        ("openmetrics", Format::OpenMetrics),
        ("protobuf", Format::Protobuf),
    ] {
        let mut page = Page::new(format);
        let bytes = page.render(&snapshot, &resource).to_vec();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| page.render(black_box(&snapshot), &resource).len());
        });
        group.bench_function(format!("{name}_all_changed"), |b| {
            let mut turn = 0;
            b.iter(|| {
                turn += 1;
                let snapshot = if turn % 2 == 0 { &snapshot } else { &later };
                page.render(black_box(snapshot), &resource).len()
            });
        });
        group.bench_function(format!("{name}_memcpy"), |b| {
            let mut copy = Vec::new();
            b.iter(|| {
                copy.clear();
                copy.extend_from_slice(black_box(&bytes));
                black_box(copy.last().copied())
            });
        });
        group.bench_function(format!("{name}_first"), |b| {
            b.iter(|| Page::new(format).render(black_box(&snapshot), &resource).len());
        });
        group.bench_function(format!("{name}_of_500_cells"), |b| {
            b.iter(|| page.render(black_box(&wide), &resource).len());
        });
    }
    let text = Page::new(Format::Text).render(&snapshot, &resource).to_vec();
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("text_gzip", |b| b.iter(|| gzip(black_box(&text)).len()));
    group.finish();
}

/// What backends of metrics send: 5,000 points at a time, of which InfluxDB's own documentation makes a request.
fn points(c: &mut Criterion) {
    let influx = Influx::v1("https://influx.example.com", "bench");
    measure(c, "influx", || influx.metrics_encoder());
    measure(c, "statsd", || Statsd::udp("127.0.0.1:8125").encoder());
    measure(c, "graphite", || Graphite::new("127.0.0.1:2003").encoder());
    let clickhouse = ClickHouse::new("https://clickhouse.example.com");
    measure(c, "clickhouse", || clickhouse.encoder::<DataPoint>());
    let elastic = Elasticsearch::new("https://elastic.example.com");
    measure(c, "elasticsearch", || elastic.metrics_encoder());
    measure(c, "emf", || Emf::stdout("Bench").encoder());
}

/// Counters and histograms by one backend's encoder.
fn measure<E: Encoder<DataPoint>>(c: &mut Criterion, backend: &str, encoder: impl Fn() -> E) {
    let mut group = c.benchmark_group(backend);
    let [snapshot, _] = snapshots(40);
    let points = snapshot.data_points(Temporality::Cumulative);
    let (histograms, counters): (Vec<_>, Vec<_>) =
        points.into_iter().partition(|point| point.name().contains("duration"));
    for (name, points) in [("counters", counters), ("histograms", histograms)] {
        let mut encoder = encoder();
        encoder.start(&setup()).expect("nothing is wrong with it");
        let batch = Batch::from(points.into_iter().take(5_000).collect::<Vec<_>>());
        group.throughput(Throughput::Elements(batch.len() as u64));
        group.bench_function(name, |b| b.iter(|| encoder.encode(black_box(&batch)).len()));
    }
    group.finish();
}

/// Spans and log records as lines of InfluxDB and as documents of Elasticsearch, a batch at a time.
fn records(c: &mut Criterion) {
    let influx = Influx::v1("https://influx.example.com", "bench");
    measure_records(c, "influx", influx.spans_encoder(), influx.logs_encoder());
    let elastic = Elasticsearch::new("https://elastic.example.com");
    measure_records(c, "elasticsearch", elastic.spans_encoder(), elastic.logs_encoder());
}

fn measure_records(
    c: &mut Criterion,
    backend: &str,
    mut spans: impl Encoder<SpanRecord>,
    mut logs: impl Encoder<LogRecord>,
) {
    let mut group = c.benchmark_group(backend);
    spans.start(&setup()).expect("nothing is wrong with it");
    let batch = Batch::from((0..512).map(|_| span()).collect::<Vec<_>>());
    group.throughput(Throughput::Elements(batch.len() as u64));
    group.bench_function("spans", |b| b.iter(|| spans.encode(black_box(&batch)).len()));
    logs.start(&setup()).expect("nothing is wrong with it");
    let log =
        || LogRecord::new(LogSeverity::INFO, "the card was refused").with_attribute("cart", 7);
    let batch = Batch::from((0..512).map(|_| log()).collect::<Vec<_>>());
    group.bench_function("logs", |b| b.iter(|| logs.encode(black_box(&batch)).len()));
    group.finish();
}

fn setup() -> Setup {
    Setup::new(Resource::service("bench").with("service.instance.id", "i-1"))
}

/// Entries of Loki, a batch at a time, in both forms, with and without a label that is an attribute.
fn loki(c: &mut Criterion) {
    let mut group = c.benchmark_group("loki");
    let setup = Setup::new(Resource::service("bench").with("service.instance.id", "i-1"));
    let log = |n: u32| {
        let record = LogRecord::new(LogSeverity::INFO, "the card was refused").with_target("shop");
        record.with_attribute("cart", n).with_attribute("route", "/pay")
    };
    let batch = Batch::from((0..512).map(log).collect::<Vec<_>>());
    group.throughput(Throughput::Elements(batch.len() as u64));
    let loki = Loki::new("https://loki.example.com");
    for (name, loki) in [
        ("protobuf", loki.clone()),
        ("protobuf_label", loki.clone().label("route")),
        ("json", loki.form(LokiForm::Json)),
    ] {
        let mut encoder = loki.logs_encoder();
        encoder.start(&setup).expect("nothing is wrong with it");
        group.bench_function(name, |b| b.iter(|| encoder.encode(black_box(&batch)).len()));
    }
    group.finish();
}

fn span() -> SpanRecord {
    let mut span = SpanRecord::new("GET /orders").with_kind(SpanKind::Server);
    span.set_attribute("http.request.method", "GET");
    span.set_attribute("http.route", "/orders");
    span.set_attribute("http.response.status_code", 200);
    span
}

/// Records as macros make them, within a span.
fn system_logs(c: &mut Criterion) {
    let mut group = c.benchmark_group("system logs");
    let setup = Setup::new(Resource::service("bench"));
    let context = SpanContext::new(
        TraceId::from_u128(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736),
        SpanId::from_u64(0x00f0_67aa_0ba9_02b7),
        TraceFlags::SAMPLED,
        TraceState::EMPTY,
    );
    let log = LogRecord::new(LogSeverity::INFO, "the card was refused")
        .with_context(context)
        .with_target("shop::pay")
        .with_location("src/pay.rs", 42)
        .with_attribute("cart", 7)
        .with_attribute("http.route", "/orders");
    let batch = Batch::from(vec![log; 512]);
    group.throughput(Throughput::Elements(batch.len() as u64));
    let mut syslog = Syslog::tcp("127.0.0.1:601").logs_encoder();
    syslog.start(&setup).expect("nothing is wrong with it");
    group.bench_function("syslog", |b| b.iter(|| syslog.encode(black_box(&batch)).len()));
    let mut journal = Journal::new().logs_encoder();
    journal.start(&setup).expect("nothing is wrong with it");
    group.bench_function("journal", |b| b.iter(|| journal.encode(black_box(&batch)).len()));
    group.finish();
}

criterion_group!(benches, encode, points, records, loki, system_logs);
criterion_main!(benches);
