//! The lines of the two text formats and of OpenMetrics: what is constant, and the values.

use super::{
    Format,
    buffer::Buffer,
    escaping::is_plain_name,
    labels::{Quotes, escape, push_label, push_quoted},
    names::Names,
    number::{Room, push, put_f64, put_i64, put_seconds, put_u64},
    shape::{Buckets, QUANTILES, Shape},
    template::{Arena, At, NOWHERE},
};
use crate::{
    clock::Ticks,
    metric::{Exemplar, Kind, Reading, SeriesValue, SummarySnapshot, Unit},
};

/// The lines of help, type and unit.
pub(super) fn head(names: &Names, kind: Kind, unit: Unit, help: &str, format: Format) -> Vec<u8> {
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
    let mut head = Vec::new();
    if !help.is_empty() {
        // Quotes of a help text are escaped in OpenMetrics and must not be in the text formats.
        let quotes = if is_open { Quotes::Escaped } else { Quotes::Plain };
        metadata(&mut head, "HELP", &names.family, |head| escape(head, help, quotes));
    }
    metadata(&mut head, "TYPE", &names.family, |head| head.extend(type_name.as_bytes()));
    if is_open && let Some(word) = names.unit(unit, kind) {
        metadata(&mut head, "UNIT", &names.family, |head| head.extend(word.as_bytes()));
    }
    head
}

fn metadata(head: &mut Vec<u8>, what: &str, name: &str, text: impl FnOnce(&mut Vec<u8>)) {
    head.extend(b"# ");
    head.extend(what.as_bytes());
    head.push(b' ');
    match is_plain_name(name) {
        true => head.extend(name.as_bytes()),
        false => push_quoted(head, name),
    }
    head.push(b' ');
    text(head);
    head.push(b'\n');
}

/// The constant parts of the lines of one series.
pub(super) struct Lines<'a> {
    names: &'a Names,
    /// The labels, without braces.
    block: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(super) fn new(names: &'a Names, block: &'a [u8]) -> Self {
        Self { names, block }
    }

    /// Adds the parts to `arena`: what stands before each value, and what follows the last one.
    pub(super) fn learn(
        &self,
        arena: &mut Arena,
        kind: Kind,
        shape: &Shape,
        started: Ticks,
        format: Format,
    ) {
        let Names { family, value } = self.names;
        match shape {
            Shape::Value(_) => arena.text(|bytes| self.start(bytes, value, "", &[])),
            Shape::Constant => arena.text(|bytes| {
                self.start(bytes, value, "", &[]);
                bytes.extend(b"1\n");
            }),
            Shape::Buckets(buckets) => {
                for text in &buckets.texts {
                    arena.text(|bytes| self.start(bytes, family, "_bucket", &[("le", text)]));
                }
            }
            Shape::Windows(windows) => {
                for window in windows {
                    for (_, quantile) in QUANTILES {
                        let labels = [("window", window.text.as_str()), ("quantile", quantile)];
                        arena.text(|bytes| self.start(bytes, family, "", &labels));
                    }
                }
            }
        }
        if matches!(shape, Shape::Buckets(_) | Shape::Windows(_)) {
            arena.text(|bytes| self.start(bytes, family, "_sum", &[]));
            arena.text(|bytes| self.start(bytes, family, "_count", &[]));
        }
        if has_created(kind, format) {
            arena.text(|bytes| {
                self.start(bytes, family, "_created", &[]);
                push(bytes, put_seconds, started.unix_nanos());
                bytes.push(b'\n');
            });
        }
    }

    /// Appends a line up to its value.
    fn start(&self, bytes: &mut Vec<u8>, name: &str, suffix: &str, labels: &[(&str, &str)]) {
        let mut inside = Vec::new();
        let name = format!("{name}{suffix}");
        match is_plain_name(&name) {
            true => bytes.extend(name.as_bytes()),
            false => push_quoted(&mut inside, &name),
        }
        if !inside.is_empty() && !self.block.is_empty() {
            inside.push(b',');
        }
        inside.extend(self.block);
        for (key, value) in labels {
            push_label(&mut inside, key, value);
        }
        if !inside.is_empty() {
            bytes.push(b'{');
            bytes.extend(inside);
            bytes.push(b'}');
        }
        bytes.push(b' ');
    }
}

/// Whether a series says when its sum began.
fn has_created(kind: Kind, format: Format) -> bool {
    let is_sum = matches!(kind, Kind::Counter | Kind::Histogram | Kind::Summary);
    format == Format::OpenMetrics && is_sum
}

/// Writes the lines of a series, whose constant parts are in an arena.
pub(super) struct Writer<'a> {
    page: &'a mut Buffer,
    arena: &'a mut Arena,
    at: At,
    format: Format,
}

impl<'a> Writer<'a> {
    #[inline]
    pub(super) fn new(page: &'a mut Buffer, arena: &'a mut Arena, at: At, format: Format) -> Self {
        Self { page, arena, at, format }
    }

    /// Writes all lines; none of a value that the formats have no place for.
    #[inline(always)]
    pub(super) fn series(mut self, kind: Kind, shape: &Shape, reading: Reading<'_>) {
        match reading {
            Reading::Counter(value) => self.whole(value),
            reading => return self.other_series(kind, shape, reading),
        }
        if has_created(kind, self.format) {
            self.next();
        }
    }

    #[inline(never)]
    fn other_series(mut self, kind: Kind, shape: &Shape, reading: Reading<'_>) {
        match reading {
            Reading::Counter(value) => self.whole(value),
            // A sum that only grows is neither: readers refuse the whole page.
            Reading::Value(SeriesValue::FloatCounter(value)) if value.is_nan() || *value < 0.0 => {
                self.skip();
                if has_created(kind, self.format) {
                    self.skip();
                }
                return;
            }
            Reading::Value(value) => self.value(shape, value),
            Reading::Octaves(octaves) => {
                let Shape::Buckets(buckets) = shape else { return };
                let counts = buckets.octave_counts(octaves);
                self.histogram(buckets, counts, octaves.exemplars());
                self.sum_and_count(octaves.sum(), octaves.count());
            }
        }
        if has_created(kind, self.format) {
            self.next();
        }
    }

    fn value(&mut self, shape: &Shape, value: &SeriesValue) {
        match value {
            SeriesValue::Counter(value) => self.whole(*value),
            SeriesValue::UpDownCounter(value) => {
                self.line(put_i64, *value, value.cast_unsigned());
            }
            SeriesValue::Gauge(value) | SeriesValue::FloatCounter(value) => self.fraction(*value),
            SeriesValue::State(holds) => self.whole(u64::from(*holds)),
            SeriesValue::Info => self.next(),
            SeriesValue::Histogram(histogram) => {
                let Shape::Buckets(buckets) = shape else { return };
                self.histogram(buckets, buckets.counts(histogram), histogram.exemplars());
                self.sum_and_count(histogram.sum(), histogram.count());
            }
            SeriesValue::Summary(summary) => self.summary(summary),
        }
    }

    /// Writes the lines of the buckets, which hold `counts`.
    #[inline(always)]
    fn histogram(
        &mut self,
        buckets: &Buckets,
        counts: impl Iterator<Item = u64>,
        exemplars: &[Exemplar],
    ) {
        if exemplars.is_empty() || self.format != Format::OpenMetrics {
            self.wholes(counts);
        } else {
            self.buckets_with(exemplars, buckets, counts);
        }
    }

    fn buckets_with(
        &mut self,
        mut exemplars: &[Exemplar],
        buckets: &Buckets,
        counts: impl Iterator<Item = u64>,
    ) {
        let bounds = buckets.bounds.iter().copied().chain([f64::INFINITY]);
        for (bound, count) in bounds.zip(counts) {
            self.copy();
            self.page.number(put_u64, count);
            if let Some(exemplar) = take_exemplar(&mut exemplars, bound) {
                self.exemplar(exemplar);
            }
            self.page.push(b"\n");
        }
    }

    /// Writes the end of a line that has an exemplar; its labels have 63 characters of the 128 that
    /// OpenMetrics allows.
    fn exemplar(&mut self, exemplar: &Exemplar) {
        let mut labels = Vec::new();
        push_label(&mut labels, "trace_id", &exemplar.trace_id().to_string());
        push_label(&mut labels, "span_id", &exemplar.span_id().to_string());
        self.page.push(b" # {");
        self.page.push(&labels);
        self.page.push(b"} ");
        self.page.number(put_f64, exemplar.value());
        self.page.push(b" ");
        self.page.number(put_seconds, exemplar.taken().unix_nanos());
    }

    fn summary(&mut self, summary: &SummarySnapshot) {
        for (_, window) in &summary.windows {
            for (q, _) in QUANTILES {
                self.fraction(window.quantile(q).unwrap_or(f64::NAN));
            }
        }
        self.sum_and_count(summary.sum, summary.count);
    }

    /// OpenMetrics has a sum only beside values that are not negative, and a count only beside a sum;
    /// its bucket up to infinity still has the count.
    fn sum_and_count(&mut self, sum: f64, count: u64) {
        if self.format == Format::OpenMetrics && (sum < 0.0 || sum.is_nan()) {
            self.skip();
            self.skip();
        } else {
            self.fraction(sum);
            self.whole(count);
        }
    }

    #[inline(always)]
    fn whole(&mut self, value: u64) {
        self.line(put_u64, value, value);
    }

    /// Writes a line for each of `values`. In a run of those that stand there from the last page, no
    /// line waits for the one before it.
    #[inline(always)]
    fn wholes(&mut self, mut values: impl Iterator<Item = u64>) {
        while let Some(value) = self.pass_run(&mut values) {
            self.line(put_u64, value, value);
        }
    }

    /// Passes over the lines of `values` that stand there from the last page, and gives the first value
    /// of another one.
    #[inline(always)]
    fn pass_run(&mut self, values: &mut impl Iterator<Item = u64>) -> Option<u64> {
        let start = self.page.len();
        if !self.page.holds(start) {
            return values.next();
        }
        let (mut place, mut byte, mut n_lines) = (start, self.at.byte, 0);
        let mut texts = self.arena.texts[self.at.text..].iter();
        let other = values.find(|&value| {
            let Some(text) = texts.next() else { return true };
            let stands = text.number == value && text.place == place;
            if stands {
                place += (text.len + text.number_len) as usize;
                byte += text.len as usize;
                n_lines += 1;
            }
            !stands
        });
        self.page.pass(place - start);
        self.at = At { byte, text: self.at.text + n_lines };
        other
    }

    #[inline(always)]
    fn fraction(&mut self, value: f64) {
        self.line(put_f64, value, value.to_bits());
    }

    /// Writes a line with a value; what stands there from the last page is not written again.
    #[inline(always)]
    fn line<T>(&mut self, put: impl Fn(&mut Room, T) -> usize, value: T, bits: u64) {
        let text = &self.arena.texts[self.at.text];
        let len = text.len as usize;
        match text.number == bits && self.page.holds(text.place) {
            true => self.page.pass(len + text.number_len as usize),
            false => self.write(put, value, bits),
        }
        self.at = At { byte: self.at.byte + len, text: self.at.text + 1 };
    }

    #[inline(never)]
    fn write<T>(&mut self, put: impl Fn(&mut Room, T) -> usize, value: T, bits: u64) {
        let text = &mut self.arena.texts[self.at.text];
        let (place, len) = (self.page.len(), text.len as usize);
        let number_len = if self.page.holds(text.place) {
            self.page.pass(len);
            self.page.number_alone(put, value);
            self.page.push(b"\n");
            self.page.len() - place - len
        } else {
            self.page.line((&self.arena.bytes, self.at.byte, len), put, value)
        };
        text.place = place;
        text.number_len = number_len as u32;
        text.number = bits;
    }

    /// Writes the next constant text, behind which there is no number.
    #[inline(always)]
    fn next(&mut self) {
        let text = &mut self.arena.texts[self.at.text];
        let len = text.len as usize;
        if self.page.holds(text.place) {
            self.page.pass(len);
        } else {
            text.place = self.page.len();
            self.page.copy(&self.arena.bytes, self.at.byte, len);
        }
        self.at = At { byte: self.at.byte + len, text: self.at.text + 1 };
    }

    /// Writes the next constant text, behind which more comes than a number.
    fn copy(&mut self) {
        let len = self.arena.texts[self.at.text].len as usize;
        self.page.copy(&self.arena.bytes, self.at.byte, len);
        self.skip();
    }

    /// Leaves the next constant text out.
    fn skip(&mut self) {
        let text = &mut self.arena.texts[self.at.text];
        text.place = NOWHERE;
        self.at = At { byte: self.at.byte + text.len as usize, text: self.at.text + 1 };
    }
}

/// Takes the exemplars up to `bound` from the front, and gives the last of them.
pub(super) fn take_exemplar<'e>(rest: &mut &'e [Exemplar], bound: f64) -> Option<&'e Exemplar> {
    let (below, above) = rest.split_at(rest.partition_point(|one| one.value() <= bound));
    *rest = above;
    below.last()
}
