//! The wire format of protobuf: fields that are a number, a text or a message.

use super::buffer::Buffer;
use crate::export::wire::number::Room;

/// Writes what `write` appends as a message. Its length is known only then, and is inserted before it.
pub(super) fn message(to: &mut Buffer, field: u8, write: impl FnOnce(&mut Buffer)) {
    number(to, u64::from(field) << 3 | Wire::Length as u64);
    let start = to.len();
    write(to);
    delimit(to, start);
}

/// Inserts the length of what was written from `start` on before it.
pub(super) fn delimit(to: &mut Buffer, start: usize) {
    let mut room = Room::default();
    let len = put_varint(&mut room, (to.len() - start) as u64);
    to.insert(start, &room[..len]);
}

pub(super) fn text(to: &mut Buffer, field: u8, text: &[u8]) {
    to.push_byte(tag(field, Wire::Length));
    number(to, text.len() as u64);
    to.push(text);
}

/// A `LabelPair`, as a field of a `Metric` or an `Exemplar`.
pub(super) fn label(to: &mut Buffer, key: &str, value: &[u8]) {
    message(to, 1, |pair| {
        text(pair, 1, key.as_bytes());
        text(pair, 2, value);
    });
}

pub(super) fn double(to: &mut Buffer, field: u8, value: f64) {
    to.push_byte(tag(field, Wire::Fixed64));
    to.push(&value.to_le_bytes());
}

pub(super) fn count(to: &mut Buffer, field: u8, value: u64) {
    to.push_byte(tag(field, Wire::Varint));
    number(to, value);
}

pub(super) fn zigzag(to: &mut Buffer, field: u8, value: i64) {
    count(to, field, (value << 1 ^ value >> 63).cast_unsigned());
}

fn number(to: &mut Buffer, value: u64) {
    to.number(put_varint, value);
}

/// How a field is written.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
}

/// The byte before a field whose number is below 16.
const fn tag(field: u8, wire: Wire) -> u8 {
    field << 3 | wire as u8
}

/// Writes seven bits in each byte, the lowest first; returns the length.
fn put_varint(room: &mut Room, value: u64) -> usize {
    let (mut rest, mut len) = (value, 0);
    while rest >= 0x80 {
        room[len] = rest as u8 | 0x80;
        rest >>= 7;
        len += 1;
    }
    room[len] = rest as u8;
    len + 1
}
