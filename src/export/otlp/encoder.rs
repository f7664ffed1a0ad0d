//! Batches as payloads.

use std::{marker::PhantomData, sync::Arc};

use super::{
    metric::Histograms,
    request,
    signal::{Encoding, OtlpSignal},
};
use crate::{
    error::Error,
    pipeline::{Batch, Encoder, Payload, Setup},
    resource::Resource,
};

/// Encodes the records of a signal in one form.
pub(super) struct OtlpEncoder<S> {
    encoding: Encoding,
    histograms: Histograms,
    head: Arc<[u8]>,
    signal: PhantomData<fn(S)>,
}

impl<S: OtlpSignal> OtlpEncoder<S> {
    pub(super) fn new(encoding: Encoding, histograms: Histograms) -> Self {
        let head = request::head(&Resource::default(), S::NAMES, encoding).into();
        Self { encoding, histograms, head, signal: PhantomData }
    }
}

impl<S: OtlpSignal> Encoder<S> for OtlpEncoder<S> {
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        self.head = request::head(setup.resource(), S::NAMES, self.encoding).into();
        Ok(())
    }

    fn encode(&mut self, batch: &Batch<S>) -> Payload {
        let mut payload = Payload::with_head(self.head.clone());
        S::encode(batch, &mut payload, self.encoding, self.histograms);
        payload
    }

    fn format(&self) -> &str {
        S::NAMES.formats[self.encoding as usize]
    }
}
