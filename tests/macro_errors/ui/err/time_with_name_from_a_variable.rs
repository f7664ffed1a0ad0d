fn main() {
    let name = "db.query";
    bellwether::time!(name, 1 + 1);
}
