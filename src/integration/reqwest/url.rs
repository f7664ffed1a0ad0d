//! What of a URL may be in a record.

use ::reqwest::Url;

const REDACTED: &str = "REDACTED";

/// The keys of queries whose values are secrets, in lower case: those of signed URLs (OpenTelemetry semantic
/// conventions, `url.full`), and those that many services use for credentials.
const SECRETS: [&str; 17] = [
    "awsaccesskeyid",
    "signature",
    "sig",
    "x-goog-signature",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "client_secret",
    "id_token",
    "password",
    "refresh_token",
    "secret",
    "token",
];

/// The URL with `REDACTED` for credentials and for the values of [`SECRETS`], and without a fragment, which
/// is not sent.
pub(super) fn shown(url: &Url) -> String {
    let mut shown = String::with_capacity(url.as_str().len());
    shown.push_str(url.scheme());
    shown.push_str("://");
    if !url.username().is_empty() || url.password().is_some() {
        shown.extend([REDACTED, ":", REDACTED, "@"]);
    }
    shown.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        shown.push(':');
        shown.push_str(&port.to_string());
    }
    shown.push_str(url.path());
    if let Some(query) = url.query() {
        shown.push('?');
        push_query(&mut shown, query);
    }
    shown
}

fn push_query(shown: &mut String, query: &str) {
    for (place, pair) in query.split('&').enumerate() {
        if place > 0 {
            shown.push('&');
        }
        match pair.split_once('=') {
            Some((key, _)) if is_secret(key) => shown.extend([key, "=", REDACTED]),
            _ => shown.push_str(pair),
        }
    }
}

/// Also where the key is written with escapes.
fn is_secret(key: &str) -> bool {
    let is = |key: &str| SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(key));
    is(key) || (key.contains('%') && is(&unescaped(key)))
}

fn unescaped(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
    let host = url.host_str().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (bare, url.port_or_known_default().unwrap_or_default())
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
            ("https://me@example.com/", "https://REDACTED:REDACTED@example.com/"),
            ("https://:pw@example.com/", "https://REDACTED:REDACTED@example.com/"),
            ("http://h/?sig=a&x=sig&SIG=b", "http://h/?sig=REDACTED&x=sig&SIG=REDACTED"),
            ("http://h/?token=&q=a=b", "http://h/?token=REDACTED&q=a=b"),
            ("http://h/?t%6Fken=a&%=1&%zz=2", "http://h/?t%6Fken=REDACTED&%=1&%zz=2"),
            ("http://h/p?design=1&&sig", "http://h/p?design=1&&sig"),
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
