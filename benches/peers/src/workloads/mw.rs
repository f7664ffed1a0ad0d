//! MW: what a recording adds to a thread that works for about 65 ns in between.

use super::{Budget, Figure, Figures, Workload, m1, m4, otel};
use crate::{
    bellwether_side,
    harness::{Pace, Subject, repeat, work_alone},
};
use opentelemetry::KeyValue;
use prometheus::{IntCounterVec, Opts};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

pub fn counter() -> Workload {
    added("MW counter", m1::counters(Pace::Working))
}

pub fn labels() -> Workload {
    let mut subjects = vec![prometheus_vec(), prometheus_client_family(), otel_attributes()];
    subjects.extend(bellwether_side::labels());
    added("MW two labels", subjects)
}

pub fn histogram() -> Workload {
    added("MW histogram", m4::histograms(Pace::Working))
}

fn added(name: &'static str, mut subjects: Vec<Subject>) -> Workload {
    subjects.insert(0, work_alone());
    let budget = |_: &Figures, _: &Figure| Budget { limit: 3.0, rule: "3 ns added" };
    Workload { name, subjects, burst: None, budget }
}

/// Two labels of ten values each: 100 sets, given at each call, one after the other.
pub const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];
pub const STATUSES: [&str; 10] =
    ["100", "200", "201", "204", "301", "304", "400", "404", "500", "503"];

/// Indices of one set after the other.
pub fn sets() -> impl FnMut() -> (usize, usize) {
    let (mut method, mut status) = (0, 0);
    move || {
        status += 1;
        if status == 10 {
            (method, status) = (if method == 9 { 0 } else { method + 1 }, 0);
        }
        (method, status)
    }
}

fn prometheus_vec() -> Subject {
    let opts = Opts::new("labelled", "Labelled");
    let counters = IntCounterVec::new(opts, &["method", "status"]).expect("legal names");
    let handle = counters.clone();
    let worker = move |_| {
        let (counters, mut next) = (handle.clone(), sets());
        repeat(Pace::Working, move || {
            let (method, status) = next();
            counters.with_label_values(&[METHODS[method], STATUSES[status]]).inc();
        })
    };
    let total = move || {
        let all = METHODS.iter().flat_map(|method| STATUSES.map(|status| [*method, status]));
        all.map(|values| counters.with_label_values(&values).get()).sum()
    };
    Subject::new("prometheus", "with_label_values", worker, total)
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    method: &'static str,
    status: &'static str,
}

fn prometheus_client_family() -> Subject {
    let family = Family::<Request, Counter>::default();
    let handle = family.clone();
    let worker = move |_| {
        let (family, mut next) = (handle.clone(), sets());
        repeat(Pace::Working, move || {
            let (method, status) = next();
            let set = Request { method: METHODS[method], status: STATUSES[status] };
            family.get_or_create(&set).inc();
        })
    };
    let total = move || {
        let all = METHODS.iter().flat_map(|method| STATUSES.map(|status| (*method, status)));
        all.map(|(method, status)| family.get_or_create(&Request { method, status }).get()).sum()
    };
    Subject::new("prometheus-client", "Family::get_or_create", worker, total)
}

fn otel_attributes() -> Subject {
    let counter = otel::meter().u64_counter("labelled").build();
    let worker = move |_| {
        let (counter, mut next) = (counter.clone(), sets());
        repeat(Pace::Working, move || {
            let (method, status) = next();
            let attributes = [
                KeyValue::new("method", METHODS[method]),
                KeyValue::new("status", STATUSES[status]),
            ];
            counter.add(1, &attributes);
        })
    };
    Subject::new("opentelemetry", "attributes at each call", worker, || otel::total("labelled"))
}
