//! One endpoint of a client, with its connections.

use std::{sync::Arc, time::Instant};

use reqwest::{Client, ClientBuilder, redirect::Policy, retry};
use zeroize::Zeroizing;

use super::{
    cause::chain, connection::Connection, endpoint::Endpoint, resolver::Resolver, socket,
    tls::Material,
};
use crate::{
    clock::{self, Deadline},
    sync::atomic::AtomicUsize,
};

/// An endpoint, and the connections that are open to it.
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    connection: Option<(Connection, Made, Instant)>,
    n_resolving: Arc<AtomicUsize>,
}

/// What connections were made with, and may have changed since.
#[derive(PartialEq)]
struct Made {
    tls: Material,
    proxy_password: Option<Zeroizing<String>>,
}

impl Place {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, connection: None, n_resolving: Arc::default() }
    }

    /// The client, with the connections that are still open, unless they are as old as they may be, or
    /// certificates or the password of a proxy have changed.
    pub(super) fn connected(
        &mut self,
        version: fn(ClientBuilder) -> ClientBuilder,
    ) -> Result<Client, String> {
        let (made, now) = (self.made()?, clock::real_instant());
        let lifetime = self.endpoint.connection_lifetime;
        let is_good = |(_, of, since): &(Connection, Made, Instant)| {
            *of == made && now.saturating_duration_since(*since) < lifetime
        };
        let kept = self.connection.take().filter(is_good);
        let current = match kept {
            Some(kept) => kept,
            None => (Connection::new(self.builder(version, &made)?)?, made, now),
        };
        Ok(self.connection.insert(current).0.client.clone())
    }

    /// Whether a client could be made of certificates, proxy and socket.
    pub(super) fn check(&self) -> Result<(), String> {
        let builder = self.builder(ClientBuilder::http1_only, &self.made()?)?;
        if self.endpoint.tls.is_as_usual() {
            return Ok(()); // Saves loading the system's roots once more.
        }
        builder.build().map(drop).map_err(|error| format!("TLS: {}", chain(&error)))
    }

    fn made(&self) -> Result<Made, String> {
        let tls = self.endpoint.tls.material()?;
        let proxy_password = match &self.endpoint.proxy {
            Some(proxy) => proxy.password()?,
            None => None,
        };
        Ok(Made { tls, proxy_password })
    }

    fn builder(
        &self,
        version: fn(ClientBuilder) -> ClientBuilder,
        made: &Made,
    ) -> Result<ClientBuilder, String> {
        let endpoint = &self.endpoint;
        let proxy = endpoint.proxy.as_ref();
        // Much here says what is so anyway, unless another crate turned on a feature of reqwest's.
        let mut builder = version(Client::builder())
            .default_headers(endpoint.header_map()?)
            .redirect(Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .user_agent(concat!("bellwether/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(endpoint.connect_timeout)
            .dns_resolver(Arc::new(Resolver {
                allows_private: proxy.map_or(endpoint.allows_private, |it| {
                    it.allows_private(endpoint.allows_private)
                }),
                n_pending: self.n_resolving.clone(),
            }));
        builder = made.tls.on(builder, !endpoint.uses_tls())?;
        if let Some(proxy) = proxy {
            builder = builder.proxy(proxy.made()?);
        }
        match &endpoint.socket {
            Some(path) => socket::on(builder, path),
            None => Ok(builder),
        }
    }

    /// The result of `work` with the client. If it does not end by `latest` and by `deadline`, returns `None`
    /// and closes all sockets.
    pub(super) fn run<T>(
        &mut self,
        latest: Instant,
        deadline: &Deadline,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let result = self.connection.as_ref()?.0.run(latest, deadline, work);
        if result.is_none() {
            self.connection = None;
        }
        result
    }
}
