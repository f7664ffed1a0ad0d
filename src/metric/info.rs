//! OpenMetrics' info and state set: what the process is, and which state it is in.
//!
//! Both are kept in the cells of gauges and differ only on a page.

use std::{borrow::Cow, fmt, marker::PhantomData};

use super::{gauge, instrument::Instrument, registry::Registry};
use crate::{
    cells::{self, DISABLED},
    label::{LabelValue, Labels},
    series::refused,
    snapshot::Kind,
    sync::Mutex,
};

/// Labels that say what the process is: a version, a commit. Its value is always 1.
///
/// # Examples
///
/// ```
/// use bellwether::{Labels, metric::Info};
///
/// #[derive(Labels)]
/// struct Build {
///     version: &'static str,
/// }
///
/// static BUILD: Info<Build> = Info::new("shop.build", "What was built");
///
/// BUILD.set(Build { version: "1.2.3" });
/// # use bellwether::metric::{Registry, SeriesValue};
/// # let snapshot = Registry::global().snapshot();
/// # let value = snapshot.value("shop.build", &[("version", "1.2.3")]);
/// # assert_eq!(value.map(SeriesValue::as_f64), Some(1.0));
/// ```
pub struct Info<L> {
    instrument: Instrument,
    /// Held while the labels are replaced, so that two replacements follow one another. The locks of
    /// the family are taken inside it.
    replacing: Mutex<()>,
    labels: PhantomData<fn() -> L>,
}

/// Which of several states hold: one series for each state, 1 or 0.
///
/// The states are the values of an enum with `#[derive(Labels)]`. On a page their label has the name of
/// the family. Until a state is set, no series is on a page.
///
/// # Examples
///
/// ```
/// use bellwether::{Labels, metric::StateSet};
///
/// #[derive(Clone, Copy, Labels)]
/// enum Phase {
///     Starting,
///     Serving,
///     Draining,
/// }
///
/// static PHASE: StateSet<Phase> = StateSet::new("shop.phase", "What the service is doing");
///
/// PHASE.set(Phase::Serving);
/// assert_eq!(PHASE.holds(Phase::Serving), Some(true));
/// assert_eq!(PHASE.holds(Phase::Draining), Some(false));
/// ```
pub struct StateSet<S> {
    instrument: Instrument,
    states: PhantomData<fn() -> S>,
}

impl<L> Info<L> {
    /// An info for a static.
    ///
    /// # Panics
    ///
    /// Panics if `name` is not legal, as [`Counter::new`](crate::Counter::new) does.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        let instrument = Instrument::new(name, help, Kind::Info);
        Self { instrument, replacing: Mutex::new(()), labels: PhantomData }
    }
}

impl<L: Labels> Info<L> {
    /// Replaces the labels of the process by `labels`.
    pub fn set(&self, labels: L) {
        // Read before the lock is taken: the labels' type may run user code.
        let labels = Told::of(&labels);
        let _replacing = self.replacing.lock();
        self.instrument.clear();
        self.instrument.with_series(&labels, |id| gauge::set(id, 1.0));
    }
}

/// The values of labels of the type `L`, copied.
struct Told<L> {
    index: usize,
    values: Vec<String>,
    labels: PhantomData<fn(L)>,
}

impl<L: Labels> Told<L> {
    fn of(labels: &L) -> Self {
        let mut values = Vec::new();
        labels.visit(&mut |value| values.push(value.to_owned()));
        Self { index: labels.index(), values, labels: PhantomData }
    }
}

impl<L: Labels> Labels for Told<L> {
    const KEYS: &'static [&'static str] = L::KEYS;
    const CARDINALITY: Option<usize> = L::CARDINALITY;

    fn index(&self) -> usize {
        self.index
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        self.values.iter().for_each(|value| each(value));
    }

    fn at(index: usize) -> Vec<Cow<'static, str>> {
        L::at(index)
    }

    fn is_listed(index: usize) -> bool {
        L::is_listed(index)
    }
}

impl<S> StateSet<S> {
    /// A state set for a static.
    ///
    /// # Panics
    ///
    /// Panics if `name` is not legal, as [`Counter::new`](crate::Counter::new) does.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { instrument: Instrument::new(name, help, Kind::StateSet), states: PhantomData }
    }
}

impl<S: LabelValue> StateSet<S> {
    const STATES: usize = match S::CARDINALITY {
        Some(states) => states,
        None => panic!("a state set is of an enum: its states are known"),
    };

    /// Makes `state` hold, and no other.
    pub fn set(&self, state: S) {
        let place = state.index();
        self.each(|other, _| Some(other == place));
    }

    /// Makes `state` hold; other states stay as they are.
    pub fn enable(&self, state: S) {
        self.change(&state, true);
    }

    /// Makes `state` no longer hold; other states stay as they are.
    pub fn disable(&self, state: S) {
        self.change(&state, false);
    }

    /// Whether `state` holds, in the scope of this thread; `None` before anything was set.
    #[must_use]
    pub fn holds(&self, state: S) -> Option<bool> {
        let id = self.base()? + state.index() as u32;
        cells::current_storage().reader().gauge(id).map(|holds| holds != 0.0)
    }

    fn change(&self, state: &S, holds: bool) {
        let place = state.index();
        // The other states appear on the page from now on, as not holding.
        self.each(|other, known| match other == place {
            true => Some(holds),
            false => known.is_none().then_some(false),
        });
    }

    /// Sets each state to what `decide` returns for its index and whether it holds.
    fn each(&self, decide: impl Fn(usize, Option<bool>) -> Option<bool>) {
        let Some(base) = self.base() else {
            return refused::count(self.instrument.disabled_id());
        };
        let reader = cells::current_storage().reader();
        for place in 0..Self::STATES {
            let id = base + place as u32;
            let known = reader.gauge(id).map(|holds| holds != 0.0);
            if let Some(holds) = decide(place, known) {
                gauge::set(id, if holds { 1.0 } else { 0.0 });
            }
        }
    }

    /// The id of the first state, registered at the first call; `None` after a conflict.
    fn base(&self) -> Option<u32> {
        let register = || {
            let at = |index| vec![S::at(index)];
            Registry::global().register_states(self.instrument.descriptor(), Self::STATES, at)
        };
        let base = self.instrument.family_of(register)?.base();
        (base != DISABLED).then_some(base)
    }
}

impl<L> fmt::Debug for Info<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.instrument.fmt(f)
    }
}

impl<S> fmt::Debug for StateSet<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.instrument.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[derive(Clone, Copy, bellwether_macros::Labels)]
    enum Phase {
        Starting,
        Serving,
    }

    #[test]
    fn an_info_has_one_set_of_labels_at_a_time() {
        static BUILD: Info<Outcome> = Info::new("test.info.build", "");
        use crate::context::Outcome;
        let scope = testing::scope();
        BUILD.set(Outcome::Ok);
        BUILD.set(Outcome::Error);
        let snapshot = scope.snapshot();
        let family = snapshot.family("test.info.build").unwrap();
        let labels: Vec<_> = family.series().iter().map(|s| s.labels().to_string()).collect();
        assert_eq!((family.kind(), labels), (Kind::Info, vec![r#"{outcome="error"}"#.to_owned()]));
    }

    #[test]
    fn each_state_is_a_series_labelled_by_the_family() {
        static PHASE: StateSet<Phase> = StateSet::new("test.info.phase", "");
        let scope = testing::scope();
        assert_eq!(PHASE.holds(Phase::Starting), None);
        PHASE.enable(Phase::Serving);
        scope.assert_value("test.info.phase", &[("test.info.phase", "starting")], 0.0);
        scope.assert_value("test.info.phase", &[("test.info.phase", "serving")], 1.0);
        PHASE.enable(Phase::Starting);
        PHASE.disable(Phase::Serving);
        assert_eq!(
            [Phase::Starting, Phase::Serving].map(|s| PHASE.holds(s)),
            [Some(true), Some(false)]
        );
        PHASE.set(Phase::Serving);
        assert_eq!(
            [Phase::Starting, Phase::Serving].map(|s| PHASE.holds(s)),
            [Some(false), Some(true)]
        );
    }
}
