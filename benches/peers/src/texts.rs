//! Two labels given as texts at each call: known ones, interned ones, and any.
//!
//! Peers are handed static texts, which the fastest of them want; bellwether's threads have copies of
//! their own, so that no pointer is one that was seen before. metriken is not among them: its series
//! are leased or numbered, never looked up by their labels.

use crate::{
    counters::sum_of,
    floors,
    harness::{Effort, Loop, Pace, Recording, Stretch, Subject, Walk, Working},
    labels::{
        AnyText, FastRequest, Interned, Listed, Open, OpenSet, Place, Places, Request, Texts,
    },
    otel, recorder,
    table::{At, Row, Table, row},
};
use bellwether::{
    Counter, Labels,
    metric::{Registry, View, Views},
};
use measured::CounterVec;
use opentelemetry::KeyValue;
use prometheus::{IntCounterVec, Opts};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const HUNDRED: &str = "any text, 100 sets of 16 bytes";
const COUNTED: &str = "count!, 100 sets of 16 bytes";
const LISTED: &str = "listed texts, 100 sets";
const INTERNED: &str = "interned texts, 100 sets";

pub fn hundred(effort: Effort) -> Table {
    let (texts, over) = (Texts::few(), Loop::over(Places::<10>));
    let mut subjects = vec![floors::hash(texts, over)];
    subjects.extend(peers(over, texts));
    subjects.extend([
        any(over, texts, any_row(HUNDRED)),
        counted::<0, _, _>(over, texts, COUNTED),
        listed(over, texts),
        interned(over, texts, INTERNED, |at| 0.6 * at.ours(HUNDRED)),
    ]);
    Recording::new("labels as texts at each call, 100 sets", subjects).measure(effort)
}

/// Short ones, which lie in place in a series; and two lengths that do not.
pub fn ten_thousand<const BYTES: usize>(effort: Effort) -> Table {
    let (texts, over) = (Texts::new(100, BYTES), Loop::over(Places::<100>));
    let [any_text, count, title] = match BYTES {
        16 => [
            "any text, 10,000 sets of 16 bytes",
            "count!, 10,000 sets of 16 bytes",
            "labels as texts at each call, 10,000 sets of 16 bytes",
        ],
        40 => [
            "any text, 10,000 sets of 40 bytes",
            "count!, 10,000 sets of 40 bytes",
            "labels as texts at each call, 10,000 sets of 40 bytes",
        ],
        _ => [
            "any text, 10,000 sets of 100 bytes",
            "count!, 10,000 sets of 100 bytes",
            "labels as texts at each call, 10,000 sets of 100 bytes",
        ],
    };
    let mut subjects = vec![floors::hash(texts, over)];
    subjects.extend(peers(over, texts));
    subjects
        .extend([any(over, texts, any_row(any_text)), counted::<BYTES, _, _>(over, texts, count)]);
    if BYTES == 16 {
        let limit = |at: &At| 0.6 * at.ours("any text, 10,000 sets of 16 bytes");
        subjects.push(interned(over, texts, "interned texts, 10,000 sets of 16 bytes", limit));
    }
    Recording::new(title, subjects).measure(effort)
}

/// The series are there; a new thread records into each of them once.
pub fn first_touch(effort: Effort) -> Table {
    let (texts, over) = (Texts::new(100, 40), Loop::over(Places::<100>));
    let mut subjects = peers(over, texts);
    subjects.push(any(over, texts, row("a new thread's first 10,000 sets of any text", "")));
    let recording = Recording::new("a new thread's first 10,000 sets of any text", subjects);
    Recording { stretch: Stretch::NewThread(10_000), ..recording }.measure(effort)
}

pub fn beside_work(effort: Effort) -> Table {
    let (texts, over) = (Texts::few(), Loop::over(Places::<10>).at::<Working>());
    let what = "any text, added to 65 ns of own work";
    let mut subjects = vec![over.own_work()];
    subjects.extend(peers(over, texts));
    subjects.push(any(over, texts, row(what, "").budget("5 ns", |_| 5.0)));
    Recording::new(what, subjects).measure(effort)
}

fn any_row(what: &'static str) -> Row {
    row(what, floors::HASH)
        .budget("hash + 8 ns, ahead of peers, 0.4 x at 2T", beyond_hash::<8>)
        .flat()
}

fn beyond_hash<const NANOS: u64>(at: &At) -> f64 {
    let peer = if at.threads == 1 { at.best_peer() } else { 0.4 * at.best_seen() };
    (at.floor(floors::HASH) + NANOS as f64).min(peer)
}

/// The texts of one thread.
struct Own(Vec<String>, Vec<String>);

impl Own {
    fn of(texts: &Texts) -> Self {
        let copies = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self(copies(&texts.methods), copies(&texts.statuses))
    }

    #[inline(always)]
    fn at(&self, place: Place) -> (&str, &str) {
        (&self.0[place.method], &self.1[place.status])
    }
}

/// A counter in a registry of its own, with room for every set.
fn roomy<L: Labels>() -> (&'static Registry, &'static Counter<L>) {
    let registry: &'static Registry = Box::leak(Box::new(Registry::with_series_limit(20_000)));
    let counter = registry.counter("peers.texts", "Labels at each call").labels().build();
    (registry, Box::leak(Box::new(counter.expect("a legal name"))))
}

fn total(registry: &Registry) -> u64 {
    sum_of(registry, "peers.texts")
}

fn any<W: Walk<Item = Place>, P: Pace>(
    over: Loop<W, P>,
    texts: &'static Texts,
    row: Row,
) -> Subject {
    let (registry, counter) = roomy::<AnyText<'static>>();
    let operation = |(counter, own): &mut (&'static Counter<AnyText<'static>>, Own),
                     place: Place| {
        let (method, status) = own.at(place);
        let counter: &Counter<AnyText<'_>> = counter;
        counter.with(AnyText { method, status }).inc();
    };
    over.ours_holding(row, (), move |_| (counter, Own::of(texts)), operation, |_| total(registry))
}

fn listed<W: Walk<Item = Place>, P: Pace>(over: Loop<W, P>, texts: &'static Texts) -> Subject {
    let (registry, counter) = roomy::<Listed<'static>>();
    let operation = |(counter, own): &mut (&'static Counter<Listed<'static>>, Own),
                     place: Place| {
        let (method, status) = own.at(place);
        let counter: &Counter<Listed<'_>> = counter;
        counter.with(Listed { method, status }).inc();
    };
    let row =
        row(LISTED, floors::HASH).budget("0.6 x any text", |at| 0.6 * at.ours(HUNDRED)).flat();
    over.ours_holding(row, (), move |_| (counter, Own::of(texts)), operation, |_| total(registry))
}

fn interned<W: Walk<Item = Place>, P: Pace>(
    over: Loop<W, P>,
    texts: &'static Texts,
    what: &'static str,
    limit: fn(&At) -> f64,
) -> Subject {
    let (registry, counter) = roomy::<Interned<'static>>();
    let operation = |(counter, own): &mut (&'static Counter<Interned<'static>>, Own),
                     place: Place| {
        let (method, status) = own.at(place);
        let counter: &Counter<Interned<'_>> = counter;
        counter.with(Interned { method, status }).inc();
    };
    let row = row(what, floors::HASH).budget("0.6 x any text", limit).flat();
    over.ours_holding(row, (), move |_| (counter, Own::of(texts)), operation, |_| total(registry))
}

/// Each size has a name of its own, and room: the global registry's limit is 2,000 sets.
fn counted<const BYTES: usize, W: Walk<Item = Place>, P: Pace>(
    over: Loop<W, P>,
    texts: &'static Texts,
    what: &'static str,
) -> Subject {
    let views = Views::new([View::new("peers.counted.*").limit(20_000)]);
    Registry::global().set_views(views.expect("legal views"));
    let name = match BYTES {
        0 => "peers.counted.few",
        16 => "peers.counted.short",
        40 => "peers.counted.middle",
        _ => "peers.counted.long",
    };
    let operation = |own: &mut Own, place: Place| {
        let (method, status) = own.at(place);
        match BYTES {
            0 => bellwether::count!("peers.counted.few", method, status),
            16 => bellwether::count!("peers.counted.short", method, status),
            40 => bellwether::count!("peers.counted.middle", method, status),
            _ => bellwether::count!("peers.counted.long", method, status),
        }
    };
    let row = row(what, floors::HASH)
        .budget("hash + 12 ns, ahead of peers, 0.4 x at 2T", beyond_hash::<12>)
        .flat();
    over.ours_holding(row, (), |_| Own::of(texts), operation, |_| sum_of(Registry::global(), name))
}

fn peers<W: Walk<Item = Place>, P: Pace>(over: Loop<W, P>, texts: &'static Texts) -> Vec<Subject> {
    let keys = ["method", "status"];
    let new = || IntCounterVec::new(Opts::new("texts", "Texts"), &keys).expect("legal names");
    let vec_sum = move |vec: &IntCounterVec| {
        texts.all().map(|(method, status)| vec.with_label_values(&[method, status]).get()).sum()
    };
    type Client = prometheus_client::metrics::counter::Counter;
    type ClientFamily = prometheus_client::metrics::family::Family<Request, Client>;
    type Fast = fastmetrics::metrics::counter::Counter;
    type FastFamily = fastmetrics::metrics::family::Family<FastRequest, Fast>;
    // Each workload has its own names, where a library keeps them for the life of the process.
    static NAMES: AtomicUsize = AtomicUsize::new(0);
    let name: &'static str = format!("texts_{}_end", NAMES.fetch_add(1, Relaxed)).leak();
    let (reader, otel) = (recorder::global(), otel::meter().u64_counter(name).build());
    vec![
        over.peer(
            "prometheus",
            "with_label_values",
            new(),
            move |vec, place| {
                let (method, status) = texts.at(place);
                vec.with_label_values(&[method, status]).inc();
            },
            vec_sum,
        ),
        over.peer_holding(
            "prometheus local",
            "LocalIntCounterVec: unseen until the thread flushes it",
            new(),
            move |vec| FlushedVec(vec.local()),
            move |vec, place| {
                let (method, status) = texts.at(place);
                vec.0.with_label_values(&[method, status]).inc();
            },
            vec_sum,
        ),
        over.peer(
            "prometheus-client",
            "Family::get_or_create",
            ClientFamily::default(),
            move |family, place| {
                let (method, status) = texts.at(place);
                family.get_or_create(&Request { method, status }).inc();
            },
            move |family| {
                let of = |(method, status)| family.get_or_create(&Request { method, status }).get();
                texts.all().map(of).sum()
            },
        ),
        over.peer(
            "fastmetrics",
            "Family::with_or_new",
            FastFamily::default(),
            move |family, place| {
                let (method, status) = texts.at(place);
                family.with_or_new(&FastRequest { method, status }, |counter| counter.inc());
            },
            move |family| {
                let of = |(method, status)| {
                    family.with_or_new(&FastRequest { method, status }, |counter| counter.total())
                };
                texts.all().map(of).sum()
            },
        ),
        over.peer(
            "measured",
            "ThreadedRodeo, sparse CounterVec::inc",
            CounterVec::with_label_set(OpenSet::new()),
            move |vec, place| {
                let (method, status) = texts.at(place);
                vec.inc(Open { method, status });
            },
            move |vec| {
                let of = |(method, status)| vec.with_labels(Open { method, status });
                texts.all().map(|set| vec.get_metric(of(set)).count.load(Relaxed)).sum()
            },
        ),
        over.peer(
            "metrics",
            "counter! with two labels",
            (),
            move |_, place| {
                let (method, status) = texts.at(place);
                metrics::counter!(name, "method" => method, "status" => status).increment(1);
            },
            move |_| recorder::sum_on_page(&reader.render(), name, name),
        ),
        over.peer(
            "opentelemetry",
            "attributes at each call",
            otel,
            move |counter, place| {
                let (method, status) = texts.at(place);
                counter.add(1, &[KeyValue::new("method", method), KeyValue::new("status", status)]);
            },
            move |_| otel::total(name),
        ),
    ]
}

struct FlushedVec(prometheus::local::LocalIntCounterVec);

impl Drop for FlushedVec {
    fn drop(&mut self) {
        self.0.flush();
    }
}
