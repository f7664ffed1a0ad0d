//! Servers that cannot be trusted, and clients that cannot.

use super::{
    support::{
        CLIENT_KEY_PEM, CLIENT_PEM, Certificate, OTHER_ROOT_PEM, ROOT_PEM, UNKNOWN_KEY_PEM,
        UNKNOWN_PEM,
    },
    *,
};

fn serving(certificate: Certificate) -> Server {
    Server::over_tls(certificate, |_| Reply::ok())
}

/// What came of a request to `server`, which trusts the root of these tests.
fn trusting(server: &Server) -> Result<HttpAnswer, HttpFailure> {
    post(&mut HttpClient::new(endpoint(&server.url("/")).root_certificates(ROOT_PEM)), "canary")
}

#[test]
fn a_server_of_a_known_root_is_trusted() {
    let server = serving(Certificate::Good);
    assert!(trusting(&server).unwrap().is_success());
    assert_eq!(server.next().text(), "canary");
    // Its name counts too, and is shown in the handshake.
    let url = format!("https://localhost:{}/", server.address().port());
    let client = endpoint(&url).root_certificates(ROOT_PEM);
    assert!(post(&mut HttpClient::new(client), "").unwrap().is_success());
}

#[test]
fn a_server_that_cannot_be_trusted_gets_nothing() {
    for (certificate, word) in [
        (Certificate::Expired, "expired"),
        (Certificate::OfAnotherHost, "not valid for name"),
        (Certificate::OfAnUnknownRoot, "UnknownIssuer"),
        (Certificate::SelfSigned, "certificate"),
        (Certificate::AskingForAnother, "CertificateRequired"),
    ] {
        let server = serving(certificate);
        let failure = trusting(&server).unwrap_err();
        assert!(failure.message.contains(word), "{certificate:?}: {}", failure.message);
        assert!(failure.message.contains(&server.address().to_string()), "{}", failure.message);
        assert!(failure.may_pass, "a certificate can be renewed: {failure:?}");
        assert_eq!(server.n_read(), 0, "{certificate:?}");
    }
    // The system's roots do not have that of these tests.
    let server = serving(Certificate::Good);
    let failure = post(&mut HttpClient::new(endpoint(&server.url("/"))), "canary").unwrap_err();
    assert!(failure.message.contains("certificate"), "{}", failure.message);
    assert_eq!(server.n_read(), 0);
}

#[test]
fn a_handshake_that_goes_wrong_is_a_failure_that_may_pass() {
    const HELLO_OF_TLS_1_0: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01\
        abcdefghijklmnopqrstuvwxyz123456\x00\xc0\x13\x00";
    for (said, what) in [
        (&b"\x15\x03\x01\x00\x02\x02\x46"[..], "ProtocolVersion"),
        (HELLO_OF_TLS_1_0, "ServerDoesNotSupportTls12Or13"),
        (b"\x15\x03\x03\x00\x02\x02\x70", "UnrecognisedName"),
        (b"", "eof"),
        (&HELLO_OF_TLS_1_0[..20], "eof"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "corrupt"),
        (&[0xff; 300], "corrupt"),
    ] {
        let server = Server::raw(said);
        let failure = trusting(&server).unwrap_err();
        let message = failure.message.to_lowercase();
        assert!(message.contains(&what.to_lowercase()), "{what}: {message}");
        assert!(failure.may_pass, "{failure:?}");
    }
}

#[test]
fn a_root_that_is_replaced_counts_from_the_next_request_on() {
    let (server, roots) = (serving(Certificate::Good), Scratch::new("roots"));
    let client = endpoint(&server.url("/")).root_certificates_file(&roots.0);
    let mut client = HttpClient::new(client);
    assert!(client.check().unwrap_err().to_string().contains("cannot be read"));
    roots.write(OTHER_ROOT_PEM);
    client.check().unwrap();
    let broken = endpoint(&server.url("/"))
        .root_certificates("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    HttpClient::new(broken).check().unwrap_err();
    assert!(post(&mut client, "").unwrap_err().message.contains("UnknownIssuer"));
    roots.write(ROOT_PEM);
    post(&mut client, "").unwrap();
    post(&mut client, "").unwrap();
    assert_eq!(server.n_connections(), 2, "the second connection is kept");
    roots.write([ROOT_PEM, OTHER_ROOT_PEM].concat());
    post(&mut client, "").unwrap();
    assert_eq!(server.n_connections(), 3);
    // Nothing that is trusted there is no reason to trust everybody.
    roots.write("no certificate");
    let failure = post(&mut client, "").unwrap_err();
    assert!(failure.message.contains("no root certificate"), "{}", failure.message);
}

#[test]
fn a_certificate_of_the_client_is_shown_and_may_be_replaced() {
    let server = serving(Certificate::AskingForAnother);
    let trusting = || endpoint(&server.url("/")).root_certificates(ROOT_PEM);
    let shown = trusting().client_certificate(CLIENT_PEM, CLIENT_KEY_PEM);
    assert!(post(&mut HttpClient::new(shown), "").unwrap().is_success());
    let (chain, key) = (Scratch::new("chain"), Scratch::new("key"));
    chain.write(UNKNOWN_PEM);
    key.write(UNKNOWN_KEY_PEM);
    let mut client = HttpClient::new(trusting().client_certificate_files(&chain.0, &key.0));
    assert!(post(&mut client, "").is_err());
    chain.write(CLIENT_PEM);
    key.write(CLIENT_KEY_PEM);
    assert!(post(&mut client, "").unwrap().is_success());
    // A pair that does not fit, as in the middle of a replacement.
    key.write(UNKNOWN_KEY_PEM);
    let failure = post(&mut client, "").unwrap_err();
    assert!(failure.may_pass, "{failure:?}");
    key.write(CLIENT_KEY_PEM);
    assert!(post(&mut client, "").unwrap().is_success());
}
