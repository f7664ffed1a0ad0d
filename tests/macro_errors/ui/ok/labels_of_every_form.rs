#![deny(warnings, clippy::all, clippy::pedantic)]

use bellwether::{Counter, Labels};

#[derive(Labels)]
#[label(rename_all = "snake_case")]
struct Request<'a, T: Copy, const N: usize> {
    #[label(values = ["GET", "POST",])]
    r#type: &'a str,
    #[label(range = 0..10)]
    shard: Option<u8>,
    #[label(range = -1..=1, other = "far", name = "step")]
    generic: T,
    #[label(intern = 20)]
    tenant: String,
    #[label(flatten, prefix = "peer.")]
    peer: &'a Peer<N>,
    #[label(skip)]
    _body: [u8; N],
}

#[derive(Labels)]
struct Peer<const N: usize> {
    local: bool,
    kind: Kind,
}

#[derive(Labels, Clone, Copy)]
#[label(name = "peer_kind", rename_all = "kebab-case")]
enum Kind {
    LoadBalancer,
    Client,
}

static REQUESTS: Counter<Request<'_, i64, 3>> = Counter::new("requests", "Requests");

fn main() {
    for kind in [Kind::LoadBalancer, Kind::Client] {
        let request = Request {
            r#type: "GET",
            shard: Some(3),
            generic: -1_i64,
            tenant: "acme".to_owned(),
            peer: &Peer { local: true, kind },
            _body: [0; 3],
        };
        REQUESTS.bind(request).inc();
    }
}
