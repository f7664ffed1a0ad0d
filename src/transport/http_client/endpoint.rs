//! The options of an endpoint, and whether the policy allows its URL.

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
    error::{Error, ErrorKind},
    sync::atomic::AtomicUsize,
    transport::address,
};

/// Where requests are sent, and how: a URL and its options, the same for every backend, notifier and source
/// that speaks HTTP.
///
/// A text is an endpoint without options.
///
/// # What it will not do
///
/// It does not use plain http or connect to an address that is not public, unless allowed. It follows no
/// redirect, and uses no proxy from the environment. Of its URL only scheme, host and port are ever printed,
/// and of its headers only the names.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::transport::Endpoint;
///
/// let endpoint = Endpoint::new("https://collector.example.com/?key=secret")
///     .header("x-tenant", "shop")
///     .timeout(Duration::from_secs(5));
/// assert_eq!(endpoint.to_string(), "https://collector.example.com");
///
/// // An agent on the same machine.
/// let agent = Endpoint::new("http://127.0.0.1:4318").allow_plain_http().allow_private();
/// ```
#[derive(Clone)]
#[must_use = "an endpoint that is given to nobody is never asked"]
pub struct Endpoint {
    url: Result<Url, &'static str>,
    headers: Vec<(String, String)>,
    timeout: Duration,
    allows_plain_http: bool,
    allows_private: bool,
}

impl Endpoint {
    /// The endpoint at `url`. One that cannot be used is an error when what sends to it starts.
    pub fn new(url: &str) -> Self {
        Self {
            url: Url::parse(url).map_err(|_| "the URL cannot be parsed"),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            allows_plain_http: false,
            allows_private: false,
        }
    }

    /// Sends a header with each request; its value is never printed.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How long a request may take, from connecting to the end of the response; ten seconds by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Allows a URL of plain http: then anyone on the way can read what is sent, the headers too.
    pub fn allow_plain_http(self) -> Self {
        Self { allows_plain_http: true, ..self }
    }

    /// Allows addresses that are not public: loopback, private and link-local networks, and all services
    /// that listen there.
    pub fn allow_private(self) -> Self {
        Self { allows_private: true, ..self }
    }

    /// How long a request may take.
    pub(crate) fn time_limit(&self) -> Duration {
        self.timeout
    }

    /// Whether the path of the URL ends so, but for a slash.
    #[cfg(feature = "zipkin")]
    pub(crate) fn path_ends_with(&self, end: &str) -> bool {
        self.url.as_ref().is_ok_and(|url| url.path().trim_end_matches('/').ends_with(end))
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

    /// A client with these options; its look-ups are counted in `n_resolving`.
    pub(super) fn connect(&self, n_resolving: &Arc<AtomicUsize>) -> Result<Connection, String> {
        let client = Client::builder()
            .default_headers(self.header_map()?)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("bellwether/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Resolver {
                allows_private: self.allows_private,
                n_pending: n_resolving.clone(),
            }));
        Connection::new(client)
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

impl From<&str> for Endpoint {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Endpoint {
    fn from(url: String) -> Self {
        Self::new(&url)
    }
}

/// Scheme, host and port of the URL.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(url) = &self.url else { return f.write_str("a URL that cannot be parsed") };
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
        url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Endpoint")
            .field("url", &format_args!("{self}"))
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .field("allows_plain_http", &self.allows_plain_http)
            .field("allows_private", &self.allows_private)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Deadline,
        transport::http_client::{
            HttpClient, HttpPost,
            post::{HttpAnswer, HttpFailure},
        },
    };

    fn post(endpoint: &Endpoint) -> Result<HttpAnswer, HttpFailure> {
        let mut client = HttpClient::new(endpoint.clone());
        client.post(HttpPost::new("text/plain", ""), &Deadline::after(Duration::from_secs(20)))
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
            let error = Endpoint::new(url).check().unwrap_err().to_string();
            assert!(error.ends_with(&NotPublic.to_string()), "{url}: {error}");
            Endpoint::new(url).allow_private().check().unwrap();
        }
        Endpoint::new("https://1.1.1.1/").check().unwrap();
        Endpoint::new("https://[2606:4700::1111]/").check().unwrap();
    }

    #[test]
    fn a_name_that_resolves_to_the_own_machine_is_refused_for_good() {
        let endpoint = Endpoint::new("https://localhost:1/");
        endpoint.check().unwrap();
        let failure = post(&endpoint).unwrap_err();
        assert!(failure.message.contains(&NotPublic.to_string()), "{}", failure.message);
        assert!(!failure.may_pass);
    }

    #[test]
    fn only_https_is_spoken_unless_plain_http_is_allowed() {
        let error = Endpoint::new("http://example.com/x").check().unwrap_err();
        assert!(error.to_string().contains("plain http"), "{error}");
        for url in ["ftp://example.com/", "file:///etc/passwd", "javascript:1", "not a url", ""] {
            let endpoint = Endpoint::new(url).allow_plain_http().allow_private();
            assert!(endpoint.check().is_err(), "{url}");
        }
    }

    #[test]
    fn no_secret_is_in_an_error_or_in_debug() {
        let endpoint = Endpoint::new("http://canary:canary@127.0.0.1:1/canary?key=canary#canary");
        let endpoint = endpoint.header("authorization", "canary");
        assert!(!endpoint.check().unwrap_err().to_string().contains("canary"));
        let endpoint = endpoint.allow_plain_http().allow_private();
        let failure = post(&endpoint).unwrap_err();
        assert!(failure.may_pass, "nobody listens there");
        let texts = format!("{endpoint} {endpoint:?} {failure:?}");
        assert!(!texts.contains("canary"), "{texts}");
        let endpoint = Endpoint::new("https://example.com/").header("authorization", "canary\n");
        assert!(!endpoint.check().unwrap_err().to_string().contains("canary"));
    }
}
