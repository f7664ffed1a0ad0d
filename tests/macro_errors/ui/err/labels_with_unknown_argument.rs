#[derive(bellwether::Labels)]
struct Request {
    #[label(rename = "http.route")]
    route: String,
}

fn main() {}
