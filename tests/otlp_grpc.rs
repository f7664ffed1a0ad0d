//! OTLP by gRPC against a server of HTTP/2 that says what each test wants.

#![expect(clippy::unwrap_used, reason = "the helpers are part of the tests")]

use std::{
    net::SocketAddr,
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::Duration,
};

use bellwether::{
    export::otlp::Otlp,
    pipeline::{DropReason, Pipe, QueueReport, Route, Setup},
    trace::SpanRecord,
    transport::{Compression, Endpoint},
};
use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a call gets: the status, the body, and headers behind it.
#[derive(Clone, Default)]
struct Said {
    status: u16,
    body: Vec<u8>,
    trailers: Vec<(&'static str, String)>,
}

fn with_code(code: u8) -> Said {
    Said { status: 200, body: Vec::new(), trailers: vec![("grpc-status", code.to_string())] }
}

struct Server {
    address: SocketAddr,
    calls: Receiver<Request<Vec<u8>>>,
}

impl Server {
    /// Gives each call the next of `said`, and then the last for ever.
    fn saying(said: Vec<Said>) -> Self {
        let (sender, calls) = mpsc::channel();
        let (known, address) = mpsc::channel();
        thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(said, &known, &sender));
        });
        Self { address: address.recv().unwrap(), calls }
    }

    /// What becomes of `n` spans.
    fn send(&self, n: usize) -> QueueReport {
        self.send_by(Compression::None, n)
    }

    fn send_by(&self, compression: Compression, n: usize) -> QueueReport {
        let endpoint = Endpoint::new(&format!("http://{}", self.address)).compression(compression);
        let otlp = Otlp::new(endpoint.allow_plain_http().allow_private()).grpc();
        let route = Route::<SpanRecord>::from(otlp).settings(|settings| {
            settings.batch_delay = Duration::ZERO;
            settings.retry.initial = Duration::from_millis(1);
            settings.retry.max = Duration::from_millis(1);
        });
        let pipe = Pipe::start(route, &Setup::default()).unwrap();
        pipe.push((0..n).map(|n| SpanRecord::new(n.to_string())).collect::<Vec<_>>());
        let _ = pipe.flush(PATIENCE);
        pipe.shutdown(PATIENCE)
    }
}

async fn serve(said: Vec<Said>, known: &Sender<SocketAddr>, sender: &Sender<Request<Vec<u8>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    known.send(listener.local_addr().unwrap()).unwrap();
    let last = said.last().cloned().unwrap();
    let mut said = said.into_iter();
    let (stream, _) = listener.accept().await.unwrap();
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let said = said.next().unwrap_or_else(|| last.clone());
        let sender = sender.clone();
        tokio::spawn(async move { answer(request, respond, said, &sender).await });
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    said: Said,
    sender: &Sender<Request<Vec<u8>>>,
) {
    let (parts, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece.unwrap();
        stream.flow_control().release_capacity(piece.len()).unwrap();
        body.extend_from_slice(&piece);
    }
    let _ = sender.send(Request::from_parts(parts, body));
    let response = Response::builder().status(said.status).body(()).unwrap();
    let mut answer = respond.send_response(response, false).unwrap();
    answer.send_data(Bytes::from(said.body), false).unwrap();
    let trailers = said.trailers.into_iter().map(|(name, value)| {
        (HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap())
    });
    answer.send_trailers(trailers.collect::<HeaderMap>()).unwrap();
}

fn rejected(report: &QueueReport) -> u64 {
    report.dropped.get(DropReason::Rejected)
}

#[test]
fn a_call_is_a_message_behind_its_length() {
    let server = Server::saying(vec![with_code(0)]);
    assert_eq!(server.send(3).delivered, 3);
    let call = server.calls.recv().unwrap();
    assert_eq!(call.uri().path(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    assert_eq!(call.headers()["content-type"], "application/grpc");
    assert_eq!(call.headers()["te"], "trailers");
    assert!(call.headers()["grpc-timeout"].to_str().unwrap().ends_with('m'));
    let (frame, message) = call.body().split_at(5);
    assert_eq!(frame[0], 0);
    assert_eq!(u32::from_be_bytes(frame[1..].try_into().unwrap()) as usize, message.len());
}

#[test]
fn a_message_is_compressed_where_that_is_asked_for_and_says_so() {
    let plain = Server::saying(vec![with_code(0)]);
    assert_eq!(plain.send(1).delivered, 1);
    let call = plain.calls.recv().unwrap();
    assert_eq!(call.headers()["grpc-encoding"], "identity");
    let packed = Server::saying(vec![with_code(0)]);
    assert_eq!(packed.send_by(Compression::Gzip, 300).delivered, 300);
    let call = packed.calls.recv().unwrap();
    assert_eq!(call.headers()["grpc-encoding"], "gzip");
    assert!(!call.headers().contains_key("content-encoding"));
    let (frame, message) = call.body().split_at(5);
    assert_eq!(frame[0], 1);
    assert_eq!(u32::from_be_bytes(frame[1..].try_into().unwrap()) as usize, message.len());
    let mut unpacked = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(message), &mut unpacked).unwrap();
    assert_eq!(unpacked[0], 10, "a message of OTLP begins with its first resource");
    assert!(unpacked.len() > message.len(), "{} {}", unpacked.len(), message.len());
}

#[test]
fn a_server_that_takes_nothing_compressed_gets_it_as_it_is() {
    let server = Server::saying(vec![with_code(12), with_code(0)]);
    let report = server.send_by(Compression::Gzip, 3);
    assert_eq!((report.delivered, report.retries), (3, 0), "{report}");
    let calls = [server.calls.recv().unwrap(), server.calls.recv().unwrap()];
    assert_eq!(
        calls.map(|call| (call.headers()["grpc-encoding"].clone(), call.body()[0])),
        [("gzip".parse().unwrap(), 1), ("identity".parse().unwrap(), 0),]
    );
    // It may be the method that it does not have: that says nothing about compression.
    let server = Server::saying(vec![with_code(12), with_code(12), with_code(0)]);
    let report = server.send_by(Compression::Gzip, 600); // Two requests.
    assert_eq!((report.delivered, rejected(&report)), (88, 512), "{report}");
    let encoding = |call: Request<Vec<u8>>| call.headers()["grpc-encoding"].clone();
    let encodings: Vec<_> = server.calls.try_iter().map(encoding).collect();
    assert_eq!(encodings, ["gzip", "identity", "gzip"]);
}

#[test]
fn what_is_unavailable_is_tried_again_and_what_is_invalid_is_refused() {
    let server = Server::saying(vec![with_code(14), with_code(4), with_code(0)]);
    let report = server.send(3);
    assert_eq!((report.delivered, report.retries), (3, 2));

    let mut refusal = with_code(3);
    refusal.trailers.push(("grpc-message", "no%20such%20tenant".to_owned()));
    let report = Server::saying(vec![refusal, with_code(0)]).send(3);
    assert_eq!((report.delivered, rejected(&report)), (0, 3));
    let error = report.last_error.unwrap();
    assert!(error.ends_with(" answered INVALID_ARGUMENT (3): no such tenant"), "{error}");
}

#[test]
fn what_is_exhausted_is_tried_again_only_where_the_server_says_when() {
    let report = Server::saying(vec![with_code(8), with_code(0)]).send(2);
    assert_eq!((report.delivered, rejected(&report)), (0, 2));

    // A google.rpc.Status whose details are a RetryInfo of one millisecond.
    let mut patient = with_code(8);
    let details = "CAgaMgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIGCgQQwIQ9";
    patient.trailers.push(("grpc-status-details-bin", details.to_owned()));
    let report = Server::saying(vec![patient, with_code(0)]).send(2);
    assert_eq!((report.delivered, report.retries), (2, 1));
}

#[test]
fn a_partial_success_counts_what_was_refused() {
    let message = [10, 9, 8, 2, 18, 5, b't', b'o', b'o', b' ', b'o'];
    let body = [&[0, 0, 0, 0, message.len() as u8][..], &message].concat();
    let report = Server::saying(vec![Said { body, ..with_code(0) }]).send(5);
    assert_eq!((report.delivered, rejected(&report)), (3, 2));
    assert!(report.last_error.unwrap().ends_with(": too o"));
}

#[test]
fn an_answer_without_a_status_or_of_another_protocol_is_no_success() {
    let silent = Said { trailers: Vec::new(), ..with_code(0) };
    assert_eq!(rejected(&Server::saying(vec![silent]).send(1)), 1);
    let busy = Said { status: 503, ..with_code(0) };
    assert_eq!(Server::saying(vec![busy, with_code(0)]).send(1).delivered, 1);
    let missing = Said { status: 404, ..with_code(0) };
    assert_eq!(rejected(&Server::saying(vec![missing]).send(1)), 1);
}
