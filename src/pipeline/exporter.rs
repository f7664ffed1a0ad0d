//! The traits that everything which sends records implements.

use super::{Batch, Deadline, ExportError, Payload, Setup};
use crate::error::Error;

/// Encodes and sends one batch after another to one place.
///
/// What goes over a network implements [`WireExporter`] instead, so that a batch that is tried again is
/// not encoded again.
///
/// What an implementor may rely on:
///
/// - It lives on a thread of its own, `bellwether-NAME`, from start to shutdown; it is never called
///   concurrently, and is dropped on that thread. It may block; it holds back nobody but itself.
/// - The thread is [muted](crate::trace::mute): spans that it starts are not recorded, so that what
///   is exported does not make more to export, and their parents' contexts go out with requests. Mute
///   threads that the exporter starts itself.
/// - A batch is never empty, has its records in the order in which they were offered, and is kept by
///   the pipeline: after an error that asks for another try, `export` is called with what was unsent.
/// - Queueing, batching, retry with backoff and counting are the pipeline's. It is enough to try once.
///
/// What it answers:
///
/// - `Ok(())`: every record of the batch is delivered, for good. Do not say so of bytes in a buffer.
/// - [`ExportError::retry`]: not now. Connection refused, time-out, 429, 503, disk full. Name what the
///   backend asked to wait with [`after`](ExportError::after), and what is
///   [`unsent`](ExportError::unsent) if some of it was taken, so that nothing is sent twice.
/// - [`ExportError::reject`]: never. 400, record too large, a file that was closed for good.
///
/// What it must keep to:
///
/// - It ends each attempt by its [`Deadline`], which may move nearer meanwhile, and closes what it has
///   open then. Nothing else can interrupt it: one that hangs is left behind at shutdown, with its
///   thread, and what it had in its hands counts as dropped.
/// - A panic costs the records of the batch that were not settled before it; the next batch goes to
///   the same value, so a panic must leave it usable.
/// - It may push to pipes, its own too, and flush others; a flush of its own says `false` at once.
///
/// # Examples
///
/// An exporter, and a test of it:
///
/// ```
/// use std::time::Duration;
/// use bellwether::{
///     pipeline::{Batch, Deadline, ExportError, ExportResult, Exporter},
///     trace::SpanRecord,
/// };
///
/// struct Names(std::sync::mpsc::Sender<String>);
///
/// impl Exporter<SpanRecord> for Names {
///     fn export(&mut self, batch: &Batch<SpanRecord>, _: &Deadline) -> ExportResult<SpanRecord> {
///         let names = batch.iter().map(|span| self.0.send(span.name().to_owned()));
///         names.collect::<Result<(), _>>().map_err(ExportError::reject)
///     }
/// }
///
/// let (send, received) = std::sync::mpsc::channel();
/// let batch = Batch::from(vec![SpanRecord::new("checkout")]);
/// Names(send).export(&batch, &Deadline::after(Duration::from_secs(1)))?;
/// assert_eq!(received.recv()?, "checkout");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Exporter<S>: Send + 'static {
    /// Delivers `batch`, or says what is to become of it.
    ///
    /// # Errors
    ///
    /// A decision: to try again, or to give up, and what of the batch it is about.
    fn export(&mut self, batch: &Batch<S>, deadline: &Deadline) -> ExportResult<S>;

    /// Reads the resource from `setup`, and checks the exporter's options, as far as that is possible
    /// without sending anything: called once, before its thread starts, by whoever starts it. By
    /// default it does nothing.
    ///
    /// # Errors
    ///
    /// An option that cannot be used; whoever starts the route is given it.
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        let _ = setup;
        Ok(())
    }

    /// What the exporter is called in reports, series and the name of its thread: 1 to 64 of
    /// `[A-Za-z0-9_.:-]`, asked once. By default the name of the type, without path and parameters.
    fn name(&self) -> &str {
        type_name::<Self>()
    }
}

/// Sends batches over a network, in two steps: encodes a batch once, and sends the bytes as often as it
/// takes.
///
/// What an implementor may rely on and must keep to is that of an [`Exporter`], for
/// [`send`](Self::send) in place of its `export`.
pub trait WireExporter<S>: Send + 'static {
    /// Writes `batch` as bytes, a [record](Payload::record) for each of its records, in order. A payload
    /// with another number of records than the batch is rejected as a whole.
    fn encode(&mut self, batch: &Batch<S>) -> Payload;

    /// Delivers `payload`, or says what is to become of it.
    ///
    /// # Errors
    ///
    /// A decision: to try again, or to give up, and what of the payload it is about.
    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult;

    /// As [`Exporter::start`].
    ///
    /// # Errors
    ///
    /// An option that cannot be used; whoever starts the route is given it.
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        let _ = setup;
        Ok(())
    }

    /// As [`Exporter::name`].
    fn name(&self) -> &str {
        type_name::<Self>()
    }
}

/// What an [`Exporter`] answers.
pub type ExportResult<S> = Result<(), ExportError<Batch<S>>>;

/// What a [`WireExporter`] answers.
pub type SendResult = Result<(), ExportError<Payload>>;

/// The name of a type, without path and parameters.
fn type_name<T: ?Sized>() -> &'static str {
    let path = std::any::type_name::<T>().split('<').next().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nameless<A>(A);

    impl<A: Send + 'static> Exporter<u32> for Nameless<A> {
        fn export(&mut self, _batch: &Batch<u32>, _deadline: &Deadline) -> ExportResult<u32> {
            Ok(())
        }
    }

    #[test]
    fn the_default_name_is_the_types() {
        assert_eq!(Exporter::<u32>::name(&Nameless(std::sync::Arc::new(1))), "Nameless");
    }
}
