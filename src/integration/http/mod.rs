//! What the integrations of HTTP libraries share: words of OpenTelemetry's semantic conventions, and what of
//! a URL may be shown.

mod redact;

use http::Version;

#[cfg(feature = "tower")]
pub(super) use redact::shown_query;
pub(super) use redact::shown_url;

use crate::bundle::Method;

/// The method as the names of spans have it.
pub(super) fn method_in_name(method: Method) -> &'static str {
    match method {
        Method::Other => "HTTP",
        known => known.as_str(),
    }
}

/// The attribute `network.protocol.version`; `None` of a version that nobody knows.
pub(super) fn version_name(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// A host without the brackets of an address of version 6.
pub(super) fn bare_host(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}
