//! What an exporter answers when it did not deliver.

use std::{fmt, time::Duration};

/// Why a batch or payload `L`, or some of it, was not delivered: a decision, and what it is about.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::pipeline::{Batch, ExportError};
///
/// let batch = Batch::from(vec!["a", "b", "c"]);
/// let busy = ExportError::<Batch<&str>>::retry("503").after(Duration::from_secs(2));
/// let half = ExportError::retry("connection reset").unsent(batch.skip(1));
/// let refused = ExportError::reject("too large").unsent(batch.filter(|text| *text == "b"));
/// ```
pub struct ExportError<L> {
    pub(super) decision: Decision,
    pub(crate) unsent: Option<L>, // None: all of it.
    pub(super) rejected: usize,
    pub(super) message: String, // Invariant: at most MESSAGE_BYTES.
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Decision {
    Retry { after: Option<Duration> },
    Reject,
}

impl<L> ExportError<L> {
    /// It may be delivered later: it is tried again after a backoff, until
    /// [`Retry::max_elapsed`](super::Retry::max_elapsed) is over.
    pub fn retry(message: impl fmt::Display) -> Self {
        Self::new(Decision::Retry { after: None }, message)
    }

    /// It will never be taken: it is dropped with the reason `rejected`.
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

    /// Only these records are meant; the others were delivered.
    #[must_use]
    pub fn unsent(self, records: L) -> Self {
        Self { unsent: Some(records), ..self }
    }

    /// Besides the unsent ones, `n` records were refused for good: they are dropped, not delivered.
    #[must_use]
    pub fn rejected(self, n: usize) -> Self {
        Self { rejected: n, ..self }
    }

    /// Whether another try is asked for.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        matches!(self.decision, Decision::Retry { .. })
    }

    /// How long the backend asked to wait, if it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.decision {
            Decision::Retry { after } => after,
            Decision::Reject => None,
        }
    }

    /// What was said to be unsent; `None` for all of it.
    #[must_use]
    pub fn as_unsent(&self) -> Option<&L> {
        self.unsent.as_ref()
    }

    /// How many records were said to be refused beside the unsent ones.
    #[must_use]
    pub fn n_rejected(&self) -> usize {
        self.rejected
    }

    /// The error with what is unsent in another form.
    pub(super) fn map<M>(self, form: impl FnOnce(L) -> M) -> ExportError<M> {
        let Self { decision, unsent, rejected, message } = self;
        ExportError { decision, unsent: unsent.map(form), rejected, message }
    }

    fn new(decision: Decision, message: impl fmt::Display) -> Self {
        Self { decision, unsent: None, rejected: 0, message: bounded(message) }
    }
}

impl<L> fmt::Display for ExportError<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<L: fmt::Debug> fmt::Debug for ExportError<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decision, unsent, rejected, message } = self;
        write!(f, "{message} ({decision:?}, unsent {unsent:?}, rejected {rejected})")
    }
}

impl<L: fmt::Debug> std::error::Error for ExportError<L> {}

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

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let error = ExportError::<()>::retry("é".repeat(10_000) + "x");
        assert_eq!(error.message, "é".repeat(MESSAGE_BYTES / 2));
        assert_eq!(ExportError::<()>::reject(format_args!("{}-{}", "a", 1)).message, "a-1");
    }
}
