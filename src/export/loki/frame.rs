//! A record of a payload: its time, the labels of its stream, and its entry. A request puts those of one stream
//! together, whichever records are left of a payload.

/// A record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame<'a> {
    /// Nanoseconds since 1970.
    pub(super) time: u64,
    pub(super) labels: &'a [u8],
    pub(super) entry: &'a [u8],
}

/// Appends the beginning of a record, whose entry follows; and what `write_labels` returns.
pub(super) fn begin<T>(
    out: &mut Vec<u8>,
    time: u64,
    write_labels: impl FnOnce(&mut Vec<u8>) -> T,
) -> T {
    out.extend_from_slice(&time.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let begin = out.len();
    let written = write_labels(out);
    let length = (out.len() - begin) as u32; // At most 15 labels of at most 2 KiB.
    out[begin - 4..begin].copy_from_slice(&length.to_le_bytes());
    written
}

/// Reads a record; `None` if it has no bytes, or bytes that the encoder does not write.
pub(super) fn read(record: &[u8]) -> Option<Frame<'_>> {
    let (time, rest) = record.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (labels, entry) = rest.split_at_checked(length)?;
    Some(Frame { time: u64::from_le_bytes(*time), labels, entry })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            time: u64, labels: Vec<u8>, entry: Vec<u8>, before: Vec<u8>,
        ) {
            let mut out = before.clone();
            begin(&mut out, time, |out| out.extend_from_slice(&labels));
            out.extend_from_slice(&entry);
            let frame = Frame { time, labels: &labels, entry: &entry };
            prop_assert_eq!(read(&out[before.len()..]), Some(frame));
        }

        #[test]
        fn garbage_is_no_record(garbage: Vec<u8>) {
            if let Some(frame) = read(&garbage) {
                prop_assert_eq!(frame.labels.len() + frame.entry.len() + 12, garbage.len());
            }
        }
    }
}
