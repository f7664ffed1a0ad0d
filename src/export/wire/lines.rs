//! The lines of one batch, written in one call or in parts; how much was written is known to the line.

use std::{
    io::{self, Write},
    ops::Range,
};

use crate::pipeline::{Batch, ExportError, ExportResult};

/// A batch as lines in one buffer, which is reused for the next batch.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    ends: Vec<usize>, // Where each line ends, its line break included.
}

/// How much of the lines was written, and the error that stopped it.
#[derive(Debug)]
pub(crate) struct Written {
    /// How many lines of the batch are whole now, those of earlier parts included.
    whole_lines: usize,
    pub(crate) n_bytes: u64,
    is_torn: Option<bool>, // Whether the last byte is not a line break; `None` if nothing was written.
    stopped_by: Option<io::Error>,
}

impl Lines {
    /// Removes the lines. If `torn`, the next line begins with a line break, because what was written
    /// before did not end with one.
    pub(crate) fn clear(&mut self, torn: bool) {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES);
        self.ends.clear();
        if torn {
            self.buffer.push(b'\n');
        }
    }

    /// Adds the line that `write` writes without its line break.
    pub(crate) fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
        self.buffer.push(b'\n');
        self.ends.push(self.buffer.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes the line `at` takes, with its line break.
    pub(crate) fn n_bytes(&self, at: usize) -> u64 {
        (self.ends[at] - self.start(at)) as u64
    }

    /// The lines from `first` on that take at most `room` bytes, but one at least.
    pub(crate) fn fitting(&self, first: usize, room: u64) -> Range<usize> {
        let start = self.start(first);
        let n = self.ends[first..].partition_point(|&end| (end - start) as u64 <= room);
        first..(first + n.max(1)).min(self.len())
    }

    /// Writes all lines: with one call of `write`, unless the system takes less at once.
    pub(crate) fn write_to(&self, to: &mut impl Write) -> Written {
        self.write_bytes(0..self.buffer.len(), to)
    }

    /// Writes these lines, as [`write_to`](Self::write_to) does.
    pub(crate) fn write_part(&self, lines: Range<usize>, to: &mut impl Write) -> Written {
        self.write_bytes(self.start(lines.start)..self.start(lines.end), to)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "what `write_all` wrote before an error is unknown"
    )]
    fn write_bytes(&self, bytes: Range<usize>, to: &mut impl Write) -> Written {
        let Range { start, end } = bytes;
        let mut done = start;
        let stopped_by = loop {
            if done == end {
                break to.flush().err();
            }
            match to.write(&self.buffer[done..end]) {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
        };
        // A line that lacks only its line break is whole: the next write begins with one.
        let whole_lines = self.ends.partition_point(|&end| end - 1 <= done);
        let is_torn = (done > start).then(|| self.buffer[done - 1] != b'\n');
        Written { whole_lines, n_bytes: (done - start) as u64, is_torn, stopped_by }
    }

    /// Where the line `at` begins; a line break that mends what was torn belongs to the first line.
    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// A larger buffer is freed after its batch. Arbitrary.
const KEPT_BYTES: usize = 1 << 20;

/// The result of an export: lines that are not whole are to be written again.
pub(crate) fn answer<T>(
    written: Written,
    batch: &Batch<T>,
    torn: &mut bool,
    place: &str,
) -> ExportResult<T> {
    let Written { whole_lines, is_torn, stopped_by, .. } = written;
    *torn = is_torn.unwrap_or(*torn);
    match stopped_by {
        None => Ok(()),
        Some(error) => Err(unsent(&error, batch, whole_lines, place)),
    }
}

/// The error of an export of which only the first `whole_lines` lines are written.
pub(crate) fn unsent<T>(
    error: &io::Error,
    batch: &Batch<T>,
    whole_lines: usize,
    place: &str,
) -> ExportError<Batch<T>> {
    let message = format_args!("{place}: {error}");
    let answer = match error.kind() {
        // Nothing reads it any more.
        io::ErrorKind::BrokenPipe => ExportError::reject(message),
        _ => ExportError::retry(message),
    };
    answer.unsent(batch.skip(whole_lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most `chunk` bytes a call, and fails once it has `room` bytes.
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
        chunk: usize,
        kind: io::ErrorKind,
    }

    impl Write for Disk {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            let n = buffer.len().min(self.chunk).min(self.room - self.bytes.len());
            self.bytes.extend_from_slice(&buffer[..n]);
            if n == 0 { Err(self.kind.into()) } else { Ok(n) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn export(
        disk: &mut Disk,
        batch: &Batch<&'static str>,
        torn: &mut bool,
    ) -> ExportResult<&'static str> {
        let mut lines = Lines::default();
        lines.clear(*torn);
        for text in batch {
            lines.line(|out| out.extend_from_slice(text.as_bytes()));
        }
        answer(lines.write_to(disk), batch, torn, "disk")
    }

    fn full(room: usize) -> Disk {
        Disk { bytes: Vec::new(), room, chunk: 3, kind: io::ErrorKind::StorageFull }
    }

    #[test]
    fn wherever_the_disk_fails_each_line_is_written_whole_once() {
        let batch = Batch::from(vec!["one", "two", "three"]);
        for room in 0..=14 {
            let (mut disk, mut torn) = (full(room), false);
            let mut unsent = batch.clone();
            let answer = export(&mut disk, &batch, &mut torn);
            assert_eq!(answer.is_ok(), room == 14, "{room}");
            if let Err(error) = answer {
                unsent = error.unsent.unwrap();
            } else {
                unsent = unsent.skip(3);
            }
            disk.room = usize::MAX;
            export(&mut disk, &unsent, &mut torn).unwrap();
            assert!(!torn);
            let text = String::from_utf8(disk.bytes).unwrap();
            for line in &batch {
                assert_eq!(text.lines().filter(|read| read == line).count(), 1, "{room}: {text:?}");
            }
            // A torn line stands alone.
            let torn_lines = text.lines().filter(|read| !batch.iter().any(|line| line == read));
            assert!(torn_lines.count() <= 1, "{room}: {text:?}");
        }
    }

    #[test]
    fn a_second_failure_does_not_forget_the_torn_line() {
        let batch = Batch::from(vec!["one"]);
        let (mut disk, mut torn) = (full(2), false);
        export(&mut disk, &batch, &mut torn).unwrap_err();
        assert!(torn);
        export(&mut disk, &batch, &mut torn).unwrap_err();
        assert!(torn);
        disk.room = 3; // For the line break alone.
        export(&mut disk, &batch, &mut torn).unwrap_err();
        disk.room = usize::MAX;
        export(&mut disk, &batch, &mut torn).unwrap();
        let text = String::from_utf8(disk.bytes).unwrap();
        assert_eq!(text.lines().filter(|line| *line == "one").count(), 1, "{text:?}");
    }

    #[test]
    fn a_closed_pipe_is_no_reason_to_try_again() {
        let batch = Batch::from(vec!["one"]);
        let (mut disk, mut torn) = (full(0), false);
        disk.kind = io::ErrorKind::BrokenPipe;
        let error = export(&mut disk, &batch, &mut torn).unwrap_err();
        assert!(format!("{error:?}").contains("Reject"), "{error:?}");
    }
}
