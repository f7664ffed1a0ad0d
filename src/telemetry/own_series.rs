//! What the crate counts about itself, as series on the page.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    diagnostics,
    metric::{Kind, Observations, Observer, Registry, Unit, orphaned, reentrant},
    pipeline::{AnyPipe, QueueReport, leaked_workers, series},
};

/// Registers the figures of `pipes` and of the metrics until the observers are dropped.
pub(super) fn register(registry: &Registry, pipes: &[Arc<dyn AnyPipe>]) -> Vec<Observer> {
    type Read = fn(&QueueReport) -> u64;
    let of_queues: [(Kind, series::Series, Read); 5] = [
        (Kind::Counter, series::OFFERED, |queue| queue.offered),
        (Kind::Counter, series::DELIVERED, |queue| queue.delivered),
        (Kind::Gauge, series::HELD, |queue| queue.held),
        (Kind::Gauge, series::SPOOLED, |queue| queue.spooled),
        (Kind::Counter, series::RETRIES, |queue| queue.retries),
    ];
    let mut observers = Vec::new();
    let mut observe =
        |kind, (name, help), unit, read: Box<dyn Fn(&mut Observations) + Send + Sync>| {
            match registry.observe(kind, name, help, Unit::new(unit), read) {
                Ok(observer) => observers.push(observer),
                // A name of ours that the user has taken: theirs is kept.
                Err(error) => diagnostics::report("series", format_args!("{error}")),
            }
        };
    for (kind, series, read) in of_queues {
        let pipes = pipes.to_vec();
        observe(kind, series, series::UNIT, Box::new(move |to| by_exporter(&pipes, read, to)));
    }
    let dropping = pipes.to_vec();
    observe(Kind::Counter, series::DROPPED, series::UNIT, Box::new(move |to| drops(&dropping, to)));
    let leaked = |to: &mut Observations| to.observe(leaked_workers() as f64, &[]);
    observe(Kind::Counter, series::LEAKED, "{thread}", Box::new(leaked));
    let help = "Records of threads that were past their destructors";
    let read = |to: &mut Observations| to.observe(orphaned() as f64, &[]);
    observe(Kind::Counter, ("telemetry.records.orphaned", help), series::UNIT, Box::new(read));
    let help = "Records from inside an allocation of this crate, dropped";
    let read = |to: &mut Observations| to.observe(reentrant() as f64, &[]);
    observe(Kind::Counter, ("telemetry.records.reentrant", help), series::UNIT, Box::new(read));
    observers
}

/// Exporters of one name are one series.
fn by_exporter(pipes: &[Arc<dyn AnyPipe>], read: fn(&QueueReport) -> u64, to: &mut Observations) {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for pipe in pipes {
        *sums.entry(pipe.name()).or_default() += read(&pipe.report());
    }
    for (name, sum) in sums {
        to.observe(sum as f64, &[(series::EXPORTER_KEY, name)]);
    }
}

fn drops(pipes: &[Arc<dyn AnyPipe>], to: &mut Observations) {
    let mut sums: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for pipe in pipes {
        for (reason, count) in pipe.report().dropped.iter() {
            *sums.entry((pipe.name(), reason.as_str())).or_default() += count;
        }
    }
    for ((name, reason), sum) in sums {
        to.observe(sum as f64, &[(series::EXPORTER_KEY, name), (series::REASON_KEY, reason)]);
    }
}
