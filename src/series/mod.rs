//! Series: families, their label sets, and how a series is found, created and removed.
//!
//! ```text
//!  Descriptor ─► Family ─┬─ closed set: the id is its base and the index of the labels
//!                        └─ open set: lookup (the thread's own table) ─ miss ─► open (the family's map)
//! ```
//!
//! A series is an id and its labels; its values are in `cells`. Readers get the series of a family from
//! `live` and `listing`; `removal` removes them. `rates` computes the rates of a throughput, which are
//! a family of their own. `settings` has what applies to all families of a registry, `asked` what a
//! view decides when a family is created, `any_keys` the keys that an open set learns. Instruments that were refused in a conflict have ids of their
//! own (`refused`).

mod any_keys;
mod asked;
mod closed;
mod descriptor;
mod family;
mod follow;
mod list;
mod listing;
#[cfg(feature = "prometheus")]
mod live;
pub(crate) mod lookup;
mod open;
mod pin;
mod rates;
pub(crate) mod refused;
mod removal;
mod settings;

pub use asked::InstrumentView;

pub(crate) use descriptor::{Descriptor, Number, is_closed};
pub(crate) use family::{Family, Shape};
pub(crate) use follow::{Follow, Room, Wanted};
pub(crate) use list::SeriesList;
#[cfg(feature = "prometheus")]
pub(crate) use live::{Live, LiveFamily, Place, Reading, Visit as VisitSeries, visit_kept};
pub(crate) use open::{Found, OpenSet, Visit};
pub(crate) use pin::Pin;
#[cfg(all(test, bellwether_loom))]
pub(crate) use pin::Series;
#[cfg(any(feature = "metrics", feature = "opentelemetry", feature = "tower"))]
pub(crate) use pin::removals;
pub(crate) use rates::WINDOW_KEY;
pub(crate) use refused::is_disabled;
pub(crate) use settings::{Changes, Settings, check_key, illegal_key};
