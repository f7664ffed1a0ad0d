//! What a caller's headers said.

use crate::context::Context;

/// In a context of the API that was extracted: ours has more than OpenTelemetry's, such as a decision about
/// a trace that is to begin, or entries of baggage that stay in the process.
#[derive(Debug)]
pub(super) struct Caller(pub(super) Context);
