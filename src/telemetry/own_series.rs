//! The crate's metrics about itself, as series on the page.

use std::sync::Arc;

use super::source::Source;
use crate::{
    alert::Board,
    cells::{orphaned, reentrant, shared_records},
    context, diagnostics, label,
    metric::{DataPoint, Kind, Observations, Observer, Registry, Unit},
    pipeline::{AnyPipe, QueueReport, Signal as _, leaked_workers, series},
    trace::{SpanRecord, Tracer},
};

type Read = Box<dyn Fn(&mut Observations) + Send + Sync>;

/// Registers the figures of `pipes`, `board`, `tracer` and the metrics until the observers are dropped.
pub(super) fn register(
    registry: &Registry,
    pipes: &[Arc<dyn AnyPipe>],
    board: &Arc<Board>,
    tracer: &Arc<Tracer>,
    spans: &Arc<Source<SpanRecord>>,
    metrics: &Arc<Source<DataPoint>>,
) -> Vec<Observer> {
    let all = of_queues(pipes).into_iter().chain(of_rules(board)).chain(of_records()).chain([
        of_labels(),
        of_spans(tracer),
        of_open_spans(tracer),
        of_baggage(),
        of_limits(tracer),
        of_processors(spans, metrics),
    ]);
    let all = all.chain(tracer.tail_counts().map(|_| of_tail(tracer)).into_iter().flatten());
    all.filter_map(|(kind, (name, help), unit, read)| {
        match registry.observe(kind, (name, help), Unit::new(unit), true, read) {
            Ok(observer) => Some(observer),
            // The user has registered a name of ours: the user's family stays.
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
    let past = ("telemetry.history.size", "Memory of the past of all series");
    vec![
        (Kind::Counter, missed, "{tick}", read(|board| board.missed_ticks() as f64)),
        (Kind::Gauge, past, "By", read(|board| board.history_bytes() as f64)),
    ]
}

fn of_spans(tracer: &Arc<Tracer>) -> Series {
    let tracer = tracer.clone();
    let lost =
        ("telemetry.spans.lost", "Spans that came to no queue: the sampler or the sink panicked");
    let read = move |to: &mut Observations| to.observe(tracer.lost() as f64, &[]);
    (Kind::Counter, lost, "{span}", Box::new(read))
}

fn of_open_spans(tracer: &Arc<Tracer>) -> Series {
    let tracer = tracer.clone();
    let open = ("telemetry.spans.open", "Recorded spans that have not ended");
    let read = move |to: &mut Observations| to.observe(tracer.open() as f64, &[]);
    (Kind::Gauge, open, "{span}", Box::new(read))
}

fn of_limits(tracer: &Arc<Tracer>) -> Series {
    let tracer = tracer.clone();
    let beyond = ("telemetry.spans.truncated", "What of ended spans was beyond their limits");
    let read = move |to: &mut Observations| {
        for (what, n) in tracer.truncated() {
            to.observe(n as f64, &[("what", what)]);
        }
    };
    (Kind::Counter, beyond, "{item}", Box::new(read))
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

fn of_tail(tracer: &Arc<Tracer>) -> [Series; 2] {
    let decided = ("telemetry.tail.spans", "Spans that the tail sampler has decided about");
    let waiting = ("telemetry.tail.held", "Memory of spans that wait for the tail sampler");
    let (of_decided, of_waiting) = (tracer.clone(), tracer.clone());
    let read_decided = move |to: &mut Observations| {
        let counts = of_decided.tail_counts().map(|(counts, _)| counts);
        for (decision, n) in counts.into_iter().flatten() {
            to.observe(n as f64, &[("decision", decision)]);
        }
    };
    let read_waiting = move |to: &mut Observations| {
        if let Some((_, n_bytes)) = of_waiting.tail_counts() {
            to.observe(n_bytes as f64, &[]);
        }
    };
    [
        (Kind::Counter, decided, "{span}", Box::new(read_decided)),
        (Kind::Gauge, waiting, "By", Box::new(read_waiting)),
    ]
}

fn of_baggage() -> Series {
    let refused =
        ("telemetry.baggage.refused", "Entries of baggage that were malformed, or did not fit");
    let read = |to: &mut Observations| to.observe(context::refused_baggage() as f64, &[]);
    (Kind::Counter, refused, "{entry}", Box::new(read))
}

/// Names are unique within a signal.
fn by_exporter(pipes: &[Arc<dyn AnyPipe>], read: fn(&QueueReport) -> u64, to: &mut Observations) {
    for pipe in pipes {
        let labels = [(series::EXPORTER_KEY, pipe.name()), (series::SIGNAL_KEY, pipe.signal())];
        to.observe(read(&pipe.report()) as f64, &labels);
    }
}

fn drops(pipes: &[Arc<dyn AnyPipe>], to: &mut Observations) {
    for pipe in pipes {
        for (reason, count) in pipe.report().dropped.iter() {
            let labels = [
                (series::EXPORTER_KEY, pipe.name()),
                (series::REASON_KEY, reason.as_str()),
                (series::SIGNAL_KEY, pipe.signal()),
            ];
            to.observe(count as f64, &labels);
        }
    }
}

fn of_processors(spans: &Arc<Source<SpanRecord>>, metrics: &Arc<Source<DataPoint>>) -> Series {
    let (spans, metrics) = (spans.clone(), metrics.clone());
    let dropped = ("telemetry.processor.dropped", "Records that a processor removed, or lost");
    let read = move |to: &mut Observations| {
        for (signal, dropped) in
            [(SpanRecord::NAME, spans.dropped()), (DataPoint::NAME, metrics.dropped())]
        {
            for (reason, count) in dropped.into_iter().filter(|&(_, count)| count > 0) {
                let labels = [(series::REASON_KEY, reason), (series::SIGNAL_KEY, signal)];
                to.observe(count as f64, &labels);
            }
        }
    };
    (Kind::Counter, dropped, series::UNIT, Box::new(read))
}
