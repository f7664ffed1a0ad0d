//! The methods that record: each is written once, for an instrument, its bound handle and
//! [`With`](super::With).

use super::instrument::Instrument;

/// Where a record goes: the series with an id, or the only one of an instrument, which may have to be
/// registered first.
pub(super) trait Target: Copy {
    /// Whether the id of a gauge with a range leads to no cell.
    const HIDES_RANGES: bool;

    /// For the hot path: the id of the series, or one beyond every table.
    fn id(self) -> u32;

    /// The id of the series, after registering; a disabled one after a conflict.
    fn recording_id(self) -> u32;

    /// Lets `record` have the [`recording_id`](Self::recording_id), with little code where it is called.
    ///
    /// `record` has to own what it uses: a value that it borrowed would be written to the stack by every
    /// record.
    fn out_of_line(self, record: impl FnOnce(u32));

    /// As [`out_of_line`](Self::out_of_line), for what most records do not need.
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

    // What records by an id is out of line itself.
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

/// What the handle of a series knows of its instrument beside the series.
pub(crate) trait Known: Copy {
    fn of(instrument: &Instrument) -> Self;
}

/// Nothing.
impl Known for () {
    #[inline(always)]
    fn of(_: &Instrument) {}
}

/// The recording methods of an instrument, each after the attribute that inlines it: what it does with
/// a [`Target`] and with what is known of the instrument, by the instrument itself or by [`Known`].
///
/// The handle and `With` have the first line of the documentation, and a link to the rest.
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
