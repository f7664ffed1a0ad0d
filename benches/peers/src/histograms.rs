//! Histograms by held handles, over log-normal values made beforehand.

use crate::{
    counters::Owners,
    floors,
    harness::{Effort, Flat, Loop, Pace, Recording, Stretch, Subject, Working},
    labels::{Place, Places},
    otel, recorder,
    spans::{self, Spans},
    table::{At, Table, row},
};
use bellwether::{Counter, Histogram, Labels, Unit, metric::BoundHistogram};
use hdrhistogram::sync::SyncHistogram;
use measured::{
    metric::{MetricFamilyEncoding, histogram::Thresholds, name::MetricName},
    text::BufferedTextEncoder,
};
use metriken::ShardedCounterHistogram;
use prometheus::{DEFAULT_BUCKETS, HistogramOpts};
use std::{
    hint::spin_loop,
    sync::{LazyLock, Mutex},
    time::{Duration, Instant},
};

/// 4,096 log-normal durations around a millisecond: too many for a branch predictor to learn, and few
/// enough for a near cache.
pub static SECONDS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // Xorshift: the same values in every run.
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    // Box and Muller's transformation of two uniform values to a normal one.
    let log_normal = |_| {
        let radius = (-2.0 * uniform().max(1e-300).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * uniform()).cos();
        1e-3 * normal.exp()
    };
    (0..4096).map(log_normal).collect()
});

/// The same in nanoseconds.
static NANOS: LazyLock<Vec<u64>> =
    LazyLock::new(|| SECONDS.iter().map(|seconds| (seconds * 1e9) as u64).collect());

fn seconds<P>() -> Loop<&'static [f64], P> {
    Loop::over(SECONDS.as_slice()).at()
}

fn nanos<P>() -> Loop<&'static [u64], P> {
    Loop::over(NANOS.as_slice()).at()
}

/// One of each kind: a record that is in a span's way needs others than one that is not.
macro_rules! three {
    ($of:ident) => {
        mod $of {
            use bellwether::{Histogram, Unit};

            pub static DEFAULT: Histogram =
                Histogram::new(concat!("peers.default.", stringify!($of)), "").unit(Unit::Seconds);
            pub static BOUNDS: Histogram =
                Histogram::new(concat!("peers.bounds.", stringify!($of)), "")
                    .unit(Unit::Seconds)
                    .bounds(prometheus::DEFAULT_BUCKETS);
            pub static HDR: Histogram = Histogram::new(concat!("peers.hdr.", stringify!($of)), "")
                .unit(Unit::new("ns"))
                .hdr(3);
        }
    };
}

three!(plain);
three!(traced);

/// The three, in three rows; the statics are known where they record, as in a user's code.
macro_rules! rows {
    ($of:ident, $pace:ty, $hold:expr, $rows:expr) => {{
        let (over, [default, bounds, hdr]) = (seconds::<$pace>(), $rows);
        [
            over.ours_holding(
                default,
                (),
                $hold,
                |_, seconds| $of::DEFAULT.record(seconds),
                |_| $of::DEFAULT.snapshot().count(),
            ),
            over.ours_holding(
                bounds,
                (),
                $hold,
                |_, seconds| $of::BOUNDS.record(seconds),
                |_| $of::BOUNDS.snapshot().count(),
            ),
            nanos::<$pace>().ours_holding(
                hdr,
                (),
                $hold,
                |_, nanos| $of::HDR.record_ticks(nanos),
                |_| $of::HDR.snapshot().count(),
            ),
        ]
    }};
}

const DEFAULT: &str = "a histogram within 1 %";
const BOUNDS: &str = "a histogram of 11 bounds";
const HDR: &str = "a histogram in HDR ticks, 3 digits";

pub fn in_a_loop(effort: Effort) -> Table {
    let default = row(DEFAULT, floors::ADD)
        .budget("5 x add, ahead of peers", |at| (5.0 * at.floor(floors::ADD)).min(at.best_peer()))
        .flat();
    let bounds = row(BOUNDS, floors::ADD)
        .budget("0.6 x prometheus-client", |at| {
            0.6 * at.peer(|library| library == "prometheus-client")
        })
        .flat();
    let mut subjects = vec![floors::add()];
    subjects.extend(peers::<Flat>());
    subjects.extend(rows!(plain, Flat, |_| (), [default, bounds, row(HDR, floors::ADD).flat()]));
    Recording::new("a histogram", subjects).measure(effort)
}

pub fn beside_work(effort: Effort) -> Table {
    let added = |what| row(what, "").budget("3 ns", |_| 3.0);
    let mut subjects = vec![seconds::<Working>().own_work()];
    subjects.extend(peers::<Working>());
    subjects.extend(rows!(
        plain,
        Working,
        |_| (),
        [
            added("a histogram within 1 %, added to 65 ns of own work"),
            added("a histogram of 11 bounds, added to 65 ns of own work"),
            added("a histogram in HDR ticks, added to 65 ns of own work")
        ]
    ));
    Recording::new("a histogram, added to 65 ns of own work", subjects).measure(effort)
}

pub fn without_a_table(effort: Effort) -> Table {
    let _owners = Owners::hold(|| {
        plain::DEFAULT.record(1e-3);
        plain::BOUNDS.record(1e-3);
        plain::HDR.record_ticks(1_000_000);
    });
    let uncontended = |what| {
        row(what, floors::LOCKED).budget("8 x lock-prefixed add, alone", |at| match at.threads {
            1 => 8.0 * at.floor(floors::LOCKED),
            _ => f64::INFINITY,
        })
    };
    let mut subjects = vec![floors::locked()];
    subjects.extend(peers::<Flat>());
    subjects.extend(rows!(
        plain,
        Flat,
        |_| (),
        [
            uncontended("a histogram within 1 %, by a thread beyond those that own a table"),
            uncontended("a histogram of 11 bounds, by a thread beyond those that own a table"),
            uncontended("a histogram in HDR ticks, by a thread beyond those that own a table")
        ]
    ));
    Recording::new("a histogram, by a thread beyond those that own a table", subjects)
        .measure(effort)
}

/// Every bucket has an exemplar of this tick soon, and the loop goes on for much longer.
pub fn sampled(effort: Effort) -> Table {
    static PLAIN: Counter = Counter::new("peers.counted.plain", "A counter outside a span");
    static TRACED: Counter = Counter::new("peers.counted.traced", "A counter in a span");
    let _spans = Spans::start(Duration::from_secs(1));
    let inside = |what, floor| {
        let limit = |at: &At| at.own_floor() + 4.0;
        row(what, floor).budget("+ 4 ns", limit).flat()
    };
    const COUNTER: &str = "a counter";
    let over = seconds::<Flat>();
    let counter = over.ours(row(COUNTER, ""), |_| PLAIN.inc(), || PLAIN.value());
    let outside = rows!(plain, Flat, |_| (), [row(DEFAULT, ""), row(BOUNDS, ""), row(HDR, "")]);
    let mut subjects: Vec<_> = outside.into_iter().chain([counter]).map(Subject::floor).collect();
    subjects.extend(rows!(
        traced,
        Flat,
        |_| spans::sampled(),
        [
            inside(
                "a histogram within 1 %, in a sampled span whose exemplar its bucket has",
                DEFAULT
            ),
            inside(
                "a histogram of 11 bounds, in a sampled span whose exemplar its bucket has",
                BOUNDS
            ),
            inside(
                "a histogram in HDR ticks, in a sampled span whose exemplar its bucket has",
                HDR
            )
        ]
    ));
    subjects.push(over.ours_holding(
        inside("a counter, in a sampled span", COUNTER),
        (),
        |_| spans::sampled(),
        |_, _| TRACED.inc(),
        |_| TRACED.value(),
    ));
    Recording::new("a record in a sampled span", subjects).measure(effort)
}

#[derive(Labels, Clone, Copy)]
struct Nth {
    #[label(range = 0..=7)]
    nth: u8,
}

/// Bursts of a record into each of eight octaves of eight series, which a near cache holds, with a tick
/// and more between them.
pub fn sampled_first(effort: Effort) -> Table {
    static OUTSIDE: Histogram<Nth> = Histogram::new("peers.first.plain", "").unit(Unit::Seconds);
    static INSIDE: Histogram<Nth> = Histogram::new("peers.first.traced", "").unit(Unit::Seconds);
    const TICK: Duration = Duration::from_millis(1);
    let _spans = Spans::start(TICK);
    let over = Loop::over(Places::<8>);
    let all = |family: &'static Histogram<Nth>| {
        (0..8).map(|nth| family.bind(Nth { nth })).collect::<Vec<_>>()
    };
    let record = |all: &[BoundHistogram], place: Place| {
        all[place.method].record(OCTAVES[place.status]);
    };
    let total = |all: &Vec<BoundHistogram>| all.iter().map(|one| one.snapshot().count()).sum();
    const SAME: &str = "the same outside a span";
    let what = "a histogram within 1 %, in a sampled span, its bucket's first exemplar of a tick";
    let row_inside = row(what, SAME)
        .budget("+ one clock reading + 5 ns", |at| {
            at.own_floor() + at.floor(floors::CLOCK) / 2.0 + 5.0
        })
        .flat();
    // Spinning: a core that slept is slow at first.
    let after_a_tick = || {
        let start = Instant::now();
        while start.elapsed() < 5 * TICK {
            spin_loop();
        }
    };
    let subjects = vec![
        floors::clock(),
        over.ours_holding(
            row(SAME, ""),
            all(&OUTSIDE),
            Vec::as_slice,
            move |all, p| record(all, p),
            total,
        )
        .drain(after_a_tick)
        .floor(),
        over.ours_holding(
            row_inside,
            all(&INSIDE),
            |all| (all.as_slice(), spans::sampled()),
            move |(all, _), place| record(all, place),
            total,
        )
        .drain(after_a_tick),
    ];
    let recording = Recording::new(what, subjects);
    Recording { stretch: Stretch::Bursts(64, 20), ..recording }.measure(effort)
}

/// A value of each octave from 12 milliseconds to two seconds.
const OCTAVES: [f64; 8] = [0.012, 0.024, 0.048, 0.096, 0.192, 0.384, 0.768, 1.536];

/// One histogram of each library; bounds and precision as each one's documentation starts with.
fn peers<P: Pace>() -> Vec<Subject> {
    let over = seconds::<P>();
    let new = || {
        prometheus::Histogram::with_opts(HistogramOpts::new("held", "Held")).expect("a legal name")
    };
    type Client = prometheus_client::metrics::histogram::Histogram;
    type Fast = fastmetrics::metrics::histogram::Histogram;
    let (held, reader) = recorder::held(|| metrics::histogram!("held"));
    let otel = otel::meter().f64_histogram("held").with_boundaries(DEFAULT_BUCKETS.to_vec());
    let recorder = |digits| {
        let histogram =
            hdrhistogram::Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, digits);
        Mutex::new(SyncHistogram::from(histogram.expect("legal bounds")))
    };
    let hdr = |idiom, digits| {
        nanos::<P>().peer_holding(
            "hdrhistogram",
            idiom,
            recorder(digits),
            |shared| shared.lock().expect("nobody panicked").recorder(),
            |recorder, value| recorder.record(value).expect("within its range"),
            refreshed,
        )
    };
    vec![
        nanos::<P>().peer(
            "metriken",
            "ShardedCounterHistogram(7, 64), within 0.8 %",
            ShardedCounterHistogram::new(7, 64),
            |histogram, value| histogram.increment(value).expect("within its range"),
            sharded_count,
        ),
        hdr("Recorder of the own thread, 2 digits", 2),
        hdr("Recorder of the own thread, 3 digits", 3),
        over.peer(
            "prometheus",
            "Histogram, 11 bounds",
            new(),
            |histogram, value| histogram.observe(value),
            |histogram| histogram.get_sample_count(),
        ),
        over.peer_holding(
            "prometheus local",
            "LocalHistogram, 11 bounds: unseen until the thread flushes it",
            new(),
            |histogram| histogram.local(),
            |histogram, value| histogram.observe(value),
            |histogram| histogram.get_sample_count(),
        ),
        over.peer(
            "prometheus-client",
            "Histogram, 11 bounds",
            Client::new(DEFAULT_BUCKETS.iter().copied()),
            |histogram, value| histogram.observe(value),
            |histogram| histogram.count(),
        ),
        over.peer(
            "fastmetrics",
            "Histogram, 11 bounds",
            Fast::new(DEFAULT_BUCKETS.iter().copied()),
            |histogram, value| histogram.observe(value),
            |histogram| histogram.with_snapshot(|snapshot| snapshot.count()),
        ),
        over.peer(
            "measured",
            "Histogram, 11 bounds",
            eleven(),
            |histogram, value| histogram.observe(value),
            eleven_count,
        ),
        over.peer(
            "metrics",
            "Histogram, 11 bounds",
            held,
            |histogram: &metrics::Histogram, value| histogram.record(value),
            move |_| recorder::sum_on_page(&reader.render(), "held", "_count"),
        ),
        over.peer(
            "opentelemetry",
            "bound histogram, 11 bounds",
            otel.build().bind(&[]),
            |histogram, value| histogram.record(value),
            |_| otel::total("held"),
        ),
    ]
}

pub fn refreshed(shared: &Mutex<SyncHistogram<u64>>) -> u64 {
    let mut histogram = shared.lock().expect("nobody panicked");
    histogram.refresh();
    histogram.len()
}

pub fn sharded_count(histogram: &ShardedCounterHistogram) -> u64 {
    let loaded = histogram.load();
    loaded.map_or(0, |loaded| loaded.into_iter().map(|bucket| bucket.count()).sum())
}

pub type Eleven = measured::Histogram<11>;

pub fn eleven() -> Eleven {
    Eleven::with_metadata(Thresholds::with_buckets(*DEFAULT_BUCKETS))
}

pub fn eleven_count(histogram: &Eleven) -> u64 {
    let mut encoder = BufferedTextEncoder::new();
    let Ok(()) = histogram.collect_family_into(MetricName::from_str("held"), &mut encoder);
    recorder::sum_on_page(std::str::from_utf8(&encoder.finish()).expect("text"), "held", "_count")
}
