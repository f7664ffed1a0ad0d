//! What a user chooses of lines.

/// How lines are written.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) prefix: String,
    pub(super) has_tags: bool,
}
