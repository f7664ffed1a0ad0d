#[derive(bellwether::Labels)]
struct Pair(bool, bool);

fn main() {}
