//! Labels of series and attributes of spans: keys, values, label sets, and label types.

mod typed;
mod address;
mod array;
#[cfg(feature = "http")]
mod http;
mod interner;
mod set;
mod text;
mod value;

pub(crate) mod closed;
pub(crate) mod keys;

pub use array::{Array, ArrayItem};
pub use interner::Interner;
pub(crate) use interner::n_placeless;
pub use set::LabelSet;
pub(crate) use set::{Encoded, Keys, Values, decode, strip_value, truncate};
pub use text::Text;
pub(crate) use text::{copy_up_to, end_within, head};
pub(crate) use typed::NoLabels;
pub use typed::{AnyKeys, Dynamic, LabelValue, LabelValues, Labels};
pub(crate) use value::owned_bytes;
pub use value::{KeyValue, Value};

/// The longest label value; a longer one is cut at a character boundary and counted.
pub const MAX_VALUE_BYTES: usize = 1024;

/// The key that marks the overflow series, which takes the records beyond a family's limit
/// (OpenTelemetry metrics SDK, "Overflow attribute").
pub const OVERFLOW_KEY: &str = "otel.metric.overflow";
