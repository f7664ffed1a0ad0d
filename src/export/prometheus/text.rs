//! The lines of the two text formats and of OpenMetrics.

use super::{
    Format,
    buckets::Buckets,
    buffer::Buffer,
    labels::{push_escaped, push_label, push_line, push_quoted},
};
use crate::{
    cells::histogram::cuts::BucketCounts,
    export::wire::number::{Room, put_f64, put_i64, put_seconds, put_u64},
    exposition::{
        Extra, FamilyName, Number, Part, QUANTILES, Sample, bucket_samples, is_plain_name,
        number_samples, quantile_samples, sum_samples,
    },
    metric::{Exemplar, Kind, SeriesValue, SummarySnapshot, Unit},
};

/// The lines of help, type and unit.
pub(super) fn head(
    names: &FamilyName,
    kind: Kind,
    unit: Unit,
    help: &str,
    format: Format,
) -> Buffer {
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
        // Quotes in a help text are escaped in OpenMetrics and must not be escaped in the text formats.
        let push = if is_open { push_escaped } else { push_line };
        metadata(&mut head, "HELP", names.family(), |head| push(head, help.as_bytes()));
    }
    metadata(&mut head, "TYPE", names.family(), |head| head.push(type_name.as_bytes()));
    if is_open && let Some(word) = names.unit(unit, kind) {
        metadata(&mut head, "UNIT", names.family(), |head| head.push(word.as_bytes()));
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

/// The starts of the lines of a family.
#[derive(Debug)]
pub(super) struct Starts {
    value: Start, // For a summary, that of its quantiles.
    bucket: Start,
    sum: Start,
    count: Start,
    created: Start,
    /// The text between labels and a number.
    close: Buffer,
}

/// The start of a line.
#[derive(Debug)]
struct Start {
    /// The start if labels follow.
    open: Buffer,
    /// The start if a number follows.
    alone: Buffer,
}

impl Starts {
    pub(super) fn new(names: &FamilyName, kind: Kind) -> Self {
        let start = |part| Start::new(&names.sample(part, kind));
        let mut close = Buffer::default();
        close.push(b"} ");
        Self {
            close,
            value: start(Part::Value),
            bucket: start(Part::Bucket),
            sum: start(Part::Sum),
            count: start(Part::Count),
            created: start(Part::Created),
        }
    }

    fn of(&self, part: Part) -> &Start {
        match part {
            Part::Value => &self.value,
            Part::Bucket => &self.bucket,
            Part::Sum => &self.sum,
            Part::Count => &self.count,
            Part::Created => &self.created,
        }
    }

    /// Begins the one line of a counter; its labels are appended next.
    #[inline(always)]
    pub(super) fn open(&self, page: &mut Buffer) {
        page.copy(&self.value.open);
    }

    /// Ends the line that begins at `line`, with labels from `block` on.
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
    fn new(name: &str) -> Self {
        let (mut open, mut alone) = (Buffer::default(), Buffer::default());
        if is_plain_name(name) {
            open.push(name.as_bytes());
            alone.copy(&open);
            open.push(b"{");
            alone.push(b" ");
        } else {
            open.push(b"{");
            push_quoted(&mut open, name);
            alone.copy(&open);
            open.push(b",");
            alone.push(b"} ");
        }
        Self { open, alone }
    }
}

/// Writes the lines of one series, or nothing if the formats have no place for the value.
pub(super) struct Writer<'a> {
    pub(super) page: &'a mut Buffer,
    pub(super) starts: &'a Starts,
    /// The labels, without braces.
    pub(super) block: &'a Buffer,
    /// When its sum began, in nanoseconds since the Unix epoch, if that is shown.
    pub(super) created: Option<u64>,
    /// The exemplar of a counter.
    pub(super) of_sum: Option<&'a Exemplar>,
    pub(super) format: Format,
}

impl Writer<'_> {
    #[inline(always)]
    pub(super) fn counter(&mut self, sum: u64) {
        self.line(&self.starts.value, put_u64, sum);
        self.exemplar_of_sum();
        self.created();
    }

    /// Appends the exemplar of a counter to its line: only OpenMetrics has a place for it.
    #[inline(always)]
    fn exemplar_of_sum(&mut self) {
        if let Some(exemplar) = self.of_sum
            && self.format == Format::OpenMetrics
        {
            self.with_exemplar(exemplar);
        }
    }

    /// Appends an exemplar to the line that was just written.
    fn with_exemplar(&mut self, exemplar: &Exemplar) {
        self.page.truncate(self.page.len() - b"\n".len());
        self.exemplar(exemplar);
        self.page.push(b"\n");
    }

    /// Writes the line of a value that is one number.
    pub(super) fn value(&mut self, value: &SeriesValue) {
        number_samples(value, |sample| {
            self.sample(sample);
            if matches!(value, SeriesValue::Counter(_) | SeriesValue::FloatCounter(_)) {
                self.exemplar_of_sum();
                self.created();
            }
        });
    }

    /// Writes a histogram with the `counts` of its `buckets`; `prefix` is a buffer.
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
        if counts.exemplars().is_empty() || self.format != Format::OpenMetrics {
            bucket_samples(counts, |sample| self.bucket(prefix, &buckets.texts, sample));
        } else {
            let mut exemplars = buckets.shown.exemplars(counts.exemplars());
            bucket_samples(counts, |sample| {
                self.bucket(prefix, &buckets.texts, sample);
                if let Some(newest) = exemplars.next().flatten() {
                    self.with_exemplar(newest);
                }
            });
        }
        self.sum_and_count(counts.sum(), counts.count());
        self.created();
    }

    /// Writes the line of a bucket: its labels begin with `prefix` and end in one of `texts`.
    #[inline(always)]
    fn bucket(&mut self, prefix: &Buffer, texts: &[Buffer], sample: Sample) {
        if let (Extra::Bound(place), Number::Whole(count)) = (sample.extra, sample.number) {
            self.page.line([prefix, &texts[place]], put_u64, count);
        }
    }

    fn sum_and_count(&mut self, sum: f64, count: u64) {
        sum_samples((sum, count), self.format.model(), |sample| self.sample(sample));
    }

    /// Writes the end of a line that has an exemplar.
    fn exemplar(&mut self, exemplar: &Exemplar) {
        let mut labels = Buffer::default();
        exemplar.each_pair(|key, value| push_label(&mut labels, self.format, key, value));
        self.page.push(b" # {");
        self.page.copy(&labels);
        self.page.push(b"} ");
        self.page.number(put_f64, exemplar.value());
        self.page.push(b" ");
        self.page.number(put_seconds, exemplar.taken().unix_nanos());
    }

    pub(super) fn summary(&mut self, summary: &SummarySnapshot) {
        quantile_samples(summary, |sample| self.sample(sample));
        self.sum_and_count(summary.sum, summary.count);
        self.created();
    }

    /// Writes a sample; for a histogram, one that is not a bucket.
    #[inline(always)]
    fn sample(&mut self, sample: Sample) {
        let start = self.starts.of(sample.part);
        if let Extra::Quantile(length, place) = sample.extra {
            self.page.copy(&start.open);
            self.page.copy(self.block);
            self.page.push(if self.block.is_empty() { b"window=\"" } else { b",window=\"" });
            self.page.window(length);
            self.page.push(b"\",quantile=\"");
            self.page.push(QUANTILES[place].1.as_bytes());
            self.page.push(b"\"} ");
            self.page.line([], put_f64, sample.number.as_f64());
            return;
        }
        match sample.number {
            Number::Whole(value) => self.line(start, put_u64, value),
            Number::Signed(value) => self.line(start, put_i64, value),
            Number::Float(value) => self.line(start, put_f64, value),
        }
    }

    /// Writes when the sum began; only OpenMetrics has a line for it.
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
