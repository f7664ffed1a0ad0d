//! A request of remote write 2.0 as one of 1.0.
//!
//! What is encoded is always 2.0, so that one payload can be sent in either, also after it lay in a spool.
//! 1.0 has no table of texts, no metadata beside a series and no times when a sum began; labels stand in
//! each series, and the fields of samples, histograms and exemplars have the same numbers.

use super::series::{
    EXEMPLARS, HISTOGRAM_START, HISTOGRAMS, LABELS_REFS, SAMPLE_START, SAMPLES, TIME_SERIES,
};
use super::symbols::SYMBOLS;
use crate::export::wire::protobuf::{Guess, Protobuf, Read, fields, read_number, split};

/// The bytes of a `prometheus.WriteRequest` that says the same.
pub(super) fn as_first(head: &[u8], series: &[u8]) -> Vec<u8> {
    let symbols: Vec<&[u8]> = of(head, SYMBOLS).collect();
    let mut request = Vec::with_capacity(2 * series.len());
    for one in of(series, TIME_SERIES) {
        Protobuf(&mut request).message(1, Guess::Short, |to| time_series(to, one, &symbols));
    }
    request
}

/// How many series there are, each with a sample or a histogram.
pub(super) fn n_series(series: &[u8]) -> usize {
    of(series, TIME_SERIES).count()
}

/// The messages in the field `number`.
fn of(message: &[u8], number: u8) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |(field, read)| match read {
        Read::Bytes(bytes) if field == u64::from(number) => Some(bytes),
        _ => None,
    })
}

fn time_series(to: &mut Protobuf<'_>, series: &[u8], symbols: &[&[u8]]) {
    for refs in of(series, LABELS_REFS) {
        labels(to, refs, symbols);
    }
    for sample in of(series, SAMPLES) {
        to.bytes(2, before(sample, SAMPLE_START));
    }
    for exemplar in of(series, EXEMPLARS) {
        to.message(3, Guess::Short, |to| {
            for refs in of(exemplar, LABELS_REFS) {
                labels(to, refs, symbols);
            }
            to.0.extend_from_slice(behind_first(exemplar));
        });
    }
    for histogram in of(series, HISTOGRAMS) {
        to.bytes(4, before(histogram, HISTOGRAM_START));
    }
}

fn labels(to: &mut Protobuf<'_>, mut refs: &[u8], symbols: &[&[u8]]) {
    let mut text = || read_number(&mut refs).and_then(|place| symbols.get(place as usize));
    while let (Some(name), Some(value)) = (text(), text()) {
        to.message(1, Guess::Short, |to| {
            to.bytes(1, name);
            to.bytes(2, value);
        });
    }
}

/// The fields of `message` before the first with this number.
fn before(message: &[u8], number: u8) -> &[u8] {
    let mut rest = message;
    loop {
        let begin = message.len() - rest.len();
        match skip_field(&mut rest) {
            Some(field) if field != u64::from(number) => {}
            _ => return &message[..begin],
        }
    }
}

/// The fields of `message` but the first.
fn behind_first(message: &[u8]) -> &[u8] {
    let mut rest = message;
    skip_field(&mut rest);
    rest
}

/// Takes a field off the front; returns its number.
fn skip_field(rest: &mut &[u8]) -> Option<u64> {
    let tag = read_number(rest)?;
    match tag & 7 {
        0 => drop(read_number(rest)?),
        1 => drop(split(rest, 8)?),
        2 => {
            let len = usize::try_from(read_number(rest)?).ok()?;
            split(rest, len)?;
        }
        _ => return None,
    }
    Some(tag >> 3)
}
