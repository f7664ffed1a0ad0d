//! What Prometheus and OpenMetrics call what the registry holds: names, labels, families as samples.
//!
//! A family has a dotted name, a unit apart from it, a kind, label sets and values. [`FamilyName`] is
//! what Prometheus calls the family and its samples, by a [`Naming`]; [`LabelNaming`] does the same for
//! the keys of its labels. [`number_samples`] tells the sample of a number, [`bucket_samples`],
//! [`quantile_samples`] and [`sum_samples`] those of a histogram or summary, one after the other, and
//! [`Native`] is the native form of a histogram.
//! [`Readings`] are families and series as they are read, from a snapshot or from a registry in place.
//!
//! Nothing here writes text or bytes: that is left to a page, or to whoever sends samples.
//!
//! Which names collide is asked where families meet: at registration, in views, and where snapshots are
//! merged. So the names by the default strategy, and the words of units, are in `snapshot`; everything
//! beyond them is here.
//!
//! # Names
//!
//! Names and label keys are mapped as OpenTelemetry's "Prometheus and OpenMetrics Compatibility" asks.
//! Where it leaves a choice:
//!
//! - No `_` stands at an end of a name. A unit is appended unless the name ends in it, not unless it is
//!   somewhere in the name.
//! - The unit `1` is `_ratio` of a gauge alone.
//! - A unit that is not known is appended as it is. What a rate is per is read as UCUM: `m` is a metre.
//! - Two keys of a series that become one share it, as the specification asks: their values are joined
//!   by `;`, in the order of the keys. Should two series of a family then have the same labels, they
//!   become one ([`Merged`]).
//! - A key that is reserved gets `exported_` in front: `le` of a histogram, `quantile` and `window` of a
//!   summary, and any that begins with two underscores, which it loses. One that would begin with a
//!   digit or is empty gets `key_`.

mod key;

// What only a page uses yet.
#[cfg(feature = "prometheus")]
mod name;
#[cfg(feature = "prometheus")]
mod escaping;
#[cfg(feature = "prometheus")]
mod label;
#[cfg(feature = "prometheus")]
mod readings;
#[cfg(feature = "prometheus")]
mod sample;
#[cfg(feature = "prometheus")]
mod buckets;
#[cfg(feature = "prometheus")]
mod merged;
#[cfg(feature = "prometheus")]
mod native;

#[cfg(all(test, feature = "prometheus"))]
mod tests;

#[cfg(feature = "prometheus")]
pub use escaping::Escaping;
pub(crate) use key::label_name;
#[cfg(feature = "prometheus")]
pub use name::Translation;

#[cfg(feature = "prometheus")]
pub(crate) use buckets::ShownBuckets;
#[cfg(feature = "prometheus")]
pub(crate) use escaping::{is_plain_key, is_plain_name};
#[cfg(feature = "prometheus")]
pub(crate) use label::{LabelNames, LabelNaming};
#[cfg(feature = "prometheus")]
pub(crate) use merged::Merged;
#[cfg(feature = "prometheus")]
pub(crate) use name::{FamilyName, Model, Naming};
#[cfg(feature = "prometheus")]
pub(crate) use native::{Native, ZERO_THRESHOLD};
#[cfg(feature = "prometheus")]
pub(crate) use readings::{FamilyReadings, Readings};
#[cfg(feature = "prometheus")]
pub(crate) use sample::{
    Extra, Number, QUANTILES, Sample, WindowLength, bucket_samples, number_samples,
    quantile_samples, sum_samples,
};

#[cfg(feature = "prometheus")]
pub(crate) use crate::snapshot::Part;
