#[derive(bellwether::Labels)]
struct Request {
    #[label(name = "http route")]
    route: String,
}

fn main() {}
