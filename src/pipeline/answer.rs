//! The error of an exporter that did not deliver.

use std::{fmt, time::Duration};

/// Why a batch or payload `L`, or part of it, was not delivered, and whether to try again.
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
/// let some = ExportError::<Batch<&str>>::partial(1, "one is malformed");
/// ```
pub struct ExportError<L> {
    pub(super) decision: Decision,
    pub(crate) unsent: Option<L>, // None: all of it.
    pub(super) rejected: usize,
    pub(super) refused: Option<L>, // Which they are, where that is known.
    pub(super) message: String,    // Invariant: at most MESSAGE_BYTES.
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Decision {
    Retry {
        after: Option<Duration>,
    },
    Reject,
    /// Nothing is left to be sent.
    Partial,
    Cut,
}

impl<L> ExportError<L> {
    /// An error after which the records are tried again, after a backoff, until
    /// [`Retry::max_elapsed`](super::Retry::max_elapsed) has passed.
    pub fn retry(message: impl fmt::Display) -> Self {
        Self::new(Decision::Retry { after: None }, message)
    }

    /// An error after which the records are dropped, with the reason `rejected`.
    pub fn reject(message: impl fmt::Display) -> Self {
        Self::new(Decision::Reject, message)
    }

    /// `n` records were refused for good, and all others were delivered: the answer of a backend that does not
    /// say which ones. The `n` are dropped, with the reason `rejected`.
    pub fn partial(n: usize, message: impl fmt::Display) -> Self {
        Self { rejected: n, ..Self::new(Decision::Partial, message) }
    }

    /// An error after which the records are sent in two halves, as after the status 413. A single record
    /// that is too large is dropped, with the reason `rejected`.
    pub fn too_large(message: impl fmt::Display) -> Self {
        Self::new(Decision::Cut, message)
    }

    /// Sets the delay that the backend asked for; at most 60 s are honoured. No effect on a rejection.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        if let Decision::Retry { after } = &mut self.decision {
            *after = Some(delay);
        }
        self
    }

    /// Limits the error to these records; the others were delivered.
    #[must_use]
    pub fn unsent(self, records: L) -> Self {
        Self { unsent: Some(records), ..self }
    }

    /// Sets how many records were refused for good, besides the unsent ones. They are dropped, and do
    /// not count as delivered.
    #[must_use]
    pub fn rejected(self, n: usize) -> Self {
        Self { rejected: n, ..self }
    }

    /// Sets which records those are that were refused for good besides the unsent ones: a
    /// [file of dead letters](super::Route::dead_letters) then gets these alone. Else it gets the whole batch, with how
    /// many of it were refused.
    #[must_use]
    pub fn refused(self, records: L) -> Self {
        Self { refused: Some(records), ..self }
    }

    /// Whether the error asks for a retry.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        matches!(self.decision, Decision::Retry { .. })
    }

    /// Whether nothing is left to be sent: some records were refused for good, and the others delivered.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        matches!(self.decision, Decision::Partial)
    }

    /// The delay that the backend asked for, if it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.decision {
            Decision::Retry { after } => after,
            Decision::Reject | Decision::Partial | Decision::Cut => None,
        }
    }

    /// The unsent records; `None` for all of them, or for none if it [is partial](Self::is_partial).
    #[must_use]
    pub fn as_unsent(&self) -> Option<&L> {
        self.unsent.as_ref()
    }

    /// Which records were refused for good, besides the unsent ones, if [that is known](Self::refused).
    #[must_use]
    pub fn as_refused(&self) -> Option<&L> {
        self.refused.as_ref()
    }

    /// How many records were refused for good, besides the unsent ones.
    #[must_use]
    pub fn n_rejected(&self) -> usize {
        self.rejected
    }

    /// Converts the unsent records, and keeps the rest.
    pub(super) fn map<M>(self, form: impl Fn(L) -> M) -> ExportError<M> {
        let Self { decision, unsent, rejected, refused, message } = self;
        let (unsent, refused) = (unsent.map(&form), refused.map(form));
        ExportError { decision, unsent, rejected, refused, message }
    }

    fn new(decision: Decision, message: impl fmt::Display) -> Self {
        Self { decision, unsent: None, rejected: 0, refused: None, message: bounded(message) }
    }
}

impl<L> fmt::Display for ExportError<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<L: fmt::Debug> fmt::Debug for ExportError<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decision, unsent, rejected, message, .. } = self;
        write!(f, "{message} ({decision:?}, unsent {unsent:?}, rejected {rejected})")
    }
}

impl<L: fmt::Debug> std::error::Error for ExportError<L> {}

/// The longest message that is kept, since it may be the body of a foreign response. Arbitrary.
const MESSAGE_BYTES: usize = 512;

/// `message` as text, cut at a character. Text beyond the bound is never in memory.
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

    #[test]
    fn an_error_says_what_it_asks_for_and_what_it_is_limited_to() {
        let asked = Duration::from_secs(3);
        let busy = ExportError::retry("503").after(asked).unsent(7).rejected(2);
        assert!(busy.is_retry() && !busy.is_partial());
        assert_eq!((busy.retry_after(), busy.as_unsent()), (Some(asked), Some(&7)));
        assert_eq!(busy.n_rejected(), 2);
        let plain = ExportError::<u32>::retry("503");
        assert_eq!((plain.retry_after(), plain.as_unsent(), plain.n_rejected()), (None, None, 0));
        let partial = ExportError::<u32>::partial(5, "some are odd");
        assert!(partial.is_partial() && !partial.is_retry());
        assert_eq!((partial.as_unsent(), partial.n_rejected()), (None, 5));
    }

    #[test]
    fn a_delay_has_no_effect_on_an_error_that_asks_for_no_retry() {
        for error in [ExportError::<u32>::reject("400"), ExportError::too_large("413")] {
            let error = error.after(Duration::from_secs(3));
            assert!(!error.is_retry() && !error.is_partial(), "{error}");
            assert_eq!(error.retry_after(), None, "{error}");
        }
    }
}
