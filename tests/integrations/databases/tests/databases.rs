//! The function around a call does what it says, with a real SQLite and a real redis.

use bellwether::{context::Outcome, testing};
use bellwether_databases_tests::{CARTS, ORDERS, measured, redis_code, sqlx_code};
use sqlx::{Row as _, sqlite::SqlitePoolOptions};

/// How often an operation was recorded with this error.
fn count(scope: &testing::Scope, [system, namespace, operation, error]: [&str; 4]) -> f64 {
    let labels = [
        ("db.system.name", system),
        ("db.namespace", namespace),
        ("db.operation.name", operation),
        ("error.type", error),
    ];
    let snapshot = scope.snapshot();
    let value = snapshot.value("db.client.operation.duration", &labels);
    value.and_then(|value| value.as_histogram().map(|values| values.count() as f64)).unwrap_or(0.0)
}

#[tokio::test]
async fn calls_of_sqlx_have_a_span_and_figures_with_the_code_of_an_error() {
    let scope = testing::scope();
    let pool =
        SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let run = |text: &'static str| sqlx::query(text).execute(&pool);
    measured(&ORDERS, "CREATE", sqlx_code, run("CREATE TABLE orders (id INTEGER PRIMARY KEY)"))
        .await
        .unwrap();
    let insert = "INSERT INTO orders VALUES (7)";
    measured(&ORDERS, "INSERT", sqlx_code, run(insert)).await.unwrap();
    measured(&ORDERS, "INSERT", sqlx_code, run(insert)).await.unwrap_err();
    let query = sqlx::query("SELECT id FROM orders").fetch_one(&pool);
    let row = measured(&ORDERS, "SELECT", sqlx_code, query).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 7);
    drop(measured(&ORDERS, "DELETE", sqlx_code, run("DELETE FROM orders")));

    let of = |operation, error| count(&scope, ["sqlite", "orders", operation, error]);
    // SQLITE_CONSTRAINT_PRIMARYKEY.
    let counted = [of("CREATE", ""), of("INSERT", ""), of("INSERT", "1555"), of("SELECT", "")];
    assert_eq!(counted, [1.0; 4]);
    assert_eq!(of("DELETE", "cancelled"), 0.0); // It was never polled.
    let outcomes: Vec<_> = scope.spans().iter().map(|span| span.outcome()).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Ok, Outcome::Error, Outcome::Ok]);
}

/// Start one by `redis-server --port 26380 --save ''` and set `BELLWETHER_REDIS=redis://127.0.0.1:26380`.
#[tokio::test]
async fn calls_of_redis_have_a_span_and_figures_with_the_word_of_an_error() {
    let Some(url) = std::env::var_os("BELLWETHER_REDIS") else {
        let text = b"SKIPPED: calls of redis: BELLWETHER_REDIS names no server\n";
        std::io::Write::write_all(&mut std::io::stderr(), text).unwrap();
        return;
    };
    let scope = testing::scope();
    let client = redis::Client::open(url.to_str().unwrap()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut set = redis::cmd("SET");
    let set = set.arg("cart").arg("tea");
    let _: String =
        measured(&CARTS, "SET", redis_code, set.query_async(&mut connection)).await.unwrap();
    let mut wrong = redis::cmd("INCR");
    let wrong = wrong.arg("cart").query_async::<i64>(&mut connection);
    measured(&CARTS, "INCR", redis_code, wrong).await.unwrap_err();
    assert_eq!(count(&scope, ["redis", "0", "SET", ""]), 1.0);
    assert_eq!(scope.span("INCR").outcome(), Outcome::Error);
    let total: f64 = scope
        .snapshot()
        .family("db.client.operation.duration")
        .unwrap()
        .series()
        .iter()
        .filter(|series| series.labels().to_string().contains("INCR"))
        .map(|series| series.value().as_histogram().unwrap().count() as f64)
        .sum();
    assert_eq!(total, 1.0);
}
