//! The URL of an endpoint, and whether the policy allows it.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use reqwest::{
    Client, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};

use super::{
    connection::Connection,
    resolver::{NotPublic, Resolver},
};
use crate::{
    clock::{self, Deadline},
    error::{Error, ErrorKind},
    sync::atomic::AtomicUsize,
    transport::address,
};

/// Where to send requests, and what the policy allows. It can be built anywhere, and is used on one
/// thread, which it blocks. The client is created at the first request.
pub(crate) struct HttpEndpoint {
    url: Result<Url, &'static str>,
    headers: Vec<(String, String)>,
    pub(super) timeout: Duration,
    allows_plain_http: bool,
    allows_private: bool,
    connection: Option<Connection>,
    n_resolving: Arc<AtomicUsize>,
}

impl HttpEndpoint {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: Url::parse(url).map_err(|_| "the URL cannot be parsed"),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            allows_plain_http: false,
            allows_private: false,
            connection: None,
            n_resolving: Arc::default(),
        }
    }

    pub(crate) fn header(&mut self, name: String, value: String) {
        self.headers.push((name, value));
    }

    pub(crate) fn timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    #[cfg(feature = "webhook")]
    pub(crate) fn timeout_of_requests(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn allow_plain_http(&mut self) {
        self.allows_plain_http = true;
    }

    pub(crate) fn allow_private(&mut self) {
        self.allows_private = true;
    }

    /// Whether a request could be sent, as far as this is known without sending one.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.permitted().map_err(|what| Error::new(ErrorKind::InvalidOption, what))?;
        self.header_map().map_err(|what| Error::new(ErrorKind::InvalidOption, what))?;
        Ok(())
    }

    /// The URL, if the policy allows requests to it.
    pub(super) fn permitted(&self) -> Result<&Url, String> {
        let url = self.url.as_ref().map_err(|&what| what.to_owned())?;
        match url.scheme() {
            "https" => {}
            "http" if self.allows_plain_http => {}
            "http" => return Err(format!("{self} is plain http: allow it by .allow_plain_http()")),
            _ => return Err(format!("{self} is neither https nor http")),
        }
        // A host name is checked when it is connected to, by the addresses that it resolves to.
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if let Ok(literal) = literal
            && !self.allows_private
            && !address::is_public(literal)
        {
            return Err(format!("{self}: {NotPublic}"));
        }
        Ok(url)
    }

    /// The client, with the connections that are still open.
    pub(super) fn client(&mut self) -> Result<Client, String> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        Ok(self.connection.insert(connection).client.clone())
    }

    fn connect(&self) -> Result<Connection, String> {
        let client = Client::builder()
            .default_headers(self.header_map()?)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("bellwether/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Resolver {
                allows_private: self.allows_private,
                n_pending: self.n_resolving.clone(),
            }));
        Connection::new(client)
    }

    /// The result of `work` with the client. If it does not end within the time-out and by `deadline`,
    /// returns `None` and closes all sockets.
    pub(super) fn run<T>(
        &mut self,
        deadline: &Deadline,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let latest = clock::deadline(self.timeout);
        let result = self.connection.as_ref()?.run(latest, deadline, work);
        if result.is_none() {
            self.connection = None;
        }
        result
    }

    fn header_map(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let key: HeaderName =
                name.parse().map_err(|_| format!("the header name {name:?} is not legal"))?;
            let mut value: HeaderValue = value
                .parse()
                .map_err(|_| format!("the value of the header {name:?} is not legal"))?;
            value.set_sensitive(true);
            headers.append(key, value);
        }
        Ok(headers)
    }
}

/// Scheme, host and port of the URL.
impl fmt::Display for HttpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(url) = &self.url else { return f.write_str("a URL that cannot be parsed") };
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for HttpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpEndpoint")
            .field("url", &format_args!("{self}"))
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .field("allows_plain_http", &self.allows_plain_http)
            .field("allows_private", &self.allows_private)
            .finish_non_exhaustive()
    }
}

/// An error with its causes, but without the URL that reqwest prints.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = "the request failed".to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::http_client::HttpFailure;

    fn post(endpoint: &mut HttpEndpoint) -> Result<(), HttpFailure> {
        endpoint.post("text/plain", Vec::new(), &Deadline::after(Duration::from_secs(20)))
    }

    #[test]
    fn hosts_that_are_private_addresses_are_refused_however_they_are_written() {
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://0/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:169.254.169.254]/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://10.0.0.1/",
            "https://192.168.1.1:8443/",
            "https://172.16.0.1/",
            "https://100.64.0.1/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://224.0.0.1/",
            "https://0.0.0.0/",
            "https://１２７.０.０.１/",
            "https://user:pass@127.0.0.1/",
        ] {
            let error = HttpEndpoint::new(url).check().unwrap_err().to_string();
            assert!(error.ends_with(&NotPublic.to_string()), "{url}: {error}");
            let mut allowed = HttpEndpoint::new(url);
            allowed.allow_private();
            allowed.check().unwrap();
        }
        HttpEndpoint::new("https://1.1.1.1/").check().unwrap();
        HttpEndpoint::new("https://[2606:4700::1111]/").check().unwrap();
    }

    #[test]
    fn a_name_that_resolves_to_the_own_machine_is_refused_for_good() {
        let mut endpoint = HttpEndpoint::new("https://localhost:1/");
        endpoint.check().unwrap();
        let failure = post(&mut endpoint).unwrap_err();
        assert!(failure.message.contains(&NotPublic.to_string()), "{}", failure.message);
        assert!(failure.retry.is_none());
    }

    #[test]
    fn only_https_is_spoken_unless_plain_http_is_allowed() {
        let error = HttpEndpoint::new("http://example.com/x").check().unwrap_err();
        assert!(error.to_string().contains("plain http"), "{error}");
        for url in ["ftp://example.com/", "file:///etc/passwd", "javascript:1", "not a url", ""] {
            let mut endpoint = HttpEndpoint::new(url);
            endpoint.allow_plain_http();
            endpoint.allow_private();
            assert!(endpoint.check().is_err(), "{url}");
        }
    }

    #[test]
    fn no_secret_is_in_an_error_or_in_debug() {
        let mut endpoint =
            HttpEndpoint::new("http://canary:canary@127.0.0.1:1/canary?key=canary#canary");
        endpoint.header("authorization".to_owned(), "canary".to_owned());
        assert!(!endpoint.check().unwrap_err().to_string().contains("canary"));
        endpoint.allow_plain_http();
        endpoint.allow_private();
        let failure = post(&mut endpoint).unwrap_err();
        assert!(failure.retry.is_some(), "nobody listens there");
        let texts = format!("{endpoint} {endpoint:?} {failure:?}");
        assert!(!texts.contains("canary"), "{texts}");
        let mut endpoint = HttpEndpoint::new("https://example.com/");
        endpoint.header("authorization".to_owned(), "canary\n".to_owned());
        assert!(!endpoint.check().unwrap_err().to_string().contains("canary"));
    }
}
