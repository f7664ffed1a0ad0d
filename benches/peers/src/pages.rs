//! A process's page: 10,000 counters and 1,000 histograms, in families of 100 series with two labels,
//! read by one thread after one or two threads recorded, and beside one that records.

use crate::{
    exposition::{
        BOUNDS, Bellwether, Exposed, Fastmetrics, HDR, Measured, Metrics, Opentelemetry,
        Prometheus, PrometheusClient, Read, WITHIN,
    },
    harness::{Effort, Taken, waited_for_core},
    histograms::SECONDS,
    labels::{ClosedSet, Texts},
    memory::allocated_in,
    recorder,
    table::{At, Entry, Part, Row, Table, row},
};
use std::{
    cell::Cell,
    hint::{black_box, spin_loop},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// How many values a histogram gets when a page is filled.
const VALUES_EACH: usize = 1_000;

/// One library's page.
pub struct Page {
    library: &'static str,
    idiom: &'static str,
    fill: Box<dyn Fn() + Send + Sync>,
    touch: Box<dyn Fn() + Send + Sync>,
    worker: Box<dyn Fn(u64)>,
    render: Box<dyn FnMut(&mut Read) + Send>,
    counted: Cell<u64>,
    observed: Cell<u64>,
}

impl Page {
    pub fn of<E: Exposed>(mut exposed: E) -> Self {
        let texts = Texts::few();
        let counters: Vec<_> =
            (0..100).flat_map(|i| exposed.counters(&format!("page_counter{i}"), texts)).collect();
        let histograms: Vec<_> = (0..10)
            .flat_map(|i| exposed.histograms(&format!("page_histogram{i}"), texts))
            .collect();
        let (counters, histograms): (&'static [_], &'static [_]) =
            (counters.leak(), histograms.leak());
        let fill = move || {
            counters.iter().zip(0..).for_each(|(counter, n)| E::add(counter, n));
            let values = &SECONDS[..VALUES_EACH];
            histograms.iter().for_each(|h| values.iter().for_each(|v| E::record(h, *v)));
        };
        let touch = move || {
            counters.iter().for_each(|counter| E::add(counter, 1));
            histograms.iter().for_each(|histogram| E::record(histogram, SECONDS[0]));
        };
        // An operation is a counter, 64 in turn, and a histogram, eight in turn.
        let worker = move |n: u64| {
            for (i, value) in (0..n as usize).zip(SECONDS.iter().cycle()) {
                E::add(&counters[i & 63], 1);
                E::record(&histograms[i & 7], *value);
            }
        };
        Self {
            library: E::LIBRARY,
            idiom: E::IDIOM,
            fill: Box::new(fill),
            touch: Box::new(touch),
            worker: Box::new(worker),
            render: Box::new(move |read| exposed.render(read)),
            counted: Cell::default(),
            observed: Cell::default(),
        }
    }

    /// Adds to each counter its number and to each histogram the same values, from each of so many
    /// threads that live at the same time.
    pub fn fill(&self, threads: u64) {
        let (fill, barrier) = (&self.fill, Barrier::new(threads as usize));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    fill();
                    barrier.wait();
                });
            }
        });
        self.count(threads * (0..10_000).sum::<u64>(), threads * 1_000 * VALUES_EACH as u64);
    }

    /// Adds to each counter and each histogram once, from so many threads that live at the same time
    /// and are none of those that filled the page.
    pub fn touch(&self, threads: u64) {
        let (touch, barrier) = (&self.touch, Barrier::new(threads as usize));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    touch();
                    barrier.wait();
                });
            }
        });
        self.count(threads * 10_000, threads * 1_000);
    }

    fn count(&self, counted: u64, observed: u64) {
        self.counted.set(self.counted.get() + counted);
        self.observed.set(self.observed.get() + observed);
    }

    pub fn render(&mut self) {
        (self.render)(&mut |page| {
            black_box(page);
        });
    }

    /// What was recorded and what the page says, each of counters and of histograms.
    fn totals(&mut self) -> [(u64, u64); 2] {
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

    fn is_ours(&self) -> bool {
        self.library == "bellwether"
    }

    fn entry(&self, row: impl Fn(&'static str) -> Row, at: [Option<f64>; 2]) -> Entry {
        let part = if self.is_ours() { Part::Ours(row(self.idiom)) } else { Part::Peer };
        Entry { library: self.library, idiom: self.idiom, part, at }
    }
}

fn all() -> Vec<Page> {
    vec![
        Page::of(Prometheus::new()),
        Page::of(PrometheusClient::new()),
        Page::of(Fastmetrics::new()),
        Page::of(Measured::<ClosedSet<10>>::new()),
        Page::of(Metrics::new()),
        Page::of(Opentelemetry::new()),
        Page::of(Bellwether::<WITHIN>::new()),
        Page::of(Bellwether::<BOUNDS>::new()),
        Page::of(Bellwether::<HDR>::new()),
    ]
}

/// What is measured of a page, its unit, and the row of it for each kind of histogram.
struct Measure(&'static str, &'static str, fn(&'static str) -> Row);

const MEASURED: [Measure; 4] = [
    Measure("a page of which every value changed", "µs", |kind| {
        let limit = |at: &At| 0.45 * fastmetrics(at);
        row(named("a page, every value changed", kind), COPY).budget("0.45 x fastmetrics", limit)
    }),
    Measure("a page of which nothing changed", "µs", |kind| {
        row(named("a page, nothing changed", kind), COPY)
    }),
    Measure("a first page", "µs", |kind| {
        let limit = |at: &At| 2.0 * fastmetrics(at);
        row(named("a first page", kind), COPY).budget("2 x fastmetrics'", limit)
    }),
    Measure("allocations of a page of which every value changed", "times", |kind| {
        row(named("allocations a page", kind), "").budget("10", |_| 10.0)
    }),
];

const COPY: &str = "copying it";

fn fastmetrics(at: &At) -> f64 {
    at.peer(|library| library == "fastmetrics")
}

fn named(what: &str, kind: &str) -> &'static str {
    format!("{what}, 10,000 counters and 1,000 {kind}").leak()
}

pub fn pages(effort: Effort) -> Vec<Table> {
    let [one, two] = [1, 2].map(|threads| measured(threads, effort));
    let of_measured = |(i, Measure(title, unit, row)): (usize, Measure)| {
        let entries = one.iter().zip(&two).map(|((page, one), (_, two))| {
            let at = [Some(one[i]), Some(two[i])];
            match page {
                Some(page) => page.entry(row, at),
                None => Entry { library: "", idiom: COPY, part: Part::Floor, at },
            }
        });
        Table { title: title.to_owned(), unit, entries: entries.collect() }
    };
    MEASURED.into_iter().enumerate().map(of_measured).collect()
}

/// Everything of [`MEASURED`], of each page that so many threads filled; without a page, of a copy of
/// bellwether's.
fn measured(threads: u64, effort: Effort) -> Vec<(Option<Page>, [f64; 4])> {
    let mut taken: Vec<[Taken; 4]> = Vec::new();
    let mut pages = Vec::new();
    for _ in 0..effort.passes {
        pages = all();
        taken.resize_with(pages.len() + 1, Default::default);
        for (page, [_, _, first, _]) in pages.iter_mut().zip(&mut taken) {
            page.fill(threads);
            first.add(timed(|| page.render()).as_secs_f64() * 1e6);
            page.verify();
        }
        let mut copy = Copy::of(pages.iter_mut().find(|page| page.is_ours()).expect("ours"));
        for _ in 0..effort.rounds {
            for (page, [changed, same, _, allocations]) in pages.iter_mut().zip(&mut taken) {
                page.touch(1);
                let (allocated, took) = allocated_in(|| timed(|| page.render()));
                changed.add(took.as_secs_f64() * 1e6);
                allocations.add(allocated.times as f64);
                same.add(timed(|| page.render()).as_secs_f64() * 1e6);
            }
            let copied = timed(|| copy.again()).as_secs_f64() * 1e6;
            let floors = taken.last_mut().expect("one more than pages");
            floors.iter_mut().for_each(|floor| floor.add(copied));
        }
        pages.iter_mut().for_each(Page::verify);
        taken.iter_mut().flatten().for_each(Taken::end_pass);
    }
    let pages = pages.into_iter().map(Some).chain([None]);
    pages.zip(taken.into_iter().map(|all| all.map(Taken::value))).collect()
}

pub fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// A page's bytes, and a buffer to copy them into.
struct Copy {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Copy {
    fn of(page: &mut Page) -> Self {
        let mut from = Vec::new();
        (page.render)(&mut |page| from = page.to_vec());
        Self { to: from.clone(), from }
    }

    fn again(&mut self) {
        self.to.clear();
        self.to.extend_from_slice(black_box(&self.from));
        black_box(self.to.as_slice());
    }
}

/// A thread that records while another renders the page in a loop, to one that records alone.
///
/// Here a peer may lose records, for that is what its users get: it is said, and ends no run.
pub fn beside_scrapes(effort: Effort) -> Vec<Table> {
    let mut pages = all();
    let mut taken: Vec<[Taken; 2]> = pages.iter().map(|_| Default::default()).collect();
    pages.iter_mut().for_each(|page| page.fill(1));
    let operations: Vec<_> = pages.iter().map(|page| operations(page, effort)).collect();
    for _ in 0..effort.passes {
        for _ in 0..effort.rounds {
            for ((page, taken), &operations) in pages.iter_mut().zip(&mut taken).zip(&operations) {
                let both = (0..10).find_map(|_| beside(page, operations)).into_iter().flatten();
                taken.iter_mut().zip(both).for_each(|(taken, value)| taken.add(value));
            }
        }
        taken.iter_mut().flatten().for_each(Taken::end_pass);
    }
    for page in &mut pages {
        let [recorded, on_page] = page.totals();
        if page.is_ours() {
            assert_eq!(on_page, recorded, "a wrong total");
        } else if on_page != recorded {
            let library = page.library;
            eprintln!(
                "{library} has {on_page:?} of {recorded:?} that were recorded beside scrapes"
            );
        }
    }
    let values: Vec<_> = taken.into_iter().map(|both| both.map(Taken::value)).collect();
    let table = |title: &str, unit, i: usize, row: fn(&'static str) -> Row| {
        let entry = |(page, values): (&Page, &[f64; 2])| page.entry(row, [None, Some(values[i])]);
        let entries = pages.iter().zip(&values).map(entry).collect();
        Table { title: title.to_owned(), unit, entries }
    };
    vec![
        table("recording beside scrapes", "x alone", 0, |kind| {
            let what = format!("a counter and a histogram beside scrapes, {kind}").leak();
            row(what, "").budget("1.1 x alone", |_| 1.1)
        }),
        table("a scrape beside recording", "µs", 1, |kind| {
            let what = format!("a scrape beside recording, {kind}").leak();
            row(what, "").budget("1,000 a second", |_| 1_000.0)
        }),
    ]
}

/// How many operations take five rounds: the slowest page takes two.
fn operations(page: &Page, effort: Effort) -> u64 {
    const PROBE: u64 = 20_000;
    let mut took = Duration::ZERO;
    for _ in 0..2 {
        took = timed(|| (page.worker)(PROBE));
        page.count(PROBE, PROBE);
    }
    (5.0 * effort.round.as_secs_f64() / took.as_secs_f64() * PROBE as f64) as u64
}

/// Records alone and then beside scrapes, which go on until the recording is done: the ratio, and what
/// a scrape took, if all had a core.
fn beside(page: &mut Page, operations: u64) -> Option<[f64; 2]> {
    let alone = record(page, operations);
    let (began, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut render = std::mem::replace(&mut page.render, Box::new(|_| ()));
    let (beside, scraped) = std::thread::scope(|scope| {
        let scraper = scope.spawn(|| with_a_core(|| scrape_until(&done, &began, &mut render)));
        while !began.load(SeqCst) {
            spin_loop();
        }
        let beside = record(page, operations);
        done.store(true, SeqCst);
        (beside, scraper.join().expect("the scraper panicked"))
    });
    page.render = render;
    let (took, scrapes) = scraped?;
    let ratio = beside?.as_secs_f64() / alone?.as_secs_f64();
    Some([ratio, took.as_secs_f64() * 1e6 / f64::from(scrapes)])
}

fn record(page: &Page, operations: u64) -> Option<Duration> {
    page.count(operations + operations / 100, operations + operations / 100);
    (page.worker)(operations / 100);
    with_a_core(|| timed(|| (page.worker)(operations)))
}

/// The answer, if the thread had a core for nine tenths of the time.
fn with_a_core<T>(work: impl FnOnce() -> T) -> Option<T> {
    let (waited, start) = (waited_for_core(), Instant::now());
    let answer = work();
    ((waited_for_core() - waited) * 10 < start.elapsed()).then_some(answer)
}

fn scrape_until(
    done: &AtomicBool,
    began: &AtomicBool,
    render: &mut Box<dyn FnMut(&mut Read) + Send>,
) -> (Duration, u32) {
    let (start, mut scrapes) = (Instant::now(), 0);
    began.store(true, SeqCst);
    while scrapes == 0 || !done.load(SeqCst) {
        render(&mut |page| {
            black_box(page);
        });
        scrapes += 1;
    }
    (start.elapsed(), scrapes)
}
