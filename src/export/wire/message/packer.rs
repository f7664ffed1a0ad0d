//! Payloads as messages.

use std::{ops::Range, sync::Arc};

use super::{
    MessageFormat,
    account::Account,
    prefix::{Origin, PREFIX},
};
use crate::{pipeline::Payload, util::fingerprint::fingerprint};

/// Makes messages of payloads.
#[derive(Debug)]
pub(crate) struct Packer<S> {
    format: Arc<dyn MessageFormat<S>>,
    most_bytes: usize,
    most_records: usize,
}

/// One message, to be sent.
#[derive(Debug)]
pub(crate) struct Message {
    /// Which records of the payload it has.
    pub(crate) records: Range<usize>,
    /// The same for the same records, in each process; for others another one, be they alike.
    pub(crate) id: String,
    /// The trace or the series of all its records, in hexadecimal digits, if they have one in common.
    pub(crate) key: Option<String>,
    /// The trace of all its records, and the span of the first one.
    pub(crate) traceparent: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl<S: 'static> Packer<S> {
    pub(super) fn new(
        format: Arc<dyn MessageFormat<S>>,
        most_bytes: usize,
        most_records: usize,
    ) -> Self {
        Self { format, most_bytes: most_bytes.max(1), most_records: most_records.max(1) }
    }

    pub(crate) fn content_type(&self) -> &'static str {
        self.format.content_type()
    }

    /// The messages of `payload`, in the order of its records. What none can hold is refused in `account`.
    pub(crate) fn pack(&self, payload: &Payload, account: &mut Account) -> Vec<Message> {
        let mut packing = Packing { packer: self, payload, account, messages: Vec::new() };
        let mut open: Option<(Origin, usize)> = None; // The next message, with its bytes but for the head.
        let mut first = 0;
        for (place, record) in payload.records().enumerate() {
            let Some((origin, bytes)) = Origin::split(record) else {
                packing.close(first..place);
                let why = match record.is_empty() {
                    true => "the format of the messages cannot express a record",
                    false => "a record is none of this format",
                };
                packing.account.refuse(place..place + 1, why);
                (open, first) = (None, place + 1);
                continue;
            };
            let n_with_it = open.map_or(0, |(_, n_bytes)| n_bytes) + bytes.len();
            let joins = open.is_some_and(|(of, _)| of.key == origin.key)
                && n_with_it + payload.head().len() <= self.most_bytes
                && place - first < self.most_records;
            if joins {
                open = Some((origin, n_with_it));
            } else {
                packing.close(first..place);
                (open, first) = (Some((origin, bytes.len())), place);
            }
        }
        packing.close(first..payload.len());
        packing.messages
    }
}

/// A payload that is being packed.
struct Packing<'a, S> {
    packer: &'a Packer<S>,
    payload: &'a Payload,
    account: &'a mut Account,
    messages: Vec<Message>,
}

impl<S: 'static> Packing<'_, S> {
    /// Makes a message of these records, or several where one would be too large.
    fn close(&mut self, range: Range<usize>) {
        let part = self.payload.first(range.end).skip(range.start);
        let Some((origin, _)) = part.records().next().and_then(Origin::split) else { return };
        // Each has a prefix: else it would not be in the range.
        let (prefixes, records): (Vec<&[u8]>, Vec<&[u8]>) =
            part.records().map(|record| record.split_at(PREFIX)).unzip();
        let mut body = Vec::with_capacity(part.bytes().len() + part.head().len());
        if !self.packer.format.join(part.head(), &records, &mut body) {
            self.account.refuse(range, "the records are none of this format");
        } else if body.len() <= self.packer.most_bytes {
            // Of all bytes it would take longer than to send them; and a record's number is in its prefix.
            let id = format!("{:032x}", fingerprint(&prefixes));
            let has_key = origin.has_key();
            let key = has_key.then(|| format!("{:032x}", u128::from_be_bytes(origin.key)));
            let traceparent = origin.traceparent();
            self.messages.push(Message { records: range, id, key, traceparent, body });
        } else if range.len() == 1 {
            self.account.refuse(range, "a record is larger than a message may be");
        } else {
            let middle = range.start + range.len() / 2;
            self.close(range.start..middle);
            self.close(middle..range.end);
        }
    }
}
