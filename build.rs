//! Does nothing: cargo asks for it where a manifest has `links`, and that keeps a second version of
//! this crate out of a program.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
