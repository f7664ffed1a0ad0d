//! A process's page: 10,000 counters and 1,000 histograms, in families of 100 series with two labels,
//! behind held handles of each library, and the Prometheus text of them all.
//!
//! metriken is not among them, for its exposition crate writes no Prometheus text; nor is hdrhistogram,
//! which exposes nothing.

use super::{
    labels::{Closed, ClosedSet, FastRequest, Method, Request, Sets, Status},
    m4::VALUES,
    recorder,
};
use crate::harness::{Role, Worker};
use measured::{
    CounterVec, HistogramVec,
    metric::{MetricFamilyEncoding, group::Encoding, histogram::Thresholds, name::MetricName},
    text::BufferedTextEncoder,
};
use opentelemetry::{KeyValue, metrics::MeterProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{DEFAULT_BUCKETS, HistogramOpts, IntCounterVec, Opts, TextEncoder};
use std::cell::Cell;

/// Families of counters.
pub const COUNTERS: usize = 100;
/// Families of histograms.
pub const HISTOGRAMS: usize = 10;
/// How many values a histogram gets when a page is filled.
const VALUES_EACH: usize = 1_000;

/// One library's page.
pub struct Page {
    pub library: &'static str,
    pub idiom: &'static str,
    pub role: Role,
    fill: Box<dyn Fn() + Send + Sync>,
    touch: Box<dyn Fn() + Send + Sync>,
    worker: Box<dyn Fn() -> Worker>,
    /// Hands the page over as what a scrape is answered with, bytes, in a buffer that it keeps where
    /// the library lets it.
    pub render: Render,
    counted: Cell<u64>,
    observed: Cell<u64>,
}

/// Takes a page, as the bytes that a scrape is answered with.
pub type Read<'a> = dyn FnMut(&[u8]) + 'a;

pub type Render = Box<dyn FnMut(&mut Read) + Send>;

impl Page {
    pub fn new<C: Send + Sync + 'static, H: Send + Sync + 'static>(
        library: &'static str,
        idiom: &'static str,
        (counters, histograms): (Vec<C>, Vec<H>),
        add: impl Fn(&C, u64) + Copy + Send + Sync + 'static,
        record: impl Fn(&H, f64) + Copy + Send + Sync + 'static,
        render: impl FnMut(&mut Read) + Send + 'static,
    ) -> Self {
        let (counters, histograms): (&'static [C], &'static [H]) =
            (counters.leak(), histograms.leak());
        assert_eq!((counters.len(), histograms.len()), (100 * COUNTERS, 100 * HISTOGRAMS));
        let fill = move || {
            counters.iter().zip(0..).for_each(|(counter, n)| add(counter, n));
            for histogram in histograms {
                VALUES.seconds[..VALUES_EACH].iter().for_each(|&value| record(histogram, value));
            }
        };
        let touch = move || {
            counters.iter().for_each(|counter| add(counter, 1));
            histograms.iter().for_each(|histogram| record(histogram, VALUES.seconds[0]));
        };
        let worker = move || -> Worker {
            let mut next = 0;
            Box::new(move |n| {
                for _ in 0..n {
                    add(&counters[next & 63], 1);
                    record(&histograms[next & 7], VALUES.seconds[next & 1023]);
                    next += 1;
                }
            })
        };
        Self {
            library,
            idiom,
            role: Role::Peer,
            fill: Box::new(fill),
            touch: Box::new(touch),
            worker: Box::new(worker),
            render: Box::new(render),
            counted: Cell::default(),
            observed: Cell::default(),
        }
    }

    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Adds to each counter its number and to each histogram the same values, from each of so many
    /// threads that live at the same time.
    pub fn fill(&self, threads: u64) {
        let (fill, barrier) = (&self.fill, std::sync::Barrier::new(threads as usize));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    fill();
                    barrier.wait();
                });
            }
        });
        let (counters, values) = (100 * COUNTERS as u64, 100 * (HISTOGRAMS * VALUES_EACH) as u64);
        self.count(threads * (0..counters).sum::<u64>(), threads * values);
    }

    /// Adds to each counter and each histogram once, from a thread of its own, as those that filled the
    /// page were.
    pub fn touch(&self) {
        let touch = &self.touch;
        std::thread::scope(|scope| scope.spawn(touch).join().expect("it does not panic"));
        self.count(100 * COUNTERS as u64, 100 * HISTOGRAMS as u64);
    }

    /// An operation is a counter, 64 in turn, and a histogram, eight in turn.
    pub fn worker(&self) -> impl FnMut(u64) {
        let mut worker = (self.worker)();
        move |n| {
            worker(n);
            self.count(n, n);
        }
    }

    fn count(&self, counted: u64, observed: u64) {
        self.counted.set(self.counted.get() + counted);
        self.observed.set(self.observed.get() + observed);
    }

    /// What was recorded and what the page says, each of counters and of histograms.
    pub fn totals(&mut self) -> [(u64, u64); 2] {
        let mut on_page = (0, 0);
        (self.render)(&mut |page| {
            let text = std::str::from_utf8(page).expect("text");
            on_page.0 = recorder::sum_on_page(text, "page_counter", "");
            on_page.1 = recorder::sum_on_page(text, "page_histogram", "_count");
        });
        [(self.counted.get(), self.observed.get()), on_page]
    }

    /// Panics unless the page's own totals are what was recorded.
    pub fn verify(&mut self) {
        let [recorded, on_page] = self.totals();
        assert_eq!(on_page, recorded, "{}: a wrong total", self.library);
    }
}

/// The names of so many families.
pub fn families(start: &'static str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |i| format!("{start}{i}"))
}

pub fn peers() -> Vec<Page> {
    vec![prometheus(), prometheus_client(), fastmetrics(), measured(), metrics(), otel()]
}

fn prometheus() -> Page {
    let registry = prometheus::Registry::new();
    let (mut counters, mut histograms) = (Vec::new(), Vec::new());
    for name in families("page_counter", COUNTERS) {
        let opts = Opts::new(name, "A counter");
        let family = IntCounterVec::new(opts, &["method", "status"]).expect("legal names");
        registry.register(Box::new(family.clone())).expect("a new name");
        let series = |(method, status)| family.with_label_values(&[method, status]);
        counters.extend(Sets::FEW.all().map(series));
    }
    for name in families("page_histogram", HISTOGRAMS) {
        let opts = HistogramOpts::new(name, "A histogram");
        let family = prometheus::HistogramVec::new(opts, &["method", "status"]);
        let family = family.expect("legal names");
        registry.register(Box::new(family.clone())).expect("a new name");
        let series = |(method, status)| family.with_label_values(&[method, status]);
        histograms.extend(Sets::FEW.all().map(series));
    }
    let add = |c: &prometheus::IntCounter, n| c.inc_by(n);
    let record = |h: &prometheus::Histogram, value| h.observe(value);
    let render = gathered(registry);
    Page::new("prometheus", "gather, encode_utf8", (counters, histograms), add, record, render)
}

fn gathered(registry: prometheus::Registry) -> impl FnMut(&mut Read) {
    let mut text = String::new();
    move |read| {
        text.clear();
        TextEncoder::new().encode_utf8(&registry.gather(), &mut text).expect("it encodes");
        read(text.as_bytes());
    }
}

fn prometheus_client() -> Page {
    use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
    let mut registry = prometheus_client::registry::Registry::default();
    let (mut counters, mut histograms) = (Vec::new(), Vec::new());
    let requests = || Sets::FEW.all().map(|(method, status)| Request { method, status });
    for name in families("page_counter", COUNTERS) {
        let family = Family::<Request, Counter>::default();
        registry.register(name, "A counter", family.clone());
        counters.extend(requests().map(|request| family.get_or_create_owned(&request)));
    }
    for name in families("page_histogram", HISTOGRAMS) {
        let new: fn() -> Histogram = || Histogram::new(DEFAULT_BUCKETS.iter().copied());
        let family = Family::<Request, Histogram, _>::new_with_constructor(new);
        registry.register(name, "A histogram", family.clone());
        histograms.extend(requests().map(|request| family.get_or_create_owned(&request)));
    }
    let add = |c: &Counter, n| {
        c.inc_by(n);
    };
    let mut text = String::new();
    let render = move |read: &mut Read| {
        text.clear();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("it encodes");
        read(text.as_bytes());
    };
    let handles = (counters, histograms);
    let record = |h: &Histogram, value| h.observe(value);
    Page::new("prometheus-client", "text::encode", handles, add, record, render)
}

fn fastmetrics() -> Page {
    use fastmetrics::{
        format::text::{TextProfile, encode},
        metrics::{counter::Counter, family::Family, histogram::Histogram},
    };
    let mut registry = fastmetrics::registry::Registry::default();
    let (mut counters, mut histograms) = (Vec::new(), Vec::new());
    let requests = || Sets::FEW.all().map(|(method, status)| FastRequest { method, status });
    for name in families("page_counter", COUNTERS) {
        let family = Family::<FastRequest, Counter>::default();
        registry.register(name, "A counter", family.clone()).expect("a new name");
        counters.extend(requests().map(|request| family.with_or_new(&request, Counter::clone)));
    }
    for name in families("page_histogram", HISTOGRAMS) {
        let new = || Histogram::new(DEFAULT_BUCKETS.iter().copied());
        let family = Family::<FastRequest, Histogram>::new(new);
        registry.register(name, "A histogram", family.clone()).expect("a new name");
        histograms.extend(requests().map(|request| family.with_or_new(&request, Histogram::clone)));
    }
    let mut text = String::new();
    let render = move |read: &mut Read| {
        text.clear();
        encode(&mut text, &registry, TextProfile::PrometheusV0_0_4).expect("it encodes");
        read(text.as_bytes());
    };
    let handles = (counters, histograms);
    let add = |c: &Counter, n| c.inc_by(n);
    let record = |h: &Histogram, value| h.observe(value);
    Page::new("fastmetrics", "text::encode", handles, add, record, render)
}

fn measured() -> Page {
    type Counters = CounterVec<ClosedSet<10>>;
    type Histograms = HistogramVec<ClosedSet<10>, 11>;
    let sets = || {
        let set = |(m, s)| Closed::<10> { method: Method(m as u8), status: Status(s as u8) };
        Sets::FEW.indices().map(set)
    };
    let counters: &'static [(String, Counters)] = families("page_counter", COUNTERS)
        .map(|name| (name, Counters::with_label_set(ClosedSet)))
        .collect::<Vec<_>>()
        .leak();
    let thresholds = || Thresholds::with_buckets(*DEFAULT_BUCKETS);
    let histograms: &'static [(String, Histograms)] = families("page_histogram", HISTOGRAMS)
        .map(|name| (name, Histograms::with_label_set_and_metadata(ClosedSet, thresholds())))
        .collect::<Vec<_>>()
        .leak();
    let counter_handles = counters
        .iter()
        .flat_map(|(_, family)| sets().map(move |set| (family, family.with_labels(set))));
    let histogram_handles = histograms
        .iter()
        .flat_map(|(_, family)| sets().map(move |set| (family, family.with_labels(set))));
    let mut encoder = BufferedTextEncoder::new();
    let render = move |read: &mut Read| {
        for (name, family) in counters {
            let name = MetricName::try_from_str(name).expect("a legal name");
            let Ok(()) = encoder.write_help(name, "A counter");
            let Ok(()) = family.collect_family_into(name, &mut encoder);
        }
        for (name, family) in histograms {
            let name = MetricName::try_from_str(name).expect("a legal name");
            let Ok(()) = encoder.write_help(name, "A histogram");
            let Ok(()) = family.collect_family_into(name, &mut encoder);
        }
        read(&encoder.finish());
    };
    let handles = (counter_handles.collect(), histogram_handles.collect());
    Page::new(
        "measured",
        "BufferedTextEncoder",
        handles,
        |(family, id), n| family.get_metric(*id).inc_by(n),
        |(family, id), value| family.get_metric(*id).observe(value),
        render,
    )
}

fn metrics() -> Page {
    let recorder = recorder::new();
    let reader = recorder.handle();
    let (counters, histograms) = metrics::with_local_recorder(&recorder, || {
        let counters = families("page_counter", COUNTERS).flat_map(|name| {
            Sets::FEW.all().map(move |(method, status)| {
                metrics::counter!(name.clone(), "method" => method, "status" => status)
            })
        });
        let histograms = families("page_histogram", HISTOGRAMS).flat_map(|name| {
            Sets::FEW.all().map(move |(method, status)| {
                metrics::histogram!(name.clone(), "method" => method, "status" => status)
            })
        });
        (counters.collect::<Vec<_>>(), histograms.collect::<Vec<_>>())
    });
    let mut text = Vec::new();
    let render = move |read: &mut Read| {
        text.clear();
        reader.render_to_write(&mut text).expect("a vector takes it");
        read(&text);
    };
    let add = |c: &metrics::Counter, n| c.increment(n);
    let record = |h: &metrics::Histogram, value| h.record(value);
    Page::new("metrics", "render_to_write", (counters, histograms), add, record, render)
}

fn otel() -> Page {
    use opentelemetry::metrics::{BoundCounter, BoundHistogram};
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build();
    let provider =
        SdkMeterProvider::builder().with_reader(exporter.expect("a new registry")).build();
    let meter = provider.meter("peers");
    let sets = || {
        let set = |(m, s)| [KeyValue::new("method", m), KeyValue::new("status", s)];
        Sets::FEW.all().map(set)
    };
    let counters = families("page_counter", COUNTERS).flat_map(|name| {
        let counter = meter.u64_counter(name).build();
        sets().map(move |set| counter.bind(&set))
    });
    let histograms = families("page_histogram", HISTOGRAMS).flat_map(|name| {
        let bounds = DEFAULT_BUCKETS.to_vec();
        let histogram = meter.f64_histogram(name).with_boundaries(bounds).build();
        sets().map(move |set| histogram.bind(&set))
    });
    let handles = (counters.collect(), histograms.collect());
    let add = |c: &BoundCounter<u64>, n| c.add(n);
    let record = |h: &BoundHistogram<f64>, value| h.record(value);
    let mut render = gathered(registry);
    let render = move |read: &mut Read| {
        let _alive = &provider;
        render(read);
    };
    Page::new("opentelemetry", "its Prometheus exporter", handles, add, record, render)
}
