//! A span of `tracing` in the registry's extensions.

use std::{fmt, sync::Arc};

use ::tracing_core::span::Id;
use ::tracing_subscriber::registry::{LookupSpan, Registry, SpanRef};

use crate::{context::Context, trace::shared::SharedSpan};

/// What this crate knows of a span of `tracing`: in the span's extensions, for other layers to read.
///
/// # Examples
///
/// ```
/// use bellwether::integration::tracing::TracedSpan;
/// use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};
///
/// struct Ids;
///
/// impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ids {
///     fn on_enter(&self, id: &tracing::span::Id, ctx: Context<'_, S>) {
///         let span = ctx.span(id).expect("a span that is entered");
///         let traced = span.extensions().get::<TracedSpan>().cloned();
///         println!("{:?}", traced.map(|traced| traced.context().trace_id()));
///     }
/// }
/// ```
#[derive(Clone)]
pub struct TracedSpan(pub(super) Arc<SharedSpan>);

impl TracedSpan {
    /// Its context; [`Context::NONE`] if nothing is recorded and nothing handed on. The span cannot get
    /// another parent from then on.
    #[must_use]
    pub fn context(&self) -> Context {
        self.0.context()
    }
}

impl fmt::Debug for TracedSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedSpan").finish_non_exhaustive()
    }
}

/// What is known of a span. Nothing of it is locked when this returns.
pub(super) fn traced<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Option<Arc<SharedSpan>> {
    span.extensions().get::<TracedSpan>().map(|traced| Arc::clone(&traced.0))
}

/// What is known of the span `id`, or of the nearest of its ancestors of which something is known,
/// whatever filters say.
pub(super) fn nearest(registry: &Registry, id: &Id) -> Option<Arc<SharedSpan>> {
    registry.span(id)?.scope().find_map(|span| traced(&span))
}
