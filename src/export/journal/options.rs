//! What a user chooses of entries.

use std::{borrow::Cow, path::PathBuf};

/// How entries are written, and where to.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) socket: PathBuf,
    pub(super) identifier: Option<String>,
    pub(super) fields: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}
