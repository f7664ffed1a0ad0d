//! What all instruments share: a description, written in the source, and the series it stands for.

use std::{fmt, panic::Location};

use once_cell::race::OnceRef;

use super::{
    Kind, Unit,
    cell::{DISABLED, UNREGISTERED, guarded},
    family::Family,
    histogram::HistogramOptions,
    name::name_fault,
    registry::Registry,
};
use crate::{
    error::Error,
    label::Labels,
    sync::atomic::{
        AtomicU32,
        Ordering::{Acquire, Relaxed, Release},
    },
};

/// What an instrument is, and where the source says so.
///
/// Nothing in it has a destructor, so that a `const fn` may take it apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptor {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) unit: Unit,
    pub(crate) kind: Kind,
    pub(crate) place: &'static Location<'static>,
    /// What a histogram was told; the default for every other kind.
    pub(crate) histogram: HistogramOptions,
}

/// A description that registers itself when it is first used.
pub(crate) struct Instrument {
    descriptor: Descriptor,
    /// The id of the first series of a closed set; [`UNREGISTERED`] before the first use, [`DISABLED`]
    /// after a conflict and for open sets, whose series are looked up.
    base: AtomicU32,
    /// Unset while unregistered, and for ever after a conflict.
    family: OnceRef<'static, Family>,
}

impl Instrument {
    /// An instrument for a static.
    ///
    /// # Panics
    ///
    /// Panics if `name` is not legal: in a static, that is an error of the build.
    #[track_caller]
    pub(crate) const fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        if let Some(fault) = name_fault(name) {
            panic!("{}", fault);
        }
        let place = Location::caller();
        Self {
            descriptor: Descriptor {
                name,
                help,
                unit: Unit::NONE,
                kind,
                place,
                histogram: HistogramOptions::new(),
            },
            base: AtomicU32::new(UNREGISTERED),
            family: OnceRef::new(),
        }
    }

    pub(crate) const fn unit(mut self, unit: Unit) -> Self {
        self.descriptor.unit = unit;
        self
    }

    /// What a histogram was told so far.
    pub(crate) const fn histogram(&self) -> HistogramOptions {
        self.descriptor.histogram
    }

    /// A histogram that is told `options`.
    ///
    /// # Panics
    ///
    /// Panics if they are not legal: in a static, that is an error of the build.
    pub(crate) const fn with_histogram(mut self, options: HistogramOptions) -> Self {
        if let Some(fault) = options.fault() {
            panic!("{}", fault);
        }
        self.descriptor.histogram = options;
        self
    }

    /// An instrument that a registry has registered.
    pub(crate) fn registered(descriptor: Descriptor, family: &'static Family) -> Self {
        let instrument =
            Self { descriptor, base: AtomicU32::new(family.base()), family: OnceRef::new() };
        let _ = instrument.family.set(family); // New, so it takes.
        instrument
    }

    /// The id of the only series, for the hot path: a legal id or one beyond every table.
    #[inline(always)]
    pub(crate) fn id(&self) -> u32 {
        // Relaxed: a stale answer takes the slow path, which asks again.
        self.base.load(Relaxed)
    }

    /// The id of the only series, after registering; `None` if the instrument is disabled.
    #[cold]
    pub(crate) fn register_id(&self) -> Option<u32> {
        let id = self.family::<()>()?.base();
        (id != DISABLED).then_some(id)
    }

    /// The id of the series with `labels`, registering as needed; [`DISABLED`] if it lost a conflict.
    #[inline]
    pub(crate) fn series<L: Labels>(&self, labels: &L) -> u32 {
        if L::CARDINALITY.is_some() {
            let base = self.base.load(Relaxed);
            if base < DISABLED {
                return base + labels.index() as u32;
            }
        }
        self.series_slow(labels)
    }

    fn series_slow<L: Labels>(&self, labels: &L) -> u32 {
        match self.family::<L>() {
            None => DISABLED,
            Some(family) => match family.base() {
                // Looked up: an open set, or a closed one too large for a block of ids.
                DISABLED => family.series(&|each| labels.visit(each)),
                base => base + labels.index() as u32,
            },
        }
    }

    /// The family, registered at the first call; `None` if it lost a conflict.
    pub(crate) fn family<L: Labels>(&self) -> Option<&'static Family> {
        self.family_of(|| Registry::global().register::<L>(&self.descriptor))
    }

    /// [`family`](Self::family) for keys that are no type.
    pub(crate) fn family_of(
        &self,
        register: impl FnOnce() -> Result<&'static Family, Error>,
    ) -> Option<&'static Family> {
        if let Some(family) = self.family.get() {
            return Some(family);
        }
        // Acquire: pairs with the store below, so that a family set before it is seen here.
        if self.base.load(Acquire) == DISABLED {
            return self.family.get();
        }
        // Two threads may both get here; both are given the same family, or the same conflict. A
        // thread that is inside already, because its allocator records, tries again the next time.
        let family = match guarded(register)? {
            Ok(family) => {
                let _ = self.family.set(family);
                Some(family)
            }
            Err(error) => {
                Registry::global().refuse(error);
                None
            }
        };
        self.base.store(family.map_or(DISABLED, Family::base), Release);
        family
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}

impl fmt::Debug for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Descriptor { name, kind, unit, .. } = &self.descriptor;
        f.debug_struct("Instrument")
            .field("name", name)
            .field("kind", kind)
            .field("unit", unit)
            .finish()
    }
}

/// What every typed instrument is: an [`Instrument`] whose labels have a type.
macro_rules! typed_instrument {
    ($(#[$doc:meta])* $name:ident, $bound:ident, $kind:expr) => {
        $(#[$doc])*
        pub struct $name<L = ()> {
            instrument: Instrument,
            // Covariant: a static of `Route<'static>` binds a `Route<'_>` too.
            labels: PhantomData<fn() -> L>,
        }

        #[doc = concat!("One series of a [`", stringify!($name), "`]; a number, to be copied and kept.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $bound(u32);

        impl<L> $name<L> {
            /// An instrument for a static; a [`Registry`](crate::metric::Registry) makes those whose
            /// names are known at run time.
            ///
            /// # Panics
            ///
            /// Panics if `name` is not legal (a letter, then letters, digits, `_`, `.`, `-` and `/`,
            /// at most 255): in a static, that is an error of the build.
            #[must_use]
            #[track_caller]
            pub const fn new(name: &'static str, help: &'static str) -> Self {
                Self::from_instrument(Instrument::new(name, help, $kind))
            }

            /// The instrument with a unit.
            #[must_use]
            pub const fn unit(self, unit: Unit) -> Self {
                let Self { instrument, labels } = self;
                Self { instrument: instrument.unit(unit), labels }
            }

            pub(crate) const fn from_instrument(instrument: Instrument) -> Self {
                Self { instrument, labels: PhantomData }
            }
        }

        impl<L: Labels> $name<L> {
            /// The series with `labels`: computed for closed sets, looked up for others.
            ///
            /// Beyond the family's limit, the overflow series; after a conflict, one that records
            /// into nothing.
            #[inline]
            #[must_use]
            pub fn bind(&self, labels: L) -> $bound {
                $bound(self.instrument.series(&labels))
            }
        }

        impl<L> fmt::Debug for $name<L> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.instrument.fmt(f)
            }
        }
    };
}

pub(crate) use typed_instrument;
