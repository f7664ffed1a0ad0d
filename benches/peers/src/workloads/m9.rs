//! M9: a thread that records while another renders the page in a loop, to one that records alone.
//!
//! Here a peer may lose records, for that is what its users get: it is said, and ends no run.

use super::{Budget, Figure, Table, Taken, m7::keep, page};
use crate::{
    bellwether_side,
    harness::{Effort, Role, waited_for_core},
};
use page::Page;
use std::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

pub fn tables(effort: Effort) -> Vec<Table> {
    let mut pages = page::peers();
    pages.push(bellwether_side::page());
    let mut taken: Vec<_> = pages.iter().map(|_| Both::default()).collect();
    let operations: Vec<_> = pages.iter().map(|page| operations(page, effort)).collect();
    pages.iter_mut().for_each(|page| page.fill(1));
    for _ in 0..effort.passes {
        for _ in 0..effort.rounds {
            for ((page, taken), &operations) in pages.iter_mut().zip(&mut taken).zip(&operations) {
                round(page, operations, taken);
            }
        }
        taken.iter_mut().for_each(Both::end_pass);
    }
    pages.iter_mut().for_each(verify);
    let (mut ratios, mut scrapes) = (ratio_table(), scrape_table());
    for (page, Both { ratio, scrape }) in pages.iter().zip(taken) {
        ratios.figures.push(figure(page, ratio));
        scrapes.figures.push(figure(page, scrape));
    }
    vec![ratios, scrapes]
}

fn ratio_table() -> Table {
    Table {
        workload: "M9 recording beside scrapes",
        unit: "x alone",
        figures: Vec::new(),
        budget: |_, _| Some(Budget { limit: 1.1, rule: "1.1 x alone" }),
    }
}

fn scrape_table() -> Table {
    Table {
        workload: "M9 a scrape beside recording",
        unit: "us",
        figures: Vec::new(),
        budget: |_, _| Some(Budget { limit: 1e6 / 1500.0, rule: "1,500 scrapes/s" }),
    }
}

/// Panics if bellwether lost anything; says so if a peer did.
fn verify(page: &mut Page) {
    if page.role == Role::Ours {
        return page.verify();
    }
    let [recorded, on_page] = page.totals();
    if on_page != recorded {
        let library = page.library;
        eprintln!("{library} has {on_page:?} of {recorded:?} that were recorded beside scrapes");
    }
}

/// How many operations take five rounds: the slowest page takes two.
fn operations(page: &Page, effort: Effort) -> u64 {
    const PROBE: u64 = 20_000;
    let mut worker = page.worker();
    worker(PROBE);
    let start = Instant::now();
    worker(PROBE);
    (5.0 * effort.round.as_secs_f64() / start.elapsed().as_secs_f64() * PROBE as f64) as u64
}

#[derive(Default)]
struct Both {
    ratio: Taken,
    scrape: Taken,
}

impl Both {
    fn end_pass(&mut self) {
        self.ratio.end_pass();
        self.scrape.end_pass();
    }
}

fn figure(page: &Page, taken: Taken) -> Figure {
    let Page { library, idiom, role, .. } = *page;
    let invalid_rounds = taken.invalid;
    Figure { library, idiom, role, threads: 2, value: taken.value(), invalid_rounds }
}

/// Records alone and then beside scrapes, which go on until the recording is done.
fn round(page: &mut Page, operations: u64, taken: &mut Both) {
    let (alone, _) = record(page, operations);
    let (began, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut render = std::mem::replace(&mut page.render, Box::new(|_| ()));
    let ((beside, valid), (scrape, scraped_throughout)) = std::thread::scope(|scope| {
        let scraper = scope.spawn(|| scrape_until(&done, &began, &mut render));
        while !began.load(SeqCst) {
            spin_loop();
        }
        let recorded = record(page, operations);
        done.store(true, SeqCst);
        (recorded, scraper.join().expect("the scraper panicked"))
    });
    page.render = render;
    let valid = valid && scraped_throughout;
    taken.ratio.add(beside.as_secs_f64() / alone.as_secs_f64(), valid);
    taken.scrape.add(scrape.as_secs_f64() * 1e6, valid);
}

/// How long it took, and whether the thread had a core for nine tenths of that.
fn record(page: &Page, operations: u64) -> (Duration, bool) {
    let mut worker = page.worker();
    worker(operations / 100);
    let waited = waited_for_core();
    let start = Instant::now();
    worker(operations);
    let took = start.elapsed();
    (took, (waited_for_core() - waited) * 10 < took)
}

/// How long a scrape took, and whether the thread had a core for nine tenths of the time.
fn scrape_until(
    done: &AtomicBool,
    began: &AtomicBool,
    render: &mut page::Render,
) -> (Duration, bool) {
    let waited = waited_for_core();
    let (start, mut scrapes) = (Instant::now(), 0);
    began.store(true, SeqCst);
    while scrapes == 0 || !done.load(SeqCst) {
        render(&mut keep);
        scrapes += 1;
    }
    let took = start.elapsed();
    (took / scrapes, (waited_for_core() - waited) * 10 < took)
}
