//! Records on a stream that answers nothing: how much was written says which of them are to be written again.

#[cfg(feature = "emf")]
use std::io::Write;
use std::{borrow::Cow, fmt, io};

use crate::pipeline::{ExportError, Payload, SendResult};

/// How many bytes were written, and why no more.
pub(crate) type Stopped = (usize, io::Error);

/// Writes the records of `payload` by `write`, and says what became of them: those without bytes are refused, and
/// those that were not written whole are to be sent again, unless the error `is_final`. A record of a line feed alone
/// has nothing to say.
pub(crate) fn send(
    payload: &Payload,
    place: impl fmt::Display,
    is_final: impl FnOnce(&io::Error) -> bool,
    write: impl FnOnce(&[u8]) -> Result<(), Stopped>,
) -> SendResult {
    let is_mute = |record: &[u8]| record == b"\n";
    let bytes: Cow<'_, [u8]> = match payload.records().any(is_mute) {
        true => payload.records().filter(|record| !is_mute(record)).flatten().copied().collect(),
        false => payload.bytes().into(),
    };
    let (n_written, failure) = match write(&bytes) {
        Ok(()) => (bytes.len(), None),
        Err((n, error)) => (n, Some(error)),
    };
    let (mut n_whole, mut n_refused, mut end) = (0, 0, 0);
    for record in payload.records() {
        end += if is_mute(record) { 0 } else { record.len() };
        if end > n_written {
            break;
        }
        n_whole += 1;
        n_refused += usize::from(record.is_empty());
    }
    match failure {
        Some(error) => {
            let message = format_args!("{place}: {error}");
            let error = match is_final(&error) {
                true => ExportError::reject(message),
                false => ExportError::retry(message),
            };
            Err(error.unsent(payload.skip(n_whole)).rejected(n_refused))
        }
        None if n_refused > 0 => {
            Err(ExportError::partial(n_refused, "a value cannot be expressed"))
        }
        None => Ok(()),
    }
}

/// Writes lines to what others write to as well: behind one that was cut off, they begin with a line break.
#[cfg(feature = "emf")]
#[expect(clippy::disallowed_methods, reason = "what `write_all` wrote before an error is unknown")]
pub(crate) fn write_lines(
    to: &mut impl Write,
    bytes: &[u8],
    is_torn: &mut bool,
) -> Result<(), Stopped> {
    let mut done = 0;
    while done < bytes.len() {
        let rest: &[u8] = if *is_torn { b"\n" } else { &bytes[done..] };
        match to.write(rest) {
            Ok(0) => return Err((done, io::ErrorKind::WriteZero.into())),
            Ok(_) if *is_torn => *is_torn = false,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                if done > 0 {
                    *is_torn = bytes[done - 1] != b'\n';
                }
                // A line that lacks only its line break is whole: the next write begins with one.
                let is_whole = *is_torn && done > 0 && bytes[done] == b'\n';
                return Err((done + usize::from(is_whole), error));
            }
        }
    }
    to.flush().map_err(|error| (done, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(records: &[&str]) -> Payload {
        records.iter().collect()
    }

    /// What is written until `room` is full, and the result.
    fn sent(records: &[&str], room: usize, is_final: bool) -> (String, SendResult) {
        let mut written = Vec::new();
        let result = send(
            &payload(records),
            "there",
            |_| is_final,
            |bytes| {
                let n = bytes.len().min(room);
                written.extend_from_slice(&bytes[..n]);
                match n == bytes.len() {
                    true => Ok(()),
                    false => Err((n, io::ErrorKind::ConnectionReset.into())),
                }
            },
        );
        (String::from_utf8(written).unwrap(), result)
    }

    #[test]
    fn what_is_cut_off_is_written_again_from_its_beginning() {
        let records = ["one\n", "", "\n", "two\n", "\n"];
        for room in 0..8 {
            let (written, result) = sent(&records, room, false);
            let error = result.unwrap_err();
            let n_whole = if room < 4 { 0 } else { 3 };
            assert!(error.is_retry(), "{room}");
            assert_eq!(error.as_unsent().unwrap().len(), records.len() - n_whole, "{written:?}");
            assert_eq!(error.n_rejected(), usize::from(n_whole > 1));
        }
        let (written, result) = sent(&records, 8, false);
        assert_eq!((written.as_str(), result.unwrap_err().n_rejected()), ("one\ntwo\n", 1));
        let (written, result) = sent(&["one\n", "two\n"], 8, false);
        assert_eq!((written.as_str(), result.is_ok()), ("one\ntwo\n", true));
    }

    #[test]
    fn nothing_is_tried_again_where_nobody_reads() {
        let (_, result) = sent(&["one\n", "two\n"], 5, true);
        let error = result.unwrap_err();
        assert_eq!((error.is_retry(), error.as_unsent().unwrap().len()), (false, 1));
    }

    #[cfg(feature = "emf")]
    #[test]
    fn a_line_that_was_cut_off_stands_alone() {
        struct Pipe(Vec<u8>, usize);
        impl Write for Pipe {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let n = bytes.len().min(self.1 - self.0.len()).min(2);
                self.0.extend_from_slice(&bytes[..n]);
                if n == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(n) }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for (room, n_whole, whole) in [
            (2, 2, "on\none\ntwo\n"),
            (3, 4, "one\ntwo\n"),
            (4, 4, "one\ntwo\n"),
            (0, 0, "one\ntwo\n"),
        ] {
            let (mut pipe, mut is_torn) = (Pipe(Vec::new(), room), false);
            let lines = b"one\ntwo\n";
            let stopped = write_lines(&mut pipe, lines, &mut is_torn).unwrap_err();
            assert_eq!((stopped.0, is_torn), (n_whole, [2, 3].contains(&room)));
            let rest = if stopped.0 == 4 { &lines[4..] } else { lines };
            let again = write_lines(&mut pipe, rest, &mut is_torn).unwrap_err();
            assert_eq!((again.0, is_torn), (0, [2, 3].contains(&room)), "it is not forgotten");
            pipe.1 = 100;
            write_lines(&mut pipe, rest, &mut is_torn).unwrap();
            assert_eq!(String::from_utf8(pipe.0).unwrap(), whole);
        }
    }
}
