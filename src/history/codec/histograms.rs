//! Histograms: the sum, and the cells whose counts changed.
//!
//! ```text
//!  00 | 01 varint        the next instant, or after instants that hold
//!  sum                   as in `floats`
//!  varint                how many cells changed; for each:
//!    varint                cells skipped since the one before
//!    varint                zigzag of the step of a whole count, or
//!    bits                  as in `floats`, of a count that need not be whole
//! ```
//!
//! Cells are numbered by the chunk's [`Layout`](crate::history::sample::Layout); a missing cell is
//! zero.

use super::{Bytes, Gap, floats, put_varint, unzigzag, zigzag};
use crate::history::sample::Cells;

/// Writes a sample after `last`; `are_whole` says whether its counts are whole numbers.
pub(in crate::history) fn put(
    to: &mut Vec<u8>,
    gap: Gap,
    last: &Cells,
    value: &Cells,
    are_whole: bool,
) {
    match gap {
        Gap::Held(n) if n > 0 => {
            to.push(1);
            put_varint(to, n);
        }
        gap => {
            gap.put(to);
            to.push(0);
        }
    }
    floats::put_bits(to, last.sum, value.sum);
    put_varint(to, changes(last, value).count() as u64);
    let mut next = 0;
    for (cell, before, after) in changes(last, value) {
        put_varint(to, cell - next);
        next = cell.wrapping_add(1);
        if are_whole {
            put_varint(to, zigzag(after.wrapping_sub(before).cast_signed()));
        } else {
            floats::put_bits(to, before, after);
        }
    }
}

/// Reads a sample with the control byte `control`. On entry, `value` is the previous sample. Returns
/// how many instants hold before it.
pub(in crate::history) fn read(
    from: &mut Bytes<'_>,
    control: u8,
    value: &mut Cells,
    are_whole: bool,
) -> u64 {
    let held = if control == 1 { from.varint() } else { 0 };
    let sum = from.byte();
    value.sum = floats::read(from, sum, value.sum).1;
    let n_changed = from.varint();
    let (mut next, mut place) = (0u64, 0);
    for _ in 0..n_changed {
        let cell = next.wrapping_add(from.varint());
        next = cell.wrapping_add(1);
        place += value.cells[place..].partition_point(|&(known, _)| known < cell);
        let is_known = value.cells.get(place).is_some_and(|&(known, _)| known == cell);
        let before = if is_known { value.cells[place].1 } else { 0 };
        let after = if are_whole {
            before.wrapping_add(unzigzag(from.varint()).cast_unsigned())
        } else {
            let control = from.byte();
            floats::read(from, control, before).1
        };
        match (is_known, after) {
            (true, 0) => drop(value.cells.remove(place)),
            (true, _) => value.cells[place].1 = after,
            (false, 0) => {}
            (false, _) => value.cells.insert(place, (cell, after)),
        }
    }
    held
}

/// How many instants hold before the sample with this control byte; `from` is what follows it.
pub(in crate::history) fn held(mut from: Bytes<'_>, control: u8) -> u64 {
    if control == 1 { from.varint() } else { 0 }
}

/// The cells that differ: number, previous count, new count.
fn changes(last: &Cells, value: &Cells) -> impl Iterator<Item = (u64, u64, u64)> {
    let (mut old, mut new) = (last.cells.iter().peekable(), value.cells.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let cell = match (old.peek(), new.peek()) {
                (None, None) => return None,
                (Some(&&(cell, _)), None) | (None, Some(&&(cell, _))) => cell,
                (Some(&&(a, _)), Some(&&(b, _))) => a.min(b),
            };
            let before = old.next_if(|one| one.0 == cell).map_or(0, |one| one.1);
            let after = new.next_if(|one| one.0 == cell).map_or(0, |one| one.1);
            if before != after {
                return Some((cell, before, after));
            }
        }
    })
}
