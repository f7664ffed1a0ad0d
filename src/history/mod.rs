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
//! - Nothing of the user's runs while a history is locked: see [`Prepared`](crate::metric::Prepared).
//!
//! `past` is the [`History`]; `store` has the rows, `families` which of them are whose, `fill` a tick,
//! `retire` what goes, and `at` a snapshot of the past. Nothing here knows of rules, pages or the network.

mod at;
mod bench;
mod chunk;
mod coarse;
mod codec;
mod families;
mod fill;
mod hot;
mod instants;
mod minute;
mod retire;
mod past;
mod sample;
mod store;
mod summary;
mod tier;
mod track;

#[cfg(test)]
mod tests;

#[doc(hidden)]
pub use bench::HistoryBench;
pub(crate) use past::{Earlier, History};
