//! The bounds of buckets as values of `le`.

use crate::{
    export::wire::number::{Room, put_canonical},
    exposition::{AllWorded, WordedBuckets},
};

/// Buckets with the value of `le` for each bound, as Prometheus 3 keeps it: `1.0`.
pub(super) type Buckets = WordedBuckets<String>;

/// All buckets that are in use.
pub(super) type AllBuckets = AllWorded<String>;

/// The value of `le` for `bound`.
pub(super) fn text(bound: f64) -> String {
    let mut room = Room::default();
    let len = put_canonical(&mut room, bound);
    String::from_utf8_lossy(&room[..len]).into_owned()
}
