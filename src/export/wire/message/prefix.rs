//! What stands before each record: all that a sender has to know of it.
//!
//! ```text
//! key, 16 bytes │ span id, 8 │ trace flags, 1 │ number, 16 │ the record, as its format wrote it
//! ```

/// What is known of a record besides its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Neighbours of one key may be one message: the trace of a span or a log record, a number for the series of a data
    /// point. All zero where records have no keys.
    pub(super) key: [u8; 16],
    /// The span of a span or a log record, with its flags. All zero for none.
    pub(super) span: [u8; 8],
    pub(super) flags: u8,
}

/// How long a prefix is.
pub(super) const PREFIX: usize = 16 + 8 + 1 + 16;

impl Origin {
    /// Appends the prefix of the record with this number.
    pub(super) fn write(&self, number: u128, out: &mut Vec<u8>) {
        let Self { key, span, flags } = self;
        out.extend_from_slice(key);
        out.extend_from_slice(span);
        out.push(*flags);
        out.extend_from_slice(&number.to_be_bytes());
    }

    /// The origin of a record, and what is behind its prefix; `None` if it has no prefix.
    pub(super) fn split(record: &[u8]) -> Option<(Self, &[u8])> {
        let (prefix, record) = record.split_first_chunk::<PREFIX>()?;
        let (key, rest) = prefix.split_first_chunk::<16>()?;
        let (span, rest) = rest.split_first_chunk::<8>()?;
        Some((Self { key: *key, span: *span, flags: rest[0] }, record))
    }

    pub(super) fn has_key(&self) -> bool {
        self.key != [0; 16]
    }

    /// The header that says of which trace a record is (W3C Trace Context, 3.2).
    pub(super) fn traceparent(&self) -> Option<String> {
        let is_of_span = self.has_key() && self.span != [0; 8];
        let (trace, span) = (u128::from_be_bytes(self.key), u64::from_be_bytes(self.span));
        is_of_span.then(|| format!("00-{trace:032x}-{span:016x}-{:02x}", self.flags & 3))
    }
}
