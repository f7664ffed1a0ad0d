//! A request from its beginning to its end: the span, the time, and what is recorded of both.
//!
//! It is made by a service, lies in the future of the response, and moves on into the body. Each of them
//! [enters](Exchange::enter) it when it is polled, so that whatever runs then is below its span. It ends
//! once: at the last byte, by an error or a panic, or by the drop of what has it.

use std::mem::{self, ManuallyDrop};

use http::{Method as HttpMethod, StatusCode, header::CONTENT_TYPE, response::Parts};

use super::{
    grpc,
    subject::{HttpAnswer, Subject},
};
use crate::{
    bundle::GrpcCode,
    clock::{self, Ticks},
    context::{self, Measured, Outcome},
    label::Value,
    metric::Held,
    trace::{Failure, Span, SpanScope},
};

/// A request under way.
#[derive(Debug)]
pub(super) struct Exchange {
    span: Span, // While no thread is in it.
    /// Whether what serves the request finds it measured; `None` on the side of a client.
    measured: Option<Measured>,
    start: Ticks,
    subject: Subject,
    status: Option<StatusCode>,
    code: Option<GrpcCode>,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
    is_over: bool,
    active: Option<Held>, // Until it is over.
}

/// How an exchange ends.
pub(super) enum End<'a> {
    /// As its status says.
    Answered,
    /// With an error in place of a response, or within its body.
    Failed(&'a Failure<'a>),
    /// With a panic, or because nobody waits for it any more.
    Abandoned(Outcome),
}

impl Exchange {
    /// One that begins at `start`, and that nobody is in; its span comes with the first
    /// [turn](Self::turn).
    pub(super) fn new(start: Ticks, subject: Subject) -> Self {
        let active = subject.hold();
        Self {
            span: Span::NONE,
            measured: None,
            start,
            subject,
            status: None,
            code: None,
            request_bytes: None,
            response_bytes: None,
            is_over: false,
            active: Some(active),
        }
    }

    /// What the first observed future in it is to know: whether the request is measured already.
    pub(super) fn measured(mut self, measured: Measured) -> Self {
        self.measured = Some(measured);
        self
    }

    /// The size of the request's body, if it is known.
    pub(super) fn request_bytes(mut self, bytes: Option<u64>) -> Self {
        self.request_bytes = bytes;
        self
    }

    /// Enters it on this thread. A turn that is dropped ends it: that is a panic, or what `dropped` says.
    pub(super) fn enter(&mut self, dropped: Outcome) -> Turn<'_> {
        let scope = mem::take(&mut self.span).enter();
        self.turn(scope, dropped)
    }

    /// As [`enter`](Self::enter), where its span is entered already.
    pub(super) fn turn(&mut self, scope: SpanScope, dropped: Outcome) -> Turn<'_> {
        let around = self.measured.map(context::replace_measured);
        Turn { exchange: self, scope, around, dropped }
    }

    /// Ends it where nobody is in it.
    pub(super) fn end(mut self, end: End<'_>) {
        self.enter(Outcome::Cancelled).end(end);
    }

    pub(super) fn is_grpc(&self) -> bool {
        self.subject.is_grpc()
    }

    pub(super) fn is_client(&self) -> bool {
        self.subject.is_client()
    }

    /// Notes how many bytes of the response's body there were so far.
    pub(super) fn set_response_bytes(&mut self, bytes: u64) {
        self.response_bytes = Some(bytes);
    }

    /// Notes the status that is in the trailers.
    pub(super) fn set_code(&mut self, code: Option<GrpcCode>) {
        self.code = code.or(self.code);
    }

    fn leave(&mut self, scope: SpanScope, around: Option<Measured>) {
        if let Some(around) = around {
            self.measured = Some(context::replace_measured(around));
        }
        self.span = scope.leave();
    }

    fn conclude(&mut self, mut scope: SpanScope, around: Option<Measured>, end: &End<'_>) {
        around.map(context::replace_measured);
        if mem::replace(&mut self.is_over, true) {
            return; // It was polled again after a panic.
        }
        let at = clock::now();
        if self.is_grpc() && self.code.is_none() && matches!(end, End::Answered) {
            self.code = Some(self.status.map_or(GrpcCode::Unknown, grpc::code_of));
        }
        let (outcome, error) = match end {
            End::Answered if self.subject.is_error(self.status, self.code) => {
                (Outcome::Error, None)
            }
            End::Answered => (Outcome::Ok, None),
            End::Failed(failure) => {
                scope.fail(failure);
                (Outcome::Error, Some(failure.kind()))
            }
            End::Abandoned(outcome) => (*outcome, Some(outcome.as_str())),
        };
        self.active = None;
        // In the span, of which the duration may be an exemplar.
        self.record(at, error);
        if scope.is_recording() {
            self.describe(&scope, outcome, error);
        }
        scope.end_with(outcome, at);
    }

    fn record(&self, at: Ticks, error: Option<&str>) {
        let answer = HttpAnswer {
            status: self.status.map(|status| status.as_u16()),
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
        };
        self.subject.record(at.seconds_since(self.start), &answer, self.code, error);
    }

    /// Sets on the span what is known at its end.
    #[inline(never)]
    fn describe(&self, scope: &SpanScope, outcome: Outcome, error: Option<&'static str>) {
        if !self.is_grpc() {
            for (key, bytes) in [
                ("http.request.body.size", self.request_bytes),
                ("http.response.body.size", self.response_bytes),
            ] {
                if let Some(bytes) = bytes {
                    scope.set_attribute(key, bytes);
                }
            }
        }
        if let Some(code) = self.code {
            scope.set_attribute("rpc.response.status_code", Value::from_static(code.as_str()));
            self.subject.disown(scope, code);
        }
        if outcome == Outcome::Ok {
            return;
        }
        match (error, self.code, &self.status) {
            (Some(error), ..) => scope.set_attribute("error.type", Value::from_static(error)),
            (None, Some(code), _) => {
                scope.set_attribute("error.type", Value::from_static(code.as_str()));
            }
            (None, None, Some(status)) => scope.set_attribute("error.type", status.as_str()),
            (None, None, None) => {}
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_over {
            drop(self.enter(Outcome::Cancelled));
        }
    }
}

/// A thread's stay in an exchange.
#[must_use = "dropping it ends the exchange"]
pub(super) struct Turn<'a> {
    exchange: &'a mut Exchange,
    scope: SpanScope,
    around: Option<Measured>, // How often the operation around was measured.
    dropped: Outcome,
}

impl Turn<'_> {
    /// Leaves the exchange open.
    pub(super) fn leave(self) {
        let mut this = ManuallyDrop::new(self);
        let (scope, around) = (this.scope.take(), this.around);
        this.exchange.leave(scope, around);
    }

    /// Ends it.
    pub(super) fn end(self, end: End<'_>) {
        ManuallyDrop::new(self).finish(&end);
    }

    /// The exchange, while this thread is in it.
    pub(super) fn exchange(&mut self) -> &mut Exchange {
        self.exchange
    }

    /// Notes the head of the response. Returns whether the exchange is over with it: nothing follows,
    /// or what follows is no longer the answer (another protocol, events that go on and on).
    pub(super) fn answered(&mut self, head: &Parts, has_body: bool) -> bool {
        let exchange = &mut *self.exchange;
        exchange.status = Some(head.status);
        // What serves the request has ended; what its body observes are parts.
        if exchange.measured.is_some() {
            context::replace_measured(Measured::Never);
        }
        if exchange.is_grpc() {
            exchange.code = grpc::code_in(&head.headers);
            return !has_body;
        }
        let status = i64::from(head.status.as_u16());
        self.scope.set_attribute("http.response.status_code", status);
        let is_tunnel = exchange.subject.is(&HttpMethod::CONNECT) && head.status.is_success();
        !has_body
            || is_tunnel
            || exchange.subject.is(&HttpMethod::HEAD)
            || head.status.is_informational()
            || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status)
            || is_event_stream(head)
    }

    fn finish(&mut self, end: &End<'_>) {
        let (scope, around) = (self.scope.take(), self.around);
        self.exchange.conclude(scope, around, end);
    }
}

impl Drop for Turn<'_> {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        self.finish(&End::Abandoned(self.dropped));
    }
}

fn is_event_stream(head: &Parts) -> bool {
    let content = head.headers.get(CONTENT_TYPE).map(|content| content.as_bytes());
    content.is_some_and(|content| {
        const EVENTS: &[u8] = b"text/event-stream";
        content.get(..EVENTS.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS))
    })
}
