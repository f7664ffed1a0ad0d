use bellwether::Labels;

#[derive(Labels)]
struct Empty {
    #[label(values = [])]
    method: String,
}

#[derive(Labels)]
struct Twice {
    #[label(values = ["GET", "POST", "GET"])]
    method: String,
}

#[derive(Labels)]
struct OtherIsDeclared {
    #[label(values = ["GET", "other"])]
    method: String,
}

#[derive(Labels)]
struct NoTexts {
    #[label(values = [200, 404])]
    status: String,
}

#[derive(Labels)]
struct NoRoom {
    #[label(intern = 0)]
    tenant: String,
}

fn main() {}
