//! The past of all series: what windows, rules and charts read.
//!
//! At each tick the registry is read in place, and what has changed is written: one column of instants
//! for all series, and for each series that ever changed a *track* in each of three tiers.
//!
//! ```text
//!                    instants   ticks, 5 min │ every 10 s, 1 h │ every minute, 1 d
//!  registry ─ tick ─► counter    last value  │ last value      │ last value
//!                     gauge      value       │ value           │ last, min, max, mean of the minute
//!                     histogram  count, sum and what lies within each bound of the page
//!                                            │ all buckets     │ all buckets
//! ```
//!
//! A track is a row of chunks of some hundred bytes (`chunk`). The last chunk is written to; the
//! others are sealed and have a `summary`. `codec` describes the bytes. A sample equal to the one
//! before is not written. A series that has never changed has no track.
//!
//! What must stay true:
//!
//! - The value at an instant equals, bit for bit, the value in a snapshot taken at that instant. Of a
//!   histogram this holds for what the tier keeps; of a gauge in the tier of minutes, the value is the
//!   last of the minute before. Where a series has no sample, it has none here either: the instant at
//!   which it ended is marked.
//! - Each sum is kept with its start. A sum that restarts has another start.
//! - Over the budget, the oldest ticks are given up first, down to the last minute of them; then the
//!   oldest instants of the coarser tier that has the most. What is left spans less time, and is as exact
//!   as before.
//! - A [selected](History::select) series is kept for as long as the range of its selection, and with
//!   all buckets if its distributions are needed.
//! - No code of the user runs while a history is locked: see [`Prepared`](crate::metric::Prepared).
//!
//! [`History`] is in `past`. `store` has the rows, `families` the rows of each family, `fill` a tick,
//! `retire` the removal of old samples and ended series, and `at` a snapshot of the past. `select` has
//! what rules select, and `look` what rules read of it. Nothing here depends on rules, pages or the
//! network.

mod at;
mod bench;
mod chunk;
mod coarse;
mod codec;
mod families;
mod fill;
mod hot;
mod instants;
mod look;
mod minute;
mod past;
mod retire;
mod sample;
mod select;
mod store;
mod summary;
mod tier;
mod track;

#[cfg(test)]
mod tests;

/// The default budget: enough for five minutes of ticks, and an hour of samples every ten seconds, of
/// some thousand series that change all the time.
pub(crate) const BUDGET_BYTES: usize = 32 << 20;

#[doc(hidden)]
pub use bench::HistoryBench;
pub(crate) use look::Look;
pub(crate) use past::{Earlier, History};
pub(crate) use select::{SelectionId, Wanted};
