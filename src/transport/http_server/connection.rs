//! One connection: its requests one after the other, under a deadline for each phase.
//!
//! hyper has one deadline, for reading a head, which also runs while a connection is idle; it has none
//! for writing. So the stream itself notes the phase of the connection, and the connection's task ends
//! when a phase has lasted for too long.

use std::{
    convert::Infallible,
    future::{self, Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body_util::Full;
use hyper::{
    Method, StatusCode,
    body::Incoming,
    header::{ALLOW, HeaderValue},
    rt::{Read, ReadBuf, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    exchange::{Handler, Limits, MAX_FIELDS, MAX_HEAD_BYTES, Response, line},
    refusal::Refusal,
};
use crate::{diagnostics, sync::Mutex};

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between a response and the next request.
    Idle,
    /// The head of a request is being read.
    Head,
    /// A response is being prepared or written.
    Answer,
}

/// The phase of a connection, and since when.
pub(super) struct Progress {
    // Guards the two together; no lock is taken inside it.
    now: Mutex<(Phase, Instant)>,
    limits: Limits,
}

impl Progress {
    /// The progress of a new connection, which must send a request at once.
    pub(super) fn new(limits: Limits) -> Self {
        Self { now: Mutex::new((Phase::Head, Instant::now())), limits }
    }

    pub(super) fn now(&self) -> (Phase, Instant) {
        *self.now.lock()
    }

    fn enter(&self, phase: Phase) {
        *self.now.lock() = (phase, Instant::now());
    }

    /// Enters the phase `to` if the connection is in `from`.
    fn advance(&self, from: Phase, to: Phase) {
        let mut now = self.now.lock();
        if now.0 == from {
            *now = (to, Instant::now());
        }
    }

    fn deadline(&self) -> Instant {
        let (phase, since) = self.now();
        since
            + match phase {
                Phase::Idle => self.limits.idle,
                Phase::Head => self.limits.head,
                Phase::Answer => self.limits.answer,
            }
    }
}

/// Serves a connection until it is closed, breaks, or exceeds a deadline, or until `stop` while no
/// response is under way.
pub(super) async fn serve(
    stream: TcpStream,
    handler: Handler,
    progress: Arc<Progress>,
    mut stop: watch::Receiver<Option<std::time::Instant>>,
) {
    let progress_of_stream = Arc::clone(&progress);
    let stream = Watched {
        stream: TokioIo::new(stream),
        progress: progress_of_stream,
        refusal: Refusal::default(),
        n_head: 0,
    };
    let service = service_fn(|request: hyper::Request<Incoming>| {
        progress.enter(Phase::Answer);
        future::ready(Ok::<_, Infallible>(answer(&handler, request).map(Full::new)))
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_FIELDS).header_read_timeout(None);
    let mut connection = pin!(builder.serve_connection(stream, service));
    let mut alarm = pin!(sleep_until(progress.deadline()));
    let mut stopping = pin!(async move {
        let _ = stop.wait_for(Option::is_some).await;
    });
    let mut stopped = false;
    let end = poll_fn(|cx| {
        // The result only concerns the client: a broken connection, or an invalid head.
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        stopped = stopped || stopping.as_mut().poll(cx).is_ready();
        if stopped && progress.now().0 != Phase::Answer {
            return Poll::Ready(());
        }
        if alarm.deadline() != progress.deadline() {
            alarm.as_mut().reset(progress.deadline());
        }
        alarm.as_mut().poll(cx)
    });
    end.await;
}

/// Calls the handler if the method is served; the body is dropped unread.
fn answer(handler: &Handler, request: hyper::Request<Incoming>) -> Response {
    let (head, _body) = request.into_parts();
    if head.method != Method::GET && head.method != Method::HEAD {
        let mut response = line(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    // State that the handler left half done is its own: nothing here reads it again.
    catch_unwind(AssertUnwindSafe(|| handler(&head))).unwrap_or_else(|_| {
        diagnostics::report("http server", format_args!("a page panicked: {}", head.uri.path()));
        line(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made\n")
    })
}

/// A stream that notes when a request begins and when a response has been written.
struct Watched {
    stream: TokioIo<TcpStream>,
    progress: Arc<Progress>,
    refusal: Refusal,
    n_head: usize, // Bytes read of a head.
}

impl Watched {
    /// Whether hyper writes by itself, without a response from the handler.
    fn is_refusing(&self) -> bool {
        self.progress.now().0 != Phase::Answer
    }
}

impl Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.progress.now().0 != Phase::Head {
            self.n_head = 0;
        }
        // hyper checks the length only when its buffer is full, so it receives bytes only up to the
        // limit of a head. Beyond that it has refused already.
        let room = MAX_HEAD_BYTES.saturating_sub(self.n_head).clamp(1, cursor.remaining().max(1));
        let mut bytes = [0; 4096];
        let room = room.min(bytes.len());
        let mut buffer = ReadBuf::new(&mut bytes[..room]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer.unfilled()))?;
        cursor.put_slice(buffer.filled());
        self.n_head += buffer.filled().len();
        self.progress.advance(Phase::Idle, Phase::Head);
        Poll::Ready(Ok(()))
    }
}

impl Write for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_refusing() {
            let Self { stream, refusal, .. } = &mut *self;
            return refusal.poll_write(stream, cx, bytes);
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_refusing() {
            let first = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_write(cx, first.map_or(&[], |slice| slice));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written everything.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.progress.advance(Phase::Answer, Phase::Idle);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        let Self { stream, refusal, .. } = &mut *self;
        refusal.poll_drain(stream, cx).map(Ok)
    }
}
