fn main() {
    bellwether::count!("bytes.sent", peer = "a", by = 2);
}
