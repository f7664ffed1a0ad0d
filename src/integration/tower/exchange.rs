//! A request from its beginning to its end: the span, the time, and what is recorded of both.
//!
//! It is made by a service, lies in the future of the response, and moves on into the body. Each of them
//! [enters](Exchange::enter) it when it is polled, so that whatever runs then is below its span. It ends
//! once: at the last byte, by an error or a panic, or by the drop of what has it.

use std::mem::{self, ManuallyDrop};

use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};

use super::{
    grpc,
    subject::{HttpAnswer, Subject},
};
use crate::{
    bundle::{GrpcCode, Method},
    clock::{self, Ticks},
    context::{self, Measured, Outcome},
    metric::Held,
    trace::{Failure, Filling, PlacedSpan},
};

/// A request under way. It is moved into the future and on into the body, so it is kept small.
#[derive(Debug)]
pub(super) struct Exchange {
    span: PlacedSpan,
    /// Whether what serves the request finds it measured; `None` on the side of a client.
    measured: Option<Measured>,
    start: Ticks,
    subject: Subject,
    status: Option<StatusCode>,
    code: Option<GrpcCode>,
    request_bytes: Option<u64>,
    /// The length of the response's body, as its head says.
    length: Option<u64>,
    n_bytes: u64,   // Of the response's body so far.
    is_whole: bool, // Whether that is all of it.
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

/// What the head of a response says of its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) length: Option<u64>,
    pub(super) has_body: bool,
}

impl Exchange {
    /// One that begins at `start`, in whose span this thread is. The first observed future in it finds it
    /// `measured`; its body is of the size `request_bytes`, if that is known.
    #[inline]
    pub(super) fn new(
        span: PlacedSpan,
        start: Ticks,
        subject: Subject,
        measured: Option<Measured>,
        request_bytes: Option<u64>,
    ) -> Self {
        let active = Some(subject.hold());
        Self {
            span,
            measured,
            start,
            subject,
            status: None,
            code: None,
            request_bytes,
            length: None,
            n_bytes: 0,
            is_whole: false,
            is_over: false,
            active,
        }
    }

    /// Enters it on this thread. A turn that is dropped ends it: that is a panic, or what `dropped` says.
    pub(super) fn enter(&mut self, dropped: Outcome) -> Turn<'_> {
        self.span.enter();
        self.turn(dropped)
    }

    /// As [`enter`](Self::enter), where its span is entered already.
    pub(super) fn turn(&mut self, dropped: Outcome) -> Turn<'_> {
        let around = self.measured.map(context::replace_measured);
        Turn { exchange: self, around, dropped }
    }

    pub(super) fn is_grpc(&self) -> bool {
        self.subject.is_grpc()
    }

    /// Whether a client has not begun to read an answer of which it has the head.
    pub(super) fn is_unread(&self) -> bool {
        self.subject.is_client() && !self.is_grpc() && self.n_bytes == 0
    }

    /// Counts bytes of the response's body. Returns whether that is all, by its length.
    pub(super) fn count(&mut self, bytes: u64) -> bool {
        self.n_bytes += bytes;
        !self.is_grpc() && self.length.is_some_and(|length| self.n_bytes >= length)
    }

    /// Notes that all of the response's body was counted. That of a call is of no interest.
    pub(super) fn set_whole(&mut self) {
        self.is_whole = !self.is_grpc();
    }

    /// Notes the status that is in the trailers.
    pub(super) fn set_code(&mut self, code: Option<GrpcCode>) {
        self.code = code.or(self.code);
    }

    fn leave(&mut self, around: Option<Measured>) {
        if let Some(around) = around {
            self.measured = Some(context::replace_measured(around));
        }
        self.span.leave();
    }

    fn conclude(&mut self, around: Option<Measured>, end: &End<'_>) {
        around.map(context::replace_measured);
        let at = clock::now();
        if mem::replace(&mut self.is_over, true) {
            return self.span.end(Outcome::Ok, at); // It was polled again after a panic.
        }
        if self.is_grpc() && self.code.is_none() && matches!(end, End::Answered) {
            self.code = Some(self.status.map_or(GrpcCode::Unknown, grpc::code_of));
        }
        let (outcome, error) = match end {
            End::Answered if self.subject.is_error(self.status, self.code) => {
                (Outcome::Error, None)
            }
            End::Answered => (Outcome::Ok, None),
            End::Failed(failure) => {
                self.span.fail(failure);
                (Outcome::Error, Some(failure.kind()))
            }
            End::Abandoned(outcome) => (*outcome, Some(outcome.as_str())),
        };
        self.active = None;
        // In the span, of which the duration may be an exemplar.
        self.record(at, error);
        let mut span = self.span.take();
        span.fill(|span| self.describe(span, outcome, error));
        span.end(outcome, at);
    }

    fn record(&self, at: Ticks, error: Option<&str>) {
        let answer = HttpAnswer {
            status: self.status.map(|status| status.as_u16()),
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes(),
        };
        self.subject.record(at.seconds_since(self.start), &answer, self.code, error);
    }

    fn response_bytes(&self) -> Option<u64> {
        self.is_whole.then_some(self.n_bytes)
    }

    /// Sets on the span what is known at its end.
    #[inline(never)]
    fn describe(&self, span: &mut Filling<'_>, outcome: Outcome, error: Option<&'static str>) {
        if !self.is_grpc() {
            if let Some(bytes) = self.request_bytes {
                span.number("http.request.body.size", bytes);
            }
            if let Some(bytes) = self.response_bytes() {
                span.number("http.response.body.size", bytes);
            }
        }
        if let Some(code) = self.code {
            span.fixed("rpc.response.status_code", code.as_str());
            self.subject.disown(span, code);
        }
        if outcome == Outcome::Ok {
            return;
        }
        match (error, self.code, &self.status) {
            (Some(error), ..) => span.fixed("error.type", error),
            (None, Some(code), _) => span.fixed("error.type", code.as_str()),
            (None, None, Some(status)) => span.text("error.type", status.as_str()),
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
    around: Option<Measured>, // How often the operation around was measured.
    dropped: Outcome,
}

impl Turn<'_> {
    /// Leaves the exchange open.
    pub(super) fn leave(self) {
        let mut this = ManuallyDrop::new(self);
        let around = this.around;
        this.exchange.leave(around);
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
    pub(super) fn answered<B>(&mut self, head: &Response<B>, body: Answer) -> bool {
        let exchange = &mut *self.exchange;
        let (status, Answer { length, has_body }) = (head.status(), body);
        (exchange.status, exchange.length) = (Some(status), length);
        // What serves the request has ended; what its body observes are parts.
        if exchange.measured.is_some() {
            context::replace_measured(Measured::Never);
        }
        if exchange.is_grpc() {
            exchange.code = grpc::code_in(head.headers());
            return !has_body;
        }
        if !has_body {
            exchange.set_whole();
        }
        let method = exchange.subject.method();
        exchange.span.fill(|span| span.number("http.response.status_code", status.as_u16().into()));
        let is_tunnel = method == Some(Method::Connect) && status.is_success();
        !has_body
            || is_tunnel
            || method == Some(Method::Head)
            || status.is_informational()
            || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
            || is_event_stream(head.headers())
    }

    fn finish(&mut self, end: &End<'_>) {
        self.exchange.conclude(self.around, end);
    }
}

impl Drop for Turn<'_> {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        self.finish(&End::Abandoned(self.dropped));
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let content = headers.get(CONTENT_TYPE).map(|content| content.as_bytes());
    content.is_some_and(|content| {
        const EVENTS: &[u8] = b"text/event-stream";
        content.get(..EVENTS.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS))
    })
}
