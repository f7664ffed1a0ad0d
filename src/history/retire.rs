//! What goes: samples that are old, series that have ended, and what there is no room for.

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
    /// Lets go of what no instant tells of any more.
    pub(super) fn trim(&mut self) {
        let needed = Needed::new(&self.tiers);
        self.tracks_weight = 0;
        for (place, row) in self.rows.iter_mut().enumerate() {
            let is_settled = self.hot[place].flags & UNSETTLED == 0;
            self.tracks_weight += row.trim(needed.of(row), is_settled, &mut self.pool);
        }
    }

    /// Lets go of a row if its series has ended and no sample of it is left; whether it did.
    pub(super) fn retire(&mut self, id: RowId) -> bool {
        let row = &self.rows[id as usize];
        let is_over = !row.is_listed && !self.is_live(id) && row.tracks.iter().all(Option::is_none);
        if is_over {
            self.vacate(id);
        }
        is_over
    }

    /// Whether the series of a row has ended and no tick of it is left: a selection forgets it.
    pub(super) fn forget_if_over(&mut self, id: RowId) -> bool {
        let is_live = self.is_live(id);
        let row = &mut self.rows[id as usize];
        let is_over = !is_live && !row.is_listed && row.tracks[TICKS].is_none();
        row.is_offered &= !is_over;
        is_over
    }

    /// How many bytes everything takes; tracks as of the last time that they were added up. Label sets
    /// that the registry has too are not counted.
    pub(super) fn weight(&self) -> usize {
        let instants: usize = self.tiers.iter().map(Instants::weight).sum();
        self.rows_weight() + self.tracks_weight + self.pool.bytes() + instants
    }

    /// Gives up the oldest instants; `false` if no tier has several.
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

    /// Those of the finest tier first, but for its last minute: where label sets come and go, what is
    /// left of them in the coarser tiers would take all its room. Then those of the tier that has the
    /// most.
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

    /// Lets go of the room of vacant rows at the end, if more than half of all are vacant.
    pub(super) fn shrink(&mut self) {
        if self.vacant.len() <= self.rows.len() / 2 {
            return;
        }
        // The lowest are taken first, so that those at the end become free.
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

/// What is kept of the ticks as long as a coarser tier has something to give up.
const LAST_MINUTE: Duration = Duration::from_secs(60);

fn give_up_any(tier: &mut Instants) -> bool {
    tier.give_up(Duration::ZERO)
}

/// From which instants on samples are needed.
struct Needed<'a> {
    tiers: &'a [Instants; TIERS],
    common: [u64; TIERS],
}

impl<'a> Needed<'a> {
    fn new(tiers: &'a [Instants; TIERS]) -> Self {
        // Of a tier that begins with its next instant, the newest one is needed.
        let common = |tier: usize| tiers[tier].common().min(tiers[tier].end().saturating_sub(1));
        Self { tiers, common: std::array::from_fn(common) }
    }

    /// Of one row: what is selected is kept for longer where that is needed.
    fn of(&self, row: &Row) -> [u64; TIERS] {
        let mut needed = self.common;
        if row.reach > 0 {
            // The sample before a range is the one that increases are counted from.
            let before_range = self.tiers[TICKS].first_inside(row.reach).saturating_sub(1);
            needed[TICKS] = needed[TICKS].min(before_range.max(self.tiers[TICKS].first()));
        }
        needed
    }
}

impl Row {
    /// Answers what its tracks take then. Where coarser tiers do not know yet that it ended, it is not
    /// forgotten.
    fn trim(&mut self, needed: [u64; TIERS], is_settled: bool, pool: &mut Pool) -> usize {
        let mut weight = self.minute.as_ref().map_or(0, |_| size_of::<Minute>());
        for (tier, (track, needed)) in self.tracks.iter_mut().zip(needed).enumerate() {
            let is_over = |track: &Track| track.is_ended() && track.at() <= needed && is_settled;
            match track.take_if(|track| is_over(track)) {
                Some(track) => {
                    track.give_up(pool);
                    if tier == TICKS {
                        self.born = NEVER; // It has ended, and is not there without a track.
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
