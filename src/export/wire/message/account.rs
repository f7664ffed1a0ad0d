//! What becomes of the records of a payload that is sent as several messages.

use std::{fmt, ops::Range};

use crate::pipeline::{ExportError, Payload, SendResult};

/// An account of a payload: all its records are delivered but for those that are refused or left.
#[derive(Debug, Default)]
pub(crate) struct Account {
    refused: Vec<Range<usize>>,
    left: Vec<Range<usize>>,
    /// Why, of the first that is left; or else of the first that was refused.
    why_left: Option<String>,
    why_refused: Option<String>,
}

impl Account {
    /// These will never be delivered.
    pub(crate) fn refuse(&mut self, records: Range<usize>, why: impl fmt::Display) {
        self.refused.push(records);
        self.why_refused.get_or_insert_with(|| why.to_string());
    }

    /// These are to be sent again.
    pub(crate) fn leave(&mut self, records: Range<usize>, why: impl fmt::Display) {
        self.left.push(records);
        self.why_left.get_or_insert_with(|| why.to_string());
    }

    /// What is to be said of `payload`.
    pub(crate) fn settle(self, payload: &Payload) -> SendResult {
        let part = |ranges: &[Range<usize>]| {
            let mut is_in = vec![false; payload.len()];
            ranges.iter().for_each(|range| is_in[range.clone()].fill(true));
            payload.filter(|place| is_in[place])
        };
        let Self { refused, left, why_left, why_refused } = self;
        if let Some(why) = why_left {
            let n_refused = refused.iter().map(ExactSizeIterator::len).sum();
            let error = ExportError::retry(why).unsent(part(&left)).rejected(n_refused);
            return Err(error.refused(part(&refused)));
        }
        match why_refused {
            Some(why) => Err(ExportError::reject(why).unsent(part(&refused))),
            None => Ok(()),
        }
    }
}
