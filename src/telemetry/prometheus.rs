//! The embedded listener for `/metrics`.

use std::{net::SocketAddr, time::Instant};

use super::{Builder, running::Part};
use crate::{
    export::prometheus::{Listener, PageOptions},
    metric::Registry,
};

impl Builder {
    /// Serves `/metrics` on `address`, in the format that the scraper asks for. An address is for
    /// example `127.0.0.1:9464`, or `:9464` for every interface, as in Prometheus itself. With port 0
    /// the system chooses one ([`Telemetry::local_addrs`](super::Telemetry)).
    ///
    /// A thread of its own renders and serves; a scrape never holds up recording. The response comes
    /// within the scraper's time-out (`X-Prometheus-Scrape-Timeout-Seconds`), without the callbacks
    /// that would take longer. The head of a request may have 64 KiB and 256 fields.
    ///
    /// An address that cannot be read is an error of the start, which says what to write.
    pub fn prometheus(self, address: &str) -> Self {
        self.prometheus_with(address, PageOptions::default())
    }

    /// As [`prometheus`](Self::prometheus), with `options`: names, native histograms, and whether the
    /// page has `_created` and `target_info`.
    pub fn prometheus_with(self, address: &str, options: PageOptions) -> Self {
        let address = address.to_owned();
        self.part(move |resource| {
            let registry = Registry::global().clone();
            let listener = Listener::start(&address, options, resource.clone(), registry)?;
            Ok(Box::new(listener))
        })
    }
}

impl Part for Listener {
    fn stop(&mut self, deadline: Instant) {
        self.shutdown(deadline);
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Some(Listener::local_addr(self))
    }
}
