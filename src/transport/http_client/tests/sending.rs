//! How bodies are compressed, and where they go.

use super::*;
use crate::transport::Compression;

#[test]
fn a_body_is_compressed_once_whatever_it_is_sent() {
    for (compression, encoding) in [(Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")] {
        let server = Server::answering([Reply::status(503), Reply::close(), Reply::ok()]);
        let mut client = HttpClient::new(endpoint(&server.url("/")).compression(compression));
        client.check().unwrap();
        let body = "telemetry ".repeat(10_000);
        assert_eq!(post(&mut client, &body).unwrap().status, 503);
        post(&mut client, &body).unwrap_err();
        assert!(post(&mut client, &body).unwrap().is_success());
        assert_eq!(client.n_packed, 1);
        let first = server.next();
        assert_eq!(first.header("content-encoding"), Some(encoding));
        assert_eq!(first.header("content-type"), Some("text/plain"));
        assert!(first.text() == body && first.sent.len() < body.len() / 10);
        for _ in 0..2 {
            assert!(server.next().sent == first.sent);
        }
        // Another body is another one, and nothing is kept of one that arrived.
        post(&mut client, "other").unwrap();
        assert_eq!(server.next().text(), "other");
        post(&mut client, "other").unwrap();
        assert_eq!(client.n_packed, 3);
    }
}

#[test]
fn a_backend_has_a_default_and_the_endpoint_decides() {
    let server = Server::answering([Reply::ok()]);
    let base = || endpoint(&server.url("/"));
    for (client, encoding) in [
        (HttpClient::new(base()), None),
        (HttpClient::new(base()).compressing(Compression::Gzip), Some("gzip")),
        (HttpClient::new(base()).compressing(Compression::Gzip).clone(), Some("gzip")),
        (
            HttpClient::new(base().compression(Compression::None)).compressing(Compression::Gzip),
            None,
        ),
    ] {
        post(&mut { client }, "telemetry").unwrap();
        let request = server.next();
        assert_eq!(request.header("content-encoding"), encoding);
        assert_eq!(request.text(), "telemetry");
    }
}

#[cfg(unix)]
#[test]
fn a_unix_socket_needs_no_leave_and_gets_path_and_host_of_the_url() {
    let socket = Scratch::new("socket");
    let server = Server::on_socket(&socket.0, |_| Reply::ok().body("by socket"));
    let endpoint = Endpoint::new("http://agent.local/v1/traces").unix_socket(&socket.0);
    // A proxy is no matter then.
    let mut client = HttpClient::new(endpoint.proxy("http://127.0.0.1:1/").allow_private());
    client.check().unwrap();
    assert_eq!(post(&mut client, "").unwrap().body, b"by socket");
    let request = server.next();
    assert_eq!(request.path, "/v1/traces");
    assert_eq!(request.header("host"), Some("agent.local"));
    let gone = Endpoint::new("http://localhost/").unix_socket("/nowhere/bellwether.sock");
    let failure = post(&mut HttpClient::new(gone), "").unwrap_err();
    assert!(failure.may_pass && failure.message.starts_with("unix:/nowhere/bellwether.sock:"));
}

#[test]
fn what_follows_the_path_of_the_url_keeps_its_query() {
    for (url, more, asked) in [
        ("/", "", "/"),
        ("/below/", "/write", "/below/write"),
        ("/below?key=1", "/write", "/below/write?key=1"),
        ("/", "/write?precision=ns&db=a%26b", "/write?precision=ns&db=a%26b"),
        ("/below?key=1", "/write?precision=ns", "/below/write?key=1&precision=ns"),
        ("/below?", "?precision=ns", "/below?precision=ns"),
    ] {
        let server = Server::answering([Reply::ok().header("x-said", "so").body("taken")]);
        let mut poster = crate::transport::HttpPoster::new(endpoint(&server.url(url)));
        let headers = [("x-batch", "7")];
        let post = HttpPost::new("text/plain", "telemetry").path(more).headers(&headers).reading(5);
        let answer = poster.post(post, &Deadline::after(PATIENCE)).unwrap();
        assert_eq!((answer.status(), answer.header("X-Said")), (200, Some("so")));
        assert_eq!(answer.body(), b"taken");
        let request = server.next();
        assert_eq!((&*request.path, request.header("x-batch")), (asked, Some("7")));
    }
}
