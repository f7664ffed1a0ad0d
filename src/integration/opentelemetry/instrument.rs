//! An instrument of the API that is recorded into.

use ::opentelemetry::{
    KeyValue as TheirKeyValue,
    metrics::{BoundSyncInstrument, SyncInstrument},
};

use super::{
    attributes::Scope,
    cache::Cache,
    labels::Texts,
    recording::{Record, Recording},
};
use crate::metric::bridge::{Bridged, Leads, leads};

type Bound<R> = <<R as Recording>::Instrument as Bridged>::Bound;

/// An instrument of one scope.
pub(super) struct Instrument<R: Recording> {
    scope: Scope,
    instrument: R::Instrument,
    known: Cache<Bound<R>>,
}

impl<R: Recording> Instrument<R> {
    pub(super) fn new(scope: Scope, instrument: R::Instrument) -> Self {
        Self { scope, instrument, known: Cache::new() }
    }

    fn bind(&self, attributes: &[TheirKeyValue]) -> Bound<R> {
        self.instrument.bind(&Texts::of(&self.scope, attributes).pairs())
    }

    #[cold] // Not that it were rare: the way past it is to stay short.
    #[inline(never)]
    fn look_up(&self, attributes: &[TheirKeyValue], record: impl FnOnce(&Bound<R>)) {
        let bound = self.bind(attributes);
        record(&bound);
        // What is in the overflow series may have one of its own later.
        if matches!(leads::<R::Instrument>(&bound), Leads::Series(_) | Leads::Nothing) {
            let is_removed = |bound: &_| leads::<R::Instrument>(bound) == Leads::Removed;
            self.known.keep(attributes, bound, is_removed);
        }
    }
}

impl<T: Copy, R: Record<T>> SyncInstrument<T> for Instrument<R> {
    fn measure(&self, value: T, attributes: &[TheirKeyValue]) {
        let is_known = self.known.with(attributes, |bound| R::record(bound, value));
        if !is_known {
            self.look_up(attributes, |bound| R::record(bound, value));
        }
    }

    fn bind(&self, attributes: &[TheirKeyValue]) -> Box<dyn BoundSyncInstrument<T> + Send + Sync> {
        Box::new(Series::<R>(Self::bind(self, attributes)))
    }
}

/// A series that is kept.
struct Series<R: Recording>(Bound<R>);

impl<T, R: Record<T>> BoundSyncInstrument<T> for Series<R> {
    fn measure(&self, value: T) {
        R::record(&self.0, value);
    }
}
