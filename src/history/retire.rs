//! What goes: samples that are old, series that have ended, and what there is no room for.

use super::{
    chunk::Pool,
    hot::UNSETTLED,
    instants::Instants,
    store::{NEVER, ROW_BYTES, Row, RowId, Store},
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

    /// About how many bytes everything takes. Label sets that the registry has too are not counted.
    pub(super) fn weight(&self) -> usize {
        let instants: usize = self.tiers.iter().map(Instants::weight).sum();
        self.rows.len() * ROW_BYTES + self.tracks_weight + self.pool.bytes() + instants
    }

    /// Gives up the oldest instants of the finest tier that has several; `false` if none has.
    pub(super) fn give_up(&mut self) -> bool {
        let gave_up = (TICKS..TIERS).any(|tier| self.tiers[tier].give_up());
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
        let mut weight = 0;
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
