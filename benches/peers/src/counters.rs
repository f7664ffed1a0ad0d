//! Counters and gauges by held handles: one, 64 in turn, or as many as a closed set has labels.

use crate::{
    floors,
    harness::{ALIKE, Effort, Flat, Loop, Pace, Recording, Subject, Working},
    labels::{Closed, ClosedSet, Enums, Flagged, Hundred, Method, Places, Status, Ten},
    otel, recorder,
    table::{At, Table, row},
};
use bellwether::{
    Counter, Gauge, UpDownCounter,
    metric::{BoundCounter, FloatCounter, Registry, Series},
};
use measured::CounterVec;
use metriken::ShardedCounterGroup;
use opentelemetry::{KeyValue, metrics::BoundCounter as OtelCounter};
use prometheus::{IntCounter, local};
use std::{
    hint::black_box,
    sync::{
        Arc, Barrier, LazyLock,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

const LOOP: &str = "4 x add";

pub fn in_a_loop(effort: Effort) -> Table {
    let mut subjects = vec![floors::add()];
    subjects.extend(peers::<1, Flat>());
    subjects.extend(one::<Flat>("a counter in a loop", "a bound counter in a loop", LOOP, |at| {
        4.0 * at.floor(floors::ADD)
    }));
    Recording::new("a counter in a loop", subjects).measure(effort)
}

/// One of bellwether's, as a static and bound.
fn one<P: Pace>(
    what: &'static str,
    bound: &'static str,
    budget: &'static str,
    limit: fn(&At) -> f64,
) -> [Subject; 2] {
    static ONE: Counter = Counter::new("peers.one", "A counter");
    static BOUND: Counter<Enums> = Counter::new("peers.bound", "A bound counter");
    let row = |what| match P::WORKS {
        false => row(what, floors::ADD).budget(budget, limit).flat(),
        true => row(what, "").budget(budget, limit),
    };
    let series = BOUND.bind(Enums { method: Method::Get, status: Status::Ok });
    let inc = |series: &mut &BoundCounter, ()| series.inc();
    [
        ALIKE.at::<P>().ours(row(what), |_| ONE.inc(), || ONE.value()),
        ALIKE.at::<P>().ours_holding(row(bound), series, |series| series, inc, BoundCounter::value),
    ]
}

macro_rules! in_turn {
    ($($number:literal)*) => {
        static IN_TURN: [Counter; 64] =
            [$(Counter::new(concat!("peers.turn.", $number), "One of 64")),*];
    };
}

in_turn! {
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
    16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
    48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
}

pub fn in_turn(effort: Effort) -> Table {
    static FAMILY: Counter<Ten> = Counter::new("peers.turn", "One family");
    let row = |what| {
        let limit = |at: &At| 2.0 * at.floor(floors::ADD);
        row(what, floors::ADD).budget("2 x add", limit).flat()
    };
    let over = Loop::over(Places::<8>);
    let bind = |i: u8| FAMILY.bind(Ten { method: i / 8, status: i % 8 });
    let bound: Vec<BoundCounter> = (0..64).map(bind).collect();
    let mut subjects = vec![floors::add()];
    subjects.extend(peers::<8, Flat>());
    subjects.extend([
        over.ours(
            row("64 counters in turn"),
            |place| IN_TURN[place.index::<8>() & 63].inc(),
            || IN_TURN.iter().map(Counter::value).sum(),
        ),
        over.ours_holding(
            row("64 bound counters in turn"),
            bound,
            Vec::as_slice,
            |bound, place| bound[place.index::<8>()].inc(),
            |bound| bound.iter().map(BoundCounter::value).sum(),
        ),
    ]);
    Recording::new("64 counters in turn", subjects).measure(effort)
}

/// `N` times `N` counters of each peer, by index.
pub fn peers<const N: usize, P: Pace>() -> Vec<Subject> {
    let over = Loop::over(Places::<N>).at::<P>();
    let n = N * N;
    let new = |i: usize| IntCounter::new(format!("counter_{i}"), "A counter").expect("legal");
    let ints = || (0..n).map(new).collect::<Vec<_>>();
    let ints_sum = |all: &Vec<IntCounter>| all.iter().map(|counter| counter.get()).sum();
    let client: Vec<_> =
        (0..n).map(|_| <prometheus_client::metrics::counter::Counter>::default()).collect();
    let fast: Vec<_> =
        (0..n).map(|_| <fastmetrics::metrics::counter::Counter>::default()).collect();
    let measured: Vec<_> = (0..n).map(|_| measured::Counter::new()).collect();
    let (held, reader) = recorder::held(|| {
        let counter = |i: usize| metrics::counter!("counter", "i" => i.to_string());
        (0..n).map(counter).collect::<Vec<_>>()
    });
    let name = &*format!("counters_{n}").leak();
    let meter = otel::meter().u64_counter(name).build();
    let otel: Vec<_> = (0..n).map(|i| meter.bind(&[KeyValue::new("i", i as i64)])).collect();
    let mut subjects = vec![
        over.peer(
            "prometheus",
            "IntCounter",
            ints(),
            |all, place| all[place.index::<N>()].inc(),
            ints_sum,
        ),
        over.peer_holding(
            "prometheus local",
            "LocalIntCounter: unseen until the thread flushes it",
            ints(),
            |all| Flushed(all.iter().map(IntCounter::local).collect()), // Hidden, or the compiler would make one addition of them all.
            |all, place| black_box(&all.0[place.index::<N>()]).inc(),
            ints_sum,
        ),
        over.peer(
            "prometheus-client",
            "Counter",
            client,
            |all, place| {
                all[place.index::<N>()].inc();
            },
            |all| all.iter().map(|counter| counter.get()).sum(),
        ),
        over.peer(
            "fastmetrics",
            "Counter",
            fast,
            |all, place| all[place.index::<N>()].inc(),
            |all| all.iter().map(|counter| counter.total()).sum(),
        ),
        over.peer(
            "measured",
            "Counter",
            measured,
            |all, place| all[place.index::<N>()].inc(),
            |all| all.iter().map(|counter| counter.get_metric().count.load(Relaxed)).sum(),
        ),
        over.peer(
            "metriken",
            "ShardedCounterGroup, by index",
            ShardedCounterGroup::new(n),
            |group, place| {
                group.increment(place.index::<N>());
            },
            move |group| (0..n).filter_map(|i| group.value(i)).sum(),
        ),
        over.peer(
            "metrics",
            "Counter",
            held,
            |all, place| all[place.index::<N>()].increment(1),
            move |_| recorder::sum_on_page(&reader.render(), "counter", "counter"),
        ),
        over.peer(
            "opentelemetry",
            "BoundCounter",
            otel,
            |all: &'static Vec<OtelCounter<u64>>, place| all[place.index::<N>()].add(1),
            move |_| otel::total(name),
        ),
    ];
    if N >= 10 {
        subjects.push(over.peer(
            "measured",
            "CounterVec, dense",
            CounterVec::dense_with_label_set(ClosedSet::<N>),
            |vec, place| vec.inc(Closed(place)),
            |vec| {
                let of = |i| vec.with_labels(ClosedSet::<N>.decode_dense(i));
                (0..N * N).map(|i| vec.get_metric(of(i)).count.load(Relaxed)).sum()
            },
        ));
    }
    subjects
}

use measured::label::LabelGroupSet as _;

/// Local counters, which give up what they hold when their thread is done.
struct Flushed<C: local::LocalMetric>(Vec<C>);

impl<C: local::LocalMetric> Drop for Flushed<C> {
    fn drop(&mut self) {
        self.0.iter().for_each(C::flush);
    }
}

pub fn closed(effort: Effort) -> Table {
    static ENUMS: Counter<Enums> = Counter::new("peers.enums", "Of enums");
    static FLAGGED: Counter<Flagged> = Counter::new("peers.flagged", "Of an enum and a bool");
    let ours = |what| {
        let limit = |at: &At| (2.5 * at.floor(floors::ADD)).min(at.best_seen());
        row(what, floors::ADD).budget("2.5 x add, ahead of peers by index", limit).flat()
    };
    let over = Loop::over(Places::<10>);
    let mut subjects = vec![floors::add()];
    subjects.extend(peers::<10, Flat>());
    subjects.extend([
        over.ours(
            ours("a closed set of two enums at each call"),
            |place| {
                let method = Method::ALL[place.method];
                ENUMS.with(Enums { method, status: Status::ALL[place.status] }).inc();
            },
            || sum_of(Registry::global(), "peers.enums"),
        ),
        over.ours(
            ours("a closed set of an enum and a bool"),
            |place| {
                let method = Method::ALL[place.method];
                FLAGGED.with(Flagged { method, is_cached: place.status % 2 == 0 }).inc();
            },
            || sum_of(Registry::global(), "peers.flagged"),
        ),
        ranges_of_ten(),
    ]);
    Recording::new("closed sets of labels at each call", subjects).measure(effort)
}

/// The sum of a family, or how many values it took.
pub fn sum_of(registry: &Registry, name: &str) -> u64 {
    let snapshot = registry.snapshot();
    let series = snapshot.family(name).into_iter().flat_map(|family| family.series());
    let value = |series: &Series| match series.value().as_histogram() {
        Some(histogram) => histogram.count(),
        None => series.value().as_f64() as u64,
    };
    series.map(value).sum()
}

fn of_range(what: &'static str) -> crate::table::Row {
    let limit = |at: &At| (3.0 * at.floor(floors::ADD)).min(at.best_seen());
    row(what, floors::ADD).budget("3 x add, ahead of peers by index", limit).flat()
}

fn ranges_of_ten() -> Subject {
    static RANGES: Counter<Ten> = Counter::new("peers.ranges", "Of two ranges");
    Loop::over(Places::<10>).ours(
        of_range("a closed set of two ranges"),
        |place| RANGES.with(Ten { method: place.method as u8, status: place.status as u8 }).inc(),
        || sum_of(Registry::global(), "peers.ranges"),
    )
}

pub fn closed_ten_thousand(effort: Effort) -> Table {
    static RANGES: Counter<Hundred> = Counter::new("peers.ranges.many", "Of two large ranges");
    let mut subjects = vec![floors::add()];
    subjects.extend(peers::<100, Flat>());
    subjects.push(Loop::over(Places::<100>).ours(
        of_range("the same of 10,000 sets"),
        |place| {
            RANGES.with(Hundred { method: place.method as u8, status: place.status as u8 }).inc()
        },
        || sum_of(Registry::global(), "peers.ranges.many"),
    ));
    Recording::new("closed sets of labels, 10,000 of them", subjects).measure(effort)
}

pub fn beside_work(effort: Effort) -> Table {
    let mut subjects = vec![ALIKE.at::<Working>().own_work()];
    subjects.extend(peers::<1, Working>());
    let [fixed, bound] =
        ["a counter, added to 65 ns of own work", "a bound counter, added to 65 ns of own work"];
    subjects.extend(one::<Working>(fixed, bound, "3 ns", |_| 3.0));
    Recording::new("a counter, added to 65 ns of own work", subjects).measure(effort)
}

pub fn of_fractions(effort: Effort) -> Table {
    static FLOAT: FloatCounter = FloatCounter::new("peers.float", "Of fractions");
    let new = || prometheus::Counter::new("float", "Of fractions").expect("a legal name");
    let get = |counter: &prometheus::Counter| counter.get() as u64;
    type Client = prometheus_client::metrics::counter::Counter<f64, AtomicU64>;
    type Fast = fastmetrics::metrics::counter::Counter<f64>;
    let otel = otel::meter().f64_counter("float").build().bind(&[]);
    let subjects = vec![
        floors::add(),
        ALIKE.peer("prometheus", "Counter", new(), |c, _| c.inc_by(1.0), get),
        ALIKE.peer_holding(
            "prometheus local",
            "LocalCounter: unseen until the thread flushes it",
            new(),
            |counter| Flushed(vec![counter.local()]),
            |counters, _| black_box(&counters.0[0]).inc_by(1.0),
            get,
        ),
        ALIKE.peer(
            "prometheus-client",
            "Counter<f64>",
            Client::default(),
            |counter, _| {
                counter.inc_by(1.0);
            },
            |counter| counter.get() as u64,
        ),
        ALIKE.peer(
            "fastmetrics",
            "Counter<f64>",
            Fast::default(),
            |counter, _| counter.inc_by(1.0),
            |counter| counter.total() as u64,
        ),
        ALIKE.peer(
            "opentelemetry",
            "BoundCounter<f64>",
            otel,
            |counter: &OtelCounter<f64>, _| counter.add(1.0),
            |_| otel::total("float"),
        ),
        ALIKE.ours(
            row("a counter of fractions in a loop", floors::ADD)
                .budget("5 x add", |at| 5.0 * at.floor(floors::ADD))
                .flat(),
            |_| FLOAT.add(1.0),
            || FLOAT.value() as u64,
        ),
    ];
    Recording::new("a counter of fractions in a loop", subjects).measure(effort)
}

/// As many threads as may own a table, which have recorded and live on.
pub struct Owners(Arc<Barrier>, Vec<std::thread::JoinHandle<()>>);

impl Owners {
    /// Twice the cores, from 8 to 32.
    pub fn most() -> usize {
        (2 * std::thread::available_parallelism().map_or(1, usize::from)).clamp(8, 32)
    }

    pub fn hold(record: impl Fn() + Copy + Send + 'static) -> Self {
        let n = Self::most();
        let (recorded, over) = (Arc::new(Barrier::new(n + 1)), Arc::new(Barrier::new(n + 1)));
        let hold = |_| {
            let (recorded, over) = (recorded.clone(), over.clone());
            std::thread::spawn(move || {
                record();
                recorded.wait();
                over.wait();
            })
        };
        let threads = (0..n).map(hold).collect();
        recorded.wait();
        Self(over, threads)
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        self.0.wait();
        self.1.drain(..).for_each(|thread| thread.join().expect("it only waits"));
    }
}

pub fn without_a_table(effort: Effort) -> Table {
    static ONE: Counter = Counter::new("peers.further", "Recorded by threads without a table");
    let _owners = Owners::hold(|| ONE.inc());
    let what = "a counter, by a thread beyond those that own a table";
    let mut subjects = vec![floors::locked()];
    subjects.extend(peers::<1, Flat>());
    let row =
        row(what, floors::LOCKED).budget("4 x lock-prefixed add, alone", |at| match at.threads {
            1 => 4.0 * at.floor(floors::LOCKED),
            _ => f64::INFINITY,
        });
    subjects.push(ALIKE.ours(row, |_| ONE.inc(), || ONE.value()));
    Recording::new(what, subjects).measure(effort)
}

/// One, two, three and so on: a conversion is no part of setting a gauge.
pub static RAMP: [f64; 1024] = {
    let mut ramp = [0.0; 1024];
    let mut place = 0;
    while place < ramp.len() {
        ramp[place] = (place + 1) as f64;
        place += 1;
    }
    ramp
};

type ClientGauge<N = i64, A = AtomicI64> = prometheus_client::metrics::gauge::Gauge<N, A>;
type FastGauge<N = i64> = fastmetrics::metrics::gauge::Gauge<N>;

pub fn gauge_set(effort: Effort) -> Table {
    static SET: Gauge = Gauge::new("peers.set", "Set in a loop");
    let over = Loop::over(&RAMP[..]);
    let new = prometheus::Gauge::new("set", "Set").expect("a legal name");
    let (held, reader) = recorder::held(|| metrics::gauge!("set"));
    let otel = otel::meter().f64_gauge("set").build().bind(&[]);
    let subjects = vec![
        floors::store(),
        over.peer("prometheus", "Gauge", new, |g, v| g.set(v), |g| g.get() as u64),
        over.peer(
            "prometheus-client",
            "Gauge<f64>",
            ClientGauge::<f64, AtomicU64>::default(),
            |gauge, value| {
                gauge.set(value);
            },
            |gauge| gauge.get() as u64,
        ),
        over.peer(
            "fastmetrics",
            "Gauge<f64>",
            FastGauge::<f64>::default(),
            |gauge, value| gauge.set(value),
            |gauge| gauge.get() as u64,
        ),
        over.peer(
            "measured",
            "FloatGauge",
            measured::FloatGauge::new(),
            |gauge, value| gauge.set(value),
            |gauge| gauge.get_metric().count.get() as u64,
        ),
        over.peer(
            "metriken",
            "Gauge, of whole numbers only",
            metriken::Gauge::new(),
            |gauge, value| {
                gauge.set(value as i64);
            },
            |gauge| gauge.value() as u64,
        ),
        over.peer(
            "metrics",
            "Gauge",
            held,
            |g: &metrics::Gauge, v| g.set(v),
            move |_| recorder::sum_on_page(&reader.render(), "set", "set"),
        ),
        over.peer("opentelemetry", "bound gauge", otel, |g, v| g.record(v), |_| otel::total("set")),
        over.ours(
            row("a gauge, set", floors::STORE)
                .budget("2 x store", |at| 2.0 * at.floor(floors::STORE)),
            |value| SET.set(value),
            || SET.value().unwrap_or(0.0) as u64,
        ),
    ];
    let subjects = subjects.into_iter().map(|subject| subject.keeps_last(RAMP.len())).collect();
    Recording::new("a gauge, set", subjects).measure(effort)
}

pub fn up_and_down(effort: Effort) -> Table {
    static ADD: UpDownCounter = UpDownCounter::new("peers.add", "Added to in a loop");
    let new = prometheus::IntGauge::new("add", "Add").expect("a legal name");
    let (held, reader) = recorder::held(|| metrics::gauge!("add"));
    let otel = otel::meter().i64_up_down_counter("add").build().bind(&[]);
    static METRIKEN: LazyLock<metriken::Gauge> = LazyLock::new(metriken::Gauge::new);
    let subjects = vec![
        floors::add(),
        ALIKE.peer("prometheus", "IntGauge", new, |g, _| g.inc(), |g| g.get() as u64),
        ALIKE.peer(
            "prometheus-client",
            "Gauge",
            <ClientGauge>::default(),
            |gauge, _| {
                gauge.inc();
            },
            |gauge| gauge.get() as u64,
        ),
        ALIKE.peer(
            "fastmetrics",
            "Gauge",
            <FastGauge>::default(),
            |gauge, _| gauge.inc(),
            |gauge| gauge.get() as u64,
        ),
        ALIKE.peer(
            "measured",
            "Gauge",
            measured::Gauge::new(),
            |gauge, _| gauge.inc(),
            |gauge| gauge.get_metric().count.load(Relaxed) as u64,
        ),
        ALIKE.peer_holding(
            "metriken",
            "Gauge",
            &*METRIKEN,
            |gauge| *gauge,
            |gauge, _| {
                gauge.increment();
            },
            |gauge| gauge.value() as u64,
        ),
        ALIKE.peer(
            "metrics",
            "Gauge",
            held,
            |gauge: &metrics::Gauge, _| gauge.increment(1),
            move |_| recorder::sum_on_page(&reader.render(), "add", "add"),
        ),
        ALIKE.peer(
            "opentelemetry",
            "bound up-down counter",
            otel,
            |c, _| c.add(1),
            |_| otel::total("add"),
        ),
        ALIKE.ours(
            row("an up-down counter in a loop", floors::ADD)
                .budget(LOOP, |at| 4.0 * at.floor(floors::ADD))
                .flat(),
            |_| ADD.inc(),
            || ADD.value() as u64,
        ),
    ];
    Recording::new("an up-down counter in a loop", subjects).measure(effort)
}
