//! The two kinds of exporter as a worker uses them: a load is prepared from a batch once, and then
//! attempted until it is settled.

use super::{Batch, Deadline, Encoder, ExportError, Exporter, Payload, Sender, Signal};

/// How a worker delivers batches.
pub(super) trait Delivery<S: Signal>: Send + 'static {
    /// What is attempted, as often as needed.
    type Load: Load;

    /// Prepares the load of a batch.
    fn prepare(&mut self, batch: Batch<S>) -> Self::Load;

    /// What is to be delivered after the last batch.
    fn finish(&mut self) -> Option<Self::Load> {
        None
    }

    /// Tries once.
    fn attempt(
        &mut self,
        load: &Self::Load,
        deadline: &Deadline,
    ) -> Result<(), ExportError<Self::Load>>;
}

/// Records in the form in which they are delivered.
pub(super) trait Load: Clone {
    fn len(&self) -> usize;
    fn first(&self, n: usize) -> Self;
}

/// Delivers batches as they are.
pub(super) struct Whole<S>(pub(super) Box<dyn Exporter<S>>);

impl<S: Signal> Delivery<S> for Whole<S> {
    type Load = Batch<S>;

    fn prepare(&mut self, batch: Batch<S>) -> Batch<S> {
        batch
    }

    fn attempt(
        &mut self,
        batch: &Batch<S>,
        deadline: &Deadline,
    ) -> Result<(), ExportError<Batch<S>>> {
        self.0.export(batch, deadline)
    }
}

/// Encodes a batch once, and delivers the bytes.
pub(super) struct Wire<S> {
    pub(super) encoder: Box<dyn Encoder<S>>,
    pub(super) sender: Box<dyn Sender>,
}

/// A batch as bytes.
#[derive(Clone)]
pub(super) struct Encoded {
    payload: Payload,
    n_records: usize, // Of the batch.
}

impl<S: Signal> Delivery<S> for Wire<S> {
    type Load = Encoded;

    fn prepare(&mut self, batch: Batch<S>) -> Encoded {
        Encoded { payload: self.encoder.encode(&batch), n_records: batch.len() }
    }

    fn finish(&mut self) -> Option<Encoded> {
        let payload = self.encoder.finish().filter(|payload| !payload.is_empty())?;
        Some(Encoded { n_records: payload.len(), payload })
    }

    fn attempt(
        &mut self,
        encoded: &Encoded,
        deadline: &Deadline,
    ) -> Result<(), ExportError<Encoded>> {
        let n = encoded.payload.len();
        if n != encoded.n_records {
            let message = format_args!("{} records were encoded as {n}", encoded.n_records);
            return Err(ExportError::reject(message));
        }
        self.sender
            .send(&encoded.payload, deadline)
            .map_err(|error| error.map(|payload| Encoded { n_records: payload.len(), payload }))
    }
}

impl<S> Load for Batch<S> {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn first(&self, n: usize) -> Self {
        Self::first(self, n)
    }
}

impl Load for Encoded {
    fn len(&self) -> usize {
        self.n_records
    }

    fn first(&self, n: usize) -> Self {
        let payload = self.payload.first(n);
        Self { n_records: payload.len(), payload }
    }
}
