//! Resolves names to addresses that the policy allows.
//!
//! The system's resolver cannot be cancelled, so it runs on a thread of its own, which is not waited
//! for.

use std::{
    error, fmt,
    net::{SocketAddr, ToSocketAddrs as _},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::task;

use crate::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    transport::address,
};

/// Resolves names by the operating system, and returns only addresses that are allowed.
pub(super) struct Resolver {
    pub(super) allows_private: bool,
    /// How many names of the endpoint are being resolved. Relaxed: it publishes nothing but itself.
    pub(super) n_pending: Arc<AtomicUsize>,
}

/// More simultaneous look-ups of one endpoint are refused: each may hang on a thread of its own.
/// Arbitrary.
const MOST_PENDING: usize = 2;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allows_private, pending) = (self.allows_private, Pending::begin(&self.n_pending));
        Box::pin(async move {
            let pending = pending?;
            let found = task::spawn_blocking(move || {
                let _pending = pending;
                (name.as_str(), 0).to_socket_addrs()
            });
            let mut allowed: Vec<SocketAddr> = found.await??.collect();
            allowed.retain(|found| allows_private || address::is_public(found.ip()));
            if allowed.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// A look-up that is counted while it runs.
struct Pending(Arc<AtomicUsize>);

impl Pending {
    fn begin(pending: &Arc<AtomicUsize>) -> Result<Self, &'static str> {
        let begun = Self(pending.clone());
        if pending.fetch_add(1, Relaxed) >= MOST_PENDING {
            return Err("the system's resolver does not answer"); // Dropping `begun` reverts the count.
        }
        Ok(begun)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Whether a request failed because of an address that is not public.
pub(super) fn is_not_public(error: &reqwest::Error) -> bool {
    let mut causes = std::iter::successors(error::Error::source(error), |cause| cause.source());
    causes.any(|cause| cause.is::<NotPublic>())
}

/// The host has no public address.
#[derive(Debug)]
pub(super) struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has no public address: allow others by .allow_private()")
    }
}

impl error::Error for NotPublic {}
