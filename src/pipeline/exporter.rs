//! The trait that everything which sends records implements, and its answer.

use std::{fmt, time::Duration};

use super::Batch;
use crate::error::Error;

/// Encodes and sends one batch after another to one place.
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
/// - It ends each attempt by itself, in seconds: there is no way to interrupt it. One that hangs is
///   left behind at shutdown, with its thread, and what it had in its hands counts as dropped.
/// - A panic costs the records of the batch that were not settled before it; the next batch goes to
///   the same value, so a panic must leave it usable.
/// - It may push to pipes, its own too, and flush others; a flush of its own says `false` at once.
///
/// # Examples
///
/// ```
/// use bellwether::pipeline::{Batch, ExportError, Exporter};
///
/// struct Sum(std::sync::mpsc::Sender<u64>);
///
/// impl Exporter<u64> for Sum {
///     fn export(&mut self, batch: &Batch<u64>) -> Result<(), ExportError<u64>> {
///         self.0.send(batch.iter().sum()).map_err(ExportError::reject)
///     }
/// }
/// ```
pub trait Exporter<T>: Send + 'static {
    /// Delivers `batch`, or says what is to become of it.
    ///
    /// # Errors
    ///
    /// A decision: to try again, or to give up, and what of the batch it is about.
    fn export(&mut self, batch: &Batch<T>) -> Result<(), ExportError<T>>;

    /// What the exporter is called in reports, series and the name of its thread: 1 to 64 of
    /// `[A-Za-z0-9_.:-]`, asked once. By default the name of the type, without path and parameters.
    fn name(&self) -> &str {
        let path = std::any::type_name::<Self>().split('<').next().unwrap_or_default();
        path.rsplit("::").next().unwrap_or_default()
    }

    /// Says whether it can work at all, as far as that can be told without sending anything: asked
    /// once, before its thread starts. By default it can.
    ///
    /// # Errors
    ///
    /// An option that cannot be used; whoever starts the pipe is given it.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Why a batch, or some of it, was not delivered: a decision, and what it is about.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::pipeline::{Batch, ExportError};
///
/// let batch = Batch::from(vec!["a", "b", "c"]);
/// let busy = ExportError::<&str>::retry("503").after(Duration::from_secs(2));
/// let half = ExportError::retry("connection reset").unsent(batch.skip(1));
/// let refused = ExportError::reject("too large").unsent(batch.filter(|text| *text == "b"));
/// ```
pub struct ExportError<T> {
    pub(super) decision: Decision,
    pub(crate) unsent: Option<Batch<T>>, // None: the whole batch.
    pub(super) rejected: usize,
    pub(super) message: String, // Invariant: at most MESSAGE_BYTES.
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Decision {
    Retry { after: Option<Duration> },
    Reject,
}

impl<T> ExportError<T> {
    /// The batch may be delivered later: it is tried again after a backoff, until
    /// [`Retry::max_elapsed`](super::Retry::max_elapsed) is over.
    pub fn retry(message: impl fmt::Display) -> Self {
        Self::new(Decision::Retry { after: None }, message)
    }

    /// The batch will never be taken: it is dropped with the reason `rejected`.
    pub fn reject(message: impl fmt::Display) -> Self {
        Self::new(Decision::Reject, message)
    }

    /// The backend asked to wait this long; 60 s at most are honoured. Means nothing to a rejection.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        if let Decision::Retry { after } = &mut self.decision {
            *after = Some(delay);
        }
        self
    }

    /// Only these records of the batch are meant; the others were delivered.
    #[must_use]
    pub fn unsent(self, records: Batch<T>) -> Self {
        Self { unsent: Some(records), ..self }
    }

    /// Besides the unsent ones, `n` records were refused for good: they are dropped, not delivered.
    #[must_use]
    pub fn rejected(self, n: usize) -> Self {
        Self { rejected: n, ..self }
    }

    fn new(decision: Decision, message: impl fmt::Display) -> Self {
        Self { decision, unsent: None, rejected: 0, message: bounded(message) }
    }
}

impl<T> fmt::Display for ExportError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<T> fmt::Debug for ExportError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decision, unsent, rejected, message } = self;
        write!(f, "{message} ({decision:?}, unsent {unsent:?}, rejected {rejected})")
    }
}

impl<T> std::error::Error for ExportError<T> {}

/// The longest message that is kept: it may be the body of a foreign response. Arbitrary.
const MESSAGE_BYTES: usize = 512;

/// `message` as text, cut at a character; what is beyond the bound is not even formatted into memory.
pub(super) fn bounded(message: impl fmt::Display) -> String {
    struct Bounded(String);

    impl fmt::Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = MESSAGE_BYTES - self.0.len();
            if text.len() <= room {
                self.0.push_str(text);
                return Ok(());
            }
            let end = (0..=room).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            self.0.push_str(&text[..end]);
            Err(fmt::Error)
        }
    }

    let mut text = Bounded(String::new());
    // An error means that the message is full.
    let _ = fmt::write(&mut text, format_args!("{message}"));
    text.0
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nameless<A>(A);

    impl<A: Send + 'static> Exporter<u32> for Nameless<A> {
        fn export(&mut self, _batch: &Batch<u32>) -> Result<(), ExportError<u32>> {
            Ok(())
        }
    }

    #[test]
    fn the_default_name_is_the_types() {
        assert_eq!(Exporter::<u32>::name(&Nameless(std::sync::Arc::new(1))), "Nameless");
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let error = ExportError::<u32>::retry("é".repeat(10_000) + "x");
        assert_eq!(error.message, "é".repeat(MESSAGE_BYTES / 2));
        assert_eq!(ExportError::<u32>::reject(format_args!("{}-{}", "a", 1)).message, "a-1");
    }
}
