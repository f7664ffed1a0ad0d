//! What of a URL is not for everybody's eyes: credentials, and the values of secrets in queries.

use std::borrow::Cow;

const REDACTED: &str = "REDACTED";

/// The keys of queries whose values are secrets, in lower case: those of signed URLs (OpenTelemetry semantic
/// conventions, `url.full` and `url.query`), and those that many services use for credentials.
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

/// A whole URL with `REDACTED` for the credentials in its authority and for the values of [`SECRETS`] in its
/// query.
pub(in crate::integration) fn shown_url(
    scheme: &str,
    authority: &str,
    path: &str,
    query: Option<&str>,
) -> String {
    let long = [scheme, authority, path, query.unwrap_or_default()].map(str::len);
    let mut shown = String::with_capacity(long.iter().sum::<usize>() + "://?".len());
    shown.extend([scheme, "://"]);
    match authority.rsplit_once('@') {
        Some((_, host)) => shown.extend([REDACTED, ":", REDACTED, "@", host]),
        None => shown.push_str(authority),
    }
    shown.push_str(path);
    if let Some(query) = query {
        shown.push('?');
        push_query(&mut shown, query);
    }
    shown
}

/// A query with `REDACTED` for the values of [`SECRETS`].
#[cfg_attr(not(feature = "tower"), allow(dead_code, reason = "only layers show queries alone"))]
pub(in crate::integration) fn shown_query(query: &str) -> Cow<'_, str> {
    if !query.split('&').any(|pair| secret_key(pair).is_some()) {
        return Cow::Borrowed(query);
    }
    let mut shown = String::with_capacity(query.len());
    push_query(&mut shown, query);
    Cow::Owned(shown)
}

fn push_query(shown: &mut String, query: &str) {
    for (place, pair) in query.split('&').enumerate() {
        if place > 0 {
            shown.push('&');
        }
        match secret_key(pair) {
            Some(key) => shown.extend([key, "=", REDACTED]),
            None => shown.push_str(pair),
        }
    }
}

/// The key of a pair whose value is a secret, in upper or lower case, and also where it is written with
/// escapes.
fn secret_key(pair: &str) -> Option<&str> {
    let (key, _) = pair.split_once('=')?;
    let is = |key: &str| SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(key));
    (is(key) || (key.contains('%') && is(&unescaped(key)))).then_some(key)
}

fn unescaped(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|digits| str::from_utf8(digits).ok());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_redacted_and_others_are_as_they_came() {
        for (plain, shown) in [
            ("q=a&page=2", "q=a&page=2"),
            ("q=a&sig=s3cr3t&x=1", "q=a&sig=REDACTED&x=1"),
            ("sig=a&x=sig&SIG=b", "sig=REDACTED&x=sig&SIG=REDACTED"),
            ("Signature=a=b&AWSAccessKeyId=k", "Signature=REDACTED&AWSAccessKeyId=REDACTED"),
            ("X-Goog-Signature=&sig", "X-Goog-Signature=REDACTED&sig"),
            ("token=&q=a=b", "token=REDACTED&q=a=b"),
            ("t%6Fken=a&%=1&%zz=2", "t%6Fken=REDACTED&%=1&%zz=2"),
            ("design=1&&sig=2&", "design=1&&sig=REDACTED&"),
            ("", ""),
        ] {
            assert_eq!(shown_query(plain), shown);
            let (url, expected) =
                (shown_url("http", "h", "/", Some(plain)), format!("http://h/?{shown}"));
            assert_eq!(url, expected);
        }
        assert!(matches!(shown_query("a=b"), Cow::Borrowed(_)));
        for secret in SECRETS {
            assert_eq!(shown_query(&format!("{secret}=a")), format!("{secret}=REDACTED"));
        }
    }

    #[test]
    fn a_url_is_shown_without_credentials() {
        for (authority, shown) in [
            ("example.com", "https://example.com/x"),
            ("example.com:8443", "https://example.com:8443/x"),
            ("a:b@example.com:8443", "https://REDACTED:REDACTED@example.com:8443/x"),
            ("a@example.com", "https://REDACTED:REDACTED@example.com/x"),
            (":b@example.com", "https://REDACTED:REDACTED@example.com/x"),
            ("a@b@example.com", "https://REDACTED:REDACTED@example.com/x"),
            ("a@[::1]:80", "https://REDACTED:REDACTED@[::1]:80/x"),
        ] {
            assert_eq!(shown_url("https", authority, "/x", None), shown);
        }
    }
}
