#[derive(bellwether::Labels)]
struct Request<'a> {
    peer_zone: &'a str,
    #[label(flatten, prefix = "peer.")]
    peer: Peer,
}

#[derive(bellwether::Labels)]
struct Peer {
    zone: bool,
}

fn main() {}
