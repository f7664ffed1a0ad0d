//! The bytes of a page under way, in room that is kept from page to page.
//!
//! The room is initialised bytes beyond the end, so that texts are copied in pieces of a fixed size,
//! and numbers written in place, without a call for each: what a piece writes too much, the next one
//! overwrites.
//!
//! The room also still holds the page before, so that what would be written again where it stands is
//! passed over. That is told by [`holds`](Buffer::holds), for which the buffer keeps account of what was
//! overwritten beyond the end.

use super::number::{ROOM, Room};

/// Bytes written front to back.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    room: Vec<u8>, // Invariant: longer than `len` by `SLACK` wherever something was reserved.
    len: usize,
    /// Before here, and beyond the end, something was written since the page was begun.
    touched: usize,
}

/// How many bytes are copied at once; an arena ends in as many that nobody reads.
pub(super) const PIECE: usize = 32;
/// What may be written beyond the end: a piece too much, and a number.
const SLACK: usize = PIECE + ROOM;

impl Buffer {
    /// Begins a page.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.touched = 0;
    }

    /// Has everything written anew until the next page is begun.
    pub(super) fn forget(&mut self) {
        self.touched = usize::MAX;
    }

    /// Whether what the last page had from `place` on is what would be written next, and still there.
    #[inline(always)]
    pub(super) fn holds(&self, place: usize) -> bool {
        place == self.len && place >= self.touched
    }

    /// Passes over `len` bytes that the buffer [`holds`](Self::holds).
    #[inline(always)]
    pub(super) fn pass(&mut self, len: usize) {
        self.len += len;
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.room[..self.len]
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Forgets what was written after the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.touched = self.touched.max(self.len + PIECE);
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
        self.touched = self.touched.max(self.len + bytes.len());
        self.room.copy_within(place..self.len, place + bytes.len());
        self.room[place..place + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends `len` bytes of `arena` from `start` on; the arena has [`PIECE`] bytes beyond them.
    #[inline(always)]
    pub(super) fn copy(&mut self, arena: &[u8], start: usize, len: usize) {
        self.reserve(len);
        let from = &arena[start..start + len + PIECE];
        let to = &mut self.room[self.len..self.len + len + PIECE];
        let mut done = 0;
        while done < len {
            to[done..done + PIECE].copy_from_slice(&from[done..done + PIECE]);
            done += PIECE;
        }
        self.touched = self.touched.max(self.len + done);
        self.len += len;
    }

    /// Appends what [`copy`](Self::copy) does, the number that `put` writes and the end of the line;
    /// gives the length of the latter two.
    ///
    /// One load and one store of the length, on which the next line has to wait.
    #[inline(always)]
    pub(super) fn line<T>(
        &mut self,
        (arena, start, len): (&[u8], usize, usize),
        put: impl Fn(&mut Room, T) -> usize,
        value: T,
    ) -> usize {
        self.reserve(len);
        let from = &arena[start..start + len + PIECE];
        let to = &mut self.room[self.len..self.len + len + SLACK];
        let mut done = 0;
        while done < len {
            to[done..done + PIECE].copy_from_slice(&from[done..done + PIECE]);
            done += PIECE;
        }
        let Some(room) = to[len..].first_chunk_mut::<ROOM>() else { return 0 };
        let number_len = put(room, value);
        room[number_len] = b'\n';
        self.touched = self.touched.max(self.len + len + SLACK);
        self.len += len + number_len + 1;
        number_len + 1
    }

    /// Appends the number that `put` writes, with whatever it writes behind.
    #[inline(always)]
    pub(super) fn number<T>(&mut self, put: impl Fn(&mut Room, T) -> usize, value: T) {
        self.reserve(0);
        self.touched = self.touched.max(self.len + ROOM);
        if let Some(room) = self.room[self.len..].first_chunk_mut() {
            self.len += put(room, value);
        }
    }

    /// Appends the number that `put` writes, and leaves what stands behind it as it was.
    #[inline(always)]
    pub(super) fn number_alone<T>(&mut self, put: impl Fn(&mut Room, T) -> usize, value: T) {
        let mut room = Room::default();
        let len = put(&mut room, value);
        self.push(&room[..len]);
    }

    /// Makes room for `more` bytes and the slack.
    #[inline(always)]
    fn reserve(&mut self, more: usize) {
        if self.room.len() < self.len + more + SLACK {
            self.grow(more);
        }
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        self.room.resize((self.room.len() * 2).max(self.len + more + SLACK), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::prometheus::number::put_u64;

    #[test]
    fn pieces_and_numbers_stand_one_after_the_other() {
        let text: Vec<u8> = (0..200).map(|place| b'a' + place % 26).collect();
        let arena: Vec<u8> = text.iter().copied().chain([0; PIECE]).collect();
        for len in 0..text.len() {
            let (mut buffer, start) = (Buffer::default(), (text.len() - len) / 2);
            buffer.push(b"x");
            buffer.copy(&arena, start, len);
            buffer.number(put_u64, 1234);
            assert_eq!(buffer.line((&arena, start, len), put_u64, 56), 3);
            buffer.push(b"y");
            let text = &text[start..start + len];
            let expected = [b"x", text, b"1234", text, b"56\ny"].concat();
            assert_eq!(buffer.as_slice(), expected);
            buffer.truncate(1);
            assert_eq!(buffer.as_slice(), b"x");
        }
    }

    #[test]
    fn the_page_before_is_held_until_something_is_written_over_it() {
        let arena = [b'a'; 3 * PIECE];
        let mut buffer = Buffer::default();
        buffer.copy(&arena, 0, 2 * PIECE);
        buffer.push(b"end");
        buffer.clear();
        assert!(buffer.holds(0) && !buffer.holds(1));
        buffer.pass(2 * PIECE);
        assert!(buffer.holds(2 * PIECE));
        buffer.pass(3);
        assert_eq!(buffer.as_slice(), [&arena[..2 * PIECE], b"end"].concat());

        buffer.clear();
        buffer.copy(&arena, 0, 1);
        assert!(!buffer.holds(1), "the rest of the piece was written too");
        buffer.pass(PIECE - 1);
        assert!(buffer.holds(PIECE));
        buffer.truncate(PIECE - 1);
        buffer.pass(1);
        assert!(!buffer.holds(PIECE));
        buffer.clear();
        buffer.forget();
        assert!(!buffer.holds(0));
    }
}
