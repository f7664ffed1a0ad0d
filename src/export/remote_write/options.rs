//! What is sent, and how it is called.

use crate::exposition::Translation;

/// In which form histograms are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HistogramForm {
    /// As buckets with bounds: the series `_bucket`, `_sum` and `_count`, which every receiver knows and
    /// most dashboards ask for.
    #[default]
    Classic,
    /// As native histograms: one series with all buckets, each within a few percent. A histogram with
    /// explicit bounds has none, and is sent as [`Classic`](Self::Classic).
    Native,
    /// As both.
    Both,
}

impl HistogramForm {
    pub(super) fn are_classic(self) -> bool {
        matches!(self, Self::Classic | Self::Both)
    }

    pub(super) fn are_native(self) -> bool {
        matches!(self, Self::Native | Self::Both)
    }
}

/// What is sent, and how it is called.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) histograms: HistogramForm,
    pub(super) translation: Translation,
    pub(super) native_buckets: usize,
    pub(super) with_target_info: bool,
    pub(super) job: Option<String>,
    pub(super) instance: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            histograms: HistogramForm::default(),
            translation: Translation::default(),
            // As on a page.
            native_buckets: 160,
            with_target_info: true,
            job: None,
            instance: None,
        }
    }
}
