//! The layer: what it does when a span is made, entered, left, changed and closed.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use ::tracing_core::{
    Dispatch, Event, Subscriber,
    dispatcher::WeakDispatch,
    span::{Attributes, Id, Record},
};
use ::tracing_subscriber::{
    layer::{Context, Layer},
    registry::{LookupSpan, Registry},
};

use super::{
    event::{self, Owner},
    fields::{Fields, First, Late, Said},
    options::TracingOptions,
    span::{TracedSpan, nearest, traced},
    subscribers,
};
use crate::{
    context,
    label::Value,
    log::{self, Nested},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    trace::{
        self,
        shared::{self, SharedSpan},
    },
};

/// The layer, without its filter; made by [`layer`](super::layer) and
/// [`TracingOptions::layer`](super::TracingOptions::layer).
pub struct TracingLayer {
    /// Tells stays in spans of several subscribers apart, whose ids are the same numbers.
    number: u64,
    options: TracingOptions,
    /// The subscriber that it is in, for the few questions that its context does not answer.
    dispatch: OnceLock<WeakDispatch>,
}

impl TracingLayer {
    pub(super) fn new(options: TracingOptions) -> Self {
        /// Relaxed: it publishes nothing but itself.
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Relaxed);
        Self { number, options, dispatch: OnceLock::new() }
    }

    fn key(&self, id: &Id) -> shared::Key {
        (self.number, id.into_u64())
    }

    /// The span `id`, if this layer knows it.
    fn own<S>(&self, id: &Id, ctx: &Context<'_, S>) -> Option<Arc<SharedSpan>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        shared::recall(self.key(id)).or_else(|| traced(&ctx.span(id)?))
    }

    /// The span `id`, or the nearest of its ancestors that no filter keeps from this layer.
    fn find<S>(&self, id: &Id, ctx: &Context<'_, S>) -> Option<Arc<SharedSpan>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if let Some(found) = self.own(id, ctx) {
            return Some(found);
        }
        let dispatch = self.dispatch.get()?.upgrade()?;
        nearest(dispatch.downcast_ref::<Registry>()?, id)
    }

    /// The context that a new span is to be below.
    fn parent<S>(&self, attributes: &Attributes<'_>, ctx: &Context<'_, S>) -> context::Context
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if attributes.is_contextual() {
            return context::current();
        }
        match attributes.parent() {
            Some(id) => self.find(id, ctx).map(|parent| parent.context()).unwrap_or_default(),
            // As for a root of ours, the baggage stays.
            None => context::current().with_span(context::SpanContext::NONE),
        }
    }

    fn first_fields(&self, attributes: &Attributes<'_>, parent: context::Context) -> SharedSpan {
        let metadata = attributes.metadata();
        let builder = trace::span(metadata.name());
        let mut first = First { builder, said: Said::default() };
        first.builder.replace_parent(parent);
        let mut put = |is_wanted: bool, key, value: Option<Value>| {
            if let Some(value) = value.filter(|_| is_wanted) {
                first.builder.add_attribute(key, value);
            }
        };
        let TracingOptions { target, level, location, .. } = self.options;
        put(target, "target", Some(Value::from_static(metadata.target())));
        put(level, "level", Some(Value::from_static(metadata.level().as_str())));
        put(location, "code.file.path", metadata.file().map(Value::from_static));
        put(location, "code.line.number", metadata.line().map(Value::from));
        put(location, "code.module.name", metadata.module_path().map(Value::from_static));
        if let Some(_nested) = Nested::begin() {
            attributes.record(&mut Fields(&mut first));
        }
        let First { mut builder, said: Said { name, kind, status } } = first;
        name.into_iter().for_each(|name| builder.replace_name(name));
        kind.into_iter().for_each(|kind| builder.replace_kind(kind));
        SharedSpan::new(builder, status)
    }

    /// To whom an event belongs.
    fn owner<S>(&self, event: &Event<'_>, ctx: &Context<'_, S>) -> Owner
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if event.is_contextual() {
            return Owner::Current;
        }
        let span = event.parent().and_then(|id| self.find(id, ctx));
        span.map_or(Owner::Nobody, Owner::Span)
    }
}

impl<S> Layer<S> for TracingLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(subscribers::note(dispatch));
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        shared::leave_ended();
        let parent = self.parent(attributes, &ctx);
        let may_record = trace::is_active() && !context::is_muted();
        if !may_record && parent.is_none() && context::current().is_none() {
            return; // Nothing runs, and nothing is handed on.
        }
        let Some(span) = ctx.span(id) else { return };
        let new = Arc::new(self.first_fields(attributes, parent));
        let mut extensions = span.extensions_mut();
        if let Some(first) = extensions.replace(TracedSpan(Arc::clone(&new))) {
            extensions.replace(first); // Another layer of ours knows it already.
            drop(extensions);
            return new.discard();
        }
        drop(extensions);
        shared::remember(self.key(id), &new);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = self.own(id, &ctx) {
            shared::enter(self.key(id), span);
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        shared::exit(self.key(id));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = self.own(id, &ctx) else { return };
        if !span.is_open_to_content() {
            return;
        }
        let Some(_nested) = Nested::begin() else { return };
        let mut late = Late::default();
        values.record(&mut Fields(&mut late));
        let Late { attributes, said: Said { name, kind, status } } = late;
        name.into_iter().for_each(|name| span.set_name(name));
        kind.into_iter().for_each(|kind| span.set_kind(kind));
        status.into_iter().for_each(|status| span.set_status(status));
        span.set_attributes(attributes);
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        let Some(span) = self.own(id, &ctx) else { return };
        if let Some(follows) = self.own(follows, &ctx) {
            span.add_link(follows.context().into());
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let Some(_nested) = Nested::begin() else { return log::count_reentrant() };
        let owner = self.owner(event, &ctx);
        event::log(event, &owner);
        event::note(event, &owner, &self.options);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        // Its context stays in the extensions, for the lines that other layers write when it closes.
        let recent = shared::forget(self.key(&id));
        if let Some(span) = recent.or_else(|| traced(&ctx.span(&id)?)) {
            span.end();
        }
    }
}

impl fmt::Debug for TracingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingLayer").field("options", &self.options).finish_non_exhaustive()
    }
}
