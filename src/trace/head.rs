//! The sampler that decides when spans start, and what is known of it beforehand.

use std::fmt;

use super::sampler::{AlwaysOff, Candidate, Ours, ParentBased, Rejection, Sampler, Sampling};
use crate::{
    context::{self, Ids, TraceId},
    diagnostics,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    util::panics,
};

/// A tracer's sampler. It is put in place whole and never changed: a thread has the one that was in place
/// when it last looked for its tracer, which it does again after each change.
pub(super) struct Head {
    sampler: Box<dyn Sampler>,
    is_ours: bool, // Then it is asked where it stands: it uses no span and does not panic.
    follows_local: bool, // Whether a parent of this process decides for its children.
    of_roots: Option<bool>, // What is decided about every root, if that is always the same.
    rejection: Rejection,
    has_reported: AtomicBool,
}

impl Head {
    /// Of a sampler that minds parents, or else of a [`ParentBased`] around it.
    pub(super) fn new(sampler: Box<dyn Sampler>) -> Self {
        Self {
            is_ours: sampler.is_ours(Ours),
            follows_local: sampler.follows_local(Ours),
            of_roots: sampler.of_roots(Ours),
            rejection: sampler.rejection(Ours),
            sampler,
            has_reported: AtomicBool::new(false),
        }
    }

    /// Whether a child of `parent` is decided as that was, which need not be asked of the sampler.
    #[inline(always)]
    pub(super) fn follows(&self, parent: &Ids) -> bool {
        self.follows_local && !parent.is_remote()
    }

    /// Whether a root with this trace is sampled, if its sampler need not be asked.
    #[inline(always)]
    pub(super) fn of_root(&self, trace_id: TraceId) -> Option<bool> {
        if self.rejection.rejects(trace_id) { Some(false) } else { self.of_roots }
    }

    /// The decision about the span, if its sampler can be asked at once.
    pub(super) fn decide(&self, span: &Candidate<'_>) -> Option<Sampling> {
        // Not the box's own `sample`, which is one call more.
        self.is_ours.then(|| (*self.sampler).sample(span))
    }

    /// Asks a sampler that is the user's, with this thread's spans free. The application that starts
    /// a span has no part in a panic there: the span is not recorded, and `lose` called.
    pub(super) fn ask(&self, span: &Candidate<'_>, lose: impl FnOnce()) -> Sampling {
        match panics::catch(|| self.sampler.sample(span)) {
            Ok(sampling) => sampling,
            Err(payload) => {
                panics::discard(payload);
                lose();
                self.report();
                Sampling::DROP
            }
        }
    }

    #[cold]
    fn report(&self) {
        // Relaxed: it publishes nothing but itself.
        if !self.has_reported.swap(true, Relaxed) {
            let _muted = context::mute();
            let text = format_args!(
                "panicked; spans that it panics on are not recorded, and counted as lost"
            );
            diagnostics::report("sampler", text);
        }
    }
}

/// `sampler`, asked about roots alone unless it minds parents itself.
pub(super) fn minding_parents(sampler: Box<dyn Sampler>) -> Box<dyn Sampler> {
    if sampler.minds_parents(Ours) { sampler } else { Box::new(ParentBased::of(sampler)) }
}

/// Its last owner may be an application's thread that starts a span.
impl Drop for Head {
    fn drop(&mut self) {
        let _muted = context::mute();
        let sampler = std::mem::replace(&mut self.sampler, Box::new(AlwaysOff));
        if let Err(payload) = panics::catch(|| drop(sampler)) {
            panics::discard(payload);
            diagnostics::report("sampler", format_args!("panicked in its drop"));
        }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sampler.fmt(f)
    }
}
