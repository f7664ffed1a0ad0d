//! Where documents go, and how they are written.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind};

/// Where documents go, and how they are written.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) naming: Naming,
    pub(super) kin: Kin,
    pub(super) histograms: ElasticHistograms,
    /// Attributes of the resource that are labels of each document.
    pub(super) resource_labels: Vec<Cow<'static, str>>,
    /// The ingest pipeline that documents go through, if it is not the index's own.
    pub(super) pipeline: Option<String>,
}

/// What the streams or indices are called.
#[derive(Clone, Debug)]
pub(super) enum Naming {
    /// Data streams: `logs-shop-default`.
    Streams { dataset: String, namespace: String },
    /// An index for each day: `shop-logs-2026.11.30`.
    Daily { prefix: String },
}

/// Which of the two it is: they differ in what administers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kin {
    Elasticsearch,
    OpenSearch,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            naming: Naming::Streams {
                dataset: "bellwether".to_owned(),
                namespace: "default".to_owned(),
            },
            kin: Kin::Elasticsearch,
            histograms: ElasticHistograms::default(),
            resource_labels: vec![Cow::Borrowed("service.namespace")],
            pipeline: None,
        }
    }
}

/// In which form histograms are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ElasticHistograms {
    /// `metric.count`, `metric.sum`, `metric.min`, `metric.max`, `metric.p50`, `metric.p90` and `metric.p99`: of
    /// all values since the start, or of the interval where the route has
    /// [differences](crate::metric::Temporality::Delta).
    #[default]
    Figures,
    /// The figures, and `metric.distribution`: the middle of each bucket and how many values are in it, as a field
    /// of the type `histogram`, from which Elasticsearch computes percentiles over many documents. OpenSearch has
    /// no such type: there the field is kept and not searched.
    Distribution,
}

/// The longest name of an index (Elasticsearch, "Create index").
const MOST_NAME: usize = 255;
/// The longest part of the name of a data stream (Elastic, "Data stream naming scheme").
const MOST_PART: usize = 100;
/// What follows a prefix in the name of an index: the longest type and a date.
const LONGEST_END: usize = "-metrics-2026.11.30".len();

impl Naming {
    /// The data stream of documents of this type; `None` where each day has an index.
    pub(super) fn stream(&self, of: &str) -> Option<String> {
        match self {
            Self::Streams { dataset, namespace } => Some(format!("{of}-{dataset}-{namespace}")),
            Self::Daily { .. } => None,
        }
    }

    /// What to search for documents of this type: a data stream, or the indices of all days.
    pub(super) fn target(&self, of: &str) -> String {
        match self {
            Self::Streams { dataset, namespace } => format!("{of}-{dataset}-{namespace}"),
            Self::Daily { prefix } => format!("{prefix}-{of}-*"),
        }
    }

    /// What everything that is installed for them is called.
    pub(super) fn base(&self) -> String {
        match self {
            Self::Streams { dataset, namespace } => format!("bellwether-{dataset}-{namespace}"),
            Self::Daily { prefix } => prefix.clone(),
        }
    }

    /// Whether an index may be called so.
    pub(super) fn check(&self) -> Result<(), Error> {
        let fault = match self {
            Self::Streams { dataset, namespace } => {
                let of_part = |what, part: &str| {
                    let is_long = part.len() > MOST_PART;
                    match fault_of(part) {
                        None if part.contains('-') => Some(format!("{what} {part:?} has a `-`")),
                        None if is_long => Some(format!("{what} {part:?} is too long")),
                        fault => fault.map(|fault| format!("{what} {part:?} {fault}")),
                    }
                };
                of_part("dataset", dataset).or_else(|| of_part("namespace", namespace))
            }
            Self::Daily { prefix } => match fault_of(prefix) {
                None if prefix.len() > MOST_NAME - LONGEST_END => {
                    Some(format!("prefix {prefix:?} is too long"))
                }
                None if prefix.starts_with(['-', '_', '+', '.']) => {
                    Some(format!("prefix {prefix:?} begins with `-`, `_`, `+` or `.`"))
                }
                fault => fault.map(|fault| format!("prefix {prefix:?} {fault}")),
            },
        };
        fault.map_or(Ok(()), |what| Err(Error::new(ErrorKind::InvalidOption, what)))
    }
}

/// Why no name of an index may have `part` in it.
fn fault_of(part: &str) -> Option<&'static str> {
    let is_reserved = |c: char| "\\/*?\"<>|,#%: ".contains(c) || c.is_control();
    if part.is_empty() {
        Some("is empty")
    } else if part.contains(is_reserved) {
        Some("has a character that no index may have")
    } else if part.chars().any(|c| c.to_lowercase().ne([c])) {
        Some("is not in lower case")
    } else {
        None
    }
}
