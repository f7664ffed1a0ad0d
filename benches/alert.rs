//! A tick of 50 rules over 1,000 series that have all changed, with what it takes to write them into the
//! history: at most 1 ms of one core.

use std::{hint::black_box, time::Duration};

use bellwether::{alert::Bench, clock};
use criterion::{Criterion, criterion_group, criterion_main};

fn tick(criterion: &mut Criterion) {
    let mut bench = Bench::new();
    // The longest range is full from here on.
    for _ in 0..310 {
        bench.record();
        bench.tick();
    }
    criterion.bench_function("tick of 50 rules over 1,000 series", |bencher| {
        bencher.iter_custom(|n| {
            let mut spent = Duration::ZERO;
            for _ in 0..n {
                bench.record();
                let start = clock::now();
                black_box(bench.tick());
                spent += clock::now().since(start);
            }
            spent
        });
    });
}

criterion_group!(benches, tick);
criterion_main!(benches);
