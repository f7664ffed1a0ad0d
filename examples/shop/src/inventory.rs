//! The client of the inventory service: the bundle, a client span, and the trace in the headers.

use std::sync::{Mutex, PoisonError};

use bellwether::{
    InSpan as _,
    bundle::{HttpClient, Method},
    inject, span,
    trace::{SpanKind, Status, set_attribute, set_status},
};
use hyper::HeaderMap;

use crate::{connection::Connection, routes::Fault};

static CLIENT: HttpClient = HttpClient::new();

pub(crate) struct Inventory {
    host: String,
    port: u16,
    /// Connections that nobody uses at the moment.
    idle: Mutex<Vec<Connection>>,
}

impl Inventory {
    /// The service at `HOST:PORT`.
    pub(crate) fn new(address: &str) -> Self {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let idle = Mutex::new(Vec::new());
        Self { host: host.to_owned(), port: port.parse().unwrap_or(80), idle }
    }

    /// How much of everything there is.
    pub(crate) async fn stock(&self) -> Result<String, Fault> {
        let mut call = span("GET").kind(SpanKind::Client).start();
        call.set_attribute("http.request.method", "GET");
        call.set_attribute("server.address", &self.host);
        call.set_attribute("server.port", self.port);
        call.set_attribute("url.full", format!("http://{}:{}/inventory", self.host, self.port));
        self.ask().in_span(call).await
    }

    /// Sends the request, in a span that is the current one by then.
    async fn ask(&self) -> Result<String, Fault> {
        let mut sent = CLIENT.start(Method::Get, self.host.clone(), self.port);
        let mut headers = HeaderMap::new();
        inject(&mut headers);
        let answer = async {
            let mut connection = self.connection().await?;
            let answer = connection.get("/inventory", headers).await?;
            self.idle().push(connection);
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(answer)
        };
        let Ok((status, stock)) = answer.await else {
            sent.set_error("no_answer");
            set_attribute("error.type", "no_answer");
            set_status(Status::Error("".into()));
            return Err(Fault::InventoryAway);
        };
        sent.end(status.as_u16());
        set_attribute("http.response.status_code", status.as_u16());
        if !status.is_success() {
            set_attribute("error.type", status.as_str());
            set_status(Status::Error("".into()));
            return Err(Fault::InventoryAway);
        }
        Ok(stock)
    }

    async fn connection(&self) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
        while let Some(mut connection) = self.take_idle() {
            if connection.is_open().await {
                return Ok(connection);
            }
        }
        Connection::open(&format!("{}:{}", self.host, self.port)).await
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle().pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
