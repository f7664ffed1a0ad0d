//! What the pipeline counts about itself: reasons and the report; `series.rs` has the names of its series.
//!
//! This holds for every queue at every instant: `offered = delivered + held + spooled + dropped`. Held
//! are the records that wait in the queue or are in an exporter's hands, spooled those that are on disk.
//! The figures of one [`QueueReport`] are read under the queue's lock, so it holds in each report, to the
//! record.

use std::{fmt, time::Duration};

use crate::clock::Timestamp;

/// Why a record was dropped; the label `reason` of `telemetry.queue.dropped`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DropReason {
    /// The queue was full. With [`Overflow::DropOldest`](super::Overflow) the oldest record was
    /// dropped.
    QueueFull,
    /// The exporter, or its backend, refused the record for good.
    Rejected,
    /// The exporter asked for a retry until [`Retry::max_elapsed`](super::Retry) had passed.
    RetriesExhausted,
    /// The exporter, or a processor of the route, panicked while it had the record.
    Panic,
    /// The record was offered after shutdown, or not delivered before its deadline.
    Shutdown,
    /// A [`Processor`](super::Processor) of the route removed it.
    Filtered,
    /// The spool's quota was used up, and the record was among the oldest.
    SpoolFull,
    /// The spool's disk lost the record, or what it had of it was damaged.
    SpoolDamaged,
}

impl DropReason {
    /// All reasons, in the order in which a report lists them.
    pub const ALL: [Self; 8] = [
        Self::QueueFull,
        Self::Rejected,
        Self::RetriesExhausted,
        Self::Panic,
        Self::Shutdown,
        Self::Filtered,
        Self::SpoolFull,
        Self::SpoolDamaged,
    ];

    /// The label value: `queue_full`, `rejected`, `retries_exhausted`, `panic`, `shutdown`, `filtered`,
    /// `spool_full` or `spool_damaged`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Rejected => "rejected",
            Self::RetriesExhausted => "retries_exhausted",
            Self::Panic => "panic",
            Self::Shutdown => "shutdown",
            Self::Filtered => "filtered",
            Self::SpoolFull => "spool_full",
            Self::SpoolDamaged => "spool_damaged",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many records were dropped, by reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Dropped([u64; DropReason::ALL.len()]);

impl Dropped {
    /// How many were dropped for `reason`.
    #[must_use]
    pub const fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many were dropped for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Each reason that occurred, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        let counts = self.0;
        DropReason::ALL.into_iter().zip(counts).filter(|&(_, count)| count > 0)
    }

    pub(crate) fn add(&mut self, reason: DropReason, count: usize) {
        self.0[reason as usize] += count as u64;
    }
}

/// What became of all records offered to one exporter's queue, at one instant.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct QueueReport {
    /// The route's name: the exporter's name, unless the route was named.
    pub name: String,
    /// The signal: `spans`, `logs`, `metrics` or `notifications`.
    pub signal: &'static str,
    /// Records that were offered, and those that an earlier process left in the spool as far as they were
    /// read.
    pub offered: u64,
    /// How many of the offered ones an earlier process left.
    pub inherited: u64,
    /// Records that the exporter reported as delivered.
    pub delivered: u64,
    /// Records in the queue or in the exporter's hands.
    pub held: u64,
    /// What these weigh, in bytes.
    pub held_bytes: usize,
    /// The most records that may be held.
    pub max_items: usize,
    /// The most bytes that may be held.
    pub max_bytes: usize,
    /// Records that are on disk, durably, and wait there to be sent.
    pub spooled: u64,
    /// Records that were dropped.
    pub dropped: Dropped,
    /// How often the exporter asked for a retry; of a route with a spool, also how often the disk did not take a
    /// batch and the backend neither.
    pub retries: u64,
    /// The exporter's last error, if there was one; at most 512 bytes.
    pub last_error: Option<String>,
    /// How often the exporter was called with records.
    pub attempts: u64,
    /// Whether an attempt is under way.
    pub is_attempting: bool,
    /// How many attempts asked for a retry since the last that did not. From five on the backend gets one
    /// attempt at a time, each after a pause.
    pub failures_in_a_row: u32,
    /// Encoded bytes that the backend took, before compression, where it took all that an attempt sent; 0
    /// for an exporter that does not [encode](super::Encoder).
    pub bytes_sent: u64,
    /// When all that an attempt sent was delivered, the last time.
    pub last_delivery: Option<Timestamp>,
    /// How often the exporter, or a processor of the route, panicked. The worker went on each time.
    pub panics: u64,
    /// Where the exporter says that it sends to, without secrets.
    pub destination: Option<String>,
    /// What is on disk, if the route has a spool.
    pub spool: Option<SpoolReport>,
}

/// What a route's spool has on disk, and what it met there, since the route was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpoolReport {
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes on disk that an earlier process left and that were not read yet: nobody has counted their
    /// records, which are in no other figure.
    pub backlog_bytes: u64,
    /// Bytes that were skipped because they are damaged, or were torn when a process ended.
    pub skipped_bytes: u64,
    /// Files of another version or format, or that are none of the spool's, which were set aside.
    pub segments_set_aside: u64,
    /// How often records were made durable, all that waited at once.
    pub syncs: u64,
    /// How long that took, added up.
    pub sync_time: Duration,
    /// Records that were sent without having been on disk, because it took nothing.
    pub passed: u64,
    /// How often the disk did not take what it was to keep: it failed, was full, or would have had less left
    /// than it must have. The records were sent without having been there, or waited in memory.
    pub failed_writes: u64,
    /// Reads that failed.
    pub failed_reads: u64,
    /// Times at which it could not be noted how far the spool was sent; a crash may send that part twice.
    pub failed_cursors: u64,
}

impl QueueReport {
    /// The counts of this queue, with all reasons added up.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            offered: self.offered,
            delivered: self.delivered,
            held: self.held,
            spooled: self.spooled,
            dropped: self.dropped.total(),
        }
    }
}

/// `NAME SIGNAL offered=N delivered=N held=N [spooled=N] dropped=N [reason=N ...] [last error: ...]`,
/// always one line: control characters of an error are escaped.
impl fmt::Display for QueueReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, signal, .. } = self;
        write!(f, "{name} {signal} {}", self.totals())?;
        for (reason, count) in self.dropped.iter() {
            write!(f, " {reason}={count}")?;
        }
        if let Some(error) = &self.last_error {
            write!(f, " last error: {}", OneLine(error))?;
        }
        Ok(())
    }
}

/// The sums over one queue or over all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Records that were offered; a record offered to two exporters counts twice.
    pub offered: u64,
    /// Records that were delivered.
    pub delivered: u64,
    /// Records in a queue or in an exporter's hands.
    pub held: u64,
    /// Records that are on disk, durably, and wait there to be sent.
    pub spooled: u64,
    /// Records that were dropped.
    pub dropped: u64,
}

impl Totals {
    /// Whether `offered = delivered + held + spooled + dropped`.
    #[must_use]
    pub fn add_up(&self) -> bool {
        self.offered == self.delivered + self.held + self.spooled + self.dropped
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offered, delivered, held, spooled, dropped } = self;
        write!(f, "offered={offered} delivered={delivered} held={held}")?;
        if *spooled > 0 {
            write!(f, " spooled={spooled}")?;
        }
        write!(f, " dropped={dropped}")
    }
}

/// The result of a flush or shutdown: every exporter's queue, and whether all was settled in time.
///
/// `Display` prints one line for each queue, one for spans that are open, if any are, and, last and from
/// column 0, the totals.
///
/// # Examples
///
/// ```
/// use bellwether::pipeline::Report;
///
/// let report = Report::new(Vec::new(), true);
/// assert_eq!(report.to_string(), "offered=0 delivered=0 held=0 dropped=0");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// One for each exporter, in the order in which they were added.
    pub queues: Vec<QueueReport>,
    /// Whether everything offered before the call was delivered or dropped when the call returned. What is on
    /// disk then, and will be sent by the next process, is neither.
    pub settled: bool,
    /// Recorded spans that had started and not ended when the call returned; they were not offered, unless
    /// [`Builder::export_open_spans`](crate::Builder::export_open_spans) was called.
    pub open_spans: u64,
}

impl Report {
    /// Creates a report of `queues`.
    #[must_use]
    pub fn new(queues: Vec<QueueReport>, settled: bool) -> Self {
        Self { queues, settled, open_spans: 0 }
    }

    /// The sums over all queues.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.queues.iter().map(QueueReport::totals).fold(Totals::default(), |sum, queue| Totals {
            offered: sum.offered + queue.offered,
            delivered: sum.delivered + queue.delivered,
            held: sum.held + queue.held,
            spooled: sum.spooled + queue.spooled,
            dropped: sum.dropped + queue.dropped,
        })
    }

    /// The queue of the route called `name` for `signal`: `spans`, `logs`, `metrics` or `notifications`.
    #[must_use]
    pub fn queue(&self, signal: &str, name: &str) -> Option<&QueueReport> {
        self.queues.iter().find(|queue| queue.signal == signal && queue.name == name)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for queue in &self.queues {
            writeln!(f, "{queue}")?;
        }
        if self.open_spans > 0 {
            writeln!(f, "{} spans are open", self.open_spans)?;
        }
        write!(f, "{}", self.totals())
    }
}

/// Text on one line: line breaks and other control characters are escaped as in Rust.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for character in self.0.chars() {
            // Some readers take U+2028 and U+2029 for line breaks, though they are no control
            // characters; and the marks of direction show a text in another order than it has.
            let is_odd = matches!(
                character,
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            );
            if character.is_control() || is_odd {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str, error: Option<&str>) -> QueueReport {
        let mut dropped = Dropped::default();
        dropped.add(DropReason::QueueFull, 2);
        dropped.add(DropReason::Panic, 1);
        QueueReport {
            name: name.to_owned(),
            signal: "spans",
            offered: 10,
            delivered: 6,
            held: 1,
            dropped,
            last_error: error.map(str::to_owned),
            ..QueueReport::default()
        }
    }

    #[test]
    fn a_report_ends_with_the_totals_from_column_zero() {
        let report = Report::new(vec![queue("file", None), queue("otlp", Some("503"))], false);
        assert_eq!(
            report.to_string(),
            "file spans offered=10 delivered=6 held=1 dropped=3 queue_full=2 panic=1\n\
             otlp spans offered=10 delivered=6 held=1 dropped=3 queue_full=2 panic=1 last error: 503\n\
             offered=20 delivered=12 held=2 dropped=6"
        );
        assert!(report.totals().add_up());
    }

    #[test]
    fn the_totals_of_a_report_add_up_each_count_over_all_queues() {
        let spooled = |n| QueueReport { offered: 10 + n, spooled: n, ..queue("otlp", None) };
        let totals = Report::new(vec![spooled(4), spooled(30)], false).totals();
        let expected = Totals { offered: 54, delivered: 12, held: 2, spooled: 34, dropped: 6 };
        assert_eq!(totals, expected);
        assert!(totals.add_up());
    }

    #[test]
    fn an_error_with_line_breaks_cannot_forge_a_line() {
        let forged = "x\noffered=0\r\u{2028}\u{1b}[2J";
        let text = Report::new(vec![queue("x", Some(forged))], true).to_string();
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains(r"last error: x\noffered=0\r\u{2028}\u{1b}[2J"));
    }

    #[test]
    fn a_reason_counts_under_its_own_name() {
        for (place, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
            let mut dropped = Dropped::default();
            dropped.add(reason, 3);
            assert_eq!(dropped.iter().collect::<Vec<_>>(), [(reason, 3)]);
            assert_eq!(dropped.get(reason), 3);
        }
    }
}
