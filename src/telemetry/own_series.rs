//! What the crate counts about itself, as series on the page.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    alert::Board,
    cells::{orphaned, reentrant, shared_records},
    diagnostics, label,
    metric::{Kind, Observations, Observer, Registry, Unit},
    pipeline::{AnyPipe, QueueReport, leaked_workers, series},
    trace::Tracer,
};

type Read = Box<dyn Fn(&mut Observations) + Send + Sync>;

/// Registers the figures of `pipes`, `board`, `tracer` and the metrics until the observers are dropped.
pub(super) fn register(
    registry: &Registry,
    pipes: &[Arc<dyn AnyPipe>],
    board: &Arc<Board>,
    tracer: &Arc<Tracer>,
) -> Vec<Observer> {
    let all = of_queues(pipes)
        .into_iter()
        .chain(of_rules(board))
        .chain(of_records())
        .chain([of_labels(), of_spans(tracer)]);
    all.filter_map(|(kind, (name, help), unit, read)| {
        match registry.observe(kind, name, help, Unit::new(unit), read) {
            Ok(observer) => Some(observer),
            // A name of ours that the user has taken: theirs is kept.
            Err(error) => {
                diagnostics::report("series", format_args!("{error}"));
                None
            }
        }
    })
    .collect()
}

type Series = (Kind, series::Series, &'static str, Read);

fn of_queues(pipes: &[Arc<dyn AnyPipe>]) -> Vec<Series> {
    let by_exporter = |kind, series, read: fn(&QueueReport) -> u64| -> Series {
        let pipes = pipes.to_vec();
        (kind, series, series::UNIT, Box::new(move |to| by_exporter(&pipes, read, to)))
    };
    let dropping = pipes.to_vec();
    let leaked = |to: &mut Observations| to.observe(leaked_workers() as f64, &[]);
    vec![
        by_exporter(Kind::Counter, series::OFFERED, |queue| queue.offered),
        by_exporter(Kind::Counter, series::DELIVERED, |queue| queue.delivered),
        by_exporter(Kind::Gauge, series::HELD, |queue| queue.held),
        by_exporter(Kind::Gauge, series::SPOOLED, |queue| queue.spooled),
        by_exporter(Kind::Counter, series::RETRIES, |queue| queue.retries),
        (Kind::Counter, series::DROPPED, series::UNIT, Box::new(move |to| drops(&dropping, to))),
        (Kind::Counter, series::LEAKED, "{thread}", Box::new(leaked)),
    ]
}

fn of_rules(board: &Arc<Board>) -> Vec<Series> {
    let read = |read: fn(&Board) -> f64| -> Read {
        let board = board.clone();
        Box::new(move |to| to.observe(read(&board), &[]))
    };
    let missed = ("telemetry.alert.ticks.missed", "Evaluations of alert rules that were skipped");
    let window = ("telemetry.alert.window.size", "Memory of the samples that alert rules look at");
    vec![
        (Kind::Counter, missed, "{tick}", read(|board| board.missed_ticks() as f64)),
        (Kind::Gauge, window, "By", read(|board| board.window_bytes() as f64)),
    ]
}

fn of_spans(tracer: &Arc<Tracer>) -> Series {
    let tracer = tracer.clone();
    let lost = ("telemetry.spans.lost", "Spans that came to no queue: nested too deep, or a panic");
    let read = move |to: &mut Observations| to.observe(tracer.lost() as f64, &[]);
    (Kind::Counter, lost, "{span}", Box::new(read))
}

fn of_records() -> Vec<Series> {
    let read = |read: fn() -> u64| -> Read { Box::new(move |to| to.observe(read() as f64, &[])) };
    let late = ("telemetry.records.orphaned", "Records of threads past their last destructors");
    let lost =
        ("telemetry.records.reentrant", "Records from inside an allocation of ours, dropped");
    let shared = (
        "telemetry.records.shared",
        "Records of threads without a table of their own, by atomic additions",
    );
    vec![
        (Kind::Counter, shared, series::UNIT, read(shared_records)),
        (Kind::Counter, late, series::UNIT, read(orphaned)),
        (Kind::Counter, lost, series::UNIT, read(reentrant)),
    ]
}

fn of_labels() -> Series {
    let beyond =
        ("telemetry.labels.overflowed", "Look-ups of interned label values beyond their limit");
    let read = |to: &mut Observations| to.observe(label::n_placeless() as f64, &[]);
    (Kind::Counter, beyond, "{lookup}", Box::new(read))
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
