//! What a user chooses.

use crate::export::prometheus::{Format, PageOptions};

/// What is pushed, and where.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    /// The label `job`; that of the resource by default.
    pub(super) job: Option<String>,
    /// The other labels of the grouping key.
    pub(super) labels: Vec<(String, String)>,
    pub(super) keeps_others: bool,
    pub(super) deletes_at_exit: bool,
    pub(super) is_protobuf: bool,
    pub(super) page: PageOptions,
}

impl Options {
    pub(super) fn format(&self) -> Format {
        if self.is_protobuf { Format::Protobuf } else { Format::Text }
    }
}
