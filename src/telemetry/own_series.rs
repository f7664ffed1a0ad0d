//! The crate's metrics about itself, as series on the page.

use std::sync::Arc;

use super::{log_figures::LogFigures, source::Source, started::Started, wide_events::WideEvents};
use crate::{
    alert::Board,
    cells::{orphaned, reentrant, shared_records},
    context, diagnostics, label,
    log::{self, LogCounts, LogRecord},
    metric::{DataPoint, Kind, Observations, Observer, Registry, Unit},
    pipeline::{AnyPipe, QueueReport, Signal as _, SpoolReport, leaked_workers, series},
    trace::{SpanRecord, Tracer},
};

type Read = Box<dyn Fn(&mut Observations) + Send + Sync>;

/// Registers the figures of what was started, of `board` and `tracer`, until the observers are dropped.
pub(super) fn register(
    registry: &Registry,
    started: &Started,
    board: &Arc<Board>,
    tracer: &Arc<Tracer>,
) -> Vec<Observer> {
    let Started { spans, metrics, logs, pipes, .. } = started;
    let of_queues = of_queues(pipes).into_iter().chain(of_spools(pipes));
    let all = of_queues.chain(of_rules(board)).chain(of_records()).chain([
        of_labels(),
        of_spans(tracer),
        of_open_spans(tracer),
        of_baggage(),
        of_limits(tracer),
        of_processors(spans, metrics, &logs.source),
    ]);
    let of_logs = logs.are_taken().then(|| of_logs(&logs.figures)).into_iter().flatten();
    let of_logs = of_logs.chain(logs.wide_events.as_ref().map(of_wide_events));
    let all = all
        .chain(of_logs)
        .chain(tracer.tail_counts().map(|_| of_tail(tracer)).into_iter().flatten());
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

/// A figure of each of `pipes`.
fn each(
    pipes: &[Arc<dyn AnyPipe>],
    (kind, series, unit): (Kind, series::Series, &'static str),
    read: fn(&QueueReport) -> f64,
) -> Series {
    let pipes = pipes.to_vec();
    (kind, series, unit, Box::new(move |to| by_exporter(&pipes, read, to)))
}

/// Where a route has a spool.
fn of_spools(pipes: &[Arc<dyn AnyPipe>]) -> Vec<Series> {
    let with_spool: Vec<_> = pipes.iter().filter(|pipe| pipe.has_spool()).cloned().collect();
    if with_spool.is_empty() {
        return Vec::new();
    }
    let failing = with_spool.clone();
    let of_each = |series, read| each(&with_spool, series, read);
    let of_disk = |kind, series, unit, read: fn(&SpoolReport) -> f64| -> Series {
        let pipes = with_spool.clone();
        (kind, series, unit, Box::new(move |to| by_spool(&pipes, read, to)))
    };
    vec![
        of_each((Kind::Gauge, series::SPOOLED, series::UNIT), |queue| queue.spooled as f64),
        of_each((Kind::Counter, series::INHERITED, series::UNIT), |queue| queue.inherited as f64),
        of_disk(Kind::Gauge, series::SPOOL_SIZE, "By", |spool| spool.bytes as f64),
        of_disk(Kind::Gauge, series::SPOOL_BACKLOG, "By", |spool| spool.backlog_bytes as f64),
        of_disk(Kind::Counter, series::SPOOL_PASSED, series::UNIT, |spool| spool.passed as f64),
        of_disk(Kind::Counter, series::SPOOL_SKIPPED, "By", |spool| spool.skipped_bytes as f64),
        of_disk(Kind::Counter, series::SPOOL_SET_ASIDE, "{file}", |spool| {
            spool.segments_set_aside as f64
        }),
        of_disk(Kind::Counter, series::SPOOL_SYNCS, "{sync}", |spool| spool.syncs as f64),
        of_disk(Kind::Counter, series::SPOOL_SYNC_TIME, "s", |spool| spool.sync_time.as_secs_f64()),
        (
            Kind::Counter,
            series::SPOOL_FAILURES,
            "{operation}",
            Box::new(move |to| failures(&failing, to)),
        ),
    ]
}

fn of_queues(pipes: &[Arc<dyn AnyPipe>]) -> Vec<Series> {
    let items = |kind, series, read| each(pipes, (kind, series, series::UNIT), read);
    let (dropping, delivering) = (pipes.to_vec(), pipes.to_vec());
    let leaked = |to: &mut Observations| to.observe(leaked_workers() as f64, &[]);
    let deliveries = Box::new(move |to: &mut Observations| last_deliveries(&delivering, to));
    let bytes_sent = (Kind::Counter, series::BYTES_SENT, "By");
    let failures = (Kind::Gauge, series::FAILURES, "{attempt}");
    let panics = (Kind::Counter, series::PANICS, "{panic}");
    vec![
        items(Kind::Counter, series::OFFERED, |queue| queue.offered as f64),
        items(Kind::Counter, series::DELIVERED, |queue| queue.delivered as f64),
        items(Kind::Gauge, series::HELD, |queue| queue.held as f64),
        each(pipes, (Kind::Gauge, series::HELD_BYTES, "By"), |queue| queue.held_bytes as f64),
        each(pipes, (Kind::Gauge, series::CAPACITY, "By"), |queue| queue.max_bytes as f64),
        items(Kind::Counter, series::RETRIES, |queue| queue.retries as f64),
        (Kind::Counter, series::DROPPED, series::UNIT, Box::new(move |to| drops(&dropping, to))),
        each(pipes, bytes_sent, |queue| queue.bytes_sent as f64),
        (Kind::Gauge, series::LAST_DELIVERY, "s", deliveries),
        each(pipes, failures, |queue| f64::from(queue.failures_in_a_row)),
        each(pipes, panics, |queue| queue.panics as f64),
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
fn by_exporter(pipes: &[Arc<dyn AnyPipe>], read: fn(&QueueReport) -> f64, to: &mut Observations) {
    for pipe in pipes {
        to.observe(read(&pipe.report()), &labels(&**pipe));
    }
}

fn by_spool(pipes: &[Arc<dyn AnyPipe>], read: fn(&SpoolReport) -> f64, to: &mut Observations) {
    for pipe in pipes {
        if let Some(spool) = pipe.report().spool {
            to.observe(read(&spool), &labels(&**pipe));
        }
    }
}

fn labels(pipe: &dyn AnyPipe) -> [(&'static str, &str); 2] {
    [(series::EXPORTER_KEY, pipe.name()), (series::SIGNAL_KEY, pipe.signal())]
}

fn failures(pipes: &[Arc<dyn AnyPipe>], to: &mut Observations) {
    for pipe in pipes {
        let Some(spool) = pipe.report().spool else { continue };
        let [exporter, signal] = labels(&**pipe);
        for (operation, n) in [
            ("cursor", spool.failed_cursors),
            ("read", spool.failed_reads),
            ("write", spool.failed_writes),
        ] {
            to.observe(n as f64, &[exporter, (series::OPERATION_KEY, operation), signal]);
        }
    }
}

fn last_deliveries(pipes: &[Arc<dyn AnyPipe>], to: &mut Observations) {
    for pipe in pipes {
        if let Some(at) = pipe.report().last_delivery {
            to.observe(at.unix_nanos() as f64 / 1e9, &labels(&**pipe));
        }
    }
}

fn drops(pipes: &[Arc<dyn AnyPipe>], to: &mut Observations) {
    for pipe in pipes {
        for (reason, count) in pipe.report().dropped.iter() {
            let [exporter, signal] = labels(&**pipe);
            let labels = [exporter, (series::REASON_KEY, reason.as_str()), signal];
            to.observe(count as f64, &labels);
        }
    }
}

fn of_logs(figures: &Arc<LogFigures>) -> Vec<Series> {
    let read = |read: fn(&LogFigures, &mut Observations)| -> Read {
        let figures = figures.clone();
        Box::new(move |to| read(&figures, to))
    };
    let count = |name, help, unit, count: fn(LogCounts) -> u64| -> Series {
        let read =
            Box::new(move |to: &mut Observations| to.observe(count(log::counts()) as f64, &[]));
        (Kind::Counter, (name, help), unit, read)
    };
    let records = ("log.records", "Log records, by level and target");
    let errors = ("log.errors", "Errors that were logged, by target and place in the source");
    let sites = ("log.error.sites", "Places in the source that have logged errors");
    let of_targets = read(|figures, to| {
        figures.each_target(|level, target, n| {
            to.observe(n as f64, &[("level", level), ("target", target)]);
        });
    });
    let of_errors = read(|figures, to| {
        figures.each_error(|target, site, n| {
            to.observe(n as f64, &[("site", site), ("target", target)]);
        });
    });
    let of_sites = read(|figures, to| to.observe(figures.n_error_sites() as f64, &[]));
    let lost = "Log records that were dropped: they came faster than they could be handed over, or too late";
    let suppressed = "Log records that the limit of their call site suppressed";
    let truncated = "Texts and attributes of log records that were beyond their limits";
    let reentrant = "Log records from inside the logging of another, dropped";
    vec![
        (Kind::Counter, records, "{record}", of_targets),
        (Kind::Counter, errors, "{record}", of_errors),
        (Kind::Counter, sites, "{site}", of_sites),
        count("telemetry.logs.lost", lost, "{record}", |counts| counts.lost),
        count("telemetry.logs.suppressed", suppressed, "{record}", |counts| counts.suppressed),
        count("telemetry.logs.truncated", truncated, "{item}", |counts| counts.truncated),
        count("telemetry.logs.reentrant", reentrant, "{record}", |counts| counts.reentrant),
    ]
}

fn of_wide_events(wide_events: &Arc<WideEvents>) -> Series {
    let wide_events = wide_events.clone();
    let left_out = (
        "telemetry.wide_events.left_out",
        "Spans that are in no wide event: they ended after their root, or were too many",
    );
    let read = move |to: &mut Observations| to.observe(wide_events.n_left_out() as f64, &[]);
    (Kind::Counter, left_out, "{span}", Box::new(read))
}

fn of_processors(
    spans: &Arc<Source<SpanRecord>>,
    metrics: &Arc<Source<DataPoint>>,
    logs: &Arc<Source<LogRecord>>,
) -> Series {
    let (spans, metrics, logs) = (spans.clone(), metrics.clone(), logs.clone());
    let dropped = ("telemetry.processor.dropped", "Records that a processor removed, or lost");
    let read = move |to: &mut Observations| {
        for (signal, dropped) in [
            (SpanRecord::NAME, spans.dropped()),
            (DataPoint::NAME, metrics.dropped()),
            (LogRecord::NAME, logs.dropped()),
        ] {
            for (reason, count) in dropped.into_iter().filter(|&(_, count)| count > 0) {
                let labels = [(series::REASON_KEY, reason), (series::SIGNAL_KEY, signal)];
                to.observe(count as f64, &labels);
            }
        }
    };
    (Kind::Counter, dropped, series::UNIT, Box::new(read))
}
