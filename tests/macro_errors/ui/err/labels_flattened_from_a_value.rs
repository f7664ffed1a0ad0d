#[derive(bellwether::Labels)]
struct Request {
    #[label(flatten)]
    route: String,
}

fn main() {}
