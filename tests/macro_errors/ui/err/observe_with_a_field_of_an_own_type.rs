struct Cart;

#[bellwether::observe(fields(cart))]
fn checkout(cart: &Cart) {}

fn main() {}
