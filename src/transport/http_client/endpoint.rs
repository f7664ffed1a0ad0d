//! The options of an endpoint, and whether the policy allows its URL.

use std::{fmt, path::PathBuf, time::Duration};

use reqwest::{RequestBuilder, Url, header::HeaderMap};

use super::{
    compression::Compression,
    credentials::{Credentials, header_name, header_value},
    policy::{Place, is_public_or_named},
    proxy::Proxy,
    resolver::NotPublic,
    tls::Tls,
};
use crate::transport::{Secret, pem::Pem};

/// Where requests are sent, and how: a URL and its options, the same for every backend, notifier and source
/// that speaks HTTP.
///
/// A text is an endpoint without options.
///
/// | option | what | default |
/// |---|---|---|
/// | [`header`](Self::header) | a header of each request | none |
/// | [`bearer`](Self::bearer), [`basic`](Self::basic), [`secret_header`](Self::secret_header) | who asks; the secret may be in a file that is replaced | nobody |
/// | [`timeout`](Self::timeout) | how long a request may take, from its beginning to the end of the answer | 10 s |
/// | [`connect_timeout`](Self::connect_timeout) | how long connecting may take of that, with look-up and handshake | 5 s |
/// | [`connection_lifetime`](Self::connection_lifetime) | how long a connection is used before another is made | 30 s |
/// | [`compression`](Self::compression) | how bodies are compressed | none, unless the backend says otherwise |
/// | [`root_certificates`](Self::root_certificates), [`_file`](Self::root_certificates_file) | which roots TLS trusts, instead of the system's | the system's |
/// | [`client_certificate`](Self::client_certificate), [`_files`](Self::client_certificate_files) | what is shown to a server that asks for a certificate | none |
/// | [`proxy`](Self::proxy), [`proxy_basic`](Self::proxy_basic), [`proxy_from_env`](Self::proxy_from_env) | the proxy that requests go through | none, whatever the environment says |
/// | [`unix_socket`](Self::unix_socket) | a socket that requests go to instead of host and port | none |
/// | [`or`](Self::or) | where requests go while this one does not answer | nowhere |
/// | [`allow_plain_http`](Self::allow_plain_http) | http without TLS | refused |
/// | [`allow_private`](Self::allow_private) | addresses that are not public | refused |
///
/// # What becomes of a request
///
/// One that cannot be connected, is not answered in time, or whose answer breaks off or is no HTTP, may pass:
/// it is sent again as the pipeline's settings say, and may then arrive twice if it had arrived. One that the
/// policy below refuses is given up. What an answer means is the backend's to say. An answer of a backend has
/// at most 4 MiB: a success with more is a failure, and the status of an error stands whatever becomes of its
/// body. No encoding of answers is asked for, and none is undone.
///
/// Time limits are on the monotonic clock; a flush or a shutdown may end a request earlier, and closes its
/// socket. There is one request at a time, and connections stay open between them. A name is looked up for
/// each new connection, and a connection is used for 30 seconds: then a name whose address has changed is
/// followed.
///
/// # TLS
///
/// TLS 1.2 and 1.3, by rustls, with certificates that are verified: that cannot be switched off. Whoever has
/// a certificate of his own passes its root to [`root_certificates`](Self::root_certificates). A server that
/// is not trusted gets nothing of what is sent. It is asked again as any that cannot be connected:
/// certificates are renewed.
///
/// The cryptography is aws-lc-rs, which needs a C compiler to build, and on Windows with x86 an assembler
/// (NASM) or the objects that it ships. A program that installs another provider of rustls as the default of
/// the process, before it starts telemetry, gets that one
/// (`rustls::crypto::CryptoProvider::install_default`); aws-lc-rs is still built, because the features of
/// this crate that send by HTTP bring it. Of the other providers ring needs a C compiler too. Graviola
/// (`rustls-graviola`, by a maintainer of rustls) needs none, on `x86_64` and `aarch64` processors of the
/// last ten years; it is younger than the others.
///
/// # What it will not do
///
/// It does not use plain http or connect to an address that is not public, unless allowed. That concerns
/// secrets too: they go over plain http only where the code allows that. It follows no redirect, and uses no
/// proxy unless it is given one. Of its URL only scheme, host and port are ever printed, and of its headers
/// only the names.
///
/// # Errors
///
/// An endpoint that cannot be used (its URL, a header, a secret that is missing, a certificate that cannot be
/// read) is an error when what sends to it starts.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bellwether::transport::{Compression, Endpoint, Secret};
///
/// // Each has options of its own.
/// let collector = |url| {
///     Endpoint::new(url)
///         .bearer(Secret::from_file("/run/secrets/collector-token"))
///         .compression(Compression::Gzip)
///         .timeout(Duration::from_secs(5))
/// };
/// let first = collector("https://collector-1.example.com/?key=secret");
/// let both = first.or(collector("https://collector-2.example.com/?key=secret"));
/// assert_eq!(both.to_string(), "https://collector-1.example.com");
///
/// // An agent on the same machine.
/// let agent = Endpoint::new("http://127.0.0.1:4318").allow_plain_http().allow_private();
/// // One that listens on a socket: the URL gives the path, and the header `host`.
/// let agent = Endpoint::new("http://localhost/v1/traces").unix_socket("/run/agent.sock");
/// ```
#[derive(Clone)]
#[must_use = "an endpoint that is given to nobody is never asked"]
pub struct Endpoint {
    url: Result<Url, &'static str>,
    headers: Vec<(String, String)>,
    credentials: Vec<Credentials>,
    timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) connection_lifetime: Duration,
    compression: Option<Compression>,
    pub(super) tls: Tls,
    pub(super) proxy: Option<Proxy>,
    /// Who asks the proxy.
    proxy_user: Option<(String, Secret)>,
    pub(super) socket: Option<PathBuf>,
    allows_plain_http: bool,
    pub(super) allows_private: bool,
    /// Have no others themselves.
    others: Vec<Endpoint>,
}

impl Endpoint {
    /// The endpoint at `url`. One that cannot be used is an error when what sends to it starts.
    pub fn new(url: &str) -> Self {
        Self {
            url: Url::parse(url).map_err(|_| "the URL cannot be parsed"),
            headers: Vec::new(),
            credentials: Vec::new(),
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            connection_lifetime: Duration::from_secs(30),
            compression: None,
            tls: Tls::default(),
            proxy: None,
            proxy_user: None,
            socket: None,
            allows_plain_http: false,
            allows_private: false,
            others: Vec::new(),
        }
    }

    /// Sends a header with each request; its value is never printed.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends `authorization: Bearer` with the token.
    pub fn bearer(self, token: Secret) -> Self {
        self.authorization("Bearer", token)
    }

    /// Sends `authorization: Basic` with the user and the password.
    pub fn basic(self, user: impl Into<String>, password: Secret) -> Self {
        self.credentials(Credentials::Basic(user.into(), password))
    }

    /// Sends a header whose value is a secret, such as `x-api-key`.
    pub fn secret_header(self, name: impl Into<String>, value: Secret) -> Self {
        self.credentials(Credentials::Header(name.into(), value))
    }

    /// Sends `authorization` with the scheme and the secret as it is, such as `ApiKey` or `Token`.
    pub fn authorization(self, scheme: &'static str, secret: Secret) -> Self {
        self.credentials(Credentials::Scheme(scheme, secret))
    }

    fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials.push(credentials);
        self
    }

    /// How long a request may take, from connecting to the end of the response; ten seconds by default. It
    /// holds for the whole of each request: a body that trickles in cannot outlive it.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How long connecting may take of that, with the look-up of the name and the handshake of TLS; five
    /// seconds by default.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self { connect_timeout: timeout, ..self }
    }

    /// How long a connection is used before another one is made, which looks the name up anew; 30 seconds by
    /// default. It is looked at before each request: none is cut short.
    pub fn connection_lifetime(self, lifetime: Duration) -> Self {
        Self { connection_lifetime: lifetime, ..self }
    }

    /// How the bodies of requests are compressed, whatever the default of the backend is. What is sent again
    /// after a failure is not compressed again.
    pub fn compression(self, compression: Compression) -> Self {
        Self { compression: Some(compression), ..self }
    }

    /// Trusts these roots, and not the system's: certificates in PEM.
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.tls.roots = Some(Pem::text(pem.as_ref()));
        self
    }

    /// As [`root_certificates`](Self::root_certificates), from a file. It is read before each request, so
    /// that one that is replaced counts from then on. At most 1 MiB.
    pub fn root_certificates_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.roots = Some(Pem::file(path));
        self
    }

    /// Shows a certificate to servers that ask for one: the chain and its private key, in PEM.
    pub fn client_certificate(mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.tls.identity = Some((Pem::text(chain.as_ref()), Pem::text(key.as_ref())));
        self
    }

    /// As [`client_certificate`](Self::client_certificate), from files. They are read before each request, so
    /// that ones that are replaced count from then on.
    pub fn client_certificate_files(
        mut self,
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.tls.identity = Some((Pem::file(chain), Pem::file(key)));
        self
    }

    /// Sends requests through the proxy at `url`, of http or https; a user and a password may be in it.
    ///
    /// Of plain http, it sees what any proxy of its kind sees: all of a request to an endpoint of plain http,
    /// and the host of one to https. A password for it over plain http has to be
    /// [allowed](Self::allow_plain_http). The addresses that are not public concern the proxy then: it
    /// resolves the name of the endpoint's host, and decides itself what it connects to.
    pub fn proxy(self, url: &str) -> Self {
        self.through(Some(Proxy::new(url)))
    }

    /// The user and the password for the proxy, instead of those in its URL. The secret may change, as
    /// others.
    pub fn proxy_basic(mut self, user: impl Into<String>, password: Secret) -> Self {
        self.proxy_user = Some((user.into(), password));
        let proxy = self.proxy.take();
        self.through(proxy)
    }

    /// Sends requests through the proxy that the environment names for the URL now, if any: `HTTPS_PROXY`,
    /// `HTTP_PROXY`, `ALL_PROXY`, unless `NO_PROXY` has the host, as curl reads them. It may be at any address.
    pub fn proxy_from_env(self) -> Self {
        let proxy = self.url.as_ref().ok().and_then(Proxy::from_env);
        self.through(proxy)
    }

    fn through(self, proxy: Option<Proxy>) -> Self {
        let credentials = self.proxy_user.clone();
        Self { proxy: proxy.map(|proxy| proxy.asked_by(credentials)), ..self }
    }

    /// Sends requests to the Unix socket at `path`. The URL still gives scheme, path and the header `host`;
    /// plain http and addresses are no matter then, because nothing goes over a network. Proxies are not
    /// used. An error at start on systems without such sockets.
    pub fn unix_socket(self, path: impl Into<PathBuf>) -> Self {
        Self { socket: Some(path.into()), ..self }
    }

    /// Sends requests to `other`, which has options of its own (this one's secrets do not go there), while
    /// this one cannot be connected to or answers 502, 503 or 504; and so on with further ones. One that does
    /// not answer in time is left for the next request.
    ///
    /// Whoever answers is asked from then on; after a minute this one is tried again. The [time
    /// limit](Self::timeout) of this one holds for all of them together. What was sent to one that did not
    /// answer may have reached it: it arrives twice then.
    pub fn or(mut self, other: impl Into<Self>) -> Self {
        self.others.extend(other.into().into_all());
        self
    }

    /// Allows a URL of plain http: then anyone on the way can read what is sent, headers and secrets too.
    pub fn allow_plain_http(self) -> Self {
        Self { allows_plain_http: true, ..self }
    }

    /// Allows addresses that are not public: loopback, private and link-local networks, and all services
    /// that listen there.
    pub fn allow_private(self) -> Self {
        Self { allows_private: true, ..self }
    }

    /// This one and the others, each alone.
    pub(super) fn into_all(mut self) -> Vec<Self> {
        let others = std::mem::take(&mut self.others);
        std::iter::once(self).chain(others).collect()
    }

    /// How long a request may take.
    pub(crate) fn time_limit(&self) -> Duration {
        self.timeout
    }

    pub(super) fn compression_or(&self, default: Compression) -> Compression {
        self.compression.unwrap_or(default)
    }

    /// Whether connections need what TLS needs.
    pub(super) fn uses_tls(&self) -> bool {
        self.url.as_ref().is_ok_and(|url| url.scheme() == "https")
            || self.proxy.as_ref().is_some_and(Proxy::is_https)
    }

    /// Whether a request could be sent, as far as this is known without making a client.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.permitted()?;
        self.header_map()?;
        self.compression_or(Compression::None).check()?;
        self.credentials.iter().try_for_each(Credentials::check)
    }

    /// Whether the path of the URL ends so, but for a slash.
    #[cfg(any(feature = "zipkin", feature = "loki"))]
    pub(super) fn path_ends_with(&self, end: &str) -> bool {
        self.url.as_ref().is_ok_and(|url| url.path().trim_end_matches('/').ends_with(end))
    }

    /// The URL, if the policy allows requests to it.
    pub(super) fn permitted(&self) -> Result<&Url, String> {
        let url = self.url.as_ref().map_err(|&what| what.to_owned())?;
        match url.scheme() {
            "https" => {}
            "http" if self.allows_plain_http || self.socket.is_some() => {}
            "http" => return Err(self.is_plain(url)),
            // What stands before the colon may be a secret: it is not printed.
            _ => {
                let what = "the URL begins neither with https:// nor with http://";
                return Err(what.to_owned());
            }
        }
        match &self.proxy {
            _ if self.socket.is_some() => {}
            Some(proxy) => proxy.check(self.allows_plain_http, self.allows_private)?,
            None if self.allows_private || is_public_or_named(url) => {}
            None => return Err(format!("{self}: {NotPublic}")),
        }
        Ok(url)
    }

    /// That plain http is not allowed; and the rest of what would be refused then.
    fn is_plain(&self, url: &Url) -> String {
        let is_private = matches!(url.host_str(), Some("localhost")) || !is_public_or_named(url);
        match is_private && !self.allows_private && self.proxy.is_none() {
            true => format!(
                "{self} is plain http to a host without a public address: allow it by \
                 .allow_plain_http().allow_private()"
            ),
            false => format!("{self} is plain http: allow it by .allow_plain_http()"),
        }
    }

    /// The headers that never change.
    pub(super) fn header_map(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(header_name(name)?, header_value(name, value)?);
        }
        Ok(headers)
    }

    /// The request with who asks.
    pub(super) fn with_credentials(
        &self,
        request: RequestBuilder,
    ) -> Result<RequestBuilder, String> {
        self.credentials.iter().try_fold(request, |request, each| each.on(request))
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

/// Scheme, host and port of the URL, or the path of the socket.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.socket {
            return write!(f, "unix:{}", path.display());
        }
        match &self.url {
            Ok(url) => Place(url).fmt(f),
            Err(_) => f.write_str("a URL that cannot be parsed"),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Endpoint")
            .field("url", &format_args!("{self}"))
            .field("headers", &names)
            .field("credentials", &self.credentials)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("compression", &self.compression)
            .field("tls", &self.tls)
            .field("proxy", &self.proxy)
            .field("allows_plain_http", &self.allows_plain_http)
            .field("allows_private", &self.allows_private)
            .field("others", &self.others)
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
            answer::{HttpAnswer, HttpFailure},
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
