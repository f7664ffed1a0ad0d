//! What of a URL is not for everybody's eyes: credentials, and signatures in queries.

use std::borrow::Cow;

use http::Uri;

/// The keys whose values are secrets (OpenTelemetry semantic conventions, `url.query`).
const SECRET_KEYS: [&str; 7] = [
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
];

const REDACTED: &str = "REDACTED";

/// The query without the values of [`SECRET_KEYS`].
pub(super) fn query(query: &str) -> Cow<'_, str> {
    if !query.split('&').any(is_secret) {
        return Cow::Borrowed(query);
    }
    let mut shown = String::with_capacity(query.len());
    for (place, pair) in query.split('&').enumerate() {
        if place > 0 {
            shown.push('&');
        }
        match pair.split_once('=') {
            Some((key, _)) if is_secret(pair) => shown.extend([key, "=", REDACTED]),
            _ => shown.push_str(pair),
        }
    }
    Cow::Owned(shown)
}

fn is_secret(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(key, _)| SECRET_KEYS.contains(&key))
}

/// The whole URL, without the credentials in its authority and the secrets in its query.
pub(super) fn url(uri: &Uri) -> String {
    let mut shown = String::new();
    if let Some(authority) = uri.authority() {
        let host = authority.as_str();
        shown.push_str(uri.scheme_str().unwrap_or("http"));
        shown.push_str("://");
        match host.rsplit_once('@') {
            Some((_, host)) => shown.extend([REDACTED, ":", REDACTED, "@", host]),
            None => shown.push_str(host),
        }
    }
    shown.push_str(uri.path());
    if let Some(text) = uri.query() {
        shown.push('?');
        shown.push_str(&query(text));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_redacted_and_others_are_as_they_came() {
        for (plain, shown) in [
            ("q=a&page=2", "q=a&page=2"),
            ("q=a&sig=s3cr3t&x=1", "q=a&sig=REDACTED&x=1"),
            ("Signature=a=b&AWSAccessKeyId=k", "Signature=REDACTED&AWSAccessKeyId=REDACTED"),
            ("X-Goog-Signature=&sig", "X-Goog-Signature=REDACTED&sig"),
            ("design=1&&sig=2&", "design=1&&sig=REDACTED&"),
            ("", ""),
        ] {
            assert_eq!(query(plain), shown);
        }
        assert!(matches!(query("a=b"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_url_is_shown_without_credentials() {
        for (plain, shown) in [
            (
                "https://a:b@example.com:8443/x?sig=1",
                "https://REDACTED:REDACTED@example.com:8443/x?sig=REDACTED",
            ),
            ("http://example.com", "http://example.com/"),
            ("/only/path?q=1", "/only/path?q=1"),
        ] {
            assert_eq!(url(&plain.parse().unwrap()), shown);
        }
    }
}
