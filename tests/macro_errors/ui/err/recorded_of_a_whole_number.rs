static SIZE: bellwether::Histogram = bellwether::Histogram::new("size", "Sizes");

fn main() {
    let bytes = vec![0_u8; 3];
    SIZE.record(bytes.len());
}
