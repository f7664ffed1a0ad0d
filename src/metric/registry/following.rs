//! Reading a registry repeatedly: what is prepared first, and what is handed over.

use std::sync::Arc;

use super::Registry;
use crate::{
    cells::{self, Reader, Storage},
    clock::{self, Ticks},
    series::Family,
    snapshot::{self, PageBounds, Snapshot, Views},
};

/// A registry that is ready to be read. Everything that waits for others or runs code of the user is
/// done: callbacks have run, and the labels of all series are known.
pub(crate) struct Prepared(Repr);

enum Repr {
    InPlace {
        storage: Arc<Storage>,
        views: Views,
        families: Vec<Arc<Family>>,
        /// The values of callbacks, and other values that are not read in place.
        kept: Vec<snapshot::Family>,
    },
    /// The snapshot that views show.
    Shown(Snapshot),
}

/// Takes what a registry hands over.
pub(crate) trait FollowRegistry {
    /// Called first. The values are those of the instant `taken`; sums began at `started` or later.
    fn begin(&mut self, taken: Ticks, started: Ticks);

    /// Hands over a family to be read in place. Its histograms show these bounds.
    fn family(&mut self, family: &Arc<Family>, bounds: PageBounds, from: (&Storage, &Reader));

    /// Hands over the values of a family.
    fn kept(&mut self, family: &snapshot::Family);
}

impl Registry {
    /// Runs callbacks and user code, with nothing locked: see [`Prepared`].
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
    /// Prepares `snapshot`.
    pub(crate) fn of(snapshot: Snapshot) -> Self {
        Self(Repr::Shown(snapshot))
    }

    /// Hands everything over as it is now, and returns the instant of the values.
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
                    let bounds = asked.unwrap_or(family.declared.page_bounds);
                    to.family(family, bounds, (storage, &reader));
                }
                kept.iter().for_each(|family| to.kept(family));
                taken
            }
        }
    }
}
