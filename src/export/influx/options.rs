//! Where lines go, and how they are written.

use std::borrow::Cow;

use super::tags::Renamed;
use crate::transport::{Endpoint, socket::DatagramPlace};

/// Where lines go.
#[derive(Clone, Debug)]
pub(super) enum Way {
    V1 { endpoint: Endpoint, database: String, policy: Option<String> },
    V2 { endpoint: Endpoint, org: String, bucket: String },
    Udp { place: DatagramPlace, most_bytes: Option<usize> },
}

/// How lines are written.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) prefix: String,
    pub(super) precision: InfluxPrecision,
    pub(super) histograms: InfluxHistograms,
    pub(super) resource_tags: Vec<Renamed>,
    pub(super) attribute_tags: Vec<Renamed>,
}

/// The attributes of the resource that are tags by default: who speaks, and what keeps two processes apart.
const RESOURCE_TAGS: [&str; 5] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment.name",
    "host.name",
];

impl Default for Options {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            precision: InfluxPrecision::default(),
            histograms: InfluxHistograms::default(),
            resource_tags: renamed(RESOURCE_TAGS.map(|key| (key, key))),
            attribute_tags: Vec::new(),
        }
    }
}

pub(super) fn renamed<K, T>(tags: impl IntoIterator<Item = (K, T)>) -> Vec<Renamed>
where
    K: Into<Cow<'static, str>>,
    T: Into<Cow<'static, str>>,
{
    tags.into_iter().map(|(key, tag)| (key.into(), tag.into())).collect()
}

/// How fine the times of points are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InfluxPrecision {
    /// As fine as times are.
    #[default]
    Nanoseconds,
    /// Rounded down to a microsecond.
    Microseconds,
    /// Rounded down to a millisecond.
    Milliseconds,
    /// Rounded down to a second.
    Seconds,
}

impl InfluxPrecision {
    /// How many nanoseconds a unit has.
    pub(super) fn nanos(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        }
    }

    /// What InfluxDB 1 calls it; it takes what it does not know for nanoseconds.
    pub(super) fn word_of_v1(self) -> &'static str {
        match self {
            Self::Microseconds => "u",
            other => other.word_of_v2(),
        }
    }

    pub(super) fn word_of_v2(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }
}

/// In which form histograms are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InfluxHistograms {
    /// Fields `count`, `sum`, `min`, `max`, `p50`, `p90` and `p99`: of all values since the start, or of the
    /// interval where the route has [differences](crate::metric::Temporality::Delta).
    #[default]
    Figures,
    /// Fields `count` and `sum`, and one for each bound of a Prometheus page, or for the histogram's own bounds,
    /// with how many values are at most as large: `0.25=17i`, and at last `+Inf`. Telegraf writes a scraped
    /// histogram so.
    Buckets,
}
