//! What handing records over costs the thread that does it, and how fast a worker takes them.

use std::{hint::black_box, time::Duration};

use bellwether::pipeline::{Batch, Deadline, ExportResult, Exporter, Pipe, Route, Setup, Signal};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

#[derive(Clone)]
struct Record(u64);

impl Signal for Record {
    const NAME: &'static str = "lines";
    type RouteOptions = ();

    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

struct Sum(u64);

impl Exporter<Record> for Sum {
    fn export(&mut self, batch: &Batch<Record>, _: &Deadline) -> ExportResult<Record> {
        self.0 = batch.iter().fold(self.0, |sum, record| sum.wrapping_add(record.0));
        black_box(self.0);
        Ok(())
    }
}

fn queues(bench: &mut Criterion) {
    let pipe = Pipe::start(Route::new(Sum(0)), &Setup::default()).expect("a thread is granted");
    let mut group = bench.benchmark_group("queue");
    group.throughput(Throughput::Elements(256));
    group.bench_function("push 256 records and deliver them", |b| {
        let records = || (0..256).map(Record).collect::<Vec<_>>();
        b.iter_batched(
            records,
            |records| {
                pipe.push(records);
                assert!(pipe.flush(Duration::from_secs(5)), "a sum is quick");
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
    let report = pipe.shutdown(Duration::from_secs(5));
    assert_eq!(report.offered, report.delivered);
}

criterion_group!(benches, queues);
criterion_main!(benches);
