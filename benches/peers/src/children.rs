//! What takes a process of its own: memory, and the tick of telemetry.
//!
//! A child is this program started again, so that nothing that another workload left is taken for a
//! saving or a cost. It prints numbers.

use crate::{
    counters::Owners,
    exposition::{
        BOUNDS, Bellwether, Exposed, Fastmetrics, HDR, Measured, Metrics, Opentelemetry,
        Prometheus, PrometheusClient, WITHIN,
    },
    floods,
    harness::Effort,
    histograms::SECONDS,
    labels::{OpenSet, Texts},
    memory::{allocated_in, resident},
    pages::{Page, timed},
    recorder,
    table::{At, Entry, Part, Row, Table, row},
};
use bellwether::metric::Registry;
use std::{
    process::Command,
    sync::{Barrier, LazyLock, mpsc},
    time::{Duration, Instant},
};

/// The argument that makes a child of this program, before what it is to measure.
pub const CHILD: &str = "--child";

/// What a child does.
pub fn report(what: &str) {
    let words: Vec<_> = what.split('/').collect();
    let numbers = match words[..] {
        ["tick", series] => tick(series.parse().expect("a number"), EVERY).to_vec(),
        ["often"] => tick(0, OFTEN).to_vec(),
        ["wake", millis] => {
            [wake(Duration::from_millis(millis.parse().expect("a number")))].to_vec()
        }
        ["flood", library, of, seconds] => {
            let seconds = seconds.parse().expect("a number");
            floods::measure(library, of == "trees", seconds).to_vec()
        }
        ["after"] => after_further_threads().to_vec(),
        [library, kind, bytes] => {
            let measured = MEMORY.iter().find(|(name, _)| *name == library);
            let (_, measure) = measured.expect("a known library");
            measure(kind == "histograms", bytes.parse().expect("a number")).to_vec()
        }
        _ => panic!("{what:?} is nothing that a child measures"),
    };
    println!("{}", numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
}

fn child<const N: usize>(what: &str) -> [f64; N] {
    let this = std::env::current_exe().expect("a running program is a file");
    let output = Command::new(this).args([CHILD, what]).output().expect("it starts again");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {errors}");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let numbers: Vec<f64> = text.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    numbers.try_into().expect("as many as are asked for")
}

/// The bytes of a series: live, resident, live with the page, of a further live thread that owns a
/// table, and of one beyond those.
type Bytes = [f64; 5];
type Measure = fn(bool, usize) -> Bytes;

const MEMORY: [(&str, Measure); 9] = [
    ("prometheus", bytes::<Prometheus>),
    ("prometheus-client", bytes::<PrometheusClient>),
    ("fastmetrics", bytes::<Fastmetrics>),
    ("measured", bytes::<Measured<OpenSet>>),
    ("metrics", bytes::<Metrics>),
    ("opentelemetry", bytes::<Opentelemetry>),
    ("histograms within 1 %", bytes::<Bellwether<WITHIN>>),
    ("histograms of 11 bounds", bytes::<Bellwether<BOUNDS>>),
    ("histograms in HDR ticks", bytes::<Bellwether<HDR>>),
];
const PEERS: usize = 6;
const PARTS: [&str; 5] =
    ["live", "resident", "with the page", "a further live thread", "a thread beyond those"];

pub fn counters(_: Effort) -> Vec<Table> {
    [16, 32, 100].into_iter().flat_map(|bytes| memory("counters", bytes, counter_row)).collect()
}

pub fn histograms(_: Effort) -> Vec<Table> {
    memory("histograms", 32, histogram_row)
}

fn counter_row(_: &str, bytes: usize, part: usize) -> Row {
    let what = format!("a counter with two labels of {bytes} bytes, {}", PARTS[part]).leak();
    match (part, bytes) {
        (0, 32) => row(what, "").budget("110", |_| 110.0),
        (2, 32) => row(what, "").budget("260", |_| 260.0),
        // What is beside the cells, directories, is a part of a byte.
        (3, _) => row(what, "").budget("8", |_| 8.5),
        (4, _) => row(what, "").budget("0", |_| 0.5),
        _ => row(what, ""),
    }
}

fn histogram_row(kind: &str, _: usize, part: usize) -> Row {
    let what = format!("{kind}, of 100 values each, {}", PARTS[part]).leak();
    match (part, kind) {
        (0, "histograms within 1 %") => row(what, "").budget("500", |_| 500.0),
        (2, "histograms within 1 %") => row(what, "").budget("2,500", |_| 2_500.0),
        _ => row(what, ""),
    }
}

/// A table for each of [`PARTS`], of which one is a thread's share.
fn memory(of: &str, bytes: usize, row: fn(&str, usize, usize) -> Row) -> Vec<Table> {
    // Counters are the same whatever the histograms are.
    let libraries = if of == "counters" { &MEMORY[..=PEERS] } else { &MEMORY[..] };
    let measure = |(name, _): &(&'static str, Measure)| child(&format!("{name}/{of}/{bytes}"));
    let measured: Vec<(&'static str, Bytes)> =
        libraries.iter().map(|library| (library.0, measure(library))).collect();
    let table = |part: usize| {
        let entry = |(i, (name, bytes_of)): (usize, &(&'static str, Bytes))| {
            let at = [Some(bytes_of[part]), None];
            if i < PEERS {
                return Entry { library: name, idiom: "", part: Part::Peer, at };
            }
            let row = row(name, bytes, part);
            Entry { library: "bellwether", idiom: row.what, part: Part::Ours(row), at }
        };
        let entries = measured.iter().enumerate().map(entry).collect();
        let title = format!("{of} with labels of {bytes} bytes, {}", PARTS[part]);
        Table { title, unit: "bytes", entries }
    };
    (0..PARTS.len()).map(table).collect()
}

/// Of a counter that was added to once, or of a histogram that took 100 values.
fn bytes<E: Exposed>(is_histogram: bool, len: usize) -> Bytes {
    let mut exposed = E::new();
    if is_histogram {
        let record = |histogram: &E::Histogram| {
            SECONDS[..100].iter().for_each(|seconds| E::record(histogram, *seconds));
        };
        let make = |exposed: &mut E, texts| exposed.histograms("bytes", texts);
        bytes_of(&mut exposed, len, make, record, ("_count", 100))
    } else {
        let make = |exposed: &mut E, texts| exposed.counters("bytes", texts);
        bytes_of(&mut exposed, len, make, |counter| E::add(counter, 1), ("", 1))
    }
}

fn bytes_of<E: Exposed, H: Sync>(
    exposed: &mut E,
    len: usize,
    make: impl FnOnce(&mut E, &'static Texts) -> Vec<H>,
    record: impl Fn(&H) + Sync,
    (sample, each): (&str, usize),
) -> Bytes {
    LazyLock::force(&SECONDS);
    let texts = Texts::new(100, len);
    let resident_before = resident();
    let (allocated, handles) = allocated_in(|| {
        let handles = make(exposed, texts);
        handles.iter().for_each(&record);
        handles
    });
    let n = handles.len() as f64;
    let handle_bytes = (handles.capacity() * size_of::<H>()) as f64;
    let live = allocated.live as f64 - handle_bytes;
    let resident = match (resident_before, resident()) {
        (Some(before), Some(after)) => after as f64 - before as f64 - handle_bytes,
        _ => f64::NAN,
    };
    let (with_page, ()) = allocated_in(|| exposed.render(&mut |_| ()));
    // The first ones without a table make those that they share.
    let (owners, sharers) = (Owners::most() - 1, 8);
    let of_threads = in_further_threads(owners + 2 * sharers, || handles.iter().for_each(&record));
    let mean = |those: &[i64]| those.iter().sum::<i64>() as f64 / those.len() as f64;
    let mut recorded = 0;
    exposed.render(&mut |page| {
        recorded = recorder::sum_on_page(std::str::from_utf8(page).expect("text"), "bytes", sample);
    });
    let expected = handles.len() * each * (1 + of_threads.len());
    assert_eq!(recorded, expected as u64, "{}: a wrong total", E::LIBRARY);
    let further = (mean(&of_threads[..owners]), mean(&of_threads[owners + sharers..]));
    [live, resident, live + with_page.live as f64, further.0, further.1].map(|bytes| bytes / n)
}

/// What each of so many threads allocated, one after the other, all of which live until the last did.
fn in_further_threads(n: usize, work: impl Fn() + Sync) -> Vec<i64> {
    let over = Barrier::new(n + 1);
    std::thread::scope(|scope| {
        let one = |_| {
            let (tell, told) = mpsc::channel();
            let (over, work) = (&over, &work);
            scope.spawn(move || {
                tell.send(allocated_in(work).0.live).expect("somebody waits");
                over.wait();
            });
            told.recv().expect("it does not panic")
        };
        let allocated = (0..n).map(one).collect();
        over.wait();
        allocated
    })
}

/// Long enough that caches are cold at each tick, as they are after a second.
const EVERY: Duration = Duration::from_millis(50);
/// So short that caches stay warm.
const OFTEN: Duration = Duration::from_millis(5);

const WAKE: &str = "a thread that wakes and does nothing";
const WAKE_OFTEN: &str = "the same every 5 ms, in warm caches";

/// Ticks of telemetry, by what its threads ran.
pub fn ticks(_: Effort) -> Vec<Table> {
    let ([wake], [wake_often], [often, _]) = (child("wake/50"), child("wake/5"), child("often"));
    let floor =
        |idiom, took| Entry { library: "", idiom, part: Part::Floor, at: [Some(took), None] };
    let beside = |what, floor, budget: &'static str, limit, took| Entry {
        library: "bellwether",
        idiom: what,
        part: Part::Ours(row(what, floor).budget(budget, limit)),
        at: [Some(took), None],
    };
    let ours = |what, budget, limit, took| beside(what, WAKE, budget, limit, took);
    let ([empty, _], [usual, changed], [many, _]) =
        (child("tick/0"), child("tick/11000"), child("tick/100000"));
    let entries = vec![
        floor(WAKE, wake),
        floor(WAKE_OFTEN, wake_often),
        ours("an idle tick of an empty process", "20", |_| 20.0, empty),
        beside("an idle tick of an empty process, every 5 ms", WAKE_OFTEN, "20", |_| 20.0, often),
        ours("an idle tick of 10,000 counters and 1,000 histograms", "500", |_| 500.0, usual),
        ours("a tick of the same, all changed", "3,000", |_| 3_000.0, changed),
        ours("an idle tick of 100,000 counters", "5,000", |_| 5_000.0, many),
    ];
    vec![Table { title: "a tick, of a core".to_owned(), unit: "µs", entries }]
}

/// Microseconds of a thread that only sleeps from one tick to the next.
fn wake(every: Duration) -> f64 {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(every);
        }
    });
    cpu_of_a_tick(every, || ())
}

/// Microseconds of an idle tick and of one that finds everything changed.
fn tick(series: usize, every: Duration) -> [f64; 2] {
    let telemetry = bellwether::builder("peers").tick(every).series_limit(200_000);
    let telemetry = telemetry.byte_budget(1 << 30).start().expect("it starts");
    let page = (series == 11_000).then(|| Page::of(Bellwether::<WITHIN>::of(Registry::global())));
    if let Some(page) = &page {
        page.fill(2);
    }
    let mut exposed = Bellwether::<WITHIN>::of(Registry::global());
    for i in 0..if page.is_none() { series / 10_000 } else { 0 } {
        let counters = exposed.counters(&format!("many{i}"), Texts::new(100, 32));
        counters.iter().for_each(|counter| counter.inc());
    }
    let idle = cpu_of_a_tick(every, || ());
    let busy = cpu_of_a_tick(every, || page.iter().for_each(|page| page.touch(1)));
    drop(telemetry);
    [idle, busy]
}

/// Microseconds that the threads of telemetry ran in a tick; `before` is done before each.
fn cpu_of_a_tick(every: Duration, before: impl Fn()) -> f64 {
    const TICKS: u32 = 20;
    std::thread::sleep(2 * every);
    let start = (Instant::now(), cpu_of_others());
    for n in 1..=TICKS {
        before();
        std::thread::sleep((n * every).saturating_sub(start.0.elapsed()));
    }
    let ticks = start.0.elapsed().as_secs_f64() / every.as_secs_f64();
    (cpu_of_others() - start.1).as_secs_f64() * 1e6 / ticks
}

/// How long threads other than this one have run that live now.
fn cpu_of_others() -> Duration {
    let this = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let others = tasks.filter(|task| Some(task.file_name().as_os_str()) != this.file_name());
    let ran = |task: std::fs::DirEntry| {
        let statistics = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        statistics.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(others.filter_map(ran).sum())
}

/// Its words, and the limit.
type Budget = (&'static str, fn(&At) -> f64);

/// Spans flat out on two threads, by the settings that a user has who sets none.
pub fn floods(effort: Effort) -> Vec<Table> {
    // What fastrace has not exported stays in memory, a gigabyte a second.
    let seconds = if effort.passes > 1 { 5 } else { 1 };
    let table = |of: &str, what: [&'static str; 3], least: Budget| {
        let [ours, fastrace, emit]: [[f64; 3]; 3] = ["bellwether", "fastrace", "emit"]
            .map(|library| child(&format!("flood/{library}/{of}/{seconds}")));
        let budgets: [Budget; 3] = [least, ("0", |_| 0.005), ("64", |_| 64.0)];
        let tables = (0..3).map(move |n| {
            let row = row(what[n], "").budget(budgets[n].0, budgets[n].1);
            let entry = |library, part, took| Entry {
                library,
                idiom: what[n],
                part,
                at: [None, Some(took)],
            };
            let entries = vec![
                entry("fastrace", Part::Peer, fastrace[n]),
                entry("emit", Part::Peer, emit[n]),
                entry("bellwether", Part::Ours(row), ours[n]),
            ];
            Table { title: what[n].to_owned(), unit: ["ns", "%", "MB"][n], entries }
        });
        tables.collect::<Vec<_>>()
    };
    let roots = ["spans flat out, exported each", "spans flat out, lost", "spans flat out, memory"];
    let trees = [
        "trees with content flat out, a span exported each",
        "trees with content flat out, lost",
        "trees with content flat out, memory",
    ];
    let mut tables = table("roots", roots, ("20 M/s: 50 ns", |_| 50.0));
    tables.extend(table("trees", trees, ("8 M/s: 125 ns", |_| 125.0)));
    tables
}

/// Readings after 1,000 further threads lived and ended, to those with as many as own tables.
pub fn after_threads(_: Effort) -> Vec<Table> {
    let [page, page_after, snapshot, snapshot_after, tick, tick_after] = child("after");
    let table = |what: &'static str, before, after| {
        let row = row(what, BEFORE).budget("1.1 x", |at| 1.1 * at.own_floor());
        let floor =
            Entry { library: "", idiom: BEFORE, part: Part::Floor, at: [Some(before), None] };
        let ours = Entry {
            library: "bellwether",
            idiom: what,
            part: Part::Ours(row),
            at: [Some(after), None],
        };
        Table { title: what.to_owned(), unit: "µs", entries: vec![floor, ours] }
    };
    vec![
        table("a page after 1,000 further threads, every value changed", page, page_after),
        table("a snapshot after 1,000 further threads", snapshot, snapshot_after),
        table("a tick after 1,000 further threads", tick, tick_after),
    ]
}

const BEFORE: &str = "with the owners of tables alone";

fn after_further_threads() -> [f64; 6] {
    let telemetry = bellwether::builder("peers").tick(EVERY).series_limit(20_000);
    let telemetry = telemetry.byte_budget(1 << 30).start().expect("it starts");
    let mut page = Page::of(Bellwether::<WITHIN>::of(Registry::global()));
    page.fill(Owners::most() as u64);
    let before = readings(&mut page);
    for _ in 0..10 {
        page.touch(100);
    }
    let after = readings(&mut page);
    page.verify();
    drop(telemetry);
    [before[0], after[0], before[1], after[1], before[2], after[2]]
}

/// The fastest of some, which a busy machine disturbs least; of ticks, their mean.
fn readings(page: &mut Page) -> [f64; 3] {
    let fastest = |read: &mut dyn FnMut() -> Duration| {
        (0..20).map(|_| read()).min().expect("some").as_secs_f64() * 1e6
    };
    let of_page = fastest(&mut || {
        page.touch(1);
        timed(|| page.render())
    });
    let of_snapshot = fastest(&mut || timed(|| drop(Registry::global().snapshot())));
    [of_page, of_snapshot, cpu_of_a_tick(EVERY, || ())]
}
