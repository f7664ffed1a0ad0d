struct Route;

#[derive(bellwether::Labels)]
struct Req {
    route: Route,
}

fn main() {}
