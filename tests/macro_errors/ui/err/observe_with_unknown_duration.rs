#[bellwether::observe(duration = never)]
fn checkout() {}

fn main() {}
