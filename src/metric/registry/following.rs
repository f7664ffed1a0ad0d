//! A registry read by somebody who remembers: what is done before, and what is handed over.

use std::sync::Arc;

use super::Registry;
use crate::{
    cells::{self, Reader, Storage},
    clock::{self, Ticks},
    series::Family,
    snapshot::{self, PageBounds, Snapshot, Views},
};

/// A registry of which everything is done that waits for others or runs code of the user's: callbacks
/// have been asked, and the labels of all series are known.
pub(crate) struct Prepared(Repr);

enum Repr {
    InPlace {
        storage: Arc<Storage>,
        views: Views,
        families: Vec<Arc<Family>>,
        /// What callbacks observed, and other values that are not read in place.
        kept: Vec<snapshot::Family>,
    },
    /// Views show the families otherwise.
    Shown(Snapshot),
}

/// Who is handed what a registry holds.
pub(crate) trait FollowRegistry {
    /// Begins to hand over: values are those of the instant `taken`, sums began at `started` at the
    /// earliest.
    fn begin(&mut self, taken: Ticks, started: Ticks);

    /// A family to be read in place, whose histograms show these bounds.
    fn family(&mut self, family: &Arc<Family>, bounds: PageBounds, from: (&Storage, &Reader));

    /// The values of a family.
    fn kept(&mut self, family: &snapshot::Family);
}

impl Registry {
    /// Asks what has to be asked for, without anything locked: see [`Prepared`].
    pub(crate) fn prepare(&self) -> Prepared {
        let views = self.views();
        let storage = cells::current_storage();
        if !views.keep_families() {
            return Prepared(Repr::Shown(self.snapshot_of(&storage)));
        }
        let (mut families, mut kept) = self.gather(&storage, None);
        let reader = storage.reader_of_all();
        families.retain(|family| match family.prepare(&storage, &reader) {
            Some(added_up) => {
                kept.push(added_up);
                false
            }
            None => true,
        });
        Prepared(Repr::InPlace { storage, views, families, kept })
    }
}

impl Prepared {
    /// What `snapshot` holds.
    pub(crate) fn of(snapshot: Snapshot) -> Self {
        Self(Repr::Shown(snapshot))
    }

    /// Hands everything over, as it is at this moment; answers which moment that is.
    pub(crate) fn hand_over(&self, to: &mut impl FollowRegistry) -> Ticks {
        match &self.0 {
            Repr::Shown(snapshot) => {
                to.begin(snapshot.taken(), snapshot.started());
                snapshot.families().iter().for_each(|family| to.kept(family));
                snapshot.taken()
            }
            Repr::InPlace { storage, views, families, kept } => {
                let reader = storage.reader();
                let taken = clock::now();
                to.begin(taken, storage.started());
                for family in families {
                    let asked = views.page_bounds(&family.name, family.kind, family.unit);
                    let bounds = asked.unwrap_or(family.told.page_bounds);
                    to.family(family, bounds, (storage, &reader));
                }
                kept.iter().for_each(|family| to.kept(family));
                taken
            }
        }
    }
}
