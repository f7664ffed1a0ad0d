//! The methods that record. Each is written once, for an instrument, its bound handle and
//! [`With`](super::With).

use super::instrument::Instrument;

/// Where a record goes: a series by its id, or the only series of an instrument, which may have to be
/// registered first.
pub(super) trait Target: Copy {
    /// Whether `id` of a gauge with a range leads to no cell.
    const HIDES_RANGES: bool;

    /// For the hot path: the id of the series, or an id beyond every table.
    fn id(self) -> u32;

    /// The id of the series, which is registered first; a disabled id after a conflict.
    fn recording_id(self) -> u32;

    /// Calls `record` with the [`recording_id`](Self::recording_id), with little code at the call site.
    ///
    /// `record` must own what it uses: a borrowed value would be written to the stack by every record.
    fn out_of_line(self, record: impl FnOnce(u32));

    /// As [`out_of_line`](Self::out_of_line), for cases that most records do not need.
    fn rarely(self, record: impl FnOnce(u32));
}

impl Target for u32 {
    const HIDES_RANGES: bool = false;

    #[inline(always)]
    fn id(self) -> u32 {
        self
    }

    #[inline(always)]
    fn recording_id(self) -> u32 {
        self
    }

    // Callers that record by an id are out of line already.
    #[inline(always)]
    fn out_of_line(self, record: impl FnOnce(u32)) {
        record(self);
    }

    #[inline(always)]
    fn rarely(self, record: impl FnOnce(u32)) {
        record(self);
    }
}

impl Target for &Instrument {
    const HIDES_RANGES: bool = true;

    #[inline(always)]
    fn id(self) -> u32 {
        Instrument::id(self)
    }

    #[inline(always)]
    fn recording_id(self) -> u32 {
        Instrument::recording_id(self)
    }

    #[inline(never)]
    fn out_of_line(self, record: impl FnOnce(u32)) {
        record(Instrument::recording_id(self));
    }

    #[cold]
    #[inline(never)]
    fn rarely(self, record: impl FnOnce(u32)) {
        record(Instrument::recording_id(self));
    }
}

/// What the handle of a series knows of its instrument, besides the series.
pub(crate) trait Known: Copy {
    fn of(instrument: &Instrument) -> Self;
}

/// Knows nothing.
impl Known for () {
    #[inline(always)]
    fn of(_: &Instrument) {}
}

/// Defines the recording methods of an instrument, each after the attribute that inlines it. A method
/// uses a [`Target`] and what is known of the instrument: the instrument itself, or its [`Known`].
///
/// The methods of the handle and of `With` get the first line of the documentation, and a link to the
/// rest.
macro_rules! recorded {
    ($name:ident, $bound:ident { $(
        #[$inline:meta]
        #[doc = $summary:literal]
        $(#[$more:meta])*
        fn $method:ident($($argument:ident: $type:ty),*) = |$to:ident, $known:pat_param| $record:expr;
    )* }) => {
        impl<L> $name<L> {
            $(#[$inline]
            #[doc = $summary]
            $(#[$more])*
            pub fn $method(&self, $($argument: $type),*)
            where
                L: NoLabels,
            {
                let ($to, $known) = (&self.instrument, &self.instrument);
                $record;
            })*
        }

        impl $bound {
            $(#[$inline]
            #[doc = $summary]
            #[doc = concat!("\n\nAs [`", stringify!($name), "::", stringify!($method), "`].")]
            pub fn $method(&self, $($argument: $type),*) {
                let ($to, $known) = (self.0.id(), &self.1);
                $record;
            })*
        }

        impl<L: Labels> With<'_, $name<L>, L> {
            $(#[inline(always)]
            #[doc = $summary]
            #[doc = concat!("\n\nAs [`", stringify!($name), "::", stringify!($method), "`].")]
            pub fn $method(&self, $($argument: $type),*) {
                let instrument = &self.instrument.instrument;
                instrument.with_series(&self.labels, |id| {
                    let ($to, $known) = (id, instrument);
                    $record;
                });
            })*
        }

        impl With<'_, $name<Dynamic>, &[(&str, &str)]> {
            $(#[inline]
            #[doc = $summary]
            #[doc = concat!("\n\nAs [`", stringify!($name), "::", stringify!($method), "`].")]
            pub fn $method(&self, $($argument: $type),*) {
                let instrument = &self.instrument.instrument;
                let values = |each: &mut dyn FnMut(&str)| pairs(instrument, self.labels, each);
                instrument.with_dynamic(values, |id| {
                    let ($to, $known) = (id, instrument);
                    $record;
                });
            })*
        }
    };
}

pub(crate) use recorded;
