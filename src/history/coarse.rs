//! The end of a tick: changed series are written into the tiers of ten seconds and of minutes.

use super::{
    hot::flag,
    instants::Instants,
    minute,
    sample::{Form, Sample},
    store::{MINUTE, MINUTE_SHAPE, PLAIN, RowId, Store},
    tier::{MARKS, MINUTES, TICKS},
};

impl Store {
    /// Ends a tick: writes what changed into the tiers that have an instant now.
    pub(super) fn finish(&mut self) {
        for tier in [MARKS, MINUTES] {
            let Some(now) = self.now[tier] else { continue };
            for place in 0..self.hot.len() {
                self.write(place, tier, now);
            }
        }
        self.tiers.iter_mut().for_each(Instants::expire);
    }

    /// As [`finish`](Self::finish), for one row that changed after it.
    pub(super) fn finish_row(&mut self, id: RowId) {
        for tier in [MARKS, MINUTES] {
            self.now[tier].into_iter().for_each(|now| self.write(id as usize, tier, now));
        }
    }

    /// Writes a row at the instant `now` of a coarser tier, if it has changed since the last one.
    fn write(&mut self, place: usize, tier: usize, now: u64) {
        if self.hot[place].flags & flag::CHANGED[tier] == 0 {
            return;
        }
        self.hot[place].flags &= !flag::CHANGED[tier];
        match tier == MINUTES && self.hot[place].flags & flag::GAUGE != 0 {
            true => self.write_minute(place, now),
            false => self.write_mark(place, tier, now),
        }
    }

    /// Writes the last sample of a row at the instant `now` of a coarser tier.
    fn write_mark(&mut self, place: usize, tier: usize, now: u64) {
        let (flags, bits) = (self.hot[place].flags, self.hot[place].last);
        let before = self.tiers[tier].at_tick(self.rows[place].born);
        let row = &mut self.rows[place];
        let weight = (&mut self.pool, &mut self.tracks_weight);
        if flags & flag::LIVE == 0 {
            return row.end(tier, (before, now), flags, weight);
        }
        if flags & flag::SPARSE != 0 && row.form != Form::Histogram {
            return row.push(tier, (now, row.start, Sample::Bits(bits), PLAIN), flags, weight);
        }
        if row.form == Form::Histogram {
            if flags & flag::BUCKETS == 0 {
                row.copy_histogram(tier, now, flags, weight);
            }
            return;
        }
        let is_first =
            row.tracks[tier].is_none() && (bits, row.start) == (row.first, row.first_start);
        if is_first {
            return;
        }
        if row.tracks[tier].is_some() || before < now {
            let (start, sample) = (row.start, Sample::Bits(bits));
            let track = row.track(tier, before, flags, weight.0, weight.1);
            if track.at() < now && !track.holds(start, sample, PLAIN) {
                track.push((now, start, sample, PLAIN), weight.0);
            }
            return;
        }
        row.push(tier, (now, row.start, Sample::Bits(bits), PLAIN), flags, weight);
    }

    /// Writes the values of a gauge since the last minute.
    fn write_minute(&mut self, place: usize, now: u64) {
        let Some(tick) = self.now[TICKS] else { return };
        let (flags, bits) = (self.hot[place].flags, self.hot[place].last);
        let is_live = flags & flag::LIVE != 0;
        let mut cells = std::mem::take(&mut self.scratch);
        let row = &mut self.rows[place];
        let weight = (&mut self.pool, &mut self.tracks_weight);
        // A change at this tick has already counted the values up to this tick.
        let mut had_samples = is_live && row.born < tick;
        match &mut row.minute {
            Some(minute) => {
                minute.change(f64::from_bits(bits), tick, is_live);
                had_samples = !minute.is_empty();
                minute.write(&mut cells);
                row.minute = None;
            }
            None => minute::write_uniform(&mut cells, bits),
        }
        if had_samples {
            let sample = Sample::Histogram(MINUTE, &cells);
            let is_held = row.tracks[MINUTES]
                .as_ref()
                .is_some_and(|track| track.holds(row.start, sample, MINUTE_SHAPE));
            if !is_held {
                row.push(MINUTES, (now, row.start, sample, MINUTE_SHAPE), flags, weight);
            }
        } else if let Some(track) = &mut row.tracks[MINUTES] {
            track.end(now, weight.0);
        }
        // The next minute has to be written too, unless all of this minute had the present value.
        let goes_on = is_live && had_samples && cells.sum == bits && minute::is_uniform(&cells);
        let is_open = row.tracks[MINUTES].as_ref().is_some_and(|track| !track.is_ended());
        if !goes_on && (is_live || is_open) {
            self.hot[place].flags |= flag::CHANGED[MINUTES];
        }
        self.scratch = cells;
    }
}
