fn main() {
    bellwether::time!("db.query");
}
