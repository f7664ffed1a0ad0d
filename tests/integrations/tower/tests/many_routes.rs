//! Routes without end. In a process of its own, because they fill the family's limit of series for all.

use axum::Router;
use bellwether::{integration::tower::ServerLayer, testing};
use bellwether_tower_tests::{SERVED, get, send};

#[tokio::test]
async fn a_hundred_thousand_routes_make_a_bounded_number_of_series() {
    let layer = ServerLayer::new().route(|request| Some(request.uri.path().into()));
    let app = Router::new().fallback(|| async { "order" }).layer(layer);
    let scope = testing::scope();
    for n in 0..100_000 {
        drop(send(&app, get(&format!("/{n}"))).await);
    }
    let snapshot = scope.snapshot();
    let series = snapshot.family(SERVED).unwrap().series();
    let count: u64 = series.iter().map(|s| s.value().as_histogram().unwrap().count()).sum();
    assert_eq!(count, 100_000);
    assert!(series.len() <= 2001, "{}", series.len());
    let names: std::collections::HashSet<String> =
        scope.spans().iter().map(|span| span.name().to_owned()).collect();
    assert!(names.contains("GET /99999") && names.contains("GET /0"));
}
