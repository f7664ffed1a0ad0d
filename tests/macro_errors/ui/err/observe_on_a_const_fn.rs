#[bellwether::observe]
const fn checkout() {}

fn main() {}
