#[bellwether::observe(nam = "checkout")]
fn checkout() {}

fn main() {}
