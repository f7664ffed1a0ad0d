//! The wire format of protobuf: writes fields straight into a buffer, and reads those of an answer.
//!
//! The length of a message stands before it and is known only after it. Its place is kept free meanwhile,
//! so that nothing is measured first, and what was written moves only where the guess was wrong.

/// A message under construction.
#[derive(Debug)]
pub(crate) struct Protobuf<'a>(pub(crate) &'a mut Vec<u8>);

/// How a field is written.
#[derive(Clone, Copy, Debug)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Fixed32 = 5,
}

/// How many bytes are kept free for the length of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Guess {
    /// One, for less than 128 bytes.
    Short = 1,
    /// Two, for less than 16 KiB.
    Long = 2,
}

impl Protobuf<'_> {
    #[inline]
    pub(crate) fn varint(&mut self, field: u8, value: u64) {
        self.tag(field, Wire::Varint);
        self.number(value);
    }

    /// A number of few bits whichever its sign is: `sint32`, `sint64`.
    pub(crate) fn zigzag(&mut self, field: u8, value: i64) {
        self.varint(field, (value << 1 ^ value >> 63).cast_unsigned());
    }

    #[inline]
    pub(crate) fn fixed64(&mut self, field: u8, value: u64) {
        let mut bytes = [0; 9];
        bytes[1..].copy_from_slice(&value.to_le_bytes());
        self.tagged(field, Wire::Fixed64, bytes);
    }

    #[inline]
    pub(crate) fn fixed32(&mut self, field: u8, value: u32) {
        let mut bytes = [0; 5];
        bytes[1..].copy_from_slice(&value.to_le_bytes());
        self.tagged(field, Wire::Fixed32, bytes);
    }

    pub(crate) fn double(&mut self, field: u8, value: f64) {
        self.fixed64(field, value.to_bits());
    }

    #[inline]
    pub(crate) fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.tag(field, Wire::Length);
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Bytes of a length that is known when the program is built, at most 127: an id.
    #[inline]
    pub(crate) fn id<const N: usize>(&mut self, field: u8, id: [u8; N]) {
        const { assert!(N < 0x80) };
        self.tag(field, Wire::Length);
        self.0.push(N as u8);
        self.0.extend_from_slice(&id);
    }

    /// A message: the fields that `write` adds.
    #[inline]
    pub(crate) fn message(&mut self, field: u8, guess: Guess, write: impl FnOnce(&mut Self)) {
        self.tag(field, Wire::Length);
        let free = guess as usize;
        self.0.extend_from_slice(&[0; 2][..free]);
        let start = self.0.len();
        write(self);
        let len = self.0.len() - start;
        if len < 0x80 && free == 1 {
            self.0[start - 1] = len as u8;
        } else if free == 2 && (0x80..0x4000).contains(&len) {
            self.0[start - 2] = len as u8 | 0x80;
            self.0[start - 1] = (len >> 7) as u8;
        } else {
            self.move_behind_length(start, free);
        }
    }

    /// Numbers without a tag for each: a packed field. `write` appends them.
    pub(crate) fn packed(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        self.message(field, Guess::Long, write);
    }

    /// Seven bits in each byte, the lowest first.
    #[inline]
    pub(crate) fn number(&mut self, value: u64) {
        if value < 0x80 {
            self.0.push(value as u8);
        } else {
            self.long_number(value);
        }
    }

    fn long_number(&mut self, value: u64) {
        let (bytes, len) = varint_of(value);
        self.0.extend_from_slice(&bytes[..len]);
    }

    #[cold]
    #[inline(never)]
    fn move_behind_length(&mut self, start: usize, free: usize) {
        let (bytes, len) = varint_of((self.0.len() - start) as u64);
        self.0.splice(start - free..start, bytes[..len].iter().copied());
    }

    #[inline(always)]
    fn tag(&mut self, field: u8, wire: Wire) {
        if field < 16 {
            self.0.push(field << 3 | wire as u8);
        } else {
            self.0.extend_from_slice(&[field << 3 | wire as u8 | 0x80, field >> 4]);
        }
    }

    #[inline(always)]
    fn tagged<const N: usize>(&mut self, field: u8, wire: Wire, mut bytes: [u8; N]) {
        if field < 16 {
            bytes[0] = field << 3 | wire as u8;
            self.0.extend_from_slice(&bytes);
        } else {
            self.tag(field, wire);
            self.0.extend_from_slice(&bytes[1..]);
        }
    }
}

/// A number in seven bits for each byte, and how many bytes it takes.
fn varint_of(value: u64) -> ([u8; 10], usize) {
    let (mut bytes, mut rest, mut len) = ([0; 10], value, 0);
    while rest >= 0x80 {
        bytes[len] = rest as u8 | 0x80;
        rest >>= 7;
        len += 1;
    }
    bytes[len] = rest as u8;
    (bytes, len + 1)
}

/// How many bytes the length of so many bytes takes.
pub(crate) fn length_of_length(len: usize) -> usize {
    (64 - (len as u64 | 1).leading_zeros() as usize).div_ceil(7)
}

/// A field of a message that somebody else wrote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Read<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// 32 or 64 bits: of no use to anybody here.
    Fixed,
}

/// The fields of a message, with their numbers, up to the first one that is malformed.
pub(crate) fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Read<'_>)> {
    std::iter::from_fn(move || read_field(&mut message))
}

fn read_field<'a>(message: &mut &'a [u8]) -> Option<(u64, Read<'a>)> {
    let tag = read_number(message)?;
    let read = match tag & 7 {
        0 => Read::Number(read_number(message)?),
        1 => split(message, 8).map(|_| Read::Fixed)?,
        2 => {
            let len = usize::try_from(read_number(message)?).ok()?;
            Read::Bytes(split(message, len)?)
        }
        5 => split(message, 4).map(|_| Read::Fixed)?,
        _ => return None,
    };
    Some((tag >> 3, read))
}

/// Takes a number off the front of `bytes`.
pub(crate) fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (place, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            *bytes = &bytes[place + 1..];
            return Some(value);
        }
    }
    None
}

/// Takes `len` bytes off the front of `bytes`.
pub(crate) fn split<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            number in any::<u64>(), text in proptest::collection::vec(any::<u8>(), 0..300),
            field in 1u8..40, long in any::<bool>(),
        ) {
            let mut out = vec![7];
            let guess = if long { Guess::Long } else { Guess::Short };
            Protobuf(&mut out).message(field, guess, |message| {
                message.varint(field, number);
                message.bytes(field, &text);
                message.fixed64(field, number);
                message.fixed32(field, 1);
                message.id(field, [3; 8]);
            });
            let read: Vec<_> = fields(&out[1..]).collect();
            let [(number_of_message, Read::Bytes(message))] = read[..] else { panic!("{read:?}") };
            let field = u64::from(field);
            prop_assert_eq!(number_of_message, field);
            prop_assert_eq!(fields(message).collect::<Vec<_>>(), [
                (field, Read::Number(number)), (field, Read::Bytes(&text)), (field, Read::Fixed),
                (field, Read::Fixed), (field, Read::Bytes(&[3; 8])),
            ]);
            // The shortest form, whatever was guessed.
            let inner = message.len();
            let tag = if field < 16 { 1 } else { 2 };
            prop_assert_eq!(out.len(), 1 + tag + length_of_length(inner) + inner);
        }

        #[test]
        fn bytes_that_are_no_message_end_the_fields(garbage in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(fields(&garbage).count() <= garbage.len());
        }
    }

    #[test]
    fn a_message_of_any_length_has_its_length_before_it() {
        for len in [0, 1, 127, 128, 129, 16_383, 16_384, 16_385, 2_097_152] {
            for guess in [Guess::Short, Guess::Long] {
                let mut out = Vec::new();
                Protobuf(&mut out).message(1, guess, |to| to.0.resize(to.0.len() + len, 9));
                let mut rest = &out[1..];
                assert_eq!(read_number(&mut rest), Some(len as u64));
                assert_eq!((rest.len(), rest.iter().all(|&byte| byte == 9)), (len, true));
            }
        }
    }
}
