#[derive(bellwether::Labels)]
struct Request {
    #[label(range = 0..=256)]
    shard: u8,
}

fn main() {
    let _ = bellwether::Labels::index(&Request { shard: 1 });
}
