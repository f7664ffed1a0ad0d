//! The removal of old samples, of series that have ended, and of whatever exceeds the budget.

use std::time::Duration;

use super::{
    chunk::Pool,
    hot::UNSETTLED,
    instants::Instants,
    minute::Minute,
    store::{NEVER, Row, RowId, Store},
    tier::{TICKS, TIERS},
    track::Track,
};

impl Store {
    /// Drops the samples that no kept instant needs.
    pub(super) fn trim(&mut self) {
        let needed = Needed::new(&self.tiers);
        self.tracks_weight = 0;
        for (place, row) in self.rows.iter_mut().enumerate() {
            let is_settled = self.hot[place].flags & UNSETTLED == 0;
            self.tracks_weight += row.trim(needed.of(row), is_settled, &mut self.pool);
        }
    }

    /// Drops a row if its series has ended and no sample of it is left. Returns whether it did.
    pub(super) fn retire(&mut self, id: RowId) -> bool {
        let row = &self.rows[id as usize];
        let is_over = !row.is_listed && !self.is_live(id) && row.tracks.iter().all(Option::is_none);
        if is_over {
            self.vacate(id);
        }
        is_over
    }

    /// Whether the series of a row has ended and no tick of it is left, so that selections forget it.
    pub(super) fn forget_if_over(&mut self, id: RowId) -> bool {
        let is_live = self.is_live(id);
        let row = &mut self.rows[id as usize];
        let is_over = !is_live && !row.is_listed && row.tracks[TICKS].is_none();
        row.is_offered &= !is_over;
        is_over
    }

    /// How many bytes everything takes. Tracks count as of the last time they were added up. Label
    /// sets that the registry holds too do not count.
    pub(super) fn weight(&self) -> usize {
        let instants: usize = self.tiers.iter().map(Instants::weight).sum();
        self.rows_weight() + self.tracks_weight + self.pool.bytes() + instants
    }

    /// Gives up the oldest instants; `false` if no tier has more than one.
    pub(super) fn give_up(&mut self) -> bool {
        let gave_up = self.give_up_instants();
        self.trim();
        self.settle();
        let needed = Needed::new(&self.tiers);
        for row in &mut self.rows {
            let needed = needed.of(row);
            for (track, needed) in row.tracks.iter_mut().zip(needed) {
                track.iter_mut().for_each(|track| track.cut(needed, &mut self.pool));
            }
        }
        for place in 0..self.rows.len() {
            self.go_on(place);
        }
        self.pool.trim();
        gave_up
    }

    /// The ticks go first, except the last minute. Where label sets come and go, the coarser tiers
    /// would otherwise take all the room of the ticks. Then the tier with the most instants gives some
    /// up.
    fn give_up_instants(&mut self) -> bool {
        if self.tiers[TICKS].give_up(LAST_MINUTE) {
            return true;
        }
        let oldest_tick = self.tiers[TICKS].oldest();
        let reaches_further = |tier: &&mut Instants| tier.oldest() < oldest_tick;
        let [ticks, coarser @ ..] = &mut self.tiers;
        let most = coarser.iter_mut().filter(reaches_further).max_by_key(|tier| tier.len());
        most.is_some_and(give_up_any) || give_up_any(ticks) || coarser.iter_mut().any(give_up_any)
    }

    /// Frees the vacant rows at the end, if more than half of all rows are vacant.
    pub(super) fn shrink(&mut self) {
        if self.vacant.len() <= self.rows.len() / 2 {
            return;
        }
        // Later rows take the lowest vacant ones first, so that the end becomes free.
        self.vacant.sort_unstable_by(|a, b| b.cmp(a));
        let last = self.rows.len() - 1;
        let n_free =
            (0..).zip(&self.vacant).take_while(|&(n, &id)| id as usize + n == last).count();
        self.vacant.drain(..n_free);
        self.rows.truncate(self.rows.len() - n_free);
        self.rows.shrink_to_fit();
        self.hot.truncate(self.rows.len());
        self.hot.shrink_to_fit();
        self.vacant.shrink_to_fit();
    }
}

/// The part of the ticks that is kept as long as a coarser tier has something to give up.
const LAST_MINUTE: Duration = Duration::from_secs(60);

fn give_up_any(tier: &mut Instants) -> bool {
    tier.give_up(Duration::ZERO)
}

/// The instants from which on samples are needed, in each tier.
struct Needed<'a> {
    tiers: &'a [Instants; TIERS],
    common: [u64; TIERS],
}

impl<'a> Needed<'a> {
    fn new(tiers: &'a [Instants; TIERS]) -> Self {
        // A tier that keeps all series only from its next instant on still needs its newest one.
        let common = |tier: usize| tiers[tier].common().min(tiers[tier].end().saturating_sub(1));
        Self { tiers, common: std::array::from_fn(common) }
    }

    /// The same for one row: a selected row may need older ticks.
    fn of(&self, row: &Row) -> [u64; TIERS] {
        let mut needed = self.common;
        if row.reach > 0 {
            // An increase counts from the sample before the range.
            let before_range = self.tiers[TICKS].first_inside(row.reach).saturating_sub(1);
            needed[TICKS] = needed[TICKS].min(before_range.max(self.tiers[TICKS].first()));
        }
        needed
    }
}

impl Row {
    /// Drops what is not needed, and returns how many bytes its tracks take then. A track that has
    /// ended stays until the coarser tiers have marked the end.
    fn trim(&mut self, needed: [u64; TIERS], is_settled: bool, pool: &mut Pool) -> usize {
        let mut weight = self.minute.as_ref().map_or(0, |_| size_of::<Minute>());
        for (tier, (track, needed)) in self.tracks.iter_mut().zip(needed).enumerate() {
            let is_over = |track: &Track| track.is_ended() && track.at() <= needed && is_settled;
            match track.take_if(|track| is_over(track)) {
                Some(track) => {
                    track.give_up(pool);
                    if tier == TICKS {
                        self.born = NEVER; // It has ended: without a track it has no samples.
                    }
                }
                None => {
                    if let Some(track) = track {
                        track.trim(needed, pool);
                        weight += track.weight();
                    }
                }
            }
        }
        weight
    }
}
