//! HTTP/2, which gRPC needs.

use reqwest::ClientBuilder;

use super::client::HttpClient;

impl HttpClient {
    /// Speaks HTTP/2 alone: over TLS as agreed there (`h2`), without it from the first byte on (`h2c`, with prior
    /// knowledge).
    #[cfg_attr(not(test), allow(dead_code, reason = "for gRPC"))]
    pub(crate) fn http2(mut self) -> Self {
        self.version = ClientBuilder::http2_prior_knowledge;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, sync::mpsc, thread, time::Duration};

    use bytes::Bytes;
    use h2::server::SendResponse;
    use reqwest::header::{HeaderMap, HeaderValue};
    use tokio::{net::TcpListener, runtime};

    use super::*;
    use crate::{
        clock::Deadline,
        transport::{Endpoint, http_client::HttpPost},
    };

    type Request = ::http::Request<Vec<u8>>;

    /// A server of HTTP/2 without TLS that answers each request with a body and trailers.
    fn serving() -> (SocketAddr, mpsc::Receiver<Request>) {
        let (sender, requests) = mpsc::channel();
        let (said, address) = mpsc::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                said.send(listener.local_addr().unwrap()).unwrap();
                let (stream, _) = listener.accept().await.unwrap();
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    let sender = sender.clone();
                    tokio::spawn(async move { answer(request, respond, &sender).await });
                }
            });
        });
        (address.recv().unwrap(), requests)
    }

    async fn answer(
        request: ::http::Request<h2::RecvStream>,
        mut respond: SendResponse<Bytes>,
        sender: &mpsc::Sender<Request>,
    ) {
        let (parts, mut stream) = request.into_parts();
        let mut body = Vec::new();
        while let Some(piece) = stream.data().await {
            let piece = piece.unwrap();
            stream.flow_control().release_capacity(piece.len()).unwrap();
            body.extend_from_slice(&piece);
        }
        let _ = sender.send(::http::Request::from_parts(parts, body));
        let mut answer = respond.send_response(::http::Response::new(()), false).unwrap();
        answer.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("14"));
        answer.send_trailers(trailers).unwrap();
    }

    #[test]
    fn http_2_is_spoken_with_prior_knowledge_and_the_trailers_are_read() {
        let (address, requests) = serving();
        let endpoint = Endpoint::new(&format!("http://{address}/base/"));
        let endpoint = endpoint.allow_plain_http().allow_private().header("x-tenant", "shop");
        let mut client = HttpClient::new(endpoint).http2().clone(); // A clone speaks it too.
        let body = vec![7; 300_000]; // More than a window.
        for _ in 0..2 {
            let post = HttpPost {
                path: "/service/Method",
                most_answer: 100,
                headers: &[("te", "trailers")],
                ..HttpPost::new("application/grpc", body.clone())
            };
            let deadline = Deadline::after(Duration::from_secs(20));
            let answer = client.post(post, &deadline).unwrap();
            assert!(answer.is_success());
            assert_eq!(answer.body, b"hello");
            assert_eq!(answer.trailers["grpc-status"], "14");
            let request = requests.recv().unwrap();
            assert_eq!(request.uri().path(), "/base/service/Method");
            assert_eq!(request.version(), ::http::Version::HTTP_2);
            assert_eq!(request.headers()["content-type"], "application/grpc");
            assert_eq!(request.headers()["te"], "trailers");
            assert_eq!(request.headers()["x-tenant"], "shop");
            assert_eq!(request.body(), &body);
        }
    }
}
