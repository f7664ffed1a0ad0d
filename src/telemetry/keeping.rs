//! What routes keep on disk, where they do not say it themselves.

use crate::pipeline::{DeadLetters, Route, Signal, SpoolFolder};

/// The defaults of routes that encode and send.
#[derive(Default)]
pub(super) struct Keeping {
    pub(super) spool: Option<SpoolFolder>,
    pub(super) dead_letters: Option<DeadLetters>,
}

impl Keeping {
    /// The route with what it does not say itself.
    pub(super) fn complete<S: Signal>(&self, route: Route<S>) -> Route<S> {
        let route = route.dead_letters_by_default(self.dead_letters.as_ref());
        match &self.spool {
            Some(folder) => route.kept_below(folder),
            None => route,
        }
    }
}
