//! A tick of 50 rules over series that have all changed, with what it takes to write them into the
//! history: of 1,000 series at most 1 ms of one core; of 100,000, where a rule reads tens of thousands.

use std::{hint::black_box, time::Duration};

use bellwether::{alert::Bench, clock};
use criterion::{Criterion, criterion_group, criterion_main};

fn tick(criterion: &mut Criterion) {
    for (n_series, n_ticks, n_samples) in [(1_000, 310, 100), (100_000, 70, 10)] {
        let mut bench = Bench::new(n_series);
        // The longest range is full from here on; of 100,000 series, that of a minute.
        for _ in 0..n_ticks {
            bench.record();
            bench.tick();
        }
        let mut group = criterion.benchmark_group("tick of 50 rules");
        group.sample_size(n_samples).bench_function(format!("over {n_series} series"), |bencher| {
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
}

criterion_group!(benches, tick);
criterion_main!(benches);
