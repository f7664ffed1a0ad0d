fn main() {
    bellwether::count!("cache.hits", ratio = 0.5);
}
