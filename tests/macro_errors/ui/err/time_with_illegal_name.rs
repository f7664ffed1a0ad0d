fn main() {
    bellwether::time!("db query", 1 + 1);
}
