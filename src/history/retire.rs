//! What goes: samples that are old, series that have ended, and what there is no room for.

use super::{
    instants::Instants,
    store::{NEVER, Row, RowId, Store, TICKS, TIERS},
    track::Track,
};

impl Store {
    /// Lets go of what no instant tells of any more.
    pub(super) fn trim(&mut self) {
        let needed = std::array::from_fn(|tier| self.tiers[tier].first());
        self.tracks_weight = 0;
        for row in &mut self.rows {
            self.tracks_weight += row.trim(needed, &mut self.pool);
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

    /// About how many bytes everything takes. Label sets that the registry has too are not counted.
    pub(super) fn weight(&self) -> usize {
        let instants: usize = self.tiers.iter().map(Instants::weight).sum();
        let row = size_of::<Row>() + size_of::<u64>() + size_of::<u8>() + size_of::<RowId>();
        self.rows.len() * row + self.tracks_weight + self.pool.bytes() + instants
    }

    /// Gives up the oldest instants of the finest tier that has several; `false` if none has.
    pub(super) fn give_up(&mut self) -> bool {
        let gave_up = (TICKS..TIERS).any(|tier| self.tiers[tier].give_up());
        self.trim();
        self.pool.trim();
        gave_up
    }
}

impl Row {
    /// Answers what its tracks take then.
    fn trim(&mut self, needed: [u64; TIERS], pool: &mut super::chunk::Pool) -> usize {
        let mut weight = 0;
        for (track, needed) in self.tracks.iter_mut().zip(needed) {
            let is_over = |track: &Track| track.is_ended() && track.at() <= needed;
            match track.take_if(|track| is_over(track)) {
                Some(track) => {
                    track.give_up(pool);
                    self.born = NEVER; // It has ended, and is not there without a track.
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
