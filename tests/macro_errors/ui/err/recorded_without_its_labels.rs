use bellwether::{Counter, Gauge, Histogram, Labels, label::Dynamic};

#[derive(Labels)]
struct Req {
    cached: bool,
}

static REQUESTS: Counter<Req> = Counter::new("requests", "Requests served");
static LOAD: Gauge<Dynamic> = Gauge::dynamic("load", "Load", &["room"]);
static SIZE: Histogram<Req> = Histogram::new("size", "Sizes");

fn main() {
    REQUESTS.inc();
    LOAD.set(0.5);
    SIZE.record(1.0);
}
