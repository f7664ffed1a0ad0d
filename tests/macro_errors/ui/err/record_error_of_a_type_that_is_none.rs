struct Fault;

fn main() {
    bellwether::trace::record_error(&Fault);
}
