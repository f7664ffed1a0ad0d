//! A backend's name gets another address while the old one still answers.
#![cfg(all(feature = "http-client", target_os = "linux"))]
#![expect(clippy::disallowed_methods, reason = "the rule is the library's own")]

mod own_mount;
mod support;

use std::{fs, time::Instant};

use bellwether::{
    pipeline::Deadline,
    transport::{Endpoint, HttpPost, HttpPoster},
};
use own_mount::own_hosts;
use support::{PATIENCE, Reply, Server};

const TEST: &str = "a_name_whose_address_changes_is_followed_though_the_old_address_still_answers";

#[test]
fn a_name_whose_address_changes_is_followed_though_the_old_address_still_answers() {
    let Some(hosts) = own_hosts(TEST) else { return };
    let old = Server::answering([Reply::status(200)]);
    let port = old.address().port();
    let new = Server::at(([127, 0, 0, 2], port).into(), [Reply::status(200)]);
    let endpoint = Endpoint::new(&format!("http://collector.test:{port}/"));
    let endpoint = endpoint.allow_plain_http().allow_private();
    let lifetime = std::time::Duration::from_millis(100);
    let mut moving = HttpPoster::new(endpoint.clone().connection_lifetime(lifetime));
    let mut staying = HttpPoster::new(endpoint);
    let post = |poster: &mut HttpPoster| {
        let request = HttpPost::new("text/plain", b"telemetry");
        assert_eq!(poster.post(request, &Deadline::after(PATIENCE)).unwrap().status(), 200);
    };

    fs::write(&hosts, "127.0.0.1 collector.test\n").unwrap();
    post(&mut staying);
    post(&mut moving);
    assert_eq!((old.n_connections(), new.n_connections()), (2, 0));
    fs::write(&hosts, "127.0.0.2 collector.test\n").unwrap();
    let begin = Instant::now();
    while new.try_next().is_none() {
        assert!(begin.elapsed() < PATIENCE, "the old address is still used");
        post(&mut moving);
    }
    post(&mut staying);
    assert_eq!(new.n_connections(), 1, "a connection is used for half a minute");
}
