//! How the layer is made.

use ::tracing_core::Subscriber;
use ::tracing_subscriber::{filter::Filtered, layer::Layer as _, registry::LookupSpan};

use super::{filter::TracingFilter, layer::TracingLayer, options::TracingOptions, subscribers};
use crate::log;

/// The layer with its defaults: what [`TracingOptions::layer`] makes.
///
/// # Examples
///
/// ```no_run
/// use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
///
/// tracing_subscriber::registry()
///     .with(bellwether::integration::tracing::layer())
///     .with(tracing_subscriber::fmt::layer())
///     .init();
/// ```
#[must_use]
pub fn layer<S>() -> Filtered<TracingLayer, TracingFilter, S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    TracingOptions::new().layer()
}

impl TracingOptions {
    /// The layer, to be given to a subscriber that has a registry.
    #[must_use]
    pub fn layer<S>(self) -> Filtered<TracingLayer, TracingFilter, S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        log::filter::follow(subscribers::ask_anew);
        TracingLayer::new(self).with_filter(TracingFilter::new(self))
    }
}
