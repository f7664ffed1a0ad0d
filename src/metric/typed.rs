//! Instruments whose labels have a type: the methods that all kinds share.

/// An instrument with the labels of one series, returned by [`with`](crate::Counter::with).
///
/// It looks the series up at each record, and keeps no handle to it.
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is recorded yet"]
pub struct With<'a, I, L> {
    pub(super) instrument: &'a I,
    pub(super) labels: L,
}

/// Defines an instrument whose labels have a type: an [`Instrument`] and its label type. A bound
/// handle has the handle of its series, and what it [knows](super::recorded::Known) of the instrument.
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
            /// Creates an instrument for a static. For names that are known at run time, use a
            /// [`Registry`](crate::metric::Registry::counter).
            ///
            /// # Panics
            ///
            /// Panics if `name` is not legal (a letter, then letters, digits, `_`, `.`, `-` and `/`,
            /// at most 255). In a static, this is a compile error.
            #[must_use]
            #[track_caller]
            pub const fn new(name: &'static str, help: &'static str) -> Self {
                Self::from_instrument(Instrument::new(name, help, $kind)$(.$choose())?)
            }

            /// Sets the unit.
            ///
            /// # Panics
            ///
            /// Panics, as every option here does, if a registry built the instrument: it keeps the
            /// options with which it was registered.
            #[must_use]
            pub const fn unit(mut self, unit: Unit) -> Self {
                self.set_unit(unit);
                self
            }

            pub(crate) const fn set_unit(&mut self, unit: Unit) {
                self.instrument.unit(unit);
            }

            /// Limits the instrument to `limit` label sets besides the overflow series, whatever the
            /// registry's limit is or becomes. Closed label sets are not limited.
            ///
            /// # Panics
            ///
            /// As [`unit`](Self::unit).
            #[must_use]
            pub const fn series_limit(mut self, limit: usize) -> Self {
                self.instrument.series_limit(limit);
                self
            }

            /// Removes a series, as [`remove`](Self::remove) does, when a snapshot or a page finds
            /// that nothing was recorded in it for `idle`. By default series do not expire, and those
            /// of a closed label set never do.
            ///
            /// These count as records: setting a gauge to the value it has, adding zero, and
            /// [`bind`](Self::bind). A rejected value does not. A series of an up-down counter is
            /// removed only at zero: at any other value something is still held.
            ///
            /// A record is noticed, and dated, by the next snapshot or page. So a series may stay
            /// longer than `idle` by the time between two of these. A record in a series that can
            /// expire costs a nanosecond or two more.
            ///
            /// # Panics
            ///
            /// As [`unit`](Self::unit).
            #[must_use]
            pub const fn expire_after(mut self, idle: Duration) -> Self {
                self.instrument.expire_after(idle);
                self
            }

            /// Removes all series, each as by [`remove`](Self::remove).
            pub fn clear(&self) {
                self.instrument.clear();
            }

            /// Returns the label sets of the present series, sorted, with the registry's constant
            /// labels. The overflow series is not included. In a test's scope these are the series
            /// recorded there.
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

            /// Removes the series for which `keep` returns `false`, each as by
            /// [`remove`](Self::remove).
            ///
            /// It is called once for each of the [`series`](Self::series), with nothing locked, so it
            /// may record. A series that appears meanwhile is kept without a call, and the overflow
            /// series is always kept. If `keep` panics, nothing is removed.
            pub fn retain(&self, keep: impl FnMut(&crate::label::LabelSet) -> bool) {
                self.instrument.retain(keep);
            }

            pub(crate) const fn from_instrument(instrument: Instrument) -> Self {
                Self { instrument, labels: PhantomData }
            }
        }

        impl<L: Labels> $name<L> {
            /// Registers the instrument without recording. An instrument without labels is on the page
            /// from now on, at zero; with labels, only its name is taken.
            pub fn register(&self) {
                self.instrument.register::<L>();
            }

            /// Shows every combination of a closed label set from now on, at zero where nothing was
            /// recorded. So a rate is right from the first record on. The number of combinations is
            /// not limited.
            ///
            /// The combinations are those of the values that the label type names: the variants of an
            /// enum, both values of a `bool`, the numbers of a range, the texts of a list, the `None`
            /// of an `Option`, and the texts that an interned field has had so far. The value that
            /// stands for all others (`other`) is shown once something is recorded in it. Series of
            /// open label sets, and gauges, are shown only once they are recorded.
            pub fn show_all(&self) {
                self.instrument.show_all::<L>();
            }

            /// Returns a handle to the series with `labels`. A closed set computes the series, an open
            /// one looks it up. The series is on the page from now on, a counter at zero; a gauge once
            /// it is set.
            ///
            /// Beyond the family's limit this is the overflow series. After a conflict the handle
            /// records into nothing. For a single record of an open set, [`with`](Self::with) is
            /// faster.
            #[inline(always)]
            #[must_use]
            pub fn bind(&self, labels: L) -> $bound {
                let handle = self.instrument.bind(const { cells::Space::of($kind) }, &labels);
                $bound(handle, <$known>::of(&self.instrument))
            }

            /// Selects the series with `labels` for one record. Takes no lock and does not allocate if
            /// this thread has used these labels before.
            #[inline]
            pub const fn with(&self, labels: L) -> With<'_, Self, L> {
                With { instrument: self, labels }
            }

            /// Removes the series with `labels` from the page. Returns whether there was one.
            ///
            /// A handle that is still held, or a new use of the labels, brings the series back. It
            /// then begins at zero, and nothing that is recorded meanwhile is lost. If neither can
            /// happen, its memory goes to other series.
            ///
            /// In a test's scope the series is removed only there. An up-down counter that begins at
            /// zero again becomes negative when earlier additions are taken away.
            pub fn remove(&self, labels: L) -> bool {
                self.instrument.remove(&labels)
            }
        }

        impl $name<Dynamic> {
            /// Creates an instrument for a static whose labels are pairs of texts with these keys. For
            /// keys that are known at run time, use a
            /// [`Registry`](crate::metric::InstrumentBuilder::keys).
            ///
            /// # Panics
            ///
            /// Panics if `name` or a key is not legal. In a static, this is a compile error.
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

            /// Returns a handle to the series with `labels`; see [`with_labels`](Self::with_labels).
            #[must_use]
            pub fn bind_labels(&self, labels: &[(&str, &str)]) -> $bound {
                let values = |each: &mut dyn FnMut(&str)| pairs(&self.instrument, labels, each);
                $bound(self.instrument.bind_dynamic(&values), <$known>::of(&self.instrument))
            }

            /// Selects the series with `labels`, in any order, for one record. A missing key has the
            /// empty value; a key that the instrument does not have is ignored. If a key is given
            /// twice, the first value counts.
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

        impl $name<AnyKeys> {
            /// Returns a handle to the series with `labels`, whose keys may be any, as
            /// [`any_keys`](crate::metric::InstrumentBuilder::any_keys) says.
            #[must_use]
            pub fn bind_any(&self, labels: &[(&str, &str)]) -> $bound {
                $bound(self.instrument.bind_any(labels), <$known>::of(&self.instrument))
            }
        }

        #[cfg(any(feature = "metrics", feature = "opentelemetry"))]
        impl crate::metric::bridge::Bridged for $name<AnyKeys> {
            type Bound = $bound;

            fn of(instrument: Instrument) -> Self {
                Self::from_instrument(instrument)
            }

            fn bind(&self, labels: &[(&str, &str)]) -> $bound {
                self.bind_any(labels)
            }

            fn handle(bound: &$bound) -> &Handle {
                &bound.0
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
