//! Bytes that are written front to back, in memory that is kept from page to page.
//!
//! The memory beyond the end is initialised. So texts are copied in pieces of a fixed size, and numbers
//! are written in place, without a call for each. If a piece is longer than its text, the next one
//! overwrites the excess.

use crate::export::wire::number::{ROOM, Room, put_u64};
use crate::exposition::WindowLength;

/// Bytes written front to back: a page, or a text that occurs on it repeatedly.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer {
    room: Vec<u8>, // Invariant: longer than `len` by `SLACK` wherever anything was written.
    len: usize,
}

/// How many bytes are copied at once.
const PIECE: usize = 32;
/// How much may be written beyond the end: one excess piece, and a number.
const SLACK: usize = PIECE + ROOM; // More than a word.

impl Buffer {
    /// Removes everything that was written.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.room[..self.len]
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes everything after the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.room[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Inserts `bytes` at `place`, before what was written from there on.
    pub(super) fn insert(&mut self, place: usize, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.room.copy_within(place..self.len, place + bytes.len());
        self.room[place..place + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends the bytes of `text`.
    #[inline(always)]
    pub(super) fn copy(&mut self, text: &Self) {
        self.reserve(text.len);
        copy_pieces(&mut self.room[self.len..], text);
        self.len += text.len;
    }

    /// Appends texts, the number that `put` writes and the end of the line.
    ///
    /// The length is loaded and stored only once, because the next line has to wait for it.
    #[inline(always)]
    pub(super) fn line<T, const N: usize>(
        &mut self,
        texts: [&Self; N],
        put: impl Fn(&mut Room, T) -> usize,
        value: T,
    ) {
        let len = texts.iter().map(|text| text.len).sum::<usize>();
        self.reserve(len);
        let to = &mut self.room[self.len..self.len + len + SLACK];
        let mut start = 0;
        for text in texts {
            copy_pieces(&mut to[start..], text);
            start += text.len;
        }
        if let Some(room) = to[len..].first_chunk_mut::<ROOM>() {
            let number_len = put(room, value);
            room[number_len] = b'\n';
            self.len += len + number_len + 1;
        }
    }

    #[inline(always)]
    pub(super) fn push_byte(&mut self, byte: u8) {
        self.reserve(1);
        self.room[self.len] = byte;
        self.len += 1;
    }

    /// Appends `text`, then `bytes` and a quote, unless one of the bytes is `special`; returns whether
    /// it did.
    ///
    /// It checks eight bytes at a time, in a word: most texts are short, and a call for each would take
    /// longer.
    #[inline(always)]
    pub(super) fn quoted_unless(&mut self, text: &Self, bytes: &[u8], special: [u8; 3]) -> bool {
        let len = text.len + bytes.len();
        self.reserve(len);
        let to = &mut self.room[self.len..self.len + len + SLACK];
        copy_pieces(to, text);
        let to = &mut to[text.len..];
        let (words, rest) = bytes.as_chunks::<WORD>();
        let mut is_special = 0;
        let mut places = to.chunks_exact_mut(WORD);
        let last = last_word(rest);
        for (word, to) in words.iter().chain([&last]).zip(&mut places) {
            to.copy_from_slice(word);
            is_special |= holds_any(u64::from_le_bytes(*word), special);
        }
        to[bytes.len()] = b'"';
        let is_plain = is_special == 0;
        self.len += if is_plain { len + 1 } else { 0 };
        is_plain
    }

    /// Appends the number that `put` writes, with what `put` writes after it.
    #[inline(always)]
    pub(super) fn number<T>(&mut self, put: impl Fn(&mut Room, T) -> usize, value: T) {
        self.reserve(0);
        if let Some(room) = self.room[self.len..].first_chunk_mut() {
            self.len += put(room, value);
        }
    }

    /// Appends the length of a window: `10s`, `1m`.
    pub(super) fn window(&mut self, length: WindowLength) {
        self.number(put_u64, length.number);
        self.push(length.unit.as_bytes());
    }

    /// Makes room for `more` bytes and the slack.
    #[inline(always)]
    fn reserve(&mut self, more: usize) {
        if self.room.len() < self.len + more + SLACK {
            self.grow(more);
        }
    }

    /// Grows by an eighth, so that a page that is kept wastes little; large blocks grow in place.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        let len = (self.room.len() / 8 + self.room.len()).max(self.len + more + SLACK);
        self.room.reserve_exact(len - self.room.len());
        self.room.resize(len, 0);
    }
}

/// Copies `text` to the start of `to`, which has room for an excess piece.
#[inline(always)]
fn copy_pieces(to: &mut [u8], text: &Buffer) {
    let mut done = 0;
    while done < text.len {
        // A text that is not empty has slack.
        to[done..done + PIECE].copy_from_slice(&text.room[done..done + PIECE]);
        done += PIECE;
    }
}

const WORD: usize = 8;

/// Fewer than eight bytes as the first bytes of a word, followed by zeros; read by loads that overlap.
#[inline(always)]
fn last_word(bytes: &[u8]) -> [u8; WORD] {
    let len = bytes.len();
    let word = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
        (Some(first), Some(last), _) => {
            let last = u64::from(u32::from_le_bytes(*last));
            u64::from(u32::from_le_bytes(*first)) | last << (8 * (len - 4))
        }
        (.., [first, .., last]) => {
            let middle = u64::from(bytes[len / 2]) << (8 * (len / 2));
            u64::from(*first) | middle | u64::from(*last) << (8 * (len - 1))
        }
        (.., [only]) => u64::from(*only),
        _ => 0,
    };
    word.to_le_bytes()
}

/// Not zero if one of the bytes of `word` is among `special`.
#[inline(always)]
fn holds_any(word: u64, special: [u8; 3]) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; WORD]);
    const HIGH: u64 = ONES << 7;
    // Borrowing sets the highest bit of a zero byte. Of other bytes it can set only some above a zero
    // byte.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    special.into_iter().fold(0, |any, byte| any | zeros(word ^ (ONES * u64::from(byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers_stand_one_after_the_other() {
        let bytes: Vec<u8> = (0..200).map(|place| b'a' + place % 26).collect();
        for len in 0..bytes.len() {
            let (mut buffer, mut text) = (Buffer::default(), Buffer::default());
            text.push(&bytes[..len]);
            buffer.push(b"x");
            buffer.copy(&text);
            buffer.number(put_u64, 1234);
            buffer.push_byte(b'y');
            buffer.insert(1, b"-");
            let expected = [b"x-", &bytes[..len], b"1234y"].concat();
            assert_eq!(buffer.as_slice(), expected);
            buffer.truncate(3);
            buffer.line([&text, &buffer.clone()], put_u64, 5);
            let expected = [b"x-", &expected[2..3], &bytes[..len], b"x-", &expected[2..3], b"5\n"];
            assert_eq!(buffer.as_slice(), expected.concat());
            buffer.truncate(1);
            assert_eq!(buffer.as_slice(), b"x");
        }
    }

    #[test]
    fn bytes_are_quoted_unless_one_is_special_wherever_it_stands() {
        let special = [b'\\', b'\n', b'"'];
        let plain: Vec<u8> = (0..=255).filter(|byte| !special.contains(byte)).collect();
        let mut text = Buffer::default();
        text.push(b"key=\"");
        for len in 0..plain.len() {
            let mut bytes = plain[plain.len() - len..].to_vec();
            let mut buffer = Buffer::default();
            assert!(buffer.quoted_unless(&text, &bytes, special), "{len}");
            assert_eq!(buffer.as_slice(), [b"key=\"", &bytes[..], b"\""].concat());
            for (place, byte) in (0..len).zip(special.into_iter().cycle()) {
                let before = std::mem::replace(&mut bytes[place], byte);
                assert!(!buffer.quoted_unless(&text, &bytes, special), "{len} {place}");
                assert_eq!(buffer.len(), len + 6);
                bytes[place] = before;
            }
        }
    }
}
