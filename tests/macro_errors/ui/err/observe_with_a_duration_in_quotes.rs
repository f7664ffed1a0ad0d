#[bellwether::observe(duration = "always")]
fn checkout() {}

fn main() {}
