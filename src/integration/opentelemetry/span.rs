//! A span of the API, which is one of ours.

use std::{borrow::Cow, error::Error, time::SystemTime};

use ::opentelemetry::{
    KeyValue as TheirKeyValue,
    trace::{Span as ApiSpan, SpanContext as TheirContext, Status as TheirStatus},
};

use super::{attributes::attribute, ids, instant::instant};
use crate::{
    clock,
    label::KeyValue,
    log,
    trace::{Span, Status},
};

/// A span of OpenTelemetry's API that is recorded by us; made by [`OtelTracer`](super::OtelTracer).
///
/// It ends once, by `end`, or when it is dropped, on whichever thread. What is set on it then is ignored.
#[derive(Debug)]
pub struct OtelSpan {
    context: TheirContext,
    span: Option<Span>, // None if it is not recorded, or has ended.
    status: Rank,
}

/// What a status gives way to: a higher one alone, and an error to another error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Unset,
    Error,
    Ok,
}

impl OtelSpan {
    pub(super) fn new(span: Span) -> Self {
        let is_recording = span.is_recording();
        let context = ids::to_theirs(span.context().span(), is_recording);
        Self { context, span: Some(span).filter(|_| is_recording), status: Rank::Unset }
    }

    /// A span that is not recorded, and passes `context` on.
    pub(super) const fn unrecorded(context: TheirContext) -> Self {
        Self { context, span: None, status: Rank::Unset }
    }
}

impl ApiSpan for OtelSpan {
    fn add_event_with_timestamp<T>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        theirs: Vec<TheirKeyValue>,
    ) where
        T: Into<Cow<'static, str>>,
    {
        if let Some(span) = &mut self.span {
            span.add_event_at(name.into(), instant(timestamp), theirs.iter().map(attribute));
        }
    }

    /// As the API says: an event `exception`. The status stays.
    fn record_error(&mut self, error: &dyn Error) {
        if let Some(span) = &mut self.span {
            let message = log::print(format_args!("{error}"));
            let message = KeyValue::new("exception.message", message);
            span.add_event_at("exception".into(), clock::now(), [message]);
        }
    }

    fn span_context(&self) -> &TheirContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.span.is_some()
    }

    fn set_attribute(&mut self, theirs: TheirKeyValue) {
        if let Some(span) = &mut self.span {
            let own = attribute(&theirs);
            span.set_attribute(own.key, own.value);
        }
    }

    fn set_status(&mut self, status: TheirStatus) {
        let Some(span) = &mut self.span else { return };
        let (rank, status) = match status {
            TheirStatus::Unset => return,
            TheirStatus::Error { description } => (Rank::Error, Status::Error(description)),
            TheirStatus::Ok => (Rank::Ok, Status::Ok),
        };
        if rank >= self.status {
            self.status = rank;
            span.set_status(status);
        }
    }

    fn update_name<T>(&mut self, name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        if let Some(span) = &mut self.span {
            span.set_name(name);
        }
    }

    fn add_link(&mut self, theirs: TheirContext, attributes: Vec<TheirKeyValue>) {
        if let Some(span) = &mut self.span {
            span.add_link(ids::to_ours(&theirs), attributes.iter().map(attribute));
        }
    }

    fn end(&mut self) {
        drop(self.span.take());
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        if let Some(span) = self.span.take() {
            span.end_at(instant(timestamp));
        }
    }
}
