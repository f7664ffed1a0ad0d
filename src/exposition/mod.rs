//! Names, labels and samples in Prometheus and OpenMetrics, for the families of a registry.
//!
//! A family has a dotted name, a separate unit, a kind, label sets and values. [`FamilyName`] has the
//! Prometheus names of the family and its samples, by a [`Naming`]; [`LabelNaming`] does the same for
//! the keys of its labels. [`number_samples`] gives the sample of a number, [`bucket_samples`],
//! [`quantile_samples`] and [`sum_samples`] those of a histogram or summary, one after the other.
//! [`Native`] is the native form of a histogram. [`Readings`] are families and series as they are read,
//! from a snapshot or from a registry in place.
//!
//! Nothing here writes text or bytes: that is left to a page, or to a sender of samples.
//!
//! Whether names collide is checked where families meet: at registration, in views, and when snapshots
//! are merged. So the names by the default strategy, and the words of units, are in `snapshot`;
//! everything beyond them is here.
//!
//! # Names
//!
//! Names and label keys are mapped as OpenTelemetry's "Prometheus and OpenMetrics Compatibility"
//! requires. Where it leaves a choice:
//!
//! - No `_` is at an end of a name. A unit is appended unless the name ends in it; the unit elsewhere
//!   in the name does not count.
//! - The unit `1` is `_ratio`, for a gauge only.
//! - An unknown unit is appended unchanged. The denominator of a rate is read as UCUM: `m` is a metre.
//! - If two keys of a series become equal, they share one key, as the specification requires: their
//!   values are joined by `;`, in the order of the keys. If two series of a family then have the same
//!   labels, they become one ([`Merged`]).
//! - A reserved key gets `exported_` in front: `le` of a histogram, and `quantile` and `window` of a
//!   summary. In a key that begins with two underscores, `exported_` replaces them. A key that is empty
//!   or would begin with a digit gets `key_`.

mod key;

// So far only pages use these.
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
#[cfg(feature = "prometheus")]
mod worded;

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
pub(crate) use worded::{AllWorded, WordedBuckets};

#[cfg(feature = "prometheus")]
pub(crate) use crate::snapshot::Part;
