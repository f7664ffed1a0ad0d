use bellwether::Labels;

#[derive(Labels)]
struct Peer {
    zone: bool,
}

#[derive(Labels)]
struct FlattenWithName {
    #[label(flatten, name = "peer")]
    peer: Peer,
}

#[derive(Labels)]
struct PrefixAlone {
    #[label(prefix = "peer.")]
    peer: Peer,
}

#[derive(Labels)]
struct IllegalPrefix {
    #[label(flatten, prefix = "peer-")]
    peer: Peer,
}

#[derive(Labels)]
struct OtherAlone {
    #[label(other = "none")]
    zone: bool,
}

#[derive(Labels)]
struct EmptyOther {
    #[label(intern = 5, other = "")]
    zone: String,
}

#[derive(Labels)]
struct SkipWithName {
    #[label(skip, name = "zone")]
    zone: bool,
}

#[derive(Labels)]
struct Twofold {
    #[label(range = 0..=9, values = ["0"])]
    zone: u8,
}

#[derive(Labels)]
struct Twice {
    #[label(skip)]
    #[label(skip)]
    zone: u8,
}

fn main() {}
