//! What an integration needs of instruments whose names and keys come from another library: to make one
//! even if it is refused, and to know what a handle leads to.

use super::{handle::Handle, instrument::Instrument};
use crate::{
    series::{self, Descriptor, is_disabled},
    snapshot::Kind,
};

/// An instrument with any keys.
pub(crate) trait Bridged: Sized {
    /// The handle of a series.
    type Bound: Send + Sync + 'static;

    fn of(instrument: Instrument) -> Self;

    /// A handle to the series with these labels.
    fn bind(&self, labels: &[(&str, &str)]) -> Self::Bound;

    fn handle(bound: &Self::Bound) -> &Handle;
}

/// What a handle leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// A series of its own; this number is different for all series of a kind.
    Series(u32),
    /// A series of its own that was removed, and not recorded into since.
    Removed,
    /// The overflow series.
    Overflow,
    /// Nothing: the instrument was refused.
    Nothing,
}

/// An instrument that has no name: its measurements are counted as rejected, and no more.
pub(crate) fn nameless<I: Bridged>(kind: Kind) -> I {
    I::of(Instrument::refused(Descriptor::new("", "", kind)))
}

pub(crate) fn leads<I: Bridged>(bound: &I::Bound) -> Leads {
    let handle = I::handle(bound);
    if is_disabled(handle.id()) {
        return Leads::Nothing;
    }
    match handle.pin().map(series::Pin::series) {
        Some(series) if series.is_removed() => Leads::Removed,
        Some(series) if !is_disabled(series.id) => Leads::Series(series.id),
        _ => Leads::Overflow,
    }
}

/// How often series were removed so far.
pub(crate) fn removals() -> u64 {
    series::removals()
}
