use bellwether::{Counter, Labels};

#[derive(Labels)]
struct Around<L> {
    zone: bool,
    #[label(flatten)]
    inner: L,
}

#[derive(Labels)]
struct Peer {
    zone: bool,
}

static REQUESTS: Counter<Around<Peer>> = Counter::new("requests", "Requests");

fn main() {
    REQUESTS.bind(Around { zone: true, inner: Peer { zone: true } }).inc();
}
