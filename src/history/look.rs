//! A selected series over the last range of time, as rules read it.
//!
//! A range is the ticks in (now - range, now], as in Prometheus 3. An increase goes from the sample at
//! the last tick before the range to the newest sample. Both are at hand; the samples in between are
//! read only if the series fell.

use std::{ops::Range, time::Duration};

use super::{
    instants::Instant,
    past::History,
    sample::{Form, Layout, Sample},
    select::{Found, SelectionId},
    store::{Row, RowId, Store},
    tier::TICKS,
};
use crate::{clock::Ticks, label::LabelSet, snapshot::HistogramSnapshot};

/// A selected series, as of the newest tick.
pub(crate) struct Look<'a> {
    store: &'a mut Store,
    found: &'a mut Found,
    span: Span,
}

/// The range of a selection. The cursors of its series follow the start.
#[derive(Clone, Copy)]
struct Span {
    range: u64, // In nanoseconds.
    first_inside: u64,
    now: u64,
}

/// The number of a tick, and the value at it.
type At = (u64, f64);

impl History {
    /// Hands over each series of a selection, in the order in which the series appeared.
    pub(crate) fn each_selected(&mut self, id: SelectionId, mut give: impl FnMut(&mut Look<'_>)) {
        let span = self.span(id);
        let Self { store, selections, .. } = self;
        for found in &mut selections.get_mut(id).found {
            give(&mut Look { store, found, span });
        }
    }

    /// The series at this index of a selection; `None` beyond the last.
    pub(crate) fn selected(&mut self, id: SelectionId, place: usize) -> Option<Look<'_>> {
        let span = self.span(id);
        let Self { store, selections, .. } = self;
        Some(Look { store, found: selections.get_mut(id).found.get_mut(place)?, span })
    }

    fn span(&self, id: SelectionId) -> Span {
        let range = self.selections.get(id).range;
        let first_inside = self.store.tiers[TICKS].first_inside(range);
        Span { range, first_inside, now: self.store.tick() }
    }

    /// The instant of the newest tick.
    pub(crate) fn newest(&self) -> Option<Ticks> {
        let ticks = &self.store.tiers[TICKS];
        Some(ticks.get(self.store.tick())?.taken)
    }

    /// Whether ticks in the range of a selection were given up for room.
    pub(crate) fn is_shortened(&self, id: SelectionId) -> bool {
        let (ticks, selection) = (&self.store.tiers[TICKS], self.selections.get(id));
        let start = ticks.first_inside(selection.range).saturating_sub(1);
        !selection.found.is_empty() && ticks.given_up() > start
    }
}

impl Look<'_> {
    pub(crate) fn labels(&self) -> &LabelSet {
        &self.row().labels
    }

    /// The value at the newest tick, of a histogram its count; `None` if the series was absent.
    pub(crate) fn last(&self) -> Option<f64> {
        let is_there = self.store.is_live(self.found.row);
        is_there.then(|| self.found.form.number(self.store.last(self.found.row)))
    }

    /// Whether it is a histogram of which every tick keeps all buckets.
    pub(crate) fn has_distributions(&self) -> bool {
        self.found.form == Form::Histogram && self.row().keeps_buckets
    }

    /// Whether the start of the last `range` is kept, and the series existed before it.
    pub(crate) fn covers(&self, range: Duration) -> bool {
        let first = match self.row().track_of(TICKS) {
            Some(track) => Some(track.first()),
            None => self.store.untracked(self.found.row, TICKS).map(|(born, ..)| born),
        };
        let first_inside = self.first_inside(nanos(range));
        let is_kept = first_inside > self.store.tiers[TICKS].first();
        is_kept && first.is_some_and(|first| first < first_inside)
    }

    /// Hands over the samples within the last `range`, oldest first.
    pub(crate) fn samples(&mut self, range: Duration, mut give: impl FnMut(Ticks, f64)) {
        self.settle(self.span.now);
        let first = self.first_inside(nanos(range));
        let (form, ticks) = (self.found.form, &self.store.tiers[TICKS]);
        self.store.each_sample(
            self.found.row,
            first..self.span.now + 1,
            |from, until, _, sample| {
                let taken = (from..until).filter_map(|tick| Some(ticks.get(tick)?.taken));
                taken.for_each(|taken| give(taken, sample.number(form)));
            },
        );
    }

    /// By how much it grew over the last `range`, and the time between the two samples.
    ///
    /// The first sample is the one at or before the start of the range, or else the oldest; the second
    /// is the newest. Where the value fell, or the sum restarted, it counts from zero again. A sum
    /// that was absent at the start and appeared since counts from zero.
    pub(crate) fn increase(&mut self, range: Duration) -> Option<(f64, Duration)> {
        let range = nanos(range);
        let is_known = |&(at, _): &(u64, _)| at == self.span.now && range == self.span.range;
        if let Some((_, increase)) = self.found.increase.filter(is_known) {
            return increase;
        }
        let increase = self.increase_anew(range);
        if range == self.span.range {
            self.found.increase = Some((self.span.now, increase));
        }
        increase
    }

    /// The values that a histogram recorded over the last `range`, between the same two samples as
    /// [`increase`](Self::increase).
    pub(crate) fn distribution(&mut self, range: Duration) -> Option<HistogramSnapshot> {
        let (from, to) = self.ends(nanos(range))?;
        let later = self.store.histogram(self.row().track_of(TICKS)?.last())?;
        if self.falls_after(from.tick()) {
            return self.distribution_of_several(from, to, &later);
        }
        let Base::Sample((at, count)) = from else { return Some(later) };
        if count == to.1 {
            return Some(HistogramSnapshot::default()); // Nothing was recorded: the usual case.
        }
        let row = self.store.row(self.found.row);
        let earlier = row.track_of(TICKS)?.seek(&mut self.found.cursor, at)?;
        Some(later.since(&self.store.histogram(earlier)?))
    }

    /// As [`distribution`](Self::distribution), where the histogram restarted in between.
    fn distribution_of_several(
        &self,
        from: Base,
        to: At,
        newest: &HistogramSnapshot,
    ) -> Option<HistogramSnapshot> {
        let mut sum = HistogramSnapshot::default();
        let mut base = HistogramSnapshot::default();
        let mut last: Option<(Ticks, HistogramSnapshot)> = None;
        let ticks = from.tick()..to.0 + 1;
        self.store.each_sample(self.found.row, ticks, |_, _, start, sample| {
            let Some(here) = self.store.histogram(sample) else { return };
            match last.take() {
                None if matches!(from, Base::Sample(_)) => base = here.clone(),
                Some((began, before)) if began != start || here.count() < before.count() => {
                    sum.merge(&before.since(&base));
                    base = HistogramSnapshot::default();
                }
                _ => {}
            }
            last = Some((start, here));
        });
        sum.merge(&newest.since(&base));
        Some(sum)
    }

    fn increase_anew(&mut self, range: u64) -> Option<(f64, Duration)> {
        let (from, to) = self.ends(range)?;
        let ticks = &self.store.tiers[TICKS];
        let time = ticks.get(to.0)?.taken.since(ticks.get(from.tick())?.taken);
        let mut amount = match from {
            Base::Nothing(_) => to.1,
            Base::Sample((_, value)) => to.1 - value,
        };
        let row = self.row();
        if row.is_sum && !self.falls_after(from.tick()) {
            return Some((amount, time));
        }
        let (form, is_sum) = (row.form, row.is_sum);
        self.settle(to.0);
        let mut last: Option<(Ticks, f64)> = None;
        let ticks = from.tick()..to.0 + 1;
        self.store.each_sample(self.found.row, ticks, |_, _, start, sample| {
            let value = sample.number(form);
            if let Some((began, before)) = last
                && (value < before || is_sum && began != start)
            {
                amount += before;
            }
            last = Some((start, value));
        });
        Some((amount, time))
    }

    /// The two samples of an increase over `range`.
    fn ends(&mut self, range: u64) -> Option<(Base, At)> {
        let first_inside = self.first_inside(range);
        let to = self.newest_after(first_inside)?;
        let base = first_inside.saturating_sub(1).max(self.store.tiers[TICKS].first());
        if base >= to.0 {
            return None;
        }
        self.settle(base);
        if let Some(value) = self.value_at(base, range) {
            return Some((Base::Sample((base, value)), to));
        }
        let row = self.row();
        if row.is_sum && row.since > base && self.was_zero_at(base) {
            return Some((Base::Nothing(base), to));
        }
        let (form, mut first) = (row.form, None);
        self.store.each_sample(self.found.row, base..to.0, |at, _, _, sample| {
            first.get_or_insert_with(|| (at, sample.number(form)));
        });
        Some((Base::Sample(first?), to))
    }

    /// Whether the sum, which appeared after the tick `base`, was zero then. Of a total that is read
    /// elsewhere this is known only if it began after that.
    fn was_zero_at(&self, base: u64) -> bool {
        let row = self.row();
        let began_after = |base: &Instant| row.start > base.taken;
        row.begins_at_zero || self.store.tiers[TICKS].get(base).is_some_and(began_after)
    }

    /// The newest sample, if it is at the tick `first` or after it.
    fn newest_after(&self, first: u64) -> Option<At> {
        if let Some(value) = self.last() {
            return (self.span.now >= first).then_some((self.span.now, value));
        }
        // The series has ended: the last record is the mark.
        let row = self.row();
        let track = row.track_of(TICKS)?;
        let at = track.at().checked_sub(1).filter(|&at| track.is_ended() && at >= first)?;
        Some((at, track.last().number(row.form)))
    }

    /// The value at the tick `at`, the start of the range.
    fn value_at(&mut self, at: u64, range: u64) -> Option<f64> {
        let id = self.found.row;
        if range != self.span.range {
            let form = self.row().form;
            return self.store.sample(id, TICKS, at, |_, sample| sample.number(form));
        }
        if let Some((_, value)) = self.found.base.filter(|&(known, _)| known == at) {
            return value;
        }
        let row = self.store.row(id);
        let value = match row.track_of(TICKS) {
            Some(track) => {
                track.seek(&mut self.found.cursor, at).map(|sample| sample.number(row.form))
            }
            None => self.store.sample(id, TICKS, at, |_, sample| sample.number(row.form)),
        };
        self.found.base = Some((at, value));
        value
    }

    /// Hands staged samples over to the track if it ends before the tick `at`.
    fn settle(&mut self, at: u64) {
        let is_behind = self.row().track_of(TICKS).is_some_and(|track| track.at() < at);
        if is_behind {
            self.store.unstage(self.found.row as usize);
        }
    }

    fn falls_after(&self, at: u64) -> bool {
        self.row().track_of(TICKS).is_some_and(|track| track.falls_after(at))
    }

    fn row(&self) -> &Row {
        self.store.row(self.found.row)
    }

    fn first_inside(&self, range: u64) -> u64 {
        match range == self.span.range {
            true => self.span.first_inside,
            false => self.store.tiers[TICKS].first_inside(range),
        }
    }
}

/// Where an increase starts.
#[derive(Clone, Copy, Debug)]
enum Base {
    Sample(At),
    /// A sum that did not exist yet at this tick.
    Nothing(u64),
}

impl Base {
    fn tick(self) -> u64 {
        match self {
            Self::Sample((at, _)) | Self::Nothing(at) => at,
        }
    }
}

impl Store {
    /// Hands over the samples of a row at these ticks. Each value comes with its first tick, one past
    /// its last tick, and the start of its sum.
    fn each_sample(
        &self,
        id: RowId,
        ticks: Range<u64>,
        mut give: impl FnMut(u64, u64, Ticks, Sample<'_>),
    ) {
        let Range { start: first, end } = ticks;
        let Some(track) = self.row(id).track_of(TICKS) else {
            if let Some((born, start, bits)) = self.untracked(id, TICKS)
                && born < end
            {
                give(born.max(first), end, start, Sample::Bits(bits));
            }
            return;
        };
        track.read(first).each(end, |at, until, start, sample| {
            if until > first {
                give(at.max(first), until, start, sample);
            }
        });
    }

    /// The sample as a histogram with all buckets; `None` if it is not one.
    fn histogram(&self, sample: Sample<'_>) -> Option<HistogramSnapshot> {
        let Sample::Histogram(layout, cells) = sample else { return None };
        let Layout::Buckets(layout) = self.layout(layout) else { return None };
        let counts = cells.cells.iter().map(|&(cell, count)| (cell as u32, count)).collect();
        Some(HistogramSnapshot::from_cells(layout.clone(), counts, f64::from_bits(cells.sum)))
    }
}

fn nanos(range: Duration) -> u64 {
    range.as_nanos().try_into().unwrap_or(u64::MAX)
}
