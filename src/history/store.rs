//! The samples of all series, by row.
//!
//! A row is a series: a label set of a family. If the series ends and starts again with the same
//! labels, it has the same row. What every tick reads is in a column of its own, with the last values.
//!
//! ```text
//!  hot: last, flags, staged      rows                          tracks, one a tier
//!  ┌────────────────────────┐    ┌──────────────────────────┐
//!  │  7  L                  │    │ labels, start, first ... │   none: it has been `first` all its life
//!  │ 12  LC  + 1 + 1 + 2    │    │ labels, start, first ... ├─► sealed, sealed, open chunk
//!  └────────────────────────┘    └──────────────────────────┘
//! ```
//!
//! A sample equal to the last one is not written. A series that has not changed since it began has no
//! track. A change is written into the coarser tiers at their next instant.

use std::time::Duration;

use super::{
    chunk::Pool,
    hot::{Hot, flag},
    instants::{Instant, Instants},
    minute::Minute,
    sample::{Cells, Form, Layout, LayoutId, Sample},
    tier::{INTERVALS, MARKS, MINUTES, TICKS, TIERS},
    track::{Shape, Track},
};
use crate::{clock::Ticks, label::LabelSet};

/// The number of a row.
pub(crate) type RowId = u32;

/// All rows and tiers.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) tiers: [Instants; TIERS],
    /// The number of the newest tick in each tier that has it.
    pub(super) now: [Option<u64>; TIERS],
    pub(super) hot: Vec<Hot>,  // As many as rows.
    pub(super) rows: Vec<Row>, // Those in `vacant` are free.
    pub(super) vacant: Vec<RowId>,
    /// How many bytes the label sets take that only the rows hold.
    labels_weight: usize,
    layouts: Vec<Layout>,
    pub(super) pool: Pool,
    /// How many bytes the tracks take outside the pool, as of the last time they were added up.
    pub(super) tracks_weight: usize,
    /// Holds one minute of a gauge while it is written.
    pub(super) scratch: Cells,
}

/// A series, apart from its last value.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) labels: LabelSet,
    pub(super) form: Form,
    /// The start of the sum that the next samples belong to.
    pub(super) start: Ticks,
    /// The tick of the first sample, the sample and its start. They stand for the row until it has a
    /// track.
    pub(super) born: u64,
    pub(super) first: u64,
    pub(super) first_start: Ticks,
    pub(super) tracks: [Option<Box<Track>>; TIERS],
    pub(super) minute: Option<Box<Minute>>,
    /// The tick at which the sum of the last sample first had a sample.
    pub(super) since: u64,
    /// How far back selections read it, in nanoseconds; zero if it is not selected.
    pub(super) reach: u64,
    /// Whether it is a sum that only grows.
    pub(super) is_sum: bool,
    /// Whether each tick keeps all its buckets.
    pub(super) keeps_buckets: bool,
    /// Whether it was matched against the selections.
    pub(super) is_offered: bool,
    /// Whether its family had this series at the last tick.
    pub(super) is_listed: bool,
    /// Whether the registry holds its labels too while it lists the series.
    shares_labels: bool,
    /// Whether the sum was zero before it appeared, as far as this is known.
    pub(super) begins_at_zero: bool,
}

/// What kind of series a row is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) form: Form,
    /// Whether it has samples only at the ticks at which they were added; else a sample holds until
    /// the series ends.
    pub(crate) is_sparse: bool,
    /// Whether it is a gauge, whose minutes have a minimum, a maximum and a mean.
    pub(crate) is_gauge: bool,
    /// Whether [`Store::add_buckets`] writes it into the coarser tiers.
    pub(crate) has_buckets: bool,
    /// Whether it is a sum that only grows, or consists of several such sums.
    pub(crate) is_sum: bool,
    /// Whether the registry holds its labels too while it lists the series.
    pub(crate) shares_labels: bool,
}

impl Store {
    /// An empty store, whose tiers keep all series for these durations.
    pub(super) fn new(keep: [Duration; TIERS]) -> Self {
        let tier = |tier: usize| Instants::new(INTERVALS[tier], keep[tier]);
        Self {
            tiers: [tier(TICKS), tier(MARKS), tier(MINUTES)],
            now: [None; TIERS],
            hot: Vec::new(),
            rows: Vec::new(),
            vacant: Vec::new(),
            labels_weight: 0,
            layouts: vec![Layout::Minute],
            pool: Pool::default(),
            tracks_weight: 0,
            scratch: Cells::default(),
        }
    }

    /// Begins a tick.
    pub(super) fn begin(&mut self, taken: Ticks, slot: u64) {
        let instant = Instant { taken, slot, tick: self.tiers[TICKS].end() };
        for (tier, now) in self.tiers.iter_mut().zip(&mut self.now) {
            *now = tier.add(instant);
        }
    }

    /// Whether histograms need all their buckets at this tick.
    pub(super) fn is_mark(&self) -> bool {
        self.now[MARKS].is_some()
    }

    /// Adds a row for a series.
    pub(super) fn add_row(&mut self, labels: LabelSet, start: Ticks, traits: Traits) -> RowId {
        let row = Row {
            labels,
            form: traits.form,
            start,
            born: 0,
            first: 0,
            first_start: start,
            tracks: [const { None }; TIERS],
            minute: None,
            since: 0,
            reach: 0,
            is_sum: traits.is_sum,
            keeps_buckets: false,
            is_offered: false,
            is_listed: false,
            shares_labels: traits.shares_labels,
            begins_at_zero: true,
        };
        self.labels_weight += row.labels.weight();
        let is = |yes: bool, flag: u8| if yes { flag } else { 0 };
        let flags = is(traits.is_sparse, flag::SPARSE)
            | is(traits.is_gauge, flag::GAUGE)
            | is(traits.has_buckets, flag::BUCKETS);
        match self.vacant.pop() {
            Some(id) => {
                let place = id as usize;
                (self.rows[place], self.hot[place]) = (row, Hot { flags, ..Hot::default() });
                id
            }
            None => {
                if self.rows.len() == self.rows.capacity() {
                    // Grows by an eighth, and does not double: unused room counts against the budget.
                    let more = (self.rows.len() / 8).max(16);
                    self.rows.reserve_exact(more);
                    self.hot.reserve_exact(more);
                }
                self.rows.push(row);
                self.hot.push(Hot { flags, ..Hot::default() });
                (self.rows.len() - 1) as RowId
            }
        }
    }

    /// The number of the newest tick.
    pub(super) fn tick(&self) -> u64 {
        self.tiers[TICKS].end().saturating_sub(1)
    }

    pub(super) fn is_live(&self, id: RowId) -> bool {
        self.hot[id as usize].flags & flag::LIVE != 0
    }

    /// Frees a row that has nothing left.
    pub(super) fn vacate(&mut self, id: RowId) {
        let place = id as usize;
        // Its series is not listed, so its labels were counted.
        self.labels_weight -= std::mem::take(&mut self.rows[place].labels).weight();
        self.hot[place] = Hot::default();
        self.vacant.push(id);
    }

    /// The value of a row that has no track in this tier: the tick from which on it holds, its start
    /// and its bits.
    pub(super) fn untracked(&self, id: RowId, tier: usize) -> Option<(u64, Ticks, u64)> {
        let (row, flags) = (self.row(id), self.hot[id as usize].flags);
        let is_minute = tier == MINUTES && flags & flag::GAUGE != 0;
        let is_plain = row.form != Form::Histogram && flags & flag::SPARSE == 0 && !is_minute;
        (is_plain && flags & flag::KNOWN != 0).then_some((row.born, row.first_start, row.first))
    }

    /// The bits of the last sample; of a histogram its count.
    pub(super) fn last(&self, id: RowId) -> u64 {
        self.hot[id as usize].last
    }

    /// How many bytes the rows take, without their tracks.
    pub(super) fn rows_weight(&self) -> usize {
        self.rows.capacity() * size_of::<Row>()
            + self.hot.capacity() * size_of::<Hot>()
            + self.vacant.capacity() * size_of::<RowId>()
            + self.labels_weight
    }

    /// How many rows there are.
    pub(super) fn n_rows(&self) -> usize {
        self.rows.len() - self.vacant.len()
    }

    pub(super) fn row(&self, id: RowId) -> &Row {
        &self.rows[id as usize]
    }

    /// Notes that the family has the series.
    pub(super) fn list(&mut self, id: RowId) {
        let row = &mut self.rows[id as usize];
        if !std::mem::replace(&mut row.is_listed, true) && row.shares_labels {
            self.labels_weight -= row.labels.weight();
        }
    }

    /// Notes that the family does not have the series any more: it has ended.
    pub(super) fn unlist(&mut self, id: RowId) {
        let row = &mut self.rows[id as usize];
        if std::mem::take(&mut row.is_listed) {
            if row.shares_labels {
                self.labels_weight += row.labels.weight();
            }
            self.end(id);
        }
    }

    /// Sets the start of the sum that the next samples belong to.
    pub(super) fn set_start(&mut self, id: RowId, start: Ticks) {
        let place = id as usize;
        if self.rows[place].start != start {
            self.rows[place].start = start;
            self.hot[place].flags |= flag::RESTARTED;
        }
    }

    /// The id of a layout. Adds the layout if it is new.
    pub(super) fn layout_id(&mut self, layout: &Layout) -> LayoutId {
        let place = self.layouts.iter().position(|known| known == layout);
        let place = place.unwrap_or_else(|| {
            self.layouts.push(layout.clone());
            self.layouts.len() - 1
        });
        LayoutId(place as u16)
    }

    pub(super) fn layout(&self, id: LayoutId) -> &Layout {
        &self.layouts[usize::from(id.0)]
    }

    /// Adds a number at this tick.
    #[inline]
    pub(super) fn add_bits(&mut self, id: RowId, bits: u64) {
        const LOOKED_AT: u8 = flag::LIVE | flag::RESTARTED | flag::SPARSE;
        let tick = self.tiers[TICKS].end().wrapping_sub(1);
        let hot = &mut self.hot[id as usize];
        let goes_on = hot.flags & LOOKED_AT == flag::LIVE;
        if goes_on && (hot.last == bits || hot.stage_brief(tick, bits)) {
            return;
        }
        self.stage_or_change(id, bits, goes_on);
    }

    #[inline(never)]
    fn stage_or_change(&mut self, id: RowId, bits: u64, goes_on: bool) {
        let tick = self.tick();
        let hot = &mut self.hot[id as usize];
        // A fall has to be noted in the track, so it is not staged.
        if !(goes_on && bits > hot.last && hot.stage(tick, bits)) {
            self.change(id, bits);
        }
    }

    /// Whether the histogram of a row has changed since the last tick, judged by its count.
    #[inline]
    pub(super) fn is_changed(&self, id: RowId, count: u64) -> bool {
        let place = id as usize;
        const LOOKED_AT: u8 = flag::LIVE | flag::RESTARTED;
        self.hot[place].last != count || self.hot[place].flags & LOOKED_AT != flag::LIVE
    }

    /// Whether a coarser tier has an instant now, and the row has changed since that tier's last one.
    pub(super) fn needs_buckets(&self, id: RowId) -> bool {
        let flags = self.hot[id as usize].flags;
        let is_due = |tier: usize| self.now[tier].is_some() && flags & flag::CHANGED[tier] != 0;
        is_due(MARKS) || is_due(MINUTES)
    }

    fn change(&mut self, id: RowId, bits: u64) {
        let place = id as usize;
        self.unstage(place);
        let Some(now) = self.now[TICKS] else { return };
        let flags = self.hot[place].flags;
        if flags & flag::GAUGE != 0 {
            self.count_gauge(place, now, true);
        }
        let falls = self.note_sum(place, now, |form, last| form.number(bits) < form.number(last));
        let row = &mut self.rows[place];
        let sample = (now, row.start, Sample::Bits(bits), PLAIN);
        let is_first = flags & flag::KNOWN == 0 || row.born == NEVER;
        if is_first {
            (row.born, row.first, row.first_start) = (now, bits, row.start);
        }
        if flags & flag::SPARSE != 0 {
            row.push(TICKS, sample, flags, (&mut self.pool, &mut self.tracks_weight));
        } else if !is_first || row.tracks[TICKS].is_some() {
            let born = row.born;
            let track = row.track(TICKS, born, flags, &mut self.pool, &mut self.tracks_weight);
            track.push(sample, &mut self.pool);
            if falls {
                track.note_fall();
            }
            let staging = track.staging();
            self.hot[place].go_on(staging);
        }
        self.hot[place].last = bits;
        self.note_change(place);
    }

    /// Notes the tick at which the sum of the next sample appeared. Returns whether it is another sum
    /// than before, or has fallen.
    fn note_sum(
        &mut self,
        place: usize,
        now: u64,
        is_below: impl FnOnce(Form, u64) -> bool,
    ) -> bool {
        let (hot, row) = (&self.hot[place], &mut self.rows[place]);
        let is_known = hot.flags & flag::KNOWN != 0;
        let is_other = hot.flags & flag::RESTARTED != 0;
        if !is_known || is_other {
            row.since = now;
        }
        is_known && (is_other || is_below(row.form, hot.last))
    }

    /// Hands staged samples over to the track.
    pub(super) fn unstage(&mut self, place: usize) {
        let hot = &mut self.hot[place];
        if let (n @ 1.., Some(track)) = (hot.n_staged, &mut self.rows[place].tracks[TICKS]) {
            let bytes = &hot.staged[..n.into()];
            let state = (hot.at.into(), hot.last, hot.expected.into());
            track.add_staged(bytes, state, &mut self.pool);
            let staging = track.staging();
            hot.go_on(staging);
        }
    }

    /// Lets samples of a row be staged again after its track was rewritten.
    pub(super) fn go_on(&mut self, place: usize) {
        let track = self.rows[place].tracks[TICKS].as_ref();
        let staging = track.and_then(|track| track.staging());
        let is_live = self.hot[place].flags & flag::LIVE != 0;
        self.hot[place].go_on(staging.filter(|_| is_live));
    }

    /// Hands all staged samples over to the tracks, so that they can be read.
    pub(super) fn settle(&mut self) {
        (0..self.hot.len()).for_each(|place| self.unstage(place));
    }

    fn note_change(&mut self, place: usize) {
        self.hot[place].flags = self.hot[place].flags & !flag::RESTARTED
            | flag::LIVE
            | flag::KNOWN
            | flag::CHANGED[MARKS]
            | flag::CHANGED[MINUTES];
    }

    fn shape(&self, layout: LayoutId) -> Shape {
        (layout, self.layout(layout).are_whole())
    }

    /// Adds a changed histogram at this tick; `count` is its count.
    pub(super) fn add_histogram(&mut self, id: RowId, count: u64, layout: LayoutId, cells: &Cells) {
        let place = id as usize;
        let Some(now) = self.now[TICKS] else { return };
        let shape = self.shape(layout);
        let falls = self.note_sum(place, now, |_, last| count < last);
        let (row, flags) = (&mut self.rows[place], self.hot[place].flags);
        if flags & flag::KNOWN == 0 {
            row.born = now;
        }
        let sample = (now, row.start, Sample::Histogram(layout, cells), shape);
        row.push(TICKS, sample, flags, (&mut self.pool, &mut self.tracks_weight));
        if falls {
            row.tracks[TICKS].iter_mut().for_each(|track| track.note_fall());
        }
        self.hot[place].last = count;
        self.note_change(place);
    }

    /// Adds the buckets of a histogram to the tiers that have an instant at this tick.
    pub(super) fn add_buckets(&mut self, id: RowId, layout: LayoutId, cells: &Cells) {
        let place = id as usize;
        let shape = self.shape(layout);
        for tier in [MARKS, MINUTES] {
            let Some(now) = self.now[tier] else { continue };
            let (row, flags) = (&mut self.rows[place], self.hot[place].flags);
            let sample = (now, row.start, Sample::Histogram(layout, cells), shape);
            row.push(tier, sample, flags, (&mut self.pool, &mut self.tracks_weight));
            self.hot[place].flags &= !flag::CHANGED[tier];
        }
    }

    /// Marks that a series has no sample at this tick.
    pub(super) fn end(&mut self, id: RowId) {
        let place = id as usize;
        let (Some(now), flags) = (self.now[TICKS], self.hot[place].flags) else { return };
        if flags & flag::LIVE == 0 {
            return;
        }
        self.unstage(place);
        self.hot[place].go_on(None);
        if flags & flag::GAUGE != 0 {
            self.count_gauge(place, now, false);
        }
        let row = &mut self.rows[place];
        let born = row.born;
        let track = row.track(TICKS, born, flags, &mut self.pool, &mut self.tracks_weight);
        track.end(now, &mut self.pool);
        self.note_change(place);
        // If the sum restarted meanwhile, the new one has no sample yet.
        self.hot[place].flags = self.hot[place].flags & !flag::LIVE | flags & flag::RESTARTED;
    }

    /// Counts the value that a gauge has had up to the tick `now`.
    fn count_gauge(&mut self, place: usize, now: u64, is_there: bool) {
        let since = (self.hot[place].flags & flag::LIVE != 0)
            .then(|| self.rows[place].born.max(self.minute_began()));
        let minute = self.rows[place].minute.get_or_insert_with(|| {
            self.tracks_weight += size_of::<Minute>();
            Box::new(Minute::new(since))
        });
        minute.change(f64::from_bits(self.hot[place].last), now, is_there);
    }

    /// The tick at which the current minute began. A minute that ends at this tick is still current.
    fn minute_began(&self) -> u64 {
        let minutes = &self.tiers[MINUTES];
        // If this tick is an instant of the tier, it ends the current minute.
        let end = minutes.end() - u64::from(self.now[MINUTES].is_some());
        let began = end.checked_sub(1).and_then(|number| minutes.get(number));
        began.map_or(0, |instant| instant.tick)
    }
}

/// The `born` of a row that has no sample without a track.
pub(super) const NEVER: u64 = u64::MAX;

/// The shape of a plain number.
pub(super) const PLAIN: Shape = (LayoutId(0), true);
pub(super) const MINUTE: LayoutId = LayoutId(0);
pub(super) const MINUTE_SHAPE: Shape = (MINUTE, false);

pub(super) type Weight<'a> = (&'a mut Pool, &'a mut usize);

impl Row {
    /// The track of a tier, if it has one.
    pub(super) fn track_of(&self, tier: usize) -> Option<&Track> {
        self.tracks[tier].as_deref()
    }

    /// The track of a tier. Creates it, if there is none, from the first sample, at the instant
    /// `first`.
    pub(super) fn track(
        &mut self,
        tier: usize,
        first: u64,
        flags: u8,
        pool: &mut Pool,
        weight: &mut usize,
    ) -> &mut Track {
        let (form, first) = (self.form, (first, self.first_start, Sample::Bits(self.first), PLAIN));
        self.tracks[tier].get_or_insert_with(|| {
            let track = Track::new(form, flags & flag::SPARSE != 0, first, pool);
            *weight += track.weight();
            Box::new(track)
        })
    }

    /// Adds a sample to the track of a tier, which may be its first.
    pub(super) fn push(
        &mut self,
        tier: usize,
        sample: (u64, Ticks, Sample<'_>, Shape),
        flags: u8,
        (pool, weight): Weight<'_>,
    ) {
        match &mut self.tracks[tier] {
            Some(track) if track.at() < sample.0 => track.push(sample, pool),
            Some(_) => {}
            none => {
                let form = match sample.2 {
                    Sample::Histogram(..) => Form::Histogram,
                    Sample::Bits(_) => self.form,
                };
                let track = Track::new(form, flags & flag::SPARSE != 0, sample, pool);
                *weight += track.weight();
                *none = Some(Box::new(track));
            }
        }
    }

    /// Marks in a coarser tier that the series has ended; `before` is its first instant there.
    pub(super) fn end(
        &mut self,
        tier: usize,
        (before, now): (u64, u64),
        flags: u8,
        weight: Weight<'_>,
    ) {
        let is_plain = self.form != Form::Histogram;
        if self.tracks[tier].is_some() {
            self.tracks[tier].iter_mut().for_each(|track| track.end(now, weight.0));
        } else if is_plain && before < now {
            self.track(tier, before, flags, weight.0, weight.1).end(now, weight.0);
        } else if is_plain {
            self.born = NEVER; // It lived between two instants of the tier, which has no sample of it.
        }
    }

    /// Writes the histogram of the last tick into a coarser tier.
    pub(super) fn copy_histogram(&mut self, tier: usize, now: u64, flags: u8, weight: Weight<'_>) {
        let [ticks, coarser @ ..] = &mut self.tracks;
        let Some(ticks) = ticks else { return };
        let (cells, shape) = ticks.histogram();
        let sample = (now, self.start, Sample::Histogram(shape.0, cells), shape);
        match &mut coarser[tier - 1] {
            Some(track) if track.at() < now => track.push(sample, weight.0),
            Some(_) => {}
            none => {
                let is_sparse = flags & flag::SPARSE != 0;
                let track = Track::new(Form::Histogram, is_sparse, sample, weight.0);
                *weight.1 += track.weight();
                *none = Some(Box::new(track));
            }
        }
    }
}
