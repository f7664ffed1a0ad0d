const HITS: &str = "cache hits";

fn main() {
    bellwether::count!(HITS);
}
