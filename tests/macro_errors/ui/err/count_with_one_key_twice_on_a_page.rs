fn main() {
    bellwether::count!("requests", "http.route" = "/", http_route = "/");
}
