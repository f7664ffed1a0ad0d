//! What a user chooses of lines.

use std::borrow::Cow;

/// How lines are written.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) prefix: String,
    pub(super) has_tags: bool,
    /// Attributes of the resource that are tags, and their names.
    pub(super) resource_tags: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}
