//! The server as a client sees it, over plain sockets.

use std::{
    io::{self, ErrorKind::UnexpectedEof, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use hyper::{StatusCode, body::Bytes};
use tokio::runtime;

use super::{
    exchange::{Handler, Limits},
    *,
};
use crate::{clock, error::ErrorKind};

/// Answers with the path; `/panic` panics, `/big` is more than any socket buffers.
fn handler() -> Handler {
    Arc::new(|request| match request.uri.path() {
        "/panic" => panic!("the handler panics, as the test wants"),
        "/big" => Response::new(Bytes::from(vec![b'x'; BIG])),
        path => Response::new(Bytes::copy_from_slice(path.as_bytes())),
    })
}

const BIG: usize = 32 << 20;

fn server() -> Server {
    Server::bind("127.0.0.1:0", handler()).unwrap()
}

fn server_with(change: impl FnOnce(&mut Limits)) -> Server {
    let mut limits = Limits::default();
    change(&mut limits);
    Server::bind_with("127.0.0.1:0", handler(), limits).unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends `request` and reads one answer: its head and body.
fn ask(stream: &mut TcpStream, request: &str) -> (String, Vec<u8>) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; if request.starts_with("HEAD") { 0 } else { length.parse().unwrap() }];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

fn get(stream: &mut TcpStream, path: &str) -> String {
    let (head, body) = ask(stream, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    String::from_utf8(body).unwrap()
}

/// Waits until the server closes the connection.
fn wait_for_end(stream: &mut TcpStream) {
    let mut byte = [0];
    let end = stream.read_exact(&mut byte).unwrap_err().kind();
    assert!(matches!(end, UnexpectedEof | io::ErrorKind::ConnectionReset), "{end:?}");
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let server = server();
    let mut stream = connect(&server);
    for path in ["/", "/a", "/b"] {
        assert_eq!(get(&mut stream, path), path);
    }
}

#[test]
fn head_is_get_without_the_body() {
    let server = server();
    let mut stream = connect(&server);
    let (head, _) = ask(&mut stream, "HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("http/1.1 200 ") && head.contains("content-length: 4\r\n"), "{head}");
    assert_eq!(get(&mut stream, "/next"), "/next");
}

#[test]
fn other_methods_are_refused_and_bodies_are_not_read() {
    let server = server();
    for request in ["DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", POST] {
        let (head, _) = ask(&mut connect(&server), request);
        assert!(head.starts_with("http/1.1 405 "), "{head}");
        assert!(head.contains("allow: get, head\r\n"), "{head}");
    }
}

/// Announces a body that never comes.
const POST: &str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n";

#[test]
fn a_panic_costs_one_answer() {
    let server = server();
    let mut stream = connect(&server);
    let (head, _) = ask(&mut stream, "GET /panic HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("http/1.1 500 "), "{head}");
    assert_eq!(get(&mut stream, "/after"), "/after");
}

#[test]
fn a_head_that_is_long_or_has_many_fields_is_served() {
    let server = server();
    let mut stream = connect(&server);
    let cookies = |n: usize| format!("Cookie: a={}\r\n", "x".repeat(n));
    let fields: String = (0..200).map(|n| format!("X-{n}: {n}\r\n")).collect();
    for fields in [cookies(12 << 10), cookies(60 << 10), fields, cookies(4000).repeat(15)] {
        let request = format!("GET /a HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        let (head, body) = ask(&mut stream, &request);
        assert!(head.starts_with("http/1.1 200 "), "{} bytes: {head}", request.len());
        assert_eq!(body, b"/a");
    }
}

#[test]
fn a_request_that_cannot_be_read_is_told_why_in_words() {
    let server = server();
    let request = |fields: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
    let fields: String = (0..300).map(|n| format!("X-{n}: {n}\r\n")).collect();
    for (request, status, text) in [
        (request(&format!("Cookie: {}\r\n", "x".repeat(70_000))), "431", "64 KiB and 256 fields"),
        (request(&format!("Cookie: {}\r\n", "x".repeat(900_000))), "431", "64 KiB and 256 fields"),
        (request(&fields), "431", "64 KiB and 256 fields"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)), "4", "64 KiB"),
        ("\u{1}\u{2}garbage\r\n\r\n".to_owned(), "400", "no HTTP request"),
        ("GET / HTTP/1.1\r\nno field\r\n\r\n".to_owned(), "400", "no HTTP request"),
    ] {
        let mut stream = connect(&server);
        let (head, body) = ask(&mut stream, &request);
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{head}");
        assert!(head.contains("content-type: text/plain; charset=utf-8\r\n"), "{head}");
        assert!(head.contains("connection: close\r\n"), "{head}");
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains(text) && body.ends_with('\n'), "{body}");
        wait_for_end(&mut stream);
    }
    assert_eq!(get(&mut connect(&server), "/"), "/");
}

#[test]
fn a_second_request_of_a_connection_that_cannot_be_read_is_told_why_too() {
    let server = server();
    let mut stream = connect(&server);
    get(&mut stream, "/");
    let request = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    let (head, body) = ask(&mut stream, &request);
    assert!(head.starts_with("http/1.1 431 "), "{head}");
    assert!(!body.is_empty());
}

#[test]
fn a_slow_request_ends_at_its_deadline_and_delays_nobody() {
    let server = server_with(|limits| limits.head = Duration::from_millis(300));
    let mut silent = connect(&server);
    let mut dripping = connect(&server);
    dripping.write_all(b"GET / HT").unwrap();
    let mut again = connect(&server);
    get(&mut again, "/");
    again.write_all(b"G").unwrap();
    assert_eq!(get(&mut connect(&server), "/quick"), "/quick");
    for stream in [&mut silent, &mut dripping, &mut again] {
        wait_for_end(stream);
    }
}

#[test]
fn an_idle_connection_outlives_the_deadline_of_a_head() {
    let server = server_with(|limits| limits.head = Duration::from_millis(50));
    let mut stream = connect(&server);
    get(&mut stream, "/");
    wait_for_end(&mut connect(&server)); // A whole deadline of another connection goes by.
    wait_for_end(&mut connect(&server));
    assert_eq!(get(&mut stream, "/again"), "/again");
}

#[test]
fn an_idle_connection_ends_in_the_end() {
    let server = server_with(|limits| limits.idle = Duration::from_millis(50));
    let mut stream = connect(&server);
    get(&mut stream, "/");
    wait_for_end(&mut stream);
}

#[test]
fn a_slow_reader_delays_nobody_and_is_cut_off() {
    let server = server_with(|limits| {
        (limits.answer, limits.head) = (Duration::from_millis(300), Duration::from_millis(600));
    });
    let mut slow = connect(&server);
    slow.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 1000];
    slow.read_exact(&mut first).unwrap();
    assert_eq!(get(&mut connect(&server), "/quick"), "/quick");
    // An answer's whole deadline goes by: a silent connection has a longer one here.
    wait_for_end(&mut connect(&server));
    // What was in flight can still be read; the rest was never sent.
    let sent = io::copy(&mut slow, &mut io::sink()).unwrap_or_default();
    assert!(sent < BIG as u64);
}

#[test]
fn a_quick_reader_gets_all_of_a_big_page() {
    let server = server();
    assert_eq!(get(&mut connect(&server), "/big").len(), BIG);
}

#[test]
fn silent_connections_do_not_shut_others_out() {
    let server = server_with(|limits| limits.connections = 8);
    let mut held: Vec<TcpStream> = (0..200).map(|_| connect(&server)).collect();
    for stream in &mut held[100..] {
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nX: ");
    }
    assert_eq!(get(&mut connect(&server), "/served"), "/served");
    wait_for_end(&mut held[0]);
}

#[test]
fn many_ask_at_once() {
    let server = server();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut stream = connect(&server);
                for i in 0..50 {
                    let path = format!("/{i}");
                    assert_eq!(get(&mut stream, &path), path);
                }
            });
        }
    });
}

#[test]
fn a_port_in_use_and_a_malformed_address_are_errors() {
    let first = server();
    let addr = first.local_addr().to_string();
    let error = Server::bind(&addr, handler()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().starts_with(&format!("cannot listen on {addr:?}: ")), "{error}");

    for addr in ["", "9464", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:99999", "a\nb:1"] {
        let error = Server::bind(addr, handler()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot listen on {addr:?}: ")), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    let error = Server::bind("nonsense", handler()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
}

#[test]
fn a_shutdown_ends_idle_connections_and_frees_the_port() {
    let server = server();
    let mut idle = connect(&server);
    get(&mut idle, "/");
    let addr = server.local_addr();
    assert!(server.shutdown(clock::deadline(Duration::from_secs(10))));
    assert!(server.shutdown(clock::deadline(Duration::ZERO)), "a second time");
    wait_for_end(&mut idle);
    assert!(TcpStream::connect(addr).is_err());
    drop(server);
    Server::bind(&addr.to_string(), handler()).unwrap();
}

#[test]
fn a_shutdown_lets_an_answer_be_taken() {
    let server = server();
    let mut stream = connect(&server);
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut some = [0; 1000];
    stream.read_exact(&mut some).unwrap();
    thread::scope(|scope| {
        let ended = scope.spawn(|| server.shutdown(clock::deadline(Duration::from_secs(20))));
        let rest = io::copy(&mut stream, &mut io::sink()).unwrap();
        assert!(rest as usize + some.len() > BIG);
        assert!(ended.join().unwrap());
    });
}

#[test]
fn a_shutdown_does_not_wait_for_an_answer_that_nobody_takes() {
    let server = server();
    let mut stream = connect(&server);
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    // Broken, it would wait for ever: nobody reads. Whether the thread ends before the deadline that
    // it was given too, or just after, is a race that either may win.
    server.shutdown(clock::deadline(Duration::from_millis(100)));
}

#[test]
fn a_server_can_be_dropped_inside_a_runtime() {
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { drop(server()) });
}

#[test]
fn a_client_that_leaves_is_no_trouble() {
    let server = server();
    for _ in 0..20 {
        let mut stream = connect(&server);
        stream.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    }
    assert_eq!(get(&mut connect(&server), "/"), "/");
}

#[test]
fn the_handler_runs_on_the_servers_thread() {
    let (names, seen) = mpsc::channel();
    let handler = move |_: &Request| {
        let _ = names.send(thread::current().name().map(str::to_owned));
        line(StatusCode::OK, "")
    };
    let server = Server::bind("127.0.0.1:0", Arc::new(handler)).unwrap();
    get(&mut connect(&server), "/");
    assert_eq!(seen.recv().unwrap().as_deref(), Some("bellwether-http"));
}
