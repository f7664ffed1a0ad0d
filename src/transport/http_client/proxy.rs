//! The proxy that requests go through.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Url, header::HeaderValue};

use super::policy::{Place, is_public_or_named};
use crate::transport::Secret;

/// A proxy of HTTP, and who asks it.
#[derive(Clone)]
pub(super) struct Proxy {
    url: Result<Url, &'static str>,
    /// Instead of what is in the URL.
    credentials: Option<(String, Secret)>,
    /// From the environment: as a header that is made already.
    header: Option<HeaderValue>,
    /// The operator chose it: it may be anywhere.
    is_trusted: bool,
}

impl Proxy {
    pub(super) fn new(url: &str) -> Self {
        let url = Url::parse(url).map_err(|_| "the proxy's URL cannot be parsed");
        Self { url, credentials: None, header: None, is_trusted: false }
    }

    /// The proxy that the environment names for `target`, if any.
    pub(super) fn from_env(target: &Url) -> Option<Self> {
        let intercept = Matcher::from_env().intercept(&target.as_str().parse().ok()?)?;
        let mut header = intercept.basic_auth().cloned();
        if let Some(header) = &mut header {
            header.set_sensitive(true);
        }
        Some(Self { header, is_trusted: true, ..Self::new(&intercept.uri().to_string()) })
    }

    /// With who asks it, instead of what its URL says.
    pub(super) fn asked_by(self, credentials: Option<(String, Secret)>) -> Self {
        Self { credentials, ..self }
    }

    /// Whether its address may be any, as far as `allows_private` says for others.
    pub(super) fn allows_private(&self, allows_private: bool) -> bool {
        allows_private || self.is_trusted
    }

    /// Whether it is spoken to by TLS, whatever goes through it.
    pub(super) fn is_https(&self) -> bool {
        self.url.as_ref().is_ok_and(|url| url.scheme() == "https")
    }

    /// Whether requests may go through it.
    pub(super) fn check(
        &self,
        allows_plain_http: bool,
        allows_private: bool,
    ) -> Result<(), String> {
        let url = self.url.as_ref().map_err(|&what| what.to_owned())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("the proxy's URL is neither https nor http".to_owned());
        }
        if !self.allows_private(allows_private) && !is_public_or_named(url) {
            return Err(format!("the proxy {self}: {}", super::resolver::NotPublic));
        }
        let has_credentials = self.credentials.is_some() || url.password().is_some();
        let may_be_read = url.scheme() == "http" && has_credentials && !self.is_trusted;
        if may_be_read && !allows_plain_http {
            return Err(format!(
                "the password of the proxy {self} would go over plain http: allow it by \
                 .allow_plain_http()"
            ));
        }
        match &self.credentials {
            Some((_, password)) => password.read().map(drop),
            None => Ok(()),
        }
    }

    /// As the client takes it.
    pub(super) fn made(&self) -> Result<reqwest::Proxy, String> {
        let url = self.url.as_ref().map_err(|&what| what.to_owned())?;
        let proxy = reqwest::Proxy::all(url.clone())
            .map_err(|_| format!("the proxy {self} cannot be used"))?;
        Ok(match (&self.credentials, &self.header) {
            (Some((user, password)), _) => proxy.basic_auth(user, &password.read()?),
            (None, Some(header)) => proxy.custom_http_auth(header.clone()),
            (None, None) => proxy,
        })
    }

    /// What of it may change from one request to the next.
    pub(super) fn password(&self) -> Result<Option<zeroize::Zeroizing<String>>, String> {
        self.credentials.as_ref().map(|(_, password)| password.read()).transpose()
    }
}

/// Scheme, host and port.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.url {
            Ok(url) => Place(url).fmt(f),
            Err(what) => f.write_str(what),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
