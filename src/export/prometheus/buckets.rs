//! The bounds of buckets as they stand in lines of a page.

use super::{Format, buffer::Buffer};
use crate::{
    export::wire::number::{put_canonical, put_f64},
    exposition::{AllWorded, WordedBuckets},
};

/// Buckets with the end of a line for each bound, before its number: `le="0.5"} `.
pub(super) type Buckets = WordedBuckets<Buffer>;

/// All the buckets of a page.
pub(super) type AllBuckets = AllWorded<Buffer>;

/// The end of a line of `format` for `bound`.
pub(super) fn text(format: Format, bound: f64) -> Buffer {
    let put = if format == Format::OpenMetrics { put_canonical } else { put_f64 };
    let mut text = Buffer::default();
    text.push(b"le=\"");
    text.number(put, bound);
    text.push(b"\"} ");
    text
}
