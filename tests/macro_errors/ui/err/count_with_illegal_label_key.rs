fn main() {
    bellwether::count!("cache.hits", "9tier" = "l1");
}
