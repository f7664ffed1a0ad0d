//! The writer of a page: one walk over the snapshot, in either dialect.
//!
//! The labels of a series are rendered once into a buffer and copied to each of its lines, and
//! numbers are written straight into the page: no `String` lives for a single line.

use std::{collections::BTreeMap, collections::btree_map::Entry, sync::Arc};

use super::{
    Format,
    labels::{Keys, Quotes, escape, page_name},
    number::{write_canonical, write_f64, write_i64, write_seconds, write_u64},
};
use crate::{
    metric::{
        Family, HistogramSnapshot, Kind, SeriesValue, Snapshot, exposition_name, histogram::ladder,
        unit_word,
    },
    resource::Resource,
};

/// Writes one page.
pub(super) struct Encoder<'a> {
    page: &'a mut String,
    format: Format,
    /// When the sums of the snapshot began, in seconds since the Unix epoch.
    created: String,
    /// The labels of the series being written.
    block: String,
    /// The ladders used so far: at most as many as there are.
    ladders: Vec<Ladder>,
}

/// The bounds of a histogram, and their texts in `le`.
struct Ladder {
    bounds: &'static [f64],
    texts: Vec<String>,
}

/// What the lines of a family have in common.
struct Head<'f> {
    name: &'f str,
    ladder: usize, // Place in `ladders`; meaningless unless the family is of histograms.
}

impl<'a> Encoder<'a> {
    pub(super) fn new(page: &'a mut String, format: Format) -> Self {
        Self { page, format, created: String::new(), block: String::new(), ladders: Vec::new() }
    }

    /// Writes the whole page.
    pub(super) fn snapshot(mut self, snapshot: &Snapshot, resource: &Resource) {
        write_seconds(&mut self.created, snapshot.started().unix_nanos());
        let names = snapshot
            .families()
            .iter()
            .map(|family| page_name(exposition_name(family.name(), family.kind(), family.unit())));
        let names: Vec<_> = names.collect();
        if !names.iter().any(|name| name == "target" || name == "target_info") {
            self.target(resource);
        }
        for (family, name) in snapshot.families().iter().zip(&names) {
            self.family(family, name);
        }
        if self.format == Format::OpenMetrics {
            self.page.push_str("# EOF\n");
        }
    }

    /// Writes the resource as the family `target`.
    fn target(&mut self, resource: &Resource) {
        let attributes = resource.attributes();
        if attributes.is_empty() {
            return;
        }
        let (name, kind) = match self.format {
            Format::Text => ("target_info", "gauge"), // 0.0.4 does not know the type `info`.
            Format::OpenMetrics => ("target", "info"),
        };
        self.metadata("HELP", name, "Attributes of the entity that speaks.");
        self.metadata("TYPE", name, kind);
        let values: Vec<String> =
            attributes.iter().map(|attribute| attribute.value.to_string()).collect();
        let keys = Keys::new(attributes.iter().map(|a| a.key.as_ref()), Kind::Gauge);
        self.block.clear();
        keys.write(&mut self.block, || values.iter().map(String::as_str));
        self.start("target", "_info");
        self.page.push_str("1\n");
    }

    fn family(&mut self, family: &Family, name: &str) {
        if family.series().is_empty() {
            return;
        }
        self.describe(family, name);
        let head = Head { name, ladder: self.ladder(family) };
        let start = self.page.len();
        if !self.series(family, &head) {
            self.page.truncate(start);
            self.merged_series(family, &head);
        }
    }

    /// Writes help, type and unit.
    fn describe(&mut self, family: &Family, name: &str) {
        let kind = match family.kind() {
            Kind::Counter => "counter",
            Kind::UpDownCounter | Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
            Kind::Info => "info",
            Kind::StateSet => "stateset",
        };
        // A family of OpenMetrics has the name without the suffix of its samples; in 0.0.4 a counter
        // and its sample are one.
        let total = match (self.format, family.kind()) {
            (Format::Text, Kind::Counter) => &format!("{name}_total"),
            _ => name,
        };
        if !family.help().is_empty() {
            self.metadata("HELP", total, family.help());
        }
        self.metadata("TYPE", total, kind);
        if self.format == Format::OpenMetrics
            && let Some(unit) = unit_word(family.unit(), family.kind())
        {
            self.metadata("UNIT", name, unit); // `exposition_name` made the name end in it.
        }
    }

    /// Writes one `#` line; only help may hold characters that need escaping.
    fn metadata(&mut self, what: &str, name: &str, text: &str) {
        self.page.push_str("# ");
        self.page.push_str(what);
        self.page.push(' ');
        self.page.push_str(name);
        self.page.push(' ');
        // Quotes of a help text are escaped in OpenMetrics and must not be in 0.0.4.
        let quotes = match self.format {
            Format::Text => Quotes::Plain,
            Format::OpenMetrics => Quotes::Escaped,
        };
        escape(self.page, text, quotes);
        self.page.push('\n');
    }

    /// Writes the series of a family as they come, unless two of them may have the same labels on
    /// the page: then it gives up and returns false.
    fn series(&mut self, family: &Family, head: &Head<'_>) -> bool {
        // One for all series as a rule, and one more for the overflow series.
        let mut known: Vec<Keys> = Vec::new();
        for series in family.series() {
            let keys = || series.labels().iter().map(|(key, _)| key);
            let found = match known.iter().position(|known| known.are(keys())) {
                Some(found) => found,
                None => {
                    let new = Keys::new(keys(), family.kind());
                    if new.are_joined() || known.iter().any(|old| new.are_ambiguous_with(old)) {
                        return false;
                    }
                    known.push(new);
                    known.len() - 1
                }
            };
            self.block.clear();
            known[found].write(&mut self.block, || series.labels().iter().map(|(_, value)| value));
            self.value(head, series.value());
        }
        true
    }

    /// Writes the series of a family, those with the same labels on the page as one.
    fn merged_series(&mut self, family: &Family, head: &Head<'_>) {
        let mut merged: BTreeMap<String, SeriesValue> = BTreeMap::new();
        for series in family.series() {
            let keys = Keys::new(series.labels().iter().map(|(key, _)| key), family.kind());
            let mut block = String::new();
            keys.write(&mut block, || series.labels().iter().map(|(_, value)| value));
            match merged.entry(block) {
                Entry::Vacant(place) => {
                    place.insert(series.value().clone());
                }
                Entry::Occupied(mut place) => merge(place.get_mut(), series.value()),
            }
        }
        for (block, value) in merged {
            self.block = block;
            self.value(head, &value);
        }
    }

    /// Writes the lines of a series whose labels are in `block`.
    fn value(&mut self, head: &Head<'_>, value: &SeriesValue) {
        match value {
            SeriesValue::Counter(value) => {
                self.start(head.name, "_total");
                write_u64(self.page, *value);
                self.page.push('\n');
                self.created(head);
            }
            SeriesValue::UpDownCounter(value) => {
                self.start(head.name, "");
                write_i64(self.page, *value);
                self.page.push('\n');
            }
            SeriesValue::Gauge(value) => {
                self.start(head.name, "");
                write_f64(self.page, *value);
                self.page.push('\n');
            }
            SeriesValue::FloatCounter(value) => {
                self.start(head.name, "_total");
                write_f64(self.page, *value);
                self.page.push('\n');
                self.created(head);
            }
            SeriesValue::Summary(_) => {}
            SeriesValue::Info | SeriesValue::State(_) => {
                self.start(head.name, "");
                write_f64(self.page, value.as_f64());
                self.page.push('\n');
            }
            SeriesValue::Histogram(histogram) => self.histogram(head, histogram),
        }
    }

    fn histogram(&mut self, head: &Head<'_>, histogram: &HistogramSnapshot) {
        let counts = histogram.cumulative(self.ladders[head.ladder].bounds);
        for (place, count) in counts.into_iter().enumerate() {
            self.bucket(head, Some(place), count);
        }
        self.bucket(head, None, histogram.count());
        self.start(head.name, "_sum");
        write_f64(self.page, histogram.sum());
        self.page.push('\n');
        self.start(head.name, "_count");
        write_u64(self.page, histogram.count());
        self.page.push('\n');
        self.created(head);
    }

    /// Writes the line of the bucket below the bound at `place`; of that below infinity for `None`.
    fn bucket(&mut self, head: &Head<'_>, place: Option<usize>, count: u64) {
        let texts = &self.ladders[head.ladder].texts;
        let bound = place.map_or("+Inf", |place| &texts[place]);
        self.page.push_str(head.name);
        self.page.push_str("_bucket{");
        self.page.push_str(&self.block);
        self.page.push_str(if self.block.is_empty() { "le=\"" } else { ",le=\"" });
        self.page.push_str(bound);
        self.page.push_str("\"} ");
        write_u64(self.page, count);
        self.page.push('\n');
    }

    /// Writes when the sum began, where the dialect has a place for it.
    fn created(&mut self, head: &Head<'_>) {
        if self.format == Format::OpenMetrics {
            self.start(head.name, "_created");
            self.page.push_str(&self.created);
            self.page.push('\n');
        }
    }

    /// Writes a line up to its value.
    fn start(&mut self, name: &str, suffix: &str) {
        self.page.push_str(name);
        self.page.push_str(suffix);
        if !self.block.is_empty() {
            self.page.push('{');
            self.page.push_str(&self.block);
            self.page.push('}');
        }
        self.page.push(' ');
    }

    /// The place of the family's ladder in `ladders`.
    fn ladder(&mut self, family: &Family) -> usize {
        let bounds = ladder::bounds(family.unit());
        let known = self.ladders.iter().position(|ladder| std::ptr::eq(ladder.bounds, bounds));
        known.unwrap_or_else(|| {
            let write = match self.format {
                Format::Text => write_f64,
                Format::OpenMetrics => write_canonical,
            };
            let text = |&bound: &f64| {
                let mut text = String::new();
                write(&mut text, bound);
                text
            };
            self.ladders.push(Ladder { bounds, texts: bounds.iter().map(text).collect() });
            self.ladders.len() - 1
        })
    }
}

/// Makes `value` the one value of two series.
fn merge(value: &mut SeriesValue, other: &SeriesValue) {
    match (value, other) {
        (SeriesValue::Counter(value), SeriesValue::Counter(other)) => {
            *value = value.wrapping_add(*other);
        }
        (SeriesValue::UpDownCounter(value), SeriesValue::UpDownCounter(other)) => {
            *value = value.wrapping_add(*other);
        }
        (SeriesValue::Histogram(value), SeriesValue::Histogram(other)) => {
            Arc::make_mut(value).merge(other);
        }
        (value, other) => *value = other.clone(),
    }
}
