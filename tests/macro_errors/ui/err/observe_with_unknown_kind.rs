#[bellwether::observe(kind = servant)]
fn checkout() {}

fn main() {}
