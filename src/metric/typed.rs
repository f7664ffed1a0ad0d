//! Instruments whose labels have a type: what all kinds share of their methods.

/// An instrument with the labels of one of its series: what [`with`](crate::Counter::with) answers.
///
/// It looks the series up whenever something is recorded, and keeps none.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is recorded yet"]
pub struct With<'a, I, L> {
    pub(super) instrument: &'a I,
    pub(super) labels: L,
}

/// What every typed instrument is: an [`Instrument`] whose labels have a type. A bound handle is that
/// of its series, and what else is [known](super::recorded::Known) of the instrument.
macro_rules! typed_instrument {
    ($(#[$doc:meta])* $name:ident, $bound:ident($known:ty), $kind:expr $(, $choose:ident)?) => {
        $(#[$doc])*
        pub struct $name<L = ()> {
            instrument: Instrument,
            // Covariant: a static of `Route<'static>` binds a `Route<'_>` too.
            labels: PhantomData<fn() -> L>,
        }

        #[doc = concat!("One series of a [`", stringify!($name), "`], to be kept: what it records goes")]
        /// straight to its cell. Removing the series takes it off the page until the handle records
        /// again; the series then begins at zero.
        #[derive(Clone, Debug)]
        pub struct $bound(Handle, $known);

        impl<L> $name<L> {
            /// An instrument for a static; a [`Registry`](crate::metric::Registry::counter) builds those
            /// whose names are known at run time.
            ///
            /// # Panics
            ///
            /// Panics if `name` is not legal (a letter, then letters, digits, `_`, `.`, `-` and `/`,
            /// at most 255): in a static, that is an error of the build.
            #[must_use]
            #[track_caller]
            pub const fn new(name: &'static str, help: &'static str) -> Self {
                Self::from_instrument(Instrument::new(name, help, $kind)$(.$choose())?)
            }

            /// The instrument with a unit.
            ///
            /// # Panics
            ///
            /// Panics, as every choice here does, if a registry made the instrument: it stays what it
            /// was registered as.
            #[must_use]
            pub const fn unit(mut self, unit: Unit) -> Self {
                self.set_unit(unit);
                self
            }

            pub(crate) const fn set_unit(&mut self, unit: Unit) {
                self.instrument.unit(unit);
            }

            /// The instrument with at most `limit` label sets besides the overflow series, whatever
            /// the limit of the registry is or becomes; closed label sets are not limited.
            ///
            /// # Panics
            ///
            /// As [`unit`](Self::unit).
            #[must_use]
            pub const fn series_limit(mut self, limit: usize) -> Self {
                self.instrument.series_limit(limit);
                self
            }

            /// The instrument with series that are [removed](Self::remove) when a snapshot or a page
            /// finds that nothing was recorded in them for `idle`; never by default, and never in a
            /// closed label set. A gauge that is set to the value it has, an addition of zero and
            /// [`bind`](Self::bind) count as records; what is rejected does not. Of an up-down counter
            /// only a series at zero is removed: in any other, something is still held.
            ///
            /// A record is noticed at the next look, of a snapshot or a page, and dated by it; so a
            /// series may stay longer than `idle` by the time between two looks. Records in series that
            /// can expire cost a nanosecond or two more.
            ///
            /// # Panics
            ///
            /// As [`unit`](Self::unit).
            #[must_use]
            pub const fn expire_after(mut self, idle: Duration) -> Self {
                self.instrument.expire_after(idle);
                self
            }

            /// Removes all series, as [`remove`](Self::remove) does one.
            pub fn clear(&self) {
                self.instrument.clear();
            }

            /// The label sets of the series that are there now, sorted, with the registry's constant
            /// labels; in a test's scope, of those that were recorded there. The overflow series is
            /// not among them.
            ///
            /// # Examples
            ///
            /// ```
            /// use bellwether::{Counter, label::Dynamic};
            ///
            /// static VISITS: Counter<Dynamic> = Counter::dynamic("shop.visits", "Visits", &["tenant"]);
            ///
            /// for tenant in ["acme", "globex", "initech"] {
            ///     VISITS.with_labels(&[("tenant", tenant)]).inc();
            /// }
            /// VISITS.retain(|labels| labels.get("tenant") != Some("globex"));
            /// let left: Vec<String> = VISITS.series().iter().map(ToString::to_string).collect();
            /// assert_eq!(left, [r#"{tenant="acme"}"#, r#"{tenant="initech"}"#]);
            /// ```
            #[must_use]
            pub fn series(&self) -> Vec<crate::label::LabelSet> {
                self.instrument.series()
            }

            /// Removes the series whose labels `keep` refuses, as [`remove`](Self::remove) does one.
            ///
            /// It is asked once for each of the [`series`](Self::series), with nothing locked: it may
            /// record. One that comes meanwhile is kept without being asked for, and the overflow series
            /// always. If `keep` panics, nothing is removed.
            pub fn retain(&self, keep: impl FnMut(&crate::label::LabelSet) -> bool) {
                self.instrument.retain(keep);
            }

            pub(crate) const fn from_instrument(instrument: Instrument) -> Self {
                Self { instrument, labels: PhantomData }
            }
        }

        impl<L: Labels> $name<L> {
            /// Registers the instrument without recording: an instrument without labels is on the page
            /// from here on, at zero; of one with labels, the name is taken.
            pub fn register(&self) {
                self.instrument.register::<L>();
            }

            /// Shows every combination of a closed label set from here on, at zero where nothing was
            /// recorded, so that a rate is right from the first record on. There is no limit to how many
            /// these are.
            ///
            /// These are the combinations of values that the label type names: an enum's, `bool`'s, the
            /// numbers of a range, the texts of a list, none of an `Option`, and those texts of an
            /// interned field that have come so far. What stands for all other values (`other`) is
            /// shown once something is recorded in it. Of open label sets and gauges nothing is shown
            /// before it is recorded.
            pub fn show_all(&self) {
                self.instrument.show_all::<L>();
            }

            /// The series with `labels`, to be kept: computed for closed sets, looked up for others. It
            /// is on the page from here on, a counter at zero; a gauge when it is set.
            ///
            /// Beyond the family's limit, the overflow series; after a conflict, one that records
            /// into nothing. For a single record of an open set, [`with`](Self::with) is faster.
            #[inline(always)]
            #[must_use]
            pub fn bind(&self, labels: L) -> $bound {
                let handle = self.instrument.bind(const { cells::Space::of($kind) }, &labels);
                $bound(handle, <$known>::of(&self.instrument))
            }

            /// The series with `labels`, for one record: no lock and no allocation where this thread
            /// has met them before.
            #[inline]
            pub const fn with(&self, labels: L) -> With<'_, Self, L> {
                With { instrument: self, labels }
            }

            /// Takes the series with `labels` off the page, and whether there was one. Who still has a
            /// handle, or uses the labels again, brings it back: it then begins at zero, and nothing
            /// that is recorded meanwhile is lost. Where nobody can, its memory goes to other series.
            ///
            /// In a test's scope it is removed there alone. An up-down counter that begins at zero again
            /// goes below it where what was added before is taken away.
            pub fn remove(&self, labels: L) -> bool {
                self.instrument.remove(&labels)
            }
        }

        impl $name<Dynamic> {
            /// An instrument for a static whose labels are pairs of texts with these keys; a
            /// [`Registry`](crate::metric::InstrumentBuilder::keys) builds those whose keys are known
            /// at run time.
            ///
            /// # Panics
            ///
            /// Panics if `name` or a key is not legal: in a static, that is an error of the build.
            #[must_use]
            #[track_caller]
            pub const fn dynamic(
                name: &'static str,
                help: &'static str,
                keys: &'static [&'static str],
            ) -> Self {
                let mut instrument = Instrument::new(name, help, $kind)$(.$choose())?;
                instrument.keys(keys);
                Self::from_instrument(instrument)
            }

            /// The series with `labels`, to be kept; see [`with_labels`](Self::with_labels).
            #[must_use]
            pub fn bind_labels(&self, labels: &[(&str, &str)]) -> $bound {
                let values = |each: &mut dyn FnMut(&str)| pairs(&self.instrument, labels, each);
                $bound(self.instrument.bind_dynamic(&values), <$known>::of(&self.instrument))
            }

            /// The series with `labels`, in any order, for one record. A key that is left out has the
            /// empty value; one that is not the instrument's is left out; of two the first holds.
            #[inline]
            pub const fn with_labels<'a>(
                &'a self,
                labels: &'a [(&'a str, &'a str)],
            ) -> With<'a, Self, &'a [(&'a str, &'a str)]> {
                With { instrument: self, labels }
            }

            /// Removes the series with `labels`; as [`remove`](Self::remove).
            pub fn remove_labels(&self, labels: &[(&str, &str)]) -> bool {
                let Some(family) = self.instrument.dynamic_family() else { return false };
                let values = |each: &mut dyn FnMut(&str)| pairs(&self.instrument, labels, each);
                family.remove_series(&cells::current_storage(), &values, || 0)
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
