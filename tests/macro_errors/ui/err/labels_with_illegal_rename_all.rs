use bellwether::Labels;

#[derive(Labels)]
#[label(rename_all = "Train-Case")]
enum Unknown {
    Get,
}

#[derive(Labels)]
#[label(rename_all = "kebab-case")]
struct IllegalKey {
    http_route: String,
}

#[derive(Labels)]
#[label(name = "request")]
struct Named {
    route: String,
}

#[derive(Labels)]
#[label(rename_all = "lowercase")]
enum Merged {
    NotFound,
    Notfound,
}

fn main() {}
