//! Batches as payloads: what the format writes, with a prefix before each record.

use super::{MessageSignal, prefix::Origin};
use crate::{
    error::Error,
    pipeline::{Batch, Encoder, Payload, Setup},
    util::random,
};

/// The encoder of a format, whose records get prefixes.
pub(crate) struct MessageEncoder<S> {
    inner: Box<dyn Encoder<S>>,
    has_keys: bool,
    format: String,
    /// The number of the next record. It begins anywhere, so that no other record has it, of whatever process.
    next: u128,
}

impl<S: MessageSignal> MessageEncoder<S> {
    pub(crate) fn new(inner: Box<dyn Encoder<S>>, has_keys: bool) -> Self {
        let format = match inner.format() {
            "" => String::new(),
            format => format!("message.1.{format}"),
        };
        let [high, low] = random::numbers().map(u128::from);
        Self { inner, has_keys, format, next: high << 64 | low }
    }

    /// Adds a record to `payload`: a prefix and `bytes`, or nothing if the format could not express it.
    fn add(&mut self, payload: &mut Payload, origin: Origin, bytes: &[u8]) {
        let number = self.next;
        self.next = number.wrapping_add(1);
        payload.record(|out| {
            if !bytes.is_empty() {
                origin.write(number, out);
                out.extend_from_slice(bytes);
            }
        });
    }
}

impl<S: MessageSignal> Encoder<S> for MessageEncoder<S> {
    fn encode(&mut self, batch: &Batch<S>) -> Payload {
        let written = self.inner.encode(batch);
        if written.len() != batch.len() {
            return written; // It is rejected as a whole.
        }
        let mut payload = Payload::with_head(written.head());
        for (record, bytes) in batch.iter().zip(written.records()) {
            let origin = if self.has_keys { record.origin() } else { Origin::default() };
            self.add(&mut payload, origin, bytes);
        }
        payload
    }

    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.inner.start(setup)
    }

    fn finish(&mut self) -> Option<Payload> {
        let written = self.inner.finish()?;
        let mut payload = Payload::with_head(written.head());
        written.records().for_each(|bytes| self.add(&mut payload, Origin::default(), bytes));
        Some(payload)
    }

    fn format(&self) -> &str {
        &self.format
    }
}
