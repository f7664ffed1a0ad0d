//! A kept HTTP/1.1 connection, without any measurement: the shop's client of the inventory has one,
//! and so has each customer of the demonstration.

use std::error::Error;

use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

type BoxError = Box<dyn Error + Send + Sync>;

pub(crate) struct Connection {
    host: HeaderValue,
    sender: SendRequest<String>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Result<Self, BoxError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection); // Until either side closes it.
        Ok(Self { host: HeaderValue::from_str(address)?, sender })
    }

    /// Whether the other side has kept it.
    pub(crate) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// The status and the body of what `path` has.
    pub(crate) async fn get(
        &mut self,
        path: &str,
        mut headers: HeaderMap,
    ) -> Result<(StatusCode, String), BoxError> {
        self.sender.ready().await?;
        headers.insert(HOST, self.host.clone());
        let mut request = Request::get(path).body(String::new())?;
        *request.headers_mut() = headers;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}
