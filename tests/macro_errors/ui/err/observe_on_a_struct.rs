#[bellwether::observe]
struct Checkout;

fn main() {}
