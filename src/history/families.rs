//! The rows of each family, in the order of their labels.

use std::{borrow::Cow, sync::Arc};

use super::{
    sample::{Cells, Form, Layout, LayoutId},
    select::Selections,
    store::{RowId, Store, Traits},
};
use crate::{
    cells::{
        Reader, Removals,
        histogram::cuts::{BucketCounts, Cuts},
    },
    clock::Ticks,
    label::LabelSet,
    series::{Room, SeriesList},
    snapshot::{self, BucketLayout, Kind, PageBounds, Unit, histogram::ladder},
};

/// What distinguishes two families of one name, as far as their series differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) form: Form,
}

/// The description of a family, as a tick hands it over.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(super) name: &'a Cow<'static, str>,
    pub(super) help: &'a Cow<'static, str>,
    pub(super) head: Head,
    pub(super) page_bounds: PageBounds,
}

/// The series of a family.
#[derive(Debug)]
pub(super) struct FamilyRows {
    pub(super) name: Cow<'static, str>,
    pub(super) help: Cow<'static, str>,
    pub(super) head: Head,
    pub(super) page_bounds: PageBounds,
    pub(super) rows: Vec<RowId>, // Sorted by labels, which differ.
    /// The rows by their index in the registry's list, as of the last tick.
    places: Vec<RowId>,
    /// That list. The weak reference keeps its address from being used for another list.
    list: std::sync::Weak<SeriesList>,
    removals: Removals,
    /// The last tick at which the family was there.
    pub(super) seen: u64,
    /// Whether its samples are added one by one, and not read from a registry.
    pub(super) has_no_cells: bool,
    /// Whether its sums were zero before they appeared, as far as this is known.
    pub(super) begins_at_zero: bool,
    divided: Option<Divided>,
}

/// How the histograms of a family are kept.
#[derive(Clone, Debug)]
pub(super) struct Divided {
    layout: BucketLayout,
    page_bounds: PageBounds,
    pub(super) cuts: Arc<Cuts>,
    /// The layouts of each tick, and of coarser tiers.
    pub(super) columns: LayoutId,
    pub(super) buckets: LayoutId,
}

/// Where rows are added, and the selections they are matched against.
pub(super) type Rows<'a> = (&'a mut Store, &'a mut Selections);

/// Memory that each tick uses again.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) room: Room,
    pub(super) counts: BucketCounts,
    pub(super) cells: Cells,
}

impl Memory {
    pub(super) fn weight(&self) -> usize {
        self.room.weight() + self.counts.weight() + self.cells.weight()
    }
}

impl FamilyRows {
    pub(super) fn new(name: Cow<'static, str>, head: Head, page_bounds: PageBounds) -> Self {
        Self {
            name,
            help: "".into(),
            head,
            page_bounds,
            rows: Vec::new(),
            places: Vec::new(),
            list: std::sync::Weak::new(),
            removals: Removals::default(),
            seen: 0,
            has_no_cells: false,
            begins_at_zero: true,
            divided: None,
        }
    }

    /// Whether it has the rows of the series of `list`, and their starts as of `reader`.
    pub(super) fn knows(&self, list: &Arc<SeriesList>, reader: &Reader) -> bool {
        let is_list = std::ptr::eq(self.list.as_ptr(), Arc::as_ptr(list));
        is_list && reader.is_as_of(&self.removals)
    }

    /// Finds or adds the rows of `list`. Rows of series that are not in it any more end.
    pub(super) fn learn(&mut self, list: &Arc<SeriesList>, reader: &Reader, to: Rows<'_>) {
        self.removals = reader.removals();
        if std::ptr::eq(self.list.as_ptr(), Arc::as_ptr(list)) {
            return;
        }
        let labels = list.known().iter().map(|listed| &listed.labels);
        self.begins_at_zero = true;
        self.join(labels, list.len(), true, to);
        self.list = Arc::downgrade(list);
    }

    /// Finds or makes the rows of `family`, which was read elsewhere. The rows of series that are not in
    /// it end.
    pub(super) fn learn_values(
        &mut self,
        family: &snapshot::Family,
        (store, selections): Rows<'_>,
    ) {
        let labels = || family.series().iter().map(snapshot::Series::labels);
        let are_known = self.begins_at_zero == family.begins_at_zero
            && self.places.len() == family.series().len()
            && self
                .places
                .iter()
                .zip(labels())
                .all(|(&row, labels)| store.row(row).labels == *labels);
        if !are_known {
            self.begins_at_zero = family.begins_at_zero;
            self.join(labels(), family.series().len(), false, (store, selections));
        }
        self.list = std::sync::Weak::new();
    }

    /// The row of the series at this index of what was learned last.
    #[inline]
    pub(super) fn at(&self, place: usize) -> RowId {
        self.places[place]
    }

    /// Finds or makes the rows of these labels, which are in ascending order; every other row ends.
    /// `are_shared` says whether the registry keeps these labels too.
    fn join<'a>(
        &mut self,
        labels: impl Iterator<Item = &'a LabelSet>,
        len: usize,
        are_shared: bool,
        (store, selections): Rows<'_>,
    ) {
        let mut found = Vec::with_capacity(len);
        // Most rows exist already: expect about as many as before.
        let mut merged = Vec::with_capacity(self.rows.len().max(len));
        let mut known = self.rows.iter().copied().peekable();
        for labels in labels {
            while let Some(row) = known.next_if(|&row| store.row(row).labels < *labels) {
                store.unlist(row);
                merged.push(row);
            }
            let same = known.next_if(|&row| store.row(row).labels == *labels);
            let row = same.unwrap_or_else(|| {
                let traits = Traits { shares_labels: are_shared, ..self.traits() };
                store.add_row(labels.clone(), Ticks::ORIGIN, traits)
            });
            store.rows[row as usize].begins_at_zero = self.begins_at_zero;
            selections.offer(&self.name, row, &mut store.rows[row as usize]);
            store.list(row);
            found.push(row);
            merged.push(row);
        }
        for row in known {
            store.unlist(row);
            merged.push(row);
        }
        (self.rows, self.places) = (merged, found);
    }

    /// Ends all rows: the family is not there any more.
    pub(super) fn end(&mut self, store: &mut Store) {
        self.rows.iter().for_each(|&row| store.unlist(row));
        (self.places, self.list) = (Vec::new(), std::sync::Weak::new());
    }

    fn traits(&self) -> Traits {
        Traits {
            form: self.head.form,
            is_sparse: false,
            is_gauge: self.head.kind == Kind::Gauge,
            has_buckets: self.head.kind == Kind::Histogram,
            is_sum: self.head.kind == Kind::Counter || self.head.kind.is_distribution(),
            shares_labels: false,
        }
    }

    /// How many bytes it takes, without its rows.
    pub(super) fn weight(&self) -> usize {
        let rows = (self.rows.capacity() + self.places.capacity()) * size_of::<RowId>();
        let cuts = self.divided.as_ref().map_or(0, |divided| divided.cuts.weight());
        size_of::<Self>() + self.name.len() + self.help.len() + rows + cuts
    }

    /// How histograms with these buckets are kept.
    pub(super) fn divided(&mut self, layout: &BucketLayout, store: &mut Store) -> Divided {
        let page_bounds = self.page_bounds;
        if let Some(divided) = &self.divided
            && (&divided.layout, divided.page_bounds) == (layout, page_bounds)
        {
            return divided.clone();
        }
        let bounds = match layout {
            BucketLayout::Explicit(bounds) => bounds.clone(),
            _ => ladder::bounds(self.head.unit, page_bounds),
        };
        let divided = Divided {
            layout: layout.clone(),
            page_bounds,
            cuts: Arc::new(Cuts::new(layout, &bounds)),
            columns: store.layout_id(&Layout::Columns(bounds.as_ref().into())),
            buckets: store.layout_id(&Layout::Buckets(layout.clone())),
        };
        self.divided = Some(divided.clone());
        divided
    }
}
