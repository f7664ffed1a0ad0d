//! What is sent, and in which form.

use std::borrow::Cow;

/// What is sent, and in which form.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) form: LokiForm,
    pub(super) line: LokiLine,
    /// The attributes that are labels, besides the service's name.
    pub(super) labels: Vec<Cow<'static, str>>,
    /// Whether the level is a label.
    pub(super) has_level: bool,
    pub(super) resource_metadata: Vec<Cow<'static, str>>,
    pub(super) most_line: usize,
    pub(super) long_lines: LokiLongLines,
}

/// The attributes of the resource that each entry has by default: what keeps two processes apart.
const RESOURCE_METADATA: [&str; 4] =
    ["service.namespace", "service.instance.id", "deployment.environment.name", "host.name"];

/// The longest line that Loki takes unless it is configured otherwise.
const MOST_LINE: usize = 256 << 10;

impl Default for Options {
    fn default() -> Self {
        Self {
            form: LokiForm::default(),
            line: LokiLine::default(),
            labels: Vec::new(),
            has_level: true,
            resource_metadata: RESOURCE_METADATA.map(Cow::Borrowed).to_vec(),
            most_line: MOST_LINE,
            long_lines: LokiLongLines::default(),
        }
    }
}

/// In which form requests are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LokiForm {
    /// Protobuf, compressed by snappy: the smallest.
    #[default]
    Protobuf,
    /// JSON, for what takes nothing else, or to look at. It is compressed if the
    /// [`Endpoint`](crate::transport::Endpoint::compression) says so.
    Json,
}

/// What the line of an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LokiLine {
    /// The body as text. All else is in labels and structured metadata.
    #[default]
    Body,
    /// The whole record as JSON, as [`File`](crate::export::File) writes it. Of the record, only the ids of trace and
    /// span are structured metadata too. For Loki before 3.0, which has no structured metadata unless it is
    /// configured, and for who asks with `| json`.
    Json,
    /// As [`Json`](Self::Json), with the names of the Elastic Common Schema.
    Ecs,
}

/// What becomes of an entry whose line is longer than
/// [`max_line_bytes`](super::Loki::max_line_bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LokiLongLines {
    /// The line is cut at a character, and `line_bytes` in its structured metadata says how long it was.
    #[default]
    Cut,
    /// The record is dropped, with the reason `rejected`.
    Reject,
}
