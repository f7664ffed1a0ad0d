//! What a user records is what the page says, through the public face alone.

use bellwether::{
    export::prometheus::{Format, render},
    metric::{Registry, Unit},
    resource::Resource,
};

#[test]
fn a_page_has_what_was_recorded() {
    let registry = Registry::new();
    let orders = registry.counter("shop.orders", "Orders accepted").build().unwrap();
    orders.add(41);
    orders.inc();
    let latency = registry.histogram("shop.latency", "Time").unit(Unit::Seconds).build().unwrap();
    [0.001, 0.5, 1.0, 100.0].into_iter().for_each(|seconds| latency.record(seconds));

    let page = render(&registry.snapshot(), &Resource::service("shop"), Format::Text);
    let page = String::from_utf8(page).unwrap();

    for line in [
        "# HELP shop_orders_total Orders accepted",
        "# TYPE shop_orders_total counter",
        "shop_orders_total 42",
        "# TYPE shop_latency_seconds histogram",
        r#"shop_latency_seconds_bucket{le="0.25"} 1"#,
        r#"shop_latency_seconds_bucket{le="1"} 3"#,
        r#"shop_latency_seconds_bucket{le="+Inf"} 4"#,
        "shop_latency_seconds_sum 101.501",
        "shop_latency_seconds_count 4",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
}
