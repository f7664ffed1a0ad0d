//! The past of all series: what windows, rules and charts read.
//!
//! At each tick the registry is read in place, and what has changed is written down: one column of
//! instants for all series, and for each series that ever changed a *track* in each of three tiers.
//!
//! ```text
//!                    instants   ticks, 5 min │ every 10 s, 1 h │ every minute, 1 d
//!  registry ─ tick ─► counter    last value  │ last value      │ last value
//!                     gauge      value       │ value           │ last, min, max, mean of the minute
//!                     histogram  count, sum and what lies within each bound of the page
//!                                            │ all buckets     │ all buckets
//! ```
//!
//! A track is a row of chunks of some hundred bytes (`chunk`): the last one is written to, the others
//! are sealed and have a `summary`. `codec` says what the bytes are. A sample that is the same as the
//! one before is written nowhere. A series without a change has no track at all.
//!
//! What must stay true:
//!
//! - The value at an instant is the one that a snapshot at that instant would have had, bit for bit;
//!   of histograms what the tier keeps of it. A series that had none then has none here: it is marked
//!   where it ended.
//! - A sum that began anew has another start, which is kept with it.
//! - Over the budget the oldest instants of the finest tier go first. What is left spans less, and
//!   nothing in it is less exact.
//! - What somebody [selects](History::select) is kept for as long as its range says, and with all
//!   buckets where its values are asked for.
//! - Nothing of the user's runs while a history is locked: see [`Prepared`](crate::metric::Prepared).
//!
//! `past` is the [`History`]; `store` has the rows, `families` which of them are whose, `fill` a tick,
//! `retire` what goes, `at` a snapshot of the past, `select` what rules select, and `look` what they ask of
//! it. Nothing here knows of rules, pages or the network.

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

/// What it takes at most unless somebody says otherwise: five minutes of ticks and an hour of ten seconds
/// of some thousand series that change all the time.
pub(crate) const BUDGET_BYTES: usize = 32 << 20;

#[doc(hidden)]
pub use bench::HistoryBench;
pub(crate) use look::Look;
pub(crate) use past::{Earlier, History};
pub(crate) use select::{SelectionId, Wanted};
