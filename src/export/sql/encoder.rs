//! Records as rows, whatever database they go to.

use std::{hash::Hasher, sync::Arc};

use super::row::RowWriter;
use crate::{
    context::SpanId,
    error::{Error, ErrorKind},
    export::wire::{json::Json, span::last_of_each_key},
    label::KeyValue,
    pipeline::{Batch, Encoder, Payload, Setup, Signal},
};

/// A signal whose records are rows.
pub(crate) trait Record: Signal {
    /// The name of the format of its rows, with a number that changes with them.
    const FORMAT: &str;

    /// Writes the cells.
    fn cells(&self, row: &mut RowWriter<'_>, origin: &Origin);
}

/// What is not in a record, and is in its row.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Of the resource; the hash of a series goes on from here.
    hasher: Hash64,
    /// A number that no other batch has.
    pub(super) batch: i64,
    /// The place in the batch.
    pub(super) place: i64,
}

impl Origin {
    /// The hash of the texts, and of the resource.
    pub(super) fn id<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> i64 {
        let mut hasher = self.hasher.clone();
        texts.into_iter().for_each(|text| hasher.text(text));
        hasher.finish()
    }
}

/// Encodes records of one signal.
#[derive(Debug)]
pub(super) struct Rows {
    /// The row of the resource: it is the same for all records.
    head: Arc<[u8]>,
    origin: Origin,
    /// Why they have no place.
    refusal: Option<&'static str>,
}

impl Rows {
    /// Refuses to start, if there is a reason.
    pub(super) fn refused_by(self, refusal: Option<&'static str>) -> Self {
        Self { refusal, ..self }
    }
}

impl Default for Rows {
    fn default() -> Self {
        let origin = Origin { hasher: Hash64::new(), batch: 0, place: 0 };
        Self { head: Arc::default(), origin, refusal: None }
    }
}

impl<S: Record> Encoder<S> for Rows {
    fn encode(&mut self, batch: &Batch<S>) -> Payload {
        let mut payload = Payload::with_head(self.head.clone());
        self.origin.batch = SpanId::random().to_u64().cast_signed();
        for (place, record) in (0..).zip(batch) {
            self.origin.place = place;
            payload.record(|out| record.cells(&mut RowWriter::new(out), &self.origin));
        }
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        if let Some(refusal) = self.refusal {
            return Err(Error::new(ErrorKind::InvalidOption, refusal));
        }
        let mut json = Vec::new();
        attributes(&mut json, setup.resource().attributes());
        self.origin.hasher = Hash64::new();
        self.origin.hasher.write(&json);
        let mut head = Vec::new();
        let mut row = RowWriter::new(&mut head);
        row.int(self.origin.id([]));
        row.text(setup.service_name());
        row.written(|out| out.extend_from_slice(&json));
        self.head = head.into();
        Ok(())
    }

    fn format(&self) -> &str {
        S::FORMAT
    }
}

/// Writes attributes as an object.
pub(super) fn attributes(out: &mut Vec<u8>, attributes: &[KeyValue]) {
    Json::new(out).object(|object| {
        last_of_each_key(attributes).for_each(|one| object.field(&one.key).value(&one.value));
    });
}

/// A hash that is the same in every process, and after every update of the compiler: SipHash 2-4 with keys of zero.
#[derive(Clone, Debug)]
#[expect(deprecated, reason = "the one of std whose keys are known")]
struct Hash64(std::hash::SipHasher);

impl Hash64 {
    fn new() -> Self {
        #[expect(deprecated, reason = "the one of std whose keys are known")]
        Self(std::hash::SipHasher::new())
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// Adds a text, and a byte that no text has, so that no two lists of texts are one.
    fn text(&mut self, text: &str) {
        self.0.write(text.as_bytes());
        self.0.write_u8(0xff);
    }

    fn finish(&self) -> i64 {
        self.0.finish().cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_one_that_is_in_databases() {
        // By another implementation of SipHash 2-4, which gives the vector of its paper.
        let mut origin = Origin { hasher: Hash64::new(), batch: 0, place: 0 };
        assert_eq!(origin.id([]), 2_202_906_307_356_721_367);
        assert_eq!(origin.id(["load"]), -5_458_442_996_957_006_352);
        assert_eq!(origin.id(["ab", "c"]), 8_321_951_383_898_717_999);
        assert_ne!(origin.id(["ab", "c"]), origin.id(["a", "bc"]));
        origin.hasher.write(b"of another process");
        assert_ne!(origin.id(["load"]), -5_458_442_996_957_006_352);
    }
}
