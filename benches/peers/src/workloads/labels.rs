//! Two labels given at each call: the sets, and each peer's way to look a series up.
//!
//! metriken is not among them: its series are leased or numbered, never looked up by their labels.

use super::{otel, recorder};
use crate::harness::{Pace, Subject, repeat};
use measured::{
    CounterVec, LabelGroup,
    label::{LabelGroupSet, LabelGroupVisitor, LabelName, LabelValue, LabelVisitor},
    lasso::ThreadedRodeo,
};
use opentelemetry::KeyValue;
use prometheus::{IntCounterVec, Opts};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use std::sync::{LazyLock, atomic::Ordering::Relaxed};

/// `N` methods and `N` statuses: `N` times `N` label sets, recorded one after the other.
#[derive(Clone, Copy)]
pub struct Sets {
    pub methods: &'static [&'static str],
    pub statuses: &'static [&'static str],
}

const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];
const STATUSES: [&str; 10] = ["100", "200", "201", "204", "301", "304", "400", "404", "500", "503"];

impl Sets {
    /// 100 sets.
    pub const FEW: Self = Self { methods: &METHODS, statuses: &STATUSES };

    /// 10,000 sets.
    pub fn many() -> Self {
        static TEXTS: LazyLock<[Vec<&'static str>; 2]> = LazyLock::new(|| {
            ["shop.Orders/Method", "status-"]
                .map(|start| (0..100).map(|i| &*format!("{start}{i}").leak()).collect())
        });
        Self { methods: &TEXTS[0], statuses: &TEXTS[1] }
    }

    pub fn with<const N: usize>() -> Self {
        if N == 10 { Self::FEW } else { Self::many() }
    }

    /// Indices of one set after the other.
    pub fn walk(self) -> impl FnMut() -> (usize, usize) {
        let (mut method, mut status) = (0, 0);
        let (methods, statuses) = (self.methods.len(), self.statuses.len());
        move || {
            status += 1;
            if status == statuses {
                (method, status) = (if method + 1 == methods { 0 } else { method + 1 }, 0);
            }
            (method, status)
        }
    }

    pub fn indices(self) -> impl Iterator<Item = (usize, usize)> {
        let statuses = self.statuses.len();
        (0..self.methods.len()).flat_map(move |method| (0..statuses).map(move |s| (method, s)))
    }

    pub fn all(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.indices().map(move |(method, status)| (self.methods[method], self.statuses[status]))
    }
}

/// A counter with two labels of each peer; `name` is of this workload alone.
pub fn peers<const N: usize>(name: &'static str, pace: Pace) -> Vec<Subject> {
    let sets = Sets::with::<N>();
    vec![
        prometheus(sets, pace),
        prometheus_client(sets, pace),
        fastmetrics(sets, pace),
        measured_dense::<N>(pace),
        measured_sparse(sets, pace),
        metrics(name, sets, pace),
        otel(name, sets, pace),
    ]
}

/// A loop that hands `record` the texts of one set after the other.
fn over(
    sets: Sets,
    pace: Pace,
    mut record: impl FnMut(&'static str, &'static str) + 'static,
) -> crate::harness::Worker {
    let mut next = sets.walk();
    repeat(pace, move || {
        let (method, status) = next();
        record(sets.methods[method], sets.statuses[status]);
    })
}

fn prometheus(sets: Sets, pace: Pace) -> Subject {
    let opts = Opts::new("labelled", "Labelled");
    let counters = IntCounterVec::new(opts, &["method", "status"]).expect("legal names");
    let handle = counters.clone();
    let worker = move |_| {
        let counters = handle.clone();
        over(sets, pace, move |method, status| {
            counters.with_label_values(&[method, status]).inc();
        })
    };
    let value = move |(method, status)| counters.with_label_values(&[method, status]).get();
    Subject::new("prometheus", "with_label_values", worker, move || sets.all().map(&value).sum())
}

/// The label set of prometheus-client and fastmetrics.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Request {
    pub method: &'static str,
    pub status: &'static str,
}

fn prometheus_client(sets: Sets, pace: Pace) -> Subject {
    let family = Family::<Request, Counter>::default();
    let handle = family.clone();
    let worker = move |_| {
        let family = handle.clone();
        over(sets, pace, move |method, status| {
            family.get_or_create(&Request { method, status }).inc();
        })
    };
    let value = move |(method, status)| family.get_or_create(&Request { method, status }).get();
    let total = move || sets.all().map(&value).sum();
    Subject::new("prometheus-client", "Family::get_or_create", worker, total)
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, fastmetrics::derive::LabelSet)]
pub struct FastRequest {
    pub method: &'static str,
    pub status: &'static str,
}

pub fn fastmetrics(sets: Sets, pace: Pace) -> Subject {
    use fastmetrics::metrics::{counter::Counter, family::Family};
    let family = Family::<FastRequest, Counter>::default();
    let handle = family.clone();
    let worker = move |_| {
        let family = handle.clone();
        over(sets, pace, move |method, status| {
            family.with_or_new(&FastRequest { method, status }, |counter| counter.inc());
        })
    };
    let value = move |(method, status)| {
        family.with_or_new(&FastRequest { method, status }, |counter| counter.total())
    };
    let total = move || sets.all().map(&value).sum();
    Subject::new("fastmetrics", "Family::with_or_new", worker, total)
}

/// Two labels whose values are known beforehand.
#[derive(Clone, Copy)]
pub struct Closed<const N: usize> {
    pub method: Method<N>,
    pub status: Status<N>,
}

/// What measured keeps a dense vector by; its `derive` would write the same, save for any `N`.
pub struct ClosedSet<const N: usize>;

impl<const N: usize> LabelGroup for Closed<N> {
    fn visit_values(&self, visitor: &mut impl LabelGroupVisitor) {
        visitor.write_value(LabelName::from_str("method"), &self.method);
        visitor.write_value(LabelName::from_str("status"), &self.status);
    }
}

impl<const N: usize> LabelGroupSet for ClosedSet<N> {
    type Group<'a> = Closed<N>;
    type Unique = usize;

    fn cardinality(&self) -> Option<usize> {
        Some(N * N)
    }

    fn encode_dense(&self, value: usize) -> Option<usize> {
        Some(value)
    }

    fn decode_dense(&self, value: usize) -> Closed<N> {
        Closed { method: Method((value / N) as u8), status: Status((value % N) as u8) }
    }

    fn encode(&self, set: Closed<N>) -> Option<usize> {
        Some(usize::from(set.method.0) * N + usize::from(set.status.0))
    }

    fn decode(&self, value: &usize) -> Closed<N> {
        self.decode_dense(*value)
    }
}

#[derive(Clone, Copy)]
pub struct Method<const N: usize>(pub u8);

#[derive(Clone, Copy)]
pub struct Status<const N: usize>(pub u8);

macro_rules! closed_values {
    ($type:ident, $texts:ident) => {
        impl<const N: usize> LabelValue for $type<N> {
            fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
                visitor.write_str(Sets::with::<N>().$texts[usize::from(self.0)])
            }
        }
    };
}

closed_values!(Method, methods);
closed_values!(Status, statuses);

fn measured_dense<const N: usize>(pace: Pace) -> Subject {
    let counters = CounterVec::dense_with_label_set(ClosedSet::<N>);
    let counters: &'static _ = Box::leak(Box::new(counters));
    let sets = Sets::with::<N>();
    let worker = move |_| {
        let mut next = sets.walk();
        repeat(pace, move || {
            let (method, status) = next();
            counters.inc(Closed { method: Method(method as u8), status: Status(status as u8) });
        })
    };
    let value = |(method, status)| {
        let set = Closed { method: Method(method as u8), status: Status(status as u8) };
        counters.get_metric(counters.with_labels(set)).count.load(Relaxed)
    };
    let total = move || sets.indices().map(value).sum();
    Subject::new("measured", "closed set, dense CounterVec::inc", worker, total)
}

#[derive(Clone, Copy, measured::LabelGroup)]
#[label(set = OpenSet)]
pub struct Open<'a> {
    #[label(dynamic_with = ThreadedRodeo, default)]
    pub method: &'a str,
    #[label(dynamic_with = ThreadedRodeo, default)]
    pub status: &'a str,
}

fn measured_sparse(sets: Sets, pace: Pace) -> Subject {
    let counters: &'static _ = Box::leak(Box::new(CounterVec::with_label_set(OpenSet::new())));
    let worker =
        move |_| over(sets, pace, move |method, status| counters.inc(Open { method, status }));
    let value = |(method, status)| {
        counters.get_metric(counters.with_labels(Open { method, status })).count.load(Relaxed)
    };
    let total = move || sets.all().map(value).sum();
    Subject::new("measured", "ThreadedRodeo, sparse CounterVec::inc", worker, total)
}

fn metrics(name: &'static str, sets: Sets, pace: Pace) -> Subject {
    let reader = recorder::global();
    let worker = move |_| {
        over(sets, pace, move |method, status| {
            metrics::counter!(name, "method" => method, "status" => status).increment(1);
        })
    };
    let total = move || recorder::sum_on_page(&reader.render(), name, name);
    Subject::new("metrics", "counter! with two labels", worker, total)
}

fn otel(name: &'static str, sets: Sets, pace: Pace) -> Subject {
    let counter = otel::meter().u64_counter(name).build();
    let worker = move |_| {
        let counter = counter.clone();
        over(sets, pace, move |method, status| {
            counter.add(1, &[KeyValue::new("method", method), KeyValue::new("status", status)]);
        })
    };
    Subject::new("opentelemetry", "attributes at each call", worker, move || otel::total(name))
}
