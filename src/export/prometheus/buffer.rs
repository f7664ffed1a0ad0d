//! Bytes that are written front to back, in room that is kept from page to page.
//!
//! The room is initialised bytes beyond the end, so that texts are copied in pieces of a fixed size,
//! and numbers written in place, without a call for each: what a piece writes too much, the next one
//! overwrites.

use super::number::{ROOM, Room};

/// Bytes written front to back: a page, or a text that stands on it again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer {
    room: Vec<u8>, // Invariant: longer than `len` by `SLACK` wherever anything was written.
    len: usize,
}

/// How many bytes are copied at once.
const PIECE: usize = 32;
/// What may be written beyond the end: a piece too much, and a number.
const SLACK: usize = PIECE + ROOM;

impl Buffer {
    /// Begins anew.
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

    /// Forgets what was written after the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.room[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Puts `bytes` before what was written from `place` on.
    pub(super) fn insert(&mut self, place: usize, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.room.copy_within(place..self.len, place + bytes.len());
        self.room[place..place + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends what `text` holds.
    #[inline(always)]
    pub(super) fn copy(&mut self, text: &Self) {
        let len = text.len;
        if len == 0 {
            return; // It may have no room yet.
        }
        self.reserve(len);
        let from = &text.room[..len + PIECE];
        let to = &mut self.room[self.len..self.len + len + PIECE];
        let mut done = 0;
        while done < len {
            to[done..done + PIECE].copy_from_slice(&from[done..done + PIECE]);
            done += PIECE;
        }
        self.len += len;
    }

    /// Appends `bytes`, and whether none of them `is_special`.
    #[inline(always)]
    pub(super) fn push_unless(&mut self, bytes: &[u8], is_special: impl Fn(u8) -> bool) -> bool {
        self.reserve(bytes.len());
        let to = &mut self.room[self.len..self.len + bytes.len()];
        let mut any = false;
        for (to, &byte) in to.iter_mut().zip(bytes) {
            *to = byte;
            any |= is_special(byte);
        }
        self.len += if any { 0 } else { bytes.len() };
        !any
    }

    /// Appends the number that `put` writes, with whatever it writes behind.
    #[inline(always)]
    pub(super) fn number<T>(&mut self, put: impl Fn(&mut Room, T) -> usize, value: T) {
        self.reserve(0);
        if let Some(room) = self.room[self.len..].first_chunk_mut() {
            self.len += put(room, value);
        }
    }

    /// Makes room for `more` bytes and the slack.
    #[inline(always)]
    fn reserve(&mut self, more: usize) {
        if self.room.len() < self.len + more + SLACK {
            self.grow(more);
        }
    }

    /// By an eighth, so that a page that is kept wastes little; large blocks grow in place.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        let len = (self.room.len() / 8 + self.room.len()).max(self.len + more + SLACK);
        self.room.reserve_exact(len - self.room.len());
        self.room.resize(len, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::prometheus::number::put_u64;

    #[test]
    fn texts_and_numbers_stand_one_after_the_other() {
        let bytes: Vec<u8> = (0..200).map(|place| b'a' + place % 26).collect();
        for len in 0..bytes.len() {
            let (mut buffer, mut text) = (Buffer::default(), Buffer::default());
            text.push(&bytes[..len]);
            buffer.push(b"x");
            buffer.copy(&text);
            buffer.number(put_u64, 1234);
            assert!(buffer.push_unless(b"y", |byte| byte == b'z'));
            assert!(!buffer.push_unless(b"az", |byte| byte == b'z'));
            buffer.insert(1, b"-");
            let expected = [b"x-", &bytes[..len], b"1234y"].concat();
            assert_eq!(buffer.as_slice(), expected);
            buffer.truncate(1);
            assert_eq!(buffer.as_slice(), b"x");
        }
    }
}
