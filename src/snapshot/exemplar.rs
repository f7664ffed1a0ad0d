//! Exemplars: measurements kept beside their bucket or sum, with their trace and labels of their own.

use std::sync::Arc;

use crate::{
    clock::Ticks,
    context::{self, SpanId, TraceId},
};

/// One measurement that is kept: it leads from a bucket of a histogram, or from a counter, to a trace
/// or to what its own labels name.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    pub(crate) value: f64,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) taken: Ticks,
    pub(crate) labels: Option<Arc<[(String, String)]>>, // `None` in place of an empty list.
}

/// Why an exemplar, or a label of one, was left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ExemplarFault {
    EmptyKey,
    ReservedKey,
    DuplicateKey,
    TooLong,
    /// The registry's budget of bytes is used up.
    NoRoom,
}

impl ExemplarFault {
    /// The names of all faults, in order, as values of a label.
    pub(crate) const NAMES: [&str; 5] =
        ["empty_key", "reserved_key", "duplicate_key", "too_long", "no_room"];
}

/// The most characters that the keys and values of an exemplar may have together (OpenMetrics 1.0,
/// "Exemplars").
const MAX_CHARACTERS: usize = 128;
/// How many of these the keys and values of a trace and a span take.
const TRACE_CHARACTERS: usize = "trace_id".len() + 32 + "span_id".len() + 16;

impl Exemplar {
    /// An exemplar that was recorded elsewhere, for [`HistogramParts`](super::HistogramParts).
    #[must_use]
    pub const fn new(value: f64, trace_id: TraceId, span_id: SpanId, taken: Ticks) -> Self {
        Self { value, trace_id, span_id, taken, labels: None }
    }

    /// Replaces its own labels, by the rules of
    /// [`Histogram::record_with_exemplar`](crate::Histogram::record_with_exemplar). A label that is
    /// left out is not counted.
    #[must_use]
    pub fn with_labels(self, labels: &[(&str, &str)]) -> Self {
        self.with_admitted(labels, |_| ())
    }

    /// As [`with_labels`](Self::with_labels); `reject` receives the reason for each label that is left
    /// out.
    pub(crate) fn with_admitted(
        self,
        labels: &[(&str, &str)],
        reject: impl FnMut(ExemplarFault),
    ) -> Self {
        let labels = admitted(labels, self.trace_id.is_valid(), reject);
        Self { labels: (!labels.is_empty()).then(|| labels.into()), ..self }
    }

    /// What is left of it if its trace is not exported: its own labels, if there are any.
    pub(crate) fn exported(self) -> Option<Self> {
        if !self.trace_id.is_valid() || context::is_exported(self.trace_id) {
            return Some(self);
        }
        let (trace_id, span_id) = (TraceId::INVALID, SpanId::INVALID);
        self.labels.is_some().then_some(Self { trace_id, span_id, ..self })
    }

    /// Why it cannot belong to a histogram or counter.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if !(0.0..f64::INFINITY).contains(&self.value) {
            return Some("a value that is negative or no number");
        }
        match (self.trace_id.is_valid(), self.span_id.is_valid()) {
            (false, _) if self.labels.is_none() => Some("a trace id of zero"),
            (true, false) => Some("a span id of zero"),
            (false, true) => Some("a span id without a trace id"),
            _ => None,
        }
    }

    /// The value that was recorded; for a counter, what was added.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The trace that it was recorded in. It is [not valid](TraceId::is_valid) if the exemplar was
    /// recorded with labels of its own and outside a sampled span.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span that it was recorded in; as [`trace_id`](Self::trace_id).
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// When it was recorded.
    #[must_use]
    pub fn taken(&self) -> Ticks {
        self.taken
    }

    /// Its own labels, besides trace and span, in the order in which they were given.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().flat_map(|labels| labels.iter()).map(|(key, value)| (&**key, &**value))
    }

    /// All its labels on a page: trace and span, then its own labels.
    #[cfg(feature = "prometheus")]
    pub(crate) fn each_pair(&self, mut each: impl FnMut(&str, &str)) {
        if self.trace_id.is_valid() {
            each("trace_id", &self.trace_id.to_string());
            each("span_id", &self.span_id.to_string());
        }
        self.labels().for_each(|(key, value)| each(key, value));
    }

    /// Compares two exemplars: the newer one wins, and at the same instant the one with labels.
    pub(crate) fn age(&self) -> (Ticks, bool) {
        (self.taken, self.labels.is_some())
    }

    /// The newer of two, which may come from two processes.
    pub(super) fn newer<'a>(&'a self, other: &'a Self) -> &'a Self {
        let is_comparable = self.taken.is_comparable_with(other.taken);
        let is_older = match is_comparable {
            true => self.age() <= other.age(),
            false => self.taken.unix_nanos() <= other.taken.unix_nanos(),
        };
        if is_older { other } else { self }
    }
}

/// Those of `labels` that an exemplar can have, with legal keys.
fn admitted(
    labels: &[(&str, &str)],
    has_trace: bool,
    mut reject: impl FnMut(ExemplarFault),
) -> Vec<(String, String)> {
    let mut left = MAX_CHARACTERS - if has_trace { TRACE_CHARACTERS } else { 0 };
    let mut kept: Vec<(String, String)> = Vec::new();
    for (key, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        let key = plain(key);
        let is_of_trace = has_trace && ["trace_id", "span_id"].contains(&&*key);
        let size = key.chars().count() + value.chars().count();
        let fault = match () {
            () if key.is_empty() => Some(ExemplarFault::EmptyKey),
            () if is_of_trace || key.starts_with("__") => Some(ExemplarFault::ReservedKey),
            () if kept.iter().any(|(known, _)| *known == key) => Some(ExemplarFault::DuplicateKey),
            () if size > left => Some(ExemplarFault::TooLong),
            () => None,
        };
        match fault {
            Some(fault) => reject(fault),
            None => {
                left -= size;
                kept.push((key, (*value).to_owned()));
            }
        }
    }
    kept
}

/// The key in the characters that every reader of OpenMetrics accepts.
fn plain(key: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let digit_first = key.starts_with(|first: char| first.is_ascii_digit());
    let start = digit_first.then_some('_');
    start.into_iter().chain(key.chars().map(legal)).collect()
}

/// Keeps the newest exemplar of each key of a value; sorts them by key.
pub(crate) fn keep_newest(exemplars: &mut Vec<Exemplar>, key: impl Fn(f64) -> u32) {
    if exemplars.len() < 2 {
        return;
    }
    // Newest first within a key, so that the newest is kept.
    exemplars.sort_by_key(|one| (key(one.value), std::cmp::Reverse(one.age())));
    exemplars.dedup_by_key(|one| key(one.value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(given: &[(&str, &str)], has_trace: bool) -> (String, Vec<ExemplarFault>) {
        let mut faults = Vec::new();
        let kept = admitted(given, has_trace, |fault| faults.push(fault));
        let text: Vec<_> = kept.iter().map(|(key, value)| format!("{key}={value}")).collect();
        (text.join(","), faults)
    }

    #[test]
    fn keys_are_made_plain_and_what_cannot_be_is_left_out_with_its_reason() {
        use ExemplarFault::*;
        for (given, kept, faults) in [
            (
                &[("order.id", "7"), ("9", "x"), ("kühl", "ja")][..],
                "order_id=7,_9=x,k_hl=ja",
                vec![],
            ),
            (&[("a.b", "1"), ("a_b", "2"), ("c", "")], "a_b=1", vec![DuplicateKey]),
            (&[("", "1"), ("__name__", "2"), (".", "3")], "_=3", vec![EmptyKey, ReservedKey]),
            (&[("..", "1"), ("trace_id", "mine")], "trace_id=mine", vec![ReservedKey]),
        ] {
            assert_eq!(labels(given, false), (kept.to_owned(), faults), "{given:?}");
        }
        let traced = [("trace_id", "a"), ("span.id", "b"), ("order_id", "c")];
        let (kept, faults) = labels(&traced, true);
        assert_eq!((&*kept, faults), ("order_id=c", vec![ReservedKey, ReservedKey]));
    }

    #[test]
    fn all_keys_and_values_have_128_characters_those_of_the_trace_among_them() {
        for (has_trace, room) in [(false, 128), (true, 65)] {
            let (fits, too_long) = ("ü".repeat(room - 1), "ü".repeat(room));
            assert_eq!(labels(&[("k", &fits)], has_trace), (format!("k={fits}"), vec![]));
            let (kept, faults) = labels(&[("k", &too_long), ("l", "short")], has_trace);
            assert_eq!((&*kept, faults), ("l=short", vec![ExemplarFault::TooLong]));
        }
    }
}
