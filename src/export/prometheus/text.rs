//! The lines of the two text formats and of OpenMetrics.

use super::{
    Format,
    buckets::{Buckets, QUANTILES, push_window},
    buffer::Buffer,
    escaping::is_plain_name,
    labels::{push_escaped, push_label, push_line, push_quoted},
    names::Names,
    number::{Room, put_f64, put_i64, put_seconds, put_u64},
};
use crate::{
    cells::histogram::cuts::BucketCounts,
    metric::{Exemplar, Kind, SeriesValue, SummarySnapshot, Unit},
};

/// The lines of help, type and unit.
pub(super) fn head(names: &Names, kind: Kind, unit: Unit, help: &str, format: Format) -> Buffer {
    let is_open = format == Format::OpenMetrics;
    let type_name = match kind {
        Kind::Counter => "counter",
        Kind::UpDownCounter | Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
        Kind::Info if is_open => "info",
        Kind::StateSet if is_open => "stateset",
        Kind::Info | Kind::StateSet => "gauge", // The text formats do not know these types.
    };
    let mut head = Buffer::default();
    if !help.is_empty() {
        // Quotes of a help text are escaped in OpenMetrics and must not be in the text formats.
        let push = if is_open { push_escaped } else { push_line };
        metadata(&mut head, "HELP", &names.family, |head| push(head, help.as_bytes()));
    }
    metadata(&mut head, "TYPE", &names.family, |head| head.push(type_name.as_bytes()));
    if is_open && let Some(word) = names.unit(unit, kind) {
        metadata(&mut head, "UNIT", &names.family, |head| head.push(word.as_bytes()));
    }
    head
}

fn metadata(head: &mut Buffer, what: &str, name: &str, text: impl FnOnce(&mut Buffer)) {
    head.push(b"# ");
    head.push(what.as_bytes());
    head.push(b" ");
    match is_plain_name(name) {
        true => head.push(name.as_bytes()),
        false => push_quoted(head, name),
    }
    head.push(b" ");
    text(head);
    head.push(b"\n");
}

/// How the lines of a family begin.
#[derive(Debug)]
pub(super) struct Starts {
    value: Start,
    /// Of a summary's quantiles.
    family: Start,
    bucket: Start,
    sum: Start,
    count: Start,
    created: Start,
    /// What stands between labels and a number.
    close: Buffer,
}

/// The start of a line.
#[derive(Debug)]
struct Start {
    /// Before labels.
    open: Buffer,
    /// Before a number.
    alone: Buffer,
}

impl Starts {
    pub(super) fn new(names: &Names) -> Self {
        let start = |suffix| Start::new(&names.family, suffix);
        let mut close = Buffer::default();
        close.push(b"} ");
        Self {
            close,
            value: Start::new(&names.value, ""),
            family: start(""),
            bucket: start("_bucket"),
            sum: start("_sum"),
            count: start("_count"),
            created: start("_created"),
        }
    }
}

impl Starts {
    /// Begins the one line of a counter, behind which its labels are appended.
    #[inline(always)]
    pub(super) fn open(&self, page: &mut Buffer) {
        page.copy(&self.value.open);
    }

    /// Ends the line that begins at `line`, and whose labels begin at `block`.
    #[inline(always)]
    pub(super) fn close(&self, page: &mut Buffer, (line, block): (usize, usize), sum: u64) {
        if page.len() > block {
            page.line([&self.close], put_u64, sum);
        } else {
            page.truncate(line);
            page.line([&self.value.alone], put_u64, sum);
        }
    }
}

impl Start {
    fn new(name: &str, suffix: &str) -> Self {
        let name = format!("{name}{suffix}");
        let (mut open, mut alone) = (Buffer::default(), Buffer::default());
        if is_plain_name(&name) {
            open.push(name.as_bytes());
            alone.copy(&open);
            open.push(b"{");
            alone.push(b" ");
        } else {
            open.push(b"{");
            push_quoted(&mut open, &name);
            alone.copy(&open);
            open.push(b",");
            alone.push(b"} ");
        }
        Self { open, alone }
    }
}

/// Writes the lines of one series; none of a value that the formats have no place for.
pub(super) struct Writer<'a> {
    pub(super) page: &'a mut Buffer,
    pub(super) starts: &'a Starts,
    /// The labels, without braces.
    pub(super) block: &'a Buffer,
    /// When its sum began, in nanoseconds since the Unix epoch, if that is shown.
    pub(super) created: Option<u64>,
    pub(super) format: Format,
}

impl Writer<'_> {
    #[inline(always)]
    pub(super) fn counter(&mut self, sum: u64) {
        self.line(&self.starts.value, put_u64, sum);
        self.created();
    }

    /// Writes the line of a value that is one number.
    pub(super) fn value(&mut self, value: &SeriesValue) {
        let start = &self.starts.value;
        match value {
            SeriesValue::Counter(sum) => self.counter(*sum),
            // A sum that only grows is neither: readers refuse the whole page.
            SeriesValue::FloatCounter(value) if value.is_nan() || *value < 0.0 => {}
            SeriesValue::FloatCounter(value) => {
                self.line(start, put_f64, *value);
                self.created();
            }
            SeriesValue::UpDownCounter(value) => self.line(start, put_i64, *value),
            SeriesValue::Gauge(value) => self.line(start, put_f64, *value),
            SeriesValue::State(holds) => self.line(start, put_u64, u64::from(*holds)),
            SeriesValue::Info => self.line(start, put_u64, 1),
            SeriesValue::Histogram(_) | SeriesValue::Summary(_) => {} // Not one number.
        }
    }

    /// Writes a histogram, of which `counts` are those of the `buckets`; `prefix` is room.
    pub(super) fn histogram(
        &mut self,
        buckets: &Buckets,
        counts: &BucketCounts,
        prefix: &mut Buffer,
    ) {
        prefix.clear();
        prefix.copy(&self.starts.bucket.open);
        prefix.copy(self.block);
        if !self.block.is_empty() {
            prefix.push(b",");
        }
        let lines = buckets.texts.iter().zip(counts.cumulative());
        if counts.exemplars().is_empty() || self.format != Format::OpenMetrics {
            lines.for_each(|(text, count)| self.page.line([prefix, text], put_u64, count));
        } else {
            for ((text, count), newest) in lines.zip(buckets.exemplars(counts.exemplars())) {
                self.page.copy(prefix);
                self.page.copy(text);
                self.page.number(put_u64, count);
                if let Some(newest) = newest {
                    self.exemplar(newest);
                }
                self.page.push(b"\n");
            }
        }
        self.sum_and_count(counts.sum(), counts.count());
        self.created();
    }

    /// Writes the end of a line that has an exemplar; its labels have 63 characters of the 128 that
    /// OpenMetrics allows.
    fn exemplar(&mut self, exemplar: &Exemplar) {
        let mut labels = Buffer::default();
        push_label(&mut labels, self.format, "trace_id", &exemplar.trace_id().to_string());
        push_label(&mut labels, self.format, "span_id", &exemplar.span_id().to_string());
        self.page.push(b" # {");
        self.page.copy(&labels);
        self.page.push(b"} ");
        self.page.number(put_f64, exemplar.value());
        self.page.push(b" ");
        self.page.number(put_seconds, exemplar.taken().unix_nanos());
    }

    pub(super) fn summary(&mut self, summary: &SummarySnapshot) {
        for (length, window) in &summary.windows {
            for (q, text) in QUANTILES {
                self.page.copy(&self.starts.family.open);
                self.page.copy(self.block);
                self.page.push(if self.block.is_empty() { b"window=\"" } else { b",window=\"" });
                push_window(self.page, *length);
                self.page.push(b"\",quantile=\"");
                self.page.push(text);
                self.page.push(b"\"} ");
                self.page.number(put_f64, window.quantile(q).unwrap_or(f64::NAN));
                self.page.push(b"\n");
            }
        }
        self.sum_and_count(summary.sum, summary.count);
        self.created();
    }

    /// OpenMetrics has a sum only beside values that are not negative, and a count only beside a sum;
    /// its bucket up to infinity still has the count.
    fn sum_and_count(&mut self, sum: f64, count: u64) {
        if self.format == Format::OpenMetrics && (sum < 0.0 || sum.is_nan()) {
            return;
        }
        self.line(&self.starts.sum, put_f64, sum);
        self.line(&self.starts.count, put_u64, count);
    }

    /// Only OpenMetrics has a line for it.
    #[inline(always)]
    fn created(&mut self) {
        if let Some(nanos) = self.created
            && self.format == Format::OpenMetrics
        {
            self.line(&self.starts.created, put_seconds, nanos);
        }
    }

    fn line<T>(&mut self, start: &Start, put: impl Fn(&mut Room, T) -> usize, value: T) {
        if self.block.is_empty() {
            self.page.line([&start.alone], put, value);
        } else {
            self.page.copy(&start.open);
            self.page.line([self.block, &self.starts.close], put, value);
        }
    }
}
