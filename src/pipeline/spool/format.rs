//! The bytes of a segment: its header, and its frames. Pure: nothing here reads or writes a file.
//!
//! The module page of the spool draws both.

use crate::pipeline::payload::Payload;

/// The version of the format that is written, and the only one that is read.
pub(super) const VERSION: u16 = 1;

/// Where the first frame of a segment begins.
pub(super) const SEGMENT_HEADER: usize = 128;

/// Frames begin at multiples of this.
pub(super) const STEP: usize = 32;

/// The length of a frame's header.
pub(super) const FRAME_HEADER: usize = 40;

/// The longest frame, which bounds what a reader allocates.
pub(super) const MAX_FRAME: u64 = 64 << 20;

/// The longest name of a form.
pub(super) const MAX_FORMAT: usize = SEGMENT_HEADER - FORMAT_AT;

const MAGIC: [u8; 8] = *b"BWSPOOL\n";
const FORMAT_AT: usize = 32;

/// What each frame of one segment begins with: at random, so that no content of a record can be taken for
/// a frame.
pub(super) type Mark = [u8; 8];

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) version: u16,
    pub(super) mark: Mark,
    pub(super) format: Box<str>, // At most `MAX_FORMAT` bytes.
}

impl SegmentHeader {
    /// Appends the header.
    pub(super) fn encode(mark: Mark, format: &str, out: &mut Vec<u8>) {
        let mut bytes = [0; SEGMENT_HEADER];
        let format = &format.as_bytes()[..format.len().min(MAX_FORMAT)];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&(format.len() as u16).to_le_bytes());
        bytes[16..24].copy_from_slice(&mark);
        bytes[FORMAT_AT..FORMAT_AT + format.len()].copy_from_slice(format);
        let sum = header_sum(&bytes, 12);
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&bytes);
    }

    /// Reads a header of any version; `None` if it is damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SEGMENT_HEADER] = bytes.try_into().ok()?;
        if bytes[..8] != MAGIC || u32_at(bytes, 12) != header_sum(bytes, 12) {
            return None;
        }
        let n_format = usize::from(u16_at(bytes, 10));
        let format = bytes.get(FORMAT_AT..FORMAT_AT + n_format)?;
        Some(Self {
            version: u16_at(bytes, 8),
            mark: bytes[16..24].try_into().ok()?,
            format: std::str::from_utf8(format).ok()?.into(),
        })
    }
}

/// What stands before the content of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) version: u16,
    n_format: u16,
    n_head: u32,
    pub(super) n_records: u32,
    n_bytes: u32,
    sum: u32, // Of the content.
}

impl FrameHeader {
    /// Reads the header of a frame that is `offset` bytes from the begin of its segment; `None` if there is
    /// none.
    pub(super) fn decode(bytes: &[u8], mark: Mark, offset: u64) -> Option<Self> {
        let bytes: &[u8; FRAME_HEADER] = bytes.try_into().ok()?;
        if bytes[..8] != mark || u32_at(bytes, 8) != header_sum(bytes, 8) {
            return None;
        }
        let here = u64::from_le_bytes(bytes[16..24].try_into().ok()?);
        let header = Self {
            sum: u32_at(bytes, 12),
            version: u16_at(bytes, 24),
            n_format: u16_at(bytes, 26),
            n_head: u32_at(bytes, 28),
            n_records: u32_at(bytes, 32),
            n_bytes: u32_at(bytes, 36),
        };
        (here == offset && header.length() <= MAX_FRAME).then_some(header)
    }

    /// The length of the whole frame, with what fills it up.
    pub(super) fn length(&self) -> u64 {
        padded(FRAME_HEADER as u64 + self.n_prefix() + u64::from(self.n_bytes))
    }

    /// How many bytes of the content come before those of the records.
    pub(super) fn n_prefix(&self) -> u64 {
        u64::from(self.n_format) + u64::from(self.n_head) + 4 * u64::from(self.n_records)
    }

    /// How many bytes the records have.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes as usize
    }

    /// The payload of the two parts of a content; `None` if they are damaged, or of another form.
    pub(super) fn payload(&self, prefix: &[u8], bytes: Vec<u8>, format: &str) -> Option<Payload> {
        if content_sum(&[prefix, &bytes]) != self.sum || self.version != VERSION {
            return None;
        }
        let (own, rest) = prefix.split_at_checked(self.n_format.into())?;
        let (head, ends) = rest.split_at_checked(self.n_head as usize)?;
        if own != format.as_bytes() {
            return None;
        }
        let ends = ends.chunks_exact(4).map(|end| u32_at(end, 0) as usize).collect();
        Payload::of_parts(head, bytes, ends)
    }
}

/// How long the frame of a payload is; `None` if it would be longer than [`MAX_FRAME`].
pub(super) fn frame_length(payload: &Payload, format: &str) -> Option<u64> {
    let n = format.len() + payload.head().len() + 4 * payload.len() + payload.bytes().len();
    let length = padded((FRAME_HEADER + n) as u64);
    (length <= MAX_FRAME).then_some(length)
}

/// Appends the frame of a payload, `offset` bytes from the begin of its segment. Its
/// [length](frame_length) is known to be legal.
pub(super) fn encode_frame(
    payload: &Payload,
    format: &str,
    mark: Mark,
    offset: u64,
    out: &mut Vec<u8>,
) {
    let begin = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER]);
    out.extend_from_slice(format.as_bytes());
    out.extend_from_slice(payload.head());
    let mut end = 0;
    for record in payload.records() {
        end += record.len();
        out.extend_from_slice(&(end as u32).to_le_bytes());
    }
    out.extend_from_slice(payload.bytes());
    let sum = content_sum(&[&out[begin + FRAME_HEADER..]]);
    let header = &mut out[begin..begin + FRAME_HEADER];
    header[..8].copy_from_slice(&mark);
    header[12..16].copy_from_slice(&sum.to_le_bytes());
    header[16..24].copy_from_slice(&offset.to_le_bytes());
    header[24..26].copy_from_slice(&VERSION.to_le_bytes());
    header[26..28].copy_from_slice(&(format.len() as u16).to_le_bytes());
    header[28..32].copy_from_slice(&(payload.head().len() as u32).to_le_bytes());
    header[32..36].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[36..40].copy_from_slice(&(payload.bytes().len() as u32).to_le_bytes());
    let sum = header_sum(header, 8);
    header[8..12].copy_from_slice(&sum.to_le_bytes());
    out.resize(begin + padded((out.len() - begin) as u64) as usize, 0);
}

fn padded(n: u64) -> u64 {
    n.next_multiple_of(STEP as u64)
}

/// The checksum of a header, without the four bytes at `place`, where it stands itself.
pub(super) fn header_sum(bytes: &[u8], place: usize) -> u32 {
    content_sum(&[&bytes[..place], &bytes[place + 4..]])
}

fn content_sum(parts: &[&[u8]]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    parts.iter().for_each(|part| sum.update(part));
    sum.finalize()
}

fn u16_at(bytes: &[u8], place: usize) -> u16 {
    u16::from_le_bytes([bytes[place], bytes[place + 1]])
}

pub(super) fn u32_at(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes([bytes[place], bytes[place + 1], bytes[place + 2], bytes[place + 3]])
}
