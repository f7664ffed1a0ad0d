//! What of a URL may be in a record.

use ::reqwest::Url;

use crate::integration::http;

/// The URL without credentials, the values of secrets, and the fragment, which is not sent.
pub(super) fn shown(url: &Url) -> String {
    http::shown_url(url.scheme(), url.authority(), url.path(), url.query())
}

/// What is sent of a URL as its target: all but credentials, which go into a header, and the fragment.
pub(super) fn sent(url: &Url) -> Url {
    let mut sent = url.clone();
    sent.set_fragment(None);
    // Refused where there is no host, and so nothing to send to.
    let _ = sent.set_username("");
    let _ = sent.set_password(None);
    sent
}

/// The host, without the brackets of an address of version 6, and the port; 0 if it is not known.
pub(super) fn server(url: &Url) -> (&str, u16) {
    let host = http::bare_host(url.host_str().unwrap_or_default());
    (host, url.port_or_known_default().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_secrets_are_never_shown() {
        for (url, expected) in [
            ("http://example.com", "http://example.com/"),
            ("https://example.com:443/a?q=1&page=2", "https://example.com/a?q=1&page=2"),
            ("https://me:pw@example.com:8443/a", "https://REDACTED:REDACTED@example.com:8443/a"),
            ("http://h/?sig=a", "http://h/?sig=REDACTED"),
            ("http://h/#access_token=a", "http://h/"),
            ("http://[::1]:80/", "http://[::1]/"),
        ] {
            assert_eq!(shown(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_server_is_a_name_or_an_address_and_a_port() {
        for (url, expected) in [
            ("http://example.com", ("example.com", 80)),
            ("https://example.com", ("example.com", 443)),
            ("https://[::1]:8443/", ("::1", 8443)),
            ("data:text/plain,x", ("", 0)),
        ] {
            assert_eq!(server(&Url::parse(url).unwrap()), expected);
        }
    }
}
