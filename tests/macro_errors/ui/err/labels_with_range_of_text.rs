#[derive(bellwether::Labels)]
struct Request {
    #[label(range = 0..=9)]
    shard: String,
}

#[derive(bellwether::Labels)]
struct Response {
    #[label(values = ["200", "404"])]
    status: u16,
}

fn main() {}
