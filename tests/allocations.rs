//! Recording allocates nothing once a thread has touched a series: an allocator that counts tells.
//!
//! One test, alone in its process: the counts are those of the thread.

mod counting;

use bellwether::{
    Counter, Gauge, Histogram, Labels, UpDownCounter,
    bundle::{Cache, ConnectionPool, Database, HttpClient, HttpServer, Queue},
    context::Outcome,
    count,
    export::Memory,
    metric::{OutOfRange, Summary, Throughput},
    testing,
    trace::{
        SpanRecord,
        sampler::{AlwaysOff, AlwaysOn},
    },
};

static EVENTS: Counter = Counter::new("events", "");
static BY_ROUTE: Counter<Route> = Counter::new("events.by.route", "");
static BY_HIT: Counter<Hit> = Counter::new("events.by.hit", "");
static ACTIVE: UpDownCounter = UpDownCounter::new("active", "");
static LEVEL: Gauge = Gauge::new("level", "");
static DURATION: Histogram = Histogram::new("duration", "");
static LATENCY: Summary = Summary::new("latency", "");
static ORDERS: Throughput = Throughput::new("orders", "");
static SERVER: HttpServer = HttpServer::new();
static CLIENT: HttpClient = HttpClient::new();
static POOL: ConnectionPool = ConnectionPool::new("pool");
static CACHE: Cache = Cache::new("cache");
static QUEUE: Queue = Queue::new("queue");
static DATABASE: Database = Database::new("postgresql", "database");
static BOUNDED: Histogram = Histogram::new("bounded", "").bounds(&[0.5, 1.0, 100.0]);
static TICKS: Histogram = Histogram::new("ticks", "").hdr(3);
static RANGED: Histogram = Histogram::new("ranged", "").range(0.0, 1.0, OutOfRange::Clamp);

#[derive(Labels)]
struct Route<'a> {
    route: &'a str,
    status: u16,
}

#[derive(Labels)]
struct Hit {
    hit: bool,
}

fn record() {
    EVENTS.inc();
    BY_ROUTE.bind(Route { route: "/checkout", status: 200 }).inc();
    BY_HIT.bind(Hit { hit: true }).add(2);
    count!("events.dynamic", tier = "l1");
    drop(ACTIVE.hold());
    LEVEL.set(1.5);
    LEVEL.add(0.5);
    for value in [0.0, 0.001, 1.0, 1.5, 700.0] {
        for histogram in [&DURATION, &BOUNDED, &TICKS, &RANGED] {
            histogram.record(value);
        }
    }
    let _outer = bellwether::span("outer").enter();
    let _inner = bellwether::span("inner").enter();
}

/// What takes the time, and so may meet a power of two for the first time wherever time passes.
fn record_durations() {
    drop(DURATION.start_timer());
    LATENCY.record(1.0);
    ORDERS.mark(1);
    SERVER.start("GET", "/checkout").end(200);
    drop(SERVER.start("GET", "/checkout"));
    CLIENT.start("GET", "localhost", 80).end(404);
    drop(POOL.wait().acquired());
    CACHE.lookup().hit();
    QUEUE.enter().leave().end(Outcome::Ok);
    DATABASE.call("SELECT").ok();
}

fn allocations(work: impl Fn()) -> u64 {
    let before = counting::allocations();
    work();
    counting::allocations() - before
}

#[test]
fn recording_what_was_touched_before_allocates_nothing() {
    // Values enough to take the histogram from its log to its dense form.
    (0..100).for_each(|_| record());
    assert_eq!(allocations(|| (0..1_000).for_each(|_| record())), 0, "nothing is started");

    let telemetry =
        bellwether::builder("test").export(Memory::<SpanRecord>::new()).sampler(AlwaysOff);
    let telemetry = telemetry.start().unwrap();
    record();
    assert_eq!(allocations(|| (0..1_000).for_each(|_| record())), 0, "spans are not sampled");
    drop(telemetry);

    let _time_stands_still = testing::scope();
    (0..200).for_each(|_| record_durations());
    let durations = allocations(|| (0..1_000).for_each(|_| record_durations()));
    assert_eq!(durations, 0, "timers, meters and bundles");
    let telemetry = bellwether::builder("test").sampler(AlwaysOn).start().unwrap();
    let _span = bellwether::span("sampled").enter();
    let exemplars = || [&DURATION, &BOUNDED, &TICKS].into_iter().for_each(|h| h.record(1.0));
    exemplars();
    assert_eq!(allocations(|| (0..1_000).for_each(|_| exemplars())), 0, "with exemplars");
    assert!(!DURATION.snapshot().exemplars().is_empty());
    drop(telemetry);
    assert!(allocations(|| drop(Box::new(1))) == 1, "the allocator counts");
}
