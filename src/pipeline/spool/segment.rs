//! Reads a segment: finds its frames, and after damage the next one that is whole.

use std::io;

use super::{
    disk::{self, DiskFile},
    format::{FRAME_HEADER, FrameHeader, Mark, SEGMENT_HEADER, STEP, SegmentHeader, VERSION},
};
use crate::pipeline::payload::Payload;

/// A segment that is open.
#[derive(Debug)]
pub(super) struct OpenSegment {
    file: Box<dyn DiskFile>,
    mark: Mark,
}

/// Whether a segment is one that this reader understands.
#[derive(Debug)]
pub(super) enum Opened {
    Ours(OpenSegment),
    /// Of another version, or of another form.
    Other,
}

/// What was found from some place on.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// A frame whose header is whole, and where it begins.
    pub(super) frame: Option<(u64, FrameHeader)>,
    /// The bytes before it, or before the end, that are none.
    pub(super) n_skipped: u64,
    /// Of these, the headers of frames that end beyond the segment, and their records.
    pub(super) cut_frames: u64,
    pub(super) cut_records: u64,
}

impl OpenSegment {
    /// Looks at the header. Where that is damaged, the frames are found by the mark that the segment's name
    /// has, and say themselves what they are.
    pub(super) fn of(file: Box<dyn DiskFile>, mark: Mark, format: &str) -> io::Result<Opened> {
        let mut bytes = [0; SEGMENT_HEADER];
        disk::read_fully(&*file, &mut bytes, 0)?;
        match SegmentHeader::decode(&bytes) {
            Some(header) if header.version != VERSION || *header.format != *format => {
                Ok(Opened::Other)
            }
            Some(header) => Ok(Opened::Ours(Self { file, mark: header.mark })),
            None => Ok(Opened::Ours(Self { file, mark })),
        }
    }

    /// Finds the next frame in `from..end`.
    pub(super) fn scan(&self, from: u64, end: u64) -> io::Result<Scanned> {
        let from = from.max(SEGMENT_HEADER as u64).next_multiple_of(STEP as u64);
        let mut scanned = Scanned::default();
        let mut at = from;
        let mut bytes = [0; FRAME_HEADER];
        while at.saturating_add(FRAME_HEADER as u64) <= end {
            let n = disk::read_fully(&*self.file, &mut bytes, at)?;
            if let Some(header) = FrameHeader::decode(&bytes[..n], self.mark, at) {
                if at + header.length() <= end {
                    scanned.n_skipped = at - from;
                    scanned.frame = Some((at, header));
                    return Ok(scanned);
                }
                scanned.cut_frames += 1;
                scanned.cut_records += u64::from(header.n_records);
            }
            at = self.next_mark(at + STEP as u64, end)?;
        }
        scanned.n_skipped = end.saturating_sub(from);
        Ok(scanned)
    }

    /// The next place that has the mark, or `end`.
    fn next_mark(&self, from: u64, end: u64) -> io::Result<u64> {
        let mut at = from;
        let mut bytes = vec![0; CHUNK];
        while at < end {
            let n = disk::read_fully(&*self.file, &mut bytes, at)?;
            let steps = bytes[..n].chunks(STEP);
            if let Some(step) = steps.enumerate().find(|(_, step)| step.starts_with(&self.mark)) {
                return Ok((at + (step.0 * STEP) as u64).min(end));
            }
            if n < CHUNK {
                return Ok(end);
            }
            at += n as u64;
        }
        Ok(end)
    }

    /// The payload of a frame; `None` if its content is damaged, or of another version or form.
    pub(super) fn payload(
        &self,
        at: u64,
        header: &FrameHeader,
        format: &str,
    ) -> io::Result<Option<Payload>> {
        let begin = at + FRAME_HEADER as u64;
        let mut prefix = vec![0; header.n_prefix() as usize];
        let mut bytes = vec![0; header.n_bytes()];
        let n_prefix = disk::read_fully(&*self.file, &mut prefix, begin)?;
        let n_bytes = disk::read_fully(&*self.file, &mut bytes, begin + header.n_prefix())?;
        if (n_prefix, n_bytes) != (prefix.len(), bytes.len()) {
            return Ok(None);
        }
        Ok(header.payload(&prefix, bytes, format))
    }

    /// How many records are in `from..end`, by the headers of the frames.
    pub(super) fn count(&self, from: u64, end: u64) -> io::Result<u64> {
        let (mut at, mut n_records) = (from, 0);
        while let Some((begin, header)) = self.scan(at, end)?.frame {
            n_records += u64::from(header.n_records);
            at = begin + header.length();
        }
        Ok(n_records)
    }
}

/// How much is read at once in search of a mark. A multiple of `STEP`; otherwise arbitrary.
const CHUNK: usize = 64 << 10;
