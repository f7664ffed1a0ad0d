//! Trouble that is reported once, and again only after it was over.

use std::{io, path::Path};

/// What does not work, for as long as it does not.
#[derive(Debug)]
pub(super) struct Trouble {
    what: &'static str,
    meanwhile: &'static str,
    is_known: bool,
}

/// A text for diagnostics, to be reported once nothing is locked.
pub(super) type Report = String;

impl Trouble {
    pub(super) fn new(what: &'static str, meanwhile: &'static str) -> Self {
        Self { what, meanwhile, is_known: false }
    }

    /// Takes note of how it went with the file at `path`, and returns what is to be reported.
    pub(super) fn note(&mut self, outcome: io::Result<()>, path: &Path) -> Option<Report> {
        let was_known = std::mem::replace(&mut self.is_known, outcome.is_err());
        let error = outcome.err().filter(|_| !was_known)?;
        let Self { what, meanwhile, .. } = self;
        Some(format!("{what} {path:?}: {error}; {meanwhile} until that works again"))
    }

    /// Takes note that it works again.
    pub(super) fn ended(&mut self) {
        self.is_known = false;
    }
}
