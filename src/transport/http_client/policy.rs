//! What of a URL may be printed, and whether its host may be connected to.

use std::{fmt, net::IpAddr};

use reqwest::Url;

use crate::transport::address;

/// Scheme, host and port of a URL of http or https: what else is in it may be secret, and so may be all of
/// one of another scheme, which is often no URL at all.
pub(super) struct Place<'a>(pub(super) &'a Url);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self.0.scheme(), "http" | "https") {
            return f.write_str("a URL of another scheme");
        }
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether the host is a public address, or a name: that is checked when it is connected to, by the addresses
/// that it resolves to.
pub(super) fn is_public_or_named(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    literal.map_or(true, address::is_public)
}
