//! What a user chooses of documents.

use std::borrow::Cow;

/// In which form histograms are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EmfHistograms {
    /// The middle of each bucket with its count, and the smallest and largest value, the sum and the count as they are:
    /// `{"Max": …, "Min": …, "Sum": …, "Count": …, "Values": […], "Counts": […]}`. CloudWatch computes every statistic
    /// of it, percentiles too, also over many processes. Amazon's documents do not mention this form; the OpenTelemetry
    /// Collector's exporter for CloudWatch writes it.
    #[default]
    Distributions,
    /// A metric for each figure since the last time: `.count`, `.sum`, `.min`, `.max`, `.p50`, `.p90`, `.p99`.
    /// Percentiles of many processes cannot be combined.
    Figures,
}

/// How documents are written.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) namespace: String,
    pub(super) log_group: Option<String>,
    pub(super) log_stream: Option<String>,
    /// The sets of dimensions; none for one of all labels.
    pub(super) dimensions: Vec<Vec<String>>,
    /// Attributes of the resource, and the dimensions that they are.
    pub(super) resource: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    pub(super) histograms: EmfHistograms,
    pub(super) is_high_resolution: bool,
}

impl Options {
    pub(super) fn new(namespace: String) -> Self {
        Self {
            namespace,
            log_group: None,
            log_stream: None,
            dimensions: Vec::new(),
            resource: vec![("service.name".into(), "service".into())],
            histograms: EmfHistograms::default(),
            is_high_resolution: false,
        }
    }
}
