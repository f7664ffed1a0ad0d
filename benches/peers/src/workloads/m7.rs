//! M7: the page as Prometheus text, read by one thread, after one or two threads recorded.

use super::{Budget, Figure, Table, Taken, page};
use crate::{
    bellwether_side,
    harness::{Effort, Role, median},
    memory::allocated_in,
};
use page::Page;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

pub fn tables(effort: Effort) -> Vec<Table> {
    let mut pages = page::peers();
    pages.push(bellwether_side::page());
    let mut tables = [time_table(), allocation_table(), changed_table()];
    for threads in [1, 2] {
        for page in &mut pages {
            page.fill(threads);
            page.verify();
        }
        measure(&mut pages, threads as usize, effort, &mut tables);
    }
    tables.into()
}

fn time_table() -> Table {
    Table {
        workload: "M7 page of 10,000 counters and 1,000 histograms",
        unit: "us",
        figures: Vec::new(),
        budget: |table, figure| {
            let copies = table.times_floor(3.0, figure.threads);
            let limit = copies.min(table.times(0.2, "fastmetrics", figure.threads));
            Some(Budget { limit, rule: "3 x memcpy of it, 0.2 x fastmetrics" })
        },
    }
}

/// Of a scrape that finds nothing as it was; without a budget of its own.
fn changed_table() -> Table {
    Table {
        workload: "M7 the same, every counter and histogram changed since the last page",
        unit: "us",
        figures: Vec::new(),
        budget: |_, _| None,
    }
}

fn allocation_table() -> Table {
    Table {
        workload: "M7 allocations per page",
        unit: "times",
        figures: Vec::new(),
        budget: |_, _| Some(Budget { limit: 10.0, rule: "10" }),
    }
}

/// Times a page of each in turn, and a copy of bellwether's.
fn measure(pages: &mut [Page], threads: usize, effort: Effort, tables: &mut [Table; 3]) {
    let mut copy = Copy::of(pages.last_mut().expect("bellwether's"));
    let mut copied = Taken::default();
    let mut times: Vec<_> = pages.iter().map(|_| Taken::default()).collect();
    let mut changed: Vec<_> = pages.iter().map(|_| Taken::default()).collect();
    let mut allocations: Vec<_> = pages.iter().map(|_| Vec::new()).collect();
    for _ in 0..effort.passes {
        for _ in 0..effort.rounds {
            copied.add(micros(effort, || copy.again()), true);
            for (((page, time), times_allocated), changed) in
                pages.iter_mut().zip(&mut times).zip(&mut allocations).zip(&mut changed)
            {
                time.add(micros(effort, || (page.render)(&mut keep)), true);
                let (allocated, ()) = allocated_in(|| (page.render)(&mut |_| ()));
                times_allocated.push(allocated.times as f64);
                changed.add(micros_after_changes(effort, page), true);
            }
        }
        copied.end_pass();
        times.iter_mut().chain(&mut changed).for_each(Taken::end_pass);
    }
    pages.iter_mut().for_each(Page::verify);
    let [time_table, allocation_table, changed_table] = tables;
    time_table.figures.push(Figure {
        library: "(floor)",
        idiom: "memcpy of bellwether's page",
        role: Role::Floor,
        threads,
        value: copied.value(),
        invalid_rounds: 0,
    });
    for (((page, time), allocations), changed) in
        pages.iter().zip(times).zip(allocations).zip(changed)
    {
        let figure = |value| figure(page, threads, value);
        time_table.figures.push(figure(time.value()));
        allocation_table.figures.push(figure(median(allocations)));
        changed_table.figures.push(figure(changed.value()));
    }
}

fn figure(page: &Page, threads: usize, value: f64) -> Figure {
    let Page { library, idiom, role, .. } = *page;
    Figure { library, idiom, role, threads, value, invalid_rounds: 0 }
}

/// Makes the compiler believe that somebody reads it.
pub fn keep(page: &[u8]) {
    black_box(page);
}

/// What `work` takes, repeated for as long as a round is.
fn micros(effort: Effort, mut work: impl FnMut()) -> f64 {
    let (start, mut times) = (Instant::now(), 0);
    while times == 0 || start.elapsed() < effort.round {
        work();
        times += 1;
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
}

/// What a page takes when everything has changed since the one before; the changes are not timed.
fn micros_after_changes(effort: Effort, page: &mut Page) -> f64 {
    let (mut took, mut times) = (Duration::ZERO, 0);
    while times == 0 || took < effort.round {
        page.touch();
        let start = Instant::now();
        (page.render)(&mut keep);
        took += start.elapsed();
        times += 1;
    }
    took.as_secs_f64() * 1e6 / f64::from(times)
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
