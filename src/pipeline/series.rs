//! The names of the pipeline's own series. Each has the labels `exporter` and `signal`; some have one more.

/// The label key with the route's name.
pub(crate) const EXPORTER_KEY: &str = "exporter";
/// The label key with the signal.
pub(crate) const SIGNAL_KEY: &str = "signal";
/// The label key with the [`DropReason`](super::DropReason).
pub(crate) const REASON_KEY: &str = "reason";
/// The unit of those that count records, in UCUM's spelling.
pub(crate) const UNIT: &str = "{item}";

/// A name and its help text.
pub(crate) type Series = (&'static str, &'static str);

/// A counter.
pub(crate) const OFFERED: Series =
    ("telemetry.queue.offered", "Records offered to an exporter's queue");
/// A counter.
pub(crate) const DELIVERED: Series = ("telemetry.queue.delivered", "Records an exporter delivered");
/// A gauge.
pub(crate) const HELD: Series =
    ("telemetry.queue.held", "Records in the queue or in the exporter's hands");
/// A gauge.
pub(crate) const HELD_BYTES: Series = (
    "telemetry.queue.size",
    "What the records weigh that are in the queue or in the exporter's hands",
);
/// A gauge.
pub(crate) const CAPACITY: Series =
    ("telemetry.queue.capacity", "What the records may weigh that are held at most");
/// A gauge.
pub(crate) const SPOOLED: Series =
    ("telemetry.queue.spooled", "Records that wait on disk to be sent");
/// A counter.
pub(crate) const INHERITED: Series =
    ("telemetry.spool.inherited", "Records offered that an earlier process left in the spool");
/// A counter.
pub(crate) const DROPPED: Series = ("telemetry.queue.dropped", "Records dropped, by reason");
/// A counter.
pub(crate) const RETRIES: Series =
    ("telemetry.exporter.retries", "Times an exporter asked for another try");
/// A counter, without labels.
pub(crate) const LEAKED: Series =
    ("telemetry.worker.leaked", "Exporter threads that did not end before their deadline");
/// A counter.
pub(crate) const BYTES_SENT: Series =
    ("telemetry.exporter.sent", "Encoded bytes that were delivered, before compression");
/// A gauge, with points only after the first delivery.
pub(crate) const LAST_DELIVERY: Series =
    ("telemetry.exporter.last_delivery", "When an exporter last delivered, as Unix time");
/// A gauge.
pub(crate) const FAILURES: Series =
    ("telemetry.exporter.failures", "Attempts in a row that asked for another try");
/// A counter.
pub(crate) const PANICS: Series =
    ("telemetry.exporter.panics", "Times an exporter or a processor of its route panicked");
/// A histogram, with the label [`OUTCOME_KEY`].
pub(crate) const DURATION: Series =
    ("telemetry.exporter.duration", "Time of an attempt to deliver a batch, by outcome");
/// A histogram.
pub(crate) const BATCH: Series =
    ("telemetry.exporter.batch", "Records that an attempt was to deliver");
/// The label key with the [`AttemptOutcome`](super::AttemptOutcome).
pub(crate) const OUTCOME_KEY: &str = "outcome";
/// A gauge.
pub(crate) const SPOOL_SIZE: Series = ("telemetry.spool.size", "Bytes of the spool on disk");
/// A gauge.
pub(crate) const SPOOL_BACKLOG: Series = (
    "telemetry.spool.backlog",
    "Bytes that an earlier process left in the spool and that were not read yet",
);
/// A counter.
pub(crate) const SPOOL_PASSED: Series = (
    "telemetry.spool.passed",
    "Records sent without having been on the spool's disk, which took nothing",
);
/// A counter.
pub(crate) const SPOOL_SKIPPED: Series =
    ("telemetry.spool.skipped", "Bytes of the spool that were skipped as damaged or torn");
/// A counter.
pub(crate) const SPOOL_SET_ASIDE: Series =
    ("telemetry.spool.set_aside", "Files in the spool's folder that were set aside");
/// A counter.
pub(crate) const SPOOL_SYNCS: Series =
    ("telemetry.spool.syncs", "Times at which records were made durable");
/// A counter.
pub(crate) const SPOOL_SYNC_TIME: Series =
    ("telemetry.spool.sync.time", "Time that it took to make records durable");
/// A counter, with the label [`OPERATION_KEY`].
pub(crate) const SPOOL_FAILURES: Series =
    ("telemetry.spool.failures", "Operations of the spool's disk that failed");
/// The label key with what failed: `write`, `read` or `cursor`.
pub(crate) const OPERATION_KEY: &str = "operation";
