//! What a user chooses of lines.

use std::borrow::Cow;

/// How lines are written.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) dialect: StatsdDialect,
    pub(super) histograms: Option<StatsdHistograms>,
    pub(super) prefix: String,
    /// As set; else [`RESOURCE_TAGS`], or none where they would be parts of the name.
    pub(super) resource_tags: Option<Vec<(Cow<'static, str>, Cow<'static, str>)>>,
}

/// Datadog's unified tags, of OpenTelemetry's attributes.
pub(super) const RESOURCE_TAGS: [(&str, &str); 3] = [
    ("service.name", "service"),
    ("deployment.environment.name", "env"),
    ("service.version", "version"),
];

/// Where a line has its tags, and what it may say besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatsdDialect {
    /// `name:1|c|#key:value`, as Datadog's agent reads it, and all that follow it.
    #[default]
    Dogstatsd,
    /// `name,key=value:1|c`, as Telegraf and `statsd_exporter` read it. Telegraf reads Datadog's lines only where its
    /// options `datadog_extensions` and `datadog_distributions` are on.
    Influx,
    /// `name;key=value:1|c`, as Graphite reads tags.
    Graphite,
    /// `name.value:1|c`, for daemons that know no tags: the values of the labels in the order of their keys, and before
    /// them those of attributes of the resource that are [asked for](super::Statsd::resource_tags).
    InName,
}

/// In which form histograms and summaries are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatsdHistograms {
    /// `|d`: a line for each bucket, with its middle and, as sample rate, how many values it has. Datadog's
    /// distributions, which are merged over hosts. The default of [`StatsdDialect::Dogstatsd`].
    Distributions,
    /// `|h`: as [`Distributions`](Self::Distributions), for the agent's own histograms.
    Histograms,
    /// `|ms`: the same again as timers, in milliseconds where the unit is seconds. Etsy's daemon counts by the
    /// sample rate, but takes each line for one value when it computes its percentiles.
    Timers,
    /// A counter `name.count` of the values, and gauges `name.sum`, `.min`, `.max`, `.p50`, `.p90` and
    /// `.p99` of the interval. The default of all other dialects.
    Figures,
}
