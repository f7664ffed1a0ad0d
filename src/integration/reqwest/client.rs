//! A client whose requests are traced, and single requests that are.

use std::{
    borrow::Cow,
    task::{Context, Poll},
};

use ::reqwest::{Client, IntoUrl, Method, Request, RequestBuilder, Response};
use tower_service::Service;

use super::{
    exchange::Said,
    sending::{Sending, Until},
};

/// Gives a [`RequestBuilder`] the method [`traced`](Self::traced).
pub trait Traced {
    /// The request with a span, measured, and with the context in its headers, once it is sent.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use bellwether::integration::reqwest::Traced;
    ///
    /// # async fn stock(client: &reqwest::Client) -> Result<(), reqwest::Error> {
    /// let response = client
    ///     .get("https://stock.example.com/items/4711")
    ///     .bearer_auth("secret")
    ///     .traced()
    ///     .template("/items/{id}")
    ///     .send()
    ///     .await?;
    /// # drop(response);
    /// # Ok(())
    /// # }
    /// ```
    fn traced(self) -> TracedRequest;
}

impl Traced for RequestBuilder {
    fn traced(self) -> TracedRequest {
        TracedRequest { builder: self, said: Said::default(), until: Until::Head }
    }
}

/// A request that is traced when it is sent; made by [`Traced::traced`], or by a [`TracedClient`].
#[derive(Debug)]
#[must_use = "it is not sent before `send`"]
pub struct TracedRequest {
    builder: RequestBuilder,
    said: Said,
    until: Until,
}

impl TracedRequest {
    /// The pattern of the path, with names in place of values: `/items/{id}`. It is in the name of the
    /// span, `GET /items/{id}`, and its attribute `url.template`.
    pub fn template(mut self, template: impl Into<Cow<'static, str>>) -> Self {
        self.said.template = Some(template.into());
        self
    }

    /// How often the caller has sent this request before: `http.request.resend_count`, unless it is 0.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use bellwether::integration::reqwest::TracedClient;
    ///
    /// # async fn retried(client: &TracedClient) -> Option<reqwest::Response> {
    /// for n in 0..3 {
    ///     let sending = client.get("https://stock.example.com/").resend_count(n).send();
    ///     match sending.await {
    ///         Ok(response) if !response.status().is_server_error() => return Some(response),
    ///         _ => {} // Wait, and try again.
    ///     }
    /// }
    /// # None
    /// # }
    /// ```
    pub fn resend_count(mut self, n: u32) -> Self {
        self.said.resends = n;
        self
    }

    /// Ends the span, and the time that is measured, with the end of the response's body instead of its
    /// head. A body that is dropped before its end makes the request a cancelled one.
    pub fn until_body_ends(mut self) -> Self {
        self.until = Until::Body;
        self
    }

    /// Changes the request: `map(|request| request.json(&order))`.
    pub fn map(self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        Self { builder: change(self.builder), ..self }
    }

    /// Sends it. The span begins now, below the current one.
    ///
    /// The future is ready with what [`RequestBuilder::send`] says. A request that cannot be built is
    /// none: it has no span, and is not measured.
    pub fn send(self) -> Sending {
        match self.builder.build_split() {
            (client, Ok(request)) => Sending::new(&client, request, self.said, self.until),
            (_, Err(error)) => Sending::refused(error),
        }
    }
}

/// A [`Client`] whose requests are all traced. Clones share its connections.
///
/// It is a `tower` service too, for a stack of layers: below a layer that retries, each attempt has a span
/// of its own.
///
/// # Examples
///
/// ```
/// use bellwether::integration::reqwest::TracedClient;
///
/// let client = TracedClient::from(reqwest::Client::new());
/// let sending = client.get("http://localhost:1/items/7").template("/items/{id}").send();
/// drop(sending); // Cancelled: nobody waits for it.
/// ```
#[derive(Clone, Debug, Default)]
pub struct TracedClient {
    client: Client,
    until: Until,
}

impl From<Client> for TracedClient {
    fn from(client: Client) -> Self {
        Self { client, until: Until::Head }
    }
}

macro_rules! methods {
    ($($method:ident $verb:ident)*) => {$(
        #[doc = concat!("As [`Client::", stringify!($method), "`].")]
        pub fn $method(&self, url: impl IntoUrl) -> TracedRequest {
            self.request(Method::$verb, url)
        }
    )*};
}

impl TracedClient {
    methods!(get GET post POST put PUT patch PATCH delete DELETE head HEAD);

    /// As [`Client::request`].
    pub fn request(&self, method: Method, url: impl IntoUrl) -> TracedRequest {
        let builder = self.client.request(method, url);
        TracedRequest { builder, said: Said::default(), until: self.until }
    }

    /// As [`Client::execute`].
    pub fn execute(&self, request: Request) -> Sending {
        Sending::new(&self.client, request, Said::default(), self.until)
    }

    /// Ends spans and times of all requests as [`TracedRequest::until_body_ends`] does.
    #[must_use]
    pub fn until_body_ends(mut self) -> Self {
        self.until = Until::Body;
        self
    }

    /// The client within.
    #[must_use]
    pub fn as_client(&self) -> &Client {
        &self.client
    }
}

impl Service<Request> for TracedClient {
    type Response = Response;
    type Error = ::reqwest::Error;
    type Future = Sending;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ::reqwest::Error>> {
        Poll::Ready(Ok(())) // As the client within.
    }

    fn call(&mut self, request: Request) -> Sending {
        self.execute(request)
    }
}
