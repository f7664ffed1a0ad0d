//! What a user chooses of lines.

use std::borrow::Cow;

/// How lines are written.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) dialect: StatsdDialect,
    pub(super) histograms: Option<StatsdHistograms>,
    pub(super) prefix: String,
    pub(super) resource_tags: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

/// Where a line has its tags, and what it may say besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatsdDialect {
    /// `name:1|c|#key:value`, as Datadog's agent reads it, and all that follow it.
    #[default]
    Dogstatsd,
    /// `name,key=value:1|c`, as Telegraf and `statsd_exporter` read it.
    Influx,
    /// `name;key=value:1|c`, as Graphite reads tags.
    Graphite,
    /// `name.value:1|c`, for daemons that know no tags: the values of the labels in the order of their keys.
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
