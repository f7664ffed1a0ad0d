use bellwether::{Counter, Labels, count, observe, time};

#[derive(Labels, Clone, Copy)]
struct Req {
    method: Method,
    #[label(name = "http.response.class")]
    status: StatusClass,
}

#[derive(Labels, Clone, Copy)]
enum Method {
    #[label(name = "GET")]
    Get,
    Post,
}

#[derive(Labels, Clone, Copy)]
enum StatusClass {
    Success,
    ServerError,
}

static REQUESTS: Counter<Req> = Counter::new("shop.requests", "Requests served");

#[observe(name = "checkout", kind = server, fields(cart = 3, "http.route" = "/checkout"))]
fn checkout() -> Result<u64, std::num::ParseIntError> {
    let total = time!("cart.total", "12".parse::<u64>()?);
    count!("items", by = total, tier = "l1", "http.route" = String::from("/"));
    for (method, status) in
        [(Method::Get, StatusClass::Success), (Method::Post, StatusClass::ServerError)]
    {
        REQUESTS.bind(Req { method, status }).inc();
    }
    Ok(total)
}

fn main() {
    assert_eq!(checkout(), Ok(12));
}
