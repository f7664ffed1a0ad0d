//! The traits that exporters implement.

use super::{Batch, Deadline, ExportError, Payload, Setup};
use crate::error::Error;

/// Encodes and sends one batch after another to one place.
///
/// What goes over a network is an [`Encoder`] and a [`Sender`] instead, so that a batch that is tried again
/// is not encoded again, and can be kept on disk.
///
/// What an implementor may rely on:
///
/// - It lives on its own thread, `bellwether-NAME`, from start to shutdown. It is never called
///   concurrently, and is dropped on that thread. It may block; no other exporter waits for it.
/// - The thread is [muted](crate::trace::mute): spans that it starts are not recorded, so that
///   exporting does not create more to export. The contexts of their parents are still sent with
///   requests. Threads that the exporter starts itself must be muted by it.
/// - A batch is never empty, and has its records in the order in which they were offered, save that
///   [urgent](super::Signal::is_urgent) ones may come before others. The pipeline keeps it: after an error that
///   asks for a retry, `export` is called with the unsent records.
/// - The pipeline does the queueing, batching, retries with backoff, and counting. It is enough to try
///   once.
///
/// What it returns:
///
/// - `Ok(())`: every record of the batch is delivered, for good. Bytes in a buffer are not delivered.
/// - [`ExportError::retry`]: not now. Connection refused, time-out, 429, 503, disk full. Pass the
///   delay that the backend asked for with [`after`](ExportError::after). If some records were taken,
///   pass the others with [`unsent`](ExportError::unsent), so that nothing is sent twice.
/// - [`ExportError::reject`]: never. 400, record too large, a file that was closed for good.
///
/// What it must do:
///
/// - End each attempt by its [`Deadline`], which may move nearer meanwhile, and close what is open
///   then. Nothing else can interrupt it. An exporter that hangs is left behind at shutdown with its
///   thread, and its batch counts as dropped.
/// - Stay usable after a panic: the next batch goes to the same value. A panic drops the records of
///   the batch that were not settled before.
/// - It may push to pipes, its own included, and flush others. A flush of its own pipe returns `false`
///   at once.
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
    /// Delivers `batch`, or returns why not.
    ///
    /// # Errors
    ///
    /// A decision: to try again or to give up, and which records of the batch it concerns.
    fn export(&mut self, batch: &Batch<S>, deadline: &Deadline) -> ExportResult<S>;

    /// Reads the resource from `setup`, and checks the exporter's options as far as possible without
    /// sending anything. Called once, before its thread starts, on the thread that starts the route.
    /// Does nothing by default.
    ///
    /// # Errors
    ///
    /// An option that cannot be used; the start of the route returns it.
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        let _ = setup;
        Ok(())
    }

    /// The exporter's name in reports, series and the name of its thread: 1 to 64 of
    /// `[A-Za-z0-9_.:-]`; called once. By default the name of the type, without path and parameters.
    fn name(&self) -> &str {
        type_name::<Self>()
    }

    /// Where it sends to, for people who read a [report](super::QueueReport::destination): a URL, a path.
    /// Without secrets. Asked once, after [`start`](Self::start).
    fn destination(&self) -> Option<String> {
        None
    }
}

/// Writes batches as bytes, once for all attempts to send them: the first of the two steps of what goes
/// over a network. The second is a [`Sender`]; [`Route::wire`](super::Route::wire) joins them.
///
/// What is encoded may be sent by another process, after a restart: what a record belongs to (the resource,
/// say) is written into the payload's [head](Payload::with_head).
///
/// # A key against doubles
///
/// What was sent before a time-out, or before a crash, is sent again. A backend that can recognise it needs a key
/// that is the same each time: it is written into each record, since a payload may be cut elsewhere meanwhile.
/// That is a span's id, a series with its time; or else a number that is drawn once for the batch, with the
/// record's place in it.
///
/// # A record that the backend cannot express
///
/// It is a record without bytes. The sender leaves it out and returns it as
/// [rejected](ExportError::rejected), so that it is not counted as delivered.
///
/// # Examples
///
/// ```
/// use bellwether::{pipeline::{Batch, Encoder, Payload}, trace::SpanRecord};
///
/// struct Names;
///
/// impl Encoder<SpanRecord> for Names {
///     fn encode(&mut self, batch: &Batch<SpanRecord>) -> Payload {
///         let mut payload = Payload::new();
///         for span in batch {
///             payload.record(|bytes| bytes.extend_from_slice(span.name().as_bytes()));
///         }
///         payload
///     }
/// }
///
/// let payload = Names.encode(&Batch::from(vec![SpanRecord::new("checkout")]));
/// assert_eq!(payload.bytes(), b"checkout");
/// ```
pub trait Encoder<S>: Send + 'static {
    /// Writes `batch` as bytes, with one [record](Payload::record) for each of its records, in order.
    /// A payload with another number of records is rejected as a whole.
    fn encode(&mut self, batch: &Batch<S>) -> Payload;

    /// As [`Exporter::start`].
    ///
    /// # Errors
    ///
    /// An option that cannot be used; the start of the route returns it.
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        let _ = setup;
        Ok(())
    }

    /// What is still to be said when no more batches come, such as that all series end here: asked once at
    /// shutdown, when every batch is settled, if there is time left. Nothing by default. Its records are no
    /// records of the queue, and are not counted. Not asked for where a route has a spool: there the next
    /// process goes on.
    fn finish(&mut self) -> Option<Payload> {
        None
    }

    /// What the payloads are, with a number that changes when their bytes change: `otlp.spans.1`. What a
    /// spool holds of another format is dropped and counted. A route with a spool does not start without it.
    fn format(&self) -> &str {
        ""
    }
}

/// Sends payloads over a network, each as often as needed: the second of two steps, after an [`Encoder`].
///
/// The contract is that of an [`Exporter`], with [`send`](Self::send) in place of `export`. One type may
/// send payloads of several signals, with a value for each route.
pub trait Sender: Send + 'static {
    /// Delivers `payload`, or returns why not.
    ///
    /// # Errors
    ///
    /// A decision: to try again, to cut the payload, or to give up, and which of its records it concerns.
    fn send(&mut self, payload: &Payload, deadline: &Deadline) -> SendResult;

    /// As [`Exporter::start`].
    ///
    /// # Errors
    ///
    /// An option that cannot be used; the start of the route returns it.
    fn start(&mut self, setup: &Setup) -> Result<(), Error> {
        let _ = setup;
        Ok(())
    }

    /// As [`Exporter::name`].
    fn name(&self) -> &str {
        type_name::<Self>()
    }

    /// As [`Exporter::destination`].
    fn destination(&self) -> Option<String> {
        None
    }
}

/// The result of an [`Exporter`].
pub type ExportResult<S> = Result<(), ExportError<Batch<S>>>;

/// The result of a [`Sender`].
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
