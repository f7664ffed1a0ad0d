//! The part of a series that every tick reads.

use super::{
    codec::{
        Gap, Short,
        integers::{self, Brief},
    },
    tier::{MARKS, MINUTES},
};

/// The part of a row that every tick reads, in one cache line.
///
/// Samples of whole numbers are *staged* here and handed over to the track some dozens at a time. So a
/// tick in which all series change walks this one column, and not all of memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hot {
    /// The bits of the last sample; the count if it is a histogram.
    pub(super) last: u64,
    /// The tick of the last sample if the next one may be staged, else zero.
    pub(super) at: u32,
    pub(super) expected: i32,
    pub(super) flags: u8,
    pub(super) n_staged: u8,
    pub(super) staged: [u8; N_STAGED],
}

const N_STAGED: usize = 46;
const _: () = assert!(size_of::<Hot>() == 64, "a cache line");

impl Default for Hot {
    fn default() -> Self {
        Self { last: 0, at: 0, expected: 0, flags: 0, n_staged: 0, staged: [0; N_STAGED] }
    }
}

impl Hot {
    /// The bytes of the staged samples, which follow those of the track.
    pub(super) fn staged(&self) -> &[u8] {
        &self.staged[..self.n_staged.into()]
    }

    /// Stages a sample of one or two bytes, without a branch on its length. Returns `false` if the
    /// sample is not such a one, or if the value fell: a fall has to be noted in the track.
    #[inline(always)]
    pub(super) fn stage_brief(&mut self, tick: u64, bits: u64) -> bool {
        let (at, expected) = (u64::from(self.at), i64::from(self.expected));
        let step = bits.wrapping_sub(self.last).cast_signed();
        // Not brief if the tick is not after the last one.
        let held = tick.wrapping_sub(at + 1);
        let (bytes, len, is_brief) = Brief { held, deviation: step.wrapping_sub(expected) }.bytes();
        let next = integers::next_step(self.last, bits, expected);
        let may_be = is_brief
            & (bits > self.last)
            & (at != 0)
            & (i64::from(next as i32) == next)
            & (tick <= u64::from(u32::MAX));
        let place = usize::from(self.n_staged);
        match self.staged.get_mut(place..place + 2) {
            Some(free) if may_be => free.copy_from_slice(&bytes.to_le_bytes()),
            _ => return false,
        }
        self.n_staged += len as u8;
        (self.at, self.last, self.expected) = (tick as u32, bits, next as i32);
        self.flags |= UNSETTLED;
        true
    }

    /// Stages a sample of any length; `false` if it cannot be staged.
    #[inline(never)]
    pub(super) fn stage(&mut self, tick: u64, bits: u64) -> bool {
        let at = u64::from(self.at);
        let Ok(now) = u32::try_from(tick) else { return false };
        if at == 0 || at >= tick {
            return false;
        }
        let expected = i64::from(self.expected);
        let Ok(next) = i32::try_from(integers::next_step(self.last, bits, expected)) else {
            return false;
        };
        let mut record = Short::default();
        integers::put(&mut record, Gap::Held(tick - at - 1), self.last, bits, expected);
        let (place, record) = (usize::from(self.n_staged), record.bytes());
        let Some(free) = self.staged.get_mut(place..place + record.len()) else { return false };
        free.copy_from_slice(record);
        self.n_staged += record.len() as u8;
        (self.at, self.last, self.expected) = (now, bits, next);
        self.flags |= UNSETTLED;
        true
    }

    /// Empties the stage. `staging` has the tick and the expected step after which samples may be
    /// staged; `None` if none may.
    pub(super) fn go_on(&mut self, staging: Option<(u64, i64)>) {
        let narrow = staging.and_then(|(at, expected)| {
            Some((u32::try_from(at).ok()?, i32::try_from(expected).ok()?))
        });
        (self.at, self.expected) = narrow.unwrap_or((0, 0));
        self.n_staged = 0;
    }
}

/// The flags of a row.
pub(super) mod flag {
    /// It had a sample at the last tick.
    pub(in crate::history) const LIVE: u8 = 1;
    /// It has had a sample.
    pub(in crate::history) const KNOWN: u8 = 2;
    /// Its start changed after the last sample.
    pub(in crate::history) const RESTARTED: u8 = 4;
    /// It has samples only at the ticks at which they were added.
    pub(in crate::history) const SPARSE: u8 = 8;
    /// It is a gauge: its minutes are kept.
    pub(in crate::history) const GAUGE: u8 = 16;
    /// Its histograms reach the coarser tiers by `add_buckets`, not from the ticks.
    pub(in crate::history) const BUCKETS: u8 = 32;
    /// It changed since the last instant of the tier of ten seconds, or of the tier of minutes.
    pub(in crate::history) const CHANGED: [u8; 3] = [0, 64, 128];
}

/// The flags of a row whose last change is not yet in all tiers.
pub(super) const UNSETTLED: u8 = flag::CHANGED[MARKS] | flag::CHANGED[MINUTES];

#[cfg(test)]
mod tests {
    use super::*;

    /// A row with a sample of `last` at the tick 10, whose next step is expected to be `expected`.
    fn after(last: u64, expected: i64) -> Hot {
        let mut hot = Hot { last, flags: flag::LIVE, ..Hot::default() };
        hot.go_on(Some((10, expected)));
        hot
    }

    #[test]
    fn samples_of_one_and_two_bytes_are_staged_one_after_the_other() {
        let mut hot = after(100, 3);
        for (tick, value) in [(11, 104), (14, 108), (15, 1_000)] {
            assert!(hot.stage_brief(tick, value), "{value}");
        }
        // One more than expected; after two ticks of the same; 889 more, of which zigzag is 1,776.
        assert_eq!(hot.staged[..hot.n_staged.into()], [2, 0xc0 | 1 << 2 | 2, 0x80 | 6, 0xf2]);
        assert_eq!((hot.at, hot.last, hot.flags & UNSETTLED), (15, 1_000, UNSETTLED));
    }

    #[test]
    fn what_falls_or_is_not_brief_or_not_after_the_last_tick_is_not_staged() {
        let is_staged = |last: u64, expected: i64, tick: u64, value: u64| {
            let mut hot = after(last, expected);
            let is_staged = hot.stage_brief(tick, value);
            assert_eq!((hot.n_staged > 0, hot.last == value), (is_staged, is_staged));
            is_staged
        };
        assert!(is_staged(100, 3, 11, 101));
        assert!(!is_staged(100, 3, 11, 99), "it falls");
        assert!(!is_staged(100, 3, 10, 101), "at the tick of the last sample");
        assert!(!is_staged(100, 3, 9, 101), "before it");
        assert!(!is_staged(100, 3, 11, 10_000), "three bytes");
        assert!(!is_staged(100, 3, 30, 103), "after more than eight ticks of the same");
        let most = i64::from(i32::MAX);
        assert!(
            !is_staged(0, most, 11, most.cast_unsigned() + 4_000),
            "the next step is too large"
        );
        assert!(!is_staged(100, 3, u64::from(u32::MAX) + 1, 101), "a tick that does not fit");
        let mut hot = Hot { last: 100, flags: flag::LIVE, ..Hot::default() };
        assert!(!hot.stage_brief(11, 101), "it may not be staged");
        let mut full = after(100, 1);
        let n = (11..).take_while(|&tick| full.stage_brief(tick, 90 + tick)).count();
        assert_eq!(n, N_STAGED - 1);
    }
}
