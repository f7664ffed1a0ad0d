//! HTTP/2, which gRPC needs.

use reqwest::ClientBuilder;

use super::client::HttpClient;

impl HttpClient {
    /// Speaks HTTP/2 alone: over TLS as agreed there (`h2`), without it from the first byte on (`h2c`, with
    /// prior knowledge). Bodies are not compressed: gRPC compresses each message, and says so in it.
    #[cfg_attr(not(test), allow(dead_code, reason = "for gRPC"))]
    pub(crate) fn http2(mut self) -> Self {
        self.packs = false;
        self.version = ClientBuilder::http2_prior_knowledge;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::{Arc, mpsc},
        thread,
        time::Duration,
    };

    use bytes::Bytes;
    use h2::server::SendResponse;
    use reqwest::header::{HeaderMap, HeaderValue};
    use rustls::ServerConfig;
    use tokio::{
        io::{AsyncRead, AsyncWrite},
        net::TcpListener,
        runtime,
    };
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::{
        clock::Deadline,
        transport::{
            Compression, Endpoint,
            http_client::{
                HttpPost,
                tests::support::{Certificate, ROOT_PEM, Reply, Server},
            },
        },
    };

    type Request = ::http::Request<Vec<u8>>;

    /// A server of HTTP/2 that answers each request with a body and trailers, by TLS if it has a
    /// configuration.
    fn serving(tls: Option<Arc<ServerConfig>>) -> (SocketAddr, mpsc::Receiver<Request>) {
        let (sender, requests) = mpsc::channel();
        let (said, address) = mpsc::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                said.send(listener.local_addr().unwrap()).unwrap();
                let (stream, _) = listener.accept().await.unwrap();
                match tls {
                    None => converse(stream, sender).await,
                    Some(tls) => {
                        // Where nothing can be agreed on, there is nothing to converse.
                        let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await else {
                            return;
                        };
                        converse(stream, sender).await;
                    }
                }
            });
        });
        (address.recv().unwrap(), requests)
    }

    async fn converse<S>(stream: S, sender: mpsc::Sender<Request>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move { answer(request, respond, &sender).await });
        }
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
        for tls in [None, Some(Certificate::Good.config(&["h2"]))] {
            let scheme = if tls.is_some() { "https" } else { "http" };
            let (address, requests) = serving(tls);
            let endpoint = Endpoint::new(&format!("{scheme}://{address}/base/"));
            let endpoint = endpoint.allow_plain_http().allow_private().root_certificates(ROOT_PEM);
            let endpoint = endpoint.header("x-tenant", "shop").compression(Compression::Gzip);
            let mut client = HttpClient::new(endpoint).http2().clone(); // A clone speaks it too.
            assert_eq!(client.compression(), Compression::Gzip);
            let body = vec![7; 300_000]; // More than a window.
            for _ in 0..2 {
                let post = HttpPost {
                    path: "/service/Method",
                    most_answer: 100,
                    headers: &[("te", "trailers")],
                    ..HttpPost::new("application/grpc", body.clone())
                };
                let answer = client.post(post, &Deadline::after(Duration::from_secs(20))).unwrap();
                assert!(answer.is_success());
                assert_eq!(answer.body, b"hello");
                assert_eq!(answer.trailers["grpc-status"], "14");
                let request = requests.recv().unwrap();
                assert_eq!(request.uri().path(), "/base/service/Method");
                assert_eq!(request.version(), ::http::Version::HTTP_2);
                assert_eq!(request.headers()["content-type"], "application/grpc");
                assert_eq!(request.headers()["te"], "trailers");
                assert_eq!(request.headers()["x-tenant"], "shop");
                assert!(!request.headers().contains_key("content-encoding"));
                assert_eq!(request.body(), &body);
            }
        }
    }

    #[test]
    fn other_clients_speak_http_1_1_and_this_one_never() {
        let server = Server::over_tls(Certificate::Good, |_| Reply::ok());
        let endpoint = Endpoint::new(&server.url("/")).allow_private().root_certificates(ROOT_PEM);
        let post = || HttpPost::new("text/plain", "");
        let deadline = Deadline::after(Duration::from_secs(20));
        let mut client = HttpClient::new(endpoint);
        assert!(client.post(post(), &deadline).unwrap().is_success());
        let failure = client.http2().clone().post(post(), &deadline).unwrap_err();
        assert!(failure.may_pass, "{failure:?}");
        server.next();
        assert!(server.try_next().is_none());
        // A server that speaks HTTP/2 alone is none for the others.
        let (address, _requests) = serving(Some(Certificate::Good.config(&["h2"])));
        let endpoint = Endpoint::new(&format!("https://{address}/")).allow_private();
        let mut client = HttpClient::new(endpoint.root_certificates(ROOT_PEM));
        let failure = client.post(post(), &deadline).unwrap_err();
        assert!(failure.message.contains("NoApplicationProtocol"), "{}", failure.message);
    }
}
