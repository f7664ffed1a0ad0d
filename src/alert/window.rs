//! The samples that rules look back on: one column of times, one ring of values for each series.
//!
//! Each tick takes from a snapshot the series that some rule selects, and nothing else. A series is
//! matched against the selectors once, when it first appears. Its ring is aligned with the column of
//! times: the value of tick `n` is at `n - first`. A tick in which a series is absent leaves an end
//! mark, so that it is not read as a value.
//!
//! A ring keeps what the longest range that selects its series needs: the samples inside the range,
//! and the one at or before its start, from which increases are counted. The whole stays within a
//! budget of bytes: over it the oldest ticks go first, and the selections whose range then reaches
//! further back than the samples are marked as shortened.

use std::{
    cmp::Ordering,
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::{
    need::Need,
    selector::Selector,
    track::{SERIES_BYTES, Sample, Track},
};
use crate::{
    clock::Ticks,
    label::LabelSet,
    metric::{Family, HistogramSnapshot, Kind, Series, Snapshot},
};

/// The samples of the series that rules select, for as long as a rule needs them.
///
/// A [`Condition`](super::Condition) reads it; only what the condition's
/// [`needs`](super::Condition::needs) declared is there.
#[derive(Debug)]
pub struct SampleWindow {
    times: VecDeque<Moment>,
    first: u64, // The number of the tick at the front of `times`.
    selections: Vec<Selection>,
    by_selector: HashMap<Selector, usize>,
    ranges: Vec<Range>, // The distinct ranges of the selections.
    families: Vec<FamilyTracks>,
    tracks: Vec<Option<Track>>,
    vacant: Vec<usize>,
    bytes: usize,
    budget_bytes: usize,
    floor: u64, // Ticks before this one were given up for the budget.
    refused: u64,
    has_ticked: bool,
}

/// When a tick was: the instant of its snapshot, and the slot it stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) taken: Ticks,
    /// Nanoseconds on an axis without steps; ranges are measured on it, so that a tick that came
    /// a little late does not change how many samples a range has.
    pub(crate) slot: u64,
}

#[derive(Debug)]
struct Selection {
    selector: Selector,
    range: usize, // In `ranges`.
    distributions: bool,
    tracks: Vec<usize>,
    shortened: bool,
}

/// A range and where it begins at the newest tick.
#[derive(Clone, Copy, Debug)]
struct Range {
    length: Duration,
    first_inside: u64,
    time: Duration, // From the tick before `first_inside`, where there is one, to the newest.
}

/// The series of one family that some selector names, matched or not.
#[derive(Debug)]
struct FamilyTracks {
    name: String,
    entries: Vec<Entry>, // Invariant: sorted by labels.
}

#[derive(Debug)]
struct Entry {
    labels: LabelSet,
    track: Option<usize>, // `None`: no selector matches it, or there is no room for it.
    seen: u64,
}

impl SampleWindow {
    pub(crate) fn new(needs: impl IntoIterator<Item = Need>, budget_bytes: usize) -> Self {
        let mut window = Self {
            times: VecDeque::new(),
            first: 0,
            selections: Vec::new(),
            by_selector: HashMap::new(),
            ranges: Vec::new(),
            families: Vec::new(),
            tracks: Vec::new(),
            vacant: Vec::new(),
            bytes: 0,
            budget_bytes,
            floor: 0,
            refused: 0,
            has_ticked: false,
        };
        for need in needs {
            window.add(need);
        }
        window
    }

    /// The instant of the newest tick.
    #[must_use]
    pub fn newest(&self) -> Option<Ticks> {
        self.times.back().map(|moment| moment.taken)
    }

    /// The series that `selector` matches, those that have ended lately among them.
    ///
    /// None where no rule's [`needs`](super::Condition::needs) named the selector.
    pub fn select(&self, selector: &Selector) -> impl Iterator<Item = SeriesWindow<'_>> {
        let selection = self.by_selector.get(selector).map(|&place| &self.selections[place]);
        let tracks = selection.into_iter().flat_map(|selection| &selection.tracks);
        tracks.filter_map(|&place| {
            let track = self.tracks[place].as_ref()?;
            Some(SeriesWindow { window: self, track })
        })
    }

    /// How many bytes the samples take, of the budget.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many series there was no room for.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether samples of `selector` that its range needs were given up for the budget.
    pub(crate) fn is_shortened(&self, selector: &Selector) -> bool {
        self.by_selector.get(selector).is_some_and(|&place| self.selections[place].shortened)
    }

    fn add(&mut self, need: Need) {
        let range = match self.ranges.iter().position(|range| range.length == need.range) {
            Some(found) => found,
            None => {
                self.ranges.push(Range {
                    length: need.range,
                    first_inside: 0,
                    time: Duration::ZERO,
                });
                self.ranges.len() - 1
            }
        };
        if let Some(&place) = self.by_selector.get(&need.selector) {
            let known = &mut self.selections[place];
            known.distributions |= need.distributions;
            if self.ranges[known.range].length < need.range {
                known.range = range;
            }
            return;
        }
        if !self.families.iter().any(|family| family.name == need.selector.name()) {
            let name = need.selector.name().to_owned();
            self.families.push(FamilyTracks { name, entries: Vec::new() });
        }
        self.by_selector.insert(need.selector.clone(), self.selections.len());
        self.selections.push(Selection {
            selector: need.selector,
            range,
            distributions: need.distributions,
            tracks: Vec::new(),
            shortened: false,
        });
    }

    /// Takes the samples of a tick, and lets go of those that no range needs any more.
    pub(crate) fn take(&mut self, snapshot: &Snapshot, slot: u64) {
        self.times.push_back(Moment { taken: snapshot.taken(), slot });
        self.bytes += size_of::<Moment>();
        let tick = self.newest_tick();
        let mut families = std::mem::take(&mut self.families);
        for family in &mut families {
            self.take_family(family, snapshot.family(&family.name), tick);
        }
        self.families = families;
        self.has_ticked = true;
        self.locate_ranges();
        self.trim();
        while self.bytes > self.budget_bytes && self.times.len() > 1 {
            self.give_up_oldest();
        }
        self.refuse_what_does_not_fit();
        self.mark_shortened();
    }

    fn newest_tick(&self) -> u64 {
        self.first + self.times.len() as u64 - 1
    }

    /// Joins the known series with those of the snapshot; both are sorted by labels.
    fn take_family(&mut self, known: &mut FamilyTracks, found: Option<&Family>, tick: u64) {
        let mut appeared = Vec::new();
        let mut place = 0;
        for series in found.map_or(&[][..], Family::series) {
            // One comparison for a series that is where it was: nearly all of them.
            let is_known = loop {
                let Some(entry) = known.entries.get(place) else { break false };
                match entry.labels.cmp(&series.labels) {
                    Ordering::Less => self.end(entry, tick),
                    Ordering::Equal => break true,
                    Ordering::Greater => break false,
                }
                place += 1;
            };
            if is_known {
                known.entries[place].seen = tick;
                self.push(&known.entries[place], series, tick);
                place += 1;
            } else {
                appeared.push(series);
            }
        }
        known.entries[place..].iter().for_each(|entry| self.end(entry, tick));
        // Those with a ring go with it.
        known.entries.retain(|entry| entry.track.is_some() || entry.seen == tick);
        for series in appeared {
            let kind = found.map_or(Kind::Gauge, Family::kind);
            let track = self.start(&known.name, kind, series, tick);
            known.entries.push(Entry { labels: series.labels.clone(), track, seen: tick });
        }
        known.entries.sort_by(|a, b| a.labels.cmp(&b.labels)); // Nearly sorted: one pass.
    }

    /// Begins a ring for a series, if a selector matches it and there is room.
    fn start(&mut self, name: &str, kind: Kind, series: &Series, tick: u64) -> Option<usize> {
        let matching = |selection: &Selection| {
            selection.selector.name() == name && selection.selector.matches(&series.labels)
        };
        let matching: Vec<usize> =
            (0..self.selections.len()).filter(|&place| matching(&self.selections[place])).collect();
        let range = matching.iter().map(|&place| self.selections[place].range);
        let range = range.max_by_key(|&range| self.ranges[range].length)?;
        let distributions = matching.iter().any(|&place| self.selections[place].distributions);
        // When one tick alone fills the budget, giving up older ones helps no more.
        if (self.live() + 1) * (SERIES_BYTES + 8 * size_of::<f64>()) > self.budget_bytes {
            self.refused += 1;
            return None;
        }
        // What is there at the first tick of all may have been there for long.
        let is_new = self.has_ticked;
        let mut track =
            Track::new(series.labels.clone(), kind, range, distributions, (tick, is_new));
        track.push(series, tick);
        self.bytes += track.charge();
        let place = self.vacant.pop().unwrap_or(self.tracks.len());
        if place == self.tracks.len() {
            self.tracks.push(None);
        }
        self.tracks[place] = Some(track);
        for selection in matching {
            self.selections[selection].tracks.push(place);
        }
        Some(place)
    }

    fn live(&self) -> usize {
        self.tracks.len() - self.vacant.len()
    }

    fn push(&mut self, entry: &Entry, series: &Series, tick: u64) {
        let Some(track) = entry.track.and_then(|place| self.tracks[place].as_mut()) else { return };
        let before = track.charged;
        track.push(series, tick);
        self.bytes = self.bytes + track.charge() - before;
    }

    fn end(&mut self, entry: &Entry, tick: u64) {
        let Some(track) = entry.track.and_then(|place| self.tracks[place].as_mut()) else { return };
        if !track.ended {
            let before = track.charged;
            track.push_absent(tick);
            track.ended = true;
            self.bytes = self.bytes + track.charge() - before;
        }
    }

    /// Finds where each range begins at the newest tick: one search for all series and rules.
    fn locate_ranges(&mut self) {
        let Some(&Moment { slot: now, taken }) = self.times.back() else { return };
        for range in &mut self.ranges {
            let length = range.length.as_nanos().min(u64::MAX.into()) as u64;
            // Left-open, as in Prometheus 3: (now - length, now].
            let outside =
                self.times.partition_point(|moment| now.saturating_sub(moment.slot) >= length);
            range.first_inside = self.first + outside as u64;
            let before = outside.checked_sub(1).map(|place| self.times[place].taken);
            range.time = before.map_or(Duration::ZERO, |before| taken.since(before));
        }
    }

    /// Lets go of the samples before those that the ranges need, and of series without any.
    fn trim(&mut self) {
        let mut ended = Vec::new();
        for place in 0..self.tracks.len() {
            let Some(track) = &mut self.tracks[place] else { continue };
            // The sample before the first inside is the one that increases are counted from.
            let needed = self.ranges[track.range].first_inside.saturating_sub(1).max(self.floor);
            let before = track.charged;
            track.trim(needed);
            self.bytes = self.bytes + track.charge() - before;
            if track.ended && track.end() <= needed + 1 {
                ended.push(place);
            }
        }
        if !ended.is_empty() {
            self.remove(&ended);
        }
        let needed = self.ranges.iter().map(|range| range.first_inside.saturating_sub(1)).min();
        let needed = needed.unwrap_or(u64::MAX).max(self.floor).min(self.newest_tick());
        while self.first < needed {
            self.times.pop_front();
            self.first += 1;
            self.bytes -= size_of::<Moment>();
        }
    }

    /// Removes series; before any other is started, so that no list names a place used anew.
    fn remove(&mut self, places: &[usize]) {
        for &place in places {
            self.bytes -= self.tracks[place].take().map_or(0, |track| track.charged);
        }
        let tracks = &self.tracks;
        for selection in &mut self.selections {
            selection.tracks.retain(|&place| tracks[place].is_some());
        }
        for family in &mut self.families {
            family.entries.retain(|entry| entry.track.is_none_or(|place| tracks[place].is_some()));
        }
        self.vacant.extend(places);
    }

    /// Gives up an eighth of the ticks, so that the rings are not shrunk at every tick.
    fn give_up_oldest(&mut self) {
        self.floor = self.first + (self.times.len() as u64 / 8).max(1);
        self.trim();
        for track in self.tracks.iter_mut().flatten() {
            let before = track.charged;
            track.shrink();
            self.bytes = self.bytes + track.charge() - before;
        }
    }

    /// Where one tick alone is more than the budget, as histograms with many buckets can make it.
    fn refuse_what_does_not_fit(&mut self) {
        let (mut bytes, mut refused) = (self.bytes, Vec::new());
        for (place, track) in self.tracks.iter().enumerate().rev() {
            if bytes <= self.budget_bytes {
                break;
            }
            if let Some(track) = track {
                bytes -= track.charged;
                refused.push(place);
            }
        }
        if !refused.is_empty() {
            self.refused += refused.len() as u64;
            self.remove(&refused);
        }
    }

    fn mark_shortened(&mut self) {
        for selection in &mut self.selections {
            let range = self.ranges[selection.range];
            selection.shortened =
                self.floor > range.first_inside.saturating_sub(1) && !selection.tracks.is_empty();
        }
    }

    /// The first tick inside the last `length`.
    fn first_inside(&self, length: Duration) -> u64 {
        match self.ranges.iter().find(|range| range.length == length) {
            Some(range) => range.first_inside,
            None => self.locate(length),
        }
    }

    fn locate(&self, length: Duration) -> u64 {
        let Some(&Moment { slot: now, .. }) = self.times.back() else { return self.first };
        let outside = self.times.partition_point(|moment| {
            u128::from(now.saturating_sub(moment.slot)) >= length.as_nanos()
        });
        self.first + outside as u64
    }

    fn time_between(&self, from: u64, to: u64) -> Duration {
        // Nearly all series of a range share these two ticks.
        let shared = |range: &&Range| range.first_inside == from + 1 && to == self.newest_tick();
        match self.ranges.iter().find(shared) {
            Some(range) => range.time,
            None => self.taken(to).since(self.taken(from)),
        }
    }

    fn taken(&self, tick: u64) -> Ticks {
        self.times[(tick - self.first) as usize].taken
    }
}

/// One series in a [`SampleWindow`].
#[derive(Clone, Copy, Debug)]
pub struct SeriesWindow<'a> {
    window: &'a SampleWindow,
    track: &'a Track,
}

impl<'a> SeriesWindow<'a> {
    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> &'a LabelSet {
        &self.track.labels
    }

    /// The value at the newest tick; `None` where the series was absent from it.
    ///
    /// That of a histogram is its count.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.track.value(self.window.newest_tick())
    }

    /// The samples within the last `range`, oldest first; its start is not part of it.
    pub fn samples(&self, range: Duration) -> impl Iterator<Item = (Ticks, f64)> + use<'a> {
        let Self { window, track } = *self;
        let first = window.first_inside(range).max(track.first);
        (first..track.end()).filter_map(move |tick| Some((window.taken(tick), track.value(tick)?)))
    }

    /// Whether its samples tell of the whole of the last `range`: there is one at or before the start.
    ///
    /// Not so while a series is younger, nor where samples were given up to keep the window within
    /// its budget.
    #[must_use]
    pub fn covers(&self, range: Duration) -> bool {
        self.track.first < self.window.first_inside(range)
    }

    /// By how much a sum grew over the last `range`, and in what time.
    ///
    /// From the sample at or before the start of the range, or the oldest there is, to the newest
    /// one. Where the sum fell, or began anew, it started again from zero. One that was not there at
    /// the start of the range, and not before, began after it: it counts from zero, and from its first
    /// sample on. `None` without a sample, and for others with fewer than two.
    #[must_use]
    pub fn increase(&self, range: Duration) -> Option<(f64, Duration)> {
        if let Some((from, to)) = self.birth(range) {
            let amount = self.track.increase_from_nothing(from, to);
            return Some((amount, self.window.time_between(from, to.0)));
        }
        let (from, to) = self.ends(range)?;
        Some((self.track.increase(from, to), self.window.time_between(from.0, to.0)))
    }

    /// What a histogram recorded over the last `range`, by the same two samples as
    /// [`increase`](Self::increase).
    ///
    /// `None` for other kinds, with fewer than two samples, and where no rule declared that it
    /// needs distributions.
    #[must_use]
    pub fn distribution(&self, range: Duration) -> Option<HistogramSnapshot> {
        if let Some((_, to)) = self.birth(range) {
            return self.track.histogram(to.0).map(|all| HistogramSnapshot::clone(all));
        }
        let (from, to) = self.ends(range)?;
        let (earlier, later) = (self.track.histogram(from.0)?, self.track.histogram(to.0)?);
        Some(if Arc::ptr_eq(earlier, later) {
            HistogramSnapshot::default() // Nothing was recorded in between: most series, mostly.
        } else if later.count() < earlier.count() {
            HistogramSnapshot::clone(later)
        } else {
            later.since(earlier)
        })
    }

    /// Whether it is a histogram of which distributions are kept.
    #[must_use]
    pub fn has_distributions(&self) -> bool {
        self.track.histograms.is_some()
    }

    /// The tick at the start of `range`, or the oldest, and the newest sample in it, of a sum that began
    /// after that tick.
    fn birth(&self, range: Duration) -> Option<(u64, Sample)> {
        let from = self.window.first_inside(range).saturating_sub(1).max(self.window.first);
        let to = self.newest_in(range)?;
        (from < to.0 && self.track.is_born_after(from)).then_some((from, to))
    }

    fn newest_in(&self, range: Duration) -> Option<Sample> {
        let first = self.window.first_inside(range).max(self.track.first);
        let sample = |tick: u64| Some((tick, self.track.value(tick)?));
        (first..self.track.end()).rev().find_map(sample)
    }

    /// The two samples that an increase over `range` is between.
    fn ends(&self, range: Duration) -> Option<(Sample, Sample)> {
        let first_inside = self.window.first_inside(range);
        let sample = |tick: u64| Some((tick, self.track.value(tick)?));
        let to = self.newest_in(range)?;
        let from = (first_inside.saturating_sub(1).max(self.track.first)..to.0).find_map(sample)?;
        Some((from, to))
    }
}
