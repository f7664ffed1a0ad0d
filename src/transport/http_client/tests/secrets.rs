//! Who asks is sent, and never shown.

use super::{
    support::{Certificate, nobody},
    *,
};
use crate::transport::Secret;

#[test]
fn each_kind_of_credentials_is_sent_as_its_header() {
    let server = Server::answering([Reply::ok()]);
    let token = Scratch::new("token");
    token.write("first\n");
    let client = endpoint(&server.url("/")).secret_header("x-api-key", Secret::from_file(&token.0));
    let mut client = HttpClient::new(client.bearer(Secret::new("abc")));
    post(&mut client, "").unwrap();
    let request = server.next();
    assert_eq!(request.header("x-api-key"), Some("first"));
    assert_eq!(request.header("authorization"), Some("Bearer abc"));
    token.write("second\n");
    post(&mut client, "").unwrap();
    assert_eq!(server.next().header("x-api-key"), Some("second"));
    assert_eq!(server.n_connections(), 1);
    let client = endpoint(&server.url("/")).basic("Aladdin", Secret::new("open sesame"));
    post(&mut HttpClient::new(client), "").unwrap();
    let expected = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="; // RFC 7617.
    assert_eq!(server.next().header("authorization"), Some(expected));
}

#[test]
fn a_secret_that_cannot_be_had_is_an_error_at_start() {
    let missing = || Secret::from_file("/nowhere/bellwether/token");
    let base = || endpoint("http://127.0.0.1:1/");
    for client in [
        base().bearer(missing()),
        base().basic("user", missing()),
        base().secret_header("x-key", missing()),
        base().proxy("http://127.0.0.1:1").proxy_basic("user", missing()),
    ] {
        let error = HttpClient::new(client).check().unwrap_err().to_string();
        assert!(error.contains("/nowhere/bellwether/token"), "{error}");
    }
    assert!(HttpClient::new(base().secret_header("not legal", Secret::new("x"))).check().is_err());
    // That of one that is only asked where others fail, too.
    assert!(HttpClient::new(base().or(base().bearer(missing()))).check().is_err());
}

#[test]
fn no_text_has_anything_of_a_secret() {
    let plain = nobody();
    let refusing = Server::answering([Reply::status(407)]);
    let untrusted = Server::over_tls(Certificate::Good, |_| Reply::ok());
    let silent = Server::raw(b"");
    let pem = "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n";
    let key = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n";
    let with = |address: std::net::SocketAddr, scheme: &str| {
        let url = format!("{scheme}://canary:canary@{address}/canary?key=canary#canary");
        endpoint(&url)
            .header("x-canary-free", "canary")
            .bearer(Secret::new("canary"))
            .basic("canary", Secret::new("canary"))
            .secret_header("x-key", Secret::new("canary"))
    };
    let https = |server: &Server| with(server.address(), "https");
    let proxy = format!("http://canary:canary@{}/canary", refusing.address());
    let gone = format!("http://canary:canary@{plain}/canary");
    for endpoint in [
        with(plain, "http"),
        with(plain, "http").or(with(plain, "https")),
        https(&untrusted),
        https(&silent),
        https(&untrusted).root_certificates(pem),
        https(&untrusted).root_certificates("canary"),
        https(&untrusted).client_certificate(pem, key),
        https(&untrusted).client_certificate("canary", "canary"),
        https(&untrusted).proxy(&proxy),
        https(&untrusted).proxy(&gone),
        https(&untrusted).proxy(&gone).proxy_basic("canary", Secret::new("canary")),
        https(&untrusted).proxy("canary://canary:canary@canary/"),
        https(&untrusted).bearer(Secret::new("canary\n")),
        https(&untrusted).header("x-key", "canary\n"),
        Endpoint::new("canary:canary"),
        Endpoint::new("https://canary:canary@127.0.0.1/canary"),
    ] {
        let mut client = HttpClient::new(endpoint.clone());
        let start = client.check();
        let failure = post(&mut client, "canary").unwrap_err();
        let texts = format!("{endpoint} {endpoint:?} {client} {client:?} {start:?} {failure:?}");
        // The name of a header is no secret.
        let texts = texts.replace("x-canary-free", "");
        assert!(!texts.contains("canary"), "{texts}");
    }
}

#[test]
fn a_secret_goes_over_plain_http_only_where_that_is_allowed() {
    let secret = || Endpoint::new("http://127.0.0.1:1/").allow_private().bearer(Secret::new("x"));
    let error = HttpClient::new(secret()).check().unwrap_err().to_string();
    assert!(error.contains("plain http"), "{error}");
    HttpClient::new(secret().allow_plain_http()).check().unwrap();
    let behind = || Endpoint::new("https://127.0.0.1:1/").allow_private();
    for proxied in [
        behind().proxy("http://user:password@127.0.0.1:2/"),
        behind().proxy("http://127.0.0.1:2/").proxy_basic("user", Secret::new("x")),
    ] {
        let error = HttpClient::new(proxied.clone()).check().unwrap_err().to_string();
        assert!(error.contains("plain http"), "{error}");
        HttpClient::new(proxied.allow_plain_http()).check().unwrap();
    }
}
