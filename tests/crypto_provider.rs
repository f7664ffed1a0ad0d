//! TLS is that of the provider which the process has chosen.

mod support;

use bellwether::{
    collect::{JsonPoll, Source, poll::JsonField},
    metric::Registry,
    transport::Endpoint,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use support::{Certificate, ROOT_PEM, Reply, Server};

#[test]
fn the_default_of_the_process_is_used() {
    let server = Server::over_tls(Certificate::Good, |_| Reply::ok().body("{}"));
    let poll = || {
        let endpoint = Endpoint::new(&server.url("/")).allow_private();
        let poll = JsonPoll::new("upstream", endpoint.root_certificates(ROOT_PEM));
        Source::new("upstream", poll.field(JsonField::gauge("/x", "upstream.x")))
    };
    let registered = poll().register(&Registry::new()).unwrap();
    registered.refresh();
    server.next();
    // One that can do nothing.
    let chosen = CryptoProvider { cipher_suites: Vec::new(), ..aws_lc_rs::default_provider() };
    chosen.install_default().unwrap();
    let error = poll().register(&Registry::new()).unwrap_err().to_string();
    assert!(error.contains("TLS"), "{error}");
}
