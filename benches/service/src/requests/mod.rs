//! A request of axum in full: a span, rates, errors and durations, and the caller's trace context; the same
//! with one log line that has the trace's id.
//!
//! A `Router` of one route is called in its own process, without sockets, on a runtime of one thread. Each
//! request has a `host` and a `traceparent` of a sampled trace, the handler reads the path, and the answer,
//! a small fixed body, is read to its end. Every record goes to an exporter that counts it and drops it:
//! queues, batches and threads are at work, networks are not. The flush at the end is part of what is
//! measured, and a subject fails unless every request is in its metrics and every span and log line
//! has arrived or is counted as lost. What has another trace's id than its request's counts as lost too.
//!
//! What each does is in its file: [`ours`], [`otel`], [`traced`], [`lines`], [`fast`].

mod app;
mod fast;
mod lines;
mod otel;
mod ours;
mod red;
mod traced;

use crate::Subject;

const REQUEST: &str = "a request of axum: span, RED metrics, propagation";
const LOGGED: &str = "a request of axum: the same, and one log line that has the trace's id";

pub fn subjects() -> Vec<Subject> {
    let subject = |work, name, prepare| Subject { work, name, prepare, n: 500_000 };
    let pair = |name, plain, logged| [subject(REQUEST, name, plain), subject(LOGGED, name, logged)];
    let mut subjects: Vec<_> = [
        pair(crate::BARE, app::bare, app::bare),
        pair(crate::OURS, ours::plain, ours::logged),
        pair("OpenTelemetry alone", otel::plain, otel::logged),
        pair("OpenTelemetry, tracing", traced::plain, traced::logged),
        pair("metrics, tracing's JSON", lines::plain, lines::logged),
        pair("metrics, fastrace", fast::plain, fast::logged),
    ]
    .into_iter()
    .flatten()
    .collect();
    subjects.push(subject(LOGGED, "bellwether, lines of JSON in a file", ours::to_file));
    subjects.push(subject(LOGGED, "metrics, fastrace, an event in its span", fast::event));
    subjects.sort_by_key(|subject| subject.work == LOGGED);
    subjects
}
