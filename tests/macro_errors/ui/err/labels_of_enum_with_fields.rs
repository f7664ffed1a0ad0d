#[derive(bellwether::Labels)]
enum Status {
    Ok,
    Code(u16),
}

fn main() {}
