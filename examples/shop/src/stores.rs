//! The cache and the database, simulated: they answer after delays that vary and are the same in each
//! run, and are measured as real ones would be.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use bellwether::{
    InSpan as _,
    bundle::{Cache, Database},
    span,
    trace::{Span, SpanKind, Status, set_attribute, set_status},
};
use tokio::{task::yield_now, time::sleep};

use crate::routes::Fault;

static CARTS: Cache = Cache::new("carts");
static ORDERS: Database = Database::new("postgresql", "shop");

#[derive(Default)]
pub(crate) struct Stores {
    /// Whether the database loses connections.
    faulty: AtomicBool,
}

impl Stores {
    pub(crate) fn set_faulty(&self, faulty: bool) {
        self.faulty.store(faulty, Relaxed);
    }

    /// Items in the cart that becomes order `number`: from the cache, or from the database in each
    /// fourth case.
    pub(crate) async fn cart(&self, number: u64) -> Result<u64, Fault> {
        let cached = cached_cart(number).in_span(client_span("redis", "HGETALL", "carts")).await;
        if let Some(items) = cached {
            return Ok(items);
        }
        self.query("SELECT", "carts", number).await?;
        Ok(items(number))
    }

    /// Keeps the order. While the database is faulty, two of three are lost.
    pub(crate) async fn insert_order(&self, number: u64) -> Result<(), Fault> {
        self.query("INSERT", "orders", number).await
    }

    async fn query(
        &self,
        operation: &'static str,
        table: &'static str,
        number: u64,
    ) -> Result<(), Fault> {
        let span = client_span("postgresql", operation, table);
        self.run(operation, number).in_span(span).await
    }

    async fn run(&self, operation: &'static str, number: u64) -> Result<(), Fault> {
        let call = ORDERS.call(operation);
        let random = random(number, operation);
        let millis = match random % 100 {
            0..80 => 1,
            80..95 => 2,
            95..99 => 5,
            _ => 20,
        };
        sleep(Duration::from_millis(millis)).await;
        if operation == "INSERT" && self.faulty.load(Relaxed) && !number.is_multiple_of(3) {
            call.error("connection_lost");
            set_attribute("error.type", "connection_lost");
            set_status(Status::Error("the connection was lost".into()));
            return Err(Fault::DatabaseAway);
        }
        call.ok();
        Ok(())
    }
}

/// Looks into the cache, which knows three of four carts.
async fn cached_cart(number: u64) -> Option<u64> {
    let lookup = CARTS.lookup();
    match random(number, "HGETALL") % 16 {
        0 => sleep(Duration::from_millis(1)).await,
        _ => yield_now().await,
    }
    if number.is_multiple_of(4) {
        lookup.miss();
        return None;
    }
    lookup.hit();
    Some(items(number))
}

/// A span with OpenTelemetry's attributes of a database call.
fn client_span(system: &'static str, operation: &'static str, target: &'static str) -> Span {
    let mut span = span(format!("{operation} {target}")).kind(SpanKind::Client).start();
    span.set_attribute("db.system.name", system);
    span.set_attribute("db.operation.name", operation);
    match system {
        "redis" => span.set_attribute("db.namespace", target),
        _ => {
            span.set_attribute("db.namespace", "shop");
            span.set_attribute("db.collection.name", target);
        }
    }
    span
}

fn items(number: u64) -> u64 {
    1 + random(number, "items") % 5
}

/// A number that looks random and depends on the order and the step alone (SplitMix64).
fn random(number: u64, step: &str) -> u64 {
    let salt = step.bytes().fold(0, |salt: u64, byte| salt << 8 ^ u64::from(byte));
    let mut z = number.wrapping_add(salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
