//! Ids in the lines of `tracing_subscriber::fmt`.

use std::fmt;

use ::tracing_core::{Event, Subscriber};
use ::tracing_subscriber::{
    fmt::{
        FmtContext,
        format::{FormatEvent, FormatFields, Writer},
    },
    registry::LookupSpan,
};

use super::span::traced;
use crate::context::{self, SpanContext};

/// Writes the ids of an event's span before its line, which is text.
///
/// # Examples
///
/// ```
/// use bellwether::integration::tracing as bridge;
/// use tracing_subscriber::{fmt, layer::SubscriberExt as _};
///
/// let lines = fmt::layer().map_event_format(bridge::with_ids);
/// let _subscriber = tracing_subscriber::registry().with(bridge::layer()).with(lines);
/// // trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331 … INFO order: shop: paid
/// ```
pub const fn with_ids<F>(format: F) -> WithIds<F> {
    WithIds { format, is_json: false }
}

/// Writes the ids of an event's span into its line, which is a JSON object.
///
/// # Examples
///
/// ```
/// use bellwether::integration::tracing as bridge;
/// use tracing_subscriber::{fmt, layer::SubscriberExt as _};
///
/// # #[cfg(any())] // The feature `json` of tracing-subscriber.
/// let lines = fmt::layer().json().map_event_format(bridge::with_json_ids);
/// // {"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","timestamp":"…
/// ```
pub const fn with_json_ids<F>(format: F) -> WithIds<F> {
    WithIds { format, is_json: true }
}

/// A format of `tracing_subscriber::fmt` with the ids of spans; made by [`with_ids`] and [`with_json_ids`].
#[derive(Clone, Debug)]
pub struct WithIds<F> {
    format: F,
    is_json: bool,
}

impl<S, N, F> FormatEvent<S, N> for WithIds<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let span = span_of(ctx, event);
        if !span.is_valid() {
            return self.format.format_event(ctx, writer, event);
        }
        let (trace_id, span_id) = (span.trace_id(), span.span_id());
        if !self.is_json {
            write!(writer, "trace_id={trace_id} span_id={span_id} ")?;
            return self.format.format_event(ctx, writer, event);
        }
        let mut line = String::new();
        self.format.format_event(ctx, Writer::new(&mut line), event)?;
        let Some(rest) = line.strip_prefix('{') else { return writer.write_str(&line) };
        let comma = if rest.starts_with('}') { "" } else { "," };
        write!(writer, r#"{{"trace_id":"{trace_id}","span_id":"{span_id}"{comma}{rest}"#)
    }
}

/// The span that an event belongs to: a named one, or what is current.
fn span_of<S, N>(ctx: &FmtContext<'_, S, N>, event: &Event<'_>) -> SpanContext
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    if event.is_contextual() {
        return context::span_context();
    }
    let nearest = ctx.event_scope().and_then(|mut scope| scope.find_map(|span| traced(&span)));
    nearest.map_or(SpanContext::NONE, |span| span.context().into())
}
