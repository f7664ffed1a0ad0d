//! The two kinds of exporter as a worker uses them: a load is prepared from a batch once, and then
//! attempted until it is settled.

use super::{Batch, Deadline, Encoder, ExportError, Exporter, Payload, Sender, Signal};
use crate::error::Error;

/// How batches of a signal become loads.
pub(super) trait Prepare<S: Signal>: Delivery {
    /// Prepares the load of a batch.
    fn prepare(&mut self, batch: Batch<S>) -> Self::Load;

    /// What is to be delivered after the last batch.
    fn finish(&mut self) -> Option<Self::Load> {
        None
    }
}

/// A worker that needs only what it delivers by.
pub(super) trait Spawn<S: Signal> {
    /// Starts it.
    fn spawn(self, delivery: impl Prepare<S>) -> Result<(), Error>;
}

/// How loads are delivered.
pub(super) trait Delivery: Send + 'static {
    /// What is attempted, as often as needed.
    type Load: Load;

    /// Tries once.
    fn attempt(
        &mut self,
        load: &Self::Load,
        deadline: &Deadline,
    ) -> Result<(), ExportError<Self::Load>>;

    /// The result of the attempt is counted; or not, if its batch was dropped meanwhile.
    fn settled(&mut self, is_ours: bool) {
        let _ = is_ours;
    }
}

/// Records in the form in which they are delivered.
pub(super) trait Load: Clone {
    fn len(&self) -> usize;
    /// Of the encoded records; 0 where they are not encoded.
    fn n_bytes(&self) -> usize {
        self.payload().map_or(0, |payload| payload.head().len() + payload.bytes().len())
    }
    /// What is sent; `None` where nothing is encoded.
    fn payload(&self) -> Option<&Payload> {
        None
    }
    fn first(&self, n: usize) -> Self;
    fn skip(&self, n: usize) -> Self;
}

/// Delivers batches as they are.
pub(super) struct Whole<S>(pub(super) Box<dyn Exporter<S>>);

impl<S: Signal> Prepare<S> for Whole<S> {
    fn prepare(&mut self, batch: Batch<S>) -> Batch<S> {
        batch
    }
}

impl<S: Signal> Delivery for Whole<S> {
    type Load = Batch<S>;

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
    pub(super) sending: Sending,
}

/// Delivers what is encoded.
pub(super) struct Sending(pub(super) Box<dyn Sender>);

/// A batch as bytes.
#[derive(Clone)]
pub(super) struct Encoded {
    pub(super) payload: Payload,
    n_records: usize, // Of the batch.
}

impl Encoded {
    pub(super) fn of(payload: Payload, n_records: usize) -> Self {
        Self { payload, n_records }
    }

    /// Whether there is a record for each of the batch.
    pub(super) fn check<L>(&self) -> Result<(), ExportError<L>> {
        let n = self.payload.len();
        match n == self.n_records {
            true => Ok(()),
            false => Err(ExportError::reject(format_args!(
                "{} records were encoded as {n}",
                self.n_records
            ))),
        }
    }
}

impl<S: Signal> Prepare<S> for Wire<S> {
    fn prepare(&mut self, batch: Batch<S>) -> Encoded {
        Encoded::of(self.encoder.encode(&batch), batch.len())
    }

    fn finish(&mut self) -> Option<Encoded> {
        let payload = self.encoder.finish().filter(|payload| !payload.is_empty())?;
        Some(Encoded { n_records: payload.len(), payload })
    }
}

impl<S: Signal> Delivery for Wire<S> {
    type Load = Encoded;

    fn attempt(
        &mut self,
        encoded: &Encoded,
        deadline: &Deadline,
    ) -> Result<(), ExportError<Encoded>> {
        self.sending.attempt(encoded, deadline)
    }
}

impl Delivery for Sending {
    type Load = Encoded;

    fn attempt(
        &mut self,
        encoded: &Encoded,
        deadline: &Deadline,
    ) -> Result<(), ExportError<Encoded>> {
        encoded.check()?;
        self.0
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

    fn skip(&self, n: usize) -> Self {
        Self::skip(self, n)
    }
}

impl Load for Encoded {
    fn len(&self) -> usize {
        self.n_records
    }

    fn payload(&self) -> Option<&Payload> {
        Some(&self.payload)
    }

    fn first(&self, n: usize) -> Self {
        Self { payload: self.payload.first(n), n_records: self.n_records.min(n) }
    }

    fn skip(&self, n: usize) -> Self {
        Self { payload: self.payload.skip(n), n_records: self.n_records.saturating_sub(n) }
    }
}
